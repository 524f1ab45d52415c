/* SPDX-License-Identifier: ISC */
/*
 * Names on volumes: host directories that the family shares with the host, each mounted where `-v`
 * says. Nothing of them is remembered beyond the moment, because the host may change them: every
 * walk asks the host (one hypercall for up to WALK_AHEAD components), every change is the host's
 * at once. An inode exists in kin while the family uses the file: for locks, FIFOs, sockets and
 * ETXTBSY, and to find the file again by its place. That place follows renames made in the family;
 * after one made on the host, members that have the file open keep it and others get ESTALE.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/hostfs/hostfs.h"
#include "kernel/hostfs/hostfs_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/walk.h"
#include "kernel/volume/volume.h"

/* The volume's root, also while it has no place in the tree yet. */
static bool is_top(const struct inode *ino)
{
	return !ino->parent || (inode_is(ino, INODE_MOUNT) && S_ISDIR(ino->mode));
}

const char *volume_name_of(struct inode *dir, u32 *len)
{
	const struct dirent_node *e = is_top(dir) ? dir->dir.entry : NULL;

	*len = e ? e->len : lower_len(dir);
	return e ? e->name : lower_path(dir);
}

/* From the end of buf: where the path begins, or NULL. rename_lock held. */
static char *climb(struct inode *ino, char *buf, char *at)
{
	for (; !is_top(ino); ino = ino->parent) {
		if (at - buf < (s64)lower_len(ino) + 1)
			return NULL;
		at -= lower_len(ino);
		memcpy(at, lower_path(ino), lower_len(ino));
		if (!is_top(ino->parent))
			*--at = '/';
	}
	return at;
}

const char *volume_path(struct inode *dir, const char *name, u32 len)
{
	static char bufs[2][VFS_PATH_MAX];
	static u32 which;
	char *buf = bufs[which ^= 1], *at = buf + VFS_PATH_MAX - 1;

	*at = '\0';
	if (len + 2 > VFS_PATH_MAX)
		return NULL;
	at -= len;
	memcpy(at, name, len);
	if (len && !is_top(dir))
		*--at = '/';
	rename_lock();
	at = climb(dir, buf, at);
	kin_unlock(&vfs_shared()->rename_lock);
	return at && !*at ? "." : at;
}

/* Asks the host about name and as much of rest as it will tell at once. */
static s64 look_ahead(struct walk *w, const char *name, u32 n, const char *rest)
{
	static char path[VFS_PATH_MAX + 2];
	const char *first = volume_path(w->dir, name, n);

	if (!first)
		return -ENAMETOOLONG;
	u32 len = (u32)strlcpy(path, first, sizeof(path)), from = len - n, count = 1;
	while (count < WALK_AHEAD && append_component(path, &len, &rest))
		count++;
	path[len] = '\0';
	w->ahead_renames = vfs_shared()->volume_renames;
	s64 got = host_fs_lookup(w->dir->volume, path, from, w->ahead, count);
	w->ahead_next = 0;
	w->ahead_have = got < 0 ? 0 : (u32)MIN(got, WALK_AHEAD);
	return got < 0 ? got : 0;
}

s64 volume_lookup(struct walk *w, const char *name, u32 n, const char *rest)
{
	if (inode_is(w->dir, INODE_DEAD))
		return -ENOENT;
	if (w->ahead_next >= w->ahead_have) {
		s64 err = look_ahead(w, name, n, rest);
		if (err)
			return err;
	}
	struct hyp_stat *st = &w->ahead[w->ahead_next++];
	struct inode *ino =
		icache_get_volume(w->dir->volume, w->dir, name, n, st, w->ahead_renames);
	if (!ino)
		return -ENOSPC;
	walk_found(w, ino);
	return 0;
}

static bool same_file(const struct inode *ino, const struct hyp_stat *st)
{
	return st->dev == ino->dev && st->ino == ino->ino && st->btime_ns == ino->btime_ns;
}

void volume_refresh(struct inode *ino)
{
	struct hyp_stat st;
	int handle = handle_find(ino);
	const char *path = handle < 0 ? volume_path(ino, NULL, 0) : NULL;
	s64 err = handle >= 0 ? host_fs_fstat(handle, &st)
			  : path      ? host_fs_stat(ino->volume, path, &st)
						  : -ENAMETOOLONG;

	if (!err && same_file(ino, &st))
		inode_attributes_set(ino, &st);
}

s64 volume_readlink(struct walk *w, char *buf, const char **target, struct file **jump)
{
	const char *path = volume_path(w->inode, NULL, 0);

	if (!path)
		return -ENAMETOOLONG;
	s64 n = host_fs_readlink(w->inode->volume, path, buf, VFS_PATH_MAX - 1);
	if (n >= 0)
		buf[n] = '\0';
	*target = buf;
	return n;
}

/* ---- attributes */

/* As utimensat wants them: seconds and nanoseconds, twice. */
static s64 set_times(struct inode *ino, const char *path, const s64 *t)
{
	s64 times[4];

	for (u32 i = 0; i < 2; i++) {
		times[2 * i] = t[i] / (s64)NSEC_PER_SEC;
		times[2 * i + 1] = t[i] % (s64)NSEC_PER_SEC;
		if (t[i] == TIME_NOW || t[i] == TIME_OMIT) {
			times[2 * i + 1] = t[i] == TIME_NOW ? UTIME_NOW : UTIME_OMIT;
		} else if (times[2 * i + 1] < 0) {
			times[2 * i]--;
			times[2 * i + 1] += NSEC_PER_SEC;
		}
	}
	return volume_ask_times(ino->volume, path, times);
}

s64 volume_setattr(struct inode *ino, const struct inode_change *c)
{
	const char *path = volume_path(ino, NULL, 0);
	s64 err;

	if (!path)
		return -ENAMETOOLONG;
	if (c->what == CHANGE_MODE)
		err = volume_ask_mode(ino->volume, path, c->mode);
	else if (c->what == CHANGE_OWNER)
		err = volume_ask_owner(ino->volume, path, c->uid, c->gid);
	else
		err = set_times(ino, path, c->times);
	if (!err)
		volume_refresh(ino);
	return err;
}

/* ---- names */

/* A handle if it is a regular file. */
static s64 make(u32 tree, const char *path, u32 mode, const char *target, struct hyp_stat *st)
{
	s64 r = S_ISLNK(mode) ? volume_ask_symlink(tree, path, target)
						  : volume_ask_make(tree, path, mode);

	if (r < 0)
		return r;
	s64 err = S_ISREG(mode) ? host_fs_fstat((int)r, st) : host_fs_stat(tree, path, st);
	if (err && S_ISREG(mode))
		host_fs_close((int)r);
	return err ? err : r;
}

s64 volume_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out)
{
	const char *path = volume_path(w->dir, w->name, w->name_len);
	u32 renames = vfs_shared()->volume_renames;
	struct hyp_stat st;

	if (!path)
		return -ENAMETOOLONG;
	if (inode_is(w->dir, INODE_DEAD))
		return -ENOENT;
	if (handles_full())
		return -ENFILE;
	s64 handle = make(w->dir->volume, path, mode, target, &st);
	if (handle < 0)
		return handle;
	struct inode *ino =
		icache_get_volume(w->dir->volume, w->dir, w->name, w->name_len, &st, renames);
	if (!ino) {
		if (S_ISREG(mode))
			host_fs_close((int)handle);
		return -ENOSPC;
	}
	s64 err = S_ISREG(mode) ? handle_add(ino, O_RDWR, (int)handle) : 0;
	if (err) {
		inode_put(ino);
		return err;
	}
	*out = ino;
	return 0;
}

/* Its place is one that nothing has: "#" and its number, as ext4 calls such files. */
s64 volume_create_nameless(struct inode *dir, u32 mode, bool exclusive, struct inode **out)
{
	const char *path = volume_path(dir, NULL, 0);
	u32 renames = vfs_shared()->volume_renames;
	struct hyp_stat st;
	char name[24];

	if (!path)
		return -ENAMETOOLONG;
	if (inode_is(dir, INODE_DEAD))
		return -ENOENT;
	if (handles_full())
		return -ENFILE;
	s64 handle = volume_ask_tmpfile(dir->volume, path, mode & 07777, exclusive);
	if (handle < 0)
		return handle;
	s64 err = host_fs_fstat((int)handle, &st);
	if (err) {
		host_fs_close((int)handle);
		return err;
	}
	int n = ksnprintf(name, sizeof(name), "#%lu", st.ino);
	struct inode *ino = icache_get_volume(dir->volume, dir, name, (u32)n, &st, renames);
	if (!ino) {
		host_fs_close((int)handle);
		return -ENOSPC;
	}
	err = handle_add(ino, O_RDWR, (int)handle);
	if (err)
		inode_put(ino);
	else
		*out = ino;
	return err;
}

/* A file of O_TMPFILE gets its name. */
static s64 name_first(struct inode *ino, struct walk *w, const char *path)
{
	s64 handle = handle_get_volume(ino, O_RDWR);
	u32 renames = vfs_shared()->volume_renames;
	struct hyp_stat st;

	if (handle < 0)
		return handle;
	s64 err = volume_ask_name(w->dir->volume, path, (int)handle);
	if (err)
		return err;
	if (!host_fs_stat(w->dir->volume, path, &st) && same_file(ino, &st))
		inode_put(
			icache_get_volume(w->dir->volume, w->dir, w->name, w->name_len, &st, renames));
	return 0;
}

s64 volume_link(struct inode *ino, struct walk *w)
{
	const char *old = volume_path(ino, NULL, 0);
	const char *path = volume_path(w->dir, w->name, w->name_len);

	if (!old || !path)
		return -ENAMETOOLONG;
	if (inode_is(ino, INODE_TMPFILE))
		return name_first(ino, w, path);
	s64 err = volume_ask_link(ino->volume, old, path);
	if (!err)
		ino->nlink++; /* until the next look */
	return err;
}

/*
 * A watched file is about to lose the name at path. Whether that was its last one only the host
 * knows for certain: a handle to ask with, or -1.
 */
static s64 watched_open(struct inode *ino, const char *path)
{
	struct hyp_stat st;

	if (!ino->watches || !S_ISREG(ino->mode))
		return -1;
	return host_fs_open(ino->volume, path, O_RDONLY, &st);
}

/* Takes the handle of watched_open. gone: the name is; ino may be open still. */
static void name_lost(struct inode *ino, bool gone, s64 handle)
{
	struct hyp_stat st;

	if (gone && S_ISDIR(ino->mode)) {
		ino->flags |= INODE_DEAD;
		ino->nlink = 0;
	} else if (gone && handle >= 0 && !host_fs_fstat((int)handle, &st) && same_file(ino, &st)) {
		inode_attributes_set(ino, &st);
	} else if (gone && ino->nlink) {
		ino->nlink--;
	}
	if (handle >= 0)
		host_fs_close((int)handle);
}

s64 volume_unlink(struct walk *w, bool dir)
{
	volume_keep(w->inode); /* first: it needs the buffers of paths */
	const char *path = volume_path(w->dir, w->name, w->name_len);

	if (!path)
		return -ENAMETOOLONG;
	s64 handle = watched_open(w->inode, path);
	s64 err = volume_ask_unlink(w->dir->volume, path, dir ? AT_REMOVEDIR : 0);
	name_lost(w->inode, !err, handle);
	return err;
}

/* ino has the name of w now. *text, a copy of it in hand, is exchanged for the old one. */
static void move_to(struct inode *ino, struct walk *w, struct kin_text **text,
					struct inode **parent)
{
	*parent = inode_parent_set(ino, w->dir);
	*text = own_exchange(&ino->lower, *text);
}

s64 volume_rename(struct rename *r)
{
	struct walk *from = r->from, *to = r->to;
	u32 flags = r->flags;
	struct vfs_shared *v = vfs_shared();
	struct inode *parents[2] = {NULL, NULL};
	struct kin_text *texts[2] = {kin_text(to->name, to->name_len),
								 kin_text(from->name, from->name_len)};
	struct inode *replaced = flags & RENAME_EXCHANGE ? NULL : to->inode;

	if (replaced)
		volume_keep(replaced);
	const char *old = volume_path(from->dir, from->name, from->name_len);
	const char *path = volume_path(to->dir, to->name, to->name_len);
	s64 err = !texts[0] || !texts[1] ? -ENOSPC : !old || !path ? -ENAMETOOLONG : 0;
	s64 handle = replaced && !err ? watched_open(replaced, path) : -1;

	if (!err)
		err = volume_ask_rename(from->dir->volume, old, path, flags);
	if (!err) {
		rename_lock();
		move_to(from->inode, to, &texts[0], &parents[0]);
		if (flags & RENAME_EXCHANGE)
			move_to(to->inode, from, &texts[1], &parents[1]);
		v->volume_renames++;
		kin_unlock(&v->rename_lock);
	}
	if (replaced)
		name_lost(replaced, !err, handle);
	for (u32 i = 0; i < 2; i++) {
		own_free(texts[i]);
		inode_put(parents[i]);
	}
	return err;
}

/* ---- the beginning */

/* The directory at path, made in the writable layer as far as it is missing: a reference. */
static struct inode *mount_parent(const char *path, const char **name)
{
	static char part[VOLUME_PATH_MAX];
	struct inode *dir = vfs_shared()->root;

	inode_get(dir);
	for (u32 i = 1;; i++) {
		if (path[i] && path[i] != '/')
			continue;
		if (!path[i])
			break;
		struct walk *w = walk_new();
		memcpy(part, path, i);
		part[i] = '\0';
		s64 err = w ? walk_path(w, AT_FDCWD, part, WALK_FOLLOW | WALK_CREATE) : -ENOMEM;
		struct inode *next = NULL;
		if (!err && !w->found)
			err = node_create(w, S_IFDIR | 0755, 0, NULL, &next);
		else if (!err && (next = walk_inode(w)))
			inode_get(next);
		if (err || !next || !S_ISDIR(next->mode) || !inode_ops(next)->create)
			family_fatal("a volume cannot be at %s: no directory can be there", path);
		walk_free(w);
		inode_put(dir);
		dir = next;
	}
	*name = strrchr(path, '/') + 1;
	return dir;
}

static void mount(u32 volume, const char *path)
{
	struct hyp_stat st;
	const char *name;
	struct inode *dir = mount_parent(path, &name);

	s64 err = host_fs_stat(volume, ".", &st);
	if (err || !S_ISDIR(st.mode))
		family_fatal("the volume at %s cannot be read: %s", path, error_text(err));
	struct inode *ino = icache_get_volume(volume, NULL, "", 0, &st, 0);
	if (ino && KIN->volumes[volume - 1].is_file) {
		struct inode *top = ino;
		err = host_fs_stat(volume, VOLUME_FILE_NAME, &st);
		if (err || !S_ISREG(st.mode))
			family_fatal("the volume at %s cannot be read: %s", path, error_text(err));
		ino = icache_get_volume(volume, top, VOLUME_FILE_NAME, strlen(VOLUME_FILE_NAME), &st, 0);
		inode_put(top);
	}
	struct dirent_node *fresh = dirent_alloc(name, strlen(name));
	if (!ino || !fresh)
		family_fatal("no memory for the volume at %s", path);
	inode_pin(dir);
	struct dirent_node *e = dirent_find(dir, name, strlen(name));
	if (e)
		dirent_set(dir, e, ino);
	else
		dirent_insert(dir, e = fresh, ino);
	if (e != fresh)
		dirent_free(fresh);
	if (S_ISDIR(ino->mode)) {
		inode_give(&ino->parent, dir);
		ino->dir.entry = e;
	} else { /* its directory in the volume stays its parent */
		inode_put(dir);
	}
	ino->flags |= INODE_MOUNT | INODE_LASTS;
	vfs_shared()->volumes[volume - 1] = ino;
}

void volumes_init(void)
{
	u32 n = MIN(KIN->volume_count, VOLUMES_MAX);

	for (u32 i = 0; i < n; i++) {
		static char path[VOLUME_PATH_MAX];
		strlcpy(path, KIN->volumes[i].path, sizeof(path));
		mount(i + 1, path);
		vfs_shared()->volume_count = i + 1;
	}
}
