/* SPDX-License-Identifier: ISC */
/*
 * Every kind of path against every call that takes one: what each answers, one line per call. The
 * tree is made anew for each, so that none sees what another left.
 * @test timeout=120 members=2 nosvm
 */
#include "guest.h"
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static char long_name[300], name_max[300], long_path[5000], path_max[4200], deep[4200], here[100];
static char *bad, *page, *edge;

static const struct {
	const char *name, *path;
} kinds[] = {
	{"empty", ""},
	{"missing", "missing"},
	{"missing/", "missing/"},
	{"missing/x", "missing/x"},
	{"missing/.", "missing/."},
	{"file", "file"},
	{"file/", "file/"},
	{"file/x", "file/x"},
	{"file/.", "file/."},
	{"file/..", "file/.."},
	{"dir", "dir"},
	{"dir/", "dir/"},
	{"dir/.", "dir/."},
	{"dir/..", "dir/.."},
	{"full", "full"},
	{"full/.", "full/."},
	{"full/sub/..", "full/sub/.."},
	{"dot", "."},
	{"dotdot", ".."},
	{"root", "/"},
	{"to-file", "to-file"},
	{"to-file/", "to-file/"},
	{"to-dir", "to-dir"},
	{"to-dir/", "to-dir/"},
	{"to-dir/.", "to-dir/."},
	{"dangling", "dangling"},
	{"dangling/", "dangling/"},
	{"loop", "loop"},
	{"loop/", "loop/"},
	{"loop/x", "loop/x"},
	{"fifo", "fifo"},
	{"fifo/x", "fifo/x"},
	{"proc", "/proc/self/stat"},
	{"null/x", "/dev/null/x"},
	{"name255", name_max},
	{"name256", long_name},
	{"path4095", path_max},
	{"path4096", long_path},
	{"deep", deep},
	{"NULL", NULL},
	{"bad", (char *)1},
	{"bad+", (char *)2},
	{"edge", (char *)3},
};

static void tree_make(void)
{
	file_write("file", "some text\n");
	mkdir("dir", 0755);
	mkdir("full", 0755);
	mkdir("full/sub", 0755);
	file_write("full/file", "more\n");
	if (symlink("file", "to-file") || symlink("dir", "to-dir") || symlink("nowhere", "dangling") ||
		symlink("loop", "loop") || mkfifo("fifo", 0644))
		die("tree");
	file_write("other", "other\n");
}

/* One below the test's own, so that ".." is nobody else's. */
static void here_make(void)
{
	snprintf(here, sizeof(here), "%s/here", guest_work_dir);
	if (mkdir(here, 0755) || chdir(here) || chmod("..", 0755))
		die("work directory again");
	tree_make();
}

static void here_empty(void)
{
	if (chdir("/"))
		die("/");
	tree_remove(here);
	here_make();
}

static bool path_readable(const char *path)
{
	return path && path != bad && path != edge && path != (char *)-4096L;
}

static bool path_is(const char *path, const char *name)
{
	return path_readable(path) && !strcmp(path, name);
}

#define BUFFER (page + 100)
#define OP(name, call)                           \
	static long op_##name(const char *p UNUSED)  \
	{                                            \
		return (call);                           \
	}
#define OP_KEEPS OP
#include "errors_paths.def"
#undef OP
#undef OP_KEEPS

static const struct {
	const char *name;
	long (*call)(const char *path);
	bool keeps;
} operations[] = {
#define OP(name, call) {#name, op_##name, false},
#define OP_KEEPS(name, call) {#name, op_##name, true},
#include "errors_paths.def"
#undef OP
#undef OP_KEEPS
};

static void operation_run(size_t op)
{
	char line[1000];
	int length = snprintf(line, sizeof(line), "%s:", operations[op].name);
	char text[40];

	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		const char *path = kinds[kind].path;

		memset(page, 0, 4000);
		errno = 0;
		if (path == (char *)1)
			path = bad;
		else if (path == (char *)2)
			path = (char *)-4096L;
		else if (path == (char *)3)
			path = edge;
		long rc = operations[op].call(path);
		if (rc == -1)
			snprintf(text, sizeof(text), "%s", errno_name(errno));
		else
			snprintf(text, sizeof(text), "%s", rc > 0 ? "more" : "0");
		length += snprintf(line + length, sizeof(line) - (size_t)length, " %s=%s",
			kinds[kind].name, text);
		if (rc != -1 && !operations[op].keeps)
			here_empty();
	}
	say("%s", line);
}

static void paths_make(void)
{
	memset(name_max, 'n', 255);
	memset(long_name, 'n', 256);
	for (int i = 0; i < 4095; i++)
		path_max[i] = "./"[i % 2];
	memcpy(path_max + 4091, "file", 4);
	for (int i = 0; i < 4096; i++)
		long_path[i] = "./"[i % 2];
	for (int i = 0; i < 4000; i++)
		deep[i] = "a/"[i % 2];
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad = page + 4096;
	edge = bad - 4;
	memcpy(edge, "fil/", 4);
	mprotect(bad, 4096, PROT_NONE);
}

int main(void)
{
	work_dir();
	here_make();
	paths_make();
	for (size_t op = 0; op < COUNT(operations); op++)
		operation_run(op);
	return finish();
}
