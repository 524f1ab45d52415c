/* SPDX-License-Identifier: ISC */
/*
 * Asynchronous input and output as libaio knows it: io_setup(2), io_submit(2), io_getevents(2).
 * What is submitted is done at once, as Linux does it where a file system cannot go on by itself;
 * its event waits in the ring for whoever asks. The ring lies in the application's memory in
 * Linux's layout, because libaio takes events out of it without a system call.
 *
 * Contexts are the address space's, private, and no clone gets them. No lock: nothing here gives up
 * the vCPU between a look and what follows from it, but the operations themselves.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/aio_abi.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mman.h>

#include "kernel/event/aio.h"
#include "kernel/event/eventfd.h"
#include "kernel/fd/poll.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task_hooks.h"
#include "kernel/time/time.h"

#define RING_MAGIC 0xa10a10a1u
#ifndef IOCB_FLAG_IOPRIO
#define IOCB_FLAG_IOPRIO 2
#endif

/* What libaio knows of it. */
struct ring {
	u32 id, slots, head, tail; /* head: also moved by the application */
	u32 magic, compatible, incompatible, header_size;
};

struct aio_waiter {
	LIST_ENTRY(aio_waiter) link;
	struct thread *thread;
};

struct aio_context {
	struct aio_context *next;
	u64 ring;   /* its address: the context's name */
	u64 length; /* of the mapping */
	u32 slots, tail;
	u32 reserved; /* slots for the events of what is being done */
	u32 users;  /* threads inside; the last frees it once it is gone */
	bool gone;
	LIST_HEAD(, aio_waiter) waiters;
};

static struct aio_context *context_get(u64 id)
{
	struct aio_context *c = current->proc->mm->aio;

	while (c && c->ring != id)
		c = c->next;
	if (c)
		c->users++;
	return c;
}

static void context_put(struct aio_context *c)
{
	if (!--c->users && c->gone)
		kfree(c);
}

void aio_forget(struct mm *mm)
{
	struct aio_context *c = mm->aio, *next;

	mm->aio = NULL;
	for (; c; c = next) {
		next = c->next;
		c->gone = true;
		if (!c->users)
			kfree(c);
	}
}

/* ---- the ring */

static u64 event_address(const struct aio_context *c, u32 slot)
{
	return c->ring + sizeof(struct ring) + slot * sizeof(struct io_event);
}

/* Where the next event is taken out; the application may have stored anything there. */
static s64 ring_head(const struct aio_context *c, u32 *head)
{
	if (copy_in(head, (void *)(c->ring + offsetof(struct ring, head)), sizeof(*head)))
		return -EFAULT;
	*head %= c->slots;
	return 0;
}

static u32 ring_count(const struct aio_context *c)
{
	u32 head;

	return ring_head(c, &head) ? 0 : (c->tail + c->slots - head) % c->slots;
}

static s64 ring_store(struct aio_context *c, u64 field, u32 value)
{
	return copy_out((void *)(c->ring + field), &value, sizeof(value)) ? -EFAULT : 0;
}

/* Into a slot that was reserved. */
static s64 ring_add(struct aio_context *c, const struct io_event *e)
{
	struct aio_waiter *w;

	if (copy_out((void *)event_address(c, c->tail), e, sizeof(*e)))
		return -EFAULT;
	c->tail = (c->tail + 1) % c->slots;
	LIST_FOREACH (w, &c->waiters, link)
		thread_wake(w->thread);
	return ring_store(c, offsetof(struct ring, tail), c->tail);
}

/* At most n events to the application: how many, or -EFAULT. */
static s64 ring_take(struct aio_context *c, u64 events, s64 n)
{
	struct io_event e;
	s64 taken = 0;
	u32 head;

	if (ring_head(c, &head))
		return -EFAULT;
	for (; taken < n && head != c->tail; taken++, head = (head + 1) % c->slots)
		if (copy_in(&e, (void *)event_address(c, head), sizeof(e)) ||
			copy_out((void *)(events + (u64)taken * sizeof(e)), &e, sizeof(e)))
			return taken ? taken : -EFAULT;
	return ring_store(c, offsetof(struct ring, head), head) ? -EFAULT : taken;
}

/* ---- making and removing */

static struct aio_context *context_make(u32 requests, s64 *err)
{
	u32 slots = requests + 1; /* a full ring is not an empty one */
	u64 length = ALIGN_UP(sizeof(struct ring) + slots * sizeof(struct io_event), PAGE_SIZE);
	struct ring r = {.slots = slots, .magic = RING_MAGIC, .compatible = 1,
					 .header_size = sizeof(struct ring)};
	struct aio_context *c = kmalloc(sizeof(*c));
	s64 at = c ? mm_map(current->proc->mm, 0, length, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0)
			   : -ENOMEM;

	if (at >= 0 && copy_out((void *)at, &r, sizeof(r))) {
		mm_unmap(current->proc->mm, (u64)at, length);
		at = -ENOMEM;
	}
	if (at < 0) {
		if (c)
			kfree(c);
		*err = at;
		return NULL;
	}
	*c = (struct aio_context){.ring = (u64)at, .length = length, .slots = slots};
	LIST_INIT(&c->waiters);
	return c;
}

s64 sys_io_setup(u64 requests, u64 user_id)
{
	struct mm *mm = current->proc->mm;
	u64 id;
	s64 err = 0;

	if (copy_in(&id, (void *)user_id, sizeof(id)))
		return -EFAULT;
	if (id || !(u32)requests)
		return -EINVAL;
	if ((u32)requests > 0x10000000)
		return -EINVAL;
	if ((u32)requests > AIO_REQUESTS_MAX)
		return -EAGAIN;
	struct aio_context *c = context_make((u32)requests, &err);
	if (!c)
		return err;
	if (copy_out((void *)user_id, &c->ring, sizeof(c->ring))) {
		mm_unmap(mm, c->ring, c->length);
		kfree(c);
		return -EFAULT;
	}
	c->next = mm->aio;
	mm->aio = c;
	return 0;
}

s64 sys_io_destroy(u64 id)
{
	struct mm *mm = current->proc->mm;
	struct aio_context *c = context_get(id), **link = &mm->aio;
	struct aio_waiter *w;

	if (!c)
		return -EINVAL;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->gone = true;
	LIST_FOREACH (w, &c->waiters, link)
		thread_wake(w->thread);
	mm_unmap(mm, c->ring, c->length);
	context_put(c);
	return 0;
}

/* ---- submitting */

static s64 transfer_do(const struct iocb *cb, bool seekable)
{
	u64 fd = cb->aio_fildes, pos = (u64)cb->aio_offset;

	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
		return seekable ? sys_pread64(fd, cb->aio_buf, cb->aio_nbytes, pos)
						: sys_read(fd, cb->aio_buf, cb->aio_nbytes);
	case IOCB_CMD_PWRITE:
		return seekable ? sys_pwrite64(fd, cb->aio_buf, cb->aio_nbytes, pos)
						: sys_write(fd, cb->aio_buf, cb->aio_nbytes);
	case IOCB_CMD_PREADV:
		return seekable ? sys_preadv(fd, cb->aio_buf, cb->aio_nbytes, pos, 0)
						: sys_readv(fd, cb->aio_buf, cb->aio_nbytes);
	default:
		return seekable ? sys_pwritev(fd, cb->aio_buf, cb->aio_nbytes, pos, 0)
						: sys_writev(fd, cb->aio_buf, cb->aio_nbytes);
	}
}

static s64 operation_do(const struct iocb *cb, struct file *f)
{
	u32 rwf = (u32)cb->aio_rw_flags, before = current->io_flags;
	s64 r;

	if (cb->aio_lio_opcode == IOCB_CMD_FSYNC)
		return sys_fsync(cb->aio_fildes);
	if (cb->aio_lio_opcode == IOCB_CMD_FDSYNC)
		return sys_fdatasync(cb->aio_fildes);
	current->io_flags |= (rwf & RWF_APPEND ? O_APPEND : 0) | (rwf & RWF_NOWAIT ? O_NONBLOCK : 0) |
						 (rwf & RWF_DSYNC ? O_DSYNC : 0) | (rwf & RWF_SYNC ? O_SYNC : 0);
	r = transfer_do(cb, file_ops[f->type]->seekable);
	current->io_flags = before;
	return r;
}

/* What Linux refuses before it begins, instead of by an event. */
static s64 operation_check(const struct iocb *cb, const struct file *f)
{
	u32 mode = f->flags & O_ACCMODE, rwf = (u32)cb->aio_rw_flags;

	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		if (mode == O_WRONLY)
			return -EBADF;
		if (!file_ops[f->type]->read && !file_ops[f->type]->readv)
			return -EINVAL;
		break;
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		if (mode == O_RDONLY)
			return -EBADF;
		if (!file_ops[f->type]->write && !file_ops[f->type]->writev)
			return -EINVAL;
		break;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		return !f->inode || cb->aio_buf || cb->aio_offset || cb->aio_nbytes || rwf ? -EINVAL : 0;
	default: return -EINVAL; /* IOCB_CMD_POLL among them: it would have to wait */
	}
	if (rwf & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	return cb->aio_offset < 0 && file_ops[f->type]->seekable ? -EINVAL : 0;
}

/* The event descriptor of a request: NULL for none, or an error. */
static s64 told_get(const struct iocb *cb, struct file **told)
{
	*told = NULL;
	if (!(cb->aio_flags & IOCB_FLAG_RESFD))
		return 0;
	*told = fd_get((int)cb->aio_resfd);
	if (!*told)
		return -EBADF;
	if ((*told)->type == FILE_EVENTFD)
		return 0;
	file_put(*told);
	return -EINVAL;
}

static s64 submit_checked(struct aio_context *c, u64 user, const struct iocb *cb, struct file *f,
						  struct file *told)
{
	u32 key = 0;
	s64 err = operation_check(cb, f);

	if (err)
		return err;
	if (copy_out((void *)(user + offsetof(struct iocb, aio_key)), &key, sizeof(key)))
		return -EFAULT;
	c->reserved++; /* others may submit while it sleeps */
	s64 r = operation_do(cb, f);
	c->reserved--;
	if (c->gone)
		return 0;
	struct io_event e = {.data = cb->aio_data, .obj = user,
						 .res = r <= -512 ? -EINTR : r}; /* it is not made again */
	err = ring_add(c, &e);
	if (told)
		eventfd_tell(told);
	return err;
}

static s64 submit_one(struct aio_context *c, u64 user)
{
	struct file *f, *told;
	struct iocb cb;

	if (copy_in(&cb, (void *)user, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || cb.aio_flags & ~(u32)(IOCB_FLAG_RESFD | IOCB_FLAG_IOPRIO) ||
		(s64)cb.aio_nbytes < 0)
		return -EINVAL;
	if (ring_count(c) + c->reserved + 1 >= c->slots)
		return -EAGAIN;
	f = fd_get((int)cb.aio_fildes);
	if (!f)
		return -EBADF;
	s64 err = told_get(&cb, &told);
	if (!err) {
		err = submit_checked(c, user, &cb, f, told);
		file_put(told);
	}
	file_put(f);
	return err;
}

s64 sys_io_submit(u64 id, u64 n, u64 list)
{
	struct aio_context *c;
	s64 done = 0, err = 0;
	u64 user;

	if ((s64)n < 0)
		return -EINVAL;
	c = context_get(id);
	if (!c)
		return -EINVAL;
	for (; done < (s64)n && !c->gone; done++) {
		err = copy_in(&user, (void *)(list + (u64)done * sizeof(user)), sizeof(user))
				  ? -EFAULT
				  : submit_one(c, user);
		if (err)
			break;
	}
	context_put(c);
	return done ? done : err;
}

/* Nothing is ever on its way. */
s64 sys_io_cancel(u64 id, u64 user, u64 result)
{
	struct aio_context *c;
	u32 key;

	if (copy_in(&key, (void *)(user + offsetof(struct iocb, aio_key)), sizeof(key)))
		return -EFAULT;
	c = context_get(id);
	if (c)
		context_put(c);
	return -EINVAL;
}

/* ---- taking events */

struct events_wait {
	struct aio_context *context;
	u32 least;
};

static bool events_ready(void *arg)
{
	struct events_wait *w = arg;

	return w->context->gone || ring_count(w->context) >= w->least;
}

static s64 events_take(struct aio_context *c, s64 least, s64 most, u64 events, u64 deadline)
{
	struct events_wait wait = {c, (u32)MIN(least, (s64)c->slots - 1)};
	struct aio_waiter waiter = {.thread = current};
	s64 err = 0, n;

	if (ring_count(c) < wait.least && deadline) {
		LIST_INSERT_HEAD(&c->waiters, &waiter, link);
		err = wait_until(NULL, events_ready, &wait, deadline, SLEEP_INTERRUPTIBLE);
		LIST_REMOVE(&waiter, link);
	}
	if (c->gone)
		return -EINVAL;
	n = ring_take(c, events, most);
	return n || err != -EINTR ? n : -EINTR;
}

static s64 getevents(u64 id, u64 least, u64 most, u64 events, u64 timeout)
{
	u64 deadline = HYP_NO_DEADLINE;
	struct aio_context *c;
	s64 r = 0;

	if (timeout)
		r = time_timeout_in(timeout, &deadline);
	if (r)
		return r;
	c = context_get(id);
	if (!c)
		return -EINVAL;
	if ((s64)least < 0 || (s64)most < (s64)least)
		r = -EINVAL;
	else if (most)
		r = events_take(c, (s64)least, (s64)most, events, deadline);
	context_put(c);
	return r;
}

s64 sys_io_getevents(u64 id, u64 least, u64 most, u64 events, u64 timeout)
{
	return getevents(id, least, most, events, timeout);
}

s64 sys_io_pgetevents(u64 id, u64 least, u64 most, u64 events, u64 timeout, u64 user_mask)
{
	u64 mask[2] = {0, 0}; /* address and size */
	s64 r;

	if (user_mask && copy_in(mask, (void *)user_mask, sizeof(mask)))
		return -EFAULT;
	r = poll_mask_begin(mask[0], mask[1]);
	if (r)
		return r;
	r = getevents(id, least, most, events, timeout);
	poll_mask_end(mask[0], r == -EINTR);
	return r;
}
