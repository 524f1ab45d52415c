/* SPDX-License-Identifier: ISC */
/*
 * Looking at files below the root and on volumes, and opening them. Paths are resolved by the host
 * inside their tree without following any symbolic link (the guest's kernel follows them itself,
 * across its layers). A file is looked at through O_PATH before it is opened, because opening a
 * device or a FIFO can have effects; only regular files and directories get handles, and nothing of
 * the host's pseudo file systems: the guest's kernel has its own /proc, /sys and /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "monitor/core/host_constants.h"
#include "monitor/core/core_internal.h"

#define RESOLVE_TRIES 8
#define OPEN_TRIES 4
#define PSEUDO_ROOT_INO 1

bool handle_published(const struct member *m, u64 handle)
{
	for (u32 i = 0; i < m->family->published_count; i++)
		if ((u64)m->family->published[i].fd == handle)
			return true;
	return false;
}

bool handle_valid(const struct member *m, u64 handle)
{
	if (handle <= 2 || handle_published(m, handle))
		return true;
	return handle < HANDLES_MAX && (m->handles[handle / 64] >> (handle % 64) & 1);
}

void handles_mark_shared(struct member *m)
{
	memcpy(m->shared, m->handles, family_handles_max(m->family) / 8);
}

s64 handle_admit(struct member *m, s64 fd)
{
	if (fd < 0)
		return fd;
	if (fd >= HANDLES_MAX) {
		HOST_CALL(SYS_close, fd);
		return -EMFILE;
	}
	m->handles[fd / 64] |= 1ull << (fd % 64);
	m->shared[fd / 64] &= ~(1ull << (fd % 64));
	return fd;
}

bool fs_magic_refused(u64 magic)
{
	static const u64 refused[] = {
		PROC_SUPER_MAGIC,        SYSFS_MAGIC,
		DEVPTS_SUPER_MAGIC,      CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,     DEBUGFS_MAGIC,
		TRACEFS_MAGIC,           BPF_FS_MAGIC,
		SECURITYFS_MAGIC,        EFIVARFS_MAGIC,
		SELINUX_MAGIC,           SMACK_MAGIC,
		BINFMTFS_MAGIC,          NSFS_MAGIC,
		HUGETLBFS_MAGIC,         PSTOREFS_MAGIC,
		RDTGROUP_SUPER_MAGIC,    0x62656570 /* configfs */,
		0x19800202 /* mqueue */, 0x65735543 /* fusectl */,
		0xabba1974 /* xenfs */,  0x67596969 /* rpc_pipefs */,
		0x6e667364 /* nfsd */,
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (refused[i] == (magic & 0xffffffff))
			return true;
	return false;
}

s64 tree_resolve(int dirfd, const char *path, u64 flags)
{
	const struct open_how *how = host_how_find(flags);
	s64 fd = how ? -EAGAIN : -EINVAL;

	/* EAGAIN: `..` raced with a rename or mount somewhere on the host. */
	for (int i = 0; i < RESOLVE_TRIES && fd == -EAGAIN; i++)
		fd = HOST_CALL(SYS_openat2, dirfd, path[0] ? path : ".", how, sizeof(*how));
	return fd;
}

static s64 resolve(int dirfd, const char *path, u64 flags)
{
	return tree_resolve(dirfd, path, flags);
}

static s64 fd_statx(s64 fd, struct statx *stx)
{
	return HOST_CALL(SYS_statx, fd, &host_no_path, AT_EMPTY_PATH,
					 STATX_BASIC_STATS | STATX_BTIME, stx);
}

s64 fd_examine(s64 fd, struct statx *stx)
{
	struct statfs sfs;
	s64 r = fd_statx(fd, stx);

	if (r == 0)
		r = HOST_CALL(SYS_fstatfs, fd, &sfs);
	if (r == 0 && fs_magic_refused((u64)sfs.f_type))
		r = -EACCES;
	return r;
}

static bool same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
		   a->stx_dev_minor == b->stx_dev_minor && (a->stx_mode & S_IFMT) == (b->stx_mode & S_IFMT);
}

/*
 * A regular file is opened by its path once more: it must be the one that was looked at. -EAGAIN:
 * it was not.
 */
static s64 open_regular(int root, const char *path, u64 access, struct statx *seen)
{
	struct statx stx;
	s64 fd = resolve(root, path, access | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	s64 r = fd_statx(fd, &stx);
	if (r == 0 && !same_file(&stx, seen))
		r = -EAGAIN;
	if (r < 0)
		HOST_CALL(SYS_close, fd);
	return r < 0 ? r : fd;
}

static s64 open_once(int root, const char *path, u64 flags, struct statx *stx)
{
	u64 access = flags & O_ACCMODE;
	s64 at = resolve(root, path, O_PATH | O_NOFOLLOW);
	s64 r;

	if (at < 0)
		return at;
	r = fd_examine(at, stx);
	if (r == 0 && S_ISDIR(stx->stx_mode))
		r = access ? -EISDIR : resolve((int)at, ".", O_RDONLY | O_DIRECTORY);
	else if (r == 0 && S_ISLNK(stx->stx_mode))
		r = -ELOOP;
	else if (r == 0 && (flags & O_DIRECTORY))
		r = -ENOTDIR;
	else if (r == 0)
		r = S_ISREG(stx->stx_mode) ? open_regular(root, path, access, stx) : -ENXIO;
	HOST_CALL(SYS_close, at);
	return r;
}

static s64 open_check(const struct member *m, u64 tree, u64 flags)
{
	u64 access = flags & O_ACCMODE;

	if (flags == O_RDONLY || flags == O_DIRECTORY)
		return 0;
	if (tree == 0 || m->family->volumes[tree - 1].read_only)
		return -EROFS;
	return access != O_ACCMODE && flags == access ? 0 : -EINVAL;
}

/* File systems know times that this many nanoseconds do not reach: the last that they do. */
static s64 time_ns(const struct statx_timestamp *t)
{
	s64 ns;

	if (__builtin_mul_overflow((s64)t->tv_sec, 1000000000ll, &ns) ||
		__builtin_add_overflow(ns, (s64)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static s64 stat_store(const struct family *f, bool root, const struct statx *x, u64 addr, u64 len)
{
	struct hyp_stat st = {
		.dev = makedev(x->stx_dev_major, x->stx_dev_minor),
		.ino = x->stx_ino,
		.mode = x->stx_mode,
		.nlink = x->stx_nlink,
		.uid = uid_shown(f, root, x->stx_uid),
		.gid = gid_shown(f, x->stx_gid),
		.rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
		.size = x->stx_size,
		.blocks = x->stx_blocks,
		.blksize = x->stx_blksize,
		.atime_ns = time_ns(&x->stx_atime),
		.mtime_ns = time_ns(&x->stx_mtime),
		.ctime_ns = time_ns(&x->stx_ctime),
		.btime_ns = x->stx_mask & STATX_BTIME ? time_ns(&x->stx_btime) : 0,
	};

	if (len < sizeof(st))
		return -EINVAL;
	return guest_write(addr, &st, sizeof(st));
}

s64 hyp_fs_open(struct member *m, struct hypercall_call *call)
{
	u64 tree = call->arg[0], flags = call->arg[2];
	struct statx stx;
	s64 fd = -EAGAIN, r = open_check(m, tree, flags);

	if (r < 0)
		return r;
	for (int i = 0; i < OPEN_TRIES && fd == -EAGAIN; i++)
		fd = open_once(tree_fd(m->family, tree), call->path, flags, &stx);
	fd = handle_admit(m, fd);
	if (fd >= 0 && stat_store(m->family, tree == 0, &stx, call->arg[3], call->arg[4]) < 0) {
		m->handles[fd / 64] &= ~(1ull << (fd % 64));
		HOST_CALL(SYS_close, fd);
		fd = -EFAULT;
	}
	return fd;
}

s64 hyp_fs_close(struct member *m, struct hypercall_call *call)
{
	u64 handle = call->arg[0];

	if (handle <= 2 || handle_published(m, handle))
		return -EBADF;
	m->handles[handle / 64] &= ~(1ull << (handle % 64));
	return HOST_CALL(SYS_close, handle);
}

/*
 * The root directory of a pseudo file system may be seen (it is listed in its parent), what is in
 * it may not.
 */
s64 hyp_fs_stat(struct member *m, struct hypercall_call *call)
{
	struct statx stx;
	s64 fd = resolve(tree_fd(m->family, call->arg[0]), call->path, O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	s64 r = fd_examine(fd, &stx);
	HOST_CALL(SYS_close, fd);
	if (r == -EACCES && stx.stx_ino == PSEUDO_ROOT_INO)
		r = 0;
	return r < 0 ? r
				 : stat_store(m->family, call->arg[0] == 0, &stx, call->arg[2], call->arg[3]);
}

/* The next component of *path becomes a descriptor in *dir, the one before is closed. */
static s64 lookup_step(s64 *dir, char **path, struct statx *stx)
{
	char *name = *path + strspn(*path, "/"), *end = name + strcspn(name, "/"), saved = *end;

	*end = 0;
	s64 fd = tree_resolve((int)*dir, name, O_PATH | O_NOFOLLOW);
	*end = saved;
	*path = end + strspn(end, "/");
	if (fd < 0)
		return fd;
	HOST_CALL(SYS_close, *dir);
	*dir = fd;
	return fd_examine(fd, stx);
}

s64 hyp_fs_lookup(struct member *m, struct hypercall_call *call)
{
	u64 from = call->arg[2], room = call->arg[4] / sizeof(struct hyp_stat), count = 0;
	struct statx stx = {0};
	char *rest;

	if (from > strlen(call->path))
		return -EINVAL;
	rest = call->path + from;
	if ((from && rest[-1] != '/') || !*rest)
		return -EINVAL;
	if (from)
		rest[-1] = 0;
	s64 dir = resolve(tree_fd(m->family, call->arg[0]), from ? call->path : ".",
					  O_PATH | O_DIRECTORY);
	s64 r = dir < 0 ? dir : 0;
	while (r == 0 && *rest && count < room) {
		r = lookup_step(&dir, &rest, &stx);
		if (r == 0)
			r = stat_store(m->family, call->arg[0] == 0, &stx,
						   call->arg[3] + count * sizeof(struct hyp_stat),
						   sizeof(struct hyp_stat));
		if (r == 0)
			count++;
		if (r == 0 && !S_ISDIR(stx.stx_mode))
			break;
	}
	if (dir >= 0)
		HOST_CALL(SYS_close, dir);
	return count ? (s64)count : r ? r : -EINVAL;
}

s64 hyp_fs_fstat(struct member *m, struct hypercall_call *call)
{
	struct statx stx;
	s64 r = fd_statx((s64)call->arg[0], &stx);

	return r < 0 ? r : stat_store(m->family, false, &stx, call->arg[1], call->arg[2]);
}

s64 hyp_fs_readlink(struct member *m, struct hypercall_call *call)
{
	struct statx stx;
	s64 fd = resolve(tree_fd(m->family, call->arg[0]), call->path, O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	s64 r = fd_examine(fd, &stx);
	if (r == 0)
		r = S_ISLNK(stx.stx_mode)
				? HOST_CALL(SYS_readlinkat, fd, &host_no_path, call->arg[2], call->arg[3])
				: -EINVAL;
	HOST_CALL(SYS_close, fd);
	return r;
}

/*
 * Clones inherit the host's open file, position included, and lseek + getdents64 of two members
 * would mix: after a clone each reads an open file of its own. Putting that under the same number
 * would need dup3, with which a guest of the process backend could multiply what it has.
 */
s64 hyp_fs_getdents(struct member *m, struct hypercall_call *call)
{
	u64 handle = call->arg[0];
	s64 fd = (s64)handle, r;

	if (handle <= 2)
		return -EBADF;
	if (m->shared[handle / 64] >> (handle % 64) & 1)
		fd = resolve((int)handle, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	r = HOST_CALL(SYS_lseek, fd, call->arg[3], SEEK_SET);
	if (r >= 0)
		r = HOST_CALL(SYS_getdents64, fd, call->arg[1], call->arg[2]);
	if (fd != (s64)handle)
		HOST_CALL(SYS_close, fd);
	return r;
}

s64 hyp_fs_pread(struct member *m, struct hypercall_call *call)
{
	if (call->arg[0] <= 2)
		return -EBADF;
	return HOST_CALL(SYS_pread64, call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}
