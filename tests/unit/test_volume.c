/* SPDX-License-Identifier: ISC */
/*
 * The hypercalls on volumes with what a hostile guest may pass: nothing outside of the volume is
 * opened, made, removed, renamed or linked, whatever the path says and whatever links lie on it.
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

#include "monitor/core/internal.h"

#define AREA 0x30000000ull

static struct family family;
static struct member member = {.family = &family};
static char base[] = "/tmp/unifork-volume-XXXXXX";

static s64 run(s64 (*call)(struct member *m, struct hypercall_call *c), u64 tree, const char *path,
			   u64 a2, u64 a3, const char *other)
{
	static char paths[2][HYPERCALL_PATH_MAX];
	struct hypercall_call c = {
		.arg = {tree, 0, a2, a3, AREA, sizeof(struct hyp_stat)},
		.path = paths[0],
		.other = paths[1],
	};

	strcpy(c.path, path);
	strcpy(c.other, other);
	return call(&member, &c);
}

static s64 opened(u64 tree, const char *path, u64 flags)
{
	s64 fd = run(hyp_fs_open, tree, path, flags, 0600, "");

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

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
	"../outside/x", "dir/../../outside/x", "up/x", "absolute/x", "up/../x/../../outside/x",
	"link/x",
};

static void test_paths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways_out); i++) {
		const char *p = ways_out[i];
		assert_true(opened(1, p, O_RDONLY) < 0);
		assert_true(opened(1, p, O_RDWR | O_CREAT | O_EXCL) < 0);
		assert_true(run(hyp_vol_make, 1, p, S_IFDIR | 0755, 0, "") < 0);
		assert_true(run(hyp_vol_make, 1, p, S_IFIFO | 0644, 0, "") < 0);
		assert_true(run(hyp_vol_symlink, 1, p, 0, 0, "text") < 0);
		assert_true(run(hyp_vol_link, 1, "file", 0, 0, p) < 0);
		assert_true(run(hyp_vol_rename, 1, "file", 0, 0, p) < 0);
		assert_true(run(hyp_vol_rename, 1, p, 0, 0, "stolen") < 0);
		assert_true(run(hyp_vol_unlink, 1, p, 0, 0, "") < 0);
	}
	assert_int_equal(opened(1, "../outside/secret", O_RDONLY), -ENOENT);
	assert_int_equal(opened(1, "up/secret", O_RDONLY), -ELOOP);
	assert_int_equal(opened(1, "link", O_RDWR), -ELOOP);
	assert_int_equal(run(hyp_vol_unlink, 1, "up/secret", 0, 0, ""), -ELOOP);
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
		assert_int_equal(run(hyp_vol_unlink, 1, names[i], AT_REMOVEDIR, 0, ""), -EINVAL);
		assert_int_equal(run(hyp_vol_rename, 1, names[i], 0, 0, "x"), -EINVAL);
		assert_int_equal(run(hyp_vol_make, 1, names[i], S_IFDIR | 0755, 0, ""), -EINVAL);
	}
	assert_int_equal(access("vol/dir", F_OK), 0);
}

static void test_values(void **state)
{
	assert_int_equal(opened(1, "file", O_RDWR | O_TRUNC), -EINVAL);
	assert_int_equal(opened(1, "file", O_RDWR | O_CREAT), -EINVAL);
	assert_int_equal(opened(1, "file", O_ACCMODE), -EINVAL);
	assert_int_equal(opened(1, "file", O_PATH), -EINVAL);
	assert_int_equal(opened(1, "new", O_WRONLY | O_CREAT | O_EXCL | O_TMPFILE), -EINVAL);
	assert_int_equal(run(hyp_vol_make, 1, "node", S_IFCHR | 0644, 0, ""), -EINVAL);
	assert_int_equal(run(hyp_vol_make, 1, "node", S_IFBLK | 0644, 0, ""), -EINVAL);
	assert_int_equal(run(hyp_vol_unlink, 1, "file", 1, 0, ""), -EINVAL);
	assert_int_equal(run(hyp_vol_rename, 1, "file", 0, RENAME_WHITEOUT, "x"), -EINVAL);
}

/* Only a file that never had a name gets one, on a volume that may be written. */
static void test_nameless(void **state)
{
	s64 fd = run(hyp_fs_open, 1, "dir", O_TMPFILE | O_RDWR, 0600, "");
	int secret = open("outside/secret", O_RDWR);
	int gone = open("outside/gone", O_CREAT | O_RDWR, 0600);

	assert_true(fd > 2 && secret > 2 && gone > 2);
	assert_int_equal(unlink("outside/gone"), 0);
	assert_int_equal(opened(1, "file", O_TMPFILE | O_RDWR), -ENOTDIR);
	assert_int_equal(opened(1, "../outside", O_TMPFILE | O_RDWR), -ENOENT);
	assert_int_equal(opened(1, "up", O_TMPFILE | O_RDWR), -ELOOP);
	assert_int_equal(opened(2, ".", O_TMPFILE | O_RDWR), -EROFS);
	assert_int_equal(opened(1, "dir", O_TMPFILE), -EINVAL);
	assert_int_equal(run(hyp_vol_name, 1, "stolen", (u64)secret, 0, ""), -EINVAL);
	assert_int_equal(run(hyp_vol_name, 1, "stolen", (u64)gone, 0, ""), -ENOENT);
	assert_int_equal(run(hyp_vol_name, 1, "stolen", 1, 0, ""), -EBADF);
	assert_int_equal(run(hyp_vol_name, 2, "named", (u64)fd, 0, ""), -EROFS);
	assert_int_equal(run(hyp_vol_name, 1, "up/x", (u64)fd, 0, ""), -ELOOP);
	assert_int_equal(run(hyp_vol_name, 1, "dir/named", (u64)fd, 0, ""), 0);
	assert_int_equal(run(hyp_vol_name, 1, "dir/twice", (u64)fd, 0, ""), -EINVAL);
	assert_int_equal(unlink("vol/dir/named"), 0);
	close((int)fd);
	close(secret);
	close(gone);
}

static void test_read_only(void **state)
{
	for (u64 tree = 0; tree <= 2; tree += 2) {
		assert_int_equal(opened(tree, "file", O_RDWR), -EROFS);
		assert_int_equal(opened(tree, "new", O_RDWR | O_CREAT | O_EXCL), -EROFS);
		assert_int_equal(run(hyp_vol_make, tree, "new", S_IFDIR | 0755, 0, ""), -EROFS);
		assert_int_equal(run(hyp_vol_symlink, tree, "new", 0, 0, "text"), -EROFS);
		assert_int_equal(run(hyp_vol_link, tree, "file", 0, 0, "new"), -EROFS);
		assert_int_equal(run(hyp_vol_unlink, tree, "file", 0, 0, ""), -EROFS);
		assert_int_equal(run(hyp_vol_rename, tree, "file", 0, 0, "new"), -EROFS);
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
	struct stat st;

	r = (struct volume_request){.kind = VOLUME_SET_MODE, .tree = 1, .mode = 0600};
	strcpy(r.path, "up/secret");
	assert_int_equal(volume_request_run(&family, &r), -ELOOP);
	strcpy(r.path, "../outside/secret");
	assert_int_equal(volume_request_run(&family, &r), -ENOENT);
	/* A link is not followed: the host refuses to change its mode, or changes the link's. */
	strcpy(r.path, "link");
	volume_request_run(&family, &r);
	r.kind = VOLUME_SET_TIMES;
	r.times[0].sec = r.times[1].sec = 1;
	assert_int_equal(volume_request_run(&family, &r), 0);
	assert_int_equal(stat("outside/secret", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_not_equal(st.st_mtime, 1);
	strcpy(r.path, "file");
	r.tree = 2;
	assert_int_equal(volume_request_run(&family, &r), -EROFS);
	r.tree = 0;
	assert_int_equal(volume_request_run(&family, &r), -EROFS);
	r.tree = 3;
	assert_int_equal(volume_request_run(&family, &r), -EROFS);
	r.tree = 1;
	r.kind = 9;
	assert_int_equal(volume_request_run(&family, &r), -EINVAL);
	memset(r.path, 'x', sizeof(r.path)); /* not terminated */
	assert_int_equal(volume_request_run(&family, &r), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),      cmocka_unit_test(test_last_names),
		cmocka_unit_test(test_values),     cmocka_unit_test(test_nameless),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_standard_handles), cmocka_unit_test(test_write_list),
		cmocka_unit_test(test_requests),
	};

	umask(0);
	return cmocka_run_group_tests(tests, setup, teardown);
}
