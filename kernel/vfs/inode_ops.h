/* SPDX-License-Identifier: ISC */
/*
 * What a file system is: one constant table, in the folder that knows it, listed in
 * kernel/boot/file_systems.c. An inode in kin holds the index of its table, never an address, so
 * that nothing that lies in kin is ever called.
 *
 * Who does what. The VFS walks paths, checks permissions, limits and read-only mounts, keeps
 * writers and executors apart, holds locks of files, and tells inotify. An operation does the rest
 * and answers 0, bytes or -errno; what it is asked for exists, has the right type and may be done.
 *
 * Locks. An operation is called with none, so it may make hypercalls, unless it says otherwise.
 * What it locks itself is in the order of inode.h.
 *
 * References. Inodes that are handed in are the caller's and stay; *out gets a reference.
 *
 * Deaths. The caller can be killed at any store; see docs/adr/0007.
 *
 * NULL is allowed for every operation but lookup, and means what is said beside it; where nothing
 * is said, that nothing has to be done.
 */
#ifndef KERNEL_VFS_INODE_OPS_H
#define KERNEL_VFS_INODE_OPS_H

#include "kernel/host/host.h"
#include "kernel/vfs/inode.h"

struct filler;
struct iovec;
struct rename;
struct statfs;
struct walk;

/* What a call changes of an inode's attributes. */
struct inode_change {
	enum { CHANGE_MODE, CHANGE_OWNER, CHANGE_TIMES, CHANGE_SIZE } what;
	u32 mode;     /* permissions only */
	u32 uid, gid; /* ~0u: stays */
	s64 times[2]; /* access, modification in ns, or TIME_NOW, TIME_OMIT */
	u64 size;
	s64 refused;  /* what is wrong with it: told once the file was found */
};
#define TIME_NOW (INT64_MIN)
#define TIME_OMIT (INT64_MIN + 1)
/* The same in the nanoseconds of utimensat(2). */
#ifndef UTIME_NOW
#define UTIME_NOW ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)
#endif

enum mount_flag { /* as in f_flags of statfs */
	MOUNT_RDONLY = 1,
	MOUNT_NOSUID = 2,
	MOUNT_NODEV = 4,
	MOUNT_NOEXEC = 8,
	MOUNT_VALID = 0x20,
	MOUNT_RELATIME = 0x1000,
};

/* Where a file system is in the tree, for /proc/mounts and statfs. */
struct mount_place {
	u32 parent;                /* enum inode_fs; itself: at the top */
	u32 flags;                 /* enum mount_flag */
	const char *source, *path; /* path NULL: nowhere */
	const char *options;       /* beside the flags: ",name=value" or "" */
	u64 dev;                   /* st_dev of its root; 0: that of the file system */
};

struct inode_ops {
	/* ---- what it is */
	const char *name; /* type in /proc/mounts */
	u32 magic;        /* f_type of statfs */
	u32 file_type;    /* enum file_type of what open gives for a regular file; 0: FILE_INODE */
	bool xattrs;      /* inodes keep extended attributes; else EOPNOTSUPP */
	struct mount_place place;
	/*
	 * Is it mounted as that volume (0: beside volumes)? Then *p says where; it holds place. NULL:
	 * once, where place says.
	 */
	bool (*place_at)(u32 volume, struct mount_place *p);
	/* Fills what s says of room; the caller did the rest. volume: of the inode. NULL: no room. */
	s64 (*statfs)(u32 volume, struct statfs *s);
	bool (*read_only)(const struct inode *ino);  /* whoever asks. NULL: it is not */
	u64 (*device)(const struct inode *ino);      /* st_dev. NULL: dev of the inode */

	/* ---- life of an inode */
	/*
	 * The last reference is gone: frees what the union of the inode holds. May be repeated. NULL:
	 * nothing.
	 */
	void (*release)(struct inode *ino);
	/* Before that: nobody shall find it any more. May be repeated. NULL: nobody can. */
	void (*leave)(struct inode *ino);
	/*
	 * The inode is (no longer) different from what the file system could make anew, so that it must
	 * stay when nobody uses it. NULL: that is not for references to decide.
	 */
	void (*pin)(struct inode *ino, bool stay);

	/* ---- names. w->dir: the directory, w->name: the last name, w->inode: what it means. */
	/*
	 * Finds name in w->dir; its path is in w->path already. rest: what will be looked for next.
	 * walk_found, or -ENOENT.
	 */
	s64 (*lookup)(struct walk *w, const char *name, u32 len, const char *rest);
	/*
	 * Target of the symbolic link that w found: its length, text in *target; buf (VFS_PATH_MAX
	 * bytes) may be used. Where jump is given, *jump may get an open file (a reference) instead.
	 * NULL: -EINVAL.
	 */
	s64 (*readlink)(struct walk *w, char *buf, const char **target, struct file **jump);
	/* Entries from position pos on into fill (readdir.h). f->lock is held. NULL: none. */
	s64 (*list)(struct file *f, struct filler *fill, u64 pos);
	/* Makes an inode of mode under w->name. -EEXIST: it has come meanwhile. NULL: -ENOENT. */
	s64 (*create)(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out);
	/* O_TMPFILE. exclusive: it will never get a name. NULL: -EOPNOTSUPP. */
	s64 (*create_nameless)(struct inode *dir, u32 mode, bool exclusive, struct inode **out);
	s64 (*link)(struct inode *ino, struct walk *w); /* w: the new name. NULL: -EPERM */
	s64 (*unlink)(struct walk *w, bool dir); /* NULL: -EPERM */
	s64 (*rename)(struct rename *r);         /* NULL: -EPERM */
	/* A directory's name in its parent, under rename_lock. NULL: its entry's. */
	const char *(*name_of)(struct inode *dir, u32 *len);

	/*
	 * ---- directories without inodes. A walk in the file system at / needs none for a directory
	 * that nobody has touched: w->dir is NULL then, and w->inode for what lookup found, of which
	 * w->st and w->mode tell; readlink goes by w->path.
	 */
	/* The path of a directory that never moves; NULL: it may. */
	const struct kin_text *(*fixed_path)(const struct inode *dir);
	s64 (*stat_path)(const char *path, u32 len, struct hyp_stat *st);
	/* The inode, a reference. st NULL: only if it is there and pinned. NULL: ENOSPC. */
	struct inode *(*inode_at)(const char *path, u32 len, const struct hyp_stat *st);

	/* ---- attributes */
	void (*refresh)(struct inode *ino);                  /* from elsewhere. NULL: they are here */
	void (*stat)(struct inode *ino, struct kstat *st);   /* corrects what inode_stat filled in */
	s64 (*setattr)(struct inode *ino, const struct inode_change *c); /* not size. NULL: -EPERM */

	/* ---- regular files, and open files of all types */
	s64 (*open)(struct inode *ino, u32 access);  /* O_RDONLY, O_WRONLY, O_RDWR */
	s64 (*open_device)(struct inode *ino, u32 flags, struct file **out); /* NULL: -ENXIO */
	void (*closed)(void); /* a description of some inode is gone */
	/* A file that is open here goes to a member that has none of this one's host handles. */
	void (*pass)(struct inode *ino);
	/* user: buf is the application's memory. NULL: -EINVAL. */
	s64 (*read)(struct inode *ino, u64 buf, size_t len, u64 pos, bool user);
	/* One write: nobody else's bytes come between; *pos advances. NULL: -EBADF. */
	s64 (*writev)(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
	s64 (*write_kernel)(struct inode *ino, const void *buf, size_t len, u64 pos); /* NULL: -EBADF */
	s64 (*truncate)(struct inode *ino, u64 size); /* NULL: -EINVAL */
	s64 (*allocate)(struct inode *ino, u32 mode, u64 pos, u64 len); /* NULL: -EOPNOTSUPP */
	s64 (*seek)(struct inode *ino, u64 pos, int whence); /* SEEK_DATA, _HOLE. NULL: all is data */
	s64 (*sync)(struct inode *ino, enum hyp_sync what);  /* NULL: 0, it is memory */
	/* A private mapping of the file at [va, +len). NULL: inode_map_copy. */
	s64 (*map)(struct inode *ino, u64 va, u64 len, int prot, u64 offset);
	/* A shared one, of pages that the host has. NULL: of those of object. */
	s64 (*map_shared)(struct inode *ino, u32 access, u64 va, u64 len, int prot, u64 offset);
	/* The pages in kin, held as OWN_OBJECT, for shared mappings. NULL: there are none. */
	struct kin_object *(*object)(struct inode *ino);
};

extern const struct inode_ops *const file_systems[FS_KINDS]; /* kernel/boot/file_systems.c */

_Noreturn void inode_unknown(u32 fs);

/* What lies in kin may be damaged: read once, then checked. */
static inline enum inode_fs inode_fs(const struct inode *ino)
{
	u32 fs = __atomic_load_n(&ino->fs, __ATOMIC_RELAXED);

	if (__builtin_expect(fs >= FS_KINDS, 0))
		inode_unknown(fs);
	return fs;
}

static inline const struct inode_ops *inode_ops(const struct inode *ino)
{
	return file_systems[inode_fs(ino)];
}

static inline void inode_refresh(struct inode *ino)
{
	if (inode_ops(ino)->refresh)
		inode_ops(ino)->refresh(ino);
}

static inline s64 inode_sync(struct inode *ino, enum hyp_sync what)
{
	return inode_ops(ino)->sync ? inode_ops(ino)->sync(ino, what) : 0;
}

static inline bool same_mount(const struct inode *a, const struct inode *b)
{
	return a->fs == b->fs && a->volume == b->volume;
}

/* file_map.c: a private mapping gets a copy of what is read. */
s64 inode_map_copy(struct inode *ino, u64 va, u64 len, int prot, u64 offset);
/* inode_io.c: SEEK_DATA and SEEK_HOLE of a file without holes. */
s64 inode_seek_data(struct inode *ino, u64 pos, int whence);

#endif
