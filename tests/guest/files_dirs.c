/* SPDX-License-Identifier: ISC */
/*
 * Directories: mkdir, rmdir, getdents over many entries, chdir, fchdir, getcwd, and their errors.
 * @test timeout=30 members=2
 */
#include "guest.h"

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void list(const char *path)
{
	static char names[400][32];
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t count = 0;
	char line[400] = "";

	if (!directory)
		die("opendir");
	while ((entry = readdir(directory)) && count < 400)
		snprintf(names[count++], 32, "%.30s", entry->d_name);
	closedir(directory);
	qsort(names, count, 32, compare);
	for (size_t i = 0; i < count && i < 8; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s", names[i]);
	say("%zu entries:%s", count, line);
}

int main(void)
{
	char text[256];

	work_dir();
	result("mkdir", mkdir("a", 0755));
	result("mkdir again", mkdir("a", 0755));
	result("mkdir below a missing one", mkdir("b/c", 0755));
	result("mkdir with a slash", mkdir("b/", 0700));
	file_write("a/file", "x");
	result("rmdir of a full one", rmdir("a"));
	result("rmdir of a file", rmdir("a/file"));
	result("unlink of a directory", unlink("a"));
	result("rmdir of .", rmdir("b/."));
	result("rmdir of ..", rmdir("b/.."));
	result("rmdir missing", rmdir("missing"));
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "b/entry-%03d", i);
		file_write(text, "");
	}
	list("b");
	list("a");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		unlink("b/entry-000");
		mkdir("b/from-child", 0700);
		_exit(chdir("b") == 0 ? 0 : 1);
	}
	child_report("child", pid);
	list("b");
	check("cwd is the parent's", access("b", F_OK) == 0);
	int here = open(".", O_RDONLY | O_DIRECTORY);
	result("chdir", chdir("b/from-child"));
	check("getcwd", getcwd(text, sizeof(text)) && strstr(text, "/b/from-child"));
	result("small buffer", getcwd(text, 3) ? 0 : -1);
	result("chdir up", chdir("../../a"));
	say("file: %s", file_text("file"));
	result("fchdir", fchdir(here));
	say("file: %s", file_text("a/file"));
	result("chdir to a file", chdir("a/file"));
	result("chdir missing", chdir("nowhere"));
	result("fchdir to a pipe", fchdir(0) < 0 ? 1 : 0);
	result("rmdir of the working directory", mkdir("w", 0700) || chdir("w") || rmdir("../w"));
	result("getcwd there", getcwd(text, sizeof(text)) ? 0 : -1);
	result("create there", open("x", O_CREAT | O_RDWR, 0600));
	result("back", fchdir(here));
	return finish();
}
