/* SPDX-License-Identifier: ISC */
/*
 * Signals for one thread go to it, also while another blocks them; signals for the process go to
 * one thread that does not block them, whether that sleeps, computes or waits with sigwait; and no
 * other thread's call is interrupted by them.
 * @test timeout=30 members=3
 */
#include "guest.h"
#include <pthread.h>

static __thread int me;
static volatile int handled_by, handled, interrupted, stop, taken, value;
static volatile pid_t tids[4];

static void on_any(int number UNUSED, siginfo_t *info, void *context UNUSED)
{
	handled_by = me;
	value = info->si_code == SI_TKILL ? 1 : info->si_code == SI_USER ? 2 : 3;
	handled++;
}

static void mask(int how, int number)
{
	sigset_t set = signal_set(number, 0);

	pthread_sigmask(how, &set, NULL);
}

/* Sleeps in poll until told to stop; counts what interrupted it. */
static void *sleeper(void *argument)
{
	me = (int)(long)argument;
	if (me != 1)
		mask(SIG_BLOCK, SIGUSR2);
	tids[me] = (pid_t)syscall(SYS_gettid);
	while (!stop)
		if (poll(NULL, 0, 20000) < 0 && errno == EINTR)
			interrupted++;
	return NULL;
}

static void *spinner(void *argument)
{
	me = (int)(long)argument;
	mask(SIG_UNBLOCK, SIGHUP);
	tids[me] = (pid_t)syscall(SYS_gettid);
	while (!stop)
		;
	return NULL;
}

static void wait_handled(const char *name, int count)
{
	for (int i = 0; i < 2000 && handled < count; i++)
		pause_ms(1);
	say("%s: handled %d, by thread %d, kind %d", name, handled, handled_by, value);
	handled = 0;
	handled_by = -1;
}

static void wait_started(int index)
{
	while (!tids[index])
		sched_yield();
	pause_ms(20);
}

static void sleeping(void)
{
	pthread_t threads[2];

	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sleeper, (void *)(i + 1));
	wait_started(1);
	wait_started(2);
	pthread_kill(threads[1], SIGUSR1);
	wait_handled("pthread_kill", 1);
	syscall(SYS_tgkill, getpid(), tids[1], SIGUSR1);
	wait_handled("tgkill", 1);
	mask(SIG_BLOCK, SIGUSR2);
	kill(getpid(), SIGUSR2);
	wait_handled("process, main blocks", 1);
	pthread_kill(threads[1], SIGUSR2);
	pause_ms(30);
	say("thread-directed and blocked: handled %d", handled);
	mask(SIG_BLOCK, SIGUSR1);
	interrupted = 0;
	for (int i = 0; i < 20; i++) {
		kill(getpid(), SIGUSR1);
		while (handled <= i)
			sched_yield();
	}
	pause_ms(20);
	say("twenty for the process: handled %d", handled);
	check("none interrupted two", interrupted <= handled);
	handled = 0;
	mask(SIG_UNBLOCK, SIGUSR1);
	mask(SIG_UNBLOCK, SIGUSR2);
	stop = 1;
	for (int i = 0; i < 2; i++) {
		pthread_kill(threads[i], SIGUSR1);
		pthread_join(threads[i], NULL);
	}
	stop = 0;
	handled = 0;
}

static void computing(void)
{
	pthread_t thread;
	pid_t child;

	mask(SIG_BLOCK, SIGHUP);
	pthread_create(&thread, NULL, spinner, (void *)3);
	wait_started(3);
	pthread_kill(thread, SIGUSR1);
	wait_handled("pthread_kill of one that computes", 1);
	kill(getpid(), SIGHUP);
	wait_handled("process, only the computing one", 1);
	child = fork_or_die();
	if (child == 0)
		_exit(kill(getppid(), SIGHUP) ? 1 : 0);
	wait_handled("from another process", 1);
	child_report("sender", child);
	stop = 1;
	pthread_join(thread, NULL);
	stop = 0;
	mask(SIG_UNBLOCK, SIGHUP);
}

static void *sigwaiter(void *argument)
{
	sigset_t set = signal_set(SIGTERM, SIGRTMIN + 1);
	siginfo_t info;

	while (!stop) {
		int number = sigwaitinfo(&set, &info);

		if (number == SIGTERM)
			stop = 1;
		say("sigwaitinfo: %d, value %d", number == SIGTERM ? 15 : number - SIGRTMIN,
		    number == SIGTERM ? 0 : info.si_value.sival_int);
		taken++;
	}
	return argument;
}

static void waiting(void)
{
	pthread_t thread;

	mask(SIG_BLOCK, SIGTERM);
	mask(SIG_BLOCK, SIGRTMIN + 1);
	pthread_create(&thread, NULL, sigwaiter, NULL);
	pause_ms(10);
	for (int i = 0; i < 3; i++)
		pthread_sigqueue(thread, SIGRTMIN + 1, (union sigval){.sival_int = i});
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 7});
	/* SIGTERM goes before what is still queued. */
	for (int i = 0; i < 1000 && taken < 4; i++)
		pause_ms(5);
	kill(getpid(), SIGTERM);
	pthread_join(thread, NULL);
}

static void *fatal(void *argument)
{
	*(volatile int *)argument = 1;
	return NULL;
}

static void killing(void)
{
	pid_t child = fork_or_die();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, fatal, (void *)8);
		pause();
		_exit(0);
	}
	child_report("fault in a thread", child);
	result("tgkill of no thread", syscall(SYS_tgkill, getpid(), 30000, 0));
	result("tgkill of itself", syscall(SYS_tgkill, getpid(), getpid(), 0));
}

int main(void)
{
	on_signal_info(SIGUSR1, on_any, 0);
	on_signal_info(SIGUSR2, on_any, 0);
	on_signal_info(SIGHUP, on_any, SA_RESTART);
	sleeping();
	computing();
	waiting();
	killing();
	return finish();
}
