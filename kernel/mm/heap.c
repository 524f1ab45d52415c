/* SPDX-License-Identifier: ISC */
/*
 * kmalloc: size classes in pages of their own, larger sizes in runs of pages. Each page or run
 * begins with a header, so that kfree needs only the pointer. A page whose objects are all free
 * goes back, except the last of its class.
 */
#include <sys/queue.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"

#define HEAD_MAGIC 0x6b6d6c63u
#define LARGE 0xffffu

/*
 * At the start of a page (class) or of a run (LARGE). 64 bytes, so that objects of 64 bytes and
 * more are aligned.
 */
struct head {
	u32 magic;
	u16 class;
	u16 in_use;
	LIST_ENTRY(head) link;     /* pages of the class that have a free object */
	struct object *free;
	u32 carved;                /* objects from here on were never handed out */
	u32 npages;                /* LARGE */
} __attribute__((aligned(64)));

struct object {
	struct object *next;
};

static const u16 class_size[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 672, 1008, 1344,
	2016};
static LIST_HEAD(, head) partial[ARRAY_SIZE(class_size)];

/*
 * What lives as long as the member and is written by nearly every fork lies together: see
 * kernel.ld. Never handed out twice. Threads, which a clone writes at once, come from the front;
 * what is larger, the state of an FPU, which only the parent writes, from the back.
 */
#define HOT_SIZE 7168
#define HOT_LARGE 2048
static u8 hot[HOT_SIZE] __attribute__((aligned(64), section(".bss.hot")));
static u32 hot_start, hot_end = HOT_SIZE; /* not handed out yet */

void *kmalloc_hot(size_t size)
{
	size = ALIGN_UP(size, 64);
	if (size > hot_end - hot_start)
		return kmalloc(size);
	if (size >= HOT_LARGE) {
		hot_end -= size;
		return hot + hot_end;
	}
	hot_start += size;
	return hot + hot_start - size;
}

static bool is_hot(const void *p)
{
	return (const u8 *)p >= hot && (const u8 *)p < hot + sizeof(hot);
}

static u32 class_capacity(u32 class)
{
	return (PAGE_SIZE - sizeof(struct head)) / class_size[class];
}

static void *large_alloc(size_t size)
{
	size_t npages = (size + sizeof(struct head) + PAGE_SIZE - 1) / PAGE_SIZE;
	struct head *h;

	if (size > KERNEL_HEAP_END - KERNEL_HEAP)
		return NULL;
	h = kpages_alloc(npages);
	if (!h)
		return NULL;
	h->magic = HEAD_MAGIC;
	h->class = LARGE;
	h->npages = (u32)npages;
	return h + 1;
}

static struct head *class_page(u32 class)
{
	struct head *h = LIST_FIRST(&partial[class]);

	if (h)
		return h;
	h = kpages_alloc(1);
	if (!h)
		return NULL;
	h->magic = HEAD_MAGIC;
	h->class = (u16)class;
	LIST_INSERT_HEAD(&partial[class], h, link);
	return h;
}

void *kmalloc(size_t size)
{
	struct object *o;
	struct head *h;
	u32 class = 0;

	if (size > class_size[ARRAY_SIZE(class_size) - 1])
		return large_alloc(size);
	while (class_size[class] < size)
		class++;
	h = class_page(class);
	if (!h)
		return NULL;
	if (h->free) {
		o = h->free;
		h->free = o->next;
		memset(o, 0, class_size[class]);
	} else {
		o = (struct object *)((char *)(h + 1) + (size_t)h->carved++ * class_size[class]);
	}
	if (++h->in_use == class_capacity(class))
		LIST_REMOVE(h, link);
	return o;
}

void kfree(void *p)
{
	struct head *h = (struct head *)ALIGN_DOWN((u64)p, PAGE_SIZE);
	struct object *o = p;
	u32 class;

	if (!p || is_hot(p))
		return;
	kassert((u64)p >= KERNEL_HEAP && (u64)p < KERNEL_HEAP_END && h->magic == HEAD_MAGIC);
	class = h->class;
	if (class == LARGE) {
		kassert(p == h + 1);
		h->magic = 0;
		kpages_free(h, h->npages);
		return;
	}
	kassert(class < ARRAY_SIZE(class_size) && h->in_use > 0 && h->free != o &&
		((char *)p - (char *)(h + 1)) % class_size[class] == 0);
	o->next = h->free;
	h->free = o;
	if (h->in_use-- == class_capacity(class))
		LIST_INSERT_HEAD(&partial[class], h, link);
	if (h->in_use == 0 && (LIST_FIRST(&partial[class]) != h || LIST_NEXT(h, link))) {
		LIST_REMOVE(h, link);
		h->magic = 0;
		kpages_free(h, 1);
	}
}
