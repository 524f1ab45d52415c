/* SPDX-License-Identifier: ISC */
/*
 * Open file descriptions and their references, each of which has an owner in kin (OWN_FILE of
 * own.h): an entry of a descriptor table, a hold of a call in progress, a message on its way, the
 * record of a mapping.
 *
 * A process with one thread, whose table nobody shares, borrows: while its call runs the entry
 * cannot go away, so fd_get counts nothing and remembers the loan privately.
 */
#include <stdatomic.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fd_owner.h"
#include "kernel/fd/fdtable.h"
#include "kernel/kin/kin_text.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"

/* ---- loans */

bool file_borrow(struct file *f)
{
	struct thread_kin *k = thread_kin(current);

	if (k->nborrowed == k->borrowed_cap) {
		u32 cap = k->borrowed_cap ? k->borrowed_cap * 2 : 8;
		struct file **list = array_move(kmalloc(cap * sizeof(*list)), k->borrowed,
										k->nborrowed * sizeof(*list));

		if (!list)
			return false;
		k->borrowed = list;
		k->borrowed_cap = cap;
	}
	k->borrowed[k->nborrowed++] = f;
	return true;
}

static bool file_repay(struct file *f)
{
	struct thread_kin *k = thread_kin(current);

	for (u32 i = k->nborrowed; i-- > 0;)
		if (k->borrowed[i] == f) {
			k->borrowed[i] = k->borrowed[--k->nborrowed];
			return true;
		}
	return false;
}

/* ---- files */

struct file *file_alloc(enum file_type type, u32 flags)
{
	struct file *f = own_new(OWN_MEMORY, sizeof(*f));

	if (!f)
		return NULL;
	f->type = type;
	atomic_store(&f->flags, flags);
	f->owner_pid = current ? current->proc->kp->pid : 1;
	ref_init(&f->ref, 1);
	own_give(hold_new(OWN_FILE), f);
	return f;
}

void file_hold(struct file *f)
{
	ref_get(OWN_FILE, f, hold_new(OWN_FILE));
}

int file_set_path(struct file *f, const char *path)
{
	return own_give_if(&f->path, kin_string(path, strlen(path))) ? 0 : -ENOSPC;
}

/* ---- for kernel/mm */

u32 file_open_flags(const struct file *f)
{
	return f->type == FILE_PATH ? O_PATH : f->flags;
}

s64 file_describe(struct file *f, struct kstat *st)
{
	return file_ops[f->type]->stat ? file_ops[f->type]->stat(f, st) : -ENOSYS;
}

/* ---- the end of a reference */

void file_put(struct file *f)
{
	if (!f || file_repay(f))
		return;
	void **hold = hold_of(OWN_FILE, f);
	if (!hold)
		family_fatal("file %p of type %u: a reference that nobody holds was put", (void *)f,
			     f->type);
	ref_put(OWN_FILE, hold);
}

/* Operations do no harm if they are repeated: pointers go to NULL as what they own goes. */
static void file_release(void *what)
{
	struct file *f = what;

	if (f->epoll_items || f->epoll_step)
		epoll_file_gone(f);
	lease_release(f);
	dnotify_release(f);
	owner_gone(f);
	locks_release_file(f);
	if (file_ops[f->type]->release)
		file_ops[f->type]->release(f);
	own_free(own_take(OWN_MEMORY, &f->path, NULL));
}

const struct own_ops file_own_ops = {
	.name = "open file",
	.ref_at = offsetof(struct file, ref),
	.release = file_release,
};

s64 seek_endless(struct file *f, s64 offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	return offset < 0 ? -EINVAL : offset;
}

s64 seek_nowhere(struct file *f, s64 offset, int whence)
{
	return f->pos;
}

/* What fstat says of files that are in no directory: event descriptors and the like. */
s64 anon_stat(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->dev = ANON_INODE_DEV;
	st->ino = 1;
	st->mode = 0600;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}
