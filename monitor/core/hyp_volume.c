/* SPDX-License-Identifier: ISC */
/*
 * Contents of files on a volume, a host directory that the family may write, through handles that
 * were opened for writing. Names and attributes: volume_request.c.
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

#include "monitor/core/host_constants.h"
#include "monitor/core/core_internal.h"

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif

int tree_fd(const struct family *f, u64 tree)
{
	return tree == 0 ? f->root_fd : f->volumes[tree - 1].fd;
}

/*
 * Neither standard input, output, error nor a listener of --publish: for asking those the filter
 * would end the monitor.
 */
static bool handle_of_file(const struct member *m, u64 handle)
{
	return handle > STDERR_FILENO && !handle_published(m, handle);
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
static s64 write_load(const struct family *f, struct hyp_write *w, struct iovec *iov,
	struct hypercall_call *call)
{
	if (call->arg[2] < sizeof(*w) || guest_read(w, call->arg[1], sizeof(*w)) < 0)
		return -EINVAL;
	if (w->count > HYP_WRITE_PIECES || write_flags(w->flags) < 0 || (s64)w->pos < 0)
		return -EINVAL;
	for (u32 i = 0; i < w->count; i++) {
		if (w->piece[i].len > HYPERCALL_BUFFER_MAX)
			return -EINVAL;
		if (!guest_range_valid(f, w->piece[i].addr, w->piece[i].len))
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

	if (!handle_of_file(m, call->arg[0]))
		return -EBADF;
	r = write_load(m->family, &w, iov, call);
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
	if (!handle_of_file(m, call->arg[0]))
		return -EBADF;
	return HOST_CALL(SYS_ftruncate, call->arg[0], call->arg[1]);
}

s64 hyp_vol_allocate(struct member *m, struct hypercall_call *call)
{
	u64 known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

	if (!handle_of_file(m, call->arg[0]))
		return -EBADF;
	if (call->arg[1] & ~known)
		return -EOPNOTSUPP;
	return HOST_CALL(SYS_fallocate, call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

s64 hyp_vol_seek(struct member *m, struct hypercall_call *call)
{
	if (!handle_of_file(m, call->arg[0]))
		return -EBADF;
	if (call->arg[2] != SEEK_DATA && call->arg[2] != SEEK_HOLE)
		return -EINVAL;
	return HOST_CALL(SYS_lseek, call->arg[0], call->arg[1], call->arg[2]);
}

s64 hyp_vol_sync(struct member *m, struct hypercall_call *call)
{
	static const long calls[] = {
		[HYP_SYNC_FILE] = SYS_fsync, [HYP_SYNC_DATA] = SYS_fdatasync, [HYP_SYNC_FS] = SYS_syncfs};

	if (!handle_of_file(m, call->arg[0]))
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
