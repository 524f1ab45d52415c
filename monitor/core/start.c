/* SPDX-License-Identifier: ISC */
/*
 * The start of a monitor, in the order in which it happens: the steps array below is the whole
 * story. Each step either succeeds or says why not; before the last one the process still has the
 * supervisor's authority.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define FAMILY_FDS (11 + VOLUMES_MAX + PUBLISHED_MAX)
#define OLD_FDS_MAX 4096
#define RSEQ_REGISTERED_SIZE 32 /* what libc registers: the structure's first version */

struct start {
	struct member member;
	struct error err;
	enum member_state from;
	u64 tsc;
};

/*
 * What is not a guarded copy is a bug of the monitor: say so, with the default action as the last
 * resort.
 */
static void fault_handler(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "unifork: a monitor failed (memory fault)\n";
	ucontext_t *uc = context;

	if (info->si_code > 0 && guarded_fix(uc))
		return;
	HOST_CALL(SYS_write, STDERR_FILENO, text, sizeof(text) - 1);
	HOST_CALL(SYS_exit_group, MEMBER_EXIT_DIED);
}

/*
 * The terminal's and the user's signals to the whole process group are the supervisor's to
 * translate. MONITOR_SIGNAL stays blocked until the backend's handler is in place. The process
 * backend replaces the fault handlers by its own.
 */
static int start_signals(struct start *s)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGPIPE, SIGXFSZ};
	struct sigaction sa = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, MONITOR_SIGNAL);
	sigaddset(&mask, TIMER_SIGNAL);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0 || sigaction(SIGSEGV, &sa, NULL) < 0 ||
		sigaction(SIGBUS, &sa, NULL) < 0)
		return error_set(&s->err, errno, "cannot set the monitor's signals");
	return 0;
}

static int start_claim(struct start *s)
{
	struct member *m = &s->member;
	struct kin_header *kin = m->family->kin;
	struct kin_member *rec;

	if (kin != KIN || kin->magic != KIN_MAGIC || m->index >= MEMBERS_MAX)
		return error_set(&s->err, 0, "kin is not mapped at its address");
	rec = member_record(m);
	s->from = rec->state;
	m->generation = rec->generation;
	if (s->from != MEMBER_SPAWNING && s->from != MEMBER_CLONING)
		return error_set(&s->err, 0, "the member's record is not being started");
	if (!member_claim(kin, m->index, m->generation, getpid()))
		return error_set(&s->err, 0, "the member was given up before it started");
	return 0;
}

static int fd_compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void fds_close(int first, int last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (int fd = first; fd <= MIN(last, OLD_FDS_MAX); fd++)
		close(fd);
}

/*
 * Only 0, 1, 2 and the family's own stay open. A family descriptor below 3 would be the guest's
 * to use.
 */
static int start_fds(struct start *s)
{
	const struct family *f = s->member.family;
	int keep[FAMILY_FDS] = {2, f->kin_fd, f->root_fd, f->notify_fd};
	int n = 4;

	if (f->kin_fd < 3 || f->root_fd < 3 || f->notify_fd < 3)
		return error_set(&s->err, 0, "standard input, output and error must be open");
	if (f->kvm_fd >= 3)
		keep[n++] = f->kvm_fd;
	if (f->image_fd >= 3)
		keep[n++] = f->image_fd;
	if (f->confinement && f->confinement->ruleset_fd >= 3)
		keep[n++] = f->confinement->ruleset_fd;
	if (family_takes_gifts(f)) {
		if (f->gift_fds[1] < 3)
			return error_set(&s->err, 0, "standard input, output and error must be open");
		keep[n++] = f->gift_fds[1];
	}
	if (family_has_sockets(f))
		keep[n++] = f->watch_fd;
	for (u32 i = 0; i < f->published_count; i++) {
		if (f->published[i].fd < 3)
			return error_set(&s->err, 0, "standard input, output and error must be open");
		keep[n++] = f->published[i].fd;
	}
	for (u32 i = 0; i < f->volume_count; i++) {
		if (f->volumes[i].fd < 3)
			return error_set(&s->err, 0, "standard input, output and error must be open");
		keep[n++] = f->volumes[i].fd;
	}
	qsort(keep, (size_t)n, sizeof(keep[0]), fd_compare);
	for (int i = 0; i + 1 < n; i++)
		fds_close(keep[i] + 1, keep[i + 1] - 1);
	fds_close(keep[n - 1] + 1, INT32_MAX);
	return 0;
}

/* The modes of files that a guest makes are its own kernel's: its umask is in them. */
static int start_umask(struct start *s)
{
	umask(0);
	return 0;
}

static int start_memory(struct start *s)
{
	struct member *m = &s->member;

	if (guest_range_valid(m->family, (u64)s, 1) || guest_range_valid(m->family, (u64)sbrk(0), 1))
		return error_set(&s->err, 0, "the host put a monitor's memory where its guest's belongs");
	if (memory_reserve(m->family, &s->err) < 0)
		return -1;
	if (image_load(m, &s->err) < 0)
		return -1;
	if (m->family->image_fd >= 0)
		close(m->family->image_fd);
	return 0;
}

static int start_boot(struct start *s)
{
	struct member *m = &s->member;
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;

	*boot = (struct boot_info){
		.magic = BOOT_MAGIC,
		.backend = m->backend->kind,
		.flags = m->family->verbose ? BOOT_VERBOSE : 0,
		.member = m->index,
		.generation = m->generation,
		.hwcap = getauxval(AT_HWCAP),
		.hwcap2 = getauxval(AT_HWCAP2),
		.start_tsc = s->tsc,
	};
	return m->backend->boot(m, &s->err);
}

static int start_create(struct start *s)
{
	return s->member.backend->create(&s->member, false, &s->err);
}

static int start_confine(struct start *s)
{
	return confine(s->member.family, &s->err);
}

static void start_run(void *arg)
{
	struct start *s = arg;
	struct member *m = &s->member;

	member_live(m, s->from);
	m->backend->run(m, false);
}

static int start_unblock(struct start *s)
{
	sigset_t mask;

	sigemptyset(&mask);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		return error_set(&s->err, errno, "cannot set the monitor's signals");
	return 0;
}

/* What a backend can learn only from a virtual machine that it has made; it is not kept. */
static int start_rehearse(struct start *s)
{
	struct member *m = &s->member;

	if (m->backend->create(m, false, &s->err) < 0)
		return -1;
	if (m->backend->clone_child)
		m->backend->clone_child(m);
	return 0;
}

typedef int (*start_step)(struct start *s);

static const start_step member_steps[] = {
	start_signals, start_claim,  start_fds,     start_umask,   start_memory,
	start_boot,    start_create, start_unblock, start_confine, NULL,
};

static const start_step spawner_steps[] = {
	start_signals, start_fds,      start_umask,   start_memory,
	start_boot,    start_rehearse, start_unblock, start_confine, NULL,
};

/*
 * libc has the host kernel note the processor in its thread block at every switch. Nobody asks for
 * it here, and each clone would copy that page for it.
 */
static void rseq_leave(void)
{
#ifdef RSEQ_SIG
	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, RSEQ_REGISTERED_SIZE,
				RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
#endif
}

/*
 * All that the monitor writes while it runs lies at the top of its stack, on few pages: in a clone
 * the first words of its state and the frames below them are on one.
 */
#define HOT_STATE 1024
static struct start *start_through(struct family *f, u32 index, const start_step *steps)
{
	struct start first = {
		.member = {.family = f, .backend = f->backend, .index = index},
		.tsc = host_rdtsc(),
	};
	struct start *s;
	void *top;

	member_follow_supervisor(f);
	rseq_leave();
	if (memory_stack(&top, &first.err) < 0)
		member_die(&first.member, "%s", first.err.text);
	s = (struct start *)(ALIGN_DOWN((u64)top - sizeof(*s) + HOT_STATE, PAGE_SIZE) - HOT_STATE);
	*s = first;
	s->member.stack_top = s;
	for (; *steps; steps++)
		if ((*steps)(s) < 0)
			member_die(&s->member, "%s", s->err.text);
	return s;
}

_Noreturn void monitor_start(struct family *f, u32 index)
{
	struct start *s = start_through(f, index, member_steps);

	stack_call(s, start_run, s);
}

_Noreturn void monitor_start_spawner(struct family *f)
{
	struct start *s = start_through(f, MEMBER_NONE, spawner_steps);

	stack_call(s, spawner_run, &s->member);
}
