/* SPDX-License-Identifier: ISC */
/*
 * Process locks (fcntl), open-file-description locks and flock(2). One lock in kin protects all of
 * them: sections are short, and looking for deadlocks crosses inodes. Process locks belong to a
 * pid and go when it closes any descriptor of the file or dies; the other two belong to an open
 * file description. Pipes, sockets and terminals can be locked as well: what fstat says is one
 * file is one file. Source: fcntl(2), flock(2).
 *
 * Order: the table's lock is taken with no other lock held; queues inside it. Waiters sleep on
 * one of a few queues, chosen by inode, and look again when anything there is released. The table
 * is made by the first call that needs it, by one compare-and-swap.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/inode_ops.h"

#define RANGE_END 0x7fffffffffffffffll
#define QUEUES 64
#define CHAIN_MAX 4096

#ifndef LOCK_SH
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#endif

enum lock_kind { KIND_POSIX, KIND_OFD, KIND_FLOCK };

struct file_lock {
	/* table_lock */
	struct file_lock *next; /* of the inode, or of all that have none */
	LIST_ENTRY(file_lock) all;
	struct inode *inode; /* no reference: the holder's open file has one; NULL: dev and ino say */
	u64 dev, ino;
	enum lock_kind kind;
	s16 type, reserved; /* F_RDLCK, F_WRLCK */
	s64 start, end;     /* inclusive */
	s32 pid;
	struct file *file; /* OFD and flock: the owner; else by which it was taken, only compared */
};

/* A process lock that its process waits for: edges of the graph in which deadlocks are circles. */
struct lock_wait {
	/* table_lock */
	LIST_ENTRY(lock_wait) link;
	struct file_lock want;
};

struct lock_table {
	KIN_LOCK(lock, FILE_LOCKS);
	LIST_HEAD(, file_lock) all;    /* lock */
	LIST_HEAD(, lock_wait) waits;  /* lock */
	_Atomic u32 count; /* of process locks and waits: 0 lets closing skip the lock */
	struct file_lock *loose;   /* on what has no inode; lock */
	_Atomic u32 loose_count;
	struct kin_queue queues[QUEUES];
};

/* The list in which locks on the same file are, among others if it has no inode. */
static struct file_lock **locks_beside(struct lock_table *t, const struct file_lock *l)
{
	return l->inode ? &l->inode->locks : &t->loose;
}

static _Atomic u32 *count_beside(struct lock_table *t, const struct file_lock *l)
{
	return l->inode ? &l->inode->lock_count : &t->loose_count;
}

static bool same_file(const struct file_lock *a, const struct file_lock *b)
{
	return a->inode == b->inode && a->dev == b->dev && a->ino == b->ino;
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
	return a->kind == b->kind && same_file(a, b) &&
		   (a->kind == KIND_POSIX ? a->pid == b->pid : a->file == b->file);
}

/* Owners in the order in which they came, each one's locks by start: F_GETLK tells the first. */
static void insert(struct lock_table *t, struct file_lock *l)
{
	struct file_lock **at = locks_beside(t, l);

	while (*at && !same_owner(*at, l))
		at = &(*at)->next;
	while (*at && same_owner(*at, l) && (*at)->start < l->start)
		at = &(*at)->next;
	l->next = *at;
	program_order();
	*at = l;
}

/*
 * The forward pointers of all and waits are the truth; the rest is made anew from them. A lock is
 * linked there first and unlinked there last, so one that the dead was about to take or to drop is
 * held, and its burial drops it. The counts go up before anything and down after: whoever finds 0
 * without the lock has nothing to drop.
 */
static bool table_recover(void *arg)
{
	struct lock_table *t = arg;
	struct file_lock **l;
	struct lock_wait **w;
	u32 count = 0;

	for (l = &t->all.lh_first; *l; l = &(*l)->all.le_next) {
		(*l)->all.le_prev = l;
		*locks_beside(t, *l) = NULL;
		*count_beside(t, *l) = 0;
	}
	for (l = &t->all.lh_first; *l; l = &(*l)->all.le_next, count++) {
		insert(t, *l);
		++*count_beside(t, *l);
	}
	for (w = &t->waits.lh_first; *w; w = &(*w)->link.le_next, count++)
		(*w)->link.le_prev = w;
	t->count = count;
	return true;
}

static void table_lock(struct lock_table *t)
{
	kin_lock_recover(&t->lock, table_recover, t);
}

/* NULL: nobody has ever locked anything, or kin is full. */
static struct lock_table *table(bool create)
{
	struct vfs_shared *v = vfs_shared();
	struct lock_table *t = v->lock_table, *none = NULL;

	if (t || !create)
		return t;
	t = kin_alloc(sizeof(*t));
	if (!t)
		return NULL;
	for (u32 i = 0; i < QUEUES; i++)
		queue_init(&t->queues[i]);
	if (!atomic_compare_exchange_strong(&v->lock_table, &none, t)) {
		kin_free(t);
		t = none;
	}
	return t;
}

static struct kin_queue *queue_of(struct lock_table *t, const struct file_lock *l)
{
	return &t->queues[l->inode ? (u64)l->inode / 64 % QUEUES : (l->dev + l->ino) % QUEUES];
}

/* Process and OFD locks see each other, flock is a world of its own. */
static bool conflicts(const struct file_lock *a, const struct file_lock *b)
{
	return (a->kind == KIND_FLOCK) == (b->kind == KIND_FLOCK) && same_file(a, b) &&
		   !same_owner(a, b) && (a->type == F_WRLCK || b->type == F_WRLCK) &&
		   a->start <= b->end && b->start <= a->end;
}

static struct file_lock *find_conflict(struct lock_table *t, const struct file_lock *want)
{
	struct file_lock *l;

	for (l = *locks_beside(t, want); l; l = l->next)
		if (conflicts(l, want))
			return l;
	return NULL;
}

static void unlink_lock(struct lock_table *t, struct file_lock *l)
{
	struct file_lock **at = locks_beside(t, l);

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	program_order();
	LIST_REMOVE(l, all);
	--*count_beside(t, l);
	t->count--;
	kin_free(l);
}

static struct file_lock *link_lock(struct lock_table *t, struct file_lock *l,
									const struct file_lock *value)
{
	*l = *value;
	++*count_beside(t, l);
	t->count++;
	l->all.le_next = LIST_FIRST(&t->all);
	program_order(); /* complete before all shows it */
	LIST_INSERT_HEAD(&t->all, l, all);
	insert(t, l);
	return l;
}

/*
 * Two fresh nodes are enough for any change: the new range, and the second half of one that is
 * split.
 */
struct spares {
	struct file_lock *node[2];
};

static bool spares_get(struct spares *s)
{
	s->node[0] = kin_alloc(sizeof(struct file_lock));
	s->node[1] = kin_alloc(sizeof(struct file_lock));
	return s->node[0] && s->node[1];
}

static struct file_lock *spares_take(struct spares *s)
{
	u32 i = s->node[0] ? 0 : 1;
	struct file_lock *l = s->node[i];

	s->node[i] = NULL;
	return l;
}

static void spares_put(struct spares *s)
{
	for (u32 i = 0; i < 2; i++)
		if (s->node[i])
			kin_free(s->node[i]);
}

/* l has another type than the new range and overlaps it: what lies outside stays. */
static void cut(struct lock_table *t, struct file_lock *l, const struct file_lock *new,
				struct spares *s)
{
	if (l->start < new->start && l->end > new->end) {
		struct file_lock right = *l;
		right.start = new->end + 1;
		l->end = new->start - 1;
		link_lock(t, spares_take(s), &right);
	} else if (l->start < new->start) {
		l->end = new->start - 1;
	} else if (l->end > new->end) {
		l->start = new->end + 1;
	} else {
		unlink_lock(t, l);
	}
}

/* Neither overlap nor touch. */
static bool apart(const struct file_lock *a, const struct file_lock *b)
{
	return (a->end != RANGE_END && a->end + 1 < b->start) ||
		   (b->end != RANGE_END && b->end + 1 < a->start);
}

/*
 * Makes the owner's locks on the range be of new's type (F_UNLCK: none); neighbours of one type
 * become one.
 */
static void set_range(struct lock_table *t, const struct file_lock *want, struct spares *s)
{
	struct file_lock new = *want, *l, *next, *made = NULL;

	for (l = *locks_beside(t, &new); l; l = l->next) {
		if (!same_owner(l, &new) || l->type != new.type || apart(l, &new))
			continue;
		new.start = MIN(new.start, l->start);
		new.end = MAX(new.end, l->end);
	}
	/* First, so that the owner keeps its place among others. */
	if (new.type != F_UNLCK)
		made = link_lock(t, spares_take(s), &new);
	for (l = *locks_beside(t, &new); l; l = next) {
		next = l->next;
		if (l == made || !same_owner(l, &new) || l->start > new.end || new.start > l->end)
			continue;
		if (l->type == new.type)
			unlink_lock(t, l);
		else
			cut(t, l, &new, s);
	}
}

/* Would pid, waiting for want, wait for itself? Follows who waits for whom. */
static bool deadlock(struct lock_table *t, const struct file_lock *want)
{
	struct file_lock *blocker = find_conflict(t, want);

	for (u32 steps = 0; blocker && steps < CHAIN_MAX; steps++) {
		struct lock_wait *w;
		if (blocker->kind != KIND_POSIX)
			return false;
		if (blocker->pid == want->pid)
			return true;
		LIST_FOREACH (w, &t->waits, link)
			if (w->want.pid == blocker->pid)
				break;
		blocker = w ? find_conflict(t, &w->want) : NULL;
	}
	return false;
}

static void wait_begin(struct lock_table *t, struct lock_wait *w)
{
	t->count++;
	LIST_INSERT_HEAD(&t->waits, w, link);
}

static void wait_end(struct lock_table *t, struct lock_wait *w)
{
	table_lock(t);
	LIST_REMOVE(w, link);
	t->count--;
	kin_unlock(&t->lock);
	kin_free(w);
}

/* One attempt. 0, -EAGAIN: somebody holds it (*wait is entered in the graph), -EDEADLK. */
static s64 try_set(struct lock_table *t, const struct file_lock *want, struct spares *s,
				   struct lock_wait **wait)
{
	s64 err = 0;

	table_lock(t);
	if (want->type == F_UNLCK || !find_conflict(t, want))
		set_range(t, want, s);
	else if (wait && want->kind == KIND_POSIX && deadlock(t, want))
		err = -EDEADLK;
	else
		err = -EAGAIN;
	if (err == -EAGAIN && wait && !*wait && want->kind == KIND_POSIX) {
		*wait = kin_alloc(sizeof(**wait));
		if (*wait) {
			(*wait)->want = *want;
			wait_begin(t, *wait);
		}
	}
	kin_unlock(&t->lock);
	return err;
}

/* One call's tries. */
struct lock_call {
	struct lock_table *table;
	const struct file_lock *want;
	struct spares spares;
	struct lock_wait *wait;
	s64 err;
};

static bool set_done(void *arg)
{
	struct lock_call *c = arg;

	c->err = try_set(c->table, c->want, &c->spares, &c->wait);
	return c->err != -EAGAIN;
}

static s64 set_lock(const struct file_lock *want, bool block)
{
	struct lock_call c = {.table = table(want->type != F_UNLCK), .want = want};
	s64 err = 0;

	if (!c.table)
		return want->type == F_UNLCK ? 0 : -ENOLCK;
	if (!spares_get(&c.spares)) {
		spares_put(&c.spares);
		return -ENOLCK;
	}
	struct kin_queue *q = queue_of(c.table, want);
	if (block)
		err = wait_until(q, set_done, &c, HYP_NO_DEADLINE, WAIT_RESTARTABLE);
	else
		c.err = try_set(c.table, want, &c.spares, NULL);
	if (!err)
		err = c.err;
	if (c.wait)
		wait_end(c.table, c.wait);
	spares_put(&c.spares);
	/* A smaller range, or a weaker lock, may be what others wait for. */
	if (!err && want->type != F_WRLCK)
		queue_wake_all(q);
	return err;
}

/* Says on which file the lock is: 0, or what fstat fails with. */
static s64 file_of(struct file *f, struct file_lock *l)
{
	struct kstat st;
	s64 err;

	l->inode = f->inode;
	if (l->inode)
		return 0;
	err = file_describe(f, &st);
	if (!err) {
		l->dev = st.dev;
		l->ino = st.ino;
	}
	return err;
}

/* The application's range: 0, -EINVAL, -EOVERFLOW. */
static s64 range_of(struct file *f, const struct flock *fl, struct file_lock *l)
{
	s64 base;

	switch (fl->l_whence) {
	case SEEK_SET: base = 0; break;
	case SEEK_CUR: base = f->pos; break;
	case SEEK_END:
		if (f->inode)
			inode_refresh(f->inode);
		base = f->inode ? (s64)f->inode->size : 0;
		break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, (s64)fl->l_start, &l->start))
		return -EOVERFLOW;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(l->start, (s64)fl->l_len - 1, &l->end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		l->end = l->start - 1;
		l->start += fl->l_len;
	} else {
		l->end = RANGE_END;
	}
	return l->start < 0 || l->end < l->start ? -EINVAL : 0;
}

static s64 get_lock(struct file *f, struct flock *fl, const struct file_lock *want)
{
	struct lock_table *t = table(false);
	struct file_lock *l = NULL;

	if (t) {
		table_lock(t);
		l = find_conflict(t, want);
		if (l) {
			fl->l_type = l->type;
			fl->l_whence = SEEK_SET;
			fl->l_start = l->start;
			fl->l_len = l->end == RANGE_END ? 0 : l->end - l->start + 1;
			fl->l_pid = l->kind == KIND_POSIX ? l->pid : -1;
		}
		kin_unlock(&t->lock);
	}
	if (!l)
		fl->l_type = F_UNLCK;
	return 0;
}

static bool is_ofd(u32 cmd)
{
	return cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW || cmd == F_OFD_GETLK;
}

s64 lock_fcntl(struct file *f, u32 cmd, u64 arg)
{
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	u32 acc = f->flags & O_ACCMODE;
	struct flock fl;

	if (copy_in(&fl, (const void *)arg, sizeof(fl)))
		return -EFAULT;
	struct file_lock want = {
		.kind = is_ofd(cmd) ? KIND_OFD : KIND_POSIX,
		.type = fl.l_type,
		.pid = current->proc->kp->pid,
		.file = f,
	};
	s64 err = file_of(f, &want);
	if (!err)
		err = range_of(f, &fl, &want);
	if (err)
		return err;
	if ((fl.l_type != F_RDLCK && fl.l_type != F_WRLCK && (get || fl.l_type != F_UNLCK)) ||
		(is_ofd(cmd) && fl.l_pid))
		return -EINVAL;
	if (get) {
		err = get_lock(f, &fl, &want);
		return err ? err : copy_out((void *)arg, &fl, sizeof(fl)) ? -EFAULT : 0;
	}
	if ((fl.l_type == F_RDLCK && acc == O_WRONLY) || (fl.l_type == F_WRLCK && acc == O_RDONLY))
		return -EBADF;
	return set_lock(&want, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

static void show_lock(struct text *t, u32 number, const struct file_lock *l, bool waits)
{
	static const char *const kinds[] = {"POSIX ", "OFDLCK", "FLOCK "};
	char end[24] = "EOF";
	u64 dev = l->inode ? inode_shown_device(l->inode) : l->dev;

	if (l->end != RANGE_END)
		ksnprintf(end, sizeof(end), "%ld", l->end);
	text_add(t, "%u: %s%s ADVISORY  %s %d %02lx:%02lx:%lu %ld %s\n", number, waits ? "-> " : "",
			 kinds[l->kind], l->type == F_WRLCK ? "WRITE" : "READ",
			 l->kind == KIND_OFD ? -1 : l->pid, dev >> 8 & 0xfff,
			 (dev & 0xff) | (dev >> 12 & 0xfff00), l->inode ? l->inode->ino : l->ino, l->start,
			 end);
}

/* /proc/locks: who waits comes at the end, with numbers of their own. Text is kernel memory. */
s64 show_locks(struct text *t, const struct proc_target *p)
{
	struct lock_table *locks = table(false);
	struct file_lock *l;
	struct lock_wait *w;
	u32 n = 0;

	if (!locks)
		return 0;
	table_lock(locks);
	LIST_FOREACH (l, &locks->all, all)
		show_lock(t, ++n, l, false);
	LIST_FOREACH (w, &locks->waits, link)
		show_lock(t, ++n, &w->want, true);
	kin_unlock(&locks->lock);
	return 0;
}

/* Under the table's lock: those of one kind that were taken by f. */
static void describe_some(struct file_lock *l, struct file *f, s32 pid, bool flocks,
						  struct text *t, u32 *number)
{
	for (; l; l = l->next) {
		if (l->file != f || (l->kind == KIND_FLOCK) != flocks ||
			(l->kind == KIND_POSIX && l->pid != pid))
			continue;
		text_add(t, "lock:\t");
		show_lock(t, ++*number, l, false);
	}
}

void file_locks_describe(struct file *f, s32 pid, struct text *t)
{
	struct lock_table *locks = table(false);
	struct file_lock of = {0};
	u32 number = 0;

	if (!locks || file_of(f, &of))
		return;
	table_lock(locks);
	describe_some(*locks_beside(locks, &of), f, pid, true, t, &number);
	describe_some(*locks_beside(locks, &of), f, pid, false, t, &number);
	kin_unlock(&locks->lock);
}

static s64 flock_file(struct file *f, u64 op)
{
	struct file_lock want = {
		.kind = KIND_FLOCK,
		.end = RANGE_END,
		.file = f,
		.pid = current->proc->kp->pid,
	};

	switch (op & ~(u64)LOCK_NB) {
	case LOCK_SH: want.type = F_RDLCK; break;
	case LOCK_EX: want.type = F_WRLCK; break;
	default: want.type = F_UNLCK; break;
	}
	s64 err = file_of(f, &want);
	if (!err)
		err = set_lock(&want, false);
	if (err != -EAGAIN)
		return err;
	/*
	 * A lock that is converted is given up first: two who both convert would wait for each other.
	 */
	struct file_lock none = want;
	none.type = F_UNLCK;
	set_lock(&none, false);
	return set_lock(&want, !(op & LOCK_NB));
}

s64 sys_flock(u64 fd, u64 op)
{
	u32 what = (u32)op & ~(u32)LOCK_NB;

	if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
		return -EINVAL;
	struct file *f = fd_get((int)fd);
	if (!f)
		return -EBADF;
	s64 err = flock_file(f, op);
	file_put(f);
	return err;
}

/*
 * Drops the locks of f, or the process locks of pid, or (neither) all; of the file that `of` names,
 * or of all (NULL).
 */
static void release(const struct file_lock *of, s32 pid, const struct file *f)
{
	struct lock_table *t = table(false);
	u64 wake = 0;
	struct file_lock *l, *next;

	if (!t || !t->count)
		return;
	table_lock(t);
	for (l = LIST_FIRST(&t->all); l; l = next) {
		next = LIST_NEXT(l, all);
		bool mine = f     ? l->kind != KIND_POSIX && l->file == f
					: pid ? l->kind == KIND_POSIX && l->pid == pid
						  : true;
		if (!mine || (of && !same_file(l, of)))
			continue;
		wake |= 1ull << (queue_of(t, l) - t->queues);
		unlink_lock(t, l);
	}
	kin_unlock(&t->lock);
	for (u32 i = 0; i < QUEUES; i++)
		if (wake & 1ull << i)
			queue_wake_all(&t->queues[i]);
}

/* Is there a lock on f's file? Without one nothing needs to be locked to know it. */
static bool may_be_locked(struct file *f, struct file_lock *of)
{
	struct lock_table *t = table(false);

	*of = (struct file_lock){0};
	return t && (f->inode ? f->inode->lock_count : t->loose_count) && file_of(f, of) == 0;
}

void locks_close(struct file *f, s32 pid)
{
	struct file_lock of;

	if (may_be_locked(f, &of))
		release(&of, pid, NULL);
}

void locks_release_file(struct file *f)
{
	struct lock_table *t = table(false);

	if (t && (f->inode ? f->inode->lock_count : t->loose_count))
		release(NULL, 0, f);
}

void locks_release_inode(struct inode *ino)
{
	struct file_lock of = {.inode = ino};

	release(&of, 0, NULL);
}

/* Death: also what the process was waiting for when it was killed. */
void locks_release_process(s32 pid)
{
	struct lock_table *t = table(false);
	struct lock_wait *w, *next;

	if (!t || !t->count)
		return;
	release(NULL, pid, NULL);
	table_lock(t);
	for (w = LIST_FIRST(&t->waits); w; w = next) {
		next = LIST_NEXT(w, link);
		if (w->want.pid != pid)
			continue;
		LIST_REMOVE(w, link);
		t->count--;
		kin_free(w);
	}
	kin_unlock(&t->lock);
}
