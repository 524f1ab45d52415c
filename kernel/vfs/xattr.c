/* SPDX-License-Identifier: ISC */
/*
 * Extended attributes: names and values on the inodes of the writable layer. The host's own are not
 * shown: a file of the root directory begins without any, and what is set on it stays here. On
 * volumes there are none, because nothing of their files is kept here.
 * Source: xattr(7), setxattr(2), getxattr(2), listxattr(2).
 *
 * The list hangs on the inode, under its lock; every change is one store, so a dead owner of the
 * lock leaves it whole. Values pass through kernel memory, outside the lock.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/walk.h"

struct xattr {
	struct xattr *next;
	u32 name_len, value_len;
	char name[]; /* name_len bytes and a NUL, then the value */
};

static char *value_of(struct xattr *x)
{
	return x->name + x->name_len + 1;
}

static void xattr_lock(struct inode *ino)
{
	if (S_ISDIR(ino->mode))
		dir_lock(ino);
	else
		inode_data_lock(ino);
}

void xattrs_free(struct inode *ino)
{
	while (ino->xattrs)
		own_free(own_take(OWN_MEMORY, &ino->xattrs, ino->xattrs->next));
}

/* Under the lock: the link to that name, or to the end of the list. */
static struct xattr **find(struct inode *ino, const char *name)
{
	struct xattr **link = &ino->xattrs;

	while (*link && strcmp((*link)->name, name))
		link = &(*link)->next;
	return link;
}

/* ---- who may */

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool has_attributes(const struct inode *ino)
{
	return inode_ops(ino)->xattrs;
}

/* 0, or what Linux answers; want: MAY_READ or MAY_WRITE. */
static s64 may_use(struct inode *ino, const char *name, u32 want)
{
	bool write = want == MAY_WRITE;

	if (write && (inode_immutable(ino) || inode_append_only(ino)))
		return -EPERM;
	if (!has_attributes(ino))
		return -EOPNOTSUPP;
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		if (!S_ISREG(ino->mode) && !S_ISDIR(ino->mode))
			return write ? -EPERM : -ENODATA;
		if (S_ISDIR(ino->mode) && (ino->mode & S_ISVTX) && write && access_owner(ino))
			return -EPERM;
		if (access_inode(ino, want))
			return -EACCES;
	} else if (has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (!cred_capable(CAP_SYS_ADMIN))
			return write ? -EPERM : -ENODATA;
	} else if (has_prefix(name, XATTR_SECURITY_PREFIX)) {
		if (write && !cred_capable(strcmp(name, XATTR_NAME_CAPS) ? CAP_SYS_ADMIN : CAP_SETFCAP))
			return -EPERM;
	} else if (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) ||
			   !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT)) {
		return write ? -EOPNOTSUPP : -ENODATA; /* mode bits are all there is */
	} else {
		return -EOPNOTSUPP;
	}
	return name[strlen(name) - 1] == '.' && !strchr(strchr(name, '.') + 1, '.') ? -EINVAL : 0;
}

static bool listed(const struct xattr *x)
{
	return !has_prefix(x->name, XATTR_TRUSTED_PREFIX) || cred_capable(CAP_SYS_ADMIN);
}

/* ---- operations on an inode; name and value in kernel memory */

/* Under the lock: what *link has, if anything, makes way for it. */
static s64 value_place(struct xattr **link, const char *name, const char *value, size_t size)
{
	u32 name_len = (u32)strlen(name);
	struct xattr *old = *link, *x = own_new(OWN_MEMORY, sizeof(*x) + name_len + 1 + size);

	if (!x)
		return -ENOSPC;
	x->name_len = name_len;
	x->value_len = (u32)size;
	memcpy(x->name, name, name_len);
	memcpy(value_of(x), value, size);
	x->next = old ? old->next : NULL;
	own_free(own_exchange(link, x));
	return 0;
}

static s64 set_value(struct inode *ino, const char *name, const char *value, size_t size, u32 flags)
{
	struct xattr *old;
	s64 err = may_use(ino, name, MAY_WRITE);

	if (err)
		return err;
	inode_pin(ino);
	xattr_lock(ino);
	struct xattr **link = find(ino, name);
	old = *link;
	if (old && (flags & XATTR_CREATE))
		err = -EEXIST;
	else if (!old && (flags & XATTR_REPLACE))
		err = -ENODATA;
	else
		err = value_place(link, name, value, size);
	kin_unlock(&ino->lock);
	if (!err)
		inode_touch(ino, false);
	return err;
}

static s64 remove_value(struct inode *ino, const char *name)
{
	s64 err = may_use(ino, name, MAY_WRITE);

	if (err)
		return err;
	xattr_lock(ino);
	struct xattr **link = find(ino, name);
	bool found = *link;
	if (found)
		own_free(own_take(OWN_MEMORY, link, (*link)->next));
	kin_unlock(&ino->lock);
	if (!found)
		return -ENODATA;
	inode_touch(ino, false);
	return 0;
}

s64 xattr_get_kernel(struct inode *ino, const char *name, void *buf, size_t size)
{
	xattr_lock(ino);
	struct xattr *x = *find(ino, name);
	s64 n = !x ? -ENODATA : x->value_len > size ? -ERANGE : (s64)x->value_len;
	if (n > 0)
		memcpy(buf, value_of(x), x->value_len);
	kin_unlock(&ino->lock);
	return n;
}

/* The value's length; copied to buf (room for size bytes) unless size is 0. */
static s64 get_value(struct inode *ino, const char *name, char *buf, size_t size)
{
	s64 n = may_use(ino, name, MAY_READ);

	if (n)
		return n;
	xattr_lock(ino);
	struct xattr *x = *find(ino, name);
	n = x ? (s64)x->value_len : -ENODATA;
	if (x && size && x->value_len > size)
		n = -ERANGE;
	else if (x && size)
		memcpy(buf, value_of(x), x->value_len);
	kin_unlock(&ino->lock);
	return n;
}

static s64 list_names(struct inode *ino, char *buf, size_t size)
{
	size_t used = 0;
	s64 err = 0;

	if (!has_attributes(ino))
		return 0;
	xattr_lock(ino);
	for (struct xattr *x = ino->xattrs; x && !err; x = x->next) {
		size_t n = x->name_len + 1;
		if (!listed(x))
			continue;
		if (size && used + n > size)
			err = -ERANGE;
		else if (size)
			memcpy(buf + used, x->name, n);
		used += n;
	}
	kin_unlock(&ino->lock);
	return err ? err : (s64)used;
}

/* ---- a call: what, on what; user addresses */

struct request {
	enum { SET, GET, LIST, REMOVE } what;
	u64 name, value, size;
	u32 flags;
};

static bool changes(const struct request *r)
{
	return r->what == SET || r->what == REMOVE;
}

static s64 run_with(struct inode *ino, const struct request *r, const char *name, char *buf,
					size_t size)
{
	s64 n;

	switch (r->what) {
	case SET:
		if (copy_in(buf, (const void *)r->value, size))
			return -EFAULT;
		return set_value(ino, name, buf, size, r->flags);
	case GET: n = get_value(ino, name, buf, size); break;
	case LIST: n = list_names(ino, buf, size); break;
	default: return remove_value(ino, name);
	}
	return n > 0 && size && copy_out((void *)r->value, buf, (size_t)n) ? -EFAULT : n;
}

static s64 run(struct inode *ino, const struct request *r, const char *name)
{
	size_t size = r->what == REMOVE ? 0 : MIN(r->size, (u64)XATTR_SIZE_MAX);
	size_t pages = size / PAGE_SIZE + 1;
	s64 n = changes(r) ? access_mount(ino) : 0;
	char *buf = n ? NULL : kpages_alloc(pages);

	if (!buf)
		return n ? n : -ENOMEM;
	n = run_with(ino, r, name, buf, size);
	kpages_free(buf, pages);
	return n;
}

/* Flags, name and size in Linux' order of checks. */
static s64 request_check(const struct request *r, char *name)
{
	if (r->what == SET && r->flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (r->what == LIST)
		return 0;
	s64 n = string_in(name, (const void *)r->name, XATTR_NAME_MAX + 1);
	if (n <= 0)
		return n == 0 || n == -ENAMETOOLONG ? -ERANGE : n;
	return r->what == SET && r->size > XATTR_SIZE_MAX ? -E2BIG : 0;
}

/* What is in no directory keeps none, and only regular files could have those of users. */
static s64 run_anonymous(const struct request *r, const char *name)
{
	if (r->what == LIST)
		return 0;
	if (!has_prefix(name, XATTR_USER_PREFIX))
		return -EOPNOTSUPP;
	return changes(r) ? -EPERM : -ENODATA;
}

static s64 on_path(u64 path, u32 follow, const struct request *r)
{
	char name[XATTR_NAME_MAX + 1];
	struct walk *w;
	s64 n = request_check(r, name);

	if (!n)
		n = walk_user(&w, AT_FDCWD, path, follow);
	if (n)
		return n;
	if (walk_inode(w))
		n = run(w->inode, r, name);
	else
		n = w->jump ? run_anonymous(r, name) : -ENOSPC;
	if (!n && changes(r))
		notify_path(w->inode, walk_text(w), IN_ATTRIB);
	walk_free(w);
	return n;
}

static s64 on_fd(u64 fd, const struct request *r)
{
	char name[XATTR_NAME_MAX + 1];
	s64 n = request_check(r, name);

	if (n)
		return n;
	struct file *f = fd_get((int)fd);
	if (!f)
		return -EBADF;
	n = f->inode ? run(f->inode, r, name) : run_anonymous(r, name);
	if (!n && changes(r))
		notify_file(f, IN_ATTRIB);
	file_put(f);
	return n;
}

/* ---- system calls */

static struct request request_set(u64 name, u64 value, u64 size, u64 flags)
{
	return (struct request){SET, name, value, size, (u32)flags};
}

s64 sys_setxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	struct request r = request_set(name, value, size, flags);

	return on_path(path, WALK_FOLLOW, &r);
}

s64 sys_lsetxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	struct request r = request_set(name, value, size, flags);

	return on_path(path, 0, &r);
}

s64 sys_fsetxattr(u64 fd, u64 name, u64 value, u64 size, u64 flags)
{
	struct request r = request_set(name, value, size, flags);

	return on_fd(fd, &r);
}

s64 sys_getxattr(u64 path, u64 name, u64 value, u64 size)
{
	struct request r = {GET, name, value, size, 0};

	return on_path(path, WALK_FOLLOW, &r);
}

s64 sys_lgetxattr(u64 path, u64 name, u64 value, u64 size)
{
	struct request r = {GET, name, value, size, 0};

	return on_path(path, 0, &r);
}

s64 sys_fgetxattr(u64 fd, u64 name, u64 value, u64 size)
{
	struct request r = {GET, name, value, size, 0};

	return on_fd(fd, &r);
}

s64 sys_listxattr(u64 path, u64 list, u64 size)
{
	struct request r = {LIST, 0, list, size, 0};

	return on_path(path, WALK_FOLLOW, &r);
}

s64 sys_llistxattr(u64 path, u64 list, u64 size)
{
	struct request r = {LIST, 0, list, size, 0};

	return on_path(path, 0, &r);
}

s64 sys_flistxattr(u64 fd, u64 list, u64 size)
{
	struct request r = {LIST, 0, list, size, 0};

	return on_fd(fd, &r);
}

s64 sys_removexattr(u64 path, u64 name)
{
	struct request r = {REMOVE, name, 0, 0, 0};

	return on_path(path, WALK_FOLLOW, &r);
}

s64 sys_lremovexattr(u64 path, u64 name)
{
	struct request r = {REMOVE, name, 0, 0, 0};

	return on_path(path, 0, &r);
}

s64 sys_fremovexattr(u64 fd, u64 name)
{
	struct request r = {REMOVE, name, 0, 0, 0};

	return on_fd(fd, &r);
}
