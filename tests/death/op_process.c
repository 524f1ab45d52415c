/* SPDX-License-Identifier: ISC */
/* Deaths in fork, exec, spawn, exit, wait, signals and shared memory. */
#include "operations.h"

#include <linux/futex.h>
#include <spawn.h>

#define SHARED_SIZE 40000

static char *shared;
static pid_t other;
static int gate[2];
static char thread_stack[65536] __attribute__((aligned(16)));

static void act_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

/* It is the child that dies: its parent is told. */
static void act_fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		operation_end();
	int status = child_wait(pid);
	_exit(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ? 0 : 1);
}

static void act_vfork(void)
{
	if (vfork() == 0)
		_exit(0);
}

static void act_spawn(void)
{
	char *const arguments[] = {"operations", "leaf", NULL}, *const environment[] = {NULL};
	pid_t pid;

	posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environment);
}

static void act_spawn_wait(void)
{
	char *const arguments[] = {"operations", "leaf", NULL}, *const environment[] = {NULL};
	pid_t pid;

	if (!posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environment))
		waitpid(pid, NULL, 0);
}

static void act_exec(void)
{
	execl("/proc/self/exe", "operations", "leaf", NULL);
}

static void act_exit(void)
{
	_exit(0);
}

/* Two children: one is a zombie, one lives until the gate is shut. */
static void ready_children(void)
{
	if (pipe(gate) < 0)
		die("pipe");
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	if (fork_or_die() == 0) {
		char c;

		close(gate[1]);
		read(gate[0], &c, 1);
		_exit(0);
	}
}

static void ready_session(void)
{
	if (setsid() < 0)
		die("setsid");
	ready_children();
}

static void ready_zombie(void)
{
	other = fork_or_die();
	if (other == 0)
		_exit(0);
	siginfo_t info;
	waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT);
}

static void act_wait(void)
{
	waitpid(other, NULL, 0);
}

static void act_wait_sleeping(void)
{
	other = fork();
	if (other == 0) {
		usleep(3000);
		_exit(0);
	}
	waitpid(other, NULL, 0);
}

static void act_groups(void)
{
	setpgid(0, 0);
	if (fork() == 0) {
		setsid();
		_exit(0);
	}
}

static int thread_main(void *unused)
{
	(void)unused;
	syscall(SYS_exit, 0);
	return 0;
}

static void act_thread(void)
{
	static volatile pid_t tid = 1;

	clone(thread_main, thread_stack + sizeof(thread_stack),
		  CLONE_FILES | CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			  CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		  NULL, &tid, NULL, &tid);
	while (tid)
		syscall(SYS_futex, &tid, FUTEX_WAIT, tid, NULL, NULL, 0);
}

/* ---- signals, to another child of PID 1 that computes or sleeps */

static volatile sig_atomic_t told;

static void tell(int number)
{
	(void)number;
	told = 1;
}

/*
 * A signal that is there interrupts a process that computes. One that was not sent is none; but it
 * must not lie there, nor be found by the next call only.
 */
static int ponder(void *unused)
{
	volatile char *enough = shared;
	sigset_t pending;

	(void)unused;
	on_signal(SIGUSR1, tell, 0);
	on_signal(SIGRTMIN, tell, 0);
	if (write(gate[1], "r", 1) != 1)
		return 4;
	while (!told && !*enough)
		;
	if (told)
		return 0;
	signals_block(SIGUSR1, SIGRTMIN);
	sigpending(&pending);
	return told || sigismember(&pending, SIGUSR1) || sigismember(&pending, SIGRTMIN) ? 3 : 0;
}

static void prepare_ponder(void)
{
	char c;

	shared = shared_memory(4096);
	if (pipe(gate) < 0)
		die("pipe");
	other = child_start(ponder, NULL);
	if (read(gate[0], &c, 1) != 1)
		die("gate");
}

static void check_ponder(void)
{
	pause_ms(30);
	*(volatile char *)shared = 1;
	int status = child_wait(other);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		wrong("a process that computes has a pending signal and is not interrupted");
	else if (status)
		wrong("a process that computes: %s", status_text(status));
	close(gate[0]);
	close(gate[1]);
	munmap(shared, 4096);
}

static void act_kill(void)
{
	kill(other, SIGUSR1);
}

static void act_queue(void)
{
	sigqueue(other, SIGRTMIN, (union sigval){.sival_int = 7});
}

static void act_group_kill(void)
{
	kill(0, SIGURG);
	kill(other, SIGUSR1);
}

/* The parent of one that dies computes: SIGCHLD interrupts it. */
static int ponder_parent(void *unused)
{
	(void)unused;
	on_signal(SIGCHLD, tell, 0);
	int64_t end = clock_ns(CLOCK_MONOTONIC) + 4000000000;

	pid_t pid = fork_or_die();
	if (pid == 0)
		return -1;
	while (!told && clock_ns(CLOCK_MONOTONIC) < end)
		;
	bool interrupted = told;
	int status = child_wait(pid);
	return !interrupted ? 3 : status && !WIFSIGNALED(status) ? 4 : 0;
}

/* The victim's child is the one that is stepped: it goes on in act. */
static void act_child_of_ponderer(void)
{
	int code = ponder_parent(NULL);

	if (code == -1)
		_exit(0);
	_exit(code);
}

static void check_ponder_parent(void)
{
	if (WIFEXITED(victim_status) && WEXITSTATUS(victim_status) == 3)
		wrong("a parent that computes is not interrupted by SIGCHLD");
}

static int sleeper(void *unused)
{
	char c;

	(void)unused;
	close(gate[1]);
	return read(gate[0], &c, 1) == 0 ? 0 : 1;
}

static void prepare_sleeper(void)
{
	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	other = child_start(sleeper, NULL);
}

static void act_stop(void)
{
	kill(other, SIGSTOP);
	kill(other, SIGCONT);
}

static void check_sleeper(void)
{
	kill(other, SIGCONT);
	close(gate[0]);
	close(gate[1]);
	int status = child_wait(other);
	if (status)
		wrong("a process that was stopped: %s", status_text(status));
}

/* ---- memory */

static void act_map_shared(void)
{
	shared = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared[0] = shared[SHARED_SIZE - 1] = 1;
	munmap(shared, SHARED_SIZE);
}

static void map_shared(void)
{
	shared = shared_memory(SHARED_SIZE);
	shared[0] = 1;
}

static void unmap_shared(void)
{
	munmap(shared, SHARED_SIZE);
}

static void act_map_file(void)
{
	int fd = open(FOLDER "/mapped", O_CREAT | O_RDWR, 0600);

	ftruncate(fd, SHARED_SIZE);
	char *p = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	p[5000] = 1;
	mprotect(p + 8192, 4096, PROT_READ);
	mremap(p, SHARED_SIZE, SHARED_SIZE / 2, 0);
	munmap(p, SHARED_SIZE / 2);
}

static void check_map_file(void)
{
	unlink(FOLDER "/mapped");
}

static void act_fork_shared(void)
{
	if (fork() == 0) {
		shared[4096] = 1;
		_exit(0);
	}
}

static void check_fork_shared(void)
{
	reap_orphans();
	unmap_shared();
}

static int futex_sleeper(void *unused)
{
	uint32_t *word = (uint32_t *)shared;

	(void)unused;
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 1)
		syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
	return 0;
}

static void prepare_futex(void)
{
	map_shared();
	*(uint32_t *)shared = 1;
	other = child_start(futex_sleeper, NULL);
}

static void act_futex_wake(void)
{
	__atomic_store_n((uint32_t *)shared, 2, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void act_futex_requeue(void)
{
	syscall(SYS_futex, shared, FUTEX_REQUEUE, 0, 1, shared + 64, 0);
	syscall(SYS_futex, shared + 64, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* The dead woke it, or PID 1 does. */
static void check_futex(void)
{
	__atomic_store_n((uint32_t *)shared, 3, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, shared, FUTEX_WAKE, 9, NULL, NULL, 0);
	syscall(SYS_futex, shared + 64, FUTEX_WAKE, 9, NULL, NULL, 0);
	int status = child_wait(other);
	if (status)
		wrong("one that waits for a futex: %s", status_text(status));
	unmap_shared();
}

static void act_futex_wait(void)
{
	struct timespec soon = {.tv_nsec = 3000000};

	syscall(SYS_futex, shared, FUTEX_WAIT, 1, &soon, NULL, 0);
}

static void act_chdir(void)
{
	chdir(FOLDER "/sub");
	chdir("/");
}

static void make_sub(void)
{
	mkdir(FOLDER "/sub", 0700);
}

static void remove_sub(void)
{
	if (rmdir(FOLDER "/sub") < 0)
		wrong("removing a folder that the dead was in: %s", errno_name(errno));
}

const struct operation process_operations[] = {
	{"fork", NULL, NULL, act_fork, reap_orphans, 0},
	{"fork_child", NULL, NULL, act_fork_child, reap_orphans, DIES_CHILD},
	{"fork_files", NULL, ready_children, act_fork, reap_orphans, 0},
	{"vfork", NULL, NULL, act_vfork, reap_orphans, 0},
	{"spawn", NULL, NULL, act_spawn, reap_orphans, 0},
	{"spawn_wait", NULL, NULL, act_spawn_wait, reap_orphans, 0},
	{"exec", NULL, NULL, act_exec, NULL, 0},
	{"exit", NULL, NULL, act_exit, NULL, 0},
	{"exit_children", NULL, ready_children, act_exit, reap_orphans, 0},
	{"exit_session", NULL, ready_session, act_exit, reap_orphans, 0},
	{"exit_shared", map_shared, NULL, act_exit, unmap_shared, 0},
	{"exit_computing_parent", NULL, NULL, act_child_of_ponderer, check_ponder_parent, DIES_CHILD},
	{"wait", NULL, ready_zombie, act_wait, reap_orphans, 0},
	{"wait_sleeping", NULL, NULL, act_wait_sleeping, reap_orphans, 0},
	{"groups", NULL, NULL, act_groups, reap_orphans, 0},
	{"thread", NULL, NULL, act_thread, NULL, 0},
	{"kill", prepare_ponder, NULL, act_kill, check_ponder, 0},
	{"kill_queue", prepare_ponder, NULL, act_queue, check_ponder, 0},
	{"kill_group", prepare_ponder, NULL, act_group_kill, check_ponder, 0},
	{"kill_stop", prepare_sleeper, NULL, act_stop, check_sleeper, 0},
	{"map_shared", NULL, NULL, act_map_shared, NULL, 0},
	{"map_file", NULL, NULL, act_map_file, check_map_file, 0},
	{"fork_shared", map_shared, NULL, act_fork_shared, check_fork_shared, 0},
	{"futex_wake", prepare_futex, NULL, act_futex_wake, check_futex, 0},
	{"futex_requeue", prepare_futex, NULL, act_futex_requeue, check_futex, 0},
	{"futex_wait", map_shared, NULL, act_futex_wait, unmap_shared, 0},
	{"chdir", make_sub, NULL, act_chdir, remove_sub, 0},
	{0},
};
