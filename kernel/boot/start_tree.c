/* SPDX-License-Identifier: ISC */
/*
 * What the command line asks for in the tree of files, before the first program: --tmpfs, a home
 * directory that can be used, names for the family's host and for its user. All of it lies in the
 * writable layer. The kernel does it as root, before there is a process.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/boot/tree.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/walk.h"

#define FILE_MAX 65536

static const struct kin_start *start(void)
{
	return &KIN->start;
}

/*
 * ino, a reference, under w's last name, whatever is there. It is a new directory or file of w's
 * directory.
 */
static void put(struct walk *w, struct inode *ino)
{
	struct dirent_node *fresh = dirent_alloc(w->name, w->name_len), *e;
	struct inode *dir = walk_dir(w);

	if (!dir || !fresh)
		family_fatal("no memory for what the first program finds");
	inode_pin(dir);
	e = dirent_find(dir, w->name, w->name_len);
	if (e)
		dirent_set(dir, e, ino);
	else
		dirent_insert(dir, e = fresh, ino);
	if (e != fresh)
		dirent_free(fresh);
	ino->nlink = S_ISDIR(ino->mode) ? 2 : 1;
	if (ino->fs == FS_ROOT)
		ino->dev = dir->dev;
	if (!S_ISDIR(ino->mode))
		return;
	if (!w->found)
		dir->nlink++;
	inode_ref(&ino->parent, dir);
	ino->dir.entry = e;
}

static struct inode *fresh_dir(enum inode_fs fs, u32 mode, u32 uid, u32 gid)
{
	struct inode *ino = inode_alloc(fs, S_IFDIR | mode);

	if (!ino)
		family_fatal("no memory for what the first program finds");
	ino->uid = uid;
	ino->gid = gid;
	return ino;
}

/* The walk to path's last name, which may be missing; its directories are made. NULL: no way. */
static struct walk *walk_making(const char *path)
{
	static char part[VOLUME_PATH_MAX];
	struct walk *w = walk_new();

	for (u32 i = 1; w; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		s64 err = walk_path(w, AT_FDCWD, part, WALK_FOLLOW | WALK_CREATE);
		if (!err && path[i] && !w->found)
			err = node_create(w, S_IFDIR | 0755, 0, NULL, NULL);
		if (!err && !path[i] && w->last == LAST_NAME)
			return w;
		walk_free(w);
		w = err || !path[i] ? NULL : walk_new();
	}
	return NULL;
}

/* ---- --tmpfs */

static void tmpfs_mount(const struct kin_tmpfs *t, u32 number)
{
	struct walk *w = walk_making(t->path);

	if (!w || (w->found && !S_ISDIR(w->mode)) || (w->dir && !inode_ops(w->dir)->create))
		family_fatal("a tmpfs cannot be at %s: no directory can be there", t->path);
	struct inode *ino = fresh_dir(FS_TMP, t->mode, t->uid, t->gid);
	ino->flags |= INODE_MOUNT;
	ino->volume = number;
	ino->dev = tmpfs_device(number);
	vfs_shared()->tmpfs[number - 1].pages_max = ALIGN_UP(t->size, PAGE_SIZE) / PAGE_SIZE;
	put(w, ino);
	walk_free(w);
}

/* ---- the home directory */

/* Is it the host's, and does the host keep the user who runs the family out of it? */
static bool host_refuses(struct walk *w)
{
	struct hyp_stat st;

	if (w->inode && !inode_is(w->inode, INODE_MERGED))
		return false;
	const char *path = walk_text(w);
	s64 handle = host_fs_open(0, path[1] ? path + 1 : ".", O_DIRECTORY, &st);
	if (handle >= 0)
		host_fs_close((int)handle);
	return handle == -EACCES;
}

/*
 * An ordinary user may be root inside, whose home on the host is closed to it, or have none below
 * this root: then there is an empty one in the layer.
 */
static void home_make(void)
{
	struct walk *w = walk_making(start()->home);

	if (w && (!w->dir || w->dir->fs == FS_ROOT) &&
		(!w->found || (S_ISDIR(w->mode) && host_refuses(w))))
		put(w, fresh_dir(FS_ROOT, 0700, start()->uid, start()->gid));
	walk_free(w);
}

/* ---- the host's name */

/* The host's file below the root directory: bytes, 0 if it cannot be read. */
static u32 host_file_read(struct walk *w, char *buf, u32 size)
{
	struct hyp_stat st;
	u32 len = 0;

	if (!w->found || !S_ISREG(w->mode) || (w->inode && !inode_is(w->inode, INODE_LOWER)))
		return 0;
	s64 handle = host_fs_open(0, walk_text(w) + 1, O_RDONLY, &st), n = handle < 0 ? 0 : 1;
	while (n > 0 && len < size) {
		n = host_fs_pread((int)handle, buf + len, size - len, len);
		len += n > 0 ? (u32)n : 0;
	}
	if (handle >= 0)
		host_fs_close((int)handle);
	return len;
}

/* Is name a word of a line before its comment? */
static bool hosts_has(const char *text, u32 len, const char *name)
{
	u32 n = (u32)strlen(name);
	bool comment = false, inside = false;

	for (u32 i = 0; i < len; i++) {
		bool blank = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';

		comment = text[i] == '#' || (comment && text[i] != '\n');
		if (!comment && !blank && !inside && len - i >= n && !memcmp(text + i, name, n) &&
			(i + n == len || strchr(" \t\n#", text[i + n])))
			return true;
		inside = !blank;
	}
	return false;
}

/* A file of the layer under w's last name. */
static void text_put(struct walk *w, const char *text, u32 len)
{
	struct inode *ino = inode_alloc(FS_ROOT, S_IFREG | 0644);

	if (!ino || inode_write_kernel(ino, text, len, 0) < 0)
		family_fatal("no memory for %s", walk_text(w));
	put(w, ino);
}

static struct walk *walk_in_etc(const char *path)
{
	struct walk *w = walk_new();

	if (w && !walk_path(w, AT_FDCWD, path, WALK_FOLLOW | WALK_CREATE) && w->last == LAST_NAME &&
		(!w->dir || w->dir->fs == FS_ROOT) && (!w->found || S_ISREG(w->mode)))
		return w;
	walk_free(w);
	return NULL;
}

/*
 * The root directory's file with a line more, in the layer, unless it has that word. otherwise:
 * what it is if there is none. A larger one than any is left alone.
 */
static void line_add(const char *path, const char *line, const char *word, const char *otherwise)
{
	u32 extra = (u32)strlen(line) + 1;
	char *text = kmalloc(FILE_MAX + extra);
	struct walk *w = text ? walk_in_etc(path) : NULL;
	u32 len = w ? host_file_read(w, text, FILE_MAX) : FILE_MAX;

	if (!len)
		len = (u32)strlcpy(text, otherwise, FILE_MAX);
	if (len < FILE_MAX && !(word && hosts_has(text, len, word))) {
		if (text[len - 1] != '\n')
			text[len++] = '\n';
		memcpy(text + len, line, extra - 1);
		text_put(w, text, len + extra - 1);
	}
	walk_free(w);
	kfree(text);
}

/*
 * Programs look the name of their own host up (sudo, Java): it is one of the loopback, as Debian
 * has it. The rest of /etc/hosts is the root directory's.
 */
static void name_make(void)
{
	const char *name = start()->hostname;
	char line[2 * HOSTNAME_MAX];
	struct walk *w;

	ksnprintf(line, sizeof(line), "127.0.1.1\t%s\n", name);
	line_add("/etc/hosts", line, name, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
	w = walk_in_etc("/etc/hostname");
	if (w)
		text_put(w, line, (u32)ksnprintf(line, sizeof(line), "%s\n", name));
	walk_free(w);
}

void start_tree_make(void)
{
	for (u32 i = 0; i < MIN(start()->tmpfs_count, START_TMPFS_MAX); i++)
		tmpfs_mount(&start()->tmpfs[i], i + 1);
	if (start()->home[0] == '/' && start()->home[1])
		home_make();
	name_make();
	if (start()->passwd[0])
		line_add("/etc/passwd", start()->passwd, NULL, "root:x:0:0:root:/root:/bin/sh\n");
	if (start()->group[0])
		line_add("/etc/group", start()->group, NULL, "root:x:0:\n");
	vfs_shared()->root_read_only = start()->read_only;
	if (vfs_shared()->tty)
		vfs_shared()->tty->uid = start()->uid;
}
