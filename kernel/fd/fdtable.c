/* SPDX-License-Identifier: ISC */
/*
 * Descriptor tables in kin, so that survivors can close what a dead member had open.
 *
 * lock protects the entries; the owner's only thread may read them without it, because nobody
 * else writes them while it lives. Order: tables_lock, a table's lock, then locks below files.
 * Death: an entry changes by one store of its file, a larger array is published before the size
 * that needs it; the hint is forgotten on recovery. Counts: see file.c.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"

#define TABLE_MAGIC 0x73646674u
#define FIRST_SIZE 32
#define FD_LIMIT 1048576u
#define RESOURCE_NOFILE 7

static bool table_recover(void *arg)
{
	struct fdtable *t = arg;

	t->next_hint = 0;
	return true;
}

static void table_lock(struct fdtable *t)
{
	kin_lock_recover(&t->lock, table_recover, t);
}

static bool tables_recover(void *arg)
{
	for (struct fdtable **link = &ROOT->tables; *link; link = &(*link)->next)
		(*link)->prev = link;
	return true;
}

static void tables_lock(void)
{
	kin_lock_recover(&ROOT->tables_lock, tables_recover, NULL);
}

/* In the member's record (table_intent) until the caller has put it where burial looks: slot. */
static struct fdtable *table_new(u32 size, struct fdtable **slot)
{
	struct member_record *r = record_self();
	struct fdtable *t = kin_alloc(sizeof(*t));

	if (!t)
		return NULL;
	t->entries = kin_alloc(size * sizeof(*t->entries));
	if (!t->entries) {
		kin_free(t, sizeof(*t));
		return NULL;
	}
	t->size = size;
	t->magic = TABLE_MAGIC;
	t->prev = &ROOT->tables; /* not linked, and burial can see that */
	atomic_store(&t->refs, 1);
	r->table_slot = slot;
	publish(&r->table_intent, t);
	tables_lock();
	t->next = ROOT->tables;
	publish(&ROOT->tables, t);
	if (t->next)
		t->next->prev = &t->next;
	kin_unlock(&ROOT->tables_lock);
	return t;
}

static void table_settled(void)
{
	publish(&record_self()->table_intent, NULL);
}

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = table_new(FIRST_SIZE, NULL);

	table_settled();
	return t;
}

/* Fills an empty table that is in the list already; the count goes up before the entry is there. */
static void table_fill(struct fdtable *to, struct fdtable *from)
{
	u32 size = MIN(to->size, from->size);

	table_lock(from);
	for (u32 fd = 0; fd < size; fd++) {
		struct file *f = from->entries[fd].file;

		if (!f)
			continue;
		ref_begin(f);
		atomic_fetch_add(&f->refs, 1);
		to->entries[fd].flags = from->entries[fd].flags;
		publish(&to->entries[fd].file, f);
		ref_end();
	}
	to->next_hint = from->next_hint;
	kin_unlock(&from->lock);
}

static u32 table_used(struct fdtable *t)
{
	u32 n = t->size;

	while (n > FIRST_SIZE && !t->entries[n - 1].file)
		n--;
	return n;
}

struct fdtable *fdtable_clone(struct fdtable *t)
{
	struct fdtable *copy = table_new(table_used(t), NULL);

	if (!copy)
		return NULL;
	table_fill(copy, t);
	table_settled();
	return copy;
}

int fdtable_clone_to(struct fdtable **slot, struct fdtable *t)
{
	struct fdtable *copy = table_new(table_used(t), slot);

	if (!copy)
		return -ENOMEM;
	publish(slot, copy);
	table_settled();
	table_fill(copy, t);
	return 0;
}

/* Closes entry fd if it is there and, with only_cloexec, marked. */
static void entry_close(struct fdtable *t, u32 fd, bool only_cloexec)
{
	struct file *f;

	table_lock(t);
	f = fd < t->size ? t->entries[fd].file : NULL;
	if (!f || (only_cloexec && !(t->entries[fd].flags & FD_CLOEXEC))) {
		kin_unlock(&t->lock);
		return;
	}
	ref_begin(f);
	publish(&t->entries[fd].file, NULL);
	t->next_hint = MIN(t->next_hint, fd);
	kin_unlock(&t->lock);
	if (f->inode && current && t == current->proc->kp->fds)
		locks_close(f->inode, current->proc->kp->pid);
	file_unref(f);
}

static void table_free(struct fdtable *t)
{
	struct fd_entry *entries = t->entries;
	u32 size = t->size;

	for (u32 fd = 0; fd < size; fd++)
		if (entries[fd].file)
			entry_close(t, fd, false);
	tables_lock();
	if (*t->prev == t) {
		publish(t->prev, t->next);
		if (t->next)
			t->next->prev = t->prev;
	}
	kin_unlock(&ROOT->tables_lock);
	publish(&t->magic, 0);
}

static void table_free_memory(struct fdtable *t)
{
	kin_free(t->entries, t->size * sizeof(*t->entries));
	kin_free(t, sizeof(*t));
}

/*
 * Whether the caller was the last user of t. A count of 0 is that of a release that was cut
 * short.
 */
static bool table_unref(struct fdtable *t)
{
	return atomic_load(&t->refs) == 0 || atomic_fetch_sub(&t->refs, 1) == 1;
}

void fdtable_release(struct fdtable *t)
{
	if (t->magic != TABLE_MAGIC || !table_unref(t))
		return;
	table_free(t);
	table_free_memory(t);
}

void fdtable_drop(struct fdtable **slot)
{
	struct member_record *r = record_self();
	struct fdtable *t = *slot;

	if (!t)
		return;
	r->table_slot = slot;
	publish(&r->table_intent, t);
	publish(slot, NULL);
	bool last = t->magic == TABLE_MAGIC && table_unref(t);
	if (last)
		table_free(t);
	publish(&r->table_intent, NULL);
	if (last)
		table_free_memory(t);
}

void fdtable_bury(struct member_record *r)
{
	struct fdtable *t = r->table_intent;

	if (!t)
		return;
	if (r->table_slot && *r->table_slot == t)
		publish(r->table_slot, NULL);
	if (t->magic == TABLE_MAGIC && table_unref(t)) {
		table_free(t);
		publish(&r->table_intent, NULL);
		table_free_memory(t);
	}
	publish(&r->table_intent, NULL);
}

u32 fdtables_count(struct file *f)
{
	u32 n = 0;

	tables_lock();
	for (struct fdtable *t = ROOT->tables; t; t = t->next) {
		/* The size first: the array that it belongs to, or a larger one, is there by then. */
		u32 size = __atomic_load_n(&t->size, __ATOMIC_ACQUIRE);
		struct fd_entry *entries = __atomic_load_n(&t->entries, __ATOMIC_ACQUIRE);

		for (u32 fd = 0; fd < size; fd++)
			n += entries[fd].file == f;
	}
	kin_unlock(&ROOT->tables_lock);
	return n;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (u32 fd = 0; fd < t->size; fd++)
		if (t->entries[fd].file && t->entries[fd].flags & FD_CLOEXEC)
			entry_close(t, fd, true);
}

/* ---- of the current process */

static inline struct fdtable *own_table(void)
{
	return current->proc->kp->fds;
}

/* Nobody else can change the table while the current call runs. */
static bool table_ours_alone(struct fdtable *t)
{
	struct thread *first = LIST_FIRST(&current->proc->threads);

	return atomic_load_explicit(&t->refs, memory_order_relaxed) == 1 && first &&
	       !LIST_NEXT(first, sibling);
}

struct file *fdtable_get(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	table_lock(t);
	if ((u32)fd < t->size)
		f = t->entries[fd].file;
	if (f)
		file_hold(f);
	kin_unlock(&t->lock);
	return f;
}

struct file *fd_get(int fd)
{
	struct fdtable *t = own_table();
	struct file *f;

	if (!table_ours_alone(t))
		return fdtable_get(t, fd);
	f = (u32)fd < t->size ? t->entries[fd].file : NULL;
	if (f && !file_borrow(f))
		return fdtable_get(t, fd);
	return f;
}

int fdtable_next(struct fdtable *t, int fd)
{
	int found = -1;

	table_lock(t);
	for (u32 i = MAX(fd, 0); i < t->size && found < 0; i++)
		if (t->entries[i].file)
			found = i;
	kin_unlock(&t->lock);
	return found;
}

static u32 fd_limit(void)
{
	return MIN(current->proc->rlimit_cur[RESOURCE_NOFILE], FD_LIMIT);
}

/* Under the lock: room for descriptor fd. */
static bool table_grow(struct fdtable *t, u32 fd)
{
	u32 size = t->size, old_size = t->size;
	struct fd_entry *old = t->entries, *entries;

	while (size <= fd)
		size *= 2;
	entries = kin_alloc(size * sizeof(*entries));
	if (!entries)
		return false;
	memcpy(entries, old, old_size * sizeof(*entries));
	publish(&t->entries, entries);
	publish(&t->size, size);
	kin_free(old, old_size * sizeof(*old));
	return true;
}

/* Under the lock: the lowest free descriptor, or -EMFILE, -ENOMEM. */
static int fd_find(struct fdtable *t, u32 lowest)
{
	u32 fd = MAX(lowest, t->next_hint);

	while (fd < t->size && t->entries[fd].file)
		fd++;
	if (fd >= fd_limit())
		return -EMFILE;
	if (fd >= t->size && !table_grow(t, fd))
		return -ENOMEM;
	if (lowest <= t->next_hint)
		t->next_hint = fd + 1;
	return fd;
}

int fd_install(struct file *f, int lowest, u32 flags)
{
	struct fdtable *t = own_table();
	int fd;

	table_lock(t);
	fd = fd_find(t, lowest);
	if (fd >= 0) {
		ref_begin(f);
		holding_forget(f);
		t->entries[fd].flags = flags;
		publish(&t->entries[fd].file, f);
		ref_end();
	}
	kin_unlock(&t->lock);
	if (fd < 0)
		file_put(f);
	return fd;
}

int fd_replace(struct file *f, int fd, u32 flags)
{
	struct fdtable *t = own_table();
	struct file *old;

	table_lock(t);
	if ((u32)fd >= fd_limit() || ((u32)fd >= t->size && !table_grow(t, fd))) {
		kin_unlock(&t->lock);
		file_put(f);
		return -EBADF;
	}
	ref_begin(f);
	holding_forget(f);
	old = t->entries[fd].file;
	if (old)
		ref_begin(old);
	t->entries[fd].flags = flags;
	publish(&t->entries[fd].file, f);
	kin_unlock(&t->lock);
	if (old && old->inode)
		locks_close(old->inode, current->proc->kp->pid);
	if (old)
		file_unref(old);
	ref_end();
	return fd;
}

int fd_install_at(struct file *f, int fd, u32 flags)
{
	return fd_replace(f, fd, flags);
}

int fd_close(int fd)
{
	struct fdtable *t = own_table();

	if ((u32)fd >= t->size || !t->entries[fd].file)
		return -EBADF;
	entry_close(t, fd, false);
	return 0;
}

int fd_flags_get(int fd)
{
	struct fdtable *t = own_table();
	int flags = -EBADF;

	table_lock(t);
	if ((u32)fd < t->size && t->entries[fd].file)
		flags = t->entries[fd].flags;
	kin_unlock(&t->lock);
	return flags;
}

int fd_flags_set(int fd, u32 flags)
{
	struct fdtable *t = own_table();
	int err = -EBADF;

	table_lock(t);
	if ((u32)fd < t->size && t->entries[fd].file) {
		t->entries[fd].flags = flags;
		err = 0;
	}
	kin_unlock(&t->lock);
	return err;
}

void fd_range(u32 first, u32 last, bool cloexec)
{
	struct fdtable *t = own_table();

	for (u32 fd = first; fd < t->size && fd <= last; fd++) {
		if (!t->entries[fd].file)
			continue;
		if (cloexec)
			fd_flags_set(fd, FD_CLOEXEC);
		else
			entry_close(t, fd, false);
	}
}

int fd_unshare(void)
{
	struct kin_proc *kp = current->proc->kp;
	struct fdtable *shared = kp->fds, *copy;

	if (atomic_load(&shared->refs) == 1)
		return 0;
	copy = fdtable_clone(shared);
	if (!copy)
		return -ENOMEM;
	publish(&kp->fds, copy);
	fdtable_release(shared);
	return 0;
}
