/* SPDX-License-Identifier: ISC */
/*
 * /proc/PID/cmdline after a program wrote a title over its arguments: what the process itself reads
 * and what its children do, who were forked afterwards or before a prctl(PR_SET_NAME).
 * @test timeout=30 members=5 args=one,two,three
 */
#include "guest.h"
#include <sys/prctl.h>

static char *area; /* the arguments, one after the other */
static size_t area_size;
static size_t tail_length; /* of a title that goes on behind the arguments, or 0 */

static void show(const char *who, pid_t pid)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0) {
		result(who, n);
		return;
	}
	text[n] = '\0';
	if (tail_length) {
		say("%s: length as expected %d, ends in %s", who, (size_t)n == tail_length,
			n < 7 ? text : text + n - 7);
		return;
	}
	say("%s: length as expected %d", who, (size_t)n == area_size);
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = '|';
	n = (ssize_t)strlen(text);
	while (n > 0 && text[n - 1] == '|')
		text[--n] = '\0';
	say("%s: %s", who, text);
}

static void show_both(const char *what)
{
	pid_t pid;

	say("%s", what);
	show("own", getpid());
	pid = fork_or_die();
	if (pid == 0) {
		show("of the parent", getppid());
		_exit(0);
	}
	child_report("child", pid);
}

static void set_title(const char *title)
{
	memset(area, 0, area_size);
	memcpy(area, title, strlen(title));
}

/* A child that was forked before the title was set: it is told after PR_SET_NAME. */
static void show_to_older_child(void)
{
	int go[2];
	char byte;
	pid_t pid;

	if (pipe(go))
		die("pipe");
	pid = fork_or_die();
	if (pid == 0) {
		close(go[1]);
		(void)!read(go[0], &byte, 1);
		show("older child, of the parent", getppid());
		_exit(0);
	}
	close(go[0]);
	set_title("named");
	prctl(PR_SET_NAME, "named");
	close(go[1]);
	child_report("older child", pid);
}

int main(int argc, char **argv)
{
	area = argv[0];
	area_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
	show_both("untouched");
	set_title("title");
	show_both("a title");
	show_to_older_child();
	/* No NUL at the end of the arguments: the title goes on to the next NUL. */
	memset(area, 'x', area_size);
	memcpy(area + area_size, "and on", sizeof("and on"));
	tail_length = area_size + sizeof("and on");
	show_both("into the environment");
	return finish();
}
