/* SPDX-License-Identifier: ISC */
/*
 * Path resolution. The walk goes component by component; a directory in hand is an inode in kin,
 * or, if nobody has touched it, only its path on the host. Each lookup asks the writable layer
 * first (an entry or a whiteout decides), then the member's memory of the host, which sees to it
 * that a whole path costs one hypercall.
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
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

#define LINKS_MAX 40

static struct walk *free_walks;

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
	w->name_lower = false;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	drop_found(w);
	inode_put(w->dir);
	inode_put(w->own_root);
	w->next = free_walks;
	free_walks = w;
}

/*
 * The text of a directory that is not on the host, from its parents' entries; buf has size + 1
 * bytes. rename_lock held.
 */
static s64 climb(struct inode *dir, char *buf, size_t size)
{
	size_t at = size;

	while (!inode_is(dir, INODE_MERGED) && dir != vfs_shared()->root) {
		bool named = on_volume(dir) && !inode_is(dir, INODE_MOUNT);
		struct dirent_node *e = named ? NULL : dir->dir.entry;
		if (!e && !named)
			return -ENOENT;
		u32 len = e ? e->len : lower_len(dir);
		if (at < len + 2u)
			return -ENAMETOOLONG;
		at -= len;
		memcpy(buf + at, e ? e->name : lower_path(dir), len);
		buf[--at] = '/';
		dir = dir->parent;
	}
	if (at < lower_len(dir) + 1u)
		return -ENAMETOOLONG;
	at -= lower_len(dir);
	memcpy(buf + at, lower_path(dir), lower_len(dir));
	memmove(buf, buf + at, size - at);
	buf[size - at] = '\0';
	return (s64)(size - at);
}

s64 dir_path(struct inode *dir, char *buf, size_t size)
{
	if (dir->fs == FS_PROC)
		return proc_dir_path(dir, buf, size);
	if (inode_is(dir, INODE_DEAD))
		return -ENOENT;
	if (inode_is(dir, INODE_MERGED)) {
		if (lower_len(dir) >= size)
			return -ENAMETOOLONG;
		memcpy(buf, lower_path(dir), lower_len(dir));
		buf[lower_len(dir)] = '\0';
		return lower_len(dir);
	}
	rename_lock();
	s64 n = climb(dir, buf, size - 1);
	kin_unlock(&vfs_shared()->rename_lock);
	return n;
}

/* Takes over the reference. A removed directory has no path, and nothing is found in it. */
static void set_dir(struct walk *w, struct inode *dir)
{
	inode_put(w->dir);
	w->dir = dir;
	w->merged = inode_is(dir, INODE_MERGED) && !inode_is(dir, INODE_DEAD);
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
	if (w->dir == w->root)
		return true;
	return w->merged && inode_is(w->root, INODE_MERGED) && w->dir_len == lower_len(w->root) &&
		   !memcmp(w->path, lower_path(w->root), w->dir_len);
}

static void step_up(struct walk *w)
{
	struct inode *up = NULL;

	if (at_root(w))
		return;
	if (w->dir && w->dir->fs == FS_PROC) {
		up = w->dir->parent;
		inode_get(up);
	} else if (w->dir && !inode_is(w->dir, INODE_MERGED)) {
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
	} else if (!up && icache_path_pinned(w->path, w->dir_len)) {
		up = icache_find_dir(w->path, w->dir_len);
	}
	inode_put(w->dir);
	w->dir = up;
	w->merged = !up || (inode_is(up, INODE_MERGED) && !inode_is(up, INODE_DEAD));
	w->ahead_next = w->ahead_have = 0;
}

/* What the host says about the directory in hand. */
static s64 dir_stat(struct walk *w, struct dentry **d)
{
	char saved = w->path[w->dir_len];

	w->path[w->dir_len] = '\0';
	s64 err = dcache_lookup(w->path, w->dir_len, "", true, d);
	w->path[w->dir_len] = saved;
	return err;
}

static s64 may_search(struct walk *w)
{
	struct dentry *d;

	if (cred_uid() == 0)
		return 0;
	if (w->dir)
		return access_inode(w->dir, MAY_EXEC);
	s64 err = dir_stat(w, &d);
	return err ? err : access_check(d->st.mode, d->st.uid, d->st.gid, MAY_EXEC);
}

/* The directory itself is what was asked for: ".", "..", "/". */
static s64 found_dir(struct walk *w)
{
	struct dentry *d;

	w->path_len = w->dir_len;
	if (w->dir) {
		if (on_volume(w->dir))
			volume_refresh(w->dir);
		inode_get(w->dir);
		w->inode = w->dir;
		w->mode = w->dir->mode;
	} else {
		s64 err = dir_stat(w, &d);
		if (err)
			return err;
		w->st = d->st;
		w->mode = d->st.mode;
	}
	w->found = true;
	return 0;
}

static s64 lookup_lower(struct walk *w, const char *rest, bool last)
{
	struct dentry *d;
	s64 err = dcache_lookup(w->path, w->path_len, rest, last, &d);

	if (err)
		return err;
	w->name_lower = true;
	w->st = d->st;
	w->mode = d->st.mode;
	if (S_ISDIR(w->mode)) {
		if (icache_path_pinned(w->path, w->path_len))
			w->inode = icache_find_dir(w->path, w->path_len);
	} else if (icache_file_pinned(w->st.dev, w->st.ino)) {
		w->inode = icache_find_file(w->st.dev, w->st.ino);
	}
	if (w->inode)
		w->mode = w->inode->mode;
	w->found = true;
	return 0;
}

/*
 * Looks name up in the directory in hand. An entry of the writable layer decides; else the host's
 * directory if it shows through.
 */
static s64 lookup(struct walk *w, const char *name, u32 n, const char *rest)
{
	s64 err = may_search(w);

	if (err)
		return err;
	if (n > NAME_MAX || w->dir_len + n + 1 >= WALK_TEXT - 1)
		return -ENAMETOOLONG;
	w->path[w->dir_len] = '/';
	memcpy(w->path + w->dir_len + 1, name, n);
	w->path_len = w->dir_len + 1 + n;
	w->path[w->path_len] = '\0';
	if (w->dir && w->dir->fs == FS_PROC) {
		err = proc_lookup(w->dir, name, n, &w->inode);
		if (err)
			return err;
		w->mode = w->inode->mode;
		w->found = true;
		return 0;
	}
	if (w->dir && on_volume(w->dir))
		return volume_lookup(w, name, n, rest);
	if (w->dir) {
		dir_lock(w->dir);
		struct dirent_node *e = dirent_find(w->dir, name, n);
		bool hidden = e && !e->inode;
		if (e && e->inode) {
			inode_get(e->inode);
			w->inode = e->inode;
		}
		kin_unlock(&w->dir->lock);
		if (w->inode) {
			w->mode = w->inode->mode;
			w->found = true;
			return 0;
		}
		if (hidden || !w->merged)
			return -ENOENT;
	}
	return lookup_lower(w, rest, !*rest);
}

static void descend(struct walk *w)
{
	inode_put(w->dir);
	w->dir = w->inode;
	w->inode = NULL;
	w->merged = !w->dir || (inode_is(w->dir, INODE_MERGED) && !inode_is(w->dir, INODE_DEAD));
	w->dir_len = w->path_len;
	w->found = false;
	w->name_lower = false;
}

/* A link in /proc led to an open file: its inode counts, where it has one that paths can name. */
static void jumped(struct walk *w, struct file *f)
{
	drop_found(w);
	w->found = true;
	if (f->inode && (f->type == FILE_INODE || f->type == FILE_DIR || f->type == FILE_PATH ||
					 f->type == FILE_PROC || f->type == FILE_DEV)) {
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

/* The target's text, or a jump (*target NULL). */
static s64 link_target(struct walk *w, const char **target, char *buf)
{
	struct inode *ino = w->inode;
	struct file *f = NULL;

	if (ino && ino->fs == FS_PROC) {
		s64 n = proc_link(ino, buf, VFS_PATH_MAX, &f);
		if (n < 0)
			return n;
		*target = f ? NULL : buf;
		if (f)
			jumped(w, f);
		if (f && (w->flags & WALK_NO_MAGIC))
			return -ELOOP;
		if (f && (w->flags & (WALK_BENEATH | WALK_IN_ROOT)))
			return -EXDEV;
		return n;
	}
	if (ino && on_volume(ino))
		return volume_readlink(ino, target);
	if (ino && !inode_is(ino, INODE_LOWER)) {
		*target = ino->link;
		return ino->link_len;
	}
	if (ino)
		return dcache_readlink(lower_path(ino), lower_len(ino), target);
	return dcache_readlink(w->path, w->path_len, target);
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
		dir = current->proc->fs->cwd_inode;
		inode_get(dir);
		set_dir(w, dir);
		return 0;
	}
	struct file *f = fd_get(dirfd);
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
	struct file *f = fd_get(dirfd);
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

s64 walk_path(struct walk *w, int dirfd, const char *path, u32 flags)
{
	struct fs_context *fs = current && current->proc ? current->proc->fs : NULL;

	w->flags = flags;
	w->root = fs && fs->root ? fs->root : vfs_shared()->root;
	if (!*path)
		return flags & WALK_EMPTY ? empty_path(w, dirfd) : -ENOENT;
	if (strnlen(path, VFS_PATH_MAX) >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	s64 err = start(w, dirfd, path);
	if (err)
		return err;
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
		w->inode = icache_get(w->path, w->path_len, &w->st);
	return w->inode;
}

struct inode *walk_dir(struct walk *w)
{
	struct dentry *d;

	if (!w->dir && !dir_stat(w, &d))
		w->dir = icache_get(w->path, w->dir_len, &d->st);
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

bool walk_name_on_host(struct walk *w)
{
	struct dentry *d;

	if (!w->merged || w->last != LAST_NAME || w->dir_len + w->name_len + 2 > WALK_TEXT)
		return false;
	w->path[w->dir_len] = '/';
	memcpy(w->path + w->dir_len + 1, w->name, w->name_len);
	w->path_len = w->dir_len + 1 + w->name_len;
	w->path[w->path_len] = '\0';
	s64 err = dcache_lookup(w->path, w->path_len, "", false, &d);
	return err != -ENOENT && err != -ENOTDIR;
}
