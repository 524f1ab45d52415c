/* SPDX-License-Identifier: ISC */
/*
 * The family's file systems as mounts: what /proc/PID/mounts, mountinfo and mountstats list, with
 * the device numbers that stat reports and the flags that statfs does. A directory that is not the
 * root of a file system of its own (usually /tmp) is not listed.
 */
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/mounts.h"

#define FIRST_ID 20
#define FIRST_VOLUME_ID 40
#define FIRST_TMPFS_ID (FIRST_VOLUME_ID + VOLUMES_MAX)

static u32 id_of(u32 fs, u32 volume)
{
	if (fs == FS_TMP && volume)
		return FIRST_TMPFS_ID + volume - 1;
	return volume ? FIRST_VOLUME_ID + volume - 1 : FIRST_ID + fs;
}

u32 mount_id(const struct inode *ino)
{
	return id_of(inode_fs(ino), ino->volume);
}

static bool place_at(u32 fs, u32 volume, struct mount_place *p)
{
	const struct inode_ops *ops = file_systems[fs];

	*p = ops->place;
	return ops->place_at ? ops->place_at(volume, p) : !volume && p->path;
}

u32 mount_flags(enum inode_fs fs, u32 volume)
{
	struct mount_place p;

	place_at(fs, volume, &p);
	return MOUNT_VALID | p.flags;
}

static void add_flags(struct text *t, u32 flags)
{
	text_add(t, "%s%s%s%s%s", flags & MOUNT_RDONLY ? "ro" : "rw",
			 flags & MOUNT_NOSUID ? ",nosuid" : "", flags & MOUNT_NODEV ? ",nodev" : "",
			 flags & MOUNT_NOEXEC ? ",noexec" : "", flags & MOUNT_RELATIME ? ",relatime" : "");
}

/* A mount; its root's device as stat reports it. */
struct shown {
	u32 id, parent;
	u64 dev;
	const char *type;
	u64 size; /* bytes that it is bounded by, or 0 */
	struct mount_place at;
};

/* Of the file system, not of the mount. */
static void add_options(struct text *t, const struct shown *s)
{
	text_add(t, "%s", s->at.options);
	if (s->size)
		text_add(t, ",size=%luk", s->size >> 10);
}

static void foreach_mount(struct text *t, void (*add)(struct text *t, const struct shown *s))
{
	struct shown s = {0};

	for (u32 fs = 0; fs < FS_KINDS; fs++) {
		for (u32 volume = 0; volume <= vfs_shared()->volume_count; volume++) {
			if (!place_at(fs, volume, &s.at))
				continue;
			s.id = id_of(fs, volume);
			s.parent = s.at.parent == fs ? 1 : id_of(s.at.parent, 0);
			s.dev = s.at.dev ? s.at.dev : inode_device(fs);
			s.type = file_systems[fs]->name;
			add(t, &s);
		}
	}
	for (u32 i = 0; i < MIN(KIN->start.tmpfs_count, START_TMPFS_MAX); i++) {
		s.at = file_systems[FS_TMP]->place;
		s.at.path = KIN->start.tmpfs[i].path;
		s.id = id_of(FS_TMP, i + 1);
		s.parent = id_of(FS_ROOT, 0);
		s.dev = tmpfs_device(i + 1);
		s.size = vfs_shared()->tmpfs[i].pages_max * PAGE_SIZE;
		s.type = file_systems[FS_TMP]->name;
		add(t, &s);
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
	text_add(t, "%s ", s->at.source);
	add_path(t, s->at.path);
	text_add(t, " %s ", s->type);
	add_flags(t, s->at.flags);
	add_options(t, s);
	text_add(t, " 0 0\n");
}

static void add_mountinfo_line(struct text *t, const struct shown *s)
{
	text_add(t, "%u %u %lu:%lu / ", s->id, s->parent, s->dev >> 8 & 0xfff,
			 (s->dev & 0xff) | (s->dev >> 12 & 0xfff00));
	add_path(t, s->at.path);
	text_add(t, " ");
	add_flags(t, s->at.flags);
	text_add(t, " - %s %s %s", s->type, s->at.source,
			 s->at.flags & MOUNT_RDONLY ? "ro" : "rw");
	add_options(t, s);
	text_add(t, "\n");
}

static void add_mountstats_line(struct text *t, const struct shown *s)
{
	text_add(t, "device %s mounted on ", s->at.source);
	add_path(t, s->at.path);
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
