/* SPDX-License-Identifier: ISC */
/*
 * futex_waitv(2): one wait for several words. A waiter stands on the queue of each before any of
 * the words is read, so what was said of a single one (futex.c) holds for each; whoever was taken
 * off by a waker by the end is what the call reports, the last of them as on Linux.
 */
#include <asm/errno.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "kernel/arch/arch.h"
#include "kernel/futex/futex_internal.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

struct word {
	struct futex_key key;
	struct kin_waiter *w;
	u64 addr, value;
};

struct words {
	u32 n;
	bool slept;
	s64 err;
	struct word *word;
};

static s64 words_in(struct words *v, u64 waiters)
{
	struct futex_waitv in;
	s64 err = 0;

	for (u32 i = 0; i < v->n && !err; i++) {
		struct word *k = &v->word[i];

		if (copy_in(&in, (void *)(waiters + i * sizeof(in)), sizeof(in)))
			return -EFAULT;
		if (in.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG) || !(in.flags & FUTEX_32) ||
			in.__reserved)
			return -EINVAL;
		k->addr = in.uaddr;
		k->value = in.val;
		err = futex_key_get(k->addr, !(in.flags & FUTEX_PRIVATE_FLAG), &k->key);
	}
	return err;
}

static bool wait_over(void *arg)
{
	struct words *v = arg;
	bool slept = v->slept;

	v->slept = true;
	v->err = 0;
	for (u32 i = 0; i < v->n; i++) {
		struct word *k = &v->word[i];
		u32 now;

		if (futex_woken(k->w, &k->key) || (slept && k->key.queue && queue_lost(k->w)))
			return true;
		if (user_load32((u32 *)k->addr, &now))
			v->err = -EFAULT;
		else if (now != k->value && !slept)
			v->err = -EAGAIN;
		if (v->err)
			return true;
	}
	if (slept && signal_pending(current))
		v->err = -EINTR;
	return v->err != 0;
}

/* Off all queues; the last that a waker was faster at, or err. */
static s64 leave(struct words *v, s64 err)
{
	for (u32 i = 0; i < v->n; i++) {
		if (!futex_dequeue(v->word[i].w, &v->word[i].key))
			err = i;
		waiter_put(v->word[i].w);
	}
	return err;
}

static s64 wait_for(struct words *v, u64 deadline_ns)
{
	for (u32 i = 0; i < v->n; i++) {
		v->word[i].w = waiter_get();
		futex_enqueue(v->word[i].w, &v->word[i].key, FUTEX_BITSET_MATCH_ANY);
	}
	s64 err = wait_until(NULL, wait_over, v, deadline_ns, SLEEP_INTERRUPTIBLE);
	err = leave(v, err ? err : v->err);
	return err == -EINTR ? -ERESTARTSYS : err;
}

s64 sys_futex_waitv(u64 waiters, u64 n, u64 flags, u64 timeout, u64 clock)
{
	struct words v = {.n = (u32)n};
	u64 deadline;

	if (flags || !n || n > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	if (timeout && (s32)clock != CLOCK_REALTIME && (s32)clock != CLOCK_MONOTONIC)
		return -EINVAL;
	s64 err = futex_deadline(timeout, true, (s32)clock == CLOCK_REALTIME, &deadline);
	if (err)
		return err;
	v.word = kmalloc(n * sizeof(*v.word));
	if (!v.word)
		return -ENOMEM;
	memset(v.word, 0, n * sizeof(*v.word));
	err = words_in(&v, waiters);
	if (!err)
		err = wait_for(&v, deadline);
	kfree(v.word);
	return err;
}
