/* SPDX-License-Identifier: ISC */
/*
 * File system calls that today's libc replaces by newer ones, and the rarer new ones, made by
 * number: the old form has to agree with the one that libc uses.
 * @test timeout=30 members=1 root
 */
#include "guest.h"
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <utime.h>

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

static void stat_family(void)
{
	struct stat a, b, c;
	struct statx x;

	file_write("f", "0123456789");
	int fd = opened("f", O_RDWR);
	result("stat", syscall(SYS_stat, "f", &a));
	result("fstat", syscall(SYS_fstat, fd, &b));
	result("lstat", syscall(SYS_lstat, "f", &c));
	check("the same file", a.st_ino == b.st_ino && b.st_ino == c.st_ino && a.st_dev == b.st_dev);
	result("statx", syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	say("statx: size %llu mode %o links %u", (unsigned long long)x.stx_size, x.stx_mode,
		x.stx_nlink);
	check("statx inode", x.stx_ino == a.st_ino);
	result("statx of a descriptor", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	result("statx wrong flag", syscall(SYS_statx, AT_FDCWD, "f", 0x40000000, STATX_SIZE, &x));
	result("stat missing", syscall(SYS_stat, "missing", &a));
	result("stat bad address", syscall(SYS_stat, "f", (void *)8));
	result("fstat bad descriptor", syscall(SYS_fstat, 999, &a));
	close(fd);
}

static void statfs_family(void)
{
	struct statfs by_path, by_fd;
	int fd = opened(".", O_RDONLY | O_DIRECTORY);

	result("statfs", syscall(SYS_statfs, ".", &by_path));
	result("fstatfs", syscall(SYS_fstatfs, fd, &by_fd));
	check("the same type", by_path.f_type == by_fd.f_type && by_path.f_bsize == by_fd.f_bsize);
	check("sizes", by_path.f_bsize >= 512 && by_path.f_namelen >= 255);
	result("statfs missing", syscall(SYS_statfs, "missing", &by_path));
	result("fstatfs closed", syscall(SYS_fstatfs, 999, &by_fd));
	close(fd);
}

static void creation(void)
{
	struct stat info;
	struct open_how how = {.flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0600};

	int fd = (int)syscall(SYS_creat, "created", 0640);
	okay("creat", fd);
	result("write", write(fd, "abc", 3));
	char c;
	result("creat reads nothing", read(fd, &c, 1));
	close(fd);
	okay("creat truncates", fd = (int)syscall(SYS_creat, "created", 0600));
	fstat(fd, &info);
	say("size %ld mode %o", (long)info.st_size, info.st_mode);
	close(fd);
	result("mknod fifo", syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
	stat("fifo", &info);
	say("fifo: %d", S_ISFIFO(info.st_mode));
	result("mknod file", syscall(SYS_mknod, "plain", S_IFREG | 0600, 0));
	result("mknod again", syscall(SYS_mknod, "plain", S_IFREG | 0600, 0));
	result("mknod directory", syscall(SYS_mknod, "no", S_IFDIR | 0700, 0));
	okay("openat2", fd = (int)syscall(SYS_openat2, AT_FDCWD, "how", &how, sizeof(how)));
	close(fd);
	how.flags = O_RDONLY;
	result("openat2 with a mode", syscall(SYS_openat2, AT_FDCWD, "how", &how, sizeof(how)));
	how.mode = 0;
	how.flags = 1ULL << 40;
	result("openat2 unknown flag", syscall(SYS_openat2, AT_FDCWD, "how", &how, sizeof(how)));
	how.flags = O_RDONLY;
	result("openat2 short", syscall(SYS_openat2, AT_FDCWD, "how", &how, 8));
	how.resolve = RESOLVE_NO_SYMLINKS;
	symlink("how", "link");
	result("openat2 no symlinks", syscall(SYS_openat2, AT_FDCWD, "link", &how, sizeof(how)));
	how.resolve = RESOLVE_BENEATH;
	result("openat2 beneath", syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof(how)));
}

static void resolved(const char *path, uint64_t rule)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = rule};
	char text[8] = "", name[64];
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	snprintf(name, sizeof(name), "%s by rule %llx", path, (unsigned long long)rule);
	okay(name, fd);
	if (fd < 0)
		return;
	read_all(fd, text, 7);
	say("%s", text);
	close(fd);
}

/* The same links under each rule of openat2(2); the working directory is the root of IN_ROOT. */
static void rules(void)
{
	static const char *const paths[] = {"top/file",           "top/up",          "top/out",
										"top/absolute",       "top/../top/file", "/top/file",
										"top/../../top/file", "/dev/stdin"};

	mkdir("top", 0755);
	file_write("top/file", "inner");
	symlink("../top/file", "top/up");
	symlink("../../top/file", "top/out");
	symlink("/top/file", "top/absolute");
	for (size_t i = 0; i < COUNT(paths); i++) {
		resolved(paths[i], RESOLVE_BENEATH);
		resolved(paths[i], RESOLVE_IN_ROOT);
		resolved(paths[i], RESOLVE_NO_SYMLINKS);
		resolved(paths[i], RESOLVE_NO_MAGICLINKS);
	}
	resolved("top/file", RESOLVE_BENEATH | RESOLVE_IN_ROOT);
	resolved("top/file", 1ULL << 40);
}

static void say_times(const char *what)
{
	struct stat info;

	stat("f", &info);
	say("%s: %ld.%09ld %ld.%09ld", what, (long)info.st_atim.tv_sec, info.st_atim.tv_nsec,
		(long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

static void times(void)
{
	struct utimbuf old = {.actime = 1000, .modtime = 2000};
	struct timeval pair[2] = {{3000, 5}, {4000, 6}}, wrong[2] = {{1, 2000000}, {1, 1}};

	result("utime", syscall(SYS_utime, "f", &old));
	say_times("utime");
	result("utimes", syscall(SYS_utimes, "f", pair));
	say_times("utimes");
	pair[0].tv_sec = 5000;
	result("futimesat", syscall(SYS_futimesat, AT_FDCWD, "f", pair));
	say_times("futimesat");
	result("utimes wrong", syscall(SYS_utimes, "f", wrong));
	result("utime missing", syscall(SYS_utime, "missing", &old));
}

static void transfers(void)
{
	char text[32] = "";
	struct iovec parts[2] = {{"XY", 2}, {"Z", 1}}, into = {text, 8};
	int in = opened("f", O_RDWR), out = opened("copy", O_RDWR | O_CREAT);
	off_t at = 2, to = 1;

	result("sendfile", sendfile(out, in, &at, 5));
	say("offsets: %ld %ld", (long)at, (long)lseek(in, 0, SEEK_CUR));
	result("copy_file_range", copy_file_range(in, &at, out, &to, 100, 0));
	say("offsets: %ld %ld, copy %s", (long)at, (long)to, file_text("copy"));
	result("copy_file_range flags", copy_file_range(in, NULL, out, NULL, 1, 7));
	result("pwritev2", syscall(SYS_pwritev2, in, parts, 2, 3L, 0L, 0));
	result("preadv2", syscall(SYS_preadv2, in, &into, 1, 1L, 0L, 0));
	say("%s", text);
	lseek(in, 6, SEEK_SET);
	result("preadv2 here", syscall(SYS_preadv2, in, &into, 1, -1L, -1L, 0));
	say("%.4s at %ld", text, (long)lseek(in, 0, SEEK_CUR));
	result("preadv2 wrong flag", syscall(SYS_preadv2, in, &into, 1, 0L, 0L, 0x4000));
	result("fallocate", fallocate(out, 0, 0, 100));
	result("fallocate keep", fallocate(out, FALLOC_FL_KEEP_SIZE, 0, 5000));
	say("size %ld", (long)lseek(out, 0, SEEK_END));
	result("fallocate nothing", fallocate(out, 0, 0, 0));
	result("punch a hole", fallocate(out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
	result("pread", pread(out, text, 4, 0));
	say("%d %d %d %d", text[0], text[1], text[2], text[3]);
	close(in);
	close(out);
}

static void descriptors(void)
{
	int a = opened("f", O_RDONLY), b = opened("f", O_RDONLY);

	result("flock", flock(a, LOCK_EX));
	result("flock of another", flock(b, LOCK_EX | LOCK_NB));
	result("unlock", flock(a, LOCK_UN));
	result("flock now", flock(b, LOCK_SH | LOCK_NB));
	result("flock wrong", flock(b, 77));
	result("fchown", fchown(a, 3, 4));
	struct stat info;
	fstat(b, &info);
	say("owner %d %d", (int)info.st_uid, (int)info.st_gid);
	dup2(a, 100);
	dup2(a, 102);
	result("close_range", syscall(SYS_close_range, 100, 101, 0));
	say("%s %s", fcntl(100, F_GETFD) < 0 ? "closed" : "open",
		fcntl(102, F_GETFD) < 0 ? "closed" : "open");
	result("close_range cloexec", syscall(SYS_close_range, 102, ~0U, CLOSE_RANGE_CLOEXEC));
	result("flags", fcntl(102, F_GETFD));
	result("close_range wrong", syscall(SYS_close_range, 5, 4, 0));
	result("faccessat", syscall(SYS_faccessat, AT_FDCWD, "f", R_OK));
	result("faccessat missing", syscall(SYS_faccessat, AT_FDCWD, "missing", F_OK));
	close(a);
	close(b);
}

/* Counts what getdents finds in a directory of three entries besides . and .. */
static void listing(void)
{
	char room[1024];
	int found = 0;

	mkdir("d", 0700);
	file_write("d/1", "");
	file_write("d/2", "");
	mkdir("d/3", 0700);
	int fd = opened("d", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 10; i++) {
		long got = syscall(SYS_getdents, fd, room, sizeof(room));
		if (got <= 0)
			break;
		for (long at = 0; at < got; found++) {
			unsigned short length;
			memcpy(&length, room + at + 16, sizeof(length));
			at += length;
		}
	}
	say("entries: %d", found);
	result("getdents at the end", syscall(SYS_getdents, fd, room, sizeof(room)));
	lseek(fd, 0, SEEK_SET);
	result("getdents no room", syscall(SYS_getdents, fd, room, 8));
	close(fd);
}

static void new_root(void)
{
	mkdir("jail", 0755);
	file_write("jail/inside", "seen");
	pid_t pid = (pid_t)syscall(SYS_getpid);
	check("a process", pid > 0);
	int home = opened(".", O_RDONLY | O_DIRECTORY), out = opened("/", O_RDONLY | O_DIRECTORY);
	result("chroot", chroot("jail"));
	result("chdir", chdir("/"));
	say("inside: %s", file_text("/inside"));
	say("dots stay: %s", file_text("/../../inside"));
	result("chroot of a file", chroot("/inside"));
	fchdir(out);
	result("back", chroot("."));
	fchdir(home);
	close(home);
	close(out);
}

int main(void)
{
	work_dir();
	stat_family();
	statfs_family();
	creation();
	rules();
	times();
	transfers();
	descriptors();
	listing();
	new_root();
	return finish();
}
