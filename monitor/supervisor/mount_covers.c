/* SPDX-License-Identifier: ISC */
/*
 * What a granted tree must not show: pseudo file systems of the host that lie in it get an empty
 * directory or file over them, which private_root.c has made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/types.h"
#include "monitor/supervisor/host_mounts.h"

/* Of the list of mounts. */
#define LOOKS_MAX 200
#define LOOKS_BEHIND 8

static bool type_refused(const char *type)
{
	static const char *const refused[] = {
		"proc",    "sysfs",      "devtmpfs",   "devpts",   "cgroup",    "cgroup2",    "debugfs",
		"tracefs", "bpf",        "securityfs", "efivarfs", "selinuxfs", "smackfs",    "binfmt_misc",
		"nsfs",    "hugetlbfs",  "pstore",     "resctrl",  "configfs",  "mqueue",     "fusectl",
		"xenfs",   "rpc_pipefs", "nfsd",       "autofs",   "binder",    "functionfs", "dax",
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (!strcmp(refused[i], type))
			return true;
	return false;
}

/* The host's own directories of that kind, whatever is mounted there (containers have a tmpfs). */
static bool place_refused(const char *path)
{
	return !strcmp(path, "/root/proc") || !strcmp(path, "/root/sys") || !strcmp(path, "/root/dev");
}

/* --root or a volume itself, not something below. */
static bool is_granted(const char *path)
{
	return !strcmp(path, "/root") || (!strncmp(path, "/volumes/", 9) && !strchr(path + 9, '/'));
}

/* Only the root of that very mount: 1 if it is covered now, 0 if something else was found there. */
static int cover(const struct mount_line *m, struct error *err)
{
	struct statx stx;
	int fd = open(m->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), cloak, r = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
				   ? 0
				   : error_set(err, errno, "cannot look at the host's '%.200s'", m->path);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &stx) < 0) {
		r = error_set(err, errno, "cannot look at the host's '%.200s'", m->path);
	} else if (!(stx.stx_mask & STATX_MNT_ID) ||
			   !(stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) {
		r = error_set(err, 0, "the host does not say which mount '%.200s' is", m->path);
	} else if (stx.stx_mnt_id == m->id && stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		cloak = tree_open(AT_FDCWD, S_ISDIR(stx.stx_mode) ? "/empty" : "/nothing", OPEN_TREE_CLONE);
		if (cloak < 0 || tree_move(cloak, fd, "") < 0)
			r = error_set(err, errno, "cannot hide the host's '%.200s'", m->path);
		else
			r = 1;
		if (cloak >= 0)
			close(cloak);
	}
	close(fd);
	return r;
}

static int covered_note(struct mounts *all, struct mount_line *m, struct error *err)
{
	size_t count = all->covered_count;
	unsigned long long *ids = realloc(all->covered, (count + 1) * sizeof(*ids));

	if (!ids)
		return error_set(err, ENOMEM, "cannot hide the host's '%.200s'", m->path);
	ids[count] = m->id;
	all->covered = ids;
	all->covered_count = count + 1;
	m->covered = true;
	return 0;
}

/* What a look found: how sure is it that nothing of the host's shows? */
enum look { LOOK_HIDDEN, LOOK_BEHIND, LOOK_OPEN };

static int line_look(struct mounts *all, struct mount_line *m, enum look *found, struct error *err)
{
	int r;

	if (type_refused(m->type) && is_granted(m->path))
		return error_set(
			err, 0,
			"the host's %s file system cannot be %s; share a directory that is none of "
			"the host's own",
			m->type, !strcmp(m->path, "/root") ? "--root" : "a volume");
	if ((!type_refused(m->type) && !place_refused(m->path)) || mount_is_covered(all, m))
		return 0;
	r = cover(m, err);
	if (r > 0)
		return covered_note(all, m, err);
	if (r == 0)
		*found = MAX(*found, mount_is_behind(all, m) ? LOOK_BEHIND : LOOK_OPEN);
	return r;
}

/* In the new root, which holds nothing else: what is listed is what a guest could reach. */
static int mounts_look(int proc_fd, struct mounts *all, enum look *found, struct error *err)
{
	int r = mounts_read(proc_fd, all, err);

	*found = LOOK_HIDDEN;
	for (size_t i = 0; r == 0 && i < all->count; i++)
		r = line_look(all, &all->lines[i], found, err);
	mounts_free(all);
	return r;
}

/*
 * Looks until nothing of the host's shows. A directory that is renamed between the list and the
 * look is found the next time. What another mount hides cannot be covered; whether it is hidden
 * is a matter of names, so several looks in a row must say so.
 */
int covers_make(int proc_fd, struct error *err)
{
	struct mounts all = {0};
	enum look found = LOOK_OPEN;
	u32 behind = 0;
	int r = 0;

	for (u32 i = 0; i < LOOKS_MAX && r == 0; i++) {
		r = mounts_look(proc_fd, &all, &found, err);
		behind = found == LOOK_BEHIND ? behind + 1 : 0;
		if (found == LOOK_HIDDEN || behind == LOOKS_BEHIND)
			break;
	}
	free(all.covered);
	if (r == 0 && found != LOOK_HIDDEN && behind < LOOKS_BEHIND)
		return error_set(err, 0,
						 "cannot hide a file system of the host below what was granted, because "
						 "its directories are being renamed; try again, or grant others");
	return r;
}
