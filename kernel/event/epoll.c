/* SPDX-License-Identifier: ISC */
/*
 * epoll(7): looking at the files of an interest list, waiting, and epoll_ctl. epoll.h says how the
 * list works.
 *
 * Edges. Where only what happens to a file wakes its queue, an edge is a wake: of the queue that
 * stands for something that is there, or of an error. Files that are told more than their own, or
 * nothing (timers), count their events: file_ops.edges.
 */
#include "kernel/event/epoll.h"

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/event/event_file.h"
#include "kernel/event/event_hooks.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/lib/text.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/vfs.h"

#define PRIVATE_BITS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define EXCLUSIVE_ALLOWED \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define TOLD_ALWAYS (EPOLLERR | EPOLLHUP | EPOLLRDHUP)
#define BATCH 32 /* events that are gathered before they are copied out */

/* ---- looking at a file, under the epoll's lock */

/* Where a file that is looked at names its queues. poll first: a poll_table that calls back. */
struct look {
	struct poll_table poll;
	struct epoll_item *item;
	u32 named; /* hooks on queues that the file has named */
};
/* Private: one for each epoll in an epoll that is being looked at; the kernel is not preempted. */
static struct look looks[EPOLL_NESTING_MAX + 1];
static u32 depth;

static void hook_queue(struct poll_table *pt, struct kin_queue *q, u32 events)
{
	struct look *l = (struct look *)pt;
	struct epoll_item *i = l->item;
	bool stands;
	struct kin_waiter *w = poll_hook_for(i->hook, &l->named, q, &stands);

	if (!w) {
		pt->host_missed = 1;
		return;
	}
	if (stands)
		return;
	w->member = HOOK_MEMBER;
	w->key = (u64)i;
	w->bits = events;
	w->exclusive = !!(i->events & EPOLLEXCLUSIVE);
	queue_add(q, w);
}

/* Of what is there, got, what is to be reported after this was told. */
static u32 edge_of(const struct epoll_item *i, u32 got, u32 told, const u64 *edges)
{
	if (!(i->events & EPOLLET))
		return got;
	if (edges)
		return *edges != i->edges || got & ~i->mask ? got : 0;
	if (i->watched && !told)
		return got; /* a host's file: of its events nothing is known */
	return got & (told | TOLD_ALWAYS) ? got : 0;
}

/*
 * What is to be reported of an item. Afterwards it stands on the queues that its file names, or is
 * watched. pt, if not NULL: somebody who is about to sleep, for what is watched.
 */
static u32 item_look(struct epoll_item *i, u32 told, u64 *edges, struct poll_table *pt)
{
	const struct file_ops *ops = file_ops[i->file->type];
	struct look *l = &looks[depth];
	u32 got;

	if (i->disabled || depth == EPOLL_NESTING_MAX)
		return 0;
	depth++;
	l->item = i;
	l->named = 0;
	poll_table_init(&l->poll);
	l->poll.hook = hook_queue;
	u64 others = poll_until_begin();
	/* The count first: an event after it is a new edge for the next wait. */
	*edges = ops->edges ? ops->edges(i->file) : 0;
	got = file_poll(i->file, i->events & ~PRIVATE_BITS, &l->poll);
	bool timed = poll_until_end(others);
	/* What is watched and there stays so: it may go without a word, and come again. */
	epoll_watch(i, timed || l->poll.nhost || l->poll.host_missed || (i->watched && got));
	i->hooked = true;
	for (u32 k = 0; pt && k < l->poll.nhost; k++)
		poll_wait_host(pt, l->poll.host[k].handle, l->poll.host[k].events);
	if (pt)
		pt->host_missed |= l->poll.host_missed;
	depth--;
	return edge_of(i, got, told, ops->edges ? edges : NULL);
}

/* ---- reporting */

/* What a wait gathers, and how many items of the ready list it may still look at. */
struct gathering {
	struct epoll_event *out;
	u32 n, max, left;
};

static bool report(struct gathering *g, struct epoll_item *i, u32 told)
{
	u64 edges;
	u32 got = item_look(i, told, &edges, NULL);

	if (!got)
		return false;
	g->out[g->n++] = (struct epoll_event){.events = got, .data = i->data};
	i->edges = edges;
	i->mask = got;
	if (i->events & EPOLLONESHOT)
		i->disabled = true;
	return true;
}

static void report_watched(struct epoll *e, struct gathering *g)
{
	struct epoll_item *next;

	for (struct epoll_item *i = e->watched; i && g->n < g->max; i = next) {
		u32 told = 0;

		next = i->next_watched;
		epoll_unready(i, &told);
		report(g, i, told);
	}
}

/* Level-triggered items stay on the ready list, at its end, until one look finds nothing. */
static void report_ready(struct epoll *e, struct gathering *g)
{
	struct epoll_item *i;
	u32 told;

	while (g->n < g->max && g->left && (i = epoll_first_ready(e, &told))) {
		g->left--;
		if (report(g, i, told) && !(i->events & (EPOLLET | EPOLLONESHOT)))
			epoll_ready(i, told);
	}
}

/* The number of events; 0; -EFAULT. Events are taken only where they can be stored. */
static s64 events_take(struct epoll *e, u64 user, u32 max)
{
	struct epoll_event batch[BATCH];
	struct gathering g = {.out = batch};
	s64 done = 0;
	bool first = true;

	if (!epoll_may_find(e) && !e->watched)
		return 0;
	do {
		g.n = 0;
		g.max = MIN(max - (u32)done, BATCH);
		u64 at = user + (u64)done * sizeof(batch[0]);
		size_t room = mm_accessible(current->proc->mm, at, g.max * sizeof(batch[0]), true);
		g.max = (u32)(room / sizeof(batch[0]));
		epoll_lock(e);
		epoll_settle(e);
		if (first)
			g.left = atomic_load(&e->nready);
		if (!g.max && epoll_may_find(e) && !done)
			done = -EFAULT;
		if (first)
			report_watched(e, &g);
		report_ready(e, &g);
		epoll_unlock(e);
		first = false;
		if (g.n && copy_out((void *)at, batch, g.n * sizeof(batch[0])))
			return done ? done : -EFAULT;
		done += g.n;
	} while (g.n == BATCH && (u32)done < max);
	if (done > 0 && atomic_load(&e->nready))
		queue_pass_on(&e->queue, 1); /* who sleeps, too, may have some */
	return done;
}

/* ---- waiting */

/* Registers what no queue tells; true: something is there. */
static bool watched_look(struct epoll *e, struct poll_table *pt)
{
	struct epoll_item *next;
	bool found = false;
	u64 edges;

	if (!e->watched)
		return false;
	epoll_lock(e);
	for (struct epoll_item *i = e->watched; i; i = next) {
		next = i->next_watched;
		found |= item_look(i, 0, &edges, pt) != 0;
	}
	epoll_unlock(e);
	return found;
}

/* 0: it may be worth another look; -EINTR, -ETIMEDOUT. Nothing but the epoll itself is held. */
static int epoll_sleep(struct epoll *e, u64 deadline_ns)
{
	struct kin_waiter *w = waiter_get();
	struct poll_table pt;
	int err = 0;

	poll_table_init(&pt);
	w->exclusive = 1;
	queue_add(&e->queue, w);
	if (!watched_look(e, &pt) && !epoll_may_find(e))
		err = pt.failed ? -ENOMEM : poll_table_sleep(&pt, deadline_ns);
	queue_remove(w);
	waiter_put(w);
	poll_table_done(&pt);
	return err;
}

static s64 wait_for_events(struct epoll *e, u64 events, u32 max, u64 deadline_ns)
{
	sockets_rewatch();
	if (!deadline_ns)
		sched_news();
	s64 n = events_take(e, events, max);
	int err = 0;

	while (!n && deadline_ns && !err) {
		err = epoll_sleep(e, deadline_ns);
		n = events_take(e, events, max);
	}
	if (n)
		return n;
	return err == -ETIMEDOUT ? 0 : err;
}

static s64 do_wait(u64 epfd, u64 events, u64 max, u64 deadline_ns)
{
	struct file *f = fd_get(epfd);
	struct epoll *e = f ? epoll_of(f) : NULL;
	s64 r = f ? -EINVAL : -EBADF;

	if ((s32)max > 0 && (s32)max <= (s32)(0x7fffffff / sizeof(struct epoll_event)) && e)
		r = wait_for_events(e, events, (u32)max, deadline_ns);
	if (f)
		file_put(f);
	return r;
}

static u64 deadline_ms(s32 ms)
{
	if (ms <= 0)
		return ms ? HYP_NO_DEADLINE : 0;
	return time_deadline(time_mono_ns(), ms * 1000000ull);
}

s64 sys_epoll_wait(u64 epfd, u64 events, u64 max, u64 timeout_ms)
{
	return do_wait(epfd, events, max, deadline_ms(timeout_ms));
}

static s64 wait_masked(u64 epfd, u64 events, u64 max, u64 deadline_ns, u64 mask, u64 size)
{
	s64 r = poll_mask_begin(mask, size);

	if (r)
		return r;
	r = do_wait(epfd, events, max, deadline_ns);
	poll_mask_end(mask, r == -EINTR);
	return r;
}

s64 sys_epoll_pwait(u64 epfd, u64 events, u64 max, u64 timeout_ms, u64 mask, u64 size)
{
	return wait_masked(epfd, events, max, deadline_ms(timeout_ms), mask, size);
}

s64 sys_epoll_pwait2(u64 epfd, u64 events, u64 max, u64 timeout, u64 mask, u64 size)
{
	u64 deadline;
	s64 r = poll_deadline(timeout, false, &deadline);

	return r ? r : wait_masked(epfd, events, max, deadline, mask, size);
}

/* ---- as a file: an epoll is ready when one of its files is; nothing is taken */

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *e = epoll_of(f);
	struct epoll_item *i, *next;
	bool found = false;
	u64 edges;
	u32 told;

	poll_wait(pt, &e->queue);
	epoll_lock(e);
	epoll_settle(e);
	for (i = e->watched; i; i = next) {
		next = i->next_watched;
		found |= item_look(i, 0, &edges, pt) != 0;
	}
	for (u32 left = atomic_load(&e->nready); left && !found; left--) {
		i = epoll_first_ready(e, &told);
		found = i && item_look(i, told, &edges, NULL);
		if (found)
			epoll_ready(i, told);
	}
	epoll_unlock(e);
	return found ? EPOLLIN | EPOLLRDNORM : 0;
}

static void epoll_file_release(struct file *f)
{
	struct epoll *e = epoll_of(f);

	if (!e)
		return;
	epoll_lock(e);
	while (e->items)
		epoll_unlink(e->items);
	epoll_unlock(e);
	ref_put(OWN_EPOLL, &f->priv[0]);
}

/* Files leave the lists before they are freed, so those of the list can be looked at. */
static void epoll_describe(struct file *f, struct text *t)
{
	struct epoll *e = epoll_of(f);
	struct kstat st;

	epoll_lock(e);
	for (struct epoll_item *i = e->items; i; i = i->next) {
		if (file_describe(i->file, &st))
			memset(&st, 0, sizeof(st));
		text_add(t, "tfd: %8d events: %8x data: %16lx  pos:%ld ino:%lx sdev:%x\n", i->fd,
				 i->disabled ? i->events & PRIVATE_BITS : i->events | EPOLLERR | EPOLLHUP,
				 i->data, i->file->pos, st.ino, device_number(st.dev));
	}
	epoll_unlock(e);
}

/* It knows none, and says so in its own way. */
static s64 epoll_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return -EINVAL;
}

const struct file_ops epoll_file_ops = {
	.name = "eventpoll",
	.seek = seek_nowhere,
	.ioctl = epoll_ioctl,
	.poll = epoll_poll,
	.stat = anon_stat,
	.describe = epoll_describe,
	.release = epoll_file_release,
};

static void epoll_release(void *what)
{
	queue_destroy(&((struct epoll *)what)->queue);
}

const struct own_ops epoll_own_ops = {
	.name = "interest list",
	.ref_at = offsetof(struct epoll, ref),
	.release = epoll_release,
};

/* ---- epoll_create, epoll_ctl */

s64 sys_epoll_create1(u64 flags)
{
	struct event_new new = {.type = FILE_EPOLL, .mode = O_RDWR, .flags = (u32)flags};
	struct epoll *e;
	s64 err;

	if (flags & ~(u64)EPOLL_CLOEXEC)
		return -EINVAL;
	err = event_make(&new, sizeof(*e));
	if (err)
		return err;
	e = new.object;
	ref_init(&e->ref, 1);
	queue_init(&e->queue);
	TAILQ_INIT(&e->ready);
	e->deaths = atomic_load(&ROOT->deaths);
	e->file = new.file;
	own_is(e, OWN_EPOLL);
	return event_install(&new);
}

s64 sys_epoll_create(u64 size)
{
	return (s32)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* Is e to be found below f, or how deep does it go? Under the family's nest_lock. */
static u32 depth_below(struct file *f, const struct epoll *e)
{
	struct epoll *inner = epoll_of(f);
	u32 deepest = 0;

	if (!inner)
		return 0;
	if (inner == e)
		return EPOLL_NESTING_MAX + 1;
	epoll_lock(inner);
	for (struct epoll_item *i = inner->items; i && deepest <= EPOLL_NESTING_MAX; i = i->next)
		deepest = MAX(deepest, depth_below(i->file, e));
	epoll_unlock(inner);
	return deepest + 1;
}

/* Of epolls that have f, and of those that have them. */
static u32 depth_above(struct file *f)
{
	u32 highest = 0;

	kin_lock_nested(&f->epoll_lock, epoll_file_recover, f, "upwards, and there are no circles");
	for (struct epoll_item *i = f->epoll_items; i; i = i->next_of_file)
		highest = MAX(highest, 1 + depth_above(i->epoll->file));
	kin_unlock(&f->epoll_lock);
	return highest;
}

static s64 nesting_check(struct file *ef, struct file *f)
{
	return 1 + depth_above(ef) + depth_below(f, epoll_of(ef)) > EPOLL_NESTING_MAX ? -ELOOP : 0;
}

/* After a change, under lock: what is there is an event. Whom to wake: none, one, or all. */
static u32 item_begin(struct epoll_item *i, const struct epoll_event *event)
{
	u64 edges;
	u32 told;

	i->events = event->events;
	i->data = event->data;
	i->edges = ~0ull;
	i->mask = 0;
	i->disabled = false;
	u32 got = item_look(i, ~0u, &edges, NULL);
	if (got)
		epoll_ready(i, ~0u);
	else
		epoll_unready(i, &told);
	return i->watched ? ~0u : got != 0;
}

/* Of all ctl_*: 0 or -errno; *wake: how many sleepers. */
static s64 ctl_add(struct epoll *e, struct file *f, int fd, const struct epoll_event *event,
				   u32 *wake)
{
	struct epoll_item *item = own_new(OWN_MEMORY, sizeof(*item));
	bool there;

	if (!item)
		return -ENOMEM;
	item->epoll = e;
	item->file = f;
	item->fd = fd;
	epoll_lock(e);
	there = epoll_find(e, f, fd) != NULL;
	if (!there) {
		epoll_link(e, item);
		*wake = item_begin(item, event);
	}
	epoll_unlock(e);
	if (there)
		own_free(item);
	return there ? -EEXIST : 0;
}

static s64 ctl_mod(struct epoll *e, struct file *f, int fd, const struct epoll_event *event,
				   u32 *wake)
{
	struct epoll_item *item;
	s64 err = 0;

	epoll_lock(e);
	item = epoll_find(e, f, fd);
	if (!item)
		err = -ENOENT;
	else if (item->events & EPOLLEXCLUSIVE)
		err = -EINVAL;
	else
		*wake = item_begin(item, event);
	epoll_unlock(e);
	return err;
}

static s64 ctl_del(struct epoll *e, struct file *f, int fd)
{
	struct epoll_item *item;

	epoll_lock(e);
	item = epoll_find(e, f, fd);
	if (item)
		epoll_unlink(item);
	epoll_unlock(e);
	return item ? 0 : -ENOENT;
}

/* Epolls go into others one after the other in the family, so that no circle closes. */
static s64 ctl_add_epoll(struct file *ef, struct file *f, int fd, const struct epoll_event *event,
						 u32 *wake)
{
	s64 err;

	kin_lock_recover(&ROOT->nest_lock, kin_recover_whole, NULL);
	err = nesting_check(ef, f);
	if (!err)
		err = ctl_add(epoll_of(ef), f, fd, event, wake);
	kin_unlock(&ROOT->nest_lock);
	return err;
}

/* Files and directories are always ready, so nobody may wait for them. */
static bool may_be_waited_for(struct file *f)
{
	if (f->type == FILE_DEV)
		return dev_waitable(f);
	if (f->type == FILE_PROC)
		return proc_waitable(f->inode);
	return file_ops[f->type]->poll != NULL;
}

static s64 ctl_check(struct file *ef, u32 op, struct file *f, u32 events)
{
	bool modifies = op == EPOLL_CTL_MOD, adds = op == EPOLL_CTL_ADD;

	if (!may_be_waited_for(f))
		return -EPERM;
	if (!epoll_of(ef) || ef == f)
		return -EINVAL;
	if ((modifies || adds) && events & EPOLLEXCLUSIVE &&
		(modifies || epoll_of(f) || events & ~EXCLUSIVE_ALLOWED))
		return -EINVAL;
	return 0;
}

static s64 do_ctl(struct file *ef, u32 op, struct file *f, int fd, const struct epoll_event *event)
{
	s64 err = ctl_check(ef, op, f, event->events);
	struct epoll *e = epoll_of(ef);
	u32 wake = 0;

	if (err)
		return err;
	switch (op) {
	case EPOLL_CTL_ADD:
		err = epoll_of(f) ? ctl_add_epoll(ef, f, fd, event, &wake)
						  : ctl_add(e, f, fd, event, &wake);
		break;
	case EPOLL_CTL_MOD: err = ctl_mod(e, f, fd, event, &wake); break;
	case EPOLL_CTL_DEL: err = ctl_del(e, f, fd); break;
	default: return -EINVAL;
	}
	if (wake)
		queue_wake(&e->queue, wake);
	return err;
}

s64 sys_epoll_ctl(u64 epfd, u64 op, u64 fd, u64 user_event)
{
	struct epoll_event event = {0};
	struct file *ef, *f;
	s64 r = -EBADF;

	if ((u32)op != EPOLL_CTL_DEL && copy_in(&event, (void *)user_event, sizeof(event)))
		return -EFAULT;
	ef = fd_get(epfd);
	f = fd_get(fd);
	if (ef && f)
		r = do_ctl(ef, op, f, fd, &event);
	if (f)
		file_put(f);
	if (ef)
		file_put(ef);
	return r;
}
