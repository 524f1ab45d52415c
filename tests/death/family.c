/* SPDX-License-Identifier: ISC */
/* See family.h. */
#include "family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/layout.h"

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(111);
}

void family_start(struct family *f, char **command)
{
	int to[2], from[2];

	memset(f, 0, sizeof(*f));
	f->errors = memfd_create("errors", MFD_CLOEXEC);
	if (f->errors < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		give_up("pipes");
	f->front = fork();
	if (f->front < 0)
		give_up("fork");
	if (f->front == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], 0);
		dup2(from[1], 1);
		dup2(f->errors, 2);
		execv(command[0], command);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	f->to = to[1];
	f->from = from[0];
}

/* Calls visit for each child until it returns other than 0. */
static pid_t for_children(pid_t parent, pid_t (*visit)(pid_t child, int arg), int arg)
{
	char path[64];
	pid_t child, found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	FILE *file = fopen(path, "re");
	while (file && !found && fscanf(file, "%d", &child) == 1)
		found = visit(child, arg);
	if (file)
		fclose(file);
	return found;
}

static pid_t first_child(pid_t child, int unused)
{
	(void)unused;
	return child;
}

/* The front's only child. */
static pid_t supervisor(struct family *f)
{
	return for_children(f->front, first_child, 0);
}

static pid_t if_named(pid_t child, int pid)
{
	char path[64], line[200];
	bool named = false;

	snprintf(path, sizeof(path), "/proc/%d/status", child);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *last = strrchr(line, '\t');

		if (!strncmp(line, "NSpid:", 6) && last)
			named = atoi(last) == pid;
	}
	if (file)
		fclose(file);
	return named ? child : 0;
}

pid_t family_monitor(struct family *f, int pid)
{
	return for_children(supervisor(f), if_named, pid);
}

static int kin_open(struct family *f)
{
	char path[300], name[64];
	struct dirent *entry;
	int found = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", supervisor(f));
	DIR *dir = opendir(path);
	while (dir && found < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", supervisor(f), entry->d_name);
		ssize_t n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (!strncmp(name, "/memfd:unifork-kin", 18))
			found = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return found;
}

void family_map(struct family *f)
{
	int fd = kin_open(f);

	if (fd < 0)
		give_up("no kin is found");
	if (mmap((void *)KIN_BASE, KIN_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
			 0) == MAP_FAILED)
		give_up("kin cannot be mapped");
	close(fd);
}

bool family_tell(struct family *f, const char *line)
{
	size_t n = strlen(line);

	return write(f->to, line, n) == (ssize_t)n;
}

static bool take_line(struct family *f, char *line, size_t size)
{
	char *end = memchr(f->unread, '\n', f->nunread);

	if (!end)
		return false;
	size_t n = (size_t)(end - f->unread);
	snprintf(line, size, "%.*s", (int)n, f->unread);
	f->nunread -= n + 1;
	memmove(f->unread, end + 1, f->nunread);
	return true;
}

bool family_hear(struct family *f, char *line, size_t size, int timeout_ms)
{
	struct pollfd fd = {.fd = f->from, .events = POLLIN};

	while (!take_line(f, line, size)) {
		if (f->nunread == sizeof(f->unread) || poll(&fd, 1, timeout_ms) <= 0)
			return false;
		ssize_t n = read(f->from, f->unread + f->nunread, sizeof(f->unread) - f->nunread);
		if (n <= 0)
			return false;
		f->nunread += (size_t)n;
	}
	return true;
}

void family_errors(struct family *f, char *text, size_t size)
{
	ssize_t n = pread(f->errors, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *c = text; (c = strchr(c, '\n'));)
		*c = ' ';
}

int family_end(struct family *f, int timeout_ms)
{
	struct timespec wait = {.tv_nsec = 1000000};
	int status = 0;
	pid_t got = 0;

	close(f->to);
	close(f->from);
	for (int i = 0; i < timeout_ms && got == 0; i++) {
		got = waitpid(f->front, &status, WNOHANG);
		if (got == 0)
			nanosleep(&wait, NULL);
	}
	if (got == 0) {
		kill(f->front, SIGKILL);
		waitpid(f->front, &status, 0);
	}
	close(f->errors);
	if (got == 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
