/* SPDX-License-Identifier: ISC */
/*
 * O_TMPFILE: files without a name, what they hold, who shares them, how they get one (linkat of
 * /proc/self/fd and AT_EMPTY_PATH) and when they cannot.
 * @test timeout=20 members=3
 */
#include "guest.h"

static int nameless(int flags, mode_t mode)
{
	return open(".", flags | O_TMPFILE, mode);
}

/* The way that needs no privilege. */
static int name(int fd, const char *to)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static void about(const char *what, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	say("%s: links %ld, mode %o, size %ld", what, (long)st.st_nlink, st.st_mode, (long)st.st_size);
}

static int names_here(void)
{
	DIR *d = opendir(".");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void named(void)
{
	char text[16] = "";
	int fd = nameless(O_RDWR, 0666), other = nameless(O_WRONLY, 0600);

	okay("open", fd);
	okay("another", other);
	about("fresh", fd);
	result("write", write(fd, "content", 7));
	result("write", write(other, "x", 1));
	result("read", pread(fd, text, sizeof(text), 0));
	about("written", fd);
	say("it is %s; names: %d", text, names_here());
	result("not followed", linkat(fd, "", AT_FDCWD, "named", 0));
	result("name", name(fd, "named"));
	say("content: %s, names: %d", file_text("named"), names_here());
	about("named", fd);
	result("name that is taken", name(other, "named"));
	about("still nameless", other);
	result("second name", linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH));
	result("by the first", link("named", "third"));
	about("three names", fd);
	result("write", pwrite(fd, "C", 1, 0));
	result("chmod", chmod("named", 0600));
	say("content: %s", file_text("second"));
	result("rename", rename("third", "named"));
	unlink("named");
	unlink("second");
	unlink("third");
	about("no name left", fd);
	result("named again", name(fd, "named"));
	result("named at last", name(other, "other"));
	result("removed", unlink("other"));
	result("read", pread(fd, text, sizeof(text), 0));
	say("it is %s", text);
	close(fd);
	close(other);
}

static void refused(void)
{
	int fd = nameless(O_RDWR | O_EXCL, 0600);

	okay("O_EXCL", fd);
	result("cannot be named", name(fd, "named"));
	close(fd);
	okay("read only", nameless(O_RDONLY, 0600));
	okay("no directory", open("missing", O_RDWR | O_TMPFILE, 0600));
	file_write("file", "");
	okay("a file", open("file", O_RDWR | O_TMPFILE, 0600));
	unlink("file");
}

static void shared(void)
{
	char text[16] = "";
	int fd = nameless(O_RDWR | O_APPEND, 0640);
	pid_t pid = fork_or_die();

	if (pid == 0) {
		write(fd, "child", 5);
		_exit(name(fd, "shared") ? 1 : 0);
	}
	child_report("child", pid);
	write(fd, "+parent", 7);
	pread(fd, text, sizeof(text) - 1, 0);
	say("it is %s; by name: %s", text, file_text("shared"));
	about("named by the child", fd);
	unlink("shared");
	close(fd);
}

static void owned(void)
{
	struct stat st;

	if (getuid() != 0)
		return;
	chmod(".", 0777);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		if (setgid(1234) || setuid(1234))
			die("setuid");
		int fd = nameless(O_RDWR, 0600);
		_exit(fd < 0 ? 1 : name(fd, "owned") ? 2 : 0);
	}
	child_report("somebody else's", pid);
	if (stat("owned", &st))
		die("stat");
	say("owner %d:%d, mode %o", st.st_uid, st.st_gid, st.st_mode);
	unlink("owned");
}

int main(void)
{
	work_dir();
	umask(022);
	named();
	refused();
	shared();
	owned();
	say("names: %d", names_here());
	chdir("/");
	return finish();
}
