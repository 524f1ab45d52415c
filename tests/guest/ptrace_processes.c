/* SPDX-License-Identifier: ISC */
/*
 * Tracing more than one process: children of who is traced are traced from their first instruction
 * (fork, vfork, clone, exec, exit as events); threads; a tracer that is not the parent, which hears
 * of the end first; one that detaches, ends or is killed; who may not be traced.
 * @test timeout=40 members=15
 */
#include "guest_trace.h"

#include <pthread.h>

#define EVENTS                                                                              \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)

static struct gate gate, told;

static int makes_children(void *arg)
{
	pid_t child = fork();

	if (!child)
		_exit(1);
	waitpid(child, NULL, 0);
	child = vfork();
	if (!child) {
		execl("/proc/self/exe", "ptrace_processes", "ends", NULL);
		_exit(9);
	}
	waitpid(child, NULL, 0);
	return arg ? 2 : 3;
}

/* Each process's stops, by the order in which it came; only the number of SIGCHLDs may differ. */
static void family(void)
{
	pid_t pids[4] = {traced_start(makes_children, NULL, EVENTS)};
	static char lines[4][20][80];
	int counts[4] = {0}, known = 1, alive = 1, status;
	unsigned which;

	go_on(PTRACE_CONT, pids[0], 0);
	while (alive) {
		pid_t pid = waitpid(-1, &status, __WALL);

		for (which = 0; (int)which < known && pids[which] != pid; which++)
			;
		if ((int)which == known) {
			pids[known++] = pid;
			alive++;
		}
		bool stopped = WIFSTOPPED(status);
		int sig = stopped && !(status >> 16) ? WSTOPSIG(status) : 0;
		alive -= !stopped;
		if (sig != SIGCHLD)
			snprintf(lines[which][counts[which]++], 80, "%s", stop_text(status));
		if (status >> 16 == PTRACE_EVENT_EXIT)
			snprintf(lines[which][counts[which]++], 80, "with %#x", traced_event_message(pid));
		if (stopped)
			go_on(PTRACE_CONT, pid, sig == SIGSTOP || sig == SIGTRAP ? 0 : sig);
	}
	for (int i = 0; i < known; i++)
		for (int k = 0; k < counts[i]; k++)
			say("process %d: %s", i, lines[i][k]);
}

/* ---- threads */

static volatile pid_t tids[3];
static volatile int leave;

static void *thread(void *arg)
{
	int i = (int)(long)arg;

	tids[i] = (pid_t)syscall(SYS_gettid);
	while (!leave)
		usleep(1000);
	if (i == 2)
		syscall(SYS_exit, 7);
	return NULL;
}

static int threads(void *arg)
{
	pthread_t t[2];

	tids[0] = getpid();
	for (long i = 1; i < 3; i++)
		if (pthread_create(&t[i - 1], NULL, thread, (void *)i))
			die("thread");
	gate_open(&gate);
	gate_wait(&told);
	leave = 1;
	pthread_join(t[0], NULL);
	usleep(20000);
	return arg ? 5 : 6;
}

/* Attached one by one, by what /proc tells of them. */
static void thread_attach(void)
{
	pid_t pid, found[8];
	int count = 0, status;
	char path[64];
	DIR *dir;

	pid = child_start(threads, NULL);
	gate_wait(&gate);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.' && count < 8)
			found[count++] = atoi(e->d_name);
	closedir(dir);
	say("threads: %d", count);
	check("the first first", found[0] == pid);
	for (int i = 0; i < count; i++) {
		result("ATTACH", ptrace(PTRACE_ATTACH, found[i], NULL, NULL));
		stop_say("its stop", found[i]);
	}
	pid_t its_pid = 0;
	struct iovec here = {&its_pid, sizeof(its_pid)}, there = {(void *)&tids[0], sizeof(pid_t)};
	result("memory, by a thread's number", process_vm_readv(found[1], &here, 1, &there, 1, 0));
	check("its own", its_pid == pid);
	result("tgkill", syscall(SYS_tgkill, pid, found[1], SIGUSR2));
	for (int i = 0; i < count; i++)
		go_on(PTRACE_CONT, found[i], 0);
	stop_say("the one that was meant", found[1]);
	check("no other", waitpid(-1, &status, __WALL | WNOHANG) == 0);
	go_on(PTRACE_CONT, found[1], 0);
	gate_open(&told);
	stop_say("second", found[1]);
	stop_say("third", found[2]);
	stop_say("first", pid);
}

/* ---- a tracer that is not the parent */

static int sleeps(void *arg)
{
	gate_wait(&told);
	return arg ? 1 : 8;
}

static volatile int *waits_now;

static int traces(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	result("SEIZE", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	result("by another, too", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	gate_open(&gate);
	usleep(50000); /* the parent waits meanwhile, and hears nothing */
	*waits_now = 1;
	return stop_wait(pid) == 8 << 8 ? 0 : 1;
}

static void other_tracer(void)
{
	int status;

	waits_now = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child_start(sleeps, NULL), tracer = child_start(traces, &pid);
	gate_wait(&gate);
	gate_open(&told);
	check("the parent hears", waitpid(pid, &status, 0) == pid);
	check("not before the tracer waited", *waits_now);
	say("end: %s", status_text(status));
	child_report("tracer", tracer);
}

static int holds(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	ptrace(PTRACE_ATTACH, pid, NULL, NULL);
	stop_wait(pid);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL))
		die("EXITKILL");
	gate_open(&gate);
	pause();
	return 0;
}

static int holds_loosely(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	ptrace(PTRACE_ATTACH, pid, NULL, NULL);
	stop_wait(pid);
	gate_open(&gate);
	pause();
	return 0;
}

static void tracer_killed(int (*tracer_body)(void *), const char *what)
{
	pid_t pid = child_start(sleeps, NULL), tracer = child_start(tracer_body, &pid);

	gate_wait(&gate);
	kill(tracer, SIGKILL);
	child_report("tracer", tracer);
	gate_open(&told);
	child_report(what, pid);
	if (tracer_body == holds)
		gate_wait(&told); /* nobody took it */
}

static void detaches(void)
{
	pid_t pid = child_start(sleeps, NULL);
	int status;

	result("ATTACH", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	stop_say("stop", pid);
	result("DETACH", ptrace(PTRACE_DETACH, pid, NULL, NULL));
	result("again", ptrace(PTRACE_DETACH, pid, NULL, NULL));
	gate_open(&told);
	child_report("end", pid);
	pid = child_start(sleeps, NULL);
	ptrace(PTRACE_ATTACH, pid, NULL, NULL);
	stop_wait(pid);
	result("DETACH with a signal", ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)SIGTERM));
	waitpid(pid, &status, 0);
	say("end: %s", status_text(status));
}

static int stands(void *arg)
{
	if (setuid(65534))
		die("setuid");
	gate_open(&gate);
	gate_wait(&told);
	return arg != NULL;
}

static void refused(void)
{
	pid_t pid = child_start(stands, NULL), other;

	gate_wait(&gate);
	result("itself", ptrace(PTRACE_ATTACH, getpid(), NULL, NULL));
	result("nobody", ptrace(PTRACE_ATTACH, 99999, NULL, NULL));
	result("unknown options", ptrace(PTRACE_SEIZE, pid, NULL, (void *)0x40000000l));
	result("not traced", ptrace(PTRACE_CONT, pid, NULL, NULL));
	other = fork_or_die();
	if (!other) {
		if (setuid(1000))
			die("setuid");
		result("of another user", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
		_exit(0);
	}
	child_report("who tried", other);
	gate_open(&told);
	child_report("end", pid);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "ends"))
		return 4;
	gate_make(&gate);
	gate_make(&told);
	family();
	thread_attach();
	other_tracer();
	tracer_killed(holds, "killed with it");
	tracer_killed(holds_loosely, "goes on");
	detaches();
	if (geteuid() == 0)
		refused();
	return finish();
}
