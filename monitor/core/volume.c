/* SPDX-License-Identifier: ISC */
/*
 * Changes on a volume, a host directory that the family may write. A name is made, removed or
 * renamed by a descriptor of the directory that holds it: that was reached without leaving the
 * volume and without following a symbolic link, and the last name is one component, so nothing that
 * others do on the volume meanwhile leads out of it. Contents are written through handles that were
 * opened for writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor/core/internal.h"

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif

int tree_fd(const struct family *f, u64 tree)
{
	return tree == 0 ? f->root_fd : f->volumes[tree - 1].fd;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

s64 volume_parent(const struct family *f, u64 tree, char *path, const char **name)
{
	char *slash = strrchr(path, '/');
	struct statx stx;
	s64 fd, r;

	*name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	if (tree == 0 || tree > f->volume_count || f->volumes[tree - 1].read_only)
		return -EROFS;
	if (!**name || is_dots(*name))
		return -EINVAL;
	fd = tree_resolve(f->volumes[tree - 1].fd, slash ? path : ".", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	r = fd_examine(fd, &stx);
	if (r < 0)
		HOST_CALL(SYS_close, fd);
	return r < 0 ? r : fd;
}

s64 hyp_vol_make(struct member *m, struct hypercall_call *call)
{
	u64 mode = call->arg[2], type = mode & S_IFMT;
	const char *name;
	s64 dir, r;

	if ((type != S_IFDIR && type != S_IFIFO && type != S_IFSOCK) || mode & ~(u64)(S_IFMT | 07777))
		return -EINVAL;
	dir = volume_parent(m->family, call->arg[0], call->path, &name);
	if (dir < 0)
		return dir;
	r = type == S_IFDIR ? HOST_CALL(SYS_mkdirat, dir, name, mode & 07777)
						: HOST_CALL(SYS_mknodat, dir, name, mode, 0);
	HOST_CALL(SYS_close, dir);
	return r;
}

s64 hyp_vol_symlink(struct member *m, struct hypercall_call *call)
{
	const char *name;
	s64 dir = volume_parent(m->family, call->arg[0], call->path, &name), r;

	if (dir < 0)
		return dir;
	r = HOST_CALL(SYS_symlinkat, call->other, dir, name);
	HOST_CALL(SYS_close, dir);
	return r;
}

static bool handle_of_file(u64 handle)
{
	return handle > STDERR_FILENO;
}

/* Two names at once: their directories. 0 or -errno, then neither is open. */
struct name_pair {
	s64 dir, other_dir;
	const char *name, *other;
};

static s64 pair_open(struct member *m, struct hypercall_call *call, struct name_pair *p)
{
	p->dir = volume_parent(m->family, call->arg[0], call->path, &p->name);
	if (p->dir < 0)
		return p->dir;
	p->other_dir = volume_parent(m->family, call->arg[0], call->other, &p->other);
	if (p->other_dir < 0)
		HOST_CALL(SYS_close, p->dir);
	return p->other_dir < 0 ? p->other_dir : 0;
}

static s64 pair_close(struct name_pair *p, s64 result)
{
	HOST_CALL(SYS_close, p->dir);
	HOST_CALL(SYS_close, p->other_dir);
	return result;
}

s64 hyp_vol_link(struct member *m, struct hypercall_call *call)
{
	struct name_pair p;
	s64 r = pair_open(m, call, &p);

	if (r < 0)
		return r;
	return pair_close(&p, HOST_CALL(SYS_linkat, p.dir, p.name, p.other_dir, p.other, 0));
}

static void add_decimal(char *text, u64 n)
{
	char digits[20];
	size_t count = 0;

	text += strlen(text);
	do
		digits[count++] = (char)('0' + n % 10);
	while (n /= 10);
	while (count)
		*text++ = digits[--count];
	*text = 0;
}

/*
 * An open file under a name: without CAP_DAC_READ_SEARCH the host may want to see it below /proc
 * (linkat(2)).
 */
static s64 link_open(u64 fd, s64 dir, const char *name)
{
	char path[40] = "/proc/self/fd/";
	s64 r = HOST_CALL(SYS_linkat, fd, "", dir, name, AT_EMPTY_PATH);

	if (r != -ENOENT)
		return r;
	add_decimal(path, fd);
	return HOST_CALL(SYS_linkat, AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

/*
 * Only what has no name: any other file could come from where the family may not write. The host
 * refuses those that had one.
 */
s64 hyp_vol_name(struct member *m, struct hypercall_call *call)
{
	u64 handle = call->arg[2];
	struct statx stx;
	const char *name;
	s64 dir, r;

	if (!handle_of_file(handle))
		return -EBADF;
	r = fd_examine((s64)handle, &stx);
	if (r == 0 && (!S_ISREG(stx.stx_mode) || stx.stx_nlink))
		r = -EINVAL;
	dir = r < 0 ? r : volume_parent(m->family, call->arg[0], call->path, &name);
	if (dir < 0)
		return dir;
	r = link_open(handle, dir, name);
	HOST_CALL(SYS_close, dir);
	return r;
}

s64 hyp_vol_rename(struct member *m, struct hypercall_call *call)
{
	u64 flags = call->arg[3];
	struct name_pair p;
	s64 r;

	if (flags && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE)
		return -EINVAL;
	r = pair_open(m, call, &p);
	if (r < 0)
		return r;
	return pair_close(&p, HOST_CALL(SYS_renameat2, p.dir, p.name, p.other_dir, p.other, flags));
}

s64 hyp_vol_unlink(struct member *m, struct hypercall_call *call)
{
	const char *name;
	s64 dir, r;

	if (call->arg[2] & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	dir = volume_parent(m->family, call->arg[0], call->path, &name);
	if (dir < 0)
		return dir;
	r = HOST_CALL(SYS_unlinkat, dir, name, call->arg[2]);
	HOST_CALL(SYS_close, dir);
	return r;
}

/* The host's flags, or -1. */
static int write_flags(u32 flags)
{
	if (flags & ~(HYP_WRITE_APPEND | HYP_WRITE_DSYNC | HYP_WRITE_SYNC))
		return -1;
	return (flags & HYP_WRITE_APPEND ? RWF_APPEND : 0) | (flags & HYP_WRITE_DSYNC ? RWF_DSYNC : 0) |
		   (flags & HYP_WRITE_SYNC ? RWF_SYNC : 0);
}

/* The structure is copied once; then only the copy counts. */
static s64 write_load(struct hyp_write *w, struct iovec *iov, struct hypercall_call *call)
{
	if (call->arg[2] < sizeof(*w) || guest_read(w, call->arg[1], sizeof(*w)) < 0)
		return -EINVAL;
	if (w->count > HYP_WRITE_PIECES || write_flags(w->flags) < 0 || (s64)w->pos < 0)
		return -EINVAL;
	for (u32 i = 0; i < w->count; i++) {
		if (w->piece[i].len > HYPERCALL_BUFFER_MAX)
			return -EINVAL;
		if (!guest_range_valid(w->piece[i].addr, w->piece[i].len))
			return -EFAULT;
		iov[i] = (struct iovec){(void *)w->piece[i].addr, w->piece[i].len};
	}
	return 0;
}

s64 hyp_vol_write(struct member *m, struct hypercall_call *call)
{
	struct iovec iov[HYP_WRITE_PIECES];
	struct hyp_write w;
	s64 r, end;

	if (!handle_of_file(call->arg[0]))
		return -EBADF;
	r = write_load(&w, iov, call);
	if (r < 0)
		return r;
	/* Position -1 is the descriptor's own, which an append leaves behind what it wrote. */
	u64 pos = w.flags & HYP_WRITE_APPEND ? ~0ull : w.pos;
	r = HOST_CALL(SYS_pwritev2, call->arg[0], iov, w.count, pos, 0, write_flags(w.flags));
	if (r < 0 || !(w.flags & HYP_WRITE_APPEND))
		return r;
	end = HOST_CALL(SYS_lseek, call->arg[0], 0, SEEK_CUR);
	if (end < 0 || guest_write(call->arg[1], &end, sizeof(end)) < 0)
		return -EIO;
	return r;
}

s64 hyp_vol_truncate(struct member *m, struct hypercall_call *call)
{
	if (!handle_of_file(call->arg[0]))
		return -EBADF;
	return HOST_CALL(SYS_ftruncate, call->arg[0], call->arg[1]);
}

s64 hyp_vol_allocate(struct member *m, struct hypercall_call *call)
{
	u64 known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

	if (!handle_of_file(call->arg[0]))
		return -EBADF;
	if (call->arg[1] & ~known)
		return -EOPNOTSUPP;
	return HOST_CALL(SYS_fallocate, call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

s64 hyp_vol_seek(struct member *m, struct hypercall_call *call)
{
	if (!handle_of_file(call->arg[0]))
		return -EBADF;
	if (call->arg[2] != SEEK_DATA && call->arg[2] != SEEK_HOLE)
		return -EINVAL;
	return HOST_CALL(SYS_lseek, call->arg[0], call->arg[1], call->arg[2]);
}

s64 hyp_vol_sync(struct member *m, struct hypercall_call *call)
{
	static const long calls[] = {
		[HYP_SYNC_FILE] = SYS_fsync, [HYP_SYNC_DATA] = SYS_fdatasync, [HYP_SYNC_FS] = SYS_syncfs};

	if (!handle_of_file(call->arg[0]))
		return -EBADF;
	if (call->arg[1] >= ARRAY_SIZE(calls))
		return -EINVAL;
	return HOST_CALL(calls[call->arg[1]], call->arg[0]);
}

s64 hyp_vol_statfs(struct member *m, struct hypercall_call *call)
{
	struct statfs sfs;
	s64 r;

	if (call->arg[2] < sizeof(sfs))
		return -EINVAL;
	r = HOST_CALL(SYS_fstatfs, tree_fd(m->family, call->arg[0]), &sfs);
	return r < 0 ? r : guest_write(call->arg[1], &sfs, sizeof(sfs));
}
