/* SPDX-License-Identifier: ISC */
/*
 * Directories as files: getdents over the host's names and those of the writable layer.
 * Positions: 0 ".", 1 "..", then 2 + i for the host's i-th name (its listing never changes), then
 * UPPER + sequence number of an entry. An entry of the writable layer, whiteouts included, hides
 * the host's of the same name. The description remembers in priv where on the host the position
 * lies (priv[0] index, priv[1] host position); its lock protects that.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_hooks.h"
#include "kernel/vfs/walk.h"

#define UPPER (1ull << 40)
#define LISTING_SIZE 32768

struct host_dirent {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

/* Entries under way to the application. */
struct filler {
	char *buf;
	size_t size, used;
	u64 last; /* position after the last entry */
	bool old; /* getdents: the type is the last byte of the entry */
	bool full;
};

static char listing[LISTING_SIZE] __attribute__((aligned(8)));
static char entries[LISTING_SIZE] __attribute__((aligned(8)));

static bool emit(struct filler *f, const char *name, size_t n, u64 ino, u32 type, u64 next)
{
	size_t head = f->old ? 18 : 19;
	size_t len = ALIGN_UP(head + n + 1 + (f->old ? 1 : 0), 8);

	if (f->used + len > f->size) {
		f->full = true;
		return false;
	}
	char *r = f->buf + f->used;
	memset(r, 0, len);
	memcpy(r, &ino, 8);
	memcpy(r + 8, &next, 8);
	u16 reclen = (u16)len;
	memcpy(r + 16, &reclen, 2);
	if (f->old)
		r[len - 1] = (char)type;
	else
		r[18] = (char)type;
	memcpy(r + head, name, n);
	f->used += len;
	f->last = next;
	return true;
}

static bool hidden(struct inode *dir, const char *name, size_t n)
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

/*
 * Calls fn for the entries of the host's directory from its position *at on, until it returns
 * false; *at goes past those it took. 0, or an error of the host.
 */
static s64 host_records(struct inode *dir, u64 *at, bool (*fn)(void *arg, struct host_dirent *d),
						void *arg)
{
	for (;;) {
		s64 handle = handle_get(dir);
		s64 n = handle < 0 ? handle : host_fs_getdents((int)handle, listing, sizeof(listing), *at);
		if (n <= 0)
			return n;
		for (s64 used = 0; used + 19 < n;) {
			struct host_dirent *d = (struct host_dirent *)(listing + used);
			if (d->reclen < 20 || used + d->reclen > n)
				return -EIO;
			used += d->reclen;
			if (!fn(arg, d))
				return 0;
			*at = (u64)d->off;
		}
	}
}

/* A walk over the names of the host that the writable layer does not hide. */
struct visible {
	struct inode *dir;
	u64 index; /* of the next entry */
	u64 from;  /* the first index that counts */
	bool (*fn)(void *arg, struct host_dirent *d, u64 index);
	void *arg;
};

static bool visible_record(void *arg, struct host_dirent *d)
{
	struct visible *v = arg;

	if (v->index >= v->from && !is_dots(d->name) && !hidden(v->dir, d->name, strlen(d->name)) &&
		!v->fn(v->arg, d, v->index))
		return false;
	v->index++;
	return true;
}

static bool emit_host(void *arg, struct host_dirent *d, u64 index)
{
	return emit(arg, d->name, strlen(d->name), d->ino, d->type, 2 + index + 1);
}

static s64 fill_host(struct file *f, struct filler *fill, u64 pos)
{
	struct visible v = {.dir = f->inode, .from = pos - 2, .fn = emit_host, .arg = fill};
	u64 at = 0;

	if (f->priv[0] <= v.from) { /* else a seek backwards: count from the beginning */
		v.index = f->priv[0];
		at = f->priv[1];
	}
	s64 err = host_records(f->inode, &at, visible_record, &v);
	f->priv[0] = v.index;
	f->priv[1] = at;
	fill->last = MAX(pos, 2 + v.index);
	return err;
}

static u32 type_of(u32 mode)
{
	return (mode & S_IFMT) >> 12;
}

static void fill_upper(struct inode *dir, struct filler *fill, u64 seq)
{
	dir_lock(dir);
	for (;;) {
		struct dirent_node *e = dirent_after(dir, seq);
		if (!e)
			break;
		seq = e->seq + 1;
		if (e->inode &&
			!emit(fill, e->name, e->len, e->inode->ino, type_of(e->inode->mode), UPPER + seq))
			break;
	}
	kin_unlock(&dir->lock);
}

static s64 fill_proc(struct inode *dir, struct filler *fill, u64 pos)
{
	static char name[256];
	u64 ino, next;
	u32 type;

	for (;;) {
		s64 n = proc_dir_entry(dir, pos, name, &ino, &type, &next);
		if (n <= 0)
			return n;
		if (!emit(fill, name, (size_t)n, ino, type, next))
			return 0;
		pos = next;
	}
}

static u64 parent_number(struct inode *dir)
{
	u64 number = dir->ino;

	if (dir->fs != FS_PROC && !inode_is(dir, INODE_MERGED)) {
		rename_lock();
		if (dir->parent)
			number = dir->parent->ino;
		kin_unlock(&vfs_shared()->rename_lock);
	} else if (inode_is(dir, INODE_MERGED) && lower_len(dir)) {
		static char text[VFS_PATH_MAX];
		u32 n = lower_len(dir);
		struct dentry *d;
		memcpy(text, lower_path(dir), n);
		while (n && text[--n] != '/')
			;
		text[n] = '\0';
		if (!dcache_lookup(text, n, "", true, &d))
			number = d->st.ino;
	}
	return number;
}

struct volume_listing {
	struct inode *dir;
	struct filler *fill;
};

/* Positions are the host's own. */
static bool volume_record(void *arg, struct host_dirent *d)
{
	struct volume_listing *l = arg;
	bool up = inode_is(l->dir, INODE_MOUNT) && !strcmp(d->name, "..");
	u64 ino = up ? parent_number(l->dir) : d->ino;

	return emit(l->fill, d->name, strlen(d->name), ino, d->type, (u64)d->off);
}

/* f->lock is held. */
static s64 fill(struct file *f, struct filler *fill)
{
	struct inode *dir = f->inode;
	u64 pos = (u64)f->pos;
	s64 err = 0;

	fill->last = pos;
	if (inode_is(dir, INODE_DEAD))
		return -ENOENT;
	if (on_volume(dir)) {
		struct volume_listing l = {dir, fill};
		err = host_records(dir, &pos, volume_record, &l);
		return fill->used ? 0 : err;
	}
	if (pos == 0 && emit(fill, ".", 1, dir->ino, 4, 1))
		pos = 1;
	if (pos == 1 && emit(fill, "..", 2, parent_number(dir), 4, 2))
		pos = 2;
	if (fill->full || pos < 2)
		return 0;
	if (dir->fs == FS_PROC)
		return fill_proc(dir, fill, pos);
	if (pos < UPPER && inode_is(dir, INODE_MERGED))
		err = fill_host(f, fill, pos);
	if (!err && !fill->full)
		fill_upper(dir, fill, pos < UPPER ? 0 : pos - UPPER);
	return fill->used ? 0 : err;
}

static s64 getdents(struct file *f, u64 buf, size_t len, bool old)
{
	struct filler fl = {.buf = entries, .size = MIN(len, sizeof(entries)), .old = old};

	if (f->type == FILE_PATH)
		return -EBADF;
	if (f->type != FILE_DIR)
		return -ENOTDIR;
	kin_lock_recover(&f->lock, kin_recover_whole, NULL);
	s64 err = fill(f, &fl);
	if (!err && fl.full && !fl.used)
		err = -EINVAL;
	if (!err && fl.used && copy_out((void *)buf, entries, fl.used))
		err = -EFAULT;
	if (!err && fl.used)
		f->pos = (s64)fl.last;
	kin_unlock(&f->lock);
	return err ? err : (s64)fl.used;
}

static s64 dir_getdents(struct file *f, void *buf, size_t len)
{
	return getdents(f, (u64)buf, len, false);
}

static s64 getdents_fd(u64 fd, u64 buf, u64 len, bool old)
{
	struct file *f = fd_get((int)fd);

	if (!f)
		return -EBADF;
	s64 n = getdents(f, buf, len, old);
	if (n >= 0)
		notify_file(f, IN_ACCESS);
	file_put(f);
	return n;
}

s64 sys_getdents64(u64 fd, u64 buf, u64 len)
{
	return getdents_fd(fd, buf, len, false);
}

s64 sys_getdents(u64 fd, u64 buf, u64 len)
{
	return getdents_fd(fd, buf, len, true);
}

static bool stop_at_first(void *arg, struct host_dirent *d, u64 index)
{
	*(bool *)arg = true;
	return false;
}

s64 lower_dir_empty(struct inode *dir)
{
	bool any = false;
	struct visible v = {.dir = dir, .fn = stop_at_first, .arg = &any};
	u64 at = 0;

	if (dir->dir.count)
		return 0;
	if (!inode_is(dir, INODE_MERGED))
		return 1;
	s64 err = host_records(dir, &at, visible_record, &v);
	return err ? err : !any;
}

static s64 dir_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	return -EISDIR;
}

static s64 dir_seek(struct file *f, s64 offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	return offset < 0 ? -EINVAL : offset;
}

const struct file_ops dir_file_ops = {
	.name = "dir",
	.read = dir_read,
	.seek = dir_seek,
	.stat = file_stat,
	.getdents = dir_getdents,
	.release = file_drop_inode,
	.seekable = true,
};
