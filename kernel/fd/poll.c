/* SPDX-License-Identifier: ISC */
/*
 * poll and ppoll, and the machinery that select and epoll use too. A call looks at all files
 * once, registering with the queues of those that are not ready until one is; then it sleeps and
 * looks again, without registering a second time. Sleepers on queues stay registered until the
 * call ends, so nothing that happens between two looks is lost.
 */
#include "kernel/fd/fd_owner.h"
#include "kernel/fd/poll.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <linux/time.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/time/time.h"

#define ITEMS_INLINE 8
#define SEEN_LOOKED_AT 16   /* the queue of a file often is that of one just before it */
#define HOST_MISSED_NS 10000000ull
#define ALWAYS (EPOLLERR | EPOLLHUP)
#define READY_ALWAYS (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)
#define RESOURCE_NOFILE 7

/*
 * Private: the earliest poll_until since the last sleep. Nothing sleeps between a look and its
 * sleep.
 */
static u64 look_again_ns = HYP_NO_DEADLINE;

void poll_until(u64 mono_ns)
{
	look_again_ns = MIN(look_again_ns, mono_ns);
}

u64 poll_until_begin(void)
{
	u64 others = look_again_ns;

	look_again_ns = HYP_NO_DEADLINE;
	return others;
}

bool poll_until_end(u64 begun)
{
	bool timed = look_again_ns != HYP_NO_DEADLINE;

	look_again_ns = MIN(look_again_ns, begun);
	return timed;
}

static u32 hook_place(struct kin_waiter *hook, u32 named, struct kin_queue *q)
{
	for (u32 k = 0; k < POLL_HOOKS; k++)
		if (hook[k].queue == q)
			return k;
	for (u32 k = 0; k < POLL_HOOKS; k++)
		if (!hook[k].queue)
			return k;
	for (u32 k = 0; k < POLL_HOOKS; k++)
		if (!(named & 1u << k))
			return k;
	return POLL_HOOKS;
}

struct kin_waiter *poll_hook_for(struct kin_waiter *hook, u32 *named, struct kin_queue *q,
								 bool *stands)
{
	u32 k = hook_place(hook, *named, q);

	if (k == POLL_HOOKS)
		return NULL;
	*stands = hook[k].queue == q;
	if (!*stands)
		queue_remove(&hook[k]);
	*named |= 1u << k;
	return &hook[k];
}

void poll_table_init(struct poll_table *pt)
{
	pt->waiters = NULL;
	pt->hook = NULL;
	pt->want = 0;
	pt->n = pt->cap = pt->failed = pt->nhost = pt->host_missed = 0;
}

void poll_table_done(struct poll_table *pt)
{
	for (u32 i = pt->n; i-- > 0;) {
		queue_remove(pt->waiters[i]);
		waiter_put(pt->waiters[i]);
	}
	if (pt->waiters)
		kfree(pt->waiters);
	pt->waiters = NULL;
	pt->n = 0;
}

static bool table_room(struct poll_table *pt)
{
	u32 cap = pt->cap ? pt->cap * 2 : 8;
	struct kin_waiter **list;

	if (pt->n < pt->cap)
		return true;
	list = array_move(kmalloc(cap * sizeof(*list)), pt->waiters, pt->n * sizeof(*list));
	if (!list) {
		pt->failed = 1;
		return false;
	}
	pt->waiters = list;
	pt->cap = cap;
	return true;
}

void poll_wait_for(struct poll_table *pt, struct kin_queue *q, u32 events)
{
	if (pt && pt->hook)
		pt->hook(pt, q, events);
	if (!pt || pt->hook || !table_room(pt))
		return;
	for (u32 i = pt->n, seen = 0; i-- > 0 && seen < SEEN_LOOKED_AT; seen++)
		if (pt->waiters[i]->queue == q)
			return;
	struct kin_waiter *w = waiter_get();
	queue_add(q, w);
	pt->waiters[pt->n++] = w;
}

void poll_wait_host(struct poll_table *pt, int handle, u32 events)
{
	if (!pt)
		return;
	for (u32 i = 0; i < pt->nhost; i++)
		if (pt->host[i].handle == handle) {
			pt->host[i].events |= events;
			return;
		}
	if (pt->nhost == POLL_HOST_MAX) {
		pt->host_missed = 1;
		return;
	}
	pt->host[pt->nhost++] = (struct hyp_pollfd){.handle = handle, .events = events};
}

int poll_table_sleep(struct poll_table *pt, u64 deadline_ns)
{
	u64 until = MIN(deadline_ns, look_again_ns);
	int r;

	look_again_ns = HYP_NO_DEADLINE;
	if (pt->host_missed)
		until = MIN(until, time_deadline(time_mono_ns(), HOST_MISSED_NS));
	r = thread_sleep_mode(until, SLEEP_INTERRUPTIBLE, pt->host, pt->nhost);
	return r == -ETIMEDOUT && until != deadline_ns ? 0 : r;
}

u32 file_poll(struct file *f, u32 want, struct poll_table *pt)
{
	const struct file_ops *ops = file_ops[f->type];

	if (pt)
		pt->want = want;
	u32 got = ops->poll ? ops->poll(f, pt) : READY_ALWAYS;

	if (!(got & EPOLLOUT))
		owner_wants_room(f);
	return got & (want | ALWAYS);
}

static u32 items_look(struct poll_item *items, u32 n, struct poll_table *pt)
{
	u32 ready = 0;

	for (u32 i = 0; i < n; i++) {
		struct poll_item *item = &items[i];

		if (item->file)
			item->got = file_poll(item->file, item->want, ready ? NULL : pt);
		if (item->strict)
			item->got &= item->want;
		ready += item->got != 0;
	}
	return ready;
}

s64 poll_items(struct poll_item *items, u32 n, u64 deadline_ns)
{
	bool block = deadline_ns != 0;
	struct poll_table pt;
	u32 ready;
	int err = 0;

	if (!block)
		sched_news();
	poll_table_init(&pt);
	ready = items_look(items, n, block ? &pt : NULL);
	while (!ready && block && !err) {
		err = pt.failed ? -ENOMEM : poll_table_sleep(&pt, deadline_ns);
		ready = items_look(items, n, NULL);
	}
	poll_table_done(&pt);
	if (ready)
		return ready;
	if (!block && signal_pending(current))
		return -EINTR;
	return err == -ETIMEDOUT ? 0 : err;
}

s64 poll_deadline(u64 user_time, bool timeval, u64 *deadline_ns)
{
	s64 time[2];
	u64 ns;

	*deadline_ns = HYP_NO_DEADLINE;
	if (!user_time)
		return 0;
	if (copy_in(time, (void *)user_time, sizeof(time)))
		return -EFAULT;
	if (timeval && time[1] >= 1000000) {
		time[0] += time[1] / 1000000;
		time[1] %= 1000000;
	}
	if (timeval)
		time[1] *= 1000;
	if (time[0] < 0 || time[1] < 0 || time[1] >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	ns = time[0] < (s64)(1ull << 33) ? time[0] * NSEC_PER_SEC + time[1] : HYP_NO_DEADLINE;
	*deadline_ns = ns ? time_deadline(time_mono_ns(), ns) : 0;
	return 0;
}

void poll_time_left(u64 user_time, bool timeval, u64 deadline_ns)
{
	u64 now = time_mono_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	s64 time[2] = {left / NSEC_PER_SEC, left % NSEC_PER_SEC};

	if (!user_time)
		return;
	if (timeval)
		time[1] /= 1000;
	/* As on Linux, memory that cannot be written is not an error here. */
	if (copy_out((void *)user_time, time, sizeof(time)))
		return;
}

s64 poll_mask_begin(u64 user_mask, u64 size)
{
	sigset set;

	if (!user_mask)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_in(&set, (void *)user_mask, sizeof(set)))
		return -EFAULT;
	signal_mask_swap(set);
	return 0;
}

void poll_mask_end(u64 user_mask, bool interrupted)
{
	if (user_mask)
		signal_mask_done(interrupted);
}

/* ---- poll(2) */

static void items_open(struct poll_item *items, const struct pollfd *fds, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct file *f = fds[i].fd >= 0 ? fd_get(fds[i].fd) : NULL;
		bool bad = fds[i].fd >= 0 && !f;

		items[i] = (struct poll_item){
			.file = f,
			.want = (u16)fds[i].events,
			.got = bad ? POLLNVAL : 0,
		};
	}
}

static void items_close(struct poll_item *items, u32 n)
{
	for (u32 i = n; i-- > 0;)
		if (items[i].file)
			file_put(items[i].file);
}

/* -EINTR if a signal came first. */
static s64 do_poll(u64 user_fds, u32 n, u64 deadline_ns)
{
	size_t each = sizeof(struct pollfd) + sizeof(struct poll_item);
	char small[ITEMS_INLINE * (sizeof(struct pollfd) + sizeof(struct poll_item))]
		__attribute__((aligned(8)));
	char *memory = n > ITEMS_INLINE ? kmalloc(n * each) : small;
	struct poll_item *items = (struct poll_item *)memory;
	struct pollfd *fds;
	s64 r;

	if (!memory)
		return -ENOMEM;
	fds = (struct pollfd *)(items + n);
	r = copy_in(fds, (void *)user_fds, n * sizeof(*fds)) ? -EFAULT : 0;
	if (!r) {
		items_open(items, fds, n);
		r = poll_items(items, n, deadline_ns);
		items_close(items, n);
	}
	if (r >= 0)
		for (u32 i = 0; i < n; i++)
			fds[i].revents = items[i].got;
	if (r >= 0 && copy_out((void *)user_fds, fds, n * sizeof(*fds)))
		r = -EFAULT;
	if (memory != small)
		kfree(memory);
	return r;
}

/* After a signal without a handler: the same wait goes on to the same deadline. */
static s64 poll_restart(void)
{
	struct thread *t = current;
	s64 r = do_poll(t->restart_arg[0], t->restart_arg[1], t->restart_arg[2]);

	if (r == -EINTR) {
		t->restart_fn = (u64)poll_restart;
		return -ERESTART_RESTARTBLOCK;
	}
	return r;
}

s64 sys_poll(u64 fds, u64 n, u64 timeout_ms)
{
	struct thread *t = current;
	s32 ms = timeout_ms;

	if ((u32)n > t->proc->kp->inherited.rlimit_cur[RESOURCE_NOFILE])
		return -EINVAL;
	t->restart_arg[0] = fds;
	t->restart_arg[1] = (u32)n;
	t->restart_arg[2] = ms < 0    ? HYP_NO_DEADLINE
			    : ms == 0 ? 0
				      : time_deadline(time_mono_ns(), ms * 1000000ull);
	return poll_restart();
}

s64 sys_ppoll(u64 fds, u64 n, u64 timeout, u64 mask, u64 size)
{
	u64 deadline;
	s64 r = poll_deadline(timeout, false, &deadline);

	if ((u32)n > current->proc->kp->inherited.rlimit_cur[RESOURCE_NOFILE])
		return -EINVAL;
	if (!r)
		r = poll_mask_begin(mask, size);
	if (r)
		return r;
	r = do_poll(fds, (u32)n, deadline);
	poll_mask_end(mask, r == -EINTR);
	poll_time_left(timeout, false, deadline);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}
