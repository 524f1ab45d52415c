/* SPDX-License-Identifier: ISC */
/*
 * The *at calls relative to a directory descriptor, with AT_ flags and wrong descriptors; access,
 * statx.
 * @test timeout=30 members=1
 */
#include "guest.h"

int main(void)
{
	char text[64] = "";
	struct stat info;

	work_dir();
	mkdir("d", 0755);
	int dir = open("d", O_RDONLY | O_DIRECTORY), file = open("f", O_CREAT | O_RDWR, 0644);
	okay("openat", openat(dir, "x", O_CREAT | O_WRONLY, 0600));
	result("mkdirat", mkdirat(dir, "sub", 0755));
	result("symlinkat", symlinkat("x", dir, "s"));
	result("readlinkat", readlinkat(dir, "s", text, sizeof(text)));
	result("linkat", linkat(dir, "x", dir, "y", 0));
	result("fstatat", fstatat(dir, "y", &info, 0));
	say("links: %d", (int)info.st_nlink);
	result("fstatat link", fstatat(dir, "s", &info, AT_SYMLINK_NOFOLLOW));
	say("is a link: %d", S_ISLNK(info.st_mode));
	result("AT_EMPTY_PATH", fstatat(file, "", &info, AT_EMPTY_PATH));
	say("mode: %o", info.st_mode);
	result("fchmodat", fchmodat(dir, "x", 0400, 0));
	result("faccessat", faccessat(dir, "x", R_OK, 0));
	result("faccessat missing", faccessat(dir, "z", F_OK, 0));
	result("access, wrong mode", access("f", 99));
	result("access, not executable", access("f", X_OK));
	result("renameat", renameat(dir, "y", AT_FDCWD, "moved"));
	result("unlinkat", unlinkat(dir, "s", 0));
	result("unlinkat of a directory", unlinkat(dir, "sub", 0));
	result("AT_REMOVEDIR", unlinkat(dir, "sub", AT_REMOVEDIR));
	result("AT_REMOVEDIR of a file", unlinkat(dir, "x", AT_REMOVEDIR));
	result("relative to a file", openat(file, "x", O_RDONLY));
	result("relative to nothing", openat(99, "x", O_RDONLY));
	okay("absolute, relative to nothing", openat(99, "/", O_RDONLY));
	struct timespec times[2] = {{1000, 5}, {2000, 6}};
	result("utimensat", utimensat(dir, "x", times, 0));
	fstatat(dir, "x", &info, 0);
	say("times: %ld.%ld %ld.%ld", (long)info.st_atim.tv_sec, info.st_atim.tv_nsec,
		(long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	result("UTIME_NOW", utimensat(dir, "x", times, 0));
	fstatat(dir, "x", &info, 0);
	say("kept: %ld, now: %d", (long)info.st_atim.tv_sec, info.st_mtim.tv_sec > 1000000000);
	times[0].tv_nsec = -7;
	result("wrong time", utimensat(dir, "x", times, 0));
	umask(027);
	close(openat(dir, "masked", O_CREAT | O_WRONLY, 0666));
	fstatat(dir, "masked", &info, 0);
	say("masked: %o", info.st_mode);
	say("umask: %o", umask(0777));
	result("chmod missing", chmod("missing", 0600));
	result("fchmod", fchmod(file, 0711));
	fstat(file, &info);
	say("mode: %o", info.st_mode);
	int path = openat(dir, "x", O_PATH);
	result("read from O_PATH", read(path, text, 1));
	result("wrong flags", unlinkat(dir, "x", 0x4000));
	result("F_GETFL of a wrong one", fcntl(99, F_GETFL));
	return finish();
}
