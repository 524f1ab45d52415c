/* SPDX-License-Identifier: ISC */
/*
 * Between the files of kernel/mm. Layers, each using those before it: ranges.c; vma.c (the tree)
 * with holdings.c (references in kin); populate.c (pages under VMAs, the only caller of
 * paging_ops); mmap.c, fault.c, remap.c, advise.c.
 */
#ifndef KERNEL_MM_MM_INTERNAL_H
#define KERNEL_MM_MM_INTERNAL_H

#include "kernel/kin/own.h"
#include "kernel/mm/mm.h"
#include "kernel/mm/mm_hooks.h"

#define MAP_COUNT_MAX 65530          /* Linux' vm.max_map_count */
#define STACK_GUARD (256 * PAGE_SIZE) /* kept free below a growing mapping */
#define BRK_GUARD PAGE_SIZE

/* File types in st_mode; <linux/stat.h> hides them next to other headers. */
enum { MODE_TYPE = 0170000, MODE_REGULAR = 0100000, MODE_LINK = 0120000, MODE_CHAR = 0020000 };

/* vma.c. Changes of the tree need reserved VMAs: at most three at a time. */
int vma_reserve(struct mm *mm, u32 n);
struct vma *vma_first(struct mm *mm, u64 addr);   /* the lowest VMA that ends above addr */
struct vma *vma_next(struct vma *v);
struct vma *vma_prev(struct vma *v);
/* Its references pass to the tree; may merge. */
struct vma *vma_insert(struct mm *mm, const struct vma *model);
void vma_remove(struct mm *mm, struct vma *v);    /* drops its references */
struct vma *vma_split(struct mm *mm, struct vma *v, u64 addr); /* the upper part */
struct vma *vma_merge(struct mm *mm, struct vma *v); /* with its neighbours where they are alike */
void vma_resize(struct mm *mm, struct vma *v, u64 start, u64 end);
bool vma_range_free(struct mm *mm, u64 start, u64 end);
/*
 * Where an application can have no memory: the kernel's window, kin, in the process backend what
 * the host's process has itself. Ascending. An application sees nothing of it: there it may reserve
 * addresses (PROT_NONE), except in the window.
 */
struct hidden {
	u64 start, end;
};
u32 mm_hidden(const struct hidden **list);
/*
 * May [addr, +len) hold application mappings; accessible: ones with memory behind them?
 */
bool range_allowed(u64 addr, u64 len, bool accessible);
/* The nearest place at addr or above (with its end at end or below) that is not hidden. */
u64 range_above(u64 addr, u64 len, u64 align);
u64 range_below(u64 end, u64 len);
/* Highest free place below top, or 0. align: a power of two. */
u64 vma_gap(struct mm *mm, u64 len, u64 align, u64 bottom, u64 top);
u64 mm_rlimit(u32 which);

/*
 * holdings.c: one holding in kin for each file or object that a process has mapped, with a count
 * that only the owner uses. take: what is held passes to it (or is dropped, if there is one).
 * -ENOMEM: dropped as well.
 */
int holding_take(enum own_kind kind, void **hold);
void holding_dup(void *thing);
void holding_drop(void *thing);

/* A shared mapping of a volume's file: no object of kin, the host's own pages. */
static inline bool vma_host_shared(const struct vma *v)
{
	return v->file && v->flags & VMA_SHARED && !v->object && file_maps_host(v->file);
}

/* populate.c. The counts that other members see of the current process. */
void mm_mirror(struct mm *mm);
bool vma_accessible(const struct vma *v);
/* Bytes of v that may be backed: all, or as much as the file has now (page-aligned end). */
u64 vma_backed_end(const struct vma *v);
/* Accessible parts of [start, end) become present, as far as backed. 0, -ENOMEM, -EIO */
int pages_populate(struct mm *mm, struct vma *v, u64 start, u64 end);
/* resident.c. What is present gets its memory, as if the application had used it: 0, -ENOMEM */
int pages_touch(struct vma *v, u64 start, u64 end);
/* The same if policy wants it at once. */
int pages_populate_eager(struct mm *mm, struct vma *v, u64 start, u64 end);
int pages_populate_around(struct mm *mm, struct vma *v, u64 addr); /* a chunk with addr in it */
/* One page that is present already: write its entry again. */
int pages_refresh(struct mm *mm, struct vma *v, u64 addr);
void pages_drop(struct mm *mm, u64 start, u64 end); /* contents go; VMAs stay as they are */
void pages_drop_all(struct mm *mm);
void pages_protect(struct mm *mm, u64 start, u64 end, u32 prot);
void pages_flush_stale(struct mm *mm, u64 start, u64 end);
int mm_reserve(struct mm *mm); /* for one change of the address space: VMAs and ranges */

/*
 * charge.c, for --memory. draw: before anonymous memory becomes accessible; may sleep. return: it
 * no longer is. chunk: how much of so many bytes to make accessible at once, at most chunk_max.
 */
void memory_draw(u64 bytes);
void memory_return(u64 bytes);
u64 memory_chunk(u64 bytes);
u64 memory_chunk_max(u64 bytes);
/*
 * Could the host ever give so much memory? Asked once for each mapping that promises memory of its
 * own (without MAP_NORESERVE), as Linux does where it overcommits by its heuristic.
 */
bool memory_may_commit(u64 len);

/* mmap.c */
int mm_unmap_range(struct mm *mm, u64 start, u64 end);     /* page-aligned, checked */
/*
 * Before something is mapped at a place that the application has chosen: the table of redirected
 * calls gives way.
 */
void call_table_yield(struct mm *mm, u64 start, u64 end);
/* A VMA boundary at addr; reserved before. */
int vma_split_at(struct mm *mm, u64 addr);
/*
 * Unmaps what is there, inserts, populates by policy. The model's references are consumed also on
 * failure.
 */
s64 mm_place(struct mm *mm, const struct vma *model, bool populate);
/* RLIMIT_AS and the number of mappings */
bool mm_may_grow(struct mm *mm, u64 len);

#endif
