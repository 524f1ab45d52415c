/* SPDX-License-Identifier: ISC */
/*
 * inotify(7): what happens to files is told here by whoever did it; watches decide who hears of
 * it. Without any watch in the family a call costs two loads. Called without locks in kin, after
 * the fact. mask: IN_*; IN_ISDIR is added where it belongs.
 */
#ifndef KERNEL_VFS_NOTIFY_H
#define KERNEL_VFS_NOTIFY_H

#include <linux/inotify.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/vfs/inode.h"

struct walk;

/* notify_file, to the file and the directory in which it was opened: fd_hooks.h. */
/* The same for what a path names; path is absolute. */
void notify_path(struct inode *ino, const char *path, u32 mask);
/* To the file itself. */
void notify_inode(struct inode *ino, u32 mask);
/* A name of w's directory came or went; ino is what it names. cookie: of a rename, or 0. */
void notify_name(struct walk *w, struct inode *ino, u32 mask, u32 cookie);
/* What w found has lost its name, and its last reference here: that it is gone comes first. */
void notify_removed(struct walk *w);
void notify_rename(struct walk *from, struct walk *to, struct inode *moved, struct inode *replaced);
/* ino has watches and somebody dropped a reference: if nothing else is left, it is gone. */
void notify_gone(struct inode *ino);

/*
 * A watch: one instance's interest in one inode. Freed by whoever takes it off the lists. The
 * table's lock protects all.
 */
struct inotify;
struct watch {
	/*
	 * watch_table_lock for the lists; the rest is constant but for mask, fd and once. file: of
	 * fcntl(F_NOTIFY), the directory's, which has no reference from here, as fd of pid, which asked
	 * for it; once: one event is all. Else NULL, and events go to the instance.
	 */
	struct watch *of_instance, *by_inode, *by_path; /* next in each list */
	struct inotify *instance;
	struct inode *inode;    /* reference */
	u32 mask;
	s32 wd;
	struct file *file;
	s32 fd, pid;
	bool once;
	u32 path_hash, path_len;
	char path[];            /* when it was made; names of files in it are told by theirs */
};

#define WATCH_BUCKETS 256
#define INOTIFY_RING 65536u

/* One inotify descriptor. */
struct inotify {
	/* watch_table_lock */
	struct watch *watches;
	s32 next_wd;
	u32 overflowed;         /* the last event in the ring says so */
	char *ring;             /* byte number n at [n % INOTIFY_RING] */
	_Atomic u64 head, tail; /* bytes ever put in and taken out: whole events */
	u64 last;               /* where the newest event begins */
	_Atomic u64 events;     /* ever: for edge triggers */
};

/*
 * All watches of the family. Lists change by single stores, so a lock of a dead owner is simply
 * inherited; every reader waits on the one queue, which is woken after the lock is released.
 */
struct watch_table {
	KIN_LOCK(lock, WATCHES);
	_Atomic u32 count;
	_Atomic u32 next_cookie;
	struct kin_queue events;
	/* lock */
	struct inotify directories; /* all watches of fcntl(F_NOTIFY); it has no ring */
	struct watch *by_inode[WATCH_BUCKETS], *by_path[WATCH_BUCKETS];
};
/* NULL: there was no watch ever (create: no memory). */
struct watch_table *watch_table(bool create);
void watch_table_lock(struct watch_table *t);
struct watch *watch_find(struct watch_table *t, struct inotify *in, struct inode *ino);
/* Takes over the reference to inode. path: absolute. wd, or -ENOMEM. Without the lock. */
s64 watch_add(struct watch_table *t, struct inotify *in, struct inode *ino, const char *path,
			  u32 mask);
/* The same for dnotify.c: a watch with what is given of its kind, in the table's directories. */
s64 watch_add_directory(struct watch_table *t, const struct watch *like, struct inode *ino,
						const char *path);
/* Under the lock: off the lists; the caller frees it (watch_free) after the lock is released. */
void watch_unlink(struct watch_table *t, struct watch *w);
void watch_free(struct watch *w);

#endif
