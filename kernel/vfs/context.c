/* SPDX-License-Identifier: ISC */
/*
 * What a process knows of the file system: current directory and root. Private, cloned with
 * the process; the references to inodes are counted in kin for each copy. A member that is killed
 * leaves its two references behind: at worst a removed directory stays allocated.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/walk.h"

struct fs_context *fs_context_create(const char *cwd)
{
	struct fs_context *c = kpages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);

	if (!c)
		return NULL;
	struct walk *w = walk_new();
	if (w && !walk_path(w, AT_FDCWD, *cwd == '/' ? cwd : "/", WALK_FOLLOW) && S_ISDIR(w->mode) &&
		walk_inode(w)) {
		inode_get(w->inode);
		c->cwd_inode = w->inode;
		strlcpy(c->cwd, walk_text(w), sizeof(c->cwd));
	} else {
		c->cwd_inode = vfs_shared()->root;
		inode_get(c->cwd_inode);
		strlcpy(c->cwd, "/", sizeof(c->cwd));
	}
	walk_free(w);
	return c;
}

s64 fs_directory_check(const char *path)
{
	struct walk *w = walk_new();
	s64 err = w ? walk_path(w, AT_FDCWD, path, WALK_FOLLOW) : -ENOMEM;

	if (!err && !w->found)
		err = -ENOENT;
	if (!err && !S_ISDIR(w->mode))
		err = -ENOTDIR;
	walk_free(w);
	return err;
}

void fs_context_fork(struct fs_context *c)
{
	inode_get(c->cwd_inode);
	if (c->root)
		inode_get(c->root);
}

void fs_context_fork_abort(struct fs_context *c)
{
	inode_put(c->cwd_inode);
	inode_put(c->root);
}

struct fs_context *fs_context_clone(const struct fs_context *c)
{
	struct fs_context *copy = kpages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);

	if (!copy)
		return NULL;
	memcpy(copy, c, sizeof(*c));
	fs_context_fork(copy);
	return copy;
}

void fs_context_release(struct fs_context *c)
{
	if (!c)
		return;
	fs_context_fork_abort(c);
	kpages_free(c, (sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* The new current directory of the process; text is its path. */
static s64 set_cwd(struct inode *dir, const char *text)
{
	struct fs_context *c = current->proc->fs;

	s64 err = access_inode(dir, MAY_EXEC);
	if (err)
		return err;
	inode_get(dir);
	inode_put(c->cwd_inode);
	c->cwd_inode = dir;
	strlcpy(c->cwd, text, sizeof(c->cwd));
	proc_info_set_cwd(current->proc->kp, c->cwd);
	return 0;
}

/* The directory at path. allowed: 0, or why the caller must not go there once it is one. */
static s64 walk_directory(struct walk **w, u64 path, s64 allowed)
{
	s64 err = walk_user(w, AT_FDCWD, path, WALK_FOLLOW);

	if (err)
		return err;
	if (!S_ISDIR((*w)->mode))
		err = -ENOTDIR;
	else if (allowed)
		err = allowed;
	else if (!walk_inode(*w))
		err = -ENOMEM;
	if (err)
		walk_free(*w);
	return err;
}

s64 sys_chdir(u64 path)
{
	struct walk *w;
	s64 err = walk_directory(&w, path, 0);

	if (err)
		return err;
	err = set_cwd(w->inode, walk_text(w));
	walk_free(w);
	return err;
}

s64 sys_fchdir(u64 fd)
{
	static char text[VFS_PATH_MAX + 1];
	struct file *f = fd_get((int)fd);
	s64 err = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (f->inode && S_ISDIR(f->inode->mode)) {
		s64 n = dir_path(f->inode, text, VFS_PATH_MAX);
		err = set_cwd(f->inode, n > 0 ? text : "/");
	}
	file_put(f);
	return err;
}

s64 sys_chroot(u64 path)
{
	struct fs_context *c = current->proc->fs;
	struct walk *w;
	s64 err = walk_directory(&w, path, cred_capable(CAP_SYS_CHROOT) ? 0 : -EPERM);

	if (err)
		return err;
	inode_put(c->root);
	c->root = w->inode == vfs_shared()->root ? NULL : w->inode;
	if (c->root)
		inode_get(c->root);
	walk_free(w);
	return 0;
}

#define UNREACHABLE "(unreachable)"

s64 sys_getcwd(u64 buf, u64 size)
{
	static char text[sizeof(UNREACHABLE) + VFS_PATH_MAX + 1], root[VFS_PATH_MAX + 1];
	struct fs_context *c = current->proc->fs;
	char *path = text + strlen(UNREACHABLE);
	s64 n = dir_path(c->cwd_inode, path, VFS_PATH_MAX), r = 0;

	if (n < 0)
		return n;
	if (c->root)
		r = dir_path(c->root, root, VFS_PATH_MAX);
	if (r < 0 || n < r || memcmp(root, path, (size_t)r) || (n > r && path[r] != '/')) {
		path = memcpy(text, UNREACHABLE, strlen(UNREACHABLE));
		n += (s64)strlen(UNREACHABLE);
	} else {
		path += r;
		n -= r;
	}
	if (n == 0)
		path[n++] = '/';
	path[n++] = '\0';
	if ((u64)n > size)
		return -ERANGE;
	return copy_out((void *)buf, path, (size_t)n) ? -EFAULT : n;
}

s64 sys_umask(u64 mask)
{
	struct proc_inherited *in = &current->proc->kp->inherited;
	u32 old = in->umask;

	in->umask = mask & 0777;
	return old;
}
