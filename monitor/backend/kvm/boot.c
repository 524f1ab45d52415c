/* SPDX-License-Identifier: ISC */
/*
 * Before a fresh member's first instruction: the processor's tables in guest memory and what all
 * its vCPUs will be like. The guest starts in 64-bit mode at CPL 3. Ring 0 exists only for the
 * kernel's stubs: every gate leads there on IST stack 1, and no interrupt is ever injected as such
 * (vcpu_run.c). Tables: AMD APM volume 2, chapters 4, 5, 8 and 12.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>

#include "monitor/backend/kvm/kvm.h"

#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_AD 0x60ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)
#define TABLE (PTE_P | PTE_W | PTE_U | PTE_AD)
#define READ (PTE_P | PTE_U | PTE_AD | PTE_NX)
#define WRITE (READ | PTE_W)
#define EXEC (READ & ~PTE_NX)
#define WRITE_EXEC (WRITE & ~PTE_NX)
#define RING0 (WRITE & ~PTE_U)

/* Indices into image.boot_tables, as abi/image.h lists them. */
enum { BOOT_PML4, BOOT_PDPT, BOOT_PD, BOOT_PT, BOOT_KIN_PDPT = 7, BOOT_KIN_PD };

#define CR0_VALUE 0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_VALUE 0x50620ull    /* OSXSAVE FSGSBASE OSXMMEXCPT OSFXSR PAE */
#define EFER_VALUE 0xd01ull     /* NXE LMA LME SCE */

static u64 *boot_table(const struct kvm_state *s, int i)
{
	return (u64 *)(s->image.boot_tables + (u64)i * PAGE_SIZE);
}

/* The last-level table of an address in the 4 KiB part of the window. */
static u64 *window_table(const struct kvm_state *s, u64 addr)
{
	return boot_table(s, BOOT_PT + (int)((addr - KERNEL_BASE) / HUGE_SIZE));
}

static void map_window(const struct kvm_state *s, u64 start, u64 end, u64 bits)
{
	for (u64 a = start; a < end; a += PAGE_SIZE)
		window_table(s, a)[a / PAGE_SIZE % 512] = a | bits;
}

static void build_page_tables(const struct kvm_state *s)
{
	const struct kernel_image *image = &s->image;

	boot_table(s, BOOT_PML4)[0] = (u64)boot_table(s, BOOT_PDPT) | TABLE;
	boot_table(s, BOOT_PDPT)[0] = (u64)boot_table(s, BOOT_PD) | TABLE;
	boot_table(s, BOOT_PML4)[KIN_BASE >> 39] = (u64)boot_table(s, BOOT_KIN_PDPT) | TABLE;
	boot_table(s, BOOT_KIN_PDPT)[KIN_BASE >> 30 & 511] = (u64)boot_table(s, BOOT_KIN_PD) | TABLE;
	for (u64 a = 0; a < SLOT_KIN_BOOT; a += HUGE_SIZE)
		boot_table(s, BOOT_KIN_PD)[(KIN_BASE + a) / HUGE_SIZE % 512] =
			(KIN_PHYSICAL + a) | WRITE | PTE_PS;
	for (u64 a = KERNEL_BASE; a < KERNEL_HEAP; a += HUGE_SIZE)
		boot_table(s, BOOT_PD)[a / HUGE_SIZE] = (u64)window_table(s, a) | TABLE;
	for (u64 a = KERNEL_HEAP; a < KERNEL_HEAP_END; a += HUGE_SIZE)
		boot_table(s, BOOT_PD)[a / HUGE_SIZE] = a | WRITE | PTE_PS;

	map_window(s, PERCPU_ADDR, PERCPU_ADDR + PAGE_SIZE, WRITE);
	map_window(s, CPU_TABLES_ADDR, CPU_TABLES_ADDR + CPU_TABLES_SIZE, RING0);
	map_window(s, IST_STACKS_ADDR, IST_STACKS_ADDR + 2 * IST_STACK_SIZE, WRITE);
	map_window(s, VDSO_ADDR, SITE_STUBS_ADDR + SITE_STUBS_SIZE, WRITE_EXEC);
	map_window(s, KERNEL_IMAGE, image->text_end, EXEC);
	map_window(s, image->text_end, image->rodata_end, READ);
	map_window(s, image->rodata_end, ALIGN_UP(image->end, PAGE_SIZE), WRITE);
}

struct tss {
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, io_map;
	u8 io_bitmap[HYPERCALL_PORT / 8 + 2]; /* the last byte must be ones */
} __attribute__((packed));

static void build_descriptors(const struct kvm_state *s)
{
	u64 *gdt = (u64 *)GDT_ADDR, *idt = (u64 *)IDT_ADDR;
	struct tss *tss = (struct tss *)TSS_ADDR;

	gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
	gdt[KERNEL_CS / 8 + 1] = 0x00cf93000000ffff; /* STAR's stack segment */
	gdt[USER_DS / 8] = 0x00cff3000000ffff;
	gdt[USER_CS / 8] = 0x00affb000000ffff;
	gdt[TSS_SELECTOR / 8] = 0x8b0000000000ull | (sizeof(*tss) - 1) |
				(u64)(TSS_ADDR & 0xffffff) << 16 | (u64)(TSS_ADDR >> 24) << 56;

	memset(tss, 0, sizeof(*tss));
	tss->rsp[0] = tss->ist[0] = IST_STACKS_ADDR + IST_STACK_SIZE;
	tss->io_map = offsetof(struct tss, io_bitmap);
	memset(tss->io_bitmap, 0xff, sizeof(tss->io_bitmap));
	/* Where `syscall` keeps the privilege level, the stub's `out` runs at CPL 3. */
	tss->io_bitmap[HYPERCALL_PORT / 8] &= (u8)~(1u << (HYPERCALL_PORT % 8));

	for (u64 v = 0; v < 32; v++) {
		u64 a = s->image.exception_stubs + v * EXCEPTION_STUB_SIZE;
		u64 dpl = v == 3 || v == 4 ? 3 : 0;

		idt[2 * v] = (a & 0xffff) | (u64)KERNEL_CS << 16 | 1ull << 32 | 0x8eull << 40 | dpl << 45 |
			     (a >> 16 & 0xffff) << 48;
		idt[2 * v + 1] = a >> 32;
	}
}

static struct kvm_segment segment(u16 selector, u8 type, bool code)
{
	return (struct kvm_segment){
		.selector = selector, .limit = 0xffffffff, .type = type, .present = 1,
		.dpl = 3, .s = 1, .g = 1, .l = code, .db = !code,
	};
}

/*
 * The rest of sregs (APIC base) stays as a new vCPU has it: filled in by kvm_create for the first
 * one.
 */
static void build_sregs(struct kvm_state *s)
{
	struct kvm_sregs *r = &s->sregs;

	r->cs = segment(USER_CS, 11, true);
	r->ss = r->ds = r->es = r->fs = r->gs = segment(USER_DS, 3, false);
	r->ldt = (struct kvm_segment){ .unusable = 1 };
	r->tr = (struct kvm_segment){
		.selector = TSS_SELECTOR,
		.base = TSS_ADDR,
		.limit = sizeof(struct tss) - 1,
		.present = 1,
		.type = 11,
	};
	r->gdt = (struct kvm_dtable){ .base = GDT_ADDR, .limit = GDT_SIZE - 1 };
	r->idt = (struct kvm_dtable){ .base = IDT_ADDR, .limit = 32 * 16 - 1 };
	r->cr0 = CR0_VALUE;
	r->cr3 = s->image.boot_tables;
	r->cr4 = CR4_VALUE;
	r->efer = EFER_VALUE;
}

int kvm_boot(struct member *m, struct error *err)
{
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;
	struct kvm_state *s = calloc(1, sizeof(*s));
	int kvm = m->family->kvm_fd, size;

	if (!s)
		return error_set(err, ENOMEM, "cannot allocate the state of a virtual machine");
	m->backend_state = s;
	s->vm_fd = s->vcpu_fd = -1;
	s->image = *m->image;
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return error_set(err, errno, "KVM does not tell the size of a vCPU");
	s->run_size = (size_t)size;
	s->slots_max = (u32)ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
	s->msr_filter = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER) > 0;
	s->enforce_cpuid = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ENFORCE_PV_FEATURE_CPUID) > 0;
	if (cpuid_choose(m, err) < 0)
		return -1;
	boot->flags |= BOOT_FSGSBASE;
	boot->zones[0] = (struct boot_range){PRIVATE_END, KIN_BASE};
	boot->zones[1] = (struct boot_range){KIN_END, USER_ADDRESS_END};
	boot->zone_count = 2;
	boot->xsave_mask = s->xcr0;
	boot->xsave_size = cpuid_xsave_size(s);
	build_page_tables(s);
	build_descriptors(s);
	build_sregs(s);
#define NOTE(start, end) slots_note(s, (start) / SLOT_CHUNK, (end) / SLOT_CHUNK);
	SLOTS_AT_BOOT(NOTE)
#undef NOTE
	return interrupt_install(m, err);
}
