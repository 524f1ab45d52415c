/* SPDX-License-Identifier: ISC */
/*
 * Signals of a traced process: each stops it for its tracer, who lets it pass, changes it or drops
 * it; ignored ones, too; stops of the whole process, which a tracer that seized sees as such and
 * leaves alone (PTRACE_LISTEN); PTRACE_INTERRUPT; masks.
 * @test timeout=30 members=6
 */
#include "guest_trace.h"

static volatile sig_atomic_t got[65];
static volatile int got_value;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got[sig]++;
	got_value = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

static void handle(int sig)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigaction(sig, &action, NULL);
}

static int receives(void *arg)
{
	union sigval value = {.sival_int = 3};

	handle(SIGUSR1);
	handle(SIGUSR2);
	signal(SIGTERM, SIG_IGN);
	raise(SIGUSR1);
	say("passed: %d", (int)got[SIGUSR1]);
	raise(SIGUSR1);
	say("dropped: %d", (int)got[SIGUSR1]);
	raise(SIGUSR1);
	say("changed: %d %d", (int)got[SIGUSR1], (int)got[SIGUSR2]);
	sigqueue(getpid(), SIGUSR1, value);
	say("other information: %d", got_value);
	raise(SIGTERM);
	raise(SIGCHLD);
	raise(SIGWINCH);
	say("ignored ones do nothing");
	signals_block(SIGUSR2, SIGUSR2);
	raise(SIGUSR1);
	say("changed to a blocked one: %d", (int)got[SIGUSR2]);
	signals_unblock(SIGUSR2, SIGUSR2);
	say("then: %d", (int)got[SIGUSR2]);
	abort();
	return arg != NULL;
}

static void info_say(pid_t pid)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &info)) {
		say("information: %s", errno_name(errno));
		return;
	}
	say("information: %s code %d", signal_name(info.si_signo), info.si_code);
}

static void deliveries(void)
{
	pid_t pid = traced_start(receives, NULL, 0);
	siginfo_t info;

	go_on(PTRACE_CONT, pid, 0);
	stop_say("first", pid);
	info_say(pid);
	go_on(PTRACE_CONT, pid, SIGUSR1);
	stop_say("second", pid);
	go_on(PTRACE_CONT, pid, 0);
	stop_say("third", pid);
	go_on(PTRACE_CONT, pid, SIGUSR2);
	stop_say("queued", pid);
	ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
	say("its value: %d", info.si_value.sival_int);
	info.si_value.sival_int = 77;
	result("SETSIGINFO", ptrace(PTRACE_SETSIGINFO, pid, NULL, &info));
	go_on(PTRACE_CONT, pid, SIGUSR1);
	for (int i = 0; i < 3; i++) {
		int status = stop_say("ignored", pid);
		go_on(PTRACE_CONT, pid, WSTOPSIG(status));
	}
	stop_say("before the blocked one", pid);
	go_on(PTRACE_CONT, pid, SIGUSR2);
	stop_say("unblocked", pid);
	info_say(pid);
	go_on(PTRACE_CONT, pid, SIGUSR2);
	stop_say("abort", pid);
	result("no such signal", ptrace(PTRACE_CONT, pid, NULL, (void *)99l));
	go_on(PTRACE_CONT, pid, SIGABRT);
	int status = stop_wait(pid) & ~0x80; /* whether it would leave a core is not the question */
	say("end: %s", stop_text(status));
}

/* ---- stops of the process */

static int stops(void *arg)
{
	raise(SIGSTOP);
	say("goes on");
	return arg ? 4 : 3;
}

/* TRACEME: the stop has no information, and the tracer may let it run in it. */
static void stop_plain(void)
{
	pid_t pid = traced_start(stops, NULL, 0);

	go_on(PTRACE_CONT, pid, 0);
	stop_say("signal", pid);
	info_say(pid);
	go_on(PTRACE_CONT, pid, SIGSTOP);
	stop_say("the stop", pid);
	info_say(pid);
	go_on(PTRACE_CONT, pid, 0);
	stop_say("end", pid);
}

static struct gate gate;

static int waits_and_stops(void *arg)
{
	gate_wait(&gate);
	return stops(arg);
}

static void stop_seized(void)
{
	gate_make(&gate);
	pid_t pid = child_start(waits_and_stops, &gate);
	siginfo_t info = {0};
	int status;

	result("SEIZE with an address", ptrace(PTRACE_SEIZE, pid, (void *)8l, NULL));
	result("SEIZE", ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	check("it is not stopped", waitpid(pid, &status, __WALL | WNOHANG) == 0);
	result("LISTEN", ptrace(PTRACE_LISTEN, pid, NULL, NULL));
	result("INTERRUPT", ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	stop_say("interrupted", pid);
	info_say(pid);
	go_on(PTRACE_CONT, pid, 0);
	gate_open(&gate);
	stop_say("signal", pid);
	go_on(PTRACE_CONT, pid, SIGSTOP);
	stop_say("the stop", pid);
	info_say(pid);
	result("LISTEN", ptrace(PTRACE_LISTEN, pid, NULL, NULL));
	result("registers of who listens", ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
	check("nothing to tell", waitpid(pid, &status, __WALL | WNOHANG) == 0);
	kill(pid, SIGCONT);
	stop_say("continued", pid);
	go_on(PTRACE_CONT, pid, 0);
	stop_say("its signal", pid);
	go_on(PTRACE_CONT, pid, SIGCONT);
	stop_say("end", pid);
}

static int blocks(void *arg)
{
	sigset_t set;

	handle(SIGUSR1);
	signals_block(SIGUSR2, SIGUSR2);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("mask: USR1 %d USR2 %d HUP %d KILL %d", sigismember(&set, SIGUSR1),
		sigismember(&set, SIGUSR2), sigismember(&set, SIGHUP), sigismember(&set, SIGKILL));
	return arg != NULL;
}

static void masks(void)
{
	pid_t pid = traced_start(blocks, NULL, 0);
	uint64_t mask = 0;

	go_on(PTRACE_CONT, pid, 0);
	stop_say("signal", pid);
	result("GETSIGMASK", ptrace(PTRACE_GETSIGMASK, pid, (void *)8l, &mask));
	check("what is blocked", mask == 1ull << (SIGUSR2 - 1));
	mask = ~0ull;
	result("SETSIGMASK of a wrong size", ptrace(PTRACE_SETSIGMASK, pid, (void *)4l, &mask));
	result("SETSIGMASK", ptrace(PTRACE_SETSIGMASK, pid, (void *)8l, &mask));
	go_on(PTRACE_CONT, pid, 0);
	stop_say("end", pid);
}

static int computes(void *arg)
{
	for (volatile unsigned long n = 0;; n++)
		if (arg)
			n++;
	return 0;
}

static void interrupts_and_kills(void)
{
	pid_t pid = child_start(computes, NULL);

	result("SEIZE", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	for (int i = 0; i < 20; i++) {
		expect("INTERRUPT", !ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
		expect("its stop", stop_wait(pid) == (PTRACE_EVENT_STOP << 16 | SIGTRAP << 8 | 0x7f));
		go_on(PTRACE_CONT, pid, 0);
	}
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	stop_say("once more", pid);
	kill(pid, SIGKILL);
	stop_say("end", pid);
	result("it is no more", ptrace(PTRACE_CONT, pid, NULL, NULL));
}

int main(void)
{
	deliveries();
	stop_plain();
	stop_seized();
	masks();
	interrupts_and_kills();
	return finish();
}
