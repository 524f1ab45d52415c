/* SPDX-License-Identifier: ISC */
/*
 * Names and attributes on volumes, changed by the supervisor for a member that asks (abi/kin.h). A
 * monitor may not do this itself: Landlock does not cover attributes and filters see no mode, so a
 * guest of the process backend could change whatever it can open and leave set-user-ID programs.
 *
 * A name is made, removed or renamed by a descriptor of the directory that holds it: that was
 * reached without leaving the volume and without following a symbolic link, and the last name is
 * one component, so nothing that others do on the volume meanwhile leads out of it. What a family
 * that root started makes belongs to whom it says from the first moment on.
 *
 * The request comes from kin, which every member can write: the caller passes a copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define SET_IDS (S_ISUID | S_ISGID)

static s64 result(long r)
{
	return r < 0 ? -errno : r;
}

/* ---- places */

struct place {
	int dir; /* O_PATH; -1: none */
	const char *name;
};

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool writable(const struct family *f, u32 tree)
{
	return tree != 0 && tree <= f->volume_count && !f->volumes[tree - 1].read_only;
}

/* The directory of path's last name. path is cut there. */
static s64 place_open(const struct family *f, u32 tree, char *path, struct place *p)
{
	char *slash = strrchr(path, '/');
	struct statx stx;
	s64 fd, r;

	p->dir = -1;
	p->name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	if (!*p->name || is_dots(p->name))
		return -EINVAL;
	fd = tree_resolve(tree_fd(f, tree), slash ? path : ".", O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	r = fd_examine(fd, &stx);
	if (r < 0)
		close((int)fd);
	else
		p->dir = (int)fd;
	return r;
}

static void place_close(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
}

/* ---- owners */

/*
 * Files made from here on belong to the ids of the request, if root runs the family; others cannot
 * give files away. The capabilities stay (SECBIT_NO_SETUID_FIXUP), because the member's kernel has
 * decided who may make a file here.
 */
static s64 owner_assume(const struct volume_request *req)
{
	if (geteuid() != 0)
		return 0;
	setfsgid(req->gid);
	setfsuid(req->uid);
	/* These calls do not say whether they worked: an id that is none changes nothing. */
	if ((u32)setfsgid(~0u) == req->gid && (u32)setfsuid(~0u) == req->uid)
		return 0;
	setfsuid(0);
	setfsgid(0);
	return -EINVAL;
}

static void owner_resume(void)
{
	if (geteuid() != 0)
		return;
	setfsuid(0);
	setfsgid(0);
}

/* ---- names */

/* *gift: the new file's descriptor, if it is a regular one. */
static s64 file_make(int dir, const char *name, u32 mode, int *gift)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		if (mode & SET_IDS)
			return -EPERM;
		*gift = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
					   mode & 01777);
		return result(*gift) < 0 ? -errno : 0;
	case S_IFDIR: return result(mkdirat(dir, name, mode & 07777));
	case S_IFIFO:
	case S_IFSOCK: return result(mknodat(dir, name, mode & (S_IFMT | 01777), 0));
	default: return -EINVAL;
	}
}

static s64 make(const struct family *f, struct volume_request *req, int *gift)
{
	struct place p;
	s64 r = place_open(f, req->tree, req->path, &p);

	if (r == 0)
		r = owner_assume(req);
	if (r == 0) {
		r = req->kind == VOLUME_SYMLINK ? result(symlinkat(req->other, p.dir, p.name))
										: file_make(p.dir, p.name, req->mode, gift);
		owner_resume();
	}
	place_close(&p);
	return r;
}

static s64 make_nameless(const struct family *f, struct volume_request *req, int *gift)
{
	int flags = O_TMPFILE | O_RDWR | O_CLOEXEC | (req->flags & O_EXCL);
	struct statx stx;
	s64 fd, r;

	if (req->mode & SET_IDS)
		return -EPERM;
	fd = tree_resolve(tree_fd(f, req->tree), req->path, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	r = fd_examine(fd, &stx);
	if (r == 0)
		r = owner_assume(req);
	if (r == 0) {
		*gift = openat((int)fd, ".", flags, req->mode & 01777);
		r = result(*gift) < 0 ? -errno : 0;
		owner_resume();
	}
	close((int)fd);
	return r;
}

/*
 * A name for an open file that never had one: others may be the root directory's. The member may
 * have made it itself, with any mode: without the set-user-ID bits from here on, and no member can
 * bring them back.
 */
static s64 name_first(const struct family *f, const struct place *p, int handle)
{
	struct stat st;
	char path[40];

	if (handle < 0)
		return -EBADF;
	if (fstat(handle, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 0)
		return -EINVAL;
	if (st.st_mode & SET_IDS && fchmod(handle, st.st_mode & 01777) < 0)
		return -errno;
	/* By AT_EMPTY_PATH only a capability in the host's first namespace may link (linkat(2)). */
	snprintf(path, sizeof(path), "self/fd/%d", handle);
	return result(linkat(f->proc_fd, path, p->dir, p->name, AT_SYMLINK_FOLLOW));
}

static s64 pair_run(const struct family *f, struct volume_request *req, struct place *p)
{
	struct place other;
	s64 r = place_open(f, req->tree, req->other, &other);

	if (r == 0 && req->kind == VOLUME_LINK)
		r = result(linkat(p->dir, p->name, other.dir, other.name, 0));
	else if (r == 0)
		r = result(renameat2(p->dir, p->name, other.dir, other.name, req->flags));
	place_close(&other);
	return r;
}

static s64 name_change(const struct family *f, struct volume_request *req, int handle)
{
	struct place p;
	s64 r = place_open(f, req->tree, req->path, &p);

	if (r == 0) {
		switch (req->kind) {
		case VOLUME_UNLINK:
			r = req->flags & ~(u32)AT_REMOVEDIR ? -EINVAL
												: result(unlinkat(p.dir, p.name, (int)req->flags));
			break;
		case VOLUME_NAME: r = name_first(f, &p, handle); break;
		case VOLUME_RENAME:
			if (req->flags && req->flags != RENAME_NOREPLACE && req->flags != RENAME_EXCHANGE) {
				r = -EINVAL;
				break;
			}
			/* fall through */
		default: r = pair_run(f, req, &p);
		}
	}
	place_close(&p);
	return r;
}

/* ---- attributes */

/* fchmodat2 is new in Linux 6.6; before, an O_PATH descriptor is reached through /proc. */
static s64 mode_set(const struct family *f, int fd, const struct statx *stx, u32 mode)
{
	char path[40];

	if (S_ISREG(stx->stx_mode) && mode & SET_IDS)
		return -EPERM;
	if (syscall(SYS_fchmodat2, fd, "", mode & 07777, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
	snprintf(path, sizeof(path), "self/fd/%d", fd);
	return result(fchmodat(f->proc_fd, path, mode & 07777, 0));
}

static s64 attribute_set(const struct family *f, const struct volume_request *req)
{
	struct timespec times[2];
	struct statx stx;
	s64 fd = tree_resolve(tree_fd(f, req->tree), req->path, O_PATH | O_NOFOLLOW), r;

	if (fd < 0)
		return fd;
	r = fd_examine(fd, &stx);
	if (r == 0 && req->kind == VOLUME_SET_MODE) {
		r = mode_set(f, (int)fd, &stx, req->mode);
	} else if (r == 0 && req->kind == VOLUME_SET_OWNER) {
		r = result(fchownat((int)fd, "", uid_on_host(f, req->uid), gid_on_host(f, req->gid),
							AT_EMPTY_PATH));
		/* Whom a user namespace has no number for nobody in the family can give a file to. */
		if (r == -EINVAL && f->shown.ordinary)
			r = -EPERM;
	} else if (r == 0) {
		for (int i = 0; i < 2; i++)
			times[i] = (struct timespec){req->times[i].sec, req->times[i].nsec};
		r = result(syscall(SYS_utimensat, fd, "", times, AT_EMPTY_PATH));
	}
	close((int)fd);
	return r;
}

s64 volume_request_run(const struct family *f, struct volume_request *req, int handle, int *gift)
{
	req->path[sizeof(req->path) - 1] = 0;
	req->other[sizeof(req->other) - 1] = 0;
	if (!writable(f, req->tree))
		return -EROFS;
	switch (req->kind) {
	case VOLUME_SET_MODE:
	case VOLUME_SET_OWNER:
	case VOLUME_SET_TIMES: return attribute_set(f, req);
	case VOLUME_MAKE:
	case VOLUME_SYMLINK: return make(f, req, gift);
	case VOLUME_TMPFILE: return make_nameless(f, req, gift);
	case VOLUME_LINK:
	case VOLUME_NAME:
	case VOLUME_UNLINK:
	case VOLUME_RENAME: return name_change(f, req, handle);
	}
	return -EINVAL;
}
