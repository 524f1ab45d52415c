/* SPDX-License-Identifier: ISC */
/*
 * Every error of exec, and that a failed exec leaves the process as it was.
 * @test timeout=30 members=2 root
 */
#include "guest.h"

extern char **environ;

static void try(const char *name, const char *path)
{
	char *arguments[] = {"x", NULL};

	execve(path, arguments, environ);
	result(name, -1);
}

int main(void)
{
	char *arguments[] = {"x", NULL};

	work_dir();
	try("missing", "./missing");
	file_write("plain", "text without a first line\n");
	try("no permission", "./plain");
	chmod("plain", 0755);
	try("no format", "./plain");
	file_write("empty", "");
	chmod("empty", 0755);
	try("empty file", "./empty");
	try("directory", ".");
	try("file as a directory", "./plain/x");
	result("symlink", symlink("loop", "loop"));
	try("loop", "./loop");
	result("symlink", symlink("nowhere", "dangling"));
	try("dangling", "./dangling");
	try("empty path", "");
	file_write("script", "#!/no/such/interpreter\n");
	chmod("script", 0755);
	try("missing interpreter", "./script");
	file_write("torn", "\177ELF\2\1\1");
	chmod("torn", 0755);
	try("truncated ELF", "./torn");
	char name[300];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	try("long name", name);
	static char huge[256 * KIB];
	memset(huge, 'h', sizeof(huge) - 1);
	char *long_arguments[] = {"x", huge, NULL};
	execve("/proc/self/exe", long_arguments, environ);
	result("one argument of 256 KiB", -1);
	result("bad path address", syscall(SYS_execve, (void *)8, arguments, environ));
	result("bad argv address", syscall(SYS_execve, "/proc/self/exe", (void *)8, environ));
	int fd = open("plain", O_RDONLY);
	result("fexecve without format",
		   syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH));
	result("execveat, empty path", syscall(SYS_execveat, fd, "", arguments, environ, 0));
	say("still here: %s", file_text("plain"));
	return finish();
}
