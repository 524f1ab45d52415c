/* SPDX-License-Identifier: ISC */
/*
 * fcntl(F_NOTIFY): the owner of an open directory hears, by a signal, that something in it has
 * changed. A watch as inotify's (notify.h), of a process and an open file: it goes when that
 * process closes a descriptor of the file, or ends. Source: fcntl(2), "File and directory change
 * notification".
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/fd/fd_owner.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/notify.h"

static u32 events_of(u32 wanted)
{
	static const struct {
		u32 dn, in;
	} table[] = {
		{DN_ACCESS, IN_ACCESS},
		{DN_MODIFY, IN_MODIFY},
		{DN_CREATE, IN_CREATE | IN_MOVED_TO},
		{DN_DELETE, IN_DELETE | IN_MOVED_FROM},
		{DN_RENAME, IN_MOVED_FROM},
		{DN_ATTRIB, IN_ATTRIB},
	};
	u32 events = 0;

	for (u32 i = 0; i < ARRAY_SIZE(table); i++)
		if (wanted & table[i].dn)
			events |= table[i].in;
	return events;
}

/* Under the table's lock: of that open file unless it is NULL, and that process unless it is 0. */
static struct watch *find(struct watch_table *t, const struct file *f, s32 pid)
{
	struct watch *w = t->directories.watches;

	while (w && ((f && w->file != f) || (pid && w->pid != pid)))
		w = w->of_instance;
	return w;
}

static void forget(const struct file *f, s32 pid)
{
	struct watch_table *t = watch_table(false);
	struct watch *w;

	if (!t || (f && f->type != FILE_DIR) || !t->directories.watches)
		return;
	do {
		watch_table_lock(t);
		w = find(t, f, pid);
		if (w)
			watch_unlink(t, w);
		kin_unlock(&t->lock);
		if (w)
			watch_free(w);
	} while (w);
}

void dnotify_close(struct file *f, s32 pid)
{
	forget(f, pid);
}

void dnotify_release(struct file *f)
{
	forget(f, 0);
}

void dnotify_release_process(s32 pid)
{
	forget(NULL, pid);
}

s64 dnotify_fcntl(struct file *f, s32 fd, u64 arg)
{
	struct watch like = {.file = f, .fd = fd, .pid = current->proc->kp->pid,
						 .mask = events_of((u32)arg), .once = !(arg & DN_MULTISHOT)};

	if (!((u32)arg & ~DN_MULTISHOT)) {
		forget(f, like.pid);
		return 0;
	}
	if (f->type != FILE_DIR)
		return -ENOTDIR;
	struct watch_table *t = watch_table(true);
	s64 err = t ? owner_default(f) : -ENOMEM;
	if (err)
		return err;
	watch_table_lock(t);
	struct watch *old = find(t, f, like.pid);
	if (old) {
		old->mask |= like.mask;
		old->once &= like.once;
		old->fd = fd;
	}
	kin_unlock(&t->lock);
	if (old)
		return 0;
	inode_get(f->inode);
	err = watch_add_directory(t, &like, f->inode, f->path ? f->path : "");
	return err < 0 ? err : 0;
}
