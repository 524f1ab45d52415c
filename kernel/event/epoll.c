/* SPDX-License-Identifier: ISC */
/*
 * epoll(7). The interest list is in kin and shared by all who have the epoll file. A wait looks
 * at every file of the list, as poll does; what epoll adds is the list itself, edge triggers (a
 * file's count of events is compared with the one last reported) and one-shot.
 *
 * epoll_lock protects all lists. Files are looked at without it, held by references. Death: an
 * item is linked to its file, then to its epoll, each by one store, and unlinked the other way
 * round.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/event/event_hooks.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/fd/poll.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

#define NESTING_MAX 5
#define PRIVATE_BITS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

struct epoll_item {
	/* epoll_lock */
	struct epoll_item *next;         /* of the epoll */
	struct epoll_item **prev;        /* what points here; a death may leave it behind the times */
	struct epoll_item *next_of_file;
	struct epoll *epoll;
	struct file *file;               /* not a reference: released files leave all lists */
	u64 id;                          /* tells items apart when memory is used again */
	u64 data;
	u64 edges;                       /* of file when it was last reported, and what was reported */
	u32 mask;
	u32 events;
	s32 fd;
	bool disabled;                   /* one-shot has shot */
};

/* file.priv[0] */
struct epoll {
	/* epoll_lock */
	struct epoll_item *items;        /* newest first */
	u32 count;
	_Atomic u32 version;             /* of the list: sleepers look at it again */
	u64 next_id;
	struct kin_queue changed;
};

/* A private copy of an item, its file referenced. */
struct interest {
	struct epoll_item *item;
	struct file *file;
	struct file *in_vain;            /* another file's reference, to be put */
	u64 id, data, seen_edges, edges;
	u32 events, seen_mask, got;
};

static void lists_lock(void)
{
	kin_lock_recover(&ROOT->epoll_lock, kin_recover_whole, NULL);
}

static void lists_unlock(void)
{
	kin_unlock(&ROOT->epoll_lock);
}

static struct epoll *epoll_of(struct file *f)
{
	return f->type == FILE_EPOLL ? (struct epoll *)f->priv[0] : NULL;
}

static void list_changed(struct epoll *e)
{
	atomic_fetch_add(&e->version, 1);
	queue_wake_all(&e->changed);
}

/* ---- under epoll_lock */

static struct epoll_item *item_find(struct epoll *e, struct file *f, int fd)
{
	struct epoll_item *i = f->epoll_items;

	while (i && (i->epoll != e || i->fd != fd))
		i = i->next_of_file;
	return i;
}

static void item_link(struct epoll *e, struct epoll_item *i)
{
	i->id = ++e->next_id;
	i->epoll = e;
	i->prev = &e->items;
	i->next_of_file = i->file->epoll_items;
	publish(&i->file->epoll_items, i);
	i->next = e->items;
	publish(&e->items, i);
	if (i->next)
		publish(&i->next->prev, &i->next);
	e->count++;
}

static void item_unlink(struct epoll_item *i)
{
	struct epoll *e = i->epoll;
	struct epoll_item **link = *i->prev == i ? i->prev : &e->items;

	while (*link && *link != i)
		link = &(*link)->next;
	if (*link) {
		/* In this order prev may name a link that names another item, never one that is freed. */
		if (i->next)
			publish(&i->next->prev, link);
		publish(link, i->next);
		e->count--;
	}
	link = &i->file->epoll_items;
	while (*link && *link != i)
		link = &(*link)->next_of_file;
	if (*link)
		publish(link, i->next_of_file);
	i->id = 0;
}

/* ---- */

void epoll_file_gone(struct file *f)
{
	struct epoll_item *i;

	do {
		lists_lock();
		i = f->epoll_items;
		if (i)
			item_unlink(i);
		lists_unlock();
		if (i)
			kin_free(i);
	} while (i);
}

static void epoll_release(struct file *f)
{
	struct epoll *e = epoll_of(f);
	struct epoll_item *i;

	if (!e)
		return;
	do {
		lists_lock();
		i = e->items;
		if (i)
			item_unlink(i);
		lists_unlock();
		if (i)
			kin_free(i);
	} while (i);
	queue_destroy(&e->changed);
	publish(&f->priv[0], 0);
	kin_free(e);
}

/*
 * A reference for the time of this call; file NULL: it is being released. Its own descriptors a
 * process with one thread borrows. Under epoll_lock, so what fd_get gave in vain is put later.
 */
static void interest_hold(struct interest *in, s32 fd)
{
	struct file *own = fd_get(fd);

	if (own == in->file)
		return;
	in->in_vain = own;
	if (!ref_get_unless_gone(OWN_FILE, in->file, hold_new(OWN_FILE)))
		in->file = NULL;
}

/* The interest list as it is now; n entries in kmalloc'ed memory (NULL if empty). -ENOMEM. */
static s64 interests_copy(struct epoll *e, struct interest **out, u32 *version)
{
	struct interest *list;
	u32 cap = e->count + 8, n = 0;

	list = kmalloc(cap * sizeof(*list));
	if (!list)
		return -ENOMEM;
	lists_lock();
	*version = atomic_load(&e->version);
	for (struct epoll_item *i = e->items; i && n < cap; i = i->next) {
		if (i->disabled)
			continue;
		struct interest *in = &list[n++];
		*in = (struct interest){
			.item = i, .file = i->file, .id = i->id, .data = i->data,
			.seen_edges = i->edges, .events = i->events, .seen_mask = i->mask,
		};
		interest_hold(in, i->fd);
	}
	lists_unlock();
	*out = list;
	return n;
}

static void interests_free(struct interest *list, u32 n)
{
	for (u32 i = n; i-- > 0;) {
		file_put(list[i].file);
		file_put(list[i].in_vain);
	}
	kfree(list);
}

/* Sets got of each; how many are to be reported. */
static u32 interests_look(struct interest *list, u32 n, struct poll_table *pt)
{
	u32 ready = 0;

	for (u32 i = 0; i < n; i++) {
		struct interest *in = &list[i];
		const struct file_ops *ops = in->file ? file_ops[in->file->type] : NULL;

		if (!ops)
			continue;
		/* The count first: an event after it is a new edge for the next wait. */
		in->edges = ops->edges ? ops->edges(in->file) : 0;
		in->got = file_poll(in->file, in->events & ~PRIVATE_BITS, ready ? NULL : pt);
		if (in->events & EPOLLET && ops->edges && in->edges == in->seen_edges &&
		    !(in->got & ~in->seen_mask))
			in->got = 0;
		ready += in->got != 0;
	}
	return ready;
}

/* Notes in the list what is being reported; false: the item is gone or was disarmed meanwhile. */
static bool interest_report(struct interest *in)
{
	struct epoll_item *i = in->item;
	bool valid;

	lists_lock();
	valid = i->id == in->id && i->file == in->file && !i->disabled;
	if (valid) {
		i->edges = in->edges;
		i->mask = in->got;
		if (i->events & EPOLLONESHOT)
			i->disabled = true;
	}
	lists_unlock();
	return valid;
}

static s64 interests_report(struct interest *list, u32 n, u64 events, u32 max)
{
	static u32 turn; /* private: where to begin, so that nobody starves behind max */
	u32 reported = 0, start = n ? turn % n : 0;

	for (u32 k = 0; k < n && reported < max; k++) {
		struct interest *in = &list[(start + k) % n];
		struct epoll_event event = {.events = in->got, .data = in->data};

		if (!in->got || !interest_report(in))
			continue;
		if (copy_out((struct epoll_event *)events + reported, &event, sizeof(event)))
			return reported ? (s64)reported : -EFAULT;
		reported++;
		turn = start + k + 1;
	}
	return reported;
}

/*
 * One round: until something is reported, the list changes (0 and *again), the deadline, or a
 * signal.
 */
static s64 wait_round(struct epoll *e, u64 events, u32 max, u64 deadline_ns, bool *again)
{
	bool block = deadline_ns != 0;
	struct interest *list = NULL;
	struct poll_table pt;
	u32 version;
	s64 r, n = interests_copy(e, &list, &version);
	int err = 0;

	*again = false;
	if (n < 0)
		return n;
	poll_table_init(&pt);
	poll_wait(block ? &pt : NULL, &e->changed);
	if (interests_look(list, n, block ? &pt : NULL) == 0 && block)
		do {
			err = pt.failed ? -ENOMEM : poll_table_sleep(&pt, deadline_ns);
			*again = atomic_load(&e->version) != version;
		} while (interests_look(list, n, NULL) == 0 && !err && !*again);
	poll_table_done(&pt);
	r = interests_report(list, n, events, max);
	interests_free(list, n);
	if (r || err)
		*again = false;
	return r ? r : err == -ETIMEDOUT ? 0 : err;
}

static s64 do_wait(u64 epfd, u64 events, u64 max, u64 deadline_ns)
{
	struct file *f = fd_get(epfd);
	struct epoll *e = f ? epoll_of(f) : NULL;
	bool again;
	s64 r;

	if ((s32)max <= 0 || (s32)max > (s32)(0x7fffffff / sizeof(struct epoll_event)) || !e) {
		r = f ? -EINVAL : -EBADF;
		if (f)
			file_put(f);
		return r;
	}
	do {
		r = wait_round(e, events, max, deadline_ns, &again);
	} while (again);
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

/* ---- as a file: an epoll is ready when one of its files is */

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	static u32 depth; /* private; the kernel is not preempted */
	struct epoll *e = epoll_of(f);
	struct interest *list = NULL;
	u32 version, ready;
	s64 n;

	if (depth >= NESTING_MAX)
		return 0;
	n = interests_copy(e, &list, &version);
	if (n < 0)
		return 0;
	poll_wait(pt, &e->changed);
	depth++;
	ready = interests_look(list, n, pt);
	depth--;
	interests_free(list, n);
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

const struct file_ops epoll_file_ops = {
	.name = "eventpoll",
	.poll = epoll_poll,
	.stat = anon_stat,
	.release = epoll_release,
};

/* ---- epoll_create, epoll_ctl */

s64 sys_epoll_create1(u64 flags)
{
	struct epoll *e;
	struct file *f;

	if (flags & ~(u64)EPOLL_CLOEXEC)
		return -EINVAL;
	f = file_alloc(FILE_EPOLL, O_RDWR);
	if (!f)
		return -ENFILE;
	e = kin_alloc(sizeof(*e));
	if (!e) {
		file_put(f);
		return -ENOMEM;
	}
	queue_init(&e->changed);
	f->priv[0] = (u64)e;
	return fd_install(f, 0, flags & EPOLL_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_epoll_create(u64 size)
{
	return (s32)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* Under epoll_lock: is e reachable from f, or the nesting too deep? */
static bool reaches(struct file *f, struct epoll *e, u32 depth)
{
	struct epoll *inner = epoll_of(f);

	if (!inner)
		return false;
	if (inner == e || depth >= NESTING_MAX)
		return true;
	for (struct epoll_item *i = inner->items; i; i = i->next)
		if (reaches(i->file, e, depth + 1))
			return true;
	return false;
}

static s64 ctl_add(struct epoll *e, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll_item *item = kin_alloc(sizeof(*item));
	s64 err = 0;

	if (!item)
		return -ENOMEM;
	item->file = f;
	item->fd = fd;
	item->events = event->events;
	item->data = event->data;
	item->edges = ~0ull; /* what is ready now is an edge */
	lists_lock();
	if (item_find(e, f, fd))
		err = -EEXIST;
	else if (reaches(f, e, 1))
		err = -ELOOP;
	else
		item_link(e, item);
	lists_unlock();
	if (err)
		kin_free(item);
	return err;
}

static s64 ctl_mod(struct epoll *e, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll_item *item;

	lists_lock();
	item = item_find(e, f, fd);
	if (item) {
		item->events = event->events;
		item->data = event->data;
		item->edges = ~0ull;
		item->mask = 0;
		item->disabled = false;
	}
	lists_unlock();
	return item ? 0 : -ENOENT;
}

static s64 ctl_del(struct epoll *e, struct file *f, int fd)
{
	struct epoll_item *item;

	lists_lock();
	item = item_find(e, f, fd);
	if (item)
		item_unlink(item);
	lists_unlock();
	if (!item)
		return -ENOENT;
	kin_free(item);
	return 0;
}

static s64 do_ctl(struct file *ef, u32 op, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll *e = epoll_of(ef);
	s64 err;

	if (!e || ef == f)
		return -EINVAL;
	/* Files and directories are always ready, so nobody may wait for them. */
	if (!file_ops[f->type]->poll || (f->type == FILE_DEV && !dev_waitable(f)))
		return -EPERM;
	switch (op) {
	case EPOLL_CTL_ADD: err = ctl_add(e, f, fd, event); break;
	case EPOLL_CTL_MOD: err = ctl_mod(e, f, fd, event); break;
	case EPOLL_CTL_DEL: err = ctl_del(e, f, fd); break;
	default: return -EINVAL;
	}
	if (!err)
		list_changed(e);
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
