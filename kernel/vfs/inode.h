/* SPDX-License-Identifier: ISC */
/*
 * Inodes in kin: everything that a member of the family has touched. An untouched host object has
 * no inode, or only while it is in use: its identity is the host's (dev, ino), for directories
 * their path, and the table of host-backed inodes (icache.c) finds it by that. Changing
 * attributes, content or names pins it there.
 *
 * Lock order: rename_lock, directory locks, inode data locks, buckets of the table, the
 * allocator's. Whoever holds more than one directory lock holds rename_lock, so these need no
 * order among themselves. No hypercall under any of them; the lower layer never changes, so what
 * was looked up before the lock still holds under it.
 *
 * Directories of the lower layer never move (renaming one is EXDEV, as overlayfs answers), so
 * their path is constant and names them on the host as well. All other directories know their
 * parent.
 */
#ifndef KERNEL_VFS_INODE_H
#define KERNEL_VFS_INODE_H

#include <stdatomic.h>
#include <bsd/sys/tree.h>

#include "kernel/arch/arch.h"
#include "abi/kin.h"
#include "kernel/lib/modes.h"
#include "kernel/vfs/access.h"
#include "kernel/kin/kin_text.h"
#include "kernel/kin/quota.h"
#include "kernel/vfs/vfs.h"

/* The file system that an inode is of: its place in file_systems[]. In the order of mounts. */
enum inode_fs {
	FS_ROOT, FS_PROC, FS_DEV, FS_DEVPTS, FS_SHM, FS_SYS, FS_TMP, FS_MEMFD, FS_VOLUME, FS_KINDS
};

enum inode_flags {
	INODE_DEAD = 16,    /* directory removed: nothing can be created in it; its lock */
	INODE_TMPFILE = 32, /* O_TMPFILE: may be linked though nlink is 0 */
	INODE_MOUNT = 64,   /* root of /proc, /dev, ...: cannot be removed or renamed */
	INODE_LASTS = 8,    /* to the end of the family: a call that uses it does not count */
	/* Of the root's file system alone (overlay.c). */
	INODE_LOWER = 1,  /* regular file, FIFO, ...: the content is the host's file at lower */
	INODE_MERGED = 2, /* directory: the host's names show through, lower is its path */
	/* Of what has a file on the host: kernel/hostfs. */
	INODE_HASHED = 4,   /* in the table of host-backed inodes; bucket lock */
	INODE_PASSED = 128, /* on a volume: went to a member that may have to open it by its name */
	INODE_KEPT = 256,   /* the family's shelf has it open (handles.c) */
};

/* A name in the writable layer. inode NULL: whiteout, hides the host's name. */
struct dirent_node {
	RB_ENTRY(dirent_node) by_name, by_seq;
	struct inode *inode; /* slot */
	u64 seq;             /* order of creation: the position for getdents */
	u32 hash;
	u16 len;
	char name[];
};
RB_HEAD(dirent_names, dirent_node);
RB_HEAD(dirent_seqs, dirent_node);

/* lock of the inode protects all; entry changes under rename_lock as well. */
struct dir {
	struct dirent_names names;
	struct dirent_seqs seqs;
	u64 next_seq;
	u32 count; /* entries that are not whiteouts */
	u32 whiteouts;
	u32 changing; /* DIR_*: which tree a dead owner of the lock may have left torn */
	struct dirent_node *entry; /* in the inode's parent; NULL once removed */
	struct dirent_node *moving; /* slot: one that comes or goes just now */
};

struct file_lock; struct lock_table; struct watch_table; struct xattr;

struct inode {
	struct kin_ref ref;                /* OWN_INODE */
	_Atomic u32 flags;                 /* enum inode_flags */
	_Atomic u32 mode, uid, gid, nlink; /* single stores */
	u32 fs, seals;                     /* fs: no lock: constant, see inode_ops(); seals: lock */
	_Atomic u32 attributes, hint;      /* FS_*_FL, RWH_*: file_ioctl.c; single stores */
	u64 dev, ino, rdev;                /* no lock: constant */
	_Atomic u64 size; /* stored after the data it covers; lock to change */
	_Atomic s64 atime_ns, mtime_ns, ctime_ns;
	s64 btime_ns; /* no lock: constant */
	/*
	 * Directory: its entries. Regular file: object and size. The latter is held across copies
	 * from and to application memory whose pages were made present before (mm_accessible), never
	 * across file I/O; a dead owner leaves it whole.
	 */
	KIN_LOCK(lock, INODE);
	/* The next of the table's chain, and the table's reference while it must stay. */
	struct inode *chain, *pinned; /* no lock: that of the bucket; pinned: slot */
	u32 bucket;             /* no lock: constant once hashed */
	/*
	 * Slot. A directory's; NULL: the root, or its path says it (INODE_MERGED). On a volume
	 * anything's: the directory of the name by which it was last seen, the name is in lower.
	 * rename_lock; constant in /proc.
	 */
	struct inode *parent;
	/* Slot. In parent, of no directory: lock. Of one that was removed: rename_lock. shown_path.c */
	struct kin_text *name;
	u32 volume;         /* no lock: constant; which of those mounted with -v or --tmpfs, from 1 */
	_Atomic u64 serial; /* of this life, 0 once freed */
	/* no lock: its path on the host, constant; INODE_LOWER and INODE_MERGED */
	struct kin_text *lower;
	u32 link_len;     /* no lock: constant */
	u64 lower_blocks; /* lock; st_blocks of the host's file while INODE_LOWER */
	/* lock, where nothing else is said */
	union { /* the file system's own; release frees what it holds */
		struct kin_object *object; /* regular file: NULL while it is all holes; lock */
		struct dir dir;
		char *link;        /* symbolic link: target; no lock: constant */
		struct pipe *fifo; /* no lock: fifo_lock, kernel/pipe/pipe.c */
		struct {
			/* no lock: constant */
			u32 entry; /* index into proc_entries */
			s32 pid;
			u32 number;
		} proc;
	};
	struct file_lock *locks; /* no lock: that of the table of file_lock.c */
	_Atomic u32 lock_count, watches; /* watches: notify.c; each holds a reference */
	struct xattr *xattrs; /* xattr.c; lock */
	/* Regular file: descriptions open for writing, and those executed; ETXTBSY keeps them apart. */
	struct kin_ref writers, executors;
};

/* What all members share, at ROOT_VFS. */
#define ICACHE_BUCKETS 4096
#define ICACHE_LOCKS 64
#define FILTER_BITS 65536
struct vfs_shared {
	/* no lock: constant after the start */
	struct inode *root;
	struct inode *tty; /* /dev/pts/N: the node of the host's terminal; NULL: there is none */
	_Atomic u64 next_ino;
	_Atomic u32 next_session; /* /proc/PID/sessionid */
	u64 devices[FS_KINDS]; /* constant: the root's is the host's */
	_Atomic u64 boot_id;                   /* /proc/sys/kernel/random/boot_id; 0: not chosen yet */
	struct lock_table *_Atomic lock_table; /* file_lock.c; NULL until the first lock */
	struct watch_table *_Atomic watch_table; /* notify.c; NULL until the first watch */
	KIN_LOCK(rename_lock, RENAME);
	/* no lock: constant. The root has no /tmp: it is a file system of its own */
	u32 volume_count, tmp_mounted;
	u32 root_read_only; /* --read-only: its layer takes nothing more. Constant. */
	_Atomic u32 volume_renames; /* counted under rename_lock */
	KIN_LOCK(shelf_lock, SHELF); /* who looks through the shelf; hypercalls under it, no lock */
	_Atomic u32 shelf_stale;    /* it holds files that nobody uses any more */
	struct inode *volumes[VOLUMES_MAX]; /* no lock: constant */
	struct kin_quota tmpfs[START_TMPFS_MAX]; /* those of --tmpfs; pages_max 0: not bounded */
	/* no lock. Bit set: a host path or (dev, ino) of this hash may be pinned. Never cleared. */
	_Atomic u64 filter[FILTER_BITS / 64];
	KIN_LOCKS(locks, ICACHE_LOCKS, INODES);
	struct inode *buckets[ICACHE_BUCKETS]; /* locks; not slots: what nobody uses goes */
};
struct vfs_shared *vfs_shared(void);

static inline bool inode_is(const struct inode *ino, u32 flag)
{
	return ino->flags & flag;
}

static inline const char *lower_path(const struct inode *i) { return kin_text_get(i->lower); }
static inline u32 lower_len(const struct inode *i) { return i->lower ? i->lower->len : 0; }

/* ---- inode.c */
/* rename_lock. What ino's parent was: the caller's reference, or NULL. */
struct inode *inode_parent_set(struct inode *ino, struct inode *parent);
/* nlink 0, times now, owner the caller; the caller's reference. NULL: ENOSPC */
struct inode *inode_alloc(enum inode_fs fs, u32 mode);
void inode_touch(struct inode *ino, bool modified); /* ctime, and mtime if modified */
void inode_stat(struct inode *ino, struct kstat *st);
void hyp_to_kstat(const struct hyp_stat *h, struct kstat *st);
u64 inode_device(enum inode_fs fs);

/* It is (no longer) different from what its file system could make anew: inode_ops.pin. */
void inode_pin(struct inode *ino);
void inode_unpin(struct inode *ino);
/* One name less: nlink, ctime, and the pin that a last name held. */
void inode_drop_link(struct inode *ino);
void inode_add_link(struct inode *ino);

/*
 * ---- dirent.c: caller holds the directory's lock (dirent_alloc, dirent_free: none needed).
 * Entries are in hand (OWN_NAME) from alloc to insert and from remove to free; it puts the inode.
 */
void dir_lock(struct inode *dir); /* kin_unlock(&dir->lock) releases it */
void rename_lock(void);           /* kin_unlock(&vfs_shared()->rename_lock) */
struct dirent_node *dirent_alloc(const char *name, size_t len);
void dirent_free(struct dirent_node *e);
struct dirent_node *dirent_find(struct inode *dir, const char *name, size_t len);
struct dirent_node *dirent_after(struct inode *dir, u64 seq); /* first with seq >= */
/* takes over the caller's reference */
void dirent_insert(struct inode *dir, struct dirent_node *e, struct inode *ino);
/* unlinked; the caller frees */
void dirent_remove(struct inode *dir, struct dirent_node *e);
/* inode, whose reference it takes over, or whiteout; the old goes, not as the last */
void dirent_set(struct inode *dir, struct dirent_node *e, struct inode *ino);
void dir_free(struct inode *dir);

struct walk; /* kernel/vfs/walk.h */
/* Absolute path of a directory: length, -ENOENT if it was removed, -ENAMETOOLONG. */
s64 dir_path(struct inode *dir, char *buf, size_t size);
/* The same; one that was removed has the path that it would have. rename_lock held. */
s64 dir_climb(struct inode *dir, char *buf, size_t size);

/* ---- shown_path.c: what a descriptor, a mapping or a current directory is called by now */
#define SHOWN_PATH_MAX (VFS_PATH_MAX + 16) /* " (deleted)" may follow */
/* Length of an absolute path, or -errno. size: SHOWN_PATH_MAX. */
s64 dir_shown_path(struct inode *dir, char *buf, size_t size);
/* w found ino, or gave it its last name. */
void inode_named(struct inode *ino, struct walk *w);
bool dir_is_below(struct inode *dir, struct inode *ancestor); /* or is it; rename_lock held */
u64 inode_parent_number(struct inode *dir);                   /* takes rename_lock */

/* ---- xattr.c: without asking who may; bytes, -ENODATA, -ERANGE */
#define XATTR_CAPS "security.capability"
s64 xattr_get_kernel(struct inode *ino, const char *name, void *buf, size_t size);

/* ---- file_ioctl.c: what attributes forbid to everybody; ioctls of files and directories */
bool inode_immutable(const struct inode *ino);
bool inode_append_only(const struct inode *ino);
s64 inode_ioctl(struct file *f, u32 cmd, u64 arg);

/* ---- open.c, create.c, inode_io.c, file_map.c */
/*
 * Makes an inode of mode below w's directory under its last name. 0, -EEXIST, ... *out: a
 * reference, or NULL out.
 */
s64 node_create(struct walk *w, u32 mode, u64 rdev, const char *target, struct inode **out);
/* 0: the caller's reference is the file's. */
s64 inode_open(struct inode *ino, const char *path, u32 flags, struct file **out);
s64 inode_truncate(struct inode *ino, u64 size);
/* RLIMIT_FSIZE: bytes of len that may be written at pos, 0 after SIGXFSZ */
size_t file_may_extend(u64 pos, size_t len);
/* dst or src: kernel or kin memory. Bytes or -errno. */
s64 inode_read_kernel(struct inode *ino, void *buf, size_t len, u64 pos);
s64 inode_write_kernel(struct inode *ino, const void *buf, size_t len, u64 pos);
bool inode_data_lock(struct inode *ino);
/* A writer comes, held as OWN_WRITER: 0 or -ETXTBSY. */
s64 inode_writer_hold(struct inode *ino);
void inode_writer_put(struct inode *ino);
s64 file_stat(struct file *f, struct kstat *st);
/* release: locks of the description, the inode; may be repeated */
void file_drop_inode(struct file *f);

#endif
