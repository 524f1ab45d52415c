/* SPDX-License-Identifier: ISC */
/*
 * See trace.h. The kernel's code is the same in all members, so an instruction is decoded once. The
 * application's own stores are not looked at, nor do they go to kin at kin's own address.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/layout.h"
#include "operand.h"

#define CACHE_SIZE (1u << 16)
#define SEEN_BYTES 64 /* the longest store of one instruction */
#define FLAG_TRACE 0x100ull
#define INTERRUPT_STEPS 20000

struct known {
	uint64_t rip;
	struct operand operand;
};
static struct known cache[CACHE_SIZE];

/* How often an instruction was executed, while events are noted. */
#define EXECUTED_SIZE (1u << 18)
static struct executed {
	uint64_t rip;
	uint32_t times;
} executed[EXECUTED_SIZE];
static uint32_t nexecuted;

#define PLACES_MAX 20000
static struct place {
	uint64_t rip;
	uint32_t nth;  /* execution of that instruction */
	bool passed;   /* no place to break at: a string instruction, or that of all host calls */
} places[PLACES_MAX];
static uint32_t nplaces;

struct stepper {
	pid_t pid;
	int memory; /* /proc/PID/mem */
	uint64_t end, last_rip;
	uint32_t kill_at;
	int interrupt; /* the monitor's signal, held back */
	uint32_t steps_since; /* it was delivered */
	bool record;
	bool in_string; /* the last event was a part of a repeated string instruction, at r->rip */
	struct trace_result *r;
};

static enum trace_outcome failed(struct stepper *s, const char *what)
{
	snprintf(s->r->text, sizeof(s->r->text), "%s of %d: %s", what, s->pid, strerror(errno));
	return TRACE_FAILED;
}

static bool code_is_fixed(uint64_t rip)
{
	return (rip >= KERNEL_IMAGE && rip < KERNEL_IMAGE_END) || rip >= KIN_END;
}

static const struct operand *operand_at(struct stepper *s, uint64_t rip)
{
	static struct operand fresh;
	struct known *k = &cache[rip * 0x9e3779b97f4a7c15ull >> 48];
	uint8_t code[INSTRUCTION_MAX + 1] = {0};

	if (code_is_fixed(rip) && k->rip == rip)
		return &k->operand;
	if (pread(s->memory, code, INSTRUCTION_MAX, (off_t)rip) <= 0)
		code[0] = 0x90;
	operand_decode(code, &fresh);
	if (code_is_fixed(rip))
		*k = (struct known){rip, fresh};
	return &fresh;
}

/* The parent gets the status afterwards. Where the victim has gone already that is all the same. */
static void kill_it(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status))
		;
}

/*
 * What a stop was about, to be delivered with the next step. Faults at once; interrupts, of which
 * the next would come before the last one's handler has been stepped through, now and then.
 */
static int signal_now(struct stepper *s, int status)
{
	int signal = WSTOPSIG(status);

	if (status >> 16 || signal == SIGTRAP)
		signal = 0;
	if (signal && signal != SIGSYS && signal != SIGSEGV && signal != SIGBUS) {
		s->interrupt = signal;
		signal = 0;
	}
	if (++s->steps_since < INTERRUPT_STEPS || signal)
		return signal;
	signal = s->interrupt;
	s->interrupt = 0;
	if (signal)
		s->steps_since = 0;
	return signal;
}

/* 0: it has stopped again, else the outcome. *signal: to be delivered with the next. */
static int go_on(struct stepper *s, int how, int *signal, int *status)
{
	if (ptrace(how, s->pid, NULL, (long)*signal) < 0)
		return errno == ESRCH ? TRACE_EXITED : failed(s, "a step");
	alarm(TRACE_SECONDS);
	pid_t got = waitpid(s->pid, status, __WALL);
	alarm(0);
	if (got < 0 && errno == EINTR) {
		kill_it(s->pid);
		return TRACE_STUCK;
	}
	if (got < 0)
		return failed(s, "waiting");
	if (WIFEXITED(*status) || WIFSIGNALED(*status))
		return TRACE_EXITED;
	*signal = signal_now(s, *status);
	return 0;
}

/* 0: nowhere */
static void break_at(struct stepper *s, uint64_t rip, uint64_t other)
{
	ptrace(PTRACE_POKEUSER, s->pid, offsetof(struct user, u_debugreg[0]), rip);
	ptrace(PTRACE_POKEUSER, s->pid, offsetof(struct user, u_debugreg[1]), other);
	ptrace(PTRACE_POKEUSER, s->pid, offsetof(struct user, u_debugreg[7]),
		   (rip ? 1ul : 0ul) | (other ? 4ul : 0ul));
}

static struct executed *executed_find(uint64_t rip)
{
	uint64_t at = rip * 0x9e3779b97f4a7c15ull >> 46;

	while (executed[at].rip && executed[at].rip != rip)
		at = (at + 1) % EXECUTED_SIZE;
	return &executed[at];
}

static void executed_count(uint64_t rip)
{
	struct executed *e = executed_find(rip);

	if (!e->rip && ++nexecuted > EXECUTED_SIZE / 2)
		return; /* more code than there is */
	e->rip = rip;
	e->times++;
}

static void place_note(uint64_t rip, bool passed)
{
	if (nplaces < PLACES_MAX)
		places[nplaces++] = (struct place){rip, executed_find(rip)->times, passed};
}

/*
 * One instruction; but a string instruction, of which a step is one repetition, goes on to its end
 * once it has begun.
 */
static int step_once(struct stepper *s, const struct operand *o,
					 const struct user_regs_struct *regs, int *signal, int *status)
{
	uint64_t rip = regs->rip;
	bool first = s->last_rip != rip;

	s->last_rip = rip;
	if (s->record && (!o->repeats || first))
		executed_count(rip);
	if (!o->repeats || first)
		return go_on(s, PTRACE_SINGLESTEP, signal, status);
	/* A popf under single-stepping leaves the host thinking that the flag is the program's own. */
	ptrace(PTRACE_POKEUSER, s->pid, offsetof(struct user, regs.eflags), regs->eflags & ~FLAG_TRACE);
	break_at(s, rip + o->length, 0);
	int outcome = go_on(s, PTRACE_CONT, signal, status);
	if (outcome != TRACE_EXITED)
		break_at(s, 0, 0);
	return outcome;
}

/* An event has happened; true: it is the last. */
static bool event(struct stepper *s, const struct operand *o, uint64_t rip, uint64_t stored)
{
	bool part = o->kind == OPERAND_STRING && o->repeats;
	bool again = part && s->in_string && s->r->rip == rip;

	s->in_string = part;
	s->r->rip = rip;
	s->r->stored = stored;
	if (again)
		return false; /* the whole of it is one event: its first part */
	if (s->record)
		place_note(rip, part || !stored);
	return ++s->r->events >= s->kill_at;
}

static int step_all(struct stepper *s)
{
	struct user_regs_struct regs;
	uint8_t before[SEEN_BYTES];
	int status = 0, signal = 0;

	for (;;) {
		if (ptrace(PTRACE_GETREGS, s->pid, NULL, &regs) < 0)
			return errno == ESRCH ? TRACE_EXITED : failed(s, "reading registers");
		if (regs.rip == s->end)
			return TRACE_ENDED;
		struct operand o = *operand_at(s, regs.rip);
		uint64_t at = operand_address(&o, &regs), rip = regs.rip;
		bool in_kin = at >= KIN_BASE && at < KIN_END - SEEN_BYTES;

		if (in_kin)
			memcpy(before, (void *)at, SEEN_BYTES);
		int outcome = step_once(s, &o, &regs, &signal, &status);
		if (outcome)
			return outcome;
		if (in_kin && memcmp(before, (void *)at, SEEN_BYTES) && event(s, &o, rip, at))
			return TRACE_KILLED;
		if (o.kind != OPERAND_SYSCALL || WSTOPSIG(status) != SIGTRAP || rip < KIN_END)
			continue;
		if (event(s, &o, rip, 0))
			return TRACE_KILLED;
	}
}

/* The last noted event before kill_at that can be broken at; 0: none. Counted from 1, as events. */
static uint32_t place_before(uint32_t kill_at)
{
	uint32_t n = kill_at - 1 < nplaces ? kill_at - 1 : nplaces;

	while (n && places[n - 1].passed)
		n--;
	return n;
}

/* Runs to just before that event. */
static int skip(struct stepper *s, uint32_t number)
{
	const struct place *to = &places[number - 1];
	struct user_regs_struct regs = {0};
	int status = 0, signal = 0, outcome = 0;

	break_at(s, to->rip, s->end);
	for (uint32_t times = 0; !outcome && times < to->nth;) {
		outcome = go_on(s, PTRACE_CONT, &signal, &status);
		if (!signal && s->interrupt) { /* time passes as it does */
			signal = s->interrupt;
			s->interrupt = 0;
		}
		if (!outcome && ptrace(PTRACE_GETREGS, s->pid, NULL, &regs) < 0)
			outcome = errno == ESRCH ? TRACE_EXITED : failed(s, "reading registers");
		if (!outcome && WSTOPSIG(status) == SIGTRAP && regs.rip == s->end)
			outcome = TRACE_ENDED;
		times += WSTOPSIG(status) == SIGTRAP && regs.rip == to->rip;
	}
	if (!outcome) {
		break_at(s, 0, 0);
		s->r->events = number - 1;
	}
	return outcome;
}

bool trace_strayed(const struct trace_result *r)
{
	return !r->events || r->events > nplaces || places[r->events - 1].rip != r->rip;
}

/* In the victim's memory, which the host copies as for any store. */
static bool let_go(int memory, const struct victim *v)
{
	uint32_t one = 1;

	return pwrite(memory, &one, sizeof(one), (off_t)v->go) == sizeof(one);
}

static int open_memory(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

bool trace_let_go(const struct victim *v)
{
	int memory = open_memory(v->host_pid);
	bool done = memory >= 0 && let_go(memory, v);

	if (memory >= 0)
		close(memory);
	return done;
}

/* From one processor to another every step would cost a wake-up. */
static void stay_together(pid_t pid)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

static int seize(struct stepper *s, const struct victim *v, long options)
{
	int status;

	s->memory = open_memory(s->pid);
	if (s->memory < 0)
		return failed(s, "opening the memory");
	if (ptrace(PTRACE_SEIZE, s->pid, NULL, options) < 0)
		return failed(s, "PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL) < 0 ||
		waitpid(s->pid, &status, __WALL) != s->pid || !WIFSTOPPED(status))
		return failed(s, "PTRACE_INTERRUPT");
	stay_together(s->pid);
	return let_go(s->memory, v) ? 0 : failed(s, "letting go");
}

/* Until the victim clones: it goes on alone, and s is about the child. */
static int follow_child(struct stepper *s)
{
	unsigned long child = 0;
	int status, outcome = 0;

	for (int signal = 0; !child && !outcome;) {
		if (ptrace(PTRACE_CONT, s->pid, NULL, (long)signal) < 0)
			return failed(s, "PTRACE_CONT");
		alarm(TRACE_SECONDS);
		if (waitpid(s->pid, &status, __WALL) != s->pid)
			outcome = TRACE_STUCK;
		else if (!WIFSTOPPED(status))
			outcome = TRACE_EXITED;
		else if (status >> 16 == PTRACE_EVENT_CLONE || status >> 16 == PTRACE_EVENT_FORK)
			ptrace(PTRACE_GETEVENTMSG, s->pid, NULL, &child);
		else
			signal = status >> 16 ? 0 : WSTOPSIG(status);
		alarm(0);
	}
	ptrace(PTRACE_DETACH, s->pid, NULL, NULL);
	close(s->memory);
	s->pid = (pid_t)child;
	s->memory = child ? open_memory(s->pid) : -1;
	if (!outcome && waitpid(s->pid, &status, __WALL) != s->pid)
		return failed(s, "waiting for the child");
	return outcome;
}

static void on_alarm(int number)
{
	(void)number;
}

enum trace_outcome trace_victim(const struct victim *v, uint32_t kill_at, bool child,
								enum trace_way way, struct trace_result *r)
{
	struct stepper s = {.pid = v->host_pid, .end = v->end, .kill_at = kill_at, .r = r,
						.record = way == TRACE_RECORD};
	uint32_t near = way == TRACE_SKIP ? place_before(kill_at) : 0;
	struct sigaction sa = {.sa_handler = on_alarm};
	int outcome;

	memset(r, 0, sizeof(*r));
	sigaction(SIGALRM, &sa, NULL);
	outcome = seize(&s, v, child ? PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK : 0);
	if (!outcome && child)
		outcome = follow_child(&s);
	if (!outcome && near)
		outcome = skip(&s, near);
	if (!outcome)
		outcome = step_all(&s);
	if (outcome != TRACE_EXITED && outcome != TRACE_STUCK && s.pid > 0)
		kill_it(s.pid);
	if (s.memory >= 0)
		close(s.memory);
	return outcome;
}
