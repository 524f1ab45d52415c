/* SPDX-License-Identifier: ISC */
/*
 * Descriptor tables in kin, so that survivors can close what a dead member had open.
 *
 * lock protects the entries; the owner's only thread may read them without it, because nobody
 * else writes them while it lives. Order: a table's lock, then locks below files. Death: an entry
 * changes by one store of its file (own.h), a larger array is published before the size that needs
 * it; the hint is forgotten on recovery.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"

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

/* Of size entries, in *slot. */
static struct fdtable *table_new(u32 size, struct fdtable **slot)
{
	struct fdtable *t = own_new(OWN_TABLE, sizeof(*t));
	struct fd_entry *entries = t ? own_new(OWN_MEMORY, size * sizeof(*entries)) : NULL;

	if (!entries) {
		own_free(t);
		return NULL;
	}
	own_give(&t->entries, entries);
	t->size = size;
	ref_init(&t->ref, 1);
	own_give(slot, t);
	return t;
}

int fdtable_create(struct fdtable **slot)
{
	return table_new(FIRST_SIZE, slot) ? 0 : -ENOMEM;
}

static u32 table_used(struct fdtable *t)
{
	u32 n = t->size;

	while (n > FIRST_SIZE && !t->entries[n - 1].file)
		n--;
	return n;
}

int fdtable_clone(struct fdtable *from, struct fdtable **slot)
{
	struct fdtable *to = table_new(table_used(from), slot);

	if (!to)
		return -ENOMEM;
	table_lock(from);
	u32 size = MIN(to->size, from->size);
	for (u32 fd = 0; fd < size; fd++) {
		if (!from->entries[fd].file)
			continue;
		to->entries[fd].flags = from->entries[fd].flags;
		ref_get(OWN_FILE, from->entries[fd].file, &to->entries[fd].file);
	}
	to->next_hint = from->next_hint;
	kin_unlock(&from->lock);
	return 0;
}

/* What goes when a process closes any descriptor of a file, whoever has others. */
static void descriptor_closed(struct file *f)
{
	s32 pid = current->proc->kp->pid;

	locks_close(f, pid);
	dnotify_close(f, pid);
	sockets_closed(f);
}

/* Closes entry fd if it is there and, with only_cloexec, marked. */
static void entry_close(struct fdtable *t, u32 fd, bool only_cloexec)
{
	struct own_record *r;
	struct file *f;

	table_lock(t);
	f = fd < t->size ? t->entries[fd].file : NULL;
	if (!f || (only_cloexec && !(t->entries[fd].flags & FD_CLOEXEC))) {
		kin_unlock(&t->lock);
		return;
	}
	r = ref_detach(OWN_FILE, (void **)&t->entries[fd].file, NULL);
	t->next_hint = MIN(t->next_hint, fd);
	kin_unlock(&t->lock);
	if (current && t == current->proc->kp->fds)
		descriptor_closed(f);
	ref_drop(r);
}

static void table_release(void *what)
{
	struct fdtable *t = what;

	for (u32 fd = 0; t->entries && fd < t->size; fd++)
		if (t->entries[fd].file)
			entry_close(t, fd, false);
	own_free(own_take(OWN_MEMORY, &t->entries, NULL));
}

const struct own_ops fdtable_own_ops = {
	.name = "descriptor table",
	.ref_at = offsetof(struct fdtable, ref),
	.release = table_release,
};

/* Under tree_lock, because others look into the tables of processes with no more than that. */
void fdtable_drop(struct fdtable **slot)
{
	struct own_record *dropped;

	tree_lock();
	dropped = ref_detach(OWN_TABLE, (void **)slot, NULL);
	tree_unlock();
	ref_drop(dropped);
}

int fdtable_unshare(struct fdtable **slot)
{
	struct fdtable *shared = *slot, **own = (struct fdtable **)hold_new(OWN_TABLE);
	int err;

	if (ref_count(&shared->ref) == 1)
		return 0;
	err = fdtable_clone(shared, own);
	if (err)
		return err;
	tree_lock();
	struct own_record *dropped = ref_replace(OWN_TABLE, (void **)own, (void **)slot);
	tree_unlock();
	ref_drop(dropped);
	return 0;
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

	return ref_count(&t->ref) == 1 && first && !LIST_NEXT(first, sibling);
}

struct file *fdtable_get_flags(struct fdtable *t, int fd, u32 *flags)
{
	struct file *f = NULL;

	table_lock(t);
	if ((u32)fd < t->size)
		f = t->entries[fd].file;
	if (f) {
		*flags = t->entries[fd].flags;
		file_hold(f);
	}
	kin_unlock(&t->lock);
	return f;
}

struct file *fdtable_get(struct fdtable *t, int fd)
{
	u32 flags;

	return fdtable_get_flags(t, fd, &flags);
}

struct file *fd_get_any(int fd)
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

struct file *fd_get(int fd)
{
	struct file *f = fd_get_any(fd);

	if (!f || f->type != FILE_PATH)
		return f;
	file_put(f);
	return NULL;
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

bool fdtable_any(struct fdtable *t, bool (*is)(struct file *f, void *arg), void *arg)
{
	bool found = false;

	table_lock(t);
	for (u32 i = 0; i < t->size && !found; i++)
		found = t->entries[i].file && is(t->entries[i].file, arg);
	kin_unlock(&t->lock);
	return found;
}

static u32 fd_limit(void)
{
	return MIN(current->proc->kp->inherited.rlimit_cur[RESOURCE_NOFILE], FD_LIMIT);
}

/* Under the lock: room for descriptor fd. */
static bool table_grow(struct fdtable *t, u32 fd)
{
	u32 size = t->size;
	struct fd_entry *old, *entries;

	while (size <= fd)
		size *= 2;
	entries = own_new(OWN_MEMORY, size * sizeof(*entries));
	if (!entries)
		return false;
	memcpy(entries, t->entries, t->size * sizeof(*entries));
	old = own_exchange(&t->entries, entries);
	publish(&t->size, size);
	own_free(old);
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
		t->entries[fd].flags = flags;
		ref_move(OWN_FILE, hold_of(OWN_FILE, f), &t->entries[fd].file);
	}
	kin_unlock(&t->lock);
	if (fd < 0)
		file_put(f);
	return fd;
}

int fd_replace(struct file *f, int fd, u32 flags)
{
	struct fdtable *t = own_table();
	struct own_record *dropped;
	struct file *old;

	table_lock(t);
	if ((u32)fd >= fd_limit() || ((u32)fd >= t->size && !table_grow(t, fd))) {
		kin_unlock(&t->lock);
		file_put(f);
		return -EBADF;
	}
	old = t->entries[fd].file;
	t->entries[fd].flags = flags;
	dropped = ref_replace(OWN_FILE, hold_of(OWN_FILE, f), (void **)&t->entries[fd].file);
	kin_unlock(&t->lock);
	if (old)
		descriptor_closed(old);
	ref_drop(dropped);
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
