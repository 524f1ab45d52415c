/* SPDX-License-Identifier: ISC */
/*
 * The tree at its beginning: the host's root, and in its writable layer the kernel's own /proc,
 * /dev and /sys, which hide the host's, and /tmp if the root has none. Built once by the first
 * member; every member then attaches its private caches, which start empty.
 */
#include <asm/errno.h>

#include "kernel/boot/tree.h"
#include "kernel/dev/dev.h"
#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/procfs/procfs.h"
#include "kernel/tty/host_tty.h"
#include "kernel/tty/pty.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/volume/volume.h"

#define TTY_GROUP 5 /* as /dev/pts has it: kernel/vfs/mounts.c */

/* An inode that exists for good, under a name of dir. */
static struct inode *plant(struct inode *dir, const char *name, struct inode *ino, u32 flags)
{
	struct dirent_node *e = dirent_alloc(name, strlen(name));

	if (!e || !ino)
		family_fatal("no memory for /%s", name);
	ino->flags |= flags;
	ino->nlink = S_ISDIR(ino->mode) ? 2 : 1;
	dirent_insert(dir, e, ino);
	if (S_ISDIR(ino->mode)) {
		dir->nlink++;
		if (!ino->parent) { /* else it knows its place already */
			inode_ref(&ino->parent, dir);
			ino->dir.entry = e;
		}
	}
	ino->flags |= flags & INODE_MOUNT ? INODE_LASTS : 0;
	return ino;
}

static struct inode *plant_dir(struct inode *dir, const char *name, enum inode_fs fs, u32 mode)
{
	return plant(dir, name, inode_alloc(fs, S_IFDIR | mode), fs == dir->fs ? 0 : INODE_MOUNT);
}

static void plant_text(struct inode *dir, const char *name, const char *text)
{
	struct inode *ino = inode_alloc(dir->fs, S_IFREG | 0444);

	if (ino)
		inode_write_kernel(ino, text, strlen(text), 0);
	plant(dir, name, ino, 0);
}

static void plant_link(struct inode *dir, const char *name, const char *target)
{
	struct inode *ino = inode_alloc(dir->fs, S_IFLNK | 0777);

	if (ino) {
		ino->link_len = (u32)strlen(target);
		own_give_if(&ino->link, kin_string(target, ino->link_len));
		ino->size = ino->link_len;
	}
	plant(dir, name, ino, 0);
}

static struct inode *plant_device(struct inode *dir, const char *name, u32 major, u32 minor,
								  u32 mode)
{
	struct inode *ino = inode_alloc(dir->fs, S_IFCHR | mode);

	if (ino)
		ino->rdev = (u64)major << 8 | minor;
	return plant(dir, name, ino, 0);
}

/*
 * /dev/pts, and in it the host's terminal under a name of the family's own, so that ttyname finds
 * it.
 */
static void plant_terminals(struct inode *dev)
{
	struct inode *pts = plant_dir(dev, "pts", FS_DEVPTS, 0755);
	u64 rdev = terminal_rdev();
	char name[16];

	plant_device(pts, "ptmx", 5, 2, 0666);
	pty_init(pts);
	if (!rdev)
		return;
	ksnprintf(name, sizeof(name), "%lu", rdev & 0xff);
	vfs_shared()->tty = plant_device(pts, name, (u32)(rdev >> 8), rdev & 0xff, 0620);
	vfs_shared()->tty->gid = TTY_GROUP;
}

static void plant_dev(struct inode *root)
{
	struct inode *dev = plant_dir(root, "dev", FS_DEV, 0755);

	plant_device(dev, "null", 1, 3, 0666);
	plant_device(dev, "zero", 1, 5, 0666);
	plant_device(dev, "full", 1, 7, 0666);
	plant_device(dev, "random", 1, 8, 0666);
	plant_device(dev, "urandom", 1, 9, 0666);
	plant_device(dev, "tty", 5, 0, 0666);
	plant_device(dev, "ptmx", 5, 2, 0666);
	plant_device(dev, "console", 5, 1, 0600);
	plant_link(dev, "fd", "/proc/self/fd");
	plant_link(dev, "stdin", "/proc/self/fd/0");
	plant_link(dev, "stdout", "/proc/self/fd/1");
	plant_link(dev, "stderr", "/proc/self/fd/2");
	plant_dir(dev, "shm", FS_SHM, 01777);
	plant_terminals(dev);
}

static void plant_sys(struct inode *root)
{
	struct inode *sys = plant_dir(root, "sys", FS_SYS, 0555);
	struct inode *devices = plant_dir(sys, "devices", FS_SYS, 0755);
	struct inode *system = plant_dir(devices, "system", FS_SYS, 0755);
	struct inode *cpu = plant_dir(system, "cpu", FS_SYS, 0755);

	plant_text(cpu, "online", "0\n");
	plant_text(cpu, "possible", "0\n");
	plant_text(cpu, "present", "0\n");
	plant_dir(cpu, "cpu0", FS_SYS, 0755);
}

void vfs_init(void)
{
	struct vfs_shared *v = kin_alloc(sizeof(*v));
	struct hyp_stat st;

	if (!v)
		family_fatal("no memory for the file system");
	kin_root_set(ROOT_VFS, v);
	v->next_ino = 1ull << 40; /* above what hosts use */
	s64 err = host_fs_stat(0, ".", &st);
	if (err || !S_ISDIR(st.mode))
		family_fatal("the root directory cannot be read: %s",
					 error_text(err ? err : -ENOTDIR));
	for (u32 fs = 0; fs < FS_KINDS; fs++)
		v->devices[fs] = 0x30 + fs;
	v->devices[FS_ROOT] = st.dev;
	struct inode *root = file_systems[FS_ROOT]->inode_at("", 0, &st);
	if (!root)
		family_fatal("no memory for the root directory");
	inode_pin(root);
	inode_give(&v->root, root);
	root->flags |= INODE_MOUNT | INODE_LASTS;
	plant(v->root, "proc", proc_root_inode(v->root), INODE_MOUNT);
	v->tmp_mounted = host_fs_stat(0, "tmp", &st) != 0;
	if (v->tmp_mounted)
		plant_dir(v->root, "tmp", FS_TMP, 01777);
	plant_dev(v->root);
	plant_sys(v->root);
	volumes_init();
	start_tree_make();
}

void vfs_attach(void)
{
	handles_reset();
}
