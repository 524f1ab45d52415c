/* SPDX-License-Identifier: ISC */
/*
 * Path resolution and what the member remembers of the host's names. A walk is private to its
 * thread: take one, resolve a path with it, look at what it found, give it back.
 */
#ifndef KERNEL_VFS_WALK_H
#define KERNEL_VFS_WALK_H

#include "kernel/vfs/inode.h"

/* ---- walk.c */
enum walk_flags {
	WALK_FOLLOW = 1, /* a symbolic link in the last place is followed */
	WALK_PARENT = 2, /* stop at the directory of the last name */
	WALK_EMPTY = 4,  /* AT_EMPTY_PATH */
	WALK_CREATE = 8, /* the last name may be missing: found is false */
	/* The rules of openat2(2). */
	WALK_NO_LINKS = 16, /* no symbolic link is followed: ELOOP */
	WALK_NO_MAGIC = 32, /* nor one that leads to an open file (/proc/self/fd/0): ELOOP */
	WALK_BENEATH = 64,  /* nothing leads out of the directory where the walk starts: EXDEV */
	WALK_IN_ROOT = 128, /* that directory is the root of this walk */
	WALK_NO_XDEV = 256, /* nothing leads to another mount than where the walk starts: EXDEV */
};
enum walk_last { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

#define WALK_TEXT (VFS_PATH_MAX + 256 + 2)
#define WALK_AHEAD 8
#define WALK_REST (2 * VFS_PATH_MAX)
struct walk {
	/* The directory in hand, at the end the one that holds name. */
	struct inode *dir; /* reference, or NULL: untouched, of the file system at / */
	bool dir_borrowed; /* of the process, which is not back before the walk is over */
	u32 dir_len;       /* its path: path[0..dir_len), "/" has length 0 */
	/* The last name. */
	const char *name;
	u32 name_len;
	enum walk_last last;
	bool slash; /* it was followed by slashes: must be a directory */
	/* What it names, unless WALK_PARENT. */
	bool found;
	struct inode *inode; /* reference, or NULL: untouched, st tells */
	struct file *jump;   /* reference: a descriptor named through /proc or AT_EMPTY_PATH */
	struct hyp_stat st;
	u32 mode;        /* type and permissions of what was found */
	bool below;      /* a layer below has the last name, too: tmpfs.h */
	u32 path_len;    /* its path: path[0..path_len) */
	u32 links, flags;
	struct inode *root; /* borrowed: of the process, or own_root */
	struct inode *own_root; /* reference: with WALK_BENEATH and WALK_IN_ROOT */
	struct walk *next;
	u32 ahead_next, ahead_have; /* of a volume, what the host said of the next components */
	u32 ahead_renames;          /* and how many renames there had been before */
	char path[WALK_TEXT];
	struct hyp_stat ahead[WALK_AHEAD];
	char text[2][WALK_REST];
	u32 which;
};
struct walk *walk_new(void);    /* NULL: ENOMEM */
void walk_free(struct walk *w); /* drops the references too */
s64 walk_path(struct walk *w, int dirfd, const char *path, u32 flags);
/*
 * After WALK_PARENT: looks the last name up, following nothing. found tells; -errno for the rest.
 */
s64 walk_name(struct walk *w);
struct inode *walk_inode(struct walk *w); /* of what was found: a reference of w; NULL: ENOSPC */
struct inode *walk_dir(struct walk *w);   /* the same for the directory */
void walk_stat(struct walk *w, struct kstat *st);
const char *walk_text(struct walk *w); /* absolute path of what was found (NUL-terminated) */
/* path becomes that of the last name. Does it fit? */
bool walk_name_path(struct walk *w);
/* lookup found ino, whose reference w takes over. */
static inline void walk_found(struct walk *w, struct inode *ino)
{
	w->inode = ino;
	w->mode = ino->mode;
	w->found = true;
}
/* inode_ops.readlink of what was found, which is a symbolic link. */
s64 walk_readlink(struct walk *w, char *buf, const char **target, struct file **jump);
/* The application's path; in w->text[1]. */
s64 walk_user(struct walk **out, int dirfd, u64 path, u32 flags);

/* A rename under way: both last names are looked up. */
struct rename {
	struct walk *from, *to;
	u32 flags;              /* RENAME_* */
	struct inode *moved;    /* from's inode; borrowed from the walk */
	struct inode *replaced; /* to's, or NULL */
};

#endif
