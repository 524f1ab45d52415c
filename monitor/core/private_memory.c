/* SPDX-License-Identifier: ISC */
/*
 * The member's private memory in the host process, at the addresses that it has in the guest, and
 * the kernel in it. The reservation costs address space only: the host gives pages when they are
 * touched.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/elf.h"
#include "monitor/core/core_internal.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* The linker's: the head of this executable. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const char unifork_kernel_elf_start[], unifork_kernel_elf_end[];

static const char *reserve_advice(int code)
{
	switch (code) {
	case ENOMEM: return "; raise `ulimit -v`, or set vm.overcommit_memory to 0 or 1";
	case EPERM: return "; set vm.mmap_min_addr to at most 65536";
	case EEXIST: return "; something else is mapped there (a tracer or a preloaded library?)";
	default: return "";
	}
}

static int range_reserve(u64 start, u64 end, int prot, struct error *err)
{
	void *got = mmap((void *)start, end - start, prot,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == MAP_FAILED)
		return error_set(err, errno, "cannot reserve the member's addresses%s",
						 reserve_advice(errno));
	if (got != (void *)start) { /* a host without MAP_FIXED_NOREPLACE took it as a hint */
		munmap(got, end - start);
		return error_set(err, EEXIST, "cannot reserve the member's addresses%s",
						 reserve_advice(EEXIST));
	}
	return 0;
}

/*
 * Process backend: nothing but the kernel's window and its call table is accessible until the
 * kernel maps it. kvm: page tables protect, slots need it all.
 */
int memory_reserve(const struct family *f, struct error *err)
{
	bool on_host = f->backend->runs_on_host;
	int prot = on_host ? PROT_NONE : PROT_READ | PROT_WRITE;

	if (range_reserve(PRIVATE_BASE, PRIVATE_END, prot, err) < 0)
		return -1;
	if (on_host &&
		(mprotect((void *)KERNEL_BASE, KERNEL_END - KERNEL_BASE, PROT_READ | PROT_WRITE) < 0 ||
		 mprotect((void *)CALL_TABLE_ADDR, CALL_TABLE_SIZE, PROT_READ | PROT_WRITE) < 0))
		return error_set(err, errno, "cannot map the kernel's memory; free some memory");
	return 0;
}

/* A stack with a guard page, on which everything after monitor_start runs. */
int memory_stack(void **top, struct error *err)
{
	char *base = mmap(NULL, MONITOR_STACK_SIZE + PAGE_SIZE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (base == MAP_FAILED || mprotect(base, PAGE_SIZE, PROT_NONE) < 0)
		return error_set(err, errno, "cannot allocate the monitor's stack; free some memory");
	*top = base + PAGE_SIZE + MONITOR_STACK_SIZE;
	return 0;
}

static int image_bad(struct error *err, const char *what)
{
	return error_set(err, 0, "the built-in kernel image is damaged (%s); build unifork again",
					 what);
}

/* Where in this executable's file is what lies at p in memory? 0: not found. */
static u64 file_offset(const void *p)
{
	const char *base = (const char *)&__ehdr_start;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(base + __ehdr_start.e_phoff);
	u64 at = (u64)((const char *)p - base);

	for (u32 i = 0; i < __ehdr_start.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && at >= ph[i].p_vaddr && at < ph[i].p_vaddr + ph[i].p_filesz)
			return ph[i].p_offset + (at - ph[i].p_vaddr);
	return 0;
}

void image_open(struct family *f)
{
	char head[sizeof(Elf64_Ehdr)];

	f->image_offset = file_offset(unifork_kernel_elf_start);
	f->image_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (f->image_fd < 0)
		return;
	if (f->image_offset && f->image_offset % PAGE_SIZE == 0 &&
		pread(f->image_fd, head, sizeof(head), (off_t)f->image_offset) == (ssize_t)sizeof(head) &&
		memcmp(head, unifork_kernel_elf_start, sizeof(head)) == 0)
		return;
	close(f->image_fd);
	f->image_fd = -1;
}

/*
 * Text and constants come from the host's page cache: no copy, no memory, and a fork neither copies
 * them nor makes KVM forget where they are.
 */
static bool segment_map(const struct family *f, const struct elf_segment *s)
{
	u64 offset = f->image_offset + s->offset;
	int prot = PROT_READ | (f->backend->runs_on_host && s->flags & ELF_X ? PROT_EXEC : 0);

	if (f->image_fd < 0 || s->flags & ELF_W || (s->vaddr | offset) % PAGE_SIZE ||
		s->filesz != s->memsz)
		return false;
	return mmap((void *)s->vaddr, s->filesz, prot, MAP_PRIVATE | MAP_FIXED, f->image_fd,
				(off_t)offset) != MAP_FAILED;
}

/* The image is our own, but a build error must not become a wild copy. */
static int segments_load(const struct family *f, const struct elf_header *h, struct error *err)
{
	const char *elf = unifork_kernel_elf_start;
	u64 size = (u64)(unifork_kernel_elf_end - unifork_kernel_elf_start);
	struct elf_segment s;

	for (u32 i = 0; i < h->phnum; i++) {
		if (!elf_segment_get(elf + h->phoff, i, &s))
			continue;
		if (s.vaddr < KERNEL_IMAGE || s.vaddr + s.memsz > KERNEL_IMAGE_END)
			return image_bad(err, "a segment outside its range");
		if (s.offset > size || s.filesz > size - s.offset)
			return image_bad(err, "a segment outside the file");
		if (!segment_map(f, &s))
			memcpy((void *)s.vaddr, elf + s.offset, s.filesz);
	}
	return 0;
}

/* Puts the kernel into the reservation, writable; the backend's boot gives it its protections. */
int image_load(struct member *m, struct error *err)
{
	const char *elf = unifork_kernel_elf_start;
	u64 size = (u64)(unifork_kernel_elf_end - unifork_kernel_elf_start);
	const struct kernel_image *image = (const struct kernel_image *)KERNEL_IMAGE;
	struct elf_header h;
	struct elf_layout l;

	if (elf_header_parse(elf, size, &h) != 0 || h.dyn)
		return image_bad(err, "not an ELF executable");
	if (h.phoff > size || h.phbytes > size - h.phoff)
		return image_bad(err, "no program headers");
	if (elf_layout_parse(&h, elf + h.phoff, &l) != 0 || l.low != KERNEL_IMAGE)
		return image_bad(err, "segments");
	if (segments_load(m->family, &h, err) < 0)
		return -1;
	if (image->magic != IMAGE_MAGIC || image->entry < KERNEL_IMAGE || image->entry >= l.high ||
		image->clone_entry < KERNEL_IMAGE || image->clone_entry >= l.high)
		return image_bad(err, "no kernel_image header");
	m->image = image;
	return 0;
}

/*
 * Calls fn for each segment with its final protection; for backends where host protection counts.
 */
int image_protect(int (*fn)(u64 addr, u64 len, int prot))
{
	const char *elf = unifork_kernel_elf_start;
	u64 size = (u64)(unifork_kernel_elf_end - unifork_kernel_elf_start);
	struct elf_header h;
	struct elf_segment s;

	if (elf_header_parse(elf, size, &h) != 0)
		return -1;
	for (u32 i = 0; i < h.phnum; i++) {
		if (!elf_segment_get(elf + h.phoff, i, &s))
			continue;
		u64 start = ALIGN_DOWN(s.vaddr, PAGE_SIZE);
		int prot = (s.flags & ELF_R ? PROT_READ : 0) | (s.flags & ELF_W ? PROT_WRITE : 0) |
				   (s.flags & ELF_X ? PROT_EXEC : 0);
		if (fn(start, ALIGN_UP(s.vaddr + s.memsz, PAGE_SIZE) - start, prot) < 0)
			return -1;
	}
	return 0;
}
