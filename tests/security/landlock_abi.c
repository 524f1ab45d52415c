/* SPDX-License-Identifier: ISC */
/*
 * A host program: landlock_abi ABI COMMAND... runs the command so that the host's Landlock says it
 * is of that version (0: there is none). What a ruleset does not handle is not restricted, so a
 * newer host then acts as an older one. By a seccomp filter whose listener answers for the host.
 * @test timeout=5 members=1 nosvm
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_RESTRICT_SELF 446
#define VERSION_FLAG 1
#define LISTENER_FD 500

/* Jump distances count the instructions in between. */
static int filter_install(unsigned version)
{
	struct sock_filter none[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LANDLOCK_CREATE_RULESET, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LANDLOCK_RESTRICT_SELF, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter older[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LANDLOCK_CREATE_RULESET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VERSION_FLAG, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {5, none};

	if (version)
		program = (struct sock_fprog){6, older};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
						version ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
}

static void answer(int listener, unsigned version)
{
	struct seccomp_notif question;
	struct seccomp_notif_resp reply;

	memset(&question, 0, sizeof(question));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) < 0)
		return;
	memset(&reply, 0, sizeof(reply));
	reply.id = question.id;
	reply.val = version;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

/* The listener is the command's at first: taken over by pidfd_getfd, then closed there by exec. */
static int listener_take(pid_t child, int told)
{
	char byte;
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0), fd;

	if (pidfd < 0 || read(told, &byte, 1) != 1) /* end of file: it failed */
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, LISTENER_FD, 0);
	close(pidfd);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned version = argc > 2 ? (unsigned)atoi(argv[1]) : 99;
	int told[2], go[2], listener, status;
	char byte = 0;

	if (version > 7 || pipe(told) < 0 || pipe(go) < 0) {
		fprintf(stderr, "usage: landlock_abi 0..7 COMMAND...\n");
		return 2;
	}
	pid_t child = fork();
	if (child == 0) {
		int fd = filter_install(version);

		if (fd < 0 || (version && dup3(fd, LISTENER_FD, O_CLOEXEC) < 0))
			_exit(2);
		if (version)
			close(fd);
		if (write(told[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(2);
		close(told[0]);
		close(told[1]);
		close(go[0]);
		close(go[1]);
		execvp(argv[2], argv + 2);
		_exit(2);
	}
	close(told[1]);
	listener = version ? listener_take(child, told[0]) : -1;
	if ((version && listener < 0) || write(go[1], &byte, 1) != 1) {
		perror("landlock_abi");
		return 2;
	}
	for (;;) {
		struct pollfd fds = {listener, POLLIN, 0};

		if (version && poll(&fds, 1, 50) > 0 && fds.revents & POLLIN)
			answer(listener, version);
		if (waitpid(child, &status, version ? WNOHANG : 0) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}
