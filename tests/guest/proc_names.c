/* SPDX-License-Identifier: ISC */
/*
 * Names that follow what is renamed or removed: /proc/self/fd, cwd, exe, maps; a program that is
 * a memfd or removed can be opened and run again by /proc/self/exe; links of /proc/self/task.
 * @test timeout=20 members=8
 */
#include "guest.h"

#include <pthread.h>
#include <sys/sendfile.h>

static char here[PATH_MAX];

/* What the link says, without the directory of the test. */
static void show(const char *what, const char *link)
{
	char text[PATH_MAX] = "", *from = text;
	ssize_t n = readlink(link, text, sizeof(text) - 1);

	if (n < 0) {
		result(what, -1);
		return;
	}
	text[n] = '\0';
	if (!strncmp(text, here, strlen(here)))
		from += strlen(here);
	say("%s: %s", what, from);
}

static void show_fd(const char *what, int fd)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	show(what, link);
}

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

static void files(void)
{
	int a, b, dir, place, other;

	mkdir("one", 0755);
	mkdir("one/in", 0755);
	a = make("one/in/file");
	dir = open("one/in", O_RDONLY);
	place = open("one/in", O_PATH);
	other = open("one/in/file", O_PATH);
	show_fd("file", a);
	if (rename("one", "two"))
		die("rename");
	show_fd("directory above renamed", a);
	show_fd("path", other);
	show_fd("directory", dir);
	show_fd("its path", place);
	rename("two/in/file", "two/in/name");
	show_fd("renamed", a);
	rename("two/in/name", "two/up");
	show_fd("moved", a);
	b = make("three");
	rename("two/up", "three");
	show_fd("over another", a);
	show_fd("the other", b);
	unlink("three");
	show_fd("removed", a);
	show_fd("removed, path", other);
	make("three");
	show_fd("another has the name", a);
	rmdir("two/in");
	show_fd("removed directory", dir);
	rename("two", "four");
	show_fd("above that renamed", dir);
	mkdir("left", 0755);
	mkdir("right", 0755);
	a = open("left", O_RDONLY);
	b = open("right", O_RDONLY);
	syscall(SYS_renameat2, AT_FDCWD, "left", AT_FDCWD, "right", 2);
	show_fd("exchanged", a);
	show_fd("exchanged", b);
	rename("left", "right");
	show_fd("replaced", a);
	show_fd("replaced", b);
}

/* In a directory that is the host's below. */
static void in_tmp(void)
{
	char name[80], link[64], text[128] = "";
	int fd, keep;

	snprintf(name, sizeof(name), "%s-file", guest_work_dir);
	fd = make(name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	check("named", readlink(link, text, sizeof(text) - 1) > 0 && !strcmp(text, name));
	unlink(name);
	check("deleted", readlink(link, text, sizeof(text) - 1) > 0 && strstr(text, " (deleted)"));
	keep = open("/etc/passwd", O_RDONLY);
	show_fd("the host's", keep);
}

static void current_directory(void)
{
	char text[64];

	mkdir("deep", 0755);
	mkdir("deep/down", 0755);
	if (chdir("deep/down"))
		die("chdir");
	show("cwd", "/proc/self/cwd");
	rename("../../deep", "../../deeper");
	show("renamed", "/proc/self/cwd");
	rmdir("../down");
	show("removed", "/proc/self/cwd");
	check("getcwd fails", !getcwd(text, sizeof(text)) && errno == ENOENT);
	okay("create", open("x", O_CREAT | O_RDWR, 0600));
	result("back", chdir(here));
}

static void mapped(void)
{
	int fd = make("mapped");
	char line[PATH_MAX + 128];
	FILE *maps;

	if (ftruncate(fd, 4096) || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap");
	rename("mapped", "moved");
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "/moved"))
			say("map of moved");
	fclose(maps);
	unlink("moved");
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "/moved (deleted)"))
			say("map of moved, removed");
	fclose(maps);
}

/* Copies the program, into to, and runs that. */
static void run(const char *what, int to, const char *path, char *self)
{
	int from = open(self, O_RDONLY), status;
	struct stat st;

	fstat(from, &st);
	while (sendfile(to, from, NULL, (size_t)st.st_size) > 0)
		;
	fchmod(to, 0755);
	if (path) { /* nobody may have it open for writing */
		close(to);
		to = open(path, O_RDONLY);
	}
	if (!fork()) {
		if (path)
			execl(path, path, what, here, NULL);
		else
			fexecve(to, (char *[]){self, (char *)what, here, NULL}, environ);
		die("exec");
	}
	wait(&status);
	say("%s: status %d", what, WEXITSTATUS(status));
	close(to);
}

/* A program that was copied, run, and lost its name. */
static int copied(const char *what, const char *name)
{
	struct stat by_link, by_fd;
	int fd, status;

	strcpy(here, name);
	if (!strcmp(what, "again"))
		return 7;
	if (strcmp(what, "memfd"))
		unlink("program");
	show(what, "/proc/self/exe");
	fd = open("/proc/self/exe", O_RDONLY);
	okay("opens", fd);
	check("same file", !stat("/proc/self/exe", &by_link) && !fstat(fd, &by_fd) &&
						   by_link.st_ino == by_fd.st_ino && by_link.st_size == by_fd.st_size);
	if (!vfork()) {
		execl("/proc/self/exe", "x", "again", here, NULL);
		_exit(1);
	}
	wait(&status);
	say("runs: %d", WEXITSTATUS(status));
	if (!fork()) {
		show("child's", "/proc/self/exe");
		execl("/proc/self/exe", "x", "again", here, NULL);
		_exit(1);
	}
	wait(&status);
	say("child's runs: %d", WEXITSTATUS(status));
	return 0;
}

static void *wait_for(void *gate)
{
	pthread_barrier_wait(gate);
	return NULL;
}

static void tasks(void)
{
	pthread_barrier_t gate;
	pthread_t threads[3];
	struct stat st;

	pthread_barrier_init(&gate, NULL, 4);
	for (unsigned i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, wait_for, &gate);
	stat("/proc/self/task", &st);
	say("links with 4 threads: %d", (int)st.st_nlink);
	pthread_barrier_wait(&gate);
	for (unsigned i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "";

	if (argc == 3)
		return copied(argv[1], argv[2]);
	work_dir();
	if (!getcwd(here, sizeof(here)) || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die("getcwd");
	files();
	in_tmp();
	current_directory();
	mapped();
	run("removed", make("program"), "program", self);
	run("memfd", memfd_create("running", 0), NULL, self);
	tasks();
	return finish();
}
