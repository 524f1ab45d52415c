/* SPDX-License-Identifier: ISC */
/*
 * What a process knows of the file system: current directory and root, which are slots of the
 * process in kin, and the text of the directory's path.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/walk.h"

struct fs_context *fs_context_create(struct kin_proc *kp, const char *cwd)
{
	struct fs_context *c = kpages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);

	if (!c)
		return NULL;
	struct walk *w = walk_new();
	struct inode *dir = vfs_shared()->root;
	bool found = w && !walk_path(w, AT_FDCWD, *cwd == '/' ? cwd : "/", WALK_FOLLOW) &&
				 S_ISDIR(w->mode) && walk_inode(w);
	if (found)
		dir = w->inode;
	inode_get(dir);
	inode_give(&kp->cwd, dir);
	strlcpy(c->cwd, found ? walk_text(w) : "/", sizeof(c->cwd));
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

void directories_inherit(struct kin_proc *child, const struct kin_proc *parent)
{
	inode_ref(&child->cwd, parent->cwd);
	if (parent->root)
		inode_ref(&child->root, parent->root);
}

void directories_drop(struct kin_proc *kp)
{
	inode_drop(&kp->cwd);
	inode_drop(&kp->root);
}

struct fs_context *fs_context_clone(const struct fs_context *c)
{
	struct fs_context *copy = kpages_alloc((sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);

	if (copy && c)
		memcpy(copy, c, sizeof(*c));
	return copy;
}

void fs_context_free(struct fs_context *c)
{
	if (c)
		kpages_free(c, (sizeof(*c) + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* The new current directory of the process; text is its path. */
static s64 set_cwd(struct inode *dir, const char *text)
{
	struct fs_context *c = current->proc->fs;

	s64 err = access_inode(dir, MAY_EXEC);
	if (err)
		return err;
	struct inode *old = current->proc->kp->cwd;
	inode_get(old);
	inode_get(dir);
	inode_give(&current->proc->kp->cwd, dir);
	inode_put(old);
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
	struct file *f = fd_get_any((int)fd);
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
	struct kin_proc *kp = current->proc->kp;
	struct walk *w;
	s64 err = walk_directory(&w, path, cred_capable(CAP_SYS_CHROOT) ? 0 : -EPERM);

	if (err)
		return err;
	inode_drop(&kp->root);
	if (w->inode != vfs_shared()->root)
		inode_ref(&kp->root, w->inode);
	walk_free(w);
	return 0;
}

#define UNREACHABLE "(unreachable)"

s64 sys_getcwd(u64 buf, u64 size)
{
	static char text[sizeof(UNREACHABLE) + VFS_PATH_MAX + 1], root[VFS_PATH_MAX + 1];
	struct kin_proc *kp = current->proc->kp;
	char *path = text + strlen(UNREACHABLE);
	s64 n = dir_path(kp->cwd, path, VFS_PATH_MAX), r = 0;

	if (n < 0)
		return n;
	if (kp->root)
		r = dir_path(kp->root, root, VFS_PATH_MAX);
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
