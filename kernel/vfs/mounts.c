/* SPDX-License-Identifier: ISC */
/*
 * The family's file systems as mounts: what /proc/PID/mounts, mountinfo and mountstats list, with
 * the device numbers that stat reports and the flags that statfs does. A directory that is not the
 * root of a file system of its own (usually /tmp) is not listed.
 */
#include <linux/mount.h>

#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/vfs/mounts.h"

#define FIRST_ID 20
#define FIRST_VOLUME_ID 40

/* Flags as in f_flags of statfs. */
enum {
	RDONLY = 1,
	NOSUID = 2,
	NODEV = 4,
	NOEXEC = 8,
	VALID = 0x20,
	RELATIME = 0x1000
};

/* In this order, parents first; ids follow from it. */
static const struct mount {
	enum inode_fs fs, parent;
	u32 flags;
	const char *source, *path, *type;
	const char *super; /* options of the file system, after rw or ro */
} mounts[] = {
	{FS_ROOT, FS_ROOT, RELATIME, "unifork", "/", "overlay", ""},
	{FS_PROC, FS_ROOT, NOSUID | NODEV | NOEXEC | RELATIME, "proc", "/proc", "proc", ""},
	{FS_DEV, FS_ROOT, NOSUID, "dev", "/dev", "devtmpfs", ""},
	{FS_DEVPTS, FS_DEV, NOSUID | NOEXEC | RELATIME, "devpts", "/dev/pts", "devpts",
		",gid=5,mode=620,ptmxmode=666"},
	{FS_SHM, FS_DEV, NOSUID | NODEV, "shm", "/dev/shm", "tmpfs", ""},
	{FS_SYS, FS_ROOT, RDONLY | NOSUID | NODEV | NOEXEC | RELATIME, "sysfs", "/sys", "sysfs", ""},
	{FS_TMP, FS_ROOT, NOSUID | NODEV, "tmpfs", "/tmp", "tmpfs", ""},
};

static bool mounted(const struct mount *m)
{
	return m->fs != FS_TMP || vfs_shared()->tmp_mounted;
}

static u32 mount_index(enum inode_fs fs)
{
	for (u32 i = 0; i < ARRAY_SIZE(mounts); i++)
		if (mounts[i].fs == fs)
			return i;
	return 0;
}

u32 mount_id(const struct inode *ino)
{
	return ino->volume ? FIRST_VOLUME_ID + ino->volume - 1 : FIRST_ID + mount_index(ino->fs);
}

u32 mount_flags(enum inode_fs fs, u32 volume)
{
	u32 own = volume ? RELATIME | (KIN->volumes[volume - 1].read_only ? RDONLY : 0)
					 : mounts[mount_index(fs)].flags;

	return VALID | (fs == FS_MEMFD ? 0 : own);
}

static void add_flags(struct text *t, u32 flags)
{
	text_add(t, "%s%s%s%s%s", flags & RDONLY ? "ro" : "rw", flags & NOSUID ? ",nosuid" : "",
			 flags & NODEV ? ",nodev" : "", flags & NOEXEC ? ",noexec" : "",
			 flags & RELATIME ? ",relatime" : "");
}

/* Calls add for every mount; its root's device as stat reports it. */
struct shown {
	u32 id, parent, flags;
	u64 dev;
	const char *source, *path, *type, *super;
};

static void foreach_mount(struct text *t, void (*add)(struct text *t, const struct shown *s))
{
	for (u32 i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct mount *m = &mounts[i];
		if (mounted(m))
			add(t, &(struct shown){FIRST_ID + i, i ? FIRST_ID + mount_index(m->parent) : 1,
									m->flags, inode_device(m->fs), m->source, m->path, m->type,
									m->super});
	}
	for (u32 i = 0; i < vfs_shared()->volume_count; i++) {
		char source[16];
		ksnprintf(source, sizeof(source), "volume%u", i);
		add(t, &(struct shown){FIRST_VOLUME_ID + i, FIRST_ID, mount_flags(FS_VOLUME, i + 1),
								inode_device(FS_VOLUME) + i + 1, source, KIN->volumes[i].path,
								"unifork", ""});
	}
}

/* Blanks and the like in a path, as octal escapes: proc(5). */
static void add_path(struct text *t, const char *path)
{
	for (; *path; path++) {
		if (*path == ' ' || *path == '\t' || *path == '\n' || *path == '\\')
			text_add(t, "\\%03o", (u8)*path);
		else
			text_bytes(t, path, 1);
	}
}

static void add_mounts_line(struct text *t, const struct shown *s)
{
	text_add(t, "%s ", s->source);
	add_path(t, s->path);
	text_add(t, " %s ", s->type);
	add_flags(t, s->flags);
	text_add(t, "%s 0 0\n", s->super);
}

static void add_mountinfo_line(struct text *t, const struct shown *s)
{
	text_add(t, "%u %u %lu:%lu / ", s->id, s->parent, s->dev >> 8 & 0xfff,
			 (s->dev & 0xff) | (s->dev >> 12 & 0xfff00));
	add_path(t, s->path);
	text_add(t, " ");
	add_flags(t, s->flags);
	text_add(t, " - %s %s %s%s\n", s->type, s->source, s->flags & RDONLY ? "ro" : "rw", s->super);
}

static void add_mountstats_line(struct text *t, const struct shown *s)
{
	text_add(t, "device %s mounted on ", s->source);
	add_path(t, s->path);
	text_add(t, " with fstype %s\n", s->type);
}

s64 show_mounts(struct text *t, const struct proc_target *p)
{
	foreach_mount(t, add_mounts_line);
	return 0;
}

s64 show_mountinfo(struct text *t, const struct proc_target *p)
{
	foreach_mount(t, add_mountinfo_line);
	return 0;
}

s64 show_mountstats(struct text *t, const struct proc_target *p)
{
	foreach_mount(t, add_mountstats_line);
	return 0;
}
