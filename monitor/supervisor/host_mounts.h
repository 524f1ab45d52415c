/* SPDX-License-Identifier: ISC */
/*
 * The mounts of the family's private root: what private_root.c makes of what was granted,
 * mount_list.c reads of the result, and mount_covers.c hides.
 */
#ifndef MONITOR_SUPERVISOR_HOST_MOUNTS_H
#define MONITOR_SUPERVISOR_HOST_MOUNTS_H

#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>

#include "monitor/core/error.h"

int tree_open(int dir_fd, const char *path, unsigned flags); /* open_tree(2), O_CLOEXEC */
/* A tree that tree_open gave becomes to in to_dir, or is mounted on to_dir itself (to ""). */
int tree_move(int tree, int to_dir, const char *to);

/*
 * One line of mountinfo (proc(5)): ID PARENT DEV ROOT PATH OPTIONS [FIELDS] - TYPE ... Paths may
 * be those of different moments: who owns a directory on the way can rename it meanwhile.
 */
struct mount_line {
	unsigned long long id, parent;
	char *path, *type;
	bool covered; /* by this process */
};

struct mounts {
	struct mount_line *lines;
	size_t count;
	unsigned long long *covered; /* ids; they stay what they are */
	size_t covered_count;
	char *text; /* of the list, in which the lines lie */
};

/* The list as it is now, in a root that holds nothing else. all->covered stays, and marks lines. */
int mounts_read(int proc_fd, struct mounts *all, struct error *err) MUST_CHECK;
void mounts_free(struct mounts *all); /* but not all->covered */
bool mount_is_covered(const struct mounts *all, const struct mount_line *m);
bool mount_is_behind(const struct mounts *all, const struct mount_line *m);

/* Hides what the granted trees have of the host's pseudo file systems. */
int covers_make(int proc_fd, struct error *err) MUST_CHECK;

#endif
