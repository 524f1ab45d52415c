/* SPDX-License-Identifier: ISC */
/*
 * POSIX message queues. A queue lives in kin while it has a name or an open file. One lock protects
 * names and lists; copies from and to the application happen outside. Messages are linked and
 * unlinked by one store, and the counts are made anew when the lock is recovered. Source:
 * mq_overview(7), mq_notify(3).
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/mqueue.h>

#include "kernel/ipc/ipc.h"
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"
#include "kernel/time/time.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/vfs_hooks.h"

#define NAME_LEN_MAX 255
#define ROOT_MESSAGES 65536
#define ROOT_SIZE (16 << 20)
#define PRIORITIES 32768u
#define MQUEUE_DEV 14
#define NO_ACCESS (~0u)

/* struct sigevent */
struct user_sigevent {
	u64 value;
	s32 signo, notify;
	u8 pad[48];
};

struct mq_message {
	/* mq_lock while it is in a queue; what it says is constant */
	struct mq_message *next;
	u32 priority, len;
	char data[];
};

struct mqueue {
	/* mq_lock, but constant are max, size, ino, and the name but for its first byte */
	struct mqueue *next;     /* of all */
	struct mq_message *head; /* highest priority first, then oldest */
	u32 count, named;
	u32 max, size;     /* constant */
	_Atomic u32 files; /* open descriptions */
	u32 mode, uid, gid;
	u64 ino, arrived;
	/* mq_lock: who is told of a message in an empty queue. 0: nobody */
	s32 notify_pid, notify_signo;
	u64 notify_value;
	/* mq_lock; slot: the socket that is told instead, of a cookie and why; NULL: none is */
	struct file *notify_file;
	u8 notify_cookie[NOTIFY_COOKIE_LEN];
	struct kin_queue readable, writable;
	/* mq_lock: empty once it was unlinked */
	char name[NAME_LEN_MAX + 1];
};

struct mq_shared {
	KIN_LOCK(lock, MQUEUE);
	/* lock: these, and all of the queues (mq_lock) */
	struct mqueue *all;
	u64 next_ino;
};

static bool mq_recover(void *arg)
{
	struct mq_shared *shared = arg;

	for (struct mqueue *q = shared->all; q; q = q->next) {
		q->count = 0;
		for (struct mq_message *m = q->head; m; m = m->next)
			q->count++;
	}
	return true;
}

static struct mq_shared *mq_shared(void)
{
	return kin_root_claim(ROOT_MQUEUE, sizeof(struct mq_shared), NULL);
}

static void mq_lock(void)
{
	struct mq_shared *shared = mq_shared();

	kin_lock_recover(&shared->lock, mq_recover, shared);
}

static void mq_unlock(void)
{
	kin_unlock(&mq_shared()->lock);
}

static struct mqueue *mq_of(struct file *f)
{
	return (struct mqueue *)f->priv[0];
}

/*
 * Under the lock: nobody can reach q any more, neither by name nor by an open file? Then mq_free
 * follows.
 */
static bool mq_drop(struct mqueue *q)
{
	struct mqueue **link = &mq_shared()->all;

	if (q->named || atomic_load(&q->files))
		return false;
	while (*link != q)
		link = &(*link)->next;
	publish(link, q->next);
	return true;
}

static void mq_free(struct mqueue *q)
{
	struct mq_message *m;

	while ((m = q->head))
		own_free(own_take(OWN_MEMORY, &q->head, m->next));
	ref_put(OWN_FILE, &q->notify_file);
	queue_destroy(&q->readable);
	queue_destroy(&q->writable);
	kin_free(q);
}

/* ---- as a file */

static u32 mq_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = mq_of(f);
	u32 mask = 0;

	poll_wait_for(pt, &q->readable, EPOLLIN | EPOLLRDNORM);
	poll_wait_for(pt, &q->writable, EPOLLOUT | EPOLLWRNORM);
	mq_lock();
	if (q->count)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (q->count < q->max)
		mask |= EPOLLOUT | EPOLLWRNORM;
	mq_unlock();
	return mask;
}

static u64 mq_edges(struct file *f)
{
	struct mqueue *q = mq_of(f);

	return (q->arrived << 32) + q->count;
}

static s64 mq_stat(struct file *f, struct kstat *st)
{
	struct mqueue *q = mq_of(f);

	memset(st, 0, sizeof(*st));
	st->dev = MQUEUE_DEV;
	st->ino = q->ino;
	st->mode = S_IFREG | q->mode;
	st->uid = q->uid;
	st->gid = q->gid;
	st->nlink = q->named;
	st->size = 80;
	st->blksize = PAGE_SIZE;
	return 0;
}

static void mq_release(struct file *f)
{
	struct mqueue *q = mq_of(f);
	bool last;

	if (!q)
		return;
	mq_lock();
	publish(&f->priv[0], 0);
	atomic_fetch_sub(&q->files, 1);
	last = mq_drop(q);
	mq_unlock();
	if (last)
		mq_free(q);
}

const struct file_ops mqueue_file_ops = {
	.name = "mqueue",
	.poll = mq_poll,
	.edges = mq_edges,
	.stat = mq_stat,
	.release = mq_release,
};

/* ---- names */

static s64 name_in(char *name, u64 user)
{
	s64 n = string_in(name, (void *)user, NAME_LEN_MAX + 1);

	if (n < 0)
		return n;
	if (n == 0)
		return -ENOENT;
	return strchr(name, '/') ? -EACCES : 0;
}

/* Under the lock. */
static struct mqueue *mq_find(const char *name)
{
	struct mqueue *q = mq_shared()->all;

	while (q && (!q->named || strcmp(q->name, name)))
		q = q->next;
	return q;
}

static s64 attr_check(const struct mq_attr *a)
{
	bool root = cred_capable(CAP_SYS_RESOURCE);
	s64 messages = root ? ROOT_MESSAGES : (s64)tunable_get(TUNE_MQ_MESSAGES);
	s64 size = root ? ROOT_SIZE : (s64)tunable_get(TUNE_MQ_SIZE);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0 || a->mq_maxmsg > messages || a->mq_msgsize > size)
		return -EINVAL;
	return 0;
}

static struct mqueue *mq_make(const char *name, u32 mode, const struct mq_attr *a)
{
	struct mqueue *q = kin_alloc(sizeof(*q));

	if (!q)
		return NULL;
	q->max = (u32)a->mq_maxmsg;
	q->size = (u32)a->mq_msgsize;
	q->mode = mode & 07777 & ~current->proc->kp->inherited.umask;
	q->uid = cred_uid();
	q->gid = cred_gid();
	q->named = 1;
	queue_init(&q->readable);
	queue_init(&q->writable);
	strlcpy(q->name, name, sizeof(q->name));
	return q;
}

/* Under the lock: may there be one more? */
static bool queues_fit(const struct mq_shared *shared)
{
	u64 n = 0;

	for (const struct mqueue *q = shared->all; q; q = q->next)
		n++;
	return n < tunable_get(TUNE_MQ_QUEUES) || cred_capable(CAP_SYS_RESOURCE);
}

/* Under the lock: the queue of that name, fresh if there is none, for f. */
static s64 mq_attach(struct file *f, const char *name, u32 flags, struct mqueue *fresh)
{
	static const u32 want[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, 0};
	struct mq_shared *shared = mq_shared();
	struct mqueue *q = mq_find(name);
	s64 err = 0;

	if (q && fresh && flags & O_EXCL)
		return -EEXIST;
	if (!q && !fresh)
		return -ENOENT;
	if (q) {
		err = access_check(q->mode, q->uid, q->gid, want[flags & O_ACCMODE]);
		if (err)
			return err;
	} else if (!queues_fit(shared)) {
		return -ENOSPC;
	} else {
		q = fresh;
		q->ino = ++shared->next_ino;
		q->next = shared->all;
		publish(&shared->all, q);
	}
	atomic_fetch_add(&q->files, 1);
	publish(&f->priv[0], (u64)q);
	return q == fresh ? 1 : 0;
}

s64 sys_mq_open(u64 uname, u64 flags, u64 mode, u64 uattr)
{
	u64 messages = tunable_get(TUNE_MQ_MESSAGES_DEFAULT), size = tunable_get(TUNE_MQ_SIZE_DEFAULT);
	struct mq_attr attr = {
		.mq_maxmsg = (long)MIN(messages, tunable_get(TUNE_MQ_MESSAGES)),
		.mq_msgsize = (long)MIN(size, tunable_get(TUNE_MQ_SIZE)),
	};
	char name[NAME_LEN_MAX + 1];
	struct mqueue *fresh = NULL;
	struct file *f;
	s64 r = name_in(name, uname);

	if (!r && flags & O_CREAT && uattr) {
		r = copy_in(&attr, (void *)uattr, sizeof(attr)) ? -EFAULT : attr_check(&attr);
	}
	if (r)
		return r;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (!mq_shared())
		return -ENOMEM;
	f = file_alloc(FILE_MQUEUE, (u32)flags & (O_ACCMODE | O_NONBLOCK));
	if (!f)
		return -ENFILE;
	if (flags & O_CREAT) {
		fresh = mq_make(name, (u32)mode, &attr);
		if (!fresh) {
			file_put(f);
			return -ENOMEM;
		}
	}
	mq_lock();
	r = mq_attach(f, name, (u32)flags, fresh);
	mq_unlock();
	if (fresh && r != 1)
		mq_free(fresh);
	if (r < 0) {
		file_put(f);
		return r;
	}
	return fd_install(f, 0, FD_CLOEXEC);
}

s64 sys_mq_unlink(u64 uname)
{
	char name[NAME_LEN_MAX + 1];
	struct mqueue *q;
	bool last = false;
	s64 err = name_in(name, uname);

	if (err)
		return err;
	if (!mq_shared())
		return -ENOENT;
	mq_lock();
	q = mq_find(name);
	err = !q ? -ENOENT : cred_uid() != q->uid && !cred_capable(CAP_FOWNER) ? -EACCES : 0;
	if (!err) {
		q->named = 0;
		last = mq_drop(q);
	}
	mq_unlock();
	if (last)
		mq_free(q);
	return err;
}

/* ---- messages */

/* access: O_RDONLY or O_WRONLY is needed, or nothing. */
static s64 mq_get(int fd, u32 access, struct file **out)
{
	struct file *f = fd_get(fd);
	u32 mode;

	if (!f)
		return -EBADF;
	mode = atomic_load(&f->flags) & O_ACCMODE;
	if (f->type == FILE_MQUEUE && (access == NO_ACCESS || mode == O_RDWR || mode == access)) {
		*out = f;
		return 0;
	}
	file_put(f);
	return -EBADF;
}

/* The time-out is a time of CLOCK_REALTIME. Nonblocking: 0. */
static s64 mq_deadline(u64 user, struct file *f, u64 *deadline)
{
	u64 at, now = time_real_ns(), mono = time_mono_ns();
	s64 err;

	*deadline = HYP_NO_DEADLINE;
	if (user) {
		err = time_timespec_in(user, &at);
		if (err)
			return err;
		*deadline = at > now ? time_deadline(mono, at - now) : 1;
	}
	if (atomic_load(&f->flags) & O_NONBLOCK)
		*deadline = 0;
	return 0;
}

/* Before anything else is looked at. */
static s64 mq_timeout_check(u64 user)
{
	u64 at;

	return user ? time_timespec_in(user, &at) : 0;
}

/* One of those who sleep here is woken per event; who leaves without using it passes it on. */
struct mq_wait {
	struct mqueue *q;
	bool for_room;
};

static bool mq_ready(void *arg)
{
	const struct mq_wait *w = arg;
	bool ready;

	mq_lock();
	ready = w->for_room ? w->q->count < w->q->max : w->q->count > 0;
	mq_unlock();
	return ready;
}

static s64 mq_sleep(struct mq_wait *how, u64 deadline)
{
	struct kin_queue *q = how->for_room ? &how->q->writable : &how->q->readable;

	if (!deadline)
		return -EAGAIN;
	return wait_until(q, mq_ready, how, deadline, WAIT_RESTARTABLE | WAIT_EXCLUSIVE);
}

/* Who is told, and how; told once the lock is released. */
struct notice {
	s32 pid;         /* by this signal, if it has a number */
	struct ksiginfo info;
	void **hold;     /* of a socket, or of nothing */
	u8 cookie[NOTIFY_COOKIE_LEN];
};

/* Before the lock. */
static struct notice notice_start(void)
{
	return (struct notice){.hold = hold_new(OWN_FILE)};
}

/* Under the lock: nobody is told of q any more; who was, by n if anything at all is to be said. */
static void notice_take(struct mqueue *q, struct notice *n, u8 why)
{
	n->pid = why == NOTIFY_WOKENUP ? q->notify_pid : 0;
	n->info = signal_info_user(q->notify_signo ? q->notify_signo : 1, SI_MESGQ);
	n->info.rt.value = q->notify_value;
	if (!q->notify_signo)
		n->pid = 0;
	memcpy(n->cookie, q->notify_cookie, NOTIFY_COOKIE_LEN);
	n->cookie[NOTIFY_COOKIE_LEN - 1] = why;
	q->notify_pid = 0;
	if (q->notify_file)
		ref_move(OWN_FILE, (void **)&q->notify_file, n->hold);
}

/* Under the lock: a message comes to an empty queue, for which nobody waits. */
static void notice_message(struct mqueue *q, struct notice *n)
{
	if (q->notify_pid && !q->count && !queue_has_sleeper(&q->readable))
		notice_take(q, n, NOTIFY_WOKENUP);
}

static void notice_send(const struct notice *n)
{
	struct file *socket = *n->hold;

	if (socket) {
		netlink_tell(socket, n->cookie, NOTIFY_COOKIE_LEN);
		ref_put(OWN_FILE, n->hold);
	}
	if (!n->pid)
		return;
	tree_lock();
	struct kin_proc *p = proc_find(n->pid);
	if (p)
		tree_signal(p, n->info.signo, &n->info);
	tree_unlock();
}

/* The message that is held; false: no room, it still is. */
static bool mq_put(struct mqueue *q, void **hold)
{
	struct mq_message **link = &q->head, *m = *hold;
	struct notice notice = notice_start();
	bool room;

	mq_lock();
	room = q->count < q->max;
	if (room) {
		notice_message(q, &notice);
		while (*link && (*link)->priority >= m->priority)
			link = &(*link)->next;
		m->next = *link;
		own_move(OWN_MEMORY, hold, link);
		q->count++;
		q->arrived++;
	}
	mq_unlock();
	if (room)
		queue_wake(&q->readable, 1);
	notice_send(&notice);
	return room;
}

/* The first message, held. NULL: there is none. */
static void **mq_take(struct mqueue *q)
{
	struct mq_message *m;
	void **hold = NULL;

	mq_lock();
	m = q->head;
	if (m) {
		hold = hold_new(OWN_MEMORY);
		ref_move_head(OWN_MEMORY, &q->head, hold, m->next);
		q->count--;
	}
	mq_unlock();
	if (m)
		queue_wake(&q->writable, 1);
	return hold;
}

static s64 do_send(struct file *f, u64 user, u64 len, u32 priority, u64 deadline)
{
	struct mq_wait wait = {.q = mq_of(f), .for_room = true};
	struct mq_message *m;
	void **hold;
	s64 err = 0;

	if (len > wait.q->size)
		return -EMSGSIZE;
	m = own_new(OWN_MEMORY, sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	hold = hold_new(OWN_MEMORY);
	own_give(hold, m);
	m->priority = priority;
	m->len = (u32)len;
	if (copy_in(m->data, (void *)user, len))
		err = -EFAULT;
	while (!err && !mq_put(wait.q, hold))
		err = mq_sleep(&wait, deadline);
	if (err)
		own_free(own_take(OWN_MEMORY, hold, NULL));
	return err;
}

s64 sys_mq_timedsend(u64 fd, u64 user, u64 len, u64 priority, u64 timeout)
{
	struct file *f;
	u64 deadline;
	s64 err = mq_timeout_check(timeout);

	if (err)
		return err;
	if ((u32)priority >= PRIORITIES)
		return -EINVAL;
	err = mq_get((int)fd, O_WRONLY, &f);
	if (err)
		return err;
	err = mq_deadline(timeout, f, &deadline);
	if (!err)
		err = do_send(f, user, len, (u32)priority, deadline);
	file_put(f);
	return err;
}

static s64 do_receive(struct file *f, u64 user, u64 len, u64 upriority, u64 deadline)
{
	struct mq_wait wait = {.q = mq_of(f)};
	struct mq_message *m;
	void **hold;
	s64 r;

	if (len < wait.q->size)
		return -EMSGSIZE;
	while (!(hold = mq_take(wait.q))) {
		r = mq_sleep(&wait, deadline);
		if (r)
			return r;
	}
	m = *hold;
	r = m->len;
	if (copy_out((void *)user, m->data, m->len) ||
		(upriority && copy_out((void *)upriority, &m->priority, sizeof(u32))))
		r = -EFAULT;
	own_free(own_take(OWN_MEMORY, hold, NULL));
	return r;
}

s64 sys_mq_timedreceive(u64 fd, u64 user, u64 len, u64 priority, u64 timeout)
{
	struct file *f;
	u64 deadline;
	s64 r = mq_timeout_check(timeout);

	if (!r)
		r = mq_get((int)fd, O_RDONLY, &f);
	if (r)
		return r;
	r = mq_deadline(timeout, f, &deadline);
	if (!r)
		r = do_receive(f, user, len, priority, deadline);
	file_put(f);
	return r;
}

/* Whoever was to be told and is gone is told no more. */
static bool notified(s32 pid)
{
	struct kin_proc *p;
	bool lives;

	tree_lock();
	p = pid ? proc_find(pid) : NULL;
	lives = p && p->state != PROC_ZOMBIE;
	tree_unlock();
	return lives;
}

/* Under the lock. */
static void notify_set(struct mqueue *q, const struct user_sigevent *e, struct file *socket,
					   const u8 *cookie)
{
	q->notify_signo = e->notify == SIGEV_SIGNAL ? e->signo : 0;
	q->notify_value = e->value;
	memcpy(q->notify_cookie, cookie, NOTIFY_COOKIE_LEN);
	if (socket)
		ref_get(OWN_FILE, socket, &q->notify_file);
	q->notify_pid = current->proc->kp->pid;
}

/* e NULL: the current process is told no more. */
static s64 notify_change(struct mqueue *q, const struct user_sigevent *e, struct file *socket,
						 const u8 *cookie)
{
	struct notice notice = notice_start(), stale = notice_start();
	s32 me = current->proc->kp->pid, other = q->notify_pid;
	bool gone = other && !notified(other);
	s64 err = 0;

	mq_lock();
	/* Without a pid the socket is that of one who died here. */
	if ((gone && q->notify_pid == other) || (!q->notify_pid && q->notify_file))
		notice_take(q, &stale, NOTIFY_REMOVED);
	mq_unlock();
	notice_send(&stale);
	mq_lock();
	if (!e && q->notify_pid == me)
		notice_take(q, &notice, NOTIFY_REMOVED);
	else if (e && q->notify_pid)
		err = -EBUSY;
	else if (e)
		notify_set(q, e, socket, cookie);
	mq_unlock();
	notice_send(&notice);
	return err;
}

/* SIGEV_THREAD: the event's signal is a netlink socket, its value where the cookie is. */
static s64 notify_socket(const struct user_sigevent *e, struct file **socket, u8 *cookie)
{
	s64 err;

	if (copy_in(cookie, (void *)e->value, NOTIFY_COOKIE_LEN))
		return -EFAULT;
	*socket = fd_get(e->signo);
	if (!*socket)
		return -EBADF;
	err = netlink_tell(*socket, NULL, 0);
	if (err)
		file_put(*socket);
	return err;
}

s64 sys_mq_notify(u64 fd, u64 user)
{
	struct user_sigevent e = {0};
	struct file *f, *socket = NULL;
	u8 cookie[NOTIFY_COOKIE_LEN] = {0};
	s64 err = 0;

	if (user && copy_in(&e, (void *)user, sizeof(e)))
		return -EFAULT;
	if (user && e.notify != SIGEV_NONE && e.notify != SIGEV_SIGNAL && e.notify != SIGEV_THREAD)
		return -EINVAL;
	if (user && e.notify == SIGEV_SIGNAL && (e.signo <= 0 || e.signo > NSIG))
		return -EINVAL;
	if (user && e.notify == SIGEV_THREAD)
		err = notify_socket(&e, &socket, cookie);
	if (err)
		return err;
	err = mq_get((int)fd, NO_ACCESS, &f);
	if (!err) {
		err = notify_change(mq_of(f), user ? &e : NULL, socket, cookie);
		file_put(f);
	}
	if (socket)
		file_put(socket);
	return err;
}

s64 sys_mq_getsetattr(u64 fd, u64 unew, u64 uold)
{
	struct mq_attr new, old = {0};
	struct mqueue *q;
	struct file *f;
	s64 err;

	if (unew && copy_in(&new, (void *)unew, sizeof(new)))
		return -EFAULT;
	if (unew && new.mq_flags & ~(long)O_NONBLOCK)
		return -EINVAL;
	err = mq_get((int)fd, NO_ACCESS, &f);
	if (err)
		return err;
	q = mq_of(f);
	mq_lock();
	old.mq_curmsgs = q->count;
	mq_unlock();
	old.mq_maxmsg = q->max;
	old.mq_msgsize = q->size;
	old.mq_flags = atomic_load(&f->flags) & O_NONBLOCK;
	if (unew && new.mq_flags & O_NONBLOCK)
		atomic_fetch_or(&f->flags, O_NONBLOCK);
	else if (unew)
		atomic_fetch_and(&f->flags, ~(u32)O_NONBLOCK);
	file_put(f);
	return uold ? copy_out((void *)uold, &old, sizeof(old)) : 0;
}
