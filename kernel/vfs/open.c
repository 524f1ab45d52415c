/* SPDX-License-Identifier: ISC */
/*
 * open: from a walked path to an open file description. What is opened decides the type of file:
 * regular data, directory, a file of /proc, a device, a FIFO, or something named through
 * /proc/self/fd.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/lease.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

/* Linux keeps these in the description; the rest only matters while opening. */
#define STATUS_FLAGS                                                                             \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_DIRECT | O_NOATIME | O_LARGEFILE | \
	 O_PATH | O_DIRECTORY | O_NOFOLLOW | FASYNC)

void file_drop_inode(struct file *f)
{
	struct inode *ino = f->inode;

	notify_file(f, (f->flags & O_ACCMODE) == O_RDONLY ? IN_CLOSE_NOWRITE : IN_CLOSE_WRITE);
	ref_put(OWN_WRITER, &f->writes);
	ref_put(OWN_EXECUTOR, &f->executes);
	void (*closed)(void) = ino ? inode_ops(ino)->closed : NULL;
	inode_drop(&f->inode);
	if (closed)
		closed();
}

/* O_PATH: names a place, nothing can be read or written. */
const struct file_ops opath_file_ops = {
	.name = "path",
	.stat = file_stat,
	.release = file_drop_inode,
};

static s64 new_file(struct inode *ino, enum file_type type, const char *path, u32 flags,
					struct file **out)
{
	struct file *f = file_alloc(type, flags & STATUS_FLAGS);

	if (!f)
		return -ENFILE;
	if (file_set_path(f, path)) {
		file_put(f);
		return -ENOSPC;
	}
	inode_give(&f->inode, ino);
	*out = f;
	notify_file(f, IN_OPEN);
	return 0;
}

static s64 open_data(struct inode *ino, const char *path, u32 flags, struct file **out)
{
	const struct inode_ops *ops = inode_ops(ino);

	if (flags & O_TRUNC) {
		s64 err = inode_truncate(ino, 0);
		if (err)
			return err;
	}
	s64 err = ops->open ? ops->open(ino, flags & O_ACCMODE) : 0;
	if (err)
		return err;
	err = new_file(ino, FILE_INODE, path, flags, out);
	if (!err && flags & O_TRUNC)
		notify_file(*out, IN_MODIFY);
	return err;
}

static s64 open_regular(struct inode *ino, const char *path, u32 flags, struct file **out)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	const struct inode_ops *ops = inode_ops(ino);
	s64 err;

	if (ops->file_type) {
		err = ops->open ? ops->open(ino, flags & O_ACCMODE) : 0;
		return err ? err : new_file(ino, ops->file_type, path, flags, out);
	}
	if (!writes && !(flags & O_TRUNC))
		return open_data(ino, path, flags, out);
	err = inode_writer_hold(ino);
	if (err)
		return err;
	err = open_data(ino, path, flags, out);
	if (!err && writes)
		ref_move(OWN_WRITER, hold_of(OWN_WRITER, ino), &(*out)->writes);
	else
		inode_writer_put(ino);
	return err;
}

static s64 may_open(struct inode *ino, u32 flags)
{
	u32 acc = flags & O_ACCMODE, want = 0;

	if (flags & OPEN_EXEC)
		want |= MAY_EXEC;
	else if (acc != O_WRONLY)
		want |= MAY_READ;
	if (acc != O_RDONLY || (flags & O_TRUNC))
		want |= MAY_WRITE;
	if ((want & MAY_WRITE) && S_ISDIR(ino->mode))
		return -EISDIR;
	if ((flags & O_TRUNC) && S_ISREG(ino->mode) && access_mount(ino))
		return -EROFS;
	s64 err = access_inode(ino, want);
	if (!err && inode_append_only(ino) &&
		((acc != O_RDONLY && !(flags & O_APPEND)) || (flags & O_TRUNC)))
		err = -EPERM;
	if (!err && (flags & O_NOATIME))
		err = access_owner(ino);
	/* A FIFO or a socket can be written wherever it lies. */
	return !err && (want & MAY_WRITE) && S_ISREG(ino->mode) ? access_mount(ino) : err;
}

/*
 * With the permissions checked: ino was just created, or may_open said yes. The caller's reference
 * goes to *out.
 */
s64 inode_open(struct inode *ino, const char *path, u32 flags, struct file **out)
{
	u32 mode = ino->mode;
	s64 err;

	if (flags & O_PATH)
		return new_file(ino, FILE_PATH, path, flags & ~(u32)O_ACCMODE, out);
	switch (mode & S_IFMT) {
	case S_IFDIR:
		if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)))
			return -EISDIR;
		return new_file(ino, FILE_DIR, path, flags, out);
	case S_IFREG:
		err = lease_break(ino, flags);
		return err ? err : open_regular(ino, path, flags, out);
	case S_IFLNK: return -ELOOP;
	case S_IFIFO:
		err = fifo_open(ino, flags & STATUS_FLAGS, out);
		if (err)
			return err;
		file_set_path(*out, path);
		inode_put(ino);
		return 0;
	case S_IFCHR:
		if (!inode_ops(ino)->open_device)
			return -ENXIO;
		err = inode_ops(ino)->open_device(ino, flags & (STATUS_FLAGS | O_NOCTTY), out);
		if (err)
			return err;
		if (!(*out)->path)
			file_set_path(*out, path);
		inode_put(ino);
		return 0;
	default: return -ENXIO; /* sockets, block devices */
	}
}

s64 file_setfl_check(struct file *f, u32 flags)
{
	/* Around what cache would the others go? */
	if (flags & O_DIRECT && f->type != FILE_PIPE && f->type != FILE_INODE &&
		f->type != FILE_HOST_IO)
		return -EINVAL;
	if (!f->inode)
		return 0;
	if (inode_append_only(f->inode) && (f->flags ^ flags) & O_APPEND)
		return -EPERM;
	return flags & O_NOATIME && !(f->flags & O_NOATIME) ? access_owner(f->inode) : 0;
}

static s64 open_new(struct walk *w, u32 flags, u32 mode, struct file **out)
{
	struct inode *ino;

	if (w->slash)
		return -EISDIR;
	mode = S_IFREG | (mode & 07777 & ~current->proc->kp->inherited.umask);
	s64 err = node_create(w, mode, 0, NULL, &ino);
	if (err)
		return err;
	err = inode_open(ino, walk_text(w), flags & ~(u32)(O_TRUNC | O_CREAT), out);
	if (err)
		inode_put(ino);
	else
		inode_named(ino, w);
	return err;
}

static s64 open_found(struct walk *w, u32 flags, struct file **out)
{
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_DIRECTORY) && !S_ISDIR(w->mode))
		return -ENOTDIR;
	if (S_ISLNK(w->mode) && !(flags & O_PATH))
		return -ELOOP;
	if (w->jump && !w->inode)
		return file_reopen(w->jump, flags, out);
	struct inode *ino = walk_inode(w);
	if (!ino)
		return -ENFILE;
	if (!(flags & O_PATH)) {
		s64 err = may_open(ino, flags);
		if (err)
			return err;
	}
	s64 err = inode_open(ino, walk_text(w), flags, out);
	if (!err)
		w->inode = NULL;
	if (!err && !w->jump && !inode_is(ino, INODE_LOWER))
		inode_named(ino, w);
	return err;
}

/* O_TMPFILE: a file without a name in that directory's file system. */
static s64 open_tmpfile(struct walk *w, u32 flags, u32 mode, struct file **out)
{
	struct inode *ino;

	if (!S_ISDIR(w->mode))
		return -ENOTDIR;
	struct inode *dir = walk_inode(w);
	if (!dir)
		return -ENFILE;
	s64 err = access_mount(dir);
	if (!err)
		err = access_inode(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (!inode_ops(dir)->create_nameless)
		return -EOPNOTSUPP;
	mode = S_IFREG | (mode & 07777 & ~current->proc->kp->inherited.umask);
	err = inode_ops(dir)->create_nameless(dir, mode, flags & O_EXCL, &ino);
	if (err)
		return err;
	if (!(flags & O_EXCL))
		ino->flags |= INODE_TMPFILE;
	/* Shown as ext4 does: a name that no file has. */
	char *path = kmalloc(WALK_TEXT);
	if (path)
		ksnprintf(path, WALK_TEXT, "%s/#%lu", strcmp(walk_text(w), "/") ? walk_text(w) : "",
				  ino->ino);
	err = path ? open_regular(ino, path, flags & ~(u32)O_TRUNC, out) : -ENOMEM;
	kfree(path);
	if (err)
		inode_put(ino);
	return err;
}

void file_pass(struct file *f)
{
	if (f->type == FILE_INODE && inode_ops(f->inode)->pass)
		inode_ops(f->inode)->pass(f->inode);
	if (f->type == FILE_SOCKET)
		socket_pass(f);
}

void files_pass(struct fdtable *t)
{
	bool needed = vfs_shared()->volume_count || KIN->sockets || KIN->published_count;

	for (int fd = 0; needed && (fd = fdtable_next(t, fd)) >= 0; fd++) {
		struct file *f = fdtable_get(t, fd);

		if (f && !(t->entries[fd].flags & FD_CLOEXEC))
			file_pass(f);
		file_put(f);
	}
}

static s64 check_flags(u32 flags)
{
	if ((flags & __O_TMPFILE) && (!(flags & O_DIRECTORY) || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	if ((flags & O_CREAT) && (flags & O_DIRECTORY) && !(flags & __O_TMPFILE))
		return -EINVAL;
	return 0;
}

enum { OPEN_AGAIN = 1 }; /* from the walk on: the name has come or gone meanwhile */

static s64 open_walked(struct walk *w, u32 flags, u32 mode, struct file **out)
{
	if ((flags & __O_TMPFILE) && !(flags & O_PATH))
		return open_tmpfile(w, flags, mode, out);
	for (u32 tries = 0;; tries++) {
		s64 err = w->found ? open_found(w, flags, out) : open_new(w, flags, mode, out);
		/*
		 * Another member created the name between lookup and insertion: open that, unless O_EXCL.
		 */
		if (err != -EEXIST || w->found || (flags & O_EXCL) || tries)
			return err;
		return OPEN_AGAIN;
	}
}

static u32 walk_flags_of(u32 flags)
{
	u32 walk = 0;

	if (flags & O_CREAT)
		walk |= WALK_CREATE;
	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		walk |= WALK_FOLLOW;
	return walk;
}

static u32 clean_flags(u32 flags)
{
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	return flags;
}

/* The flags are clean and checked. rules: WALK_NO_LINKS and the like. */
static s64 open_by_rules(int dirfd, const char *path, u32 flags, u32 mode, u32 rules,
						 struct file **out)
{
	s64 err = 0;

	for (u32 tries = 0; err >= 0 && tries < 8; tries++) {
		struct walk *w = walk_new();
		if (!w)
			return -ENOMEM;
		err = walk_path(w, dirfd, path, walk_flags_of(flags) | rules);
		if (!err)
			err = open_walked(w, flags, mode, out);
		walk_free(w);
		if (err <= 0)
			return err;
	}
	return err > 0 ? -EAGAIN : err;
}

s64 vfs_open(int dirfd, const char *path, u32 flags, u32 mode, struct file **out)
{
	flags = clean_flags(flags);
	s64 err = check_flags(flags);

	return err ? err : open_by_rules(dirfd, path, flags, mode, 0, out);
}

/*
 * Programs of 64 bits say O_LARGEFILE whether they want or not, but not to openat2: the callers add
 * it.
 */
static s64 open_user(int dirfd, u64 path, u64 flags, u64 mode, u32 rules)
{
	struct file *f = NULL;
	u32 cleaned = clean_flags((u32)flags & ~(u32)OPEN_EXEC);
	s64 n = check_flags(cleaned);
	char *text = n ? NULL : kpages_alloc(1);

	if (!text)
		return n ? n : -ENOMEM;
	n = string_in(text, (const void *)path, VFS_PATH_MAX);
	if (n >= 0)
		n = open_by_rules(dirfd, text, cleaned, (u32)mode, rules, &f);
	kpages_free(text, 1);
	if (n < 0)
		return n;
	return fd_install(f, 0, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_openat(u64 dirfd, u64 path, u64 flags, u64 mode)
{
	return open_user((int)dirfd, path, flags | O_LARGEFILE, mode, 0);
}

s64 sys_open(u64 path, u64 flags, u64 mode)
{
	return open_user(AT_FDCWD, path, flags | O_LARGEFILE, mode, 0);
}

s64 sys_creat(u64 path, u64 mode)
{
	return open_user(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode, 0);
}

#define RESOLVE_KNOWN                                                                  \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | \
	 RESOLVE_IN_ROOT | RESOLVE_CACHED)

static u32 walk_rules(u64 resolve)
{
	u32 rules = 0;

	if (resolve & RESOLVE_NO_SYMLINKS)
		rules |= WALK_NO_LINKS | WALK_NO_MAGIC;
	if (resolve & RESOLVE_NO_MAGICLINKS)
		rules |= WALK_NO_MAGIC;
	if (resolve & RESOLVE_BENEATH)
		rules |= WALK_BENEATH;
	if (resolve & RESOLVE_IN_ROOT)
		rules |= WALK_IN_ROOT;
	if (resolve & RESOLVE_NO_XDEV)
		rules |= WALK_NO_XDEV;
	return rules;
}

#define OPEN_FLAGS                                                                        \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
	 O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
	 O_CLOEXEC | O_PATH | __O_TMPFILE)

/* openat2 refuses what the older calls ignore. */
s64 sys_openat2(u64 dirfd, u64 path, u64 how, u64 size)
{
	struct open_how h;
	s64 err = size < sizeof(h) ? -EINVAL : struct_in(&h, sizeof(h), (const void *)how, size);

	if (err)
		return err;
	if (h.flags & ~(u64)OPEN_FLAGS ||
		(h.flags & O_PATH && h.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) ||
		(h.mode && !(h.flags & (O_CREAT | __O_TMPFILE))) || h.mode & ~07777ull)
		return -EINVAL;
	if ((h.resolve & ~(u64)RESOLVE_KNOWN) ||
		(h.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) == (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (h.resolve & RESOLVE_CACHED)
		return -EAGAIN; /* what is cached is not known: the caller tries again without it */
	return open_user((int)dirfd, path, h.flags, h.mode, walk_rules(h.resolve));
}
