/* SPDX-License-Identifier: ISC */
/*
 * Watches and events of inotify(7). A watch is found by its inode, and for what happens to the
 * files in a directory by the directory's path, because an open file knows its own path but not
 * its directory. Source: inotify(7) of the man pages.
 */
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"

#include <asm/errno.h>

#include "kernel/fd/fd_owner.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/vfs/walk.h"

#define GONE_MAX 32 /* watches that one event may end at once */

struct watch_table *watch_table(bool create)
{
	struct vfs_shared *v = vfs_shared();
	struct watch_table *t = v->watch_table, *none = NULL;

	if (t || !create)
		return t;
	t = kin_alloc(sizeof(*t));
	if (!t)
		return NULL;
	queue_init(&t->events);
	if (!atomic_compare_exchange_strong(&v->watch_table, &none, t)) {
		kin_free(t);
		t = none;
	}
	return t;
}

void watch_table_lock(struct watch_table *t)
{
	kin_lock_recover(&t->lock, kin_recover_whole, NULL);
}

static u32 inode_bucket(const struct inode *ino)
{
	return (u32)((u64)ino >> 4) * 2654435761u >> 24;
}

struct watch *watch_find(struct watch_table *t, struct inotify *in, struct inode *ino)
{
	struct watch *w = t->by_inode[inode_bucket(ino)];

	while (w && (w->instance != in || w->inode != ino))
		w = w->by_inode;
	return w;
}

static s64 add(struct watch_table *t, const struct watch *like, struct inode *ino, const char *path)
{
	struct inotify *in = like->instance;
	u32 len = (u32)strlen(path);
	struct watch *w = kin_alloc(sizeof(*w) + len + 1);

	if (!w) {
		inode_put(ino);
		return -ENOMEM;
	}
	*w = *like;
	memcpy(w->path, path, len);
	w->path_len = len > 1 ? len : 0; /* the root's is empty */
	w->path_hash = (u32)hash_bytes(w->path, w->path_len);
	inode_give(&w->inode, ino);
	watch_table_lock(t);
	w->wd = ++in->next_wd;
	struct watch **by_inode = &t->by_inode[inode_bucket(ino)];
	struct watch **by_path = &t->by_path[w->path_hash % WATCH_BUCKETS];
	w->of_instance = in->watches;
	w->by_inode = *by_inode;
	w->by_path = *by_path;
	publish(&in->watches, w);
	publish(by_inode, w);
	publish(by_path, w);
	t->count++;
	ino->watches++;
	kin_unlock(&t->lock);
	return w->wd;
}

s64 watch_add(struct watch_table *t, struct inotify *in, struct inode *ino, const char *path,
			  u32 mask)
{
	return add(t, &(struct watch){.instance = in, .mask = mask}, ino, path);
}

s64 watch_add_directory(struct watch_table *t, const struct watch *like, struct inode *ino,
						const char *path)
{
	struct watch w = *like;

	w.instance = &t->directories;
	return add(t, &w, ino, path);
}

/* The instance's list last: its release finds what a dead member left half unlinked. */
void watch_unlink(struct watch_table *t, struct watch *w)
{
	struct watch **link;

	for (link = &t->by_path[w->path_hash % WATCH_BUCKETS]; *link && *link != w;)
		link = &(*link)->by_path;
	if (*link)
		publish(link, w->by_path);
	for (link = &t->by_inode[inode_bucket(w->inode)]; *link && *link != w;)
		link = &(*link)->by_inode;
	if (*link) {
		publish(link, w->by_inode);
		t->count--;
		w->inode->watches--;
	}
	for (link = &w->instance->watches; *link && *link != w;)
		link = &(*link)->of_instance;
	if (*link)
		publish(link, w->of_instance);
}

void watch_free(struct watch *w)
{
	inode_drop(&w->inode);
	kin_free(w);
}

/* ---- events. One is under way in a struct told, from lock to unlock. */

struct told {
	struct watch_table *t;
	u32 ended;
	struct watch *end[GONE_MAX];
};

static bool tell_begin(struct told *told)
{
	told->t = watch_table(false);
	told->ended = 0;
	if (!told->t || !told->t->count)
		return false;
	watch_table_lock(told->t);
	return true;
}

static void tell_end(struct told *told)
{
	kin_unlock(&told->t->lock);
	queue_wake_all(&told->t->events);
	for (u32 i = 0; i < told->ended; i++)
		watch_free(told->end[i]);
}

/* Removes a watch and says so. */
static void watch_end(struct told *told, struct watch *w)
{
	if (told->ended == GONE_MAX)
		return; /* the next event ends it */
	if (!w->file)
		inotify_put(w->instance, w->wd, IN_IGNORED, 0, NULL, 0);
	watch_unlink(told->t, w);
	told->end[told->ended++] = w;
}

static void tell_watch(struct told *told, struct watch *w, u32 mask, u32 cookie, const char *name,
					   u32 len)
{
	if (!(w->mask & mask & IN_ALL_EVENTS))
		return;
	if (w->file)
		owner_message(w->file, w->fd);
	else
		inotify_put(w->instance, w->wd, mask, cookie, name, len);
	if (w->mask & IN_ONESHOT || w->once)
		watch_end(told, w);
}

/* name NULL: what happened to ino itself. */
static void tell_inode(struct told *told, struct inode *ino, u32 mask, u32 cookie,
					   const char *name, u32 len)
{
	struct watch *next;

	if (!ino->watches)
		return;
	for (struct watch *w = told->t->by_inode[inode_bucket(ino)]; w; w = next) {
		next = w->by_inode;
		if (w->inode == ino)
			tell_watch(told, w, mask, cookie, name, len);
	}
}

/* The directory of an absolute path hears of its last name. */
static void tell_parent(struct told *told, const struct inode *ino, const char *path, u32 mask)
{
	u32 len = (u32)strlen(path), dir = len;
	struct watch *next;

	while (dir && path[dir - 1] != '/')
		dir--;
	if (!dir || dir == len)
		return;
	const char *name = path + dir;
	u32 name_len = len - dir;
	dir--;
	u32 hash = (u32)hash_bytes(path, dir);
	for (struct watch *w = told->t->by_path[hash % WATCH_BUCKETS]; w; w = next) {
		next = w->by_path;
		if (w->mask & IN_EXCL_UNLINK && !ino->nlink)
			continue;
		if (w->path_len == dir && S_ISDIR(w->inode->mode) && !memcmp(w->path, path, dir))
			tell_watch(told, w, mask, 0, name, name_len);
	}
}

static u32 dir_bit(const struct inode *ino)
{
	return S_ISDIR(ino->mode) ? IN_ISDIR : 0;
}

void notify_path(struct inode *ino, const char *path, u32 mask)
{
	struct told told;

	if (!ino || !tell_begin(&told))
		return;
	mask |= dir_bit(ino);
	if (path)
		tell_parent(&told, ino, path, mask);
	tell_inode(&told, ino, mask, 0, NULL, 0);
	tell_end(&told);
}

void notify_file(struct file *f, u32 mask)
{
	if (f->type == FILE_INODE || f->type == FILE_DIR)
		notify_path(f->inode, f->path, mask);
}

void notify_inode(struct inode *ino, u32 mask)
{
	struct told told;

	if (!tell_begin(&told))
		return;
	/* Linux says of no directory that it is one when it moves. */
	mask |= mask & IN_MOVE_SELF ? 0 : dir_bit(ino);
	tell_inode(&told, ino, mask, 0, NULL, 0);
	tell_end(&told);
}

void notify_name(struct walk *w, struct inode *ino, u32 mask, u32 cookie)
{
	struct told told;

	if (!tell_begin(&told))
		return;
	tell_inode(&told, w->dir, mask | dir_bit(ino), cookie, w->name, w->name_len);
	tell_end(&told);
}

void notify_removed(struct walk *w)
{
	u32 mask = IN_DELETE | dir_bit(w->inode);
	struct inode *ino = w->inode;
	struct told told;

	w->inode = NULL;
	inode_put(ino);
	if (!tell_begin(&told))
		return;
	tell_inode(&told, w->dir, mask, 0, w->name, w->name_len);
	tell_end(&told);
}

void notify_rename(struct walk *from, struct walk *to, struct inode *moved, struct inode *replaced)
{
	struct watch_table *t = watch_table(false);

	if (!t || !t->count)
		return;
	u32 cookie = ++t->next_cookie;
	notify_name(from, moved, IN_MOVED_FROM, cookie);
	notify_name(to, moved, IN_MOVED_TO, cookie);
	if (replaced)
		notify_inode(replaced, IN_ATTRIB);
	notify_inode(moved, IN_MOVE_SELF);
}

/* Watches hold references, but keep no file alive: one that only they (and a pin) know is gone. */
void notify_gone(struct inode *ino)
{
	struct told told;
	struct watch *next;
	u32 n = 0;

	if (!tell_begin(&told))
		return;
	/* ino may be freed by now: it is only compared until a watch, which holds it, is found. */
	for (struct watch *w = told.t->by_inode[inode_bucket(ino)]; w; w = w->by_inode)
		n += w->inode == ino;
	bool gone = n && !ino->nlink && ref_count(&ino->ref) == n + (ino->pinned != NULL);
	for (struct watch *w = told.t->by_inode[inode_bucket(ino)]; gone && w; w = next) {
		next = w->by_inode;
		if (w->inode != ino)
			continue;
		if (w->mask & IN_DELETE_SELF && !w->file)
			inotify_put(w->instance, w->wd, IN_DELETE_SELF, 0, NULL, 0);
		watch_end(&told, w);
	}
	tell_end(&told);
}
