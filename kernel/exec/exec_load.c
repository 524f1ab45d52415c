/* SPDX-License-Identifier: ISC */
/*
 * Maps the segments of a checked program and of its dynamic linker into an empty address space.
 * File pages are shared with the host's page cache until written; what a segment has beyond its
 * file part is zero. brk follows the program, or lies at USER_BRK_BASE for programs at low fixed
 * addresses, where the kernel's window would end it soon; but not under ADDR_NO_RANDOMIZE, where
 * programs expect to find it next to their end.
 */
#include "kernel/exec/exec.h"

#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"

#define BRK_ROOM (4ul << 30) /* not to begin right below what is hidden */

static u32 segment_prot(const struct elf_segment *s)
{
	return (s->flags & ELF_R ? PROT_READ : 0u) | (s->flags & ELF_W ? PROT_WRITE : 0u) |
	       (s->flags & ELF_X ? PROT_EXEC : 0u);
}

static u64 file_pages_end(const struct elf_segment *s)
{
	return ALIGN_UP(s->vaddr + s->filesz, PAGE_SIZE);
}

/* Does next go on where s ends, in memory and in the file, with nothing between? */
static bool segment_follows(const struct elf_segment *s, const struct elf_segment *next)
{
	return s->filesz && next->filesz && s->memsz == s->filesz &&
	       ALIGN_DOWN(next->vaddr, PAGE_SIZE) == file_pages_end(s) &&
	       next->vaddr - next->offset == s->vaddr - s->offset;
}

/* What follows the file part: zeroes. Only pages of this segment alone are made anonymous. */
static s64 bss_map(struct mm *mm, const struct elf_file *e, const struct elf_segment *s, u64 *end)
{
	u64 va = s->vaddr + e->bias, file_end = va + s->filesz, memory_end = va + s->memsz;
	u64 at = s->filesz ? ALIGN_UP(file_end, PAGE_SIZE) : MAX(ALIGN_DOWN(va, PAGE_SIZE), *end);
	u32 prot = segment_prot(s);
	s64 err;

	/*
	 * All the rest of the page: dynamic linkers allocate from what lies behind their own segments.
	 * A read-only segment keeps the file's bytes there, as on Linux.
	 */
	if (s->memsz > s->filesz && at > file_end && prot & PROT_WRITE)
		if (clear_out((void *)file_end, at - file_end))
			return -EFAULT;
	memory_end = ALIGN_UP(memory_end, PAGE_SIZE);
	*end = MAX(at, memory_end);
	if (memory_end <= at)
		return 0;
	err = mm_map(mm, at, memory_end - at, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0);
	return err < 0 ? err : 0;
}

/*
 * The file part of segment i and of all that follow it without a gap, as text and read-only data
 * do: one mapping, of which the parts then get their rights, is one hypercall. *next: the first
 * segment that is not in it; *last: the one before.
 */
static s64 run_map(struct mm *mm, const struct elf_file *e, u32 *next, struct elf_segment *last)
{
	struct elf_segment first = *last, s;
	u64 start = ALIGN_DOWN(first.vaddr, PAGE_SIZE);
	u32 i = *next, run_start = i;
	s64 err;

	for (; i < e->header.phnum; i++) {
		if (!elf_segment_get(e->table, i, &s))
			continue;
		if (!segment_follows(last, &s))
			break;
		*last = s;
	}
	*next = i;
	err = mm_map(mm, start + e->bias, file_pages_end(last) - start, segment_prot(&first),
		MAP_PRIVATE | MAP_FIXED, e->file, first.offset - (first.vaddr - start));
	for (i = run_start; err >= 0 && i < *next; i++) {
		if (!elf_segment_get(e->table, i, &s))
			continue;
		start = ALIGN_DOWN(s.vaddr, PAGE_SIZE);
		err = mm_protect(mm, start + e->bias, file_pages_end(&s) - start, segment_prot(&s));
	}
	return err < 0 ? err : 0;
}

static s64 segments_map(struct mm *mm, const struct elf_file *e)
{
	struct elf_segment s;
	u64 end = 0; /* of what earlier segments have mapped */
	u32 i = 0;

	while (i < e->header.phnum) {
		s64 err = 0;

		if (!elf_segment_get(e->table, i++, &s))
			continue;
		if (s.filesz)
			err = run_map(mm, e, &i, &s);
		if (!err)
			err = bss_map(mm, e, &s, &end);
		if (err)
			return err;
	}
	return 0;
}

static s64 interp_map(struct mm *mm, struct elf_file *e)
{
	const struct elf_layout *l = &e->layout;
	u64 size = l->high - l->low, addr = l->low;

	if (e->header.dyn)
		addr = vma_gap(mm, size, l->align, PRIVATE_BASE, mm->mmap_top);
	if (!addr || !vma_range_free(mm, addr, addr + size))
		return -ENOMEM;
	e->bias = addr - l->low;
	mm->loader_start = addr;
	mm->loader_end = addr + size;
	return segments_map(mm, e);
}

static void layout_set(struct mm *mm, const struct elf_file *e, u64 brk_gap, bool fixed)
{
	const struct elf_layout *l = &e->layout;
	u64 end = ALIGN_UP(l->memory_end + e->bias, PAGE_SIZE);

	mm->code_start = l->code_start + e->bias;
	mm->code_end = l->code_end + e->bias;
	mm->data_start = l->data_start + e->bias;
	mm->data_end = l->data_end + e->bias;
	mm->brk_start = end;
	if (end <= USER_BRK_BASE && !e->header.dyn && !fixed)
		mm->brk_start = USER_BRK_BASE;
	mm->brk_start += brk_gap;
	mm->brk_end = mm->brk_start;
}

s64 exec_image_map(struct mm *mm, struct exec_image *image, const struct exec_random *r)
{
	const struct elf_layout *l = &image->program.layout;
	s64 err;

	if (image->program.header.dyn)
		image->program.bias = range_above(l->low + image->program.bias + r->program,
			l->high - l->low + BRK_ROOM, MAX(PAGE_SIZE, MIN(l->align, EXEC_ALIGN_MAX))) - l->low;
	err = segments_map(mm, &image->program);
	if (err)
		return err;
	layout_set(mm, &image->program, r->brk, r->fixed);
	return image->interp.file ? interp_map(mm, &image->interp) : 0;
}
