/* SPDX-License-Identifier: ISC */
/*
 * Leases: who holds one on a file hears, by a signal, that somebody else opens it or truncates it,
 * and has LEASE_BREAK_S to give the lease up, or down to a read lease; whoever opens waits as long.
 * Source: fcntl(2), "Leases". The owner and the signal are those of F_SETOWN and F_SETSIG.
 *
 * Death: a lease is a slot of the list, and leaves it with its open file, which has no reference
 * from here. Lists change by single stores, and the count is made anew.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fd_owner.h"
#include "kernel/fd/fdtable.h"
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/lease.h"

struct lease {
	/* lock of the table */
	struct lease *next;
	struct inode *inode; /* no reference: the open file has one */
	struct file *file;
	s32 fd;              /* as the holder knows it */
	u32 type;            /* F_RDLCK, F_WRLCK */
	u32 becomes;         /* what it is to be given up to: F_RDLCK, F_UNLCK; type: nobody waits */
	u64 until_ns;        /* when that is done for the holder */
};

struct lease_table {
	KIN_LOCK(lock, LEASES);
	_Atomic u32 count;      /* lock to change; 0 spares every open the lock */
	struct lease *first;    /* lock; slots */
	struct kin_queue given; /* up or down */
};

static void table_init(void *p)
{
	queue_init(&((struct lease_table *)p)->given);
}

/* NULL: there was no lease ever (make: no memory). */
static struct lease_table *lease_table(bool make)
{
	struct lease_table *t = kin_root_get(ROOT_LEASES);

	return t || !make ? t : kin_root_claim(ROOT_LEASES, sizeof(*t), table_init);
}

static bool table_recover(void *arg)
{
	struct lease_table *t = arg;
	u32 count = 0;

	for (struct lease *l = t->first; l; l = l->next)
		count++;
	atomic_store(&t->count, count);
	return true;
}

static void table_lock(struct lease_table *t)
{
	kin_lock_recover(&t->lock, table_recover, t);
}

/* Under the lock. */
static struct lease **lease_link(struct lease_table *t, const struct file *f)
{
	struct lease **link = &t->first;

	while (*link && (*link)->file != f)
		link = &(*link)->next;
	return link;
}

/* Under the lock: off the list, in hand. */
static struct lease *lease_unlink(struct lease_table *t, struct lease **link)
{
	struct lease *l = *link;

	own_take(OWN_MEMORY, link, l->next);
	t->count--;
	return l;
}

/* ---- breaking */

/* How somebody opens. */
struct opening {
	struct lease_table *t;
	const struct inode *inode;
	bool writes;
	u64 until_ns; /* of the leases in the way: when the first is to be given up */
};

/* Under the lock: leases in the way; each holder is told once. */
static bool in_the_way(struct opening *o)
{
	u32 becomes = o->writes ? F_UNLCK : F_RDLCK;
	bool found = false;

	o->until_ns = HYP_NO_DEADLINE;
	for (struct lease *l = o->t->first; l; l = l->next) {
		if (l->inode != o->inode || (!o->writes && l->type != F_WRLCK))
			continue;
		found = true;
		if (l->becomes != F_UNLCK && l->becomes != becomes) {
			l->becomes = becomes;
			l->until_ns = time_mono_ns() + LEASE_BREAK_S * NSEC_PER_SEC;
			owner_message(l->file, l->fd);
		}
		o->until_ns = MIN(o->until_ns, l->until_ns);
	}
	return found;
}

static bool way_is_free(void *arg)
{
	struct opening *o = arg;

	table_lock(o->t);
	bool found = in_the_way(o);
	kin_unlock(&o->t->lock);
	return !found;
}

/* Those whose holders have let their time pass. */
static void expire(struct lease_table *t)
{
	u64 now = time_mono_ns();
	struct lease *gone;

	do {
		gone = NULL;
		table_lock(t);
		for (struct lease **link = &t->first; *link && !gone;) {
			struct lease *l = *link;

			if (l->becomes != l->type && now >= l->until_ns && l->becomes == F_UNLCK) {
				gone = lease_unlink(t, link);
				continue;
			}
			if (l->becomes != l->type && now >= l->until_ns)
				l->type = l->becomes;
			link = &l->next;
		}
		kin_unlock(&t->lock);
		own_free(gone);
	} while (gone);
	queue_wake_all(&t->given);
}

s64 lease_break(const struct inode *ino, u32 flags)
{
	struct opening o = {
		.t = lease_table(false), .inode = ino, .writes = (flags & O_ACCMODE) != O_RDONLY};

	if (!o.t || !atomic_load(&o.t->count))
		return 0;
	while (!way_is_free(&o)) {
		if (flags & O_NONBLOCK)
			return -EAGAIN;
		int err = wait_until(&o.t->given, way_is_free, &o, o.until_ns, WAIT_RESTARTABLE);
		if (err == -ETIMEDOUT)
			expire(o.t);
		else if (err)
			return err;
	}
	return 0;
}

/* ---- taking and giving up */

/* T and a table's lock: somebody else has it open for reading only. */
static bool reads_too(struct file *g, void *arg)
{
	struct file *f = arg;

	return g != f && g->type == FILE_INODE && g->inode == f->inode &&
		   (g->flags & (O_ACCMODE | O_PATH)) == O_RDONLY;
}

static int has_reader(struct kin_proc *p, void *arg)
{
	return p->fds && fdtable_any(p->fds, reads_too, arg);
}

static bool others_have_it_open(struct file *f, u32 type)
{
	u32 own = (f->flags & O_ACCMODE) != O_RDONLY;

	if (type == F_RDLCK)
		return ref_count(&f->inode->writers) != 0;
	if (ref_count(&f->inode->writers) != own)
		return true;
	tree_lock();
	bool others = proc_foreach(has_reader, f);
	tree_unlock();
	return others;
}

/* Under the lock: -EAGAIN if others' leases forbid it. */
static s64 may_take(struct lease_table *t, struct file *f, u32 type)
{
	for (struct lease *l = t->first; l; l = l->next)
		if (l->inode == f->inode && l->file != f && (type == F_WRLCK || l->becomes == F_UNLCK))
			return -EAGAIN;
	return 0;
}

static s64 lease_take(struct file *f, s32 fd, u32 type)
{
	struct lease_table *t = lease_table(true);
	struct lease *fresh = t ? own_new(OWN_MEMORY, sizeof(*fresh)) : NULL;
	s64 err = fresh ? owner_default(f) : -ENOLCK;

	if (!err && others_have_it_open(f, type))
		err = -EAGAIN;
	if (err) {
		own_free(fresh);
		return err;
	}
	*fresh = (struct lease){
		.inode = f->inode, .file = f, .fd = fd, .type = type, .becomes = type};
	table_lock(t);
	struct lease *mine = *lease_link(t, f);
	err = may_take(t, f, type);
	if (!err && mine) {
		if (mine->becomes != F_UNLCK)
			mine->becomes = type;
		mine->type = type;
	} else if (!err) {
		fresh->next = t->first;
		t->count++; /* first: what nobody counts would not be found at the file's end */
		own_give(&t->first, fresh);
		fresh = NULL;
	}
	kin_unlock(&t->lock);
	own_free(fresh);
	if (mine)
		queue_wake_all(&t->given);
	return err;
}

/* false: it had none. */
static bool lease_give_up(struct file *f)
{
	struct lease_table *t = lease_table(false);
	struct lease *l = NULL;

	if (!t || !atomic_load(&t->count))
		return false;
	table_lock(t);
	struct lease **link = lease_link(t, f);
	if (*link)
		l = lease_unlink(t, link);
	kin_unlock(&t->lock);
	if (l) {
		owner_forget(f); /* as on Linux, whoever had set it */
		queue_wake_all(&t->given);
	}
	own_free(l);
	return l != NULL;
}

static s64 lease_get(struct file *f)
{
	struct lease_table *t = lease_table(false);
	u32 type = F_UNLCK;

	if (!t || !atomic_load(&t->count))
		return type;
	table_lock(t);
	struct lease *l = *lease_link(t, f);
	if (l)
		type = l->becomes;
	kin_unlock(&t->lock);
	return type;
}

s64 lease_fcntl(struct file *f, s32 fd, u32 cmd, u64 arg)
{
	if (cmd == F_GETLEASE)
		return lease_get(f);
	if ((u32)arg > F_UNLCK)
		return -EINVAL;
	if (f->type != FILE_INODE)
		return -EINVAL;
	if (cred_uid() != f->inode->uid && !cred_capable(CAP_LEASE))
		return -EACCES;
	if ((u32)arg == F_UNLCK)
		return lease_give_up(f) ? 0 : -EAGAIN;
	return lease_take(f, fd, (u32)arg);
}

void lease_release(struct file *f)
{
	lease_give_up(f);
}
