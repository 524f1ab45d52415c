/* SPDX-License-Identifier: ISC */
/*
 * `#!` lines: one optional argument, the script's path, nested scripts, long and odd lines.
 * @test timeout=30 members=8
 */
#include "guest.h"

extern char **environ;

static void script(const char *path, const char *first_line)
{
	char text[512];

	snprintf(text, sizeof(text), "%s\nrest\n", first_line);
	file_write(path, text);
	chmod(path, 0755);
}

static void run(const char *path)
{
	pid_t pid = fork_or_die();

	if (pid == 0) {
		char *arguments[] = {"zero", "one", "two", NULL};

		execve(path, arguments, environ);
		say("%s: %s", path, errno_name(errno));
		_exit(1);
	}
	child_report(path, pid);
}

int main(int argc, char **argv)
{
	char self[256], line[400];

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			say("  argv[%d]: '%s'", i, argv[i]);
		return 0;
	}
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		die("readlink");
	self[length] = '\0';
	work_dir();
	if (symlink(self, "me") < 0)
		die("symlink");
	snprintf(line, sizeof(line), "#!./me");
	script("./plain", line);
	run("./plain");
	script("./argument", "#! ./me  -x and more  ");
	run("./argument");
	script("./nested", "#!./argument inner");
	run("./nested");
	script("./tab", "#!\t./me\t-t");
	run("./tab");
	script("./none", "#!");
	run("./none");
	script("./loop", "#!./loop");
	run("./loop");
	return finish();
}
