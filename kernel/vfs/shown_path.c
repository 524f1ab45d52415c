/* SPDX-License-Identifier: ISC */
/*
 * What an open file is called by now: /proc/PID/fd, exe, cwd and maps show names that follow
 * renames of the file and of the directories above it, and say when there is none any more.
 *
 * Directories know their parents. Other inodes of the writable layer note where they were last
 * seen: the directory, by which their path follows renames further up, and the name. A file with
 * several names is shown by the last one that somebody used.
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_hooks.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/walk.h"

#define DELETED " (deleted)"

_Static_assert(FILE_SHOWN_MAX == SHOWN_PATH_MAX, "one for those who know files, one for inodes");

static s64 add(char *buf, size_t size, s64 n, const char *text, size_t len)
{
	if (n < 0)
		return n;
	if ((size_t)n + len + 1 > size)
		return -ENAMETOOLONG;
	memcpy(buf + n, text, len);
	buf[n + (s64)len] = '\0';
	return n + (s64)len;
}

s64 dir_shown_path(struct inode *dir, char *buf, size_t size)
{
	s64 n = dir_path(dir, buf, size);

	if (!n)
		return add(buf, size, n, "/", 1);
	if (n > 0 || !inode_is(dir, INODE_DEAD))
		return n;
	rename_lock();
	n = dir_climb(dir, buf, size - 1);
	kin_unlock(&vfs_shared()->rename_lock);
	return add(buf, size, n, DELETED, strlen(DELETED));
}

/* Do directory and name of ino stand in the inode? Those of volumes do it otherwise. */
static bool keeps_name(const struct inode *ino)
{
	return !S_ISDIR(ino->mode) && ino->fs != FS_VOLUME && inode_ops(ino)->rename;
}

void inode_named(struct inode *ino, struct walk *w)
{
	struct inode *old_parent = NULL;

	if (!keeps_name(ino) || !w->dir || w->dir->fs != ino->fs || w->last != LAST_NAME)
		return;
	inode_data_lock(ino);
	bool known = ino->parent == w->dir && ino->name && ino->name->len == w->name_len &&
				 !memcmp(ino->name->text, w->name, w->name_len);
	kin_unlock(&ino->lock);
	if (known)
		return;
	struct kin_text *text = kin_text(w->name, w->name_len);
	if (!text)
		return; /* the old name is shown */
	inode_data_lock(ino);
	old_parent = inode_parent_set(ino, w->dir);
	text = own_exchange(&ino->name, text);
	kin_unlock(&ino->lock);
	own_free(text);
	inode_put(old_parent);
}

/* Where ino was last seen: a reference, and the name. NULL: nothing noted. */
static struct inode *last_seen(struct inode *ino, char name[256], u32 *len)
{
	struct inode *dir = NULL;

	if (!keeps_name(ino))
		return NULL;
	inode_data_lock(ino);
	if (ino->parent && ino->name && ino->name->len < 256) {
		dir = ino->parent;
		inode_get(dir);
		*len = ino->name->len;
		memcpy(name, ino->name->text, *len);
	}
	kin_unlock(&ino->lock);
	return dir;
}

/* By what the inode notes. */
static s64 noted_path(struct inode *ino, char *buf, size_t size)
{
	char name[256];
	u32 len = 0;
	struct inode *dir = last_seen(ino, name, &len);

	if (!dir)
		return -ENOENT;
	rename_lock();
	s64 n = dir_climb(dir, buf, size - 1);
	kin_unlock(&vfs_shared()->rename_lock);
	dir_lock(dir);
	struct dirent_node *e = dirent_find(dir, name, len);
	/* Without an entry it is the host's name, if it has not been the layer's alone. */
	bool there = e ? e->inode == ino : inode_is(dir, INODE_MERGED) && ino->lower && ino->nlink;
	kin_unlock(&dir->lock);
	inode_put(dir);
	n = add(buf, size, n, "/", 1);
	n = add(buf, size, n, name, len);
	return there ? n : add(buf, size, n, DELETED, strlen(DELETED));
}

s64 file_shown_path(struct file *f, char *buf, size_t size)
{
	struct inode *ino = f->inode;
	s64 n;

	if (ino && S_ISDIR(ino->mode))
		return dir_shown_path(ino, buf, size);
	n = ino ? noted_path(ino, buf, size) : -ENOENT;
	if (n >= 0)
		return n;
	if (!f->path)
		return -ENOENT;
	n = add(buf, size, 0, f->path, strlen(f->path));
	return ino && !ino->nlink ? add(buf, size, n, DELETED, strlen(DELETED)) : n;
}
