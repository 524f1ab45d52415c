/* SPDX-License-Identifier: ISC */
/*
 * System calls that look without changing anything: stat and its family, access, readlink,
 * statfs.
 */
#include <asm/errno.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/securebits.h>

#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/walk.h"

#define ANON_DEV 13
#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

s64 file_stat(struct file *f, struct kstat *st)
{
	const struct file_ops *ops = file_ops[f->type];

	memset(st, 0, sizeof(*st));
	if (f->inode) {
		inode_refresh(f->inode);
		inode_stat(f->inode, st);
		return 0;
	}
	if (ops->stat && ops->stat != file_stat)
		return ops->stat(f, st);
	st->dev = ANON_DEV; /* epoll, eventfd, ...: Linux's anonymous inode */
	st->ino = 1;
	st->mode = 0600;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}

static u32 lookup_flags(u64 at_flags)
{
	return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		   (at_flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

s64 vfs_stat(int dirfd, const char *path, u32 at_flags, struct kstat *st)
{
	struct walk *w = walk_new();

	if (!w)
		return -ENOMEM;
	s64 err = walk_path(w, dirfd, path, lookup_flags(at_flags));
	if (!err)
		walk_stat(w, st);
	walk_free(w);
	return err;
}

static s64 stat_user(int dirfd, u64 path, u64 at_flags, struct kstat *st)
{
	struct walk *w;
	char first;

	/* glibc's fstat: no path to walk. A null pointer counts as empty since Linux 6.11. */
	if ((at_flags & AT_EMPTY_PATH) && dirfd >= 0 &&
		(!path || (!copy_in(&first, (const void *)path, 1) && !first))) {
		struct file *f = fd_get_any(dirfd);
		if (!f)
			return -EBADF;
		s64 err = file_stat(f, st);
		file_put(f);
		return err;
	}
	if (!path && at_flags & AT_EMPTY_PATH)
		return vfs_stat(dirfd, "", (u32)at_flags, st);
	s64 err = walk_user(&w, dirfd, path, lookup_flags(at_flags));
	if (err)
		return err;
	walk_stat(w, st);
	walk_free(w);
	return 0;
}

/* Rounds down, also before 1970. */
static s64 seconds(s64 ns, u64 *rest)
{
	s64 s = ns / (s64)NSEC_PER_SEC, r = ns % (s64)NSEC_PER_SEC;

	if (r < 0) {
		r += NSEC_PER_SEC;
		s--;
	}
	*rest = (u64)r;
	return s;
}

static s64 put_stat(u64 buf, const struct kstat *k)
{
	struct stat st;
	u64 ns;

	memset(&st, 0, sizeof(st));
	st.st_dev = k->dev;
	st.st_ino = k->ino;
	st.st_nlink = k->nlink;
	st.st_mode = k->mode;
	st.st_uid = k->uid;
	st.st_gid = k->gid;
	st.st_rdev = k->rdev;
	st.st_size = (s64)k->size;
	st.st_blksize = (s64)k->blksize;
	st.st_blocks = (s64)k->blocks;
	st.st_atime = (u64)seconds(k->atime_ns, &ns);
	st.st_atime_nsec = ns;
	st.st_mtime = (u64)seconds(k->mtime_ns, &ns);
	st.st_mtime_nsec = ns;
	st.st_ctime = (u64)seconds(k->ctime_ns, &ns);
	st.st_ctime_nsec = ns;
	return copy_out((void *)buf, &st, sizeof(st)) ? -EFAULT : 0;
}

s64 sys_newfstatat(u64 dirfd, u64 path, u64 buf, u64 flags)
{
	struct kstat st;

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	s64 err = stat_user((int)dirfd, path, flags, &st);
	return err ? err : put_stat(buf, &st);
}

s64 sys_stat(u64 path, u64 buf)
{
	return sys_newfstatat((u64)AT_FDCWD, path, buf, 0);
}

s64 sys_lstat(u64 path, u64 buf)
{
	return sys_newfstatat((u64)AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

s64 sys_fstat(u64 fd, u64 buf)
{
	struct file *f = fd_get_any((int)fd);
	struct kstat st;

	if (!f)
		return -EBADF;
	s64 err = file_stat(f, &st);
	file_put(f);
	return err ? err : put_stat(buf, &st);
}

static void put_time(struct statx_timestamp *t, s64 ns)
{
	u64 rest;

	t->tv_sec = seconds(ns, &rest);
	t->tv_nsec = (u32)rest;
}

static u32 dev_major(u64 dev)
{
	return (u32)((dev >> 8 & 0xfff) | (dev >> 32 & ~0xfffull));
}

static u32 dev_minor(u64 dev)
{
	return (u32)((dev & 0xff) | (dev >> 12 & ~0xffull));
}

s64 sys_statx(u64 dirfd, u64 path, u64 flags, u64 mask, u64 buf)
{
	struct statx x;
	struct kstat k;

	if (flags &
			~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE) ||
		(mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	s64 err = stat_user((int)dirfd, path, flags, &k);
	if (err)
		return err;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
	x.stx_blksize = (u32)k.blksize;
	x.stx_nlink = k.nlink;
	x.stx_uid = k.uid;
	x.stx_gid = k.gid;
	x.stx_mode = (u16)k.mode;
	x.stx_ino = k.ino;
	x.stx_size = k.size;
	x.stx_blocks = k.blocks;
	put_time(&x.stx_atime, k.atime_ns);
	put_time(&x.stx_mtime, k.mtime_ns);
	put_time(&x.stx_ctime, k.ctime_ns);
	put_time(&x.stx_btime, k.btime_ns);
	x.stx_rdev_major = dev_major(k.rdev);
	x.stx_rdev_minor = dev_minor(k.rdev);
	x.stx_dev_major = dev_major(k.dev);
	x.stx_dev_minor = dev_minor(k.dev);
	return copy_out((void *)buf, &x, sizeof(x)) ? -EFAULT : 0;
}

s64 sys_faccessat2(u64 dirfd, u64 path, u64 mode, u64 flags)
{
	struct kstat st;

	if (mode & ~7ull || flags & ~(u64)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	s64 err = stat_user((int)dirfd, path, flags, &st);
	if (err || !mode)
		return err;
	struct proc_inherited *in = &current->proc->kp->inherited;
	struct access_as as = {cred_uid(), cred_gid(), cred_caps()};
	/* access(2) asks for who the user really is, with the capabilities that one would have. */
	if (!(flags & AT_EACCESS)) {
		as = (struct access_as){in->uid, in->gid, in->caps_effective};
		if (!(in->securebits & SECBIT_NO_SETUID_FIXUP))
			as.caps = in->uid ? 0 : in->caps_permitted;
	}
	err = access_check_as(st.mode, st.uid, st.gid, (u32)mode, &as);
	/* A FIFO, a socket or a device can be written wherever it lies. */
	bool content = S_ISREG(st.mode) || S_ISDIR(st.mode) || S_ISLNK(st.mode);
	return !err && (mode & MAY_WRITE) && content && st.read_only ? -EROFS : err;
}

s64 sys_faccessat(u64 dirfd, u64 path, u64 mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

s64 sys_access(u64 path, u64 mode)
{
	return sys_faccessat2((u64)AT_FDCWD, path, mode, 0);
}

s64 sys_readlinkat(u64 dirfd, u64 path, u64 buf, u64 size)
{
	static char text[VFS_PATH_MAX];
	const char *target;
	struct walk *w;

	if ((s32)size <= 0)
		return -EINVAL;
	s64 err = walk_user(&w, (int)dirfd, path, WALK_EMPTY);
	if (err)
		return err;
	/* "" is a link's descriptor; of anything else there is no such name. */
	s64 n = *w->text[1] ? -EINVAL : -ENOENT;
	if (S_ISLNK(w->mode) && w->last == LAST_NAME)
		n = walk_readlink(w, text, &target, NULL);
	if (n > 0) {
		n = MIN(n, (s64)(s32)size);
		if (copy_out((void *)buf, target, (size_t)n))
			n = -EFAULT;
	}
	walk_free(w);
	return n;
}

s64 sys_readlink(u64 path, u64 buf, u64 size)
{
	return sys_readlinkat((u64)AT_FDCWD, path, buf, size);
}

static s64 put_statfs(u64 buf, enum inode_fs fs, u32 volume)
{
	const struct inode_ops *ops = file_systems[fs];
	struct statfs s;

	memset(&s, 0, sizeof(s));
	s.f_type = ops->magic;
	s.f_bsize = s.f_frsize = PAGE_SIZE;
	s.f_namelen = 255;
	s.f_fsid.val[0] = (int)inode_device(fs);
	s64 err = ops->statfs ? ops->statfs(volume, &s) : 0;
	if (err)
		return err;
	s.f_flags = mount_flags(fs, volume);
	return copy_out((void *)buf, &s, sizeof(s)) ? -EFAULT : 0;
}

/* Nobody's inode: what is anonymous counts as memory. */
static s64 put_statfs_of(u64 buf, const struct inode *ino, enum inode_fs otherwise)
{
	return ino ? put_statfs(buf, inode_fs(ino), ino->volume) : put_statfs(buf, otherwise, 0);
}

s64 sys_statfs(u64 path, u64 buf)
{
	struct walk *w;
	s64 err = walk_user(&w, AT_FDCWD, path, WALK_FOLLOW);

	if (err)
		return err;
	err = put_statfs_of(buf, w->inode, w->jump ? FS_MEMFD : FS_ROOT);
	walk_free(w);
	return err;
}

s64 sys_fstatfs(u64 fd, u64 buf)
{
	struct file *f = fd_get_any((int)fd);

	if (!f)
		return -EBADF;
	s64 err = put_statfs_of(buf, f->inode, FS_MEMFD);
	file_put(f);
	return err;
}
