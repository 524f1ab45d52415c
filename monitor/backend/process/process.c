/* SPDX-License-Identifier: ISC */
/*
 * The process backend's operations: paging is mmap and mprotect inside the reservation, booting
 * is setting protections and signal handlers, running is a jump. A clone is a host fork and
 * nothing else.
 *
 * Text of the kernel is read-execute, its data read-write. The vDSO, site tails and site stubs are
 * read-write-execute: the kernel writes them while it runs. Nothing in here protects the monitor
 * from its guest; confinement does (monitor/core/confine.c).
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/platform/x86.h>
#include <unistd.h>

#include "monitor/backend/process/process.h"
#include "monitor/backend/process/xsave.h"
#include "monitor/core/core_internal.h"

#define HWCAP2_FSGSBASE_BIT 2
#define ARCH_GET_XCOMP_PERM 0x1022
#define SA_RESTORER_FLAG 0x04000000

extern const char __executable_start[], etext[];

/* The host kernel's struct sigaction. */
struct host_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

/*
 * What the C library has asked the processor already is not asked again (CPU_FEATURE_PRESENT): in a
 * virtual machine each CPUID is an exit, some 8 us.
 */
static int process_probe(struct family *f, struct error *err)
{
	if (!CPU_FEATURE_PRESENT(OSXSAVE))
		return error_set(err, 0, "backend process needs a processor with XSAVE");
	return 0;
}

static u64 xcr0_read(void)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (u64)hi << 32 | lo;
}

static u64 xcr0_usable(void)
{
	u64 permitted = 0;

	if (HOST_CALL(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &permitted) < 0)
		permitted = 0;
	return xsave_usable(xcr0_read(), permitted);
}

/* Where all that is switched on may be used, the processor says the size of the whole itself. */
static u32 area_size(u64 mask)
{
	struct xsave_component components[XSAVE_COMPONENTS] = {{0}};
	u32 a, b, c, d;

	if (mask == xcr0_read()) {
		__cpuid_count(0xd, 0, a, b, c, d);
		return b;
	}
	for (u32 i = 2; i < XSAVE_COMPONENTS; i++)
		if (mask >> i & 1)
			__cpuid_count(0xd, i, components[i].size, components[i].offset, c, d);
	return xsave_size(mask, components);
}

static void boot_processor(struct boot_info *boot)
{
	boot->xsave_mask = xcr0_usable();
	boot->xsave_size = area_size(boot->xsave_mask);
	if (CPU_FEATURE_PRESENT(XSAVEOPT))
		boot->flags |= BOOT_XSAVEOPT;
	if (CPU_FEATURE_PRESENT(XSAVEC))
		boot->flags |= BOOT_XSAVEC;
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT)
		boot->flags |= BOOT_FSGSBASE;
	boot->hypercall_entry = (u64)process_hypercall_entry;
	boot->set_fsbase = boot->flags & BOOT_FSGSBASE ? 0 : (u64)process_set_fsbase;
}

static int window_protect(u64 addr, u64 len, int prot)
{
	return mprotect((void *)addr, len, prot);
}

/* The window was mapped read-write as a whole; what lies between its parts stays inaccessible. */
static int boot_window(struct error *err)
{
	static const struct {
		u64 addr, len;
		int prot;
	} parts[] = {
		{CPU_TABLES_ADDR, ALTSTACK_ADDR - CPU_TABLES_ADDR, PROT_NONE}, /* kvm's tables and stacks */
		{VDSO_ADDR, SITE_STUBS_ADDR + SITE_STUBS_SIZE - VDSO_ADDR,
		 PROT_READ | PROT_WRITE | PROT_EXEC},
		{KERNEL_IMAGE, KERNEL_IMAGE_END - KERNEL_IMAGE, PROT_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (window_protect(parts[i].addr, parts[i].len, parts[i].prot) < 0)
			return error_set(err, errno, "cannot protect the kernel's memory");
	if (image_protect(window_protect) < 0)
		return error_set(err, errno,
						 "cannot make the kernel executable; does a security policy forbid it?");
	return 0;
}

static int boot_signals(struct error *err)
{
	static const int faults[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	int signals[ARRAY_SIZE(faults) + 2];
	stack_t alternate = {.ss_sp = (void *)ALTSTACK_ADDR, .ss_size = ALTSTACK_SIZE};
	struct host_sigaction sa = {
		.handler = process_signal,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER_FLAG,
		.restorer = process_restorer,
		.mask = 1ull << (MONITOR_SIGNAL - 1) | 1ull << (TIMER_SIGNAL - 1),
	};

	if (sigaltstack(&alternate, NULL) < 0)
		return error_set(err, errno, "cannot set the alternate signal stack");
	memcpy(signals, faults, sizeof(faults));
	signals[ARRAY_SIZE(faults)] = MONITOR_SIGNAL;
	signals[ARRAY_SIZE(faults) + 1] = TIMER_SIGNAL;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (HOST_CALL(SYS_rt_sigaction, signals[i], &sa, NULL, sizeof(sa.mask)) < 0)
			return error_set(err, 0, "cannot set the handler of signal %d", signals[i]);
	return 0;
}

static u64 fs_read(u64 flags)
{
	u64 base = 0;

	if (flags & PROCESS_FSGSBASE)
		__asm__ volatile("rdfsbase %0" : "=r"(base));
	else
		HOST_CALL(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &base);
	return base;
}

static void boot_anchor(struct member *m, const struct boot_info *boot)
{
	struct process_anchor *a = &process_anchor;

	a->member = m;
	a->interrupted = &m->interrupted;
	a->interrupt_signal = MONITOR_SIGNAL;
	a->flags = (boot->flags & BOOT_FSGSBASE ? PROCESS_FSGSBASE : 0u) |
			   (boot->flags & BOOT_XSAVEC ? PROCESS_XSAVEC : 0u);
	a->xsave_mask = boot->xsave_mask;
	a->monitor_fs = fs_read(a->flags);
	a->monitor_stack = ALIGN_DOWN((u64)m->stack_top, 16);
	a->image = *m->image;
	a->text_start = (u64)__executable_start;
	a->text_end = (u64)etext;
}

static int process_boot(struct member *m, struct error *err)
{
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;

	boot_processor(boot);
	memcpy(boot->zones, m->family->zones, sizeof(boot->zones));
	boot->zone_count = m->family->zone_count;
	if (boot->xsave_size > PROCESS_XSAVE_SIZE)
		return error_set(err, 0,
						 "backend process: this processor's FPU state (%u bytes) is too large",
						 boot->xsave_size);
	boot_anchor(m, boot);
	if (boot_window(err) < 0)
		return -1;
	return boot_signals(err);
}

FORK_PATH static int process_create(struct member *m, bool clone, struct error *err)
{
	return 0;
}

FORK_PATH static void process_run(struct member *m, bool clone)
{
	process_enter(clone ? process_anchor.image.clone_entry : process_anchor.image.entry);
}

FORK_PATH void process_dispatch(struct member *m)
{
	const volatile struct hypercall_frame *frame = (const struct hypercall_frame *)HYPERCALL_ADDR;

	hypercall_dispatch(m);
	/*
	 * percpu->irq_pending carries the interrupt on; the kernel looks at it and its signals when
	 * it sees EINTR.
	 */
	if (frame->ret == -EINTR)
		m->interrupted = 0;
}

_Noreturn void process_fault_report(u64 sig, u64 rip, u64 addr)
{
	struct member *m = process_anchor.member;

	if (rip >= process_anchor.text_start && rip < process_anchor.text_end)
		member_die(m, "the monitor failed: signal %d at offset 0x%llx, address 0x%llx", (int)sig,
				   (unsigned long long)(rip - process_anchor.text_start), (unsigned long long)addr);
	if (addr)
		member_die(m, "the guest's kernel failed: signal %d at 0x%llx, address 0x%llx", (int)sig,
				   (unsigned long long)rip, (unsigned long long)addr);
	member_die(m, "ended by signal %d at 0x%llx", (int)sig, (unsigned long long)rip);
}

static s64 process_populate(struct member *m, u64 addr, u64 len)
{
	return 0;
}

static s64 map_fixed(u64 addr, u64 len, int prot, int flags, int fd, u64 offset)
{
	s64 r = HOST_CALL(SYS_mmap, addr, len, prot, flags | MAP_FIXED | MAP_NORESERVE, fd, offset);

	return r < 0 ? r : 0;
}

static s64 process_map_anon(struct member *m, u64 addr, u64 len, int prot)
{
	return map_fixed(addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static s64 process_map_file(struct member *m, u64 addr, u64 len, int prot, int fd, u64 offset,
							int flags)
{
	return map_fixed(addr, len, prot, flags, fd, offset);
}

static s64 process_map_kin(struct member *m, u64 addr, u64 len, u64 kin_offset, int prot)
{
	return map_fixed(addr, len, prot, MAP_SHARED, m->family->kin_fd, kin_offset);
}

static s64 process_protect(struct member *m, u64 addr, u64 len, int prot)
{
	return HOST_CALL(SYS_mprotect, addr, len, prot);
}

/* Only what lies low is reserved: every mapping of the host costs a fork microseconds. */
static s64 process_unmap(struct member *m, u64 addr, u64 len)
{
	if (addr >= PRIVATE_END)
		return HOST_CALL(SYS_munmap, addr, len);
	return map_fixed(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

const struct backend_ops backend_process = {
	.name = "process",
	.kind = BACKEND_PROCESS,
	.runs_on_host = true,
	.probe = process_probe,
	.boot = process_boot,
	.create = process_create,
	.run = process_run,
	.populate = process_populate,
	.map_anon = process_map_anon,
	.map_file = process_map_file,
	.map_kin = process_map_kin,
	.protect = process_protect,
	.unmap = process_unmap,
};
