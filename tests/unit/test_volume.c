/* SPDX-License-Identifier: ISC */
/*
 * The hypercalls on volumes and the requests to the supervisor with what a hostile guest may pass:
 * nothing outside of the volume is opened, made, removed, renamed or linked, whatever the path says
 * and whatever links lie on it, and no set-user-ID program is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the five above */
#include <cmocka.h>

#include "monitor/core/core_internal.h"

#define AREA 0x30000000ull

static struct family family;
static struct member member = {.family = &family};
static char base[] = "/tmp/unifork-volume-XXXXXX";

static s64 opened(u64 tree, const char *path, u64 flags)
{
	static char text[HYPERCALL_PATH_MAX];
	struct hypercall_call c = {.arg = {tree, 0, flags, AREA, sizeof(struct hyp_stat)},
							   .path = text};
	s64 fd;

	strcpy(text, path);
	fd = hyp_fs_open(&member, &c);
	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

/* What the supervisor answers; a gift is closed, or left in *kept. */
static s64 ask_with(const struct volume_request *given, const char *path, const char *other,
					int handle, int *kept)
{
	static struct volume_request r;
	int gift = -1;
	s64 err;

	r = *given;
	strcpy(r.path, path);
	strcpy(r.other, other);
	r.uid = geteuid();
	r.gid = getegid();
	err = volume_request_run(&family, &r, handle, &gift);
	if (kept)
		*kept = gift;
	else if (gift >= 0)
		close(gift);
	return err;
}

#define ASK(tree_, path_, other_, ...) \
	ask_with(&(struct volume_request){.tree = (tree_), __VA_ARGS__}, (path_), (other_), -1, NULL)
#define MAKE(tree, path, mode_) ASK(tree, path, "", .kind = VOLUME_MAKE, .mode = (mode_))
#define SYMLINK(tree, path, text) ASK(tree, path, text, .kind = VOLUME_SYMLINK)
#define LINK(tree, path, to) ASK(tree, path, to, .kind = VOLUME_LINK)
#define RENAME(tree, path, to, flags_) ASK(tree, path, to, .kind = VOLUME_RENAME, .flags = (flags_))
#define UNLINK(tree, path, flags_) ASK(tree, path, "", .kind = VOLUME_UNLINK, .flags = (flags_))
#define TMPFILE(tree, path) ASK(tree, path, "", .kind = VOLUME_TMPFILE, .mode = 0600)

static int setup(void **state)
{
	void *p = mmap((void *)AREA, PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(p, (void *)AREA);
	assert_non_null(mkdtemp(base));
	assert_int_equal(chdir(base), 0);
	assert_int_equal(mkdir("root", 0755) | mkdir("vol", 0755) | mkdir("read", 0755), 0);
	assert_int_equal(mkdir("vol/dir", 0755) | mkdir("outside", 0755), 0);
	assert_true(open("outside/secret", O_CREAT | O_WRONLY, 0644) >= 0);
	assert_true(open("vol/file", O_CREAT | O_WRONLY, 0644) >= 0);
	assert_true(open("read/file", O_CREAT | O_WRONLY, 0644) >= 0);
	assert_int_equal(symlink("../outside", "vol/up") | symlink("/tmp", "vol/absolute"), 0);
	assert_int_equal(symlink("../outside/secret", "vol/link"), 0);
	family.proc_fd = open("/proc", O_PATH);
	family.root_fd = open("root", O_PATH);
	family.volumes[0].fd = open("vol", O_PATH);
	family.volumes[1].fd = open("read", O_PATH);
	family.volumes[1].read_only = true;
	family.volume_count = 2;
	return 0;
}

static int teardown(void **state)
{
	return chdir("/") || system("rm -rf /tmp/unifork-volume-*");
}

/* Leave the volume, in words. */
static const char *const ways_out[] = {
	"../outside/x", "dir/../../outside/x",     "up/x",
	"absolute/x",   "up/../x/../../outside/x", "link/x",
};

static void test_paths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways_out); i++) {
		const char *p = ways_out[i];
		assert_true(opened(1, p, O_RDONLY) < 0);
		assert_true(MAKE(1, p, S_IFREG | 0644) < 0);
		assert_true(MAKE(1, p, S_IFDIR | 0755) < 0);
		assert_true(MAKE(1, p, S_IFIFO | 0644) < 0);
		assert_true(SYMLINK(1, p, "text") < 0);
		assert_true(LINK(1, "file", p) < 0);
		assert_true(RENAME(1, "file", p, 0) < 0);
		assert_true(RENAME(1, p, "stolen", 0) < 0);
		assert_true(UNLINK(1, p, 0) < 0);
	}
	assert_int_equal(opened(1, "../outside/secret", O_RDONLY), -ENOENT);
	assert_int_equal(opened(1, "up/secret", O_RDONLY), -ELOOP);
	assert_int_equal(opened(1, "link", O_RDWR), -ELOOP);
	assert_int_equal(UNLINK(1, "up/secret", 0), -ELOOP);
	assert_int_equal(access("outside/secret", F_OK), 0);
	assert_int_equal(access("outside/x", F_OK), -1);
	assert_int_equal(access("/tmp/x", F_OK), -1);
	/* An absolute path starts at the volume. */
	assert_int_equal(opened(1, "/file", O_RDWR), 0);
}

static void test_last_names(void **state)
{
	static const char *const names[] = {"", ".", "..", "dir/", "dir/.", "dir/..", "/"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(UNLINK(1, names[i], AT_REMOVEDIR), -EINVAL);
		assert_int_equal(RENAME(1, names[i], "x", 0), -EINVAL);
		assert_int_equal(MAKE(1, names[i], S_IFDIR | 0755), -EINVAL);
	}
	assert_int_equal(access("vol/dir", F_OK), 0);
}

static void test_values(void **state)
{
	assert_int_equal(opened(1, "file", O_RDWR | O_TRUNC), -EINVAL);
	assert_int_equal(opened(1, "file", O_RDWR | O_CREAT), -EINVAL);
	assert_int_equal(opened(1, "file", O_ACCMODE), -EINVAL);
	assert_int_equal(opened(1, "file", O_PATH), -EINVAL);
	assert_int_equal(opened(1, "new", O_WRONLY | O_CREAT | O_EXCL), -EINVAL);
	assert_int_equal(opened(1, "dir", O_WRONLY | O_TMPFILE), -EINVAL);
	assert_int_equal(MAKE(1, "node", S_IFCHR | 0644), -EINVAL);
	assert_int_equal(MAKE(1, "node", S_IFBLK | 0644), -EINVAL);
	assert_int_equal(UNLINK(1, "file", 1), -EINVAL);
	assert_int_equal(RENAME(1, "file", "x", RENAME_WHITEOUT), -EINVAL);
}

static s64 name(u32 tree, const char *path, int handle)
{
	return ask_with(&(struct volume_request){.kind = VOLUME_NAME, .tree = tree}, path, "", handle,
					NULL);
}

/* Only a file that never had a name gets one, on a volume that may be written. */
static void test_nameless(void **state)
{
	int secret = open("outside/secret", O_RDWR),
		gone = open("outside/gone", O_CREAT | O_RDWR, 0600);
	int fd = -1;

	assert_int_equal(
		ask_with(&(struct volume_request){.kind = VOLUME_TMPFILE, .tree = 1, .mode = 0600}, "dir",
				 "", -1, &fd),
		0);
	assert_true(fd > 2 && secret > 2 && gone > 2);
	assert_int_equal(unlink("outside/gone"), 0);
	assert_int_equal(TMPFILE(1, "file"), -ENOTDIR);
	assert_int_equal(TMPFILE(1, "../outside"), -ENOENT);
	assert_int_equal(TMPFILE(1, "up"), -ELOOP);
	assert_int_equal(TMPFILE(2, "."), -EROFS);
	assert_int_equal(name(1, "stolen", secret), -EINVAL);
	assert_int_equal(name(1, "stolen", gone), -ENOENT);
	assert_int_equal(name(1, "stolen", -1), -EBADF);
	assert_int_equal(name(1, "stolen", family.root_fd), -EINVAL);
	assert_int_equal(name(2, "named", fd), -EROFS);
	assert_int_equal(name(1, "up/x", fd), -ELOOP);
	assert_int_equal(name(1, "dir/named", fd), 0);
	assert_int_equal(name(1, "dir/twice", fd), -EINVAL);
	assert_int_equal(unlink("vol/dir/named"), 0);
	close(fd);
	close(secret);
	close(gone);
}

/* A file of the volume with another's rights must not come to be, by no way. */
static void test_set_user_id(void **state)
{
	int fd = open("vol/dir", O_TMPFILE | O_RDWR, 06755); /* as a guest past its kernel would */
	struct stat st;

	assert_int_equal(MAKE(1, "evil", S_IFREG | 04755), -EPERM);
	assert_int_equal(MAKE(1, "evil", S_IFREG | 02755), -EPERM);
	assert_int_equal(ASK(1, "dir", "", .kind = VOLUME_TMPFILE, .mode = 04755), -EPERM);
	assert_int_equal(ASK(1, "file", "", .kind = VOLUME_SET_MODE, .mode = 04755), -EPERM);
	assert_int_equal(ASK(1, "file", "", .kind = VOLUME_SET_MODE, .mode = 02755), -EPERM);
	assert_int_equal(MAKE(1, "pipe", S_IFIFO | 06755), 0);
	assert_int_equal(stat("vol/pipe", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(fd >= 0);
	assert_int_equal(name(1, "named", fd), 0);
	assert_int_equal(stat("vol/named", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* Of a directory it only says to whom new files belong. */
	assert_int_equal(ASK(1, "dir", "", .kind = VOLUME_SET_MODE, .mode = 02755), 0);
	assert_int_equal(access("vol/evil", F_OK), -1);
	assert_int_equal(unlink("vol/named") | unlink("vol/pipe"), 0);
	close(fd);
}

static void test_read_only(void **state)
{
	for (u64 tree = 0; tree <= 2; tree += 2) {
		assert_int_equal(opened(tree, "file", O_RDWR), -EROFS);
		assert_int_equal(MAKE((u32)tree, "new", S_IFREG | 0644), -EROFS);
		assert_int_equal(MAKE((u32)tree, "new", S_IFDIR | 0755), -EROFS);
		assert_int_equal(SYMLINK((u32)tree, "new", "text"), -EROFS);
		assert_int_equal(LINK((u32)tree, "file", "new"), -EROFS);
		assert_int_equal(UNLINK((u32)tree, "file", 0), -EROFS);
		assert_int_equal(RENAME((u32)tree, "file", "new", 0), -EROFS);
	}
	assert_int_equal(opened(2, "file", O_RDONLY), 0);
}

static void test_standard_handles(void **state)
{
	struct hypercall_call c = {.arg = {1, AREA, sizeof(struct hyp_write)}};

	assert_int_equal(hyp_vol_write(&member, &c), -EBADF);
	assert_int_equal(hyp_vol_truncate(&member, &c), -EBADF);
	assert_int_equal(hyp_vol_sync(&member, &c), -EBADF);
	assert_int_equal(hyp_vol_allocate(&member, &c), -EBADF);
}

static void test_write_list(void **state)
{
	struct hyp_write *w = (struct hyp_write *)AREA;
	int fd = open("vol/file", O_RDWR);
	struct hypercall_call c = {.arg = {(u64)fd, AREA, sizeof(*w)}};

	*w = (struct hyp_write){.count = HYP_WRITE_PIECES + 1};
	assert_int_equal(hyp_vol_write(&member, &c), -EINVAL);
	*w = (struct hyp_write){.count = 1, .piece = {{0, 16}}};
	assert_int_equal(hyp_vol_write(&member, &c), -EFAULT);
	*w = (struct hyp_write){.count = 1, .piece = {{(u64)&member, 16}}}; /* the monitor's own */
	assert_int_equal(hyp_vol_write(&member, &c), -EFAULT);
	*w = (struct hyp_write){.count = 1, .flags = 8, .piece = {{AREA, 16}}};
	assert_int_equal(hyp_vol_write(&member, &c), -EINVAL);
	*w = (struct hyp_write){.count = 1, .pos = 1ull << 63, .piece = {{AREA, 16}}};
	assert_int_equal(hyp_vol_write(&member, &c), -EINVAL);
	c.arg[2] = 8;
	assert_int_equal(hyp_vol_write(&member, &c), -EINVAL);
	c.arg[2] = sizeof(*w);
	*w = (struct hyp_write){.count = 2, .flags = HYP_WRITE_APPEND, .piece = {{AREA, 4}, {AREA, 2}}};
	assert_int_equal(hyp_vol_write(&member, &c), 6);
	assert_int_equal(w->pos, 6);
	close(fd);
}

static void test_requests(void **state)
{
	static struct volume_request r;
	int gift = -1;
	struct stat st;

	r = (struct volume_request){.kind = VOLUME_SET_MODE, .tree = 1, .mode = 0600};
	strcpy(r.path, "up/secret");
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -ELOOP);
	strcpy(r.path, "../outside/secret");
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -ENOENT);
	/* A link is not followed: the host refuses to change its mode, or changes the link's. */
	strcpy(r.path, "link");
	volume_request_run(&family, &r, -1, &gift);
	r.kind = VOLUME_SET_TIMES;
	r.times[0].sec = r.times[1].sec = 1;
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), 0);
	assert_int_equal(stat("outside/secret", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_not_equal(st.st_mtime, 1);
	strcpy(r.path, "file");
	r.tree = 2;
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -EROFS);
	r.tree = 0;
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -EROFS);
	r.tree = 3;
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -EROFS);
	r.tree = 1;
	r.kind = 99;
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -EINVAL);
	r.kind = VOLUME_SET_TIMES;
	memset(r.path, 'x', sizeof(r.path)); /* not terminated */
	assert_int_equal(volume_request_run(&family, &r, -1, &gift), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_last_names),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nameless),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_set_user_id),
		cmocka_unit_test(test_standard_handles),
		cmocka_unit_test(test_write_list),
		cmocka_unit_test(test_requests),
	};

	umask(0);
	return cmocka_run_group_tests(tests, setup, teardown);
}
