/* SPDX-License-Identifier: ISC */
/*
 * inotify descriptors: the ring of events, reading them, and the system calls. Source: inotify(7)
 * and inotify_add_watch(2). The ring has a fixed size in bytes where Linux counts events.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

#define EVENT_MAX (sizeof(struct inotify_event) + 256)
/* What a watch keeps. */
#define WATCH_BITS (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)
#define ADD_FLAGS                                                                                \
	(IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR |    \
	 IN_ONESHOT)

static struct inotify *inotify_of(struct file *f)
{
	return (struct inotify *)f->priv[0];
}

/* ---- the ring, under the table's lock */

static void ring_write(struct inotify *in, u64 at, const void *data, u64 n)
{
	for (u64 i = 0; i < n; i++)
		in->ring[(at + i) % INOTIFY_RING] = ((const char *)data)[i];
}

static void ring_read(struct inotify *in, u64 at, void *data, u64 n)
{
	for (u64 i = 0; i < n; i++)
		((char *)data)[i] = in->ring[(at + i) % INOTIFY_RING];
}

/* An event that repeats the newest one is not told again. */
static bool repeats(struct inotify *in, const char *event, u64 size)
{
	char last[EVENT_MAX];

	if (in->tail > in->last || in->head - in->last != size)
		return false;
	ring_read(in, in->last, last, size);
	return !memcmp(last, event, size);
}

static void event_add(struct inotify *in, const char *event, u64 size)
{
	ring_write(in, in->head, event, size);
	in->last = in->head;
	atomic_store(&in->head, in->head + size);
	in->events++;
}

void inotify_put(struct inotify *in, s32 wd, u32 mask, u32 cookie, const char *name, u32 len)
{
	char bytes[EVENT_MAX] = {0};
	struct inotify_event e = {.wd = wd, .mask = mask, .cookie = cookie};

	e.len = name ? ALIGN_UP(len + 1, (u32)sizeof(e)) : 0;
	memcpy(bytes, &e, sizeof(e));
	if (name)
		memcpy(bytes + sizeof(e), name, len);
	if (INOTIFY_RING - (in->head - in->tail) >= sizeof(e) + e.len + sizeof(e)) {
		in->overflowed = 0;
		if (mask & IN_IGNORED || !repeats(in, bytes, sizeof(e) + e.len))
			event_add(in, bytes, sizeof(e) + e.len);
	} else if (!in->overflowed) {
		e = (struct inotify_event){.wd = -1, .mask = IN_Q_OVERFLOW};
		in->overflowed = 1;
		event_add(in, (const char *)&e, sizeof(e));
	}
}

/* The oldest event if it fits: its size, 0: there is none, -EINVAL: too large. */
static s64 event_take(struct inotify *in, char *event, size_t room)
{
	struct inotify_event e;
	u64 tail = in->tail;

	if (tail == in->head)
		return 0;
	ring_read(in, tail, &e, sizeof(e));
	if (sizeof(e) + e.len > room)
		return -EINVAL;
	ring_read(in, tail, event, sizeof(e) + e.len);
	atomic_store(&in->tail, tail + sizeof(e) + e.len);
	return (s64)(sizeof(e) + e.len);
}

/* ---- as a file */

static bool has_events(void *arg)
{
	struct inotify *in = arg;

	return in->head != in->tail;
}

static s64 wait_for_event(struct inotify *in, struct kin_queue *q)
{
	return wait_until(q, has_events, in, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
}

static s64 inotify_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct watch_table *t = watch_table(false);
	struct inotify *in = inotify_of(f);
	char event[EVENT_MAX];
	size_t done = 0;

	for (;;) {
		watch_table_lock(t);
		s64 n = event_take(in, event, len - done);
		kin_unlock(&t->lock);
		if (n > 0) {
			if (copy_out((char *)buf + done, event, (size_t)n))
				return -EFAULT;
			done += (size_t)n;
			continue;
		}
		if (done || n < 0)
			return done ? (s64)done : n;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		n = wait_for_event(in, &t->events);
		if (n)
			return n;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = inotify_of(f);

	poll_wait(pt, &watch_table(false)->events);
	return in->head != in->tail ? EPOLLIN | EPOLLRDNORM : 0;
}

static u64 inotify_edges(struct file *f)
{
	return inotify_of(f)->events;
}

static s64 inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inotify *in = inotify_of(f);
	s32 n = (s32)(in->head - in->tail);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return copy_out((void *)arg, &n, sizeof(n)) ? -EFAULT : 0;
}

static void inotify_release(struct file *f)
{
	struct watch_table *t = watch_table(false);
	struct inotify *in = inotify_of(f);

	if (!in)
		return;
	for (;;) {
		watch_table_lock(t);
		struct watch *w = in->watches;
		if (w)
			watch_unlink(t, w);
		kin_unlock(&t->lock);
		if (!w)
			break;
		watch_free(w);
	}
	own_free(own_take(OWN_MEMORY, &in->ring, NULL));
	own_free(own_take(OWN_MEMORY, &f->priv[0], NULL));
}

static void inotify_describe(struct file *f, struct text *text)
{
	struct watch_table *t = watch_table(false);

	watch_table_lock(t);
	for (struct watch *w = inotify_of(f)->watches; w; w = w->of_instance)
		text_add(text, "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0\n", (u32)w->wd,
				 w->inode->ino, device_number(inode_shown_device(w->inode)), w->mask);
	kin_unlock(&t->lock);
}

const struct file_ops inotify_file_ops = {
	.name = "inotify",
	.read = inotify_read,
	.seek = seek_nowhere,
	.poll = inotify_poll,
	.edges = inotify_edges,
	.ioctl = inotify_ioctl,
	.stat = anon_stat,
	.describe = inotify_describe,
	.release = inotify_release,
};

/* ---- system calls */

s64 sys_inotify_init1(u64 flags)
{
	if (flags & ~(u64)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	if (!watch_table(true))
		return -ENOMEM;
	struct file *f = file_alloc(FILE_INOTIFY, O_RDONLY | (flags & IN_NONBLOCK));
	if (!f)
		return -ENFILE;
	struct inotify *in = own_new(OWN_MEMORY, sizeof(*in));
	char *ring = NULL;
	if (own_give_if((struct inotify **)&f->priv[0], in))
		ring = own_pages(INOTIFY_RING / PAGE_SIZE, PAGES_RAW);
	if (!own_give_if(&in->ring, ring)) {
		file_put(f);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & IN_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

static s64 add(struct inotify *in, struct walk *w, u32 mask)
{
	struct watch_table *t = watch_table(false);
	struct inode *ino = walk_inode(w);
	s64 err;

	if (!ino)
		return w->jump ? -EINVAL : -ENOSPC;
	if ((mask & IN_ONLYDIR) && !S_ISDIR(ino->mode))
		return -ENOTDIR;
	err = access_inode(ino, MAY_READ);
	if (err)
		return err;
	watch_table_lock(t);
	struct watch *old = watch_find(t, in, ino);
	s64 wd = old ? old->wd : -1;
	if (old && !(mask & IN_MASK_CREATE))
		old->mask = (mask & IN_MASK_ADD ? old->mask : 0) | (mask & WATCH_BITS);
	kin_unlock(&t->lock);
	if (old)
		return mask & IN_MASK_CREATE ? -EEXIST : wd;
	inode_get(ino);
	return watch_add(t, in, ino, walk_text(w), mask & WATCH_BITS);
}

static s64 inotify_file(u64 fd, struct file **out)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	if (f->type != FILE_INOTIFY) {
		file_put(f);
		return -EINVAL;
	}
	*out = f;
	return 0;
}

s64 sys_inotify_add_watch(u64 fd, u64 path, u64 flags)
{
	u32 mask = (u32)flags;
	struct walk *w;
	struct file *f;
	s64 err;

	if (!(mask & IN_ALL_EVENTS) || mask & ~(u32)(IN_ALL_EVENTS | ADD_FLAGS))
		return -EINVAL;
	err = inotify_file(fd, &f);
	if (!err && (mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)) {
		file_put(f);
		return -EINVAL;
	}
	if (err)
		return err;
	err = walk_user(&w, AT_FDCWD, path, mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW);
	if (!err) {
		err = add(inotify_of(f), w, mask);
		walk_free(w);
	}
	file_put(f);
	return err;
}

s64 sys_inotify_rm_watch(u64 fd, u64 wd)
{
	struct watch_table *t = watch_table(false);
	struct watch *w;
	struct file *f;
	s64 err = inotify_file(fd, &f);

	if (err)
		return err;
	watch_table_lock(t);
	for (w = inotify_of(f)->watches; w && w->wd != (s32)wd;)
		w = w->of_instance;
	if (w) {
		inotify_put(w->instance, w->wd, IN_IGNORED, 0, NULL, 0);
		watch_unlink(t, w);
	}
	kin_unlock(&t->lock);
	queue_wake_all(&t->events);
	if (w)
		watch_free(w);
	file_put(f);
	return w ? 0 : -EINVAL;
}
