/* SPDX-License-Identifier: ISC */
/*
 * /proc/self: exe, fd, maps, stat, status, cmdline, comm, and the same of a child by its pid.
 * @test timeout=30 members=3 args=one,two-words
 */
#include "guest.h"
#include <sys/prctl.h>

static char *whole(const char *path, size_t *size)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);

	*size = 0;
	if (fd < 0)
		return NULL;
	*size = read_all(fd, text, sizeof(text) - 1);
	text[*size] = '\0';
	close(fd);
	return text;
}

static long field(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? atol(line + strlen(name)) : -1;
}

int main(int argc, char **argv)
{
	char path[64], link[256] = "", state;
	size_t size;
	int pid_seen, parent_seen;
	struct gate ready, go;

	(void)argc;
	gate_make(&ready);
	gate_make(&go);
	ssize_t length = readlink("/proc/self/exe", link, sizeof(link) - 1);
	check("exe", length > 0 && !strcmp(strrchr(link, '/'), strrchr(argv[0], '/')));
	char *text = whole("/proc/self/cmdline", &size);
	check("cmdline", text && size == strlen(argv[0]) + 1 + 4 + 10 && !strcmp(text, argv[0]));
	text = whole("/proc/self/maps", &size);
	check("maps has the stack", text && strstr(text, "[stack]"));
	check("maps has the heap or the program", text && strstr(text, strrchr(link, '/')));
	check("maps has an executable part", text && strstr(text, "r-xp"));
	text = whole("/proc/self/status", &size);
	check("status Pid", text && field(text, "\nPid:\t") == getpid());
	check("status PPid", text && field(text, "\nPPid:\t") == getppid());
	check("status State", text && strstr(text, "\nState:\tR"));
	text = whole("/proc/self/stat", &size);
	check("stat", text && sscanf(text, "%d (%*[^)]) %c %d", &pid_seen, &state, &parent_seen) == 3 &&
					  pid_seen == getpid() && state == 'R' && parent_seen == getppid());
	prctl(PR_SET_NAME, "a name of more than fifteen");
	text = whole("/proc/self/comm", &size);
	say("comm: %s", text ? strtok(text, "\n") : "none");

	int fd = open("/dev/null", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	say("fd of /dev/null: %.*s", (int)(length > 0 ? length : 0), link);
	length = readlink("/proc/self/fd/0", link, sizeof(link) - 1); /* the tests give /dev/null */
	say("standard input: %.*s", (int)(length > 0 ? length : 0), link);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ready.fd[0]);
	length = readlink(path, link, sizeof(link) - 1);
	say("fd of a pipe: %.6s", length > 0 ? link : "none");
	result("readlink of a closed one", readlink("/proc/self/fd/99", link, sizeof(link)));
	result("open of a closed one", open("/proc/self/fd/99", O_RDONLY));

	pid_t pid = fork_or_die();
	if (pid == 0) {
		prctl(PR_SET_NAME, "the-child");
		gate_open(&ready);
		gate_wait(&go);
		_exit(0);
	}
	gate_wait(&ready);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	text = whole(path, &size);
	say("child's comm: %s", text ? strtok(text, "\n") : "none");
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = whole(path, &size);
	check("child's PPid", text && field(text, "\nPPid:\t") == getpid());
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	text = whole(path, &size);
	check("child's cmdline", text && !strcmp(text, argv[0]));
	gate_open(&go);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = whole(path, &size);
	check("a zombie", text && strstr(text, ") Z "));
	child_report("child", pid);
	result("gone", access(path, F_OK));
	check("/proc lists self's pid",
		  (snprintf(path, sizeof(path), "/proc/%d", getpid()), access(path, F_OK) == 0));
	return finish();
}
