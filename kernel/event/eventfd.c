/* SPDX-License-Identifier: ISC */
/*
 * eventfd(2): a counter in kin. Small changes by compare-and-swap, so there is nothing to
 * recover; wakers follow the rule of kernel/kin/queue.c.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/event/event_file.h"
#include "kernel/event/eventfd.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/vfs.h"

#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC O_CLOEXEC
#define EFD_NONBLOCK O_NONBLOCK
#define EVENTFD_MAX 0xfffffffffffffffeull

/* file.priv[0] */
struct eventfd {
	_Atomic u64 count;
	struct kin_queue readable, writable;
	bool semaphore;
};

static struct eventfd *eventfd_of(struct file *f)
{
	return (struct eventfd *)f->priv[0];
}

static bool nonblocking(struct file *f)
{
	return file_call_flags(f) & O_NONBLOCK;
}

struct count_wait {
	struct eventfd *e;
	u64 add; /* what is to fit; 0: something to read */
};

static bool count_ready(void *arg)
{
	struct count_wait *w = arg;
	u64 count = atomic_load(&w->e->count);

	return w->add ? count <= EVENTFD_MAX - w->add : count != 0;
}

/* 0 when the count may have changed in the wanted direction, or -ERESTARTSYS. */
static s64 eventfd_wait(struct eventfd *e, struct kin_queue *q, u64 add)
{
	struct count_wait w = {e, add};

	return wait_until(q, count_ready, &w, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
}

static s64 eventfd_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct eventfd *e = eventfd_of(f);
	u64 old, take;
	s64 err;

	if (len < sizeof(take))
		return -EINVAL;
	for (;;) {
		old = atomic_load(&e->count);
		take = e->semaphore && old ? 1 : old;
		if (old && atomic_compare_exchange_weak(&e->count, &old, old - take))
			break;
		if (old)
			continue;
		if (nonblocking(f))
			return -EAGAIN;
		err = eventfd_wait(e, &e->readable, 0);
		if (err)
			return err;
	}
	queue_wake_all(&e->writable);
	return copy_out(buf, &take, sizeof(take)) ? -EFAULT : (s64)sizeof(take);
}

static s64 eventfd_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	struct eventfd *e = eventfd_of(f);
	u64 old, add;
	s64 err;

	if (len < sizeof(add))
		return -EINVAL;
	if (copy_in(&add, buf, sizeof(add)))
		return -EFAULT;
	if (add == ~0ull)
		return -EINVAL;
	for (;;) {
		old = atomic_load(&e->count);
		if (old <= EVENTFD_MAX - add) {
			if (atomic_compare_exchange_weak(&e->count, &old, old + add))
				break;
			continue;
		}
		if (nonblocking(f))
			return -EAGAIN;
		err = eventfd_wait(e, &e->writable, add);
		if (err)
			return err;
	}
	queue_wake_all(&e->readable);
	return sizeof(add);
}

void eventfd_tell(struct file *f)
{
	struct eventfd *e = eventfd_of(f);
	u64 old = atomic_load(&e->count);

	while (old < EVENTFD_MAX && !atomic_compare_exchange_weak(&e->count, &old, old + 1))
		;
	queue_wake_all(&e->readable);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = eventfd_of(f);
	u64 count;

	poll_wait_for(pt, &e->readable, EPOLLIN);
	poll_wait_for(pt, &e->writable, EPOLLOUT);
	count = atomic_load(&e->count);
	return (count ? EPOLLIN : 0) | (count < EVENTFD_MAX ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
	struct eventfd *e = eventfd_of(f);

	if (!e)
		return;
	queue_destroy(&e->readable);
	queue_destroy(&e->writable);
	own_free(own_take(OWN_MEMORY, &f->priv[0], NULL));
}

static void eventfd_describe(struct file *f, struct text *t)
{
	struct eventfd *e = eventfd_of(f);

	/* Ids tell those apart that exist; where it lies does so as well. */
	text_add(t, "eventfd-count: %16lx\neventfd-id: %lu\neventfd-semaphore: %u\n",
		 atomic_load(&e->count), ((u64)e - KIN_BASE) / sizeof(*e), e->semaphore);
}

const struct file_ops eventfd_file_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.seek = seek_nowhere,
	.poll = eventfd_poll,
	.stat = anon_stat,
	.describe = eventfd_describe,
	.release = eventfd_release,
};

s64 sys_eventfd2(u64 initial, u64 flags)
{
	struct event_new new = {.type = FILE_EVENTFD, .mode = O_RDWR, .flags = (u32)flags};
	struct eventfd *e;
	s64 err;

	if (flags & ~(u64)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	err = event_make(&new, sizeof(*e));
	if (err)
		return err;
	e = new.object;
	atomic_store(&e->count, (u32)initial);
	e->semaphore = flags & EFD_SEMAPHORE;
	queue_init(&e->readable);
	queue_init(&e->writable);
	return event_install(&new);
}

s64 sys_eventfd(u64 initial)
{
	return sys_eventfd2(initial, 0);
}
