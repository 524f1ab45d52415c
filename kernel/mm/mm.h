/* SPDX-License-Identifier: ISC */
/*
 * The address space of a process: a tree of VMAs, and the calls that change it. Private to the
 * member; fork copies it with everything else. Shared mappings and mapped files are references,
 * listed in kin for burial.
 *
 * No lock: the kernel is never preempted, and nothing here sleeps or gives up the vCPU.
 */
#ifndef KERNEL_MM_MM_H
#define KERNEL_MM_MM_H

#include <bsd/sys/tree.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/mm/ranges.h"

struct file;
struct kin_object;
struct kin_proc;

enum {
	VMA_SHARED = 1,
	VMA_STACK = 2,        /* the main thread's: "[stack]" */
	VMA_HEAP = 4,         /* brk: "[heap]" */
	VMA_SPECIAL = 8,      /* the kernel's, never changed: the vDSO in its window, the call table */
	VMA_GROWSDOWN = 16,
	VMA_NORESERVE = 32,
	VMA_NOWRITE = 64,     /* shared mapping of a file that was not opened for writing */
	VMA_LOCKED = 128,
	VMA_DONTFORK = 256,
	VMA_WIPEONFORK = 512,
	VMA_NOHUGE = 1024,
	VMA_MOVING = 2048,    /* the target of mremap while contents are copied */
	VMA_RUNS = 4096,      /* text that the processor runs, rather than a program that reads it */
};

struct vma {
	RB_ENTRY(vma) node;
	u64 start, end;            /* page-aligned, [start, end) */
	u32 prot, flags;           /* PROT_*, VMA_* */
	struct file *file;         /* reference, or NULL */
	struct kin_object *object; /* shared memory: reference, or NULL */
	u64 offset;                /* into file or object, bytes */
};

struct mm {
	RB_HEAD(vma_tree, vma) vmas;
	struct ranges present;     /* pages that have been given page-table entries; part of the VMAs */
	struct ranges stale;       /* unmapped but not yet given back to the host; in no VMA */
	struct vma *spare[3];      /* reserved, so that a change cannot fail half-way: vma_reserve */
	u64 brk_start, brk_end;
	u64 mmap_top;              /* mappings are placed below */
	u64 total_pages, locked_pages;
	u64 arg_start, arg_end, env_start, env_end, auxv_start, auxv_end;
	u64 loader_start, loader_end; /* the dynamic linker, as exec mapped it; or 0 */
	u64 code_start, code_end, data_start, data_end, stack_start;
	u64 *auxv;                 /* kmalloc: what PR_SET_MM replaced it by, to AT_NULL; or NULL */
	struct aio_context *aio;   /* of io_setup: kernel/event/aio.c */
	u32 vma_count, lock_future;
	u32 membarrier;            /* registered commands */
	u32 refs;                  /* processes: 2 and more during vfork */
	/* of them, the one whose holdings in kin are the references; NULL at first */
	struct kin_proc *owner;
	u64 busy_start, busy_end;  /* being mapped: a fault there is an older translation's */
	u32 busy_faults;
	bool dead;                 /* released: every fault is fatal */
};

struct mm *mm_create(void);                        /* NULL: no memory */
void mm_reset(struct mm *mm);                      /* exec: everything of the application goes */
/* addr 0 and no MAP_FIXED: chosen. Flags MAP_*; file or NULL. Address or -errno. */
s64 mm_map(struct mm *mm, u64 addr, u64 len, u32 prot, u32 flags, struct file *f, u64 offset);
s64 mm_unmap(struct mm *mm, u64 addr, u64 len);
s64 mm_protect(struct mm *mm, u64 addr, u64 len, u32 prot);
struct vma *mm_find(struct mm *mm, u64 addr);      /* the VMA that contains addr */
/*
 * A page fault: 0 handled, else the signal (SIGSEGV/SIGBUS) with *code = SEGV_MAPERR, SEGV_ACCERR
 * or BUS_ADRERR.
 */
int mm_fault(struct mm *mm, u64 addr, u64 error, int *code);
/*
 * May the application read (or write) all of it? Bytes from addr on that are fine; their pages have
 * been made present. Says nothing about where the bytes are: a shared mapping lies in kin, not at
 * its own address. For hypercalls: mm_host_span.
 */
u64 mm_accessible(struct mm *mm, u64 addr, u64 len, bool write);
/*
 * [at, +len) of the member's memory from or to the kernel's data, for another process (foreign.c).
 * force: whatever rights the pages have, as for a tracer. Bytes, or -EFAULT.
 */
s64 mm_access(struct mm *mm, u64 at, void *data, u64 len, bool write, bool force);
/*
 * A buffer for a hypercall: bytes from addr on that the application may read (or write) and that
 * lie together for the monitor, which finds them at *host (addr itself for private memory, an
 * address in kin for shared). 0: EFAULT.
 */
u64 mm_host_span(struct mm *mm, u64 addr, u64 len, bool write, u64 *host);
/*
 * fork, in the parent before the clone: the child's list of references in kin is written and
 * counted. 0 or -ENOMEM (nothing taken). In the clone, before the application goes on:
 * mm_fork_child (MADV_DONTFORK, MADV_WIPEONFORK).
 */
int mm_fork_prepare(struct mm *mm, struct kin_proc *child);
void mm_fork_abort(struct mm *mm, struct kin_proc *child);
void mm_fork_child(struct mm *mm);
/*
 * Exit: drops shared mappings with the last reference; private memory goes with the VM. Burial:
 * from kin's holdings.
 */
void mm_release(struct mm *mm);
void mappings_bury(struct kin_proc *p);
/*
 * The file with this object became shorter: what lies behind its end is no longer there, in mm and
 * in other members, which see to it in mm_cuts_look as they are interrupted or wake.
 */
void mm_object_cut(struct mm *mm, struct kin_object *o);
void mm_cuts_look(void);
/*
 * Call sites that the family knows in the mapped files are redirected. exec, whose text runs, and
 * before a fork: in text that is known to run.
 */
void mm_redirect_known(struct mm *mm, bool runs);
/* Futex key: kin address behind a shared mapping, or 0 if addr is private. */
u64 mm_shared_key(struct mm *mm, u64 addr);

/*
 * /proc/self/maps, smaps or smaps_rollup: bytes of the text from position skip on, at most size; 0
 * at its end. (maps.c)
 */
enum mm_detail { MM_LINES, MM_USE, MM_SUM };
s64 mm_print_maps(struct mm *mm, char *buf, size_t size, u64 skip, enum mm_detail detail);
/* /proc/self/statm and status, in pages. */
struct mm_counts {
	u64 size, resident, shared, text, data, stack, locked;
};
void mm_count(struct mm *mm, struct mm_counts *counts);
/* maps.c: where the command line lies now. */
void mm_cmdline(const struct mm *mm, u64 *start, u64 *end);

#endif
