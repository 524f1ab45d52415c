/* SPDX-License-Identifier: ISC */
/*
 * --net user: pasta(1) connects the family's network namespace to the host's network, with no more
 * rights than the user has. It runs in the host's namespaces, so the host does not end it with the
 * family: a process between, the minder, waits until the front closes its end of a socket, which it
 * also does by dying, and then ends pasta, its own child.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/supervisor/net_grant.h"
#include "monitor/supervisor/supervisor_internal.h"

#define START_MS 10000
#define SAID_MAX 4096
#define FRONT_FDS 256 /* it has fewer */

/* Along PATH, as a shell looks for it. */
static int pasta_find(char *path, size_t size, struct error *err)
{
	const char *search = getenv("PATH");

	for (const char *p = search ? search : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");

		if (snprintf(path, size, "%.*s/pasta", (int)n, p) < (int)size && access(path, X_OK) == 0)
			return 0;
		p += n + (p[n] == ':');
	}
	return error_set(err, 0, "--net user needs pasta along PATH, and it is not there; install the "
					 "package passt, or choose another --net");
}

int net_user_check(struct net_grant *g, struct error *err)
{
	if (geteuid() == 0)
		return error_set(err, 0, "--net user is for ordinary users; root has --net host and "
						 "ns:PATH");
	return pasta_find(g->pasta, sizeof(g->pasta), err);
}

/* No ports but those of --publish, either way; the host's own loopback is for --net host alone. */
static _Noreturn void pasta_run(const char *pasta, pid_t target, int ready_fd, int said_fd)
{
	char ready[40], pid[16];
	sigset_t none;

	snprintf(ready, sizeof(ready), "/proc/self/fd/%d", ready_fd);
	snprintf(pid, sizeof(pid), "%d", (int)target);
	signal(SIGPIPE, SIG_DFL); /* some versions take one that is ignored for a failure */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(said_fd, STDERR_FILENO) >= 0 && dup2(said_fd, STDOUT_FILENO) >= 0)
		execl(pasta, pasta, "--config-net", "--quiet", "--foreground", "--stderr", "--tcp-ports",
			  "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none", "--no-map-gw",
			  "--pid", ready, pid, (char *)NULL);
	_exit(127);
}

/* Until the front has gone, or pasta has. */
static _Noreturn void mind(int front_fd, pid_t pasta)
{
	struct pollfd fds[] = {{front_fd, 0, 0}, {(int)syscall(SYS_pidfd_open, pasta, 0), POLLIN, 0}};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
		;
	kill(pasta, SIGKILL);
	waitpid(pasta, NULL, 0);
	_exit(0);
}

static _Noreturn void minder_run(const struct net_grant *g, pid_t target, int front_fd,
								 int ready_fd, int said_fd)
{
	pid_t pasta;

	/* what the terminal sends to the job is the front's business */
	setsid();
	pasta = fork();
	if (pasta == 0)
		pasta_run(g->pasta, target, ready_fd, said_fd);
	if (pasta < 0)
		_exit(127);
	/* the front's: who else has them would not hear of its end */
	for (int fd = STDERR_FILENO + 1; fd < FRONT_FDS; fd++)
		if (fd != front_fd)
			close(fd);
	mind(front_fd, pasta);
}

/* The last line that pasta wrote. */
static void said(int fd, struct error *err)
{
	char text[SAID_MAX], *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = 0;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	text_clean(line, strlen(line));
	error_set(err, 0, "pasta cannot connect the family's network: %.200s",
			  *line ? line : "it did not say why");
}

/* pasta writes its process id when all is done. */
static bool ready_wait(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	char byte;

	return poll(&p, 1, START_MS) > 0 && read(fd, &byte, 1) == 1;
}

int net_user_start(struct net_grant *g, pid_t target, struct error *err)
{
	int front[2] = {-1, -1}, ready[2] = {-1, -1}, text = memfd_create("pasta", MFD_CLOEXEC), r = 0;

	if (text < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, front) < 0 ||
		pipe(ready) < 0)
		return error_set(err, errno, "cannot start pasta");
	fcntl(ready[0], F_SETFD, FD_CLOEXEC);
	g->minder = fork();
	if (g->minder == 0) {
		close(front[0]);
		minder_run(g, target, front[1], ready[1], text);
	}
	close(front[1]);
	close(ready[1]);
	g->minder_fd = front[0];
	if (g->minder < 0)
		r = error_set(err, errno, "cannot start pasta");
	else if (!ready_wait(ready[0])) {
		said(text, err);
		r = -1;
	}
	close(ready[0]);
	close(text);
	if (r < 0)
		net_user_end(g);
	return r;
}

void net_user_end(struct net_grant *g)
{
	if (g->minder_fd >= 0)
		close(g->minder_fd);
	if (g->minder > 0)
		waitpid(g->minder, NULL, 0);
	g->minder_fd = -1;
	g->minder = 0;
}
