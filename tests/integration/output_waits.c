/* SPDX-License-Identifier: ISC */
/*
 * Writes to a standard output that nobody reads: what ends them, and who runs meanwhile. Results go
 * to standard error, so that the case can read them while the output stands still; on "drain" it
 * reads the output.
 * @test timeout=60 members=6
 */
#include "guest.h"
#include <pthread.h>

#define SIZE (1 << 20)
static char block[SIZE];
static volatile sig_atomic_t handled;

static void handler(int number)
{
	(void)number;
	handled++;
}

static void tell(const char *what, long value, int error)
{
	char line[100];
	int n = value < 0 ? snprintf(line, sizeof(line), "%s: %s\n", what, errno_name(error))
					  : snprintf(line, sizeof(line), "%s: %ld\n", what, value);

	if (write(STDERR_FILENO, line, (size_t)n) != n)
		_exit(97);
}

static void try_write(const char *what, size_t size)
{
	handled = 0;
	long got = write(STDOUT_FILENO, block, size);

	tell(what, got, errno);
	tell("handled", handled, 0);
}

static void by_timer(void)
{
	struct itimerval soon = {.it_value.tv_usec = 100000};

	setitimer(ITIMER_REAL, &soon, NULL);
	try_write("up to what fits", SIZE);
	setitimer(ITIMER_REAL, &soon, NULL);
	try_write("with a timer", 1);
}

/* A child signals until it is killed: a signal may come before the write. */
static pid_t signals_start(int number)
{
	pid_t parent = getpid(), pid = fork_or_die();

	for (int i = 0; pid == 0 && i < 1000; i++) {
		pause_ms(20);
		kill(parent, number);
	}
	if (pid == 0)
		_exit(0);
	return pid;
}

static void by_kill(void)
{
	pid_t pid = signals_start(SIGUSR1);
	long got = write(STDOUT_FILENO, block, 1);

	tell("with kill", got, errno);
	kill(pid, SIGKILL);
	child_wait(pid);
}

static void without_waiting(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
	try_write("non-blocking", 1);
	fcntl(STDOUT_FILENO, F_SETFL, flags);
}

static void *drainer(void *argument)
{
	struct timespec nap = {0, 2000000};

	for (int i = 0; i < 20; i++)
		nanosleep(&nap, NULL);
	tell("drain", 1, 0);
	return argument;
}

/* Nothing but the other thread gets the output going again. */
static void beside_a_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, drainer, NULL);
	try_write("beside a thread", 3 * 65536);
	pthread_join(thread, NULL);
}

/* SA_RESTART: goes on after the handler, until the output is read. */
static void restarted(void)
{
	on_signal(SIGUSR2, handler, SA_RESTART);
	pid_t pid = signals_start(SIGUSR2), drain = fork_or_die();
	if (drain == 0) {
		pause_ms(200);
		tell("drain", 2, 0);
		_exit(0);
	}
	handled = 0;
	size_t left = SIZE;
	while (left) {
		long got = write(STDOUT_FILENO, block, left);
		if (got <= 0) {
			tell("restarted", got, errno);
			break;
		}
		left -= (size_t)got;
	}
	tell("all written", left == 0, 0);
	tell("handlers ran", handled > 0, 0);
	kill(pid, SIGKILL);
	child_wait(pid);
	child_wait(drain);
}

int main(void)
{
	memset(block, 'o', sizeof(block));
	on_signal(SIGALRM, handler, 0);
	on_signal(SIGUSR1, handler, 0);
	by_timer();
	by_kill();
	without_waiting();
	beside_a_thread();
	restarted();
	return finish();
}
