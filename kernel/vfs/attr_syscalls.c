/* SPDX-License-Identifier: ISC */
/*
 * System calls that change attributes: mode, owner, times, size. A host-backed inode is pinned
 * first, so that the change is there for everybody who looks the file up from then on; its data
 * stays on the host.
 */
#include <asm/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/lease.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/walk.h"

static s64 may_alter(struct inode *ino, bool append_only)
{
	if (inode_immutable(ino) || (append_only && inode_append_only(ino)))
		return -EPERM;
	return access_mount(ino);
}

/*
 * What /proc shows has attributes of its own: a change by who may make it is forgotten at once, as
 * it is on Linux with the inode. Only modes cannot be asked for.
 */
static s64 setattr(struct inode *ino, const struct inode_change *c)
{
	const struct inode_ops *ops = inode_ops(ino);

	if (!ops->setattr)
		return c->what == CHANGE_MODE ? -EPERM : 0;
	return ops->setattr(ino, c);
}

static s64 change_mode(struct inode *ino, const struct inode_change *given)
{
	struct inode_change c = *given;
	s64 err = may_alter(ino, true);

	if (!err)
		err = access_owner(ino);
	if (err)
		return err;
	if (S_ISLNK(ino->mode))
		return -EOPNOTSUPP;
	c.mode &= 07777;
	if ((ino->seals & F_SEAL_EXEC) && ((ino->mode ^ c.mode) & 0111))
		return -EPERM;
	if (!S_ISDIR(ino->mode) && !cred_in_group(ino->gid) && !cred_capable(CAP_FSETID))
		c.mode &= ~(u32)S_ISGID;
	return setattr(ino, &c);
}

static s64 change_owner(struct inode *ino, const struct inode_change *c)
{
	s64 err = may_alter(ino, true);

	if (err)
		return err;
	if (!cred_capable(CAP_CHOWN)) {
		if ((c->uid != ~0u && (c->uid != ino->uid || c->uid != cred_uid())) ||
			(c->gid != ~0u && (cred_uid() != ino->uid || !cred_in_group(c->gid))))
			return -EPERM;
	}
	return setattr(ino, c);
}

static s64 change_times(struct inode *ino, const struct inode_change *c)
{
	const s64 *t = c->times;

	if (t[0] == TIME_OMIT && t[1] == TIME_OMIT)
		return 0;
	bool both_now = t[0] == TIME_NOW && t[1] == TIME_NOW;
	s64 err = may_alter(ino, !both_now);
	if (err)
		return err;
	if (access_owner(ino)) {
		err = both_now ? access_inode(ino, MAY_WRITE) : -EPERM;
		if (err)
			return err;
	}
	return setattr(ino, c);
}

static s64 change_size(struct inode *ino, u64 size)
{
	if (S_ISDIR(ino->mode))
		return -EISDIR;
	if (!S_ISREG(ino->mode))
		return -EINVAL;
	s64 err = access_inode(ino, MAY_WRITE);
	if (!err && inode_append_only(ino))
		err = -EPERM;
	if (!err)
		err = access_mount(ino);
	if (err || !inode_ops(ino)->setattr) /* nothing of /proc gets shorter */
		return err;
	if (size > current->proc->kp->inherited.rlimit_cur[RLIMIT_FSIZE])
		return -EFBIG;
	err = lease_break(ino, O_WRONLY);
	if (!err)
		err = inode_writer_hold(ino);
	if (err)
		return err;
	err = inode_truncate(ino, size);
	inode_writer_put(ino);
	return err;
}

static s64 apply(struct inode *ino, const struct inode_change *c)
{
	if (c->refused)
		return c->refused;
	switch (c->what) {
	case CHANGE_MODE: return change_mode(ino, c);
	case CHANGE_OWNER: return change_owner(ino, c);
	case CHANGE_TIMES: return change_times(ino, c);
	default: return change_size(ino, c->size);
	}
}

/* What inotify calls a change. */
static u32 change_event(const struct inode_change *c)
{
	if (c->what == CHANGE_SIZE)
		return IN_MODIFY;
	if (c->what == CHANGE_TIMES && c->times[0] == TIME_OMIT)
		return c->times[1] == TIME_OMIT ? 0 : IN_MODIFY;
	return c->what == CHANGE_TIMES && c->times[1] == TIME_OMIT ? IN_ACCESS : IN_ATTRIB;
}

static u32 at_walk(u64 flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		   (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

static s64 apply_path(u64 dirfd, u64 path, u32 walk, const struct inode_change *c)
{
	struct walk *w;
	s64 err = walk_user(&w, (int)dirfd, path, walk);

	if (err)
		return err;
	if (walk_inode(w))
		err = apply(w->inode, c);
	else
		/* pipes and the host's standard files: accepted, kept nowhere */
		err = w->jump ? 0 : -ENOSPC;
	if (!err && w->inode)
		notify_path(w->inode, walk_text(w), change_event(c));
	walk_free(w);
	return err;
}

/*
 * Of what no file system has: all event descriptors share one inode, whose attributes are nobody's
 * to change. Those of a pipe or a socket have no effect here.
 */
static s64 change_anonymous(const struct file *f)
{
	return file_ops[f->type]->stat == anon_stat ? -EOPNOTSUPP : 0;
}

static s64 apply_fd(u64 fd, const struct inode_change *c)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 err = c->refused;
	if (!err)
		err = f->inode ? apply(f->inode, c) : change_anonymous(f);
	if (!err)
		notify_file(f, change_event(c));
	file_put(f);
	return err;
}

s64 sys_fchmodat2(u64 dirfd, u64 path, u64 mode, u64 flags)
{
	struct inode_change c = {.what = CHANGE_MODE, .mode = (u32)mode};

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return apply_path(dirfd, path, at_walk(flags), &c);
}

s64 sys_fchmodat(u64 dirfd, u64 path, u64 mode)
{
	return sys_fchmodat2(dirfd, path, mode, 0);
}

s64 sys_chmod(u64 path, u64 mode)
{
	return sys_fchmodat((u64)AT_FDCWD, path, mode);
}

s64 sys_fchmod(u64 fd, u64 mode)
{
	struct inode_change c = {.what = CHANGE_MODE, .mode = (u32)mode};

	return apply_fd(fd, &c);
}

s64 sys_fchownat(u64 dirfd, u64 path, u64 uid, u64 gid, u64 flags)
{
	struct inode_change c = {.what = CHANGE_OWNER, .uid = (u32)uid, .gid = (u32)gid};

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return apply_path(dirfd, path, at_walk(flags), &c);
}

s64 sys_chown(u64 path, u64 uid, u64 gid)
{
	return sys_fchownat((u64)AT_FDCWD, path, uid, gid, 0);
}

s64 sys_lchown(u64 path, u64 uid, u64 gid)
{
	return sys_fchownat((u64)AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

s64 sys_fchown(u64 fd, u64 uid, u64 gid)
{
	struct inode_change c = {.what = CHANGE_OWNER, .uid = (u32)uid, .gid = (u32)gid};

	return apply_fd(fd, &c);
}

static s64 time_of(s64 sec, s64 nsec, s64 *out)
{
	if (nsec == UTIME_NOW)
		*out = TIME_NOW;
	else if (nsec == UTIME_OMIT)
		*out = TIME_OMIT;
	else if (nsec < 0 || nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	else
		*out = sec * (s64)NSEC_PER_SEC + nsec;
	return 0;
}

s64 sys_utimensat(u64 dirfd, u64 path, u64 times, u64 flags)
{
	struct inode_change c = {.what = CHANGE_TIMES, .times = {TIME_NOW, TIME_NOW}};
	s64 t[4];

	if (times && copy_in(t, (const void *)times, sizeof(t)))
		return -EFAULT;
	/* Nothing to do: not even the path is looked at. */
	if (times && t[1] == UTIME_OMIT && t[3] == UTIME_OMIT)
		return 0;
	if (times && (time_of(t[0], t[1], &c.times[0]) || time_of(t[2], t[3], &c.times[1])))
		c.refused = -EINVAL;
	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!path)
		return (int)dirfd == AT_FDCWD ? -EFAULT : flags ? -EINVAL : apply_fd(dirfd, &c);
	return apply_path(dirfd, path, at_walk(flags), &c);
}

s64 sys_futimesat(u64 dirfd, u64 path, u64 times)
{
	struct inode_change c = {.what = CHANGE_TIMES, .times = {TIME_NOW, TIME_NOW}};
	s64 t[4];

	if (times) {
		if (copy_in(t, (const void *)times, sizeof(t)))
			return -EFAULT;
		for (u32 i = 0; i < 2; i++) {
			if (t[2 * i + 1] < 0 || t[2 * i + 1] >= 1000000)
				return -EINVAL;
			c.times[i] = t[2 * i] * (s64)NSEC_PER_SEC + t[2 * i + 1] * 1000;
		}
	}
	if (!path && (int)dirfd != AT_FDCWD)
		return apply_fd(dirfd, &c);
	return apply_path(dirfd, path, WALK_FOLLOW, &c);
}

s64 sys_utimes(u64 path, u64 times)
{
	return sys_futimesat((u64)AT_FDCWD, path, times);
}

s64 sys_utime(u64 path, u64 times)
{
	struct inode_change c = {.what = CHANGE_TIMES, .times = {TIME_NOW, TIME_NOW}};
	s64 t[2];

	if (times) {
		if (copy_in(t, (const void *)times, sizeof(t)))
			return -EFAULT;
		c.times[0] = t[0] * (s64)NSEC_PER_SEC;
		c.times[1] = t[1] * (s64)NSEC_PER_SEC;
	}
	return apply_path((u64)AT_FDCWD, path, WALK_FOLLOW, &c);
}

s64 sys_truncate(u64 path, u64 size)
{
	struct inode_change c = {.what = CHANGE_SIZE, .size = size};

	return (s64)size < 0 ? -EINVAL : apply_path((u64)AT_FDCWD, path, WALK_FOLLOW, &c);
}

s64 sys_ftruncate(u64 fd, u64 size)
{
	if ((s64)size < 0)
		return -EINVAL;
	struct file *f = fd_get((int)fd);
	s64 err = -EINVAL;

	if (!f)
		return -EBADF;
	if (file_ops[f->type]->truncate)
		err = file_ops[f->type]->truncate(f, size);
	if (!err)
		notify_file(f, IN_MODIFY);
	file_put(f);
	return err;
}

static s64 fallocate(struct file *f, u32 mode, u64 pos, u64 len)
{
	bool keep = mode & FALLOC_FL_KEEP_SIZE;

	if ((s64)pos < 0 || (s64)len <= 0)
		return -EINVAL;
	mode &= ~(u32)FALLOC_FL_KEEP_SIZE;
	if (mode && !(mode == FALLOC_FL_PUNCH_HOLE && keep) && mode != FALLOC_FL_ZERO_RANGE)
		return -EOPNOTSUPP;
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (f->type != FILE_INODE)
		return f->type == FILE_PIPE ? -ESPIPE : -ENODEV;
	if (pos + len > (u64)INT64_MAX)
		return -EFBIG;
	if (inode_immutable(f->inode) || (mode && inode_append_only(f->inode)))
		return -EPERM;
	u32 seals = f->inode->seals;
	if ((mode && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) ||
		((seals & F_SEAL_GROW) && !keep && pos + len > f->inode->size))
		return -EPERM;
	if (!keep && pos + len > current->proc->kp->inherited.rlimit_cur[RLIMIT_FSIZE])
		return -EFBIG;
	const struct inode_ops *ops = inode_ops(f->inode);
	if (!ops->allocate)
		return -EOPNOTSUPP;
	return ops->allocate(f->inode, mode | (keep ? FALLOC_FL_KEEP_SIZE : 0), pos, len);
}

s64 sys_fallocate(u64 fd, u64 mode, u64 pos, u64 len)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 err = fallocate(f, (u32)mode, pos, len);
	file_put(f);
	return err;
}
