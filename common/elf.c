/* SPDX-License-Identifier: ISC */
/*
 * ELF64 headers from untrusted bytes. Every sum is checked before it is used, so that a caller may
 * add the offsets and sizes of an accepted segment freely. Byte-wise copies: the bytes need not be
 * aligned.
 */
#include "common/elf.h"

#include <linux/elf.h>
#include <asm/errno.h>

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_SIZE, "ELF header");
_Static_assert(sizeof(Elf64_Phdr) == ELF_PHDR_SIZE, "ELF program header");

#define INTERP_MAX 4096

static void phdr_get(const void *table, u32 i, Elf64_Phdr *p)
{
	__builtin_memcpy(p, (const char *)table + (size_t)i * sizeof(*p), sizeof(*p));
}

int elf_header_parse(const void *head, size_t len, struct elf_header *h)
{
	Elf64_Ehdr e;

	if (len < sizeof(e))
		return -ENOEXEC;
	__builtin_memcpy(&e, head, sizeof(e));
	if (e.e_ident[EI_MAG0] != ELFMAG0 || e.e_ident[EI_MAG1] != ELFMAG1 ||
	    e.e_ident[EI_MAG2] != ELFMAG2 || e.e_ident[EI_MAG3] != ELFMAG3)
		return -ENOEXEC;
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (e.e_machine != EM_X86_64 || (e.e_type != ET_EXEC && e.e_type != ET_DYN))
		return -ENOEXEC;
	if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum == 0)
		return -ENOEXEC;
	h->phbytes = (u64)e.e_phnum * sizeof(Elf64_Phdr);
	if (h->phbytes > ELF_PHDRS_BYTES_MAX || e.e_phoff > INT64_MAX - h->phbytes)
		return -ENOEXEC;
	h->dyn = e.e_type == ET_DYN;
	h->phnum = e.e_phnum;
	h->phoff = e.e_phoff;
	h->entry = e.e_entry;
	return 0;
}

/* One PT_LOAD: all its sums are in range and its file offset is congruent to its address. */
static bool load_valid(const Elf64_Phdr *p)
{
	if (p->p_filesz > p->p_memsz)
		return false;
	if (p->p_vaddr > ELF_ADDRESS_END || p->p_memsz > ELF_ADDRESS_END - p->p_vaddr)
		return false;
	if (p->p_filesz == 0)
		return true;
	if (p->p_offset > INT64_MAX - p->p_filesz - PAGE_SIZE)
		return false;
	return ((p->p_offset ^ p->p_vaddr) & (PAGE_SIZE - 1)) == 0;
}

/* Sums up one valid PT_LOAD with memory. */
static void load_add(struct elf_layout *l, const Elf64_Phdr *p, const struct elf_header *h)
{
	u64 end = p->p_vaddr + p->p_memsz;
	u64 file_end = p->p_vaddr + p->p_filesz;

	if (!l->high) {
		l->low = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE);
		l->code_start = l->data_start = p->p_vaddr;
	}
	l->low = MIN(l->low, ALIGN_DOWN(p->p_vaddr, PAGE_SIZE));
	l->memory_end = MAX(l->memory_end, end);
	l->high = MAX(l->high, ALIGN_UP(end, PAGE_SIZE));
	l->code_start = MIN(l->code_start, p->p_vaddr);
	l->data_start = MAX(l->data_start, p->p_vaddr);
	l->data_end = MAX(l->data_end, file_end);
	if (p->p_flags & PF_X)
		l->code_end = MAX(l->code_end, file_end);
	if (p->p_align > l->align && (p->p_align & (p->p_align - 1)) == 0)
		l->align = p->p_align;
	if (p->p_filesz == 0)
		return;
	l->file_end = MAX(l->file_end, p->p_offset + p->p_filesz);
	if (h->phoff >= p->p_offset && h->phoff + h->phbytes <= p->p_offset + p->p_filesz)
		l->phdr_vaddr = p->p_vaddr + (h->phoff - p->p_offset);
}

int elf_layout_parse(const struct elf_header *h, const void *table, struct elf_layout *l)
{
	Elf64_Phdr p;

	*l = (struct elf_layout){.align = PAGE_SIZE};
	for (u32 i = 0; i < h->phnum; i++) {
		phdr_get(table, i, &p);
		if (p.p_type == PT_GNU_STACK) {
			l->exec_stack = p.p_flags & PF_X;
		} else if (p.p_type == PT_INTERP && !l->interp_len) {
			if (p.p_filesz < 2 || p.p_filesz > INTERP_MAX || p.p_offset > INT64_MAX - INTERP_MAX)
				return -ENOEXEC;
			l->interp_offset = p.p_offset;
			l->interp_len = p.p_filesz;
		} else if (p.p_type == PT_LOAD) {
			if (!load_valid(&p))
				return -EINVAL;
			if (p.p_memsz)
				load_add(l, &p, h);
		}
	}
	return l->high ? 0 : -EINVAL;
}

bool elf_segment_get(const void *table, u32 i, struct elf_segment *s)
{
	Elf64_Phdr p;

	phdr_get(table, i, &p);
	if (p.p_type != PT_LOAD || p.p_memsz == 0)
		return false;
	*s = (struct elf_segment){
		.vaddr = p.p_vaddr, .memsz = p.p_memsz, .offset = p.p_offset, .filesz = p.p_filesz,
		.flags = (p.p_flags & PF_X ? ELF_X : 0u) | (p.p_flags & PF_W ? ELF_W : 0u) |
			 (p.p_flags & PF_R ? ELF_R : 0u),
	};
	return true;
}
