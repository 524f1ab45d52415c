/* SPDX-License-Identifier: ISC */
/*
 * The Landlock ruleset: reading below the family's root, reading and writing on its volumes,
 * nothing else. In namespaces it is the second layer, behind a private root directory
 * (supervisor/private_root.c).
 *
 * Without them it has to leave out the host's /proc, /sys and /dev. Landlock only grants, so a root
 * that contains them (in practice `/`) is granted entry by entry; entries that appear in `/` itself
 * later are then not readable. A volume that contains them is refused.
 *
 * Source: Documentation/userspace-api/landlock.rst, ABI 1 to 6. Numbers newer than Debian 12's
 * headers are given here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define FS_ABI1 0x1fffull
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define LANDLOCK_WRITING 3
#define NET_BIND_CONNECT_TCP 3ull
#define SCOPE_UNIX 1ull
#define SCOPE_SIGNAL 2ull

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset_attr {
	u64 fs, net, scoped;
};

/* Members of a PID namespace of their own may interrupt each other (hypercall kick). */
static int ruleset_create(const struct family *f, int abi)
{
	struct ruleset_attr attr = {.fs = FS_ABI1};
	size_t size = sizeof(attr.fs);

	if (abi >= 2)
		attr.fs |= FS_REFER;
	if (abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (abi >= 4) {
		attr.net = f->sockets ? 0 : NET_BIND_CONNECT_TCP;
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		attr.scoped = SCOPE_UNIX | (f->namespaced ? 0 : SCOPE_SIGNAL);
		size = sizeof(attr);
	}
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

static int rule_add(int ruleset, int fd, u64 access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

bool tree_is_mixed(int root_fd)
{
	static const char *const names[] = {"proc", "sys", "dev"};
	struct stat root, st;

	if (fstat(root_fd, &root) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fstatat(root_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev != root.st_dev)
			return true;
	return false;
}

/* devtmpfs calls itself tmpfs: it is known by its name. */
static int entry_add(int ruleset, int root_fd, const char *name)
{
	struct statfs sfs;
	struct stat st;
	int fd, r = 0;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "dev"))
		return 0;
	fd = openat(root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && fstatfs(fd, &sfs) == 0 && !fs_magic_refused((u64)sfs.f_type)) {
		if (S_ISDIR(st.st_mode))
			r = rule_add(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
		else if (S_ISREG(st.st_mode))
			r = rule_add(ruleset, fd, LANDLOCK_ACCESS_FS_READ_FILE);
	}
	close(fd);
	return r;
}

static int entries_add(int ruleset, int root_fd)
{
	int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r;

	if (!dir)
		return -1;
	r = rule_add(ruleset, root_fd, LANDLOCK_ACCESS_FS_READ_DIR);
	while (r == 0 && (entry = readdir(dir)))
		r = entry_add(ruleset, root_fd, entry->d_name);
	closedir(dir);
	return r;
}

/* Contents only: names and attributes are the supervisor's to change (volume_request.c). */
static u64 volume_access(const struct volume *v, int abi)
{
	u64 access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

	if (v->read_only)
		return access;
	access |= LANDLOCK_ACCESS_FS_WRITE_FILE;
	return abi >= 3 ? access | FS_TRUNCATE : access;
}

static int volumes_add(const struct family *f, int ruleset, int abi)
{
	int r = 0;

	for (u32 i = 0; i < f->volume_count && r == 0; i++)
		r = rule_add(ruleset, f->volumes[i].fd, volume_access(&f->volumes[i], abi));
	return r;
}

/*
 * A guest that runs in the monitor's process has its system calls. In a private root the mounts
 * keep its writing to the volumes; on these Landlock, from its first version on, keeps it from
 * making files, whose mode no filter can see (set-user-ID). Without a private root Landlock must
 * know all calls that change a file.
 */
static int landlock_check(const struct family *f, int abi, struct error *err)
{
	int needed = !f->backend->runs_on_host ? 0
				 : !f->namespaced          ? LANDLOCK_WRITING
				 : family_writes(f)        ? 1
										   : 0;

	if (needed == 0 || abi >= needed || f->without & WITHOUT_LANDLOCK)
		return 0;
	return error_set(err, 0,
					 "backend %s needs Landlock %d of the host kernel here, which has %s; use "
					 "--backend kvm%s, or give that protection up with --without landlock",
					 f->backend->name, needed, abi <= 0 ? "none" : "an older one",
					 f->namespaced ? ", add :ro to the volumes" : "");
}

static int rules_add(const struct family *f, int ruleset, int abi)
{
	int r;

	if (!f->namespaced && tree_is_mixed(f->root_fd))
		r = entries_add(ruleset, f->root_fd);
	else
		r = rule_add(ruleset, f->root_fd,
					 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
	return r == 0 ? volumes_add(f, ruleset, abi) : r;
}

int confine_ruleset(const struct family *f, struct confinement *c, struct error *err)
{
	int fd, abi = -1;

	c->ruleset_fd = -1;
	if (!(f->without & WITHOUT_LANDLOCK))
		abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	c->landlock_abi = abi;
	if (landlock_check(f, abi, err) < 0)
		return -1;
	if (abi <= 0) {
		if (f->verbose)
			fprintf(stderr, "unifork: no Landlock around the members: %s\n",
					f->without & WITHOUT_LANDLOCK ? "--without landlock" : "the host has none");
		return 0;
	}
	fd = ruleset_create(f, abi);
	if (fd < 0)
		return error_set(err, errno, "cannot create the Landlock rules");
	if (rules_add(f, fd, abi) < 0) {
		error_set(err, errno, "cannot add the root directory or a volume to the Landlock rules");
		close(fd);
		return -1;
	}
	c->ruleset_fd = fd;
	return 0;
}
