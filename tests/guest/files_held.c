/* SPDX-License-Identifier: ISC */
/*
 * Open files and directories keep being what they are while their names change: renamed, replaced,
 * removed, made again under the same name; by the opener, by a child, seen by descriptor.
 * @test timeout=30 members=2
 */
#include "guest.h"

static const char *fd_text(int fd)
{
	static char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? errno_name(errno) : text;
}

static long links(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -1 : (long)st.st_nlink;
}

static void renamed(void)
{
	file_write("a", "first");
	file_write("b", "second");
	int a = open("a", O_RDWR), b = open("b", O_RDWR);

	result("rename over", rename("a", "b"));
	say("a: %s, links %ld", fd_text(a), links(a));
	say("b: %s, links %ld", fd_text(b), links(b));
	okay("write to the replaced", pwrite(b, "SE", 2, 0));
	say("b: %s, by name: %s", fd_text(b), file_text("b"));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		pwrite(a, "FI", 2, 0);
		_exit(rename("b", "c") || strcmp(fd_text(b), "SEcond") ? 1 : 0);
	}
	child_report("child", pid);
	say("a: %s, by name: %s", fd_text(a), file_text("c"));
	result("fsync", fsync(a));
	result("fdatasync", fdatasync(a));
	result("syncfs", syncfs(a));
	sync();
	result("fsync of a closed one", fsync(999));
	result("fchmod by descriptor", fchmod(a, 0640));
	struct stat st;
	stat("c", &st);
	say("mode: %o", st.st_mode);
	close(a);
	close(b);
}

static void made_again(void)
{
	for (int i = 0; i < 20; i++) {
		file_write("again", "old");
		int fd = open("again", O_RDWR);
		unlink("again");
		file_write("again", "new");
		if (strcmp(fd_text(fd), "old") || strcmp(file_text("again"), "new") || links(fd) != 0)
			die("made again");
		close(fd);
		unlink("again");
	}
	say("made again: kept apart");
}

static void directories(void)
{
	char text[256];

	mkdir("d", 0755);
	mkdir("d/e", 0755);
	file_write("d/e/f", "deep");
	int d = open("d", O_RDONLY | O_DIRECTORY), f = open("d/e/f", O_RDWR);

	chdir("d/e");
	result("rename of the parent", rename("../../d", "../../moved"));
	say("cwd moved along: %d", getcwd(text, sizeof(text)) && strstr(text, "/moved/e") != NULL);
	say("relative: %s", file_text("f"));
	int again = openat(d, "e/f", O_RDONLY);
	okay("openat the moved directory", again);
	result("linkat", linkat(d, "e/f", d, "hard", 0));
	say("links: %ld", links(f));
	result("unlinkat", unlinkat(d, "hard", 0));
	unlink("f");
	result("rmdir of the cwd", rmdir("../e"));
	okay("create in a removed directory", open("new", O_CREAT | O_WRONLY, 0600));
	result("getcwd", getcwd(text, sizeof(text)) ? 0 : -1);
	say("removed, open: %s, links %ld", fd_text(f), links(f));
	result("chdir up", fchdir(d));
	result("rmdir of the open one", rmdir("../moved"));
	okay("openat the removed directory", openat(d, "x", O_CREAT | O_WRONLY, 0600));
}

int main(void)
{
	work_dir();
	renamed();
	made_again();
	directories();
	chdir("/");
	return finish();
}
