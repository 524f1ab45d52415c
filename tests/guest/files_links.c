/* SPDX-License-Identifier: ISC */
/*
 * Symbolic and hard links, rename with all its cases, unlink of an open file.
 * @test timeout=30 members=2
 */
#include "guest.h"
#include <linux/limits.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

int main(void)
{
	char text[64];
	struct stat info;

	work_dir();
	file_write("file", "content");
	result("symlink", symlink("file", "link"));
	result("symlink again", symlink("file", "link"));
	memset(text, '#', sizeof(text));
	result("readlink", readlink("link", text, sizeof(text)));
	result("readlink, short", readlink("link", text, 2));
	say("text: %.5s", text);
	result("readlink of a file", readlink("file", text, 2));
	say("through: %s", file_text("link"));
	lstat("link", &info);
	say("lstat: %o size %ld", info.st_mode, (long)info.st_size);
	result("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW));
	symlink("loop2", "loop1");
	symlink("loop1", "loop2");
	result("loop", open("loop1", O_RDONLY));
	result("link", link("file", "hard"));
	result("link again", link("file", "hard"));
	stat("file", &info);
	say("links: %d", (int)info.st_nlink);
	result("unlink", unlink("file"));
	say("hard: %s, dangling: %s", file_text("hard"), file_text("link"));
	mkdir("dir", 0700);
	result("link of a directory", link("dir", "dir2"));

	result("rename", rename("hard", "new"));
	file_write("victim", "victim");
	result("rename over", rename("new", "victim"));
	say("victim: %s", file_text("victim"));
	result("rename missing", rename("missing", "x"));
	mkdir("empty", 0700);
	mkdir("full", 0700);
	file_write("full/x", "x");
	result("directory over an empty one", rename("dir", "empty"));
	result("directory over a full one", rename("empty", "full"));
	result("directory over a file", rename("empty", "victim"));
	result("file over a directory", rename("victim", "empty"));
	result("directory into itself", rename("full", "full/inside"));
	result("onto itself", rename("victim", "victim"));
	result("dot", rename("full/.", "other"));
	result("RENAME_NOREPLACE", syscall(SYS_renameat2, AT_FDCWD, "victim", AT_FDCWD, "full", 1));
	file_write("second", "second");
	result("RENAME_EXCHANGE", syscall(SYS_renameat2, AT_FDCWD, "victim", AT_FDCWD, "second", 2));
	say("victim: %s", file_text("victim"));
	result("both", syscall(SYS_renameat2, AT_FDCWD, "victim", AT_FDCWD, "second", 3));

	int fd = open("second", O_RDWR);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		if (unlink("second") < 0)
			_exit(1);
		write_all(fd, "CONT", 4);
		_exit(0);
	}
	child_report("unlinked by the child", pid);
	result("gone", open("second", O_RDONLY));
	fstat(fd, &info);
	say("links: %d", (int)info.st_nlink);
	memset(text, 0, sizeof(text));
	result("still readable", pread(fd, text, 20, 0));
	say("content: %s", text);
	memset(text, 'n', sizeof(text));
	char name[NAME_MAX + 2];
	memset(name, 'n', NAME_MAX + 1);
	name[NAME_MAX + 1] = '\0';
	result("name of 256", open(name, O_CREAT | O_RDWR, 0600));
	name[NAME_MAX] = '\0';
	okay("name of 255", open(name, O_CREAT | O_RDWR, 0600));
	return finish();
}
