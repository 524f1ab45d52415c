/* SPDX-License-Identifier: ISC */
/*
 * For the test of volumes given with :ro. What a mount that may only be read answers to every call
 * that would change it, in which order it finds fault, and what works on it nevertheless; as root
 * and as somebody else. The argument is such a directory with the files that the test made.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define RDONLY_FLAG 1 /* statfs(2): ST_RDONLY */

static const char *const names[] = {".", "file", "open", "link", "dir", "fifo", "missing"};

static void each(const char *what, int (*call)(const char *name))
{
	char text[80];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(text, sizeof(text), "%s %s", what, names[i]);
		result(text, call(names[i]));
	}
}

static int readable(const char *name) { return access(name, R_OK); }
static int writable(const char *name) { return access(name, W_OK); }
static int all(const char *name) { return faccessat(AT_FDCWD, name, R_OK | W_OK, AT_EACCESS); }
static int itself(const char *name)
{
	return faccessat(AT_FDCWD, name, W_OK, AT_SYMLINK_NOFOLLOW);
}

static int opened(const char *name, int flags)
{
	int fd = open(name, flags | O_NONBLOCK, 0600);

	return fd < 0 ? fd : close(fd);
}

static int open_write(const char *name) { return opened(name, O_WRONLY); }
static int open_both(const char *name) { return opened(name, O_RDWR); }
static int open_truncate(const char *name) { return opened(name, O_RDONLY | O_TRUNC); }
static int open_create(const char *name) { return opened(name, O_RDONLY | O_CREAT); }
static int open_new(const char *name) { return opened(name, O_RDONLY | O_CREAT | O_EXCL); }
static int open_tmpfile(const char *name) { return opened(name, O_RDWR | O_TMPFILE); }
static int mode(const char *name) { return chmod(name, 0600); }
static int owner(const char *name) { return lchown(name, 1, 1); }
static int times(const char *name) { return utimensat(AT_FDCWD, name, NULL, 0); }
static int no_times(const char *name)
{
	const struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};

	return !strcmp(name, "missing") ? 0 : utimensat(AT_FDCWD, name, omit, 0);
}
static int shorter(const char *name) { return truncate(name, 0); }
static int folder(const char *name) { return mkdir(name, 0700); }
static int node(const char *name) { return mkfifo(name, 0600); }
static int symbolic(const char *name) { return symlink("file", name); }
static int link_from(const char *name) { return link(name, "new"); }
static int link_to(const char *name) { return link("file", name); }
static int rename_from(const char *name) { return rename(name, "new"); }
static int rename_to(const char *name) { return rename("file", name); }
static int rename_out(const char *name) { return rename(name, "/new"); }
static int exchange(const char *name)
{
	return renameat2(AT_FDCWD, name, AT_FDCWD, "file", RENAME_EXCHANGE);
}
static int attribute(const char *name) { return setxattr(name, "user.test", "x", 1, 0); }
static int no_attribute(const char *name) { return removexattr(name, "user.test"); }

static void by_path(void)
{
	each("access R_OK", readable);
	each("access W_OK", writable);
	each("faccessat R_OK|W_OK", all);
	each("faccessat W_OK, not followed", itself);
	each("open O_WRONLY", open_write);
	each("open O_RDWR", open_both);
	each("open O_TRUNC", open_truncate);
	each("open O_CREAT", open_create);
	each("open O_CREAT|O_EXCL", open_new);
	each("open O_TMPFILE", open_tmpfile);
	each("chmod", mode);
	each("lchown", owner);
	each("utimensat", times);
	each("utimensat of nothing", no_times);
	each("truncate", shorter);
	each("mkdir", folder);
	each("mkfifo", node);
	each("symlink", symbolic);
	each("link from", link_from);
	each("link to", link_to);
	each("rename from", rename_from);
	each("rename to", rename_to);
	each("rename out", rename_out);
	each("exchange", exchange);
	each("unlink", unlink);
	each("rmdir", rmdir);
	each("setxattr", attribute);
	each("removexattr", no_attribute);
}

static void by_descriptor(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = open("open", O_RDONLY), s = socket(AF_UNIX, SOCK_STREAM, 0);
	struct statfs sfs;

	result("fchmod", fchmod(fd, 0600));
	result("fchown", fchown(fd, 1, 1));
	result("futimens", futimens(fd, NULL));
	result("ftruncate", ftruncate(fd, 0));
	result("write", write(fd, "x", 1));
	result("bind", bind(s, (struct sockaddr *)&a, sizeof(a)));
	result("fstatfs", fstatfs(fd, &sfs));
	check("ST_RDONLY", sfs.f_flags & RDONLY_FLAG);
	say("content: %s", file_text("open"));
	close(s);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]))
		die("the directory");
	by_path();
	by_descriptor();
	pid_t pid = fork_or_die();
	if (pid == 0) {
		if (setgid(12345) || setuid(12345))
			die("setuid");
		by_path();
		_exit(0);
	}
	child_report("somebody else", pid);
	return finish();
}
