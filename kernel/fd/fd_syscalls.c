/* SPDX-License-Identifier: ISC */
/* System calls on descriptors: close, dup, fcntl, ioctl. Source: the man pages of these names. */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fd_owner.h"
#include "kernel/fd/fdtable.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

#define RESOURCE_NOFILE 7
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT)

s64 fd_install_pair(struct file *pair[2], u32 flags, u64 fds)
{
	u32 cloexec = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
	s32 fd[2];

	fd[0] = fd_install(pair[0], 0, cloexec);
	if (fd[0] < 0) {
		file_put(pair[1]);
		return fd[0];
	}
	fd[1] = fd_install(pair[1], 0, cloexec);
	if (fd[1] < 0) {
		fd_close(fd[0]);
		return fd[1];
	}
	if (copy_out((void *)fds, fd, sizeof(fd))) {
		fd_close(fd[0]);
		fd_close(fd[1]);
		return -EFAULT;
	}
	return 0;
}

s64 sys_close(u64 fd)
{
	return fd_close(fd);
}

s64 sys_close_range(u64 first, u64 last, u64 flags)
{
	if (flags & ~(u64)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || (u32)first > (u32)last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		int err = fdtable_unshare(&current->proc->kp->fds);

		if (err)
			return err;
	}
	fd_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
	return 0;
}

static s64 dup_lowest(struct file *f, u64 lowest, u32 flags)
{
	if (lowest >= current->proc->kp->inherited.rlimit_cur[RESOURCE_NOFILE])
		return -EINVAL;
	file_hold(f);
	return fd_install(f, lowest, flags);
}

s64 sys_dup(u64 fd)
{
	struct file *f = fd_get_any(fd);
	s64 r;

	if (!f)
		return -EBADF;
	file_hold(f);
	r = fd_install(f, 0, 0);
	file_put(f);
	return r;
}

static s64 dup_to(u64 from, u64 to, u32 flags)
{
	struct file *f = fd_get_any(from);
	s64 r;

	if (!f)
		return -EBADF;
	file_hold(f);
	r = fd_install_at(f, to, flags);
	file_put(f);
	return r;
}

s64 sys_dup2(u64 from, u64 to)
{
	if ((u32)from == (u32)to)
		return fd_flags_get(from) < 0 ? -EBADF : (s64)(u32)to;
	return dup_to(from, to, 0);
}

s64 sys_dup3(u64 from, u64 to, u64 flags)
{
	if (flags & ~(u64)O_CLOEXEC || (u32)from == (u32)to)
		return -EINVAL;
	return dup_to(from, to, flags ? FD_CLOEXEC : 0);
}

/* Changes the status flags in mask; others may change others at the same time. */
static void flags_change(struct file *f, u32 mask, u32 value)
{
	u32 old = atomic_load(&f->flags);

	while (!atomic_compare_exchange_weak(&f->flags, &old, (old & ~mask) | (value & mask)))
		;
}

static s64 fcntl_setfl(struct file *f, s32 fd, u64 arg)
{
	bool async = atomic_load(&f->flags) & FASYNC;
	s64 err = file_setfl_check(f, (u32)arg);

	if (err)
		return err;
	if (!(arg & FASYNC) != !async)
		err = owner_async(f, fd, arg & FASYNC);
	if (err && err != -ENOTTY) /* which is no error here: it has no effect */
		return err;
	flags_change(f, SETFL_MASK, arg);
	return 0;
}

static s64 fcntl_file(struct file *f, s32 fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_GETFL:
		return atomic_load(&f->flags) & ~(u32)O_CLOEXEC;
	case F_SETFL:
		return fcntl_setfl(f, fd, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_fcntl(f, cmd, arg);
	case F_SETLEASE:
	case F_GETLEASE:
		return lease_fcntl(f, fd, cmd, arg);
	case F_NOTIFY:
		return dnotify_fcntl(f, fd, arg);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return pipe_fcntl(f, cmd, arg);
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
		return write_hint_fcntl(f, cmd, arg);
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return seals_fcntl(f, cmd, arg);
	default:
		return owner_fcntl(f, cmd, arg);
	}
}

s64 sys_fcntl(u64 fd, u64 cmd, u64 arg)
{
	struct file *f;
	s64 r;

	if (cmd == F_GETFD)
		return fd_flags_get(fd);
	if (cmd == F_SETFD)
		return fd_flags_set(fd, arg & FD_CLOEXEC);
	f = fd_get_any(fd);
	if (!f)
		return -EBADF;
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		r = dup_lowest(f, (u32)arg, cmd == F_DUPFD_CLOEXEC ? FD_CLOEXEC : 0);
	else if (f->type == FILE_PATH && cmd != F_GETFL)
		r = -EBADF;
	else
		r = fcntl_file(f, (s32)fd, cmd, arg);
	file_put(f);
	return r;
}

static s64 ioctl_flag(struct file *f, s32 fd, u32 cmd, u64 arg)
{
	s32 on;

	if (copy_in(&on, (const void *)arg, sizeof(on)))
		return -EFAULT;
	if (cmd == FIOASYNC)
		return !on == !(atomic_load(&f->flags) & FASYNC) ? 0 : owner_async(f, fd, on);
	flags_change(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
	return 0;
}

/* Every file has a block size, and the host's page is the only one there is. */
static s64 ioctl_block_size(u64 arg)
{
	s32 size = PAGE_SIZE;

	return copy_out((void *)arg, &size, sizeof(size)) ? -EFAULT : 0;
}

static s64 ioctl_file(struct file *f, s32 fd, u32 cmd, u64 arg)
{
	s64 r;

	if (cmd == FIONBIO || cmd == FIOASYNC)
		return ioctl_flag(f, fd, cmd, arg);
	if (cmd == FIGETBSZ)
		return ioctl_block_size(arg);
	if (cmd == FIOQSIZE && f->type != FILE_INODE && f->type != FILE_DIR)
		return -ENOTTY;
	if (cmd == FICLONE)
		return file_clone_check(f, arg);
	r = owner_ioctl(f, cmd, arg);
	if (r == -ENOTTY && file_ops[f->type]->ioctl)
		r = file_ops[f->type]->ioctl(f, cmd, arg);
	return r == -ENOTTY && cmd == FS_IOC_FIEMAP ? -EOPNOTSUPP : r;
}

s64 sys_ioctl(u64 fd, u64 cmd, u64 arg)
{
	struct file *f = fd_get(fd);
	s64 r;

	if (!f)
		return -EBADF;
	if ((u32)cmd == FIOCLEX || (u32)cmd == FIONCLEX)
		r = fd_flags_set(fd, (u32)cmd == FIOCLEX ? FD_CLOEXEC : 0);
	else
		r = ioctl_file(f, (s32)fd, (u32)cmd, arg);
	file_put(f);
	return r;
}
