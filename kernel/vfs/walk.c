/* SPDX-License-Identifier: ISC */
/*
 * Path resolution. The walk goes component by component and asks the file system of the directory
 * in hand for the next. That directory is an inode in kin, or, in the file system at / if nobody
 * has touched it, only a path.
 *
 * A walk is private to its thread: it holds references, takes one lock at a time and never
 * sleeps.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/walk.h"

#define LINKS_MAX 40

static struct walk *free_walks;

/* The one that knows directories by path alone. */
static const struct inode_ops *root_ops(void)
{
	return file_systems[FS_ROOT];
}

static const struct inode_ops *dir_ops(const struct walk *w)
{
	return w->dir ? inode_ops(w->dir) : root_ops();
}

struct walk *walk_new(void)
{
	struct walk *w = free_walks;

	if (w)
		free_walks = w->next;
	else
		w = kpages_alloc((sizeof(*w) + PAGE_SIZE - 1) / PAGE_SIZE);
	if (w)
		memset(w, 0, offsetof(struct walk, path));
	return w;
}

static void drop_found(struct walk *w)
{
	inode_put(w->inode);
	if (w->jump)
		file_put(w->jump);
	w->inode = NULL;
	w->jump = NULL;
	w->found = false;
}

static void drop_dir(struct walk *w)
{
	if (!w->dir_borrowed)
		inode_put(w->dir);
	w->dir_borrowed = false;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	drop_found(w);
	drop_dir(w);
	inode_put(w->own_root);
	w->next = free_walks;
	free_walks = w;
}

static const struct kin_text *fixed_path(const struct inode *dir)
{
	const struct inode_ops *ops = inode_ops(dir);

	return ops->fixed_path ? ops->fixed_path(dir) : NULL;
}

/* In its parent, or what it was called there; NULL: unknown. */
static const char *name_of(struct inode *dir, u32 *len)
{
	const struct inode_ops *ops = inode_ops(dir);
	struct dirent_node *e;

	if (ops->name_of)
		return ops->name_of(dir, len);
	e = dir->dir.entry;
	*len = e ? e->len : dir->name ? dir->name->len : 0;
	return e ? e->name : kin_text_get(dir->name);
}

/* From its parents' names; buf has size + 1 bytes. */
s64 dir_climb(struct inode *dir, char *buf, size_t size)
{
	const struct kin_text *top;
	size_t at = size;
	u32 len;

	for (; !(top = fixed_path(dir)); dir = dir->parent) {
		const char *name = name_of(dir, &len);
		if (!name)
			return -ENOENT;
		if (at < len + 2u)
			return -ENAMETOOLONG;
		at -= len;
		memcpy(buf + at, name, len);
		buf[--at] = '/';
	}
	if (at < top->len + 1u)
		return -ENAMETOOLONG;
	at -= top->len;
	memcpy(buf + at, kin_text_get(top), top->len);
	memmove(buf, buf + at, size - at);
	buf[size - at] = '\0';
	return (s64)(size - at);
}

s64 dir_path(struct inode *dir, char *buf, size_t size)
{
	const struct kin_text *path;

	if (inode_is(dir, INODE_DEAD))
		return -ENOENT;
	path = fixed_path(dir);
	if (path) {
		if (path->len >= size)
			return -ENAMETOOLONG;
		memcpy(buf, kin_text_get(path), path->len);
		buf[path->len] = '\0';
		return path->len;
	}
	rename_lock();
	s64 n = dir_climb(dir, buf, size - 1);
	kin_unlock(&vfs_shared()->rename_lock);
	return n;
}

bool dir_is_below(struct inode *dir, struct inode *ancestor)
{
	const struct kin_text *below = NULL, *above;

	while (dir && dir != ancestor && !(below = fixed_path(dir)))
		dir = dir->parent;
	if (!dir || dir == ancestor)
		return dir != NULL;
	above = S_ISDIR(ancestor->mode) ? fixed_path(ancestor) : NULL;
	return above && below->len > above->len && kin_text_get(below)[above->len] == '/' &&
		   !memcmp(kin_text_get(below), kin_text_get(above), above->len);
}

u64 inode_parent_number(struct inode *dir)
{
	rename_lock();
	u64 number = dir->parent ? dir->parent->ino : dir->ino;
	kin_unlock(&vfs_shared()->rename_lock);
	return number;
}

/* Takes over the reference. A removed directory has no path, and nothing is found in it. */
static void set_dir(struct walk *w, struct inode *dir)
{
	drop_dir(w);
	w->dir = dir;
	s64 n = dir_path(dir, w->path, VFS_PATH_MAX);
	w->dir_len = n < 0 ? 0 : (u32)n;
	w->ahead_next = w->ahead_have = 0;
}

static void set_root(struct walk *w)
{
	inode_get(w->root);
	set_dir(w, w->root);
}

static bool at_root(struct walk *w)
{
	const struct kin_text *path;

	if (w->dir)
		return w->dir == w->root;
	path = fixed_path(w->root);
	return path && w->dir_len == path->len && !memcmp(w->path, kin_text_get(path), w->dir_len);
}

static void step_up(struct walk *w)
{
	struct inode *up = NULL;

	if (at_root(w))
		return;
	if (w->dir && !fixed_path(w->dir)) {
		rename_lock();
		up = w->dir->parent;
		inode_get(up);
		kin_unlock(&vfs_shared()->rename_lock);
	}
	while (w->dir_len && w->path[--w->dir_len] != '/')
		;
	if (!up && !w->dir_len) {
		up = vfs_shared()->root;
		inode_get(up);
	} else if (!up) {
		up = root_ops()->inode_at(w->path, w->dir_len, NULL);
	}
	drop_dir(w);
	w->dir = up;
	w->ahead_next = w->ahead_have = 0;
}

/* Of the directory in hand, which has no inode. */
static s64 dir_stat(struct walk *w, struct hyp_stat *st)
{
	char saved = w->path[w->dir_len];

	w->path[w->dir_len] = '\0';
	s64 err = root_ops()->stat_path(w->path, w->dir_len, st);
	w->path[w->dir_len] = saved;
	return err;
}

static s64 may_search(struct walk *w)
{
	struct hyp_stat st;

	if (cred_capable(CAP_DAC_OVERRIDE))
		return 0;
	if (w->dir)
		return access_inode(w->dir, MAY_EXEC);
	/* The host looks through its directories itself, as the very user whom this one stands for. */
	if (KIN->start.ordinary && cred_uid() == KIN->start.uid)
		return 0;
	s64 err = dir_stat(w, &st);
	return err ? err : access_check(st.mode, st.uid, st.gid, MAY_EXEC);
}

/* The directory itself is what was asked for: ".", "..", "/". */
static s64 found_dir(struct walk *w)
{
	w->path_len = w->dir_len;
	if (w->dir) {
		inode_refresh(w->dir);
		inode_get(w->dir);
		walk_found(w, w->dir);
		return 0;
	}
	s64 err = dir_stat(w, &w->st);
	if (err)
		return err;
	w->mode = w->st.mode;
	w->found = true;
	return 0;
}

static bool name_path(struct walk *w, const char *name, u32 n)
{
	if (w->dir_len + n + 1 >= WALK_TEXT - 1)
		return false;
	w->path[w->dir_len] = '/';
	memcpy(w->path + w->dir_len + 1, name, n);
	w->path_len = w->dir_len + 1 + n;
	w->path[w->path_len] = '\0';
	return true;
}

static s64 lookup(struct walk *w, const char *name, u32 n, const char *rest)
{
	s64 err = may_search(w);

	if (err)
		return err;
	if (n > NAME_MAX || !name_path(w, name, n))
		return -ENAMETOOLONG;
	err = dir_ops(w)->lookup(w, name, n, rest);
	if (!err && w->inode && inode_is(w->inode, INODE_MOUNT) && S_ISREG(w->inode->mode))
		inode_refresh(w->inode); /* a volume of one file */
	return err;
}

static void descend(struct walk *w)
{
	drop_dir(w);
	w->dir = w->inode;
	w->inode = NULL;
	w->dir_len = w->path_len;
	w->found = false;
}

/* A link in /proc led to an open file: its inode counts, where it has one that paths can name. */
static void jumped(struct walk *w, struct file *f)
{
	drop_found(w);
	w->found = true;
	if (f->inode && (f->type == FILE_INODE || f->type == FILE_DIR || f->type == FILE_PATH ||
					 f->type == FILE_DEV || f->type == inode_ops(f->inode)->file_type)) {
		inode_get(f->inode);
		w->inode = f->inode;
		w->mode = f->inode->mode;
		w->path_len = 0;
		u32 len = f->path ? (u32)strlen(f->path) : VFS_PATH_MAX;
		if (len < VFS_PATH_MAX) {
			memcpy(w->path, f->path, len);
			w->path_len = len == 1 ? 0 : len;
		}
		w->path[w->path_len] = '\0';
		w->jump = f;
		return;
	}
	struct kstat st;
	w->mode = file_stat(f, &st) ? 0 : st.mode;
	w->jump = f;
}

s64 walk_readlink(struct walk *w, char *buf, const char **target, struct file **jump)
{
	const struct inode_ops *ops = w->inode ? inode_ops(w->inode) : root_ops();

	return ops->readlink ? ops->readlink(w, buf, target, jump) : -EINVAL;
}

/* The target's text, or a jump (*target NULL). */
static s64 link_target(struct walk *w, const char **target, char *buf)
{
	struct file *f = NULL;
	s64 n = walk_readlink(w, buf, target, &f);

	if (n < 0 || !f)
		return n;
	*target = NULL;
	jumped(w, f);
	if (w->flags & WALK_NO_MAGIC)
		return -ELOOP;
	return w->flags & (WALK_BENEATH | WALK_IN_ROOT) ? -EXDEV : n;
}

/*
 * Replaces the link just found by its target: *rest becomes target/rest. A jump leaves *rest
 * alone.
 */
static s64 follow(struct walk *w, const char **rest)
{
	static char buf[VFS_PATH_MAX + 1];
	const char *target;

	if (++w->links > LINKS_MAX || (w->flags & WALK_NO_LINKS))
		return -ELOOP;
	s64 n = link_target(w, &target, buf);
	if (n < 0 || !target)
		return n < 0 ? n : 0;
	if (n == 0)
		return -ENOENT;
	if (target[0] == '/' && (w->flags & WALK_BENEATH))
		return -EXDEV;
	size_t left = strlen(*rest);
	char *text = w->text[w->which ^= 1];
	if ((size_t)n + 1 + left + 1 > WALK_REST)
		return -ENAMETOOLONG;
	memcpy(text + n + 1, *rest, left + 1); /* *rest lies in the other buffer, or the caller's */
	memcpy(text, target, (size_t)n);
	text[n] = '/';
	if (!left && !w->slash)
		text[n] = '\0';
	*rest = text;
	drop_found(w);
	if (text[0] == '/')
		set_root(w);
	return 1;
}

/* One component. 1: go on with *rest, 0: done, -errno. */
static s64 step(struct walk *w, const char **rest)
{
	const char *name = *rest;
	u32 n = 0;

	while (name[n] && name[n] != '/')
		n++;
	const char *after = name + n;
	while (*after == '/')
		after++;
	bool last = !*after;
	w->slash = last && name[n] == '/';
	w->name = name;
	w->name_len = n;
	bool dot = n == 1 && name[0] == '.', dotdot = n == 2 && name[0] == '.' && name[1] == '.';
	w->last = dot ? LAST_DOT : dotdot ? LAST_DOTDOT : LAST_NAME;
	*rest = after;
	if (last && (w->flags & WALK_PARENT))
		return may_search(w);
	if (w->slash && w->last == LAST_NAME && (w->flags & WALK_CREATE))
		return -EISDIR;
	if (dot || dotdot) {
		s64 err = may_search(w);
		if (err)
			return err;
		if (dotdot && (w->flags & WALK_BENEATH) && at_root(w))
			return -EXDEV;
		if (dotdot)
			step_up(w);
		return last ? found_dir(w) : 1;
	}
	s64 err = lookup(w, name, n, after);
	if (err)
		return err == -ENOENT && last && (w->flags & WALK_CREATE) ? 0 : err;
	if (S_ISLNK(w->mode) && (!last || w->slash || (w->flags & WALK_FOLLOW))) {
		err = follow(w, rest);
		if (err)
			return err;
	}
	if (last && w->slash && !S_ISDIR(w->mode))
		return -ENOTDIR;
	if (last)
		return 0;
	if (!S_ISDIR(w->mode) || (w->jump && !w->inode))
		return -ENOTDIR;
	if (w->jump) {
		file_put(w->jump);
		w->jump = NULL;
	}
	descend(w);
	return 1;
}

/* Where a relative path starts. */
static s64 start_at(struct walk *w, int dirfd)
{
	struct inode *dir;

	if (dirfd == AT_FDCWD) {
		set_dir(w, current->proc->kp->cwd);
		w->dir_borrowed = true;
		return 0;
	}
	struct file *f = fd_get_any(dirfd);
	if (!f)
		return -EBADF;
	dir = f->inode;
	bool ok = dir && S_ISDIR(dir->mode);
	if (ok) {
		inode_get(dir);
		set_dir(w, dir);
	}
	file_put(f);
	return ok ? 0 : -ENOTDIR;
}

static s64 empty_path(struct walk *w, int dirfd)
{
	if (dirfd == AT_FDCWD) {
		s64 err = start_at(w, dirfd);
		w->last = LAST_DOT;
		return err ? err : found_dir(w);
	}
	struct file *f = fd_get_any(dirfd);
	if (!f)
		return -EBADF;
	file_hold(f); /* jumped takes it over */
	jumped(w, f);
	file_put(f);
	return 0;
}

/* The directory in hand becomes the root of this walk. */
static void confine(struct walk *w)
{
	w->root = w->own_root = w->dir;
	inode_get(w->own_root);
}

static s64 start(struct walk *w, int dirfd, const char *path)
{
	bool confined = w->flags & (WALK_BENEATH | WALK_IN_ROOT);

	if (*path == '/' && (w->flags & WALK_BENEATH))
		return -EXDEV;
	if (*path == '/' && !confined) {
		set_root(w);
		return 0;
	}
	s64 err = start_at(w, dirfd);
	if (!err && confined)
		confine(w);
	return err;
}

/* Which mount; no inode: an untouched directory of the root's. */
static u32 mount_of(const struct inode *ino)
{
	return ino ? ino->fs + ino->volume * FS_KINDS : FS_ROOT;
}

/* Is the walk, or what it has found, where it began? */
static bool stayed(const struct walk *w, u32 mount)
{
	bool jumped_away = w->jump && !w->inode;

	return mount_of(w->dir) == mount && !jumped_away && (!w->inode || mount_of(w->inode) == mount);
}

s64 walk_path(struct walk *w, int dirfd, const char *path, u32 flags)
{
	struct kin_proc *kp = current && current->proc ? current->proc->kp : NULL;

	w->flags = flags;
	w->root = kp && kp->root ? kp->root : vfs_shared()->root;
	if (!*path)
		return flags & WALK_EMPTY ? empty_path(w, dirfd) : -ENOENT;
	if (strnlen(path, VFS_PATH_MAX) >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	s64 err = start(w, dirfd, path);
	if (err)
		return err;
	u32 mount = mount_of(w->dir);
	for (s64 more = 1; more > 0;) {
		while (*path == '/')
			path++;
		if (!*path) {
			w->last = LAST_ROOT;
			return flags & WALK_PARENT ? 0 : found_dir(w);
		}
		more = step(w, &path);
		if (more < 0)
			return more;
		if (flags & WALK_NO_XDEV && !stayed(w, mount))
			return -EXDEV;
	}
	return 0;
}

s64 walk_user(struct walk **out, int dirfd, u64 path, u32 flags)
{
	struct walk *w = walk_new();

	*out = NULL;
	if (!w)
		return -ENOMEM;
	s64 n = string_in(w->text[1], (const void *)path, VFS_PATH_MAX);
	w->which = 1;
	s64 err = n < 0 ? n : walk_path(w, dirfd, w->text[1], flags);
	if (err)
		walk_free(w);
	else
		*out = w;
	return err;
}

struct inode *walk_inode(struct walk *w)
{
	if (!w->inode && w->found && !w->jump)
		w->inode = root_ops()->inode_at(w->path, w->path_len, &w->st);
	return w->inode;
}

struct inode *walk_dir(struct walk *w)
{
	struct hyp_stat st;

	if (!w->dir && !dir_stat(w, &st))
		w->dir = root_ops()->inode_at(w->path, w->dir_len, &st);
	return w->dir;
}

void walk_stat(struct walk *w, struct kstat *st)
{
	if (w->inode)
		inode_stat(w->inode, st);
	else if (w->jump)
		file_stat(w->jump, st);
	else
		hyp_to_kstat(&w->st, st);
}

const char *walk_text(struct walk *w)
{
	if (!w->path_len)
		return "/";
	w->path[w->path_len] = '\0';
	return w->path;
}

s64 walk_name(struct walk *w)
{
	s64 err = lookup(w, w->name, w->name_len, "");

	return err == -ENOENT ? 0 : err;
}

bool walk_name_path(struct walk *w)
{
	return name_path(w, w->name, w->name_len);
}
