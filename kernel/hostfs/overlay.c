/* SPDX-License-Identifier: ISC */
/*
 * The root's file system: a host directory that nobody changes, under a writable layer in kin. An
 * entry of that layer decides, whiteouts included; else the host's directory shows through where
 * it is merged. Directories of the host never move (renaming one is EXDEV, as overlayfs answers,
 * and mv copies), so their path identifies them; files are renamed without copying: the new entry
 * points to the host-backed inode. What the layer does is tmpfs's.
 *
 * What has to be asked of the host is asked before a lock is taken: its answer still holds then.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"
#include "kernel/tmpfs/tmpfs.h"
#include "kernel/vfs/readdir.h"
#include "kernel/vfs/walk.h"

/* Do the host's names show through? dir NULL: nobody has touched it. */
static bool shows_through(const struct inode *dir)
{
	return !dir || (inode_is(dir, INODE_MERGED) && !inode_is(dir, INODE_DEAD));
}

/* ---- names */

static s64 lookup_lower(struct walk *w, const char *rest)
{
	struct dentry *d;
	s64 err = dcache_lookup(w->path, w->path_len, rest, !*rest, &d);

	if (err)
		return err;
	w->st = d->st;
	w->mode = d->st.mode;
	if (S_ISDIR(w->mode)) {
		w->inode = d->lasting;
		if (!w->inode && icache_path_pinned(w->path, w->path_len))
			w->inode = icache_find_dir(w->path, w->path_len);
		if (w->inode && inode_is(w->inode, INODE_LASTS))
			d->lasting = w->inode;
	} else if (icache_file_pinned(w->st.dev, w->st.ino)) {
		w->inode = icache_find_file(w->st.dev, w->st.ino);
	}
	if (w->inode)
		w->mode = w->inode->mode;
	w->found = true;
	return 0;
}

static s64 overlay_lookup(struct walk *w, const char *name, u32 len, const char *rest)
{
	bool hidden = false;

	if (w->dir && tmpfs_entry(w, name, len, &hidden))
		return 0;
	return hidden || !shows_through(w->dir) ? -ENOENT : lookup_lower(w, rest);
}

static s64 overlay_readlink(struct walk *w, char *buf, const char **target, struct file **jump)
{
	struct inode *ino = w->inode;

	if (!ino)
		return dcache_readlink(w->path, w->path_len, target);
	if (!inode_is(ino, INODE_LOWER))
		return tmpfs_readlink(w, buf, target, jump);
	return dcache_readlink(lower_path(ino), lower_len(ino), target);
}

/* Does the host have the last name, so that it takes a whiteout to hide it? */
static void look_below(struct walk *w)
{
	struct dentry *d;

	w->below = false;
	if (!shows_through(w->dir) || w->last != LAST_NAME || !walk_name_path(w))
		return;
	s64 err = dcache_lookup(w->path, w->path_len, "", false, &d);
	w->below = err != -ENOENT && err != -ENOTDIR;
}

static s64 overlay_create(struct walk *w, u32 mode, u64 rdev, const char *target,
						  struct inode **out)
{
	look_below(w);
	return tmpfs_create(w, mode, rdev, target, out);
}

static s64 overlay_link(struct inode *ino, struct walk *w)
{
	look_below(w);
	return tmpfs_link(ino, w);
}

static const struct kin_text *overlay_path(const struct inode *dir)
{
	return inode_is(dir, INODE_MERGED) ? dir->lower : NULL;
}

static s64 overlay_stat_path(const char *path, u32 len, struct hyp_stat *st)
{
	struct dentry *d;
	s64 err = dcache_lookup(path, len, "", true, &d);

	if (!err)
		*st = d->st;
	return err;
}

static struct inode *overlay_inode_at(const char *path, u32 len, const struct hyp_stat *st)
{
	if (st)
		return icache_get(path, len, st);
	return icache_path_pinned(path, len) ? icache_find_dir(path, len) : NULL;
}

/* ---- listings. Positions: 0 ".", 1 "..", then 2 + i for the host's i-th name, then UPPER + those
 * of entries. The description remembers in priv where on the host the position lies (priv[0] index,
 * priv[1] host position); its lock protects that.
 */

#define UPPER (1ull << 40)

static bool covered(struct inode *dir, const char *name, size_t n)
{
	dir_lock(dir);
	bool found = dirent_find(dir, name, n) != NULL;
	kin_unlock(&dir->lock);
	return found;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* A walk over the names of the host that the writable layer does not hide. */
struct visible {
	struct inode *dir;
	u64 index; /* of the next entry */
	u64 from;  /* the first index that counts */
	bool (*fn)(void *arg, struct host_dirent *d, u64 index);
	void *arg;
};

static bool visible_entry(void *arg, struct host_dirent *d)
{
	struct visible *v = arg;

	if (v->index >= v->from && !is_dots(d->name) && !covered(v->dir, d->name, strlen(d->name)) &&
		!v->fn(v->arg, d, v->index))
		return false;
	v->index++;
	return true;
}

static bool emit_host(void *arg, struct host_dirent *d, u64 index)
{
	return list_emit(arg, d->name, strlen(d->name), d->ino, d->type, 2 + index + 1);
}

static s64 list_host(struct file *f, struct filler *fill, u64 pos)
{
	struct visible v = {.dir = f->inode, .from = pos - 2, .fn = emit_host, .arg = fill};
	u64 at = 0;

	if (f->priv[0] <= v.from) { /* else a seek backwards: count from the beginning */
		v.index = f->priv[0];
		at = f->priv[1];
	}
	s64 err = host_entries(f->inode, &at, visible_entry, &v);
	f->priv[0] = v.index;
	f->priv[1] = at;
	fill->last = MAX(pos, 2 + v.index);
	return err;
}

/* What the host calls the directory above. */
static u64 parent_number(struct inode *dir)
{
	static char text[VFS_PATH_MAX];
	u32 n = lower_len(dir);
	struct dentry *d;

	if (!inode_is(dir, INODE_MERGED))
		return inode_parent_number(dir);
	if (!n)
		return dir->ino;
	memcpy(text, lower_path(dir), n);
	while (n && text[--n] != '/')
		;
	text[n] = '\0';
	return dcache_lookup(text, n, "", true, &d) ? dir->ino : d->st.ino;
}

static s64 overlay_list(struct file *f, struct filler *fill, u64 pos)
{
	struct inode *dir = f->inode;
	s64 err = 0;

	if (pos < 2 && !list_dots(fill, dir, &pos, parent_number(dir)))
		return 0;
	if (pos < UPPER && inode_is(dir, INODE_MERGED))
		err = list_host(f, fill, pos);
	if (!err && !fill->full)
		tmpfs_list_entries(dir, fill, pos < UPPER ? 0 : pos - UPPER, UPPER);
	return err;
}

/* ---- removing and renaming. Whether a directory of the host is empty is decided from its listing,
 * and the whiteouts seen under its lock.
 */

static bool stop_at_first(void *arg, struct host_dirent *d, u64 index)
{
	*(bool *)arg = true;
	return false;
}

/* 0 or -ENOTEMPTY, as far as the host's names go. */
static s64 check_empty(struct inode *dir)
{
	bool any = false;
	struct visible v = {.dir = dir, .fn = stop_at_first, .arg = &any};
	u64 at = 0;

	if (dir->dir.count)
		return -ENOTEMPTY;
	if (!inode_is(dir, INODE_MERGED))
		return 0;
	s64 err = host_entries(dir, &at, visible_entry, &v);
	return err ? err : any ? -ENOTEMPTY : 0;
}

static s64 overlay_unlink(struct walk *w, bool dir)
{
	look_below(w);
	s64 err = dir ? check_empty(w->inode) : 0;
	return err ? err : tmpfs_unlink(w, dir);
}

static bool moves(const struct inode *ino)
{
	return !S_ISDIR(ino->mode) || !inode_is(ino, INODE_MERGED);
}

static s64 overlay_rename(struct rename *r)
{
	bool exchange = r->flags & RENAME_EXCHANGE;
	s64 err = 0;

	if (!moves(r->moved) || (exchange && !moves(r->replaced)))
		return -EXDEV;
	look_below(r->to);
	look_below(r->from);
	if (r->replaced && !exchange && S_ISDIR(r->replaced->mode))
		err = check_empty(r->replaced);
	return err ? err : tmpfs_rename(r);
}

/* ---- attributes and contents */

static bool is_lower(const struct inode *ino)
{
	return inode_is(ino, INODE_LOWER);
}

static void overlay_stat(struct inode *ino, struct kstat *st)
{
	if (inode_is(ino, INODE_LOWER | INODE_MERGED))
		st->blocks = ino->lower_blocks;
	else
		tmpfs_stat(ino, st);
}

/* The host may refuse what its mode bits allow: now, not at the first read. */
static s64 overlay_open(struct inode *ino, u32 access)
{
	if (!is_lower(ino))
		return 0;
	if (access != O_RDONLY)
		return inode_copy_up(ino, false);
	s64 handle = handle_get(ino);
	return handle < 0 ? handle : 0;
}

static s64 overlay_read(struct inode *ino, u64 buf, size_t len, u64 pos, bool user)
{
	if (!is_lower(ino))
		return tmpfs_read(ino, buf, len, pos, user);
	s64 handle = handle_get(ino);
	if (handle < 0)
		return handle;
	return pos >= ino->size ? 0 : host_read(handle, buf, MIN(len, ino->size - pos), pos, user);
}

static s64 overlay_truncate(struct inode *ino, u64 size)
{
	s64 err = inode_copy_up(ino, size == 0);

	return err ? err : tmpfs_truncate(ino, size);
}

static s64 overlay_seek(struct inode *ino, u64 pos, int whence)
{
	return is_lower(ino) ? inode_seek_data(ino, pos, whence) : tmpfs_seek(ino, pos, whence);
}

static s64 overlay_map(struct inode *ino, u64 va, u64 len, int prot, u64 offset)
{
	if (!is_lower(ino))
		return inode_map_copy(ino, va, len, prot, offset);
	return host_map(handle_get(ino), va, len, prot, offset, false);
}

/* A file of the host was not opened for writing: its pages are the host's, nothing to share. */
static struct kin_object *overlay_object(struct inode *ino)
{
	return is_lower(ino) ? NULL : tmpfs_object(ino);
}

static bool overlay_read_only(const struct inode *ino)
{
	return vfs_shared()->root_read_only;
}

static bool overlay_place(u32 volume, struct mount_place *p)
{
	if (vfs_shared()->root_read_only)
		p->flags |= MOUNT_RDONLY;
	return !volume;
}

const struct inode_ops root_fs = {
	.name = "overlay",
	.magic = OVERLAYFS_SUPER_MAGIC,
	.xattrs = true,
	.place = {FS_ROOT, MOUNT_RELATIME, "unifork", "/", ""},
	.place_at = overlay_place,
	.statfs = tmpfs_statfs,
	.read_only = overlay_read_only,
	.release = tmpfs_release,
	.leave = icache_leave,
	.pin = icache_pin,
	.lookup = overlay_lookup,
	.readlink = overlay_readlink,
	.list = overlay_list,
	.create = overlay_create,
	.create_nameless = tmpfs_create_nameless,
	.link = overlay_link,
	.unlink = overlay_unlink,
	.rename = overlay_rename,
	.fixed_path = overlay_path,
	.stat_path = overlay_stat_path,
	.inode_at = overlay_inode_at,
	.stat = overlay_stat,
	.setattr = tmpfs_setattr,
	.open = overlay_open,
	.read = overlay_read,
	.writev = tmpfs_writev,
	.write_kernel = tmpfs_write_kernel,
	.truncate = overlay_truncate,
	.allocate = tmpfs_allocate,
	.seek = overlay_seek,
	.map = overlay_map,
	.object = overlay_object,
};
