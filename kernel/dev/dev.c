/* SPDX-License-Identifier: ISC */
/*
 * Character devices: null, zero, full, random, urandom, and the terminal. Device nodes are inodes
 * like others, told apart by rdev; nodes on the host's root are not served.
 *
 * Random bytes come from the host in large steps. The pool is private memory, so a clone must not
 * use its parent's: it remembers which member filled it.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/random.h>

#include "kernel/dev/dev.h"
#include "kernel/event/event_hooks.h"
#include "kernel/fd/poll.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/tty/host_tty.h"
#include "kernel/tty/pty.h"
#include "kernel/tmpfs/tmpfs.h"
#include "kernel/vfs/vfs_hooks.h"

enum device { DEV_NONE, DEV_NULL = 3, DEV_ZERO = 5, DEV_FULL = 7, DEV_RANDOM = 8, DEV_URANDOM = 9 };

#define POOL_SIZE 4096
static u8 random_pool[POOL_SIZE];
static u32 pool_left, pool_member, pool_generation;

s64 random_fill(void *buf, size_t len)
{
	u8 *out = buf;
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;

	if (len > POOL_SIZE / 4)
		return host_random(buf, len);
	u32 generation = member_self()->generation;
	if (pool_left < len || pool_member != boot->member || pool_generation != generation) {
		s64 n = host_random(random_pool, POOL_SIZE);
		if (n < 0)
			return n;
		pool_left = POOL_SIZE;
		pool_member = boot->member;
		pool_generation = generation;
	}
	pool_left -= (u32)len;
	memcpy(out, random_pool + pool_left, len);
	memset(random_pool + pool_left, 0, len);
	return (s64)len;
}

static s64 random_read(void *buf, size_t len)
{
	u8 bytes[512];
	size_t done = 0;

	while (done < len) {
		size_t n = MIN(len - done, sizeof(bytes));
		s64 got = random_fill(bytes, n);
		if (got < 0)
			return done ? (s64)done : got;
		if (copy_out((u8 *)buf + done, bytes, n))
			return done ? (s64)done : -EFAULT;
		done += n;
	}
	memset(bytes, 0, sizeof(bytes));
	return (s64)done;
}

s64 sys_getrandom(u64 buf, u64 len, u64 flags)
{
	if (flags & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
		(flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	return random_read((void *)buf, MIN(len, 0x1ffffffull));
}

static s64 dev_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	switch (f->priv[0]) {
	case DEV_NULL: return 0;
	case DEV_ZERO:
	case DEV_FULL: return clear_out(buf, len) ? -EFAULT : (s64)len;
	default: return random_read(buf, len);
	}
}

static s64 dev_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	return f->priv[0] == DEV_FULL && len ? -ENOSPC : (s64)len;
}

static s64 dev_seek(struct file *f, s64 offset, int whence)
{
	return 0; /* as Linux's null_lseek */
}

static u32 dev_poll(struct file *f, struct poll_table *pt)
{
	return 0x145; /* IN, OUT, RDNORM, WRNORM */
}

bool dev_waitable(const struct file *f)
{
	return f->priv[0] == DEV_RANDOM;
}

/* The sources of randomness know ioctls, and these are not among them. */
static s64 dev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return f->priv[0] == DEV_RANDOM || f->priv[0] == DEV_URANDOM ? -EINVAL : -ENOTTY;
}

const struct file_ops dev_file_ops = {
	.name = "device",
	.ioctl = dev_ioctl,
	.read = dev_read,
	.write = dev_write,
	.poll = dev_poll,
	.seek = dev_seek,
	.stat = file_stat,
	.release = file_drop_inode,
	.seekable = true,
};

/* Terminals, whose nodes may be in /dev and in /dev/pts; -ENXIO: none of them. */
static s64 open_terminal(struct inode *ino, u32 flags, struct file **out)
{
	if (ino->rdev == (5 << 8) || ino->rdev == (5 << 8 | 1))
		return tty_open(ino, out, flags);
	if (ino == vfs_shared()->tty)
		return terminal_open(out, flags);
	if (ino->rdev == (5 << 8 | 2))
		return pty_master_open(ino, flags, out);
	return -ENXIO;
}

static bool is_terminal(const struct inode *ino)
{
	return ino->rdev >> 8 == 5 || ino == vfs_shared()->tty;
}

static s64 dev_open(struct inode *ino, u32 flags, struct file **out)
{
	if (is_terminal(ino))
		return open_terminal(ino, flags, out);
	if (ino->rdev >> 8 != 1)
		return -ENXIO;
	struct file *f = file_alloc(FILE_DEV, flags & ~(u32)O_NOCTTY);
	if (!f)
		return -ENFILE;
	f->priv[0] = ino->rdev & 0xff;
	inode_ref(&f->inode, ino);
	*out = f;
	return 0;
}

static s64 pts_open(struct inode *ino, u32 flags, struct file **out)
{
	return is_terminal(ino) ? open_terminal(ino, flags, out) : pty_slave_open(ino, flags, out);
}

/* Memory like /tmp, with nodes that lead somewhere. */
const struct inode_ops dev_fs = {
	.name = "devtmpfs",
	.magic = TMPFS_MAGIC,
	.xattrs = true,
	.place = {FS_ROOT, MOUNT_NOSUID, "dev", "/dev", ""},
	.statfs = tmpfs_statfs,
	.open_device = dev_open,
	TMPFS_OPERATIONS,
};

const struct inode_ops devpts_fs = {
	.name = "devpts",
	.magic = DEVPTS_SUPER_MAGIC,
	.place = {FS_DEV, MOUNT_NOSUID | MOUNT_NOEXEC, "devpts", "/dev/pts",
			  ",gid=5,mode=620,ptmxmode=666"},
	.open_device = pts_open,
	TMPFS_OPERATIONS,
};
