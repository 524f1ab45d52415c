/* SPDX-License-Identifier: ISC */
/*
 * The kernel heap: private memory. Zeroed; kmalloc is 16-byte aligned, powers of two from 64 to 512
 * by 64. NULL: none left. Page tables come from here, too, so it is declared below everything that
 * makes it work (kernel/mm/heap.c, kernel/mm/pages.c).
 */
#ifndef KERNEL_LIB_HEAP_HOOKS_H
#define KERNEL_LIB_HEAP_HOOKS_H

#include "common/types.h"
#include "kernel/lib/lib_hooks.h"

void *kmalloc(size_t size);
void kfree(void *p);
/* The same for the member's first process, thread and address space: packed densely. */
void *kmalloc_hot(size_t size);
void *kpages_alloc(size_t npages);
void kpages_free(void *p, size_t npages);

/* An array moves to fresh memory with the bytes that are used. fresh NULL: it stays, NULL. */
static inline void *array_move(void *fresh, void *old, size_t used_bytes)
{
	if (fresh && old) {
		memcpy(fresh, old, used_bytes);
		kfree(old);
	}
	return fresh;
}

#endif
