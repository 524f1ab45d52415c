/* SPDX-License-Identifier: ISC */
/*
 * Attributes of chattr and what they forbid, O_NOATIME, where data is (FIEMAP), and what ioctls of
 * files say that cannot be had.
 * @test timeout=20 members=2 nosvm root
 */
#include "guest.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int attributes(int fd, int set)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &set);
}

static int has(int fd, int flag)
{
	int word = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &word))
		return -1;
	return !!(word & flag);
}

static void immutable(void)
{
	int fd = open("kept", O_CREAT | O_RDWR, 0644), dir;

	result("nodump", attributes(fd, FS_NODUMP_FL));
	say("nodump %d immutable %d", has(fd, FS_NODUMP_FL), has(fd, FS_IMMUTABLE_FL));
	result("immutable", attributes(fd, FS_IMMUTABLE_FL));
	okay("write", open("kept", O_RDWR));
	okay("read", open("kept", O_RDONLY));
	result("unlink", unlink("kept"));
	result("rename", rename("kept", "lost"));
	result("link", link("kept", "more"));
	result("chmod", chmod("kept", 0600));
	result("chown", chown("kept", 0, 0));
	result("utimes", utimes("kept", NULL));
	result("truncate", truncate("kept", 0));
	result("setxattr", setxattr("kept", "user.a", "b", 1, 0));
	okay("replace", open("other", O_CREAT | O_RDWR, 0644));
	result("rename over", rename("other", "kept"));
	result("off", attributes(fd, 0));
	result("unlink", unlink("kept"));
	mkdir("frozen", 0755);
	close(open("frozen/in", O_CREAT | O_RDWR, 0644));
	dir = open("frozen", O_RDONLY);
	result("directory", attributes(dir, FS_IMMUTABLE_FL));
	okay("create", open("frozen/new", O_CREAT | O_RDWR, 0644));
	okay("open", open("frozen/in", O_RDWR));
	result("unlink in", unlink("frozen/in"));
	result("off", attributes(dir, 0));
	result("unlink in", unlink("frozen/in"));
}

static void append_only(void)
{
	int fd = open("log", O_CREAT | O_RDWR, 0644), log, dir;

	result("append", attributes(fd, FS_APPEND_FL));
	okay("write", open("log", O_WRONLY));
	okay("truncating", open("log", O_WRONLY | O_APPEND | O_TRUNC));
	log = open("log", O_WRONLY | O_APPEND);
	okay("appending", log);
	result("append off", fcntl(log, F_SETFL, 0));
	result("append on", fcntl(log, F_SETFL, O_APPEND | O_NONBLOCK));
	result("write", (int)write(log, "abc", 3));
	result("ftruncate", ftruncate(log, 0));
	result("truncate", truncate("log", 0));
	result("touch", utimes("log", NULL));
	result("utimes", utimes("log", (struct timeval[2]){{1, 0}, {1, 0}}));
	result("chmod", chmod("log", 0600));
	result("unlink", unlink("log"));
	attributes(fd, 0);
	mkdir("inbox", 0777);
	dir = open("inbox", O_RDONLY);
	result("directory", attributes(dir, FS_APPEND_FL));
	okay("create", open("inbox/new", O_CREAT | O_RDWR, 0644));
	result("unlink in", unlink("inbox/new"));
	result("rename in", rename("inbox/new", "inbox/old"));
	attributes(dir, 0);
	result("unlink in", unlink("inbox/new"));
}

static void others(void)
{
	int fd = open("mine", O_CREAT | O_RDWR, 0666), theirs, status;

	fchmod(fd, 0666);
	chmod(".", 0777);
	if (!fork()) {
		if (setuid(65534))
			die("setuid");
		theirs = open("mine", O_RDWR);
		result("not the owner", attributes(theirs, FS_NODUMP_FL));
		okay("O_NOATIME", open("mine", O_RDONLY | O_NOATIME));
		result("F_SETFL", fcntl(theirs, F_SETFL, O_NOATIME));
		theirs = open("nobody", O_CREAT | O_RDWR, 0644);
		result("owner", attributes(theirs, FS_NODUMP_FL));
		result("immutable", attributes(theirs, FS_IMMUTABLE_FL));
		say("flags %d", fcntl(theirs, F_SETFL, O_NOATIME) == 0 &&
							fcntl(theirs, F_GETFL) & O_NOATIME);
		_exit(0);
	}
	wait(&status);
}

static void times(void)
{
	int fd = open("read", O_CREAT | O_RDWR, 0644), quiet = open("read", O_RDONLY | O_NOATIME);
	struct timespec old[2] = {{1000, 0}, {0, UTIME_OMIT}};
	struct stat st;
	char c;

	result("write", (int)write(fd, "abc", 3));
	futimens(fd, old);
	result("quiet", (int)pread(quiet, &c, 1, 0));
	fstat(fd, &st);
	say("time stays %d", st.st_atime == 1000);
	result("loud", (int)pread(fd, &c, 1, 0));
	fstat(fd, &st);
	say("time stays %d", st.st_atime == 1000);
}

static void extents(void)
{
	static struct {
		struct fiemap map;
		struct fiemap_extent e[8];
	} all = {.map = {.fm_length = ~0ull, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 8}};
	int fd = open("sparse", O_CREAT | O_RDWR, 0644), size = 0, ends[2];
	uint64_t covered = 0;

	result("one", (int)pwrite(fd, "abc", 3, 0));
	result("other", (int)pwrite(fd, "abc", 3, 40 * MIB));
	result("FIEMAP", ioctl(fd, FS_IOC_FIEMAP, &all));
	for (unsigned i = 0; i < all.map.fm_mapped_extents; i++)
		covered += all.e[i].fe_length;
	say("first at 0: %d last at 40 MiB: %d bytes %d", all.e[0].fe_logical == 0,
		all.e[all.map.fm_mapped_extents - 1].fe_logical == 40 * MIB, (int)covered);
	say("last %d", !!(all.e[all.map.fm_mapped_extents - 1].fe_flags & FIEMAP_EXTENT_LAST));
	all.map.fm_extent_count = 0;
	result("count only", ioctl(fd, FS_IOC_FIEMAP, &all));
	say("extents %u", all.map.fm_mapped_extents);
	all.map.fm_length = 0;
	result("none", ioctl(fd, FS_IOC_FIEMAP, &all));
	result("block size", ioctl(fd, FIGETBSZ, &size));
	say("positive %d", size > 0);
	if (pipe(ends))
		die("pipe");
	result("FIEMAP of a pipe", ioctl(ends[0], FS_IOC_FIEMAP, &all));
	result("flags of a pipe", ioctl(ends[0], FS_IOC_GETFLAGS, &size));
	result("block size of a pipe", ioctl(ends[0], FIGETBSZ, &size));
	result("share with a directory", ioctl(fd, FICLONE, open(".", O_RDONLY)));
	result("share with a pipe", ioctl(fd, FICLONE, ends[0]));
	result("share with nothing", ioctl(fd, FICLONE, -1));
	result("unknown", ioctl(fd, 0x12345678, 0));
}

int main(void)
{
	work_dir();
	umask(0);
	immutable();
	append_only();
	others();
	times();
	extents();
	return finish();
}
