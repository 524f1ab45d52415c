/* SPDX-License-Identifier: ISC */
/*
 * Strict reading of ELF64 x86-64 headers from untrusted bytes: used by the kernel for programs and
 * by the monitor for the kernel image. Nothing is copied or allocated; the caller reads the bytes
 * and does the mapping.
 *
 *	struct elf_header h;  elf_header_parse(first bytes of the file)
 *	struct elf_layout l;  elf_layout_parse(&h, program header table)
 *	for (i = 0; i < h.phnum; i++)
 *		if (elf_segment_get(table, i, &s)) ...    PT_LOAD only; a later one lies over an earlier
 *
 * Source: System V ABI, ELF chapters 4 and 5; errors as execve(2) gives them on Linux.
 */
#ifndef COMMON_ELF_H
#define COMMON_ELF_H

#include "common/types.h"

#define ELF_HEADER_SIZE 64
#define ELF_PHDR_SIZE 56
#define ELF_PHDRS_BYTES_MAX 65536 /* Linux' limit for the whole table */
#define ELF_ADDRESS_END 0x7ffffffff000ull

struct elf_header {
	bool dyn;       /* ET_DYN (position independent), else ET_EXEC */
	u32 phnum;
	u64 entry, phoff;
	u64 phbytes;    /* of the program header table: phnum * ELF_PHDR_SIZE */
};

/* Segment permissions, the bits of p_flags. */
enum { ELF_X = 1, ELF_W = 2, ELF_R = 4 };

struct elf_segment {
	u64 vaddr, memsz;
	u64 offset, filesz;
	u32 flags;      /* ELF_R | ELF_W | ELF_X */
};

struct elf_layout {
	u64 low, high;       /* page-aligned span of all PT_LOAD segments */
	u64 align;           /* largest p_align that is a power of two, at least a page */
	u64 file_end;        /* no segment needs bytes of the file from here on */
	u64 phdr_vaddr;      /* address of the program header table within a segment, or 0 */
	u64 interp_offset;   /* PT_INTERP; length 0: there is none */
	u64 interp_len;      /* with the NUL, 2..4096 */
	u64 code_start, code_end, data_start, data_end; /* as /proc/PID/stat reports them */
	u64 memory_end;      /* end of the last segment, not rounded: brk starts after it */
	bool exec_stack;     /* PT_GNU_STACK asks for it */
};

/* 0; -ENOEXEC: not an ELF64 x86-64 executable, or a program header table that Linux refuses. */
int elf_header_parse(const void *head, size_t len, struct elf_header *h);
/*
 * table: h->phbytes bytes. 0; -ENOEXEC (PT_INTERP); -EINVAL: segments absent or absurd. Linux finds
 * those only while it maps them, when there is no program left that could be told.
 */
int elf_layout_parse(const struct elf_header *h, const void *table, struct elf_layout *l);
/*
 * Program header i of a table that elf_layout_parse accepted: true if it is a PT_LOAD with memory.
 */
bool elf_segment_get(const void *table, u32 i, struct elf_segment *s);

#endif
