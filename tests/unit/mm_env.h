/* SPDX-License-Identifier: ISC */
/*
 * A small world around kernel/mm for unit tests: the kernel's window mapped at its real address,
 * one process, files and kin objects that count their references, and a paging backend that keeps
 * page-table entries in an array. Memory of the application lies in WORLD and is really there, so
 * that contents can be followed.
 */
#ifndef TESTS_UNIT_MM_ENV_H
#define TESTS_UNIT_MM_ENV_H

#include "kernel/kin/kin_core.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/task/task_hooks.h"

#define WORLD 0x10000000ull
/* Not the application's, as are kin and the kernel's window. */
#define HIDDEN_START 0x200000000000ull
#define HIDDEN_END 0x210000000000ull
#define WORLD_PAGES 16384ull /* 64 MiB */
#define WORLD_END (WORLD + WORLD_PAGES * PAGE_SIZE)

struct pte {
	bool mapped;  /* an entry was made */
	int prot;
	u64 kin;      /* address in a fake object, or 0 */
};
extern struct pte ptes[WORLD_PAGES];
extern u64 env_calls_unmap;
extern int env_fail_after; /* the Nth allocation of kin or paging call fails; -1: none */

struct mm *env_start(u32 backend);
/* Reads or writes the first word of a page as an application would: 0 or the signal. */
int env_read(struct mm *mm, u64 page, u64 *value);
int env_write(struct mm *mm, u64 page, u64 value);
/* A fake file of that many bytes; page N holds env_file_word(f, N) in its first word. */
struct file *env_file(u64 size, u32 open_flags, bool in_kin);
u64 env_file_word(const struct file *f, u64 page);
u32 env_file_refs(const struct file *f);
u32 env_objects(void); /* alive */
u32 env_records(struct kin_proc *kp);

#endif
