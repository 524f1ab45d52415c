/* SPDX-License-Identifier: ISC */
/*
 * CLONE_PIDFD of clone and clone3, waitid on a non-blocking pidfd, who sent the signal of a
 * parent's death, and the state that /proc shows of a process that has just been sent a signal.
 * @test timeout=30 members=16
 */
#include "guest.h"

#include <linux/sched.h>
#include <sys/prctl.h>

#define SLEEPERS 8
#define ROUNDS 20
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The child must not have it, nor see its number. */
static void made(const char *name, long pid, volatile int *pidfd, int before)
{
	siginfo_t info = {0};

	if (!pid)
		_exit(*pidfd == -1 && descriptors() == before ? 7 : 8);
	okay(name, pid);
	if (pid < 0)
		return;
	say("%s: close on exec %d, access %#x", name, fcntl(*pidfd, F_GETFD),
	    fcntl(*pidfd, F_GETFL) & O_ACCMODE);
	okay(name, waitid(P_PIDFD, (id_t)*pidfd, &info, WEXITED));
	say("%s: the child %s, status %d", name, info.si_pid == pid ? "itself" : "another",
	    info.si_status);
	close(*pidfd);
	*pidfd = -1;
}

static long clone_3(uint64_t flags, uint64_t pidfd, uint64_t tid)
{
	struct clone_args a = {.flags = flags, .pidfd = pidfd, .parent_tid = tid};

	if (!(flags & CLONE_THREAD))
		a.exit_signal = SIGCHLD;
	return syscall(SYS_clone3, &a, sizeof(a));
}

static void refused(const char *name, long pid)
{
	if (!pid)
		_exit(0);
	okay(name, pid);
	if (pid > 0)
		child_wait((pid_t)pid);
}

static void clones(void)
{
	static volatile int pidfd = -1;
	uint64_t at = (uint64_t)(uintptr_t)&pidfd;
	int before = descriptors();
	struct rlimit old, none;

	made("clone", syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0), &pidfd, before);
	made("clone3", clone_3(CLONE_PIDFD, at, 0), &pidfd, before);
	refused("to nowhere", clone_3(CLONE_PIDFD, 8, 0));
	refused("over the pid", clone_3(CLONE_PIDFD | CLONE_PARENT_SETTID, at, at));
	refused("clone: with PARENT_SETTID", syscall(SYS_clone,
		CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &pidfd, 0, 0));
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){(rlim_t)before, old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	refused("no descriptor left", clone_3(CLONE_PIDFD, at, 0));
	setrlimit(RLIMIT_NOFILE, &old);
	say("descriptors more than before: %d", descriptors() - before);
	result("children left", waitpid(-1, NULL, 0));
}

static void nonblocking(void)
{
	struct gate gate;
	siginfo_t info = {0};

	gate_make(&gate);
	pid_t child = fork_or_die();
	if (!child) {
		gate_wait(&gate);
		_exit(3);
	}
	int fd = (int)syscall(SYS_pidfd_open, child, O_NONBLOCK);
	result("while it lives", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	result("with WNOHANG", waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
	say("pid %d", info.si_pid);
	gate_open(&gate);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	result("poll", poll(&end, 1, -1));
	result("once it is dead", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	say("status %d", info.si_status);
	close(fd);
}

/* The grandchild outlives its parent and hears of it. */
static void death_signal(void)
{
	int ends[2];
	siginfo_t info = {0};
	pid_t middle;

	if (pipe(ends) < 0)
		die("pipe");
	middle = fork_or_die();
	if (!middle) {
		sigset_t set = signal_set(SIGUSR1, 0);
		struct gate gate;

		gate_make(&gate);
		signals_block(SIGUSR1, 0);
		if (fork_or_die()) {
			gate_wait(&gate);
			_exit(0);
		}
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		gate_open(&gate);
		sigwaitinfo(&set, &info);
		write_all(ends[1], &info, sizeof(info));
		_exit(0);
	}
	child_wait(middle);
	read_all(ends[0], &info, sizeof(info));
	say("parent's death: code %d, from %s, uid %s", info.si_code,
	    info.si_pid == middle ? "the parent" : "another", info.si_uid == getuid() ? "ours" : "?");
}

static volatile int *handled;

static void count(int number UNUSED)
{
	__atomic_fetch_add(handled, 1, __ATOMIC_SEQ_CST);
}

static char state(pid_t pid)
{
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	at = strrchr(file_text(path), ')');
	return at ? at[2] : '?';
}

static void sleeps(pid_t pid)
{
	while (state(pid) != 'S')
		sched_yield();
}

static void signalled(void)
{
	pid_t sleeper[SLEEPERS];
	int early = 0;

	handled = shared_memory(4096);
	on_signal(SIGUSR1, count, 0);
	for (int i = 0; i < SLEEPERS; i++) {
		sleeper[i] = fork_or_die();
		while (!sleeper[i])
			pause();
		sleeps(sleeper[i]);
	}
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < SLEEPERS; i++)
			kill(sleeper[i], SIGUSR1);
		for (int i = 0; i < SLEEPERS; i++)
			sleeps(sleeper[i]);
		early += *handled != round * SLEEPERS;
		while (*handled != round * SLEEPERS)
			sched_yield();
	}
	say("rounds in which one looked asleep before its handler ran: %d", early);
	for (int i = 0; i < SLEEPERS; i++) {
		kill(sleeper[i], SIGKILL);
		child_wait(sleeper[i]);
	}
}

int main(void)
{
	clones();
	nonblocking();
	death_signal();
	signalled();
	return finish();
}
