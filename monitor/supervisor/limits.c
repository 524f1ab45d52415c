/* SPDX-License-Identifier: ISC */
/*
 * --memory and --pids, from outside of the members: what is counted is what the host says of the
 * monitors, so that a member that ignores its kernel is counted all the same. The kernel keeps to
 * the limits by itself where Linux answers with an error (files in memory ENOSPC, fork EAGAIN).
 * Their kernels also draw on a credit before fresh memory becomes accessible
 * (kernel/mm/charge.c), which is what makes the limit exact for them; but copies of shared pages
 * are made by the host without a word to any kernel, and a hostile one does not ask.
 *
 * The family's memory is the anonymous memory of its monitors, pages that several share counted
 * once, and kin. While the cheap bound (usage.c) is below the limit, nobody is disturbed; it is
 * looked at again before the members could touch what is left at the speed of TOUCH_BYTES_PER_NS.
 * When it is above, all monitors are stopped, so that the exact sum is of one moment and nothing
 * is touched while it is taken: one that ran would hold the host's locks, too, and the look took a
 * hundred times as long. Is the sum above the limit, the largest member is killed, as Linux does,
 * and the others go on when its memory is free.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "monitor/supervisor/internal.h"

#define CREDIT_MIN (256ull << 10)
#define TOUCH_BYTES_PER_NS 8 /* of one processor: huge pages */
#define CPUS_COUNTED 4       /* more share the speed of these */
#define INTERVAL_MIN_NS 200000ull
#define INTERVAL_MAX_NS 1000000000ull
/* Looking takes one part in so many of the time: near the limit while it grows, and otherwise. */
#define SHARE_GROWING 2
#define SHARE_IDLE 20
#define PEAK_STEPS 8
#define STOPPED_SHARE 2 /* after a stop the members run for half as long at least */
#define VICTIM_PATIENCE_MS 2000
#define VICTIMS_MAX 16 /* of one look */
#define BURIAL_PATIENCE_NS 1000000000ull
#define MONITORS_SLACK 64

static void victim_name(struct supervisor *s, pid_t pid, char *text, size_t size)
{
	struct kin_header *kin = s->family.kin;
	char comm[sizeof(kin->members[0].comm) + 1] = "";

	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		if (KIN_READ(kin->members[i].host_pid) != pid)
			continue;
		memcpy(comm, kin->members[i].comm, sizeof(comm) - 1);
		for (char *c = comm; *c; c++)
			if (*c < 32 || *c > 126)
				*c = '?';
		snprintf(text, size, "member %u (%s)", i, comm);
		return;
	}
	snprintf(text, size, "a member");
}

/* Returns when its memory is free, which may be long before it can be reaped. */
static void victim_kill(struct supervisor *s, const struct usage_largest *victim, u64 sum_bytes)
{
	struct pollfd gone = {(int)syscall(SYS_pidfd_open, victim->pid, 0), POLLIN, 0};
	char name[64];

	victim_name(s, victim->pid, name, sizeof(name));
	kill(victim->pid, SIGKILL);
	s->limits.killed++;
	fprintf(stderr,
			"unifork: %s was killed: out of memory (it has %llu MiB, "
			"the family %llu of %llu MiB)\n",
			name, (unsigned long long)victim->bytes >> 20, (unsigned long long)sum_bytes >> 20,
			(unsigned long long)s->options->memory_bytes >> 20);
	if (gone.fd < 0)
		return;
	while (poll(&gone, 1, VICTIM_PATIENCE_MS) < 0 && errno == EINTR)
		;
	close(gone.fd);
}

/*
 * Shared memory that a dead member held is free when another one has buried it: until then it is
 * not known whether the next one must die.
 */
static bool burial_awaited(const struct supervisor *s)
{
	return s->family.kin->inbox_pending && supervisor_now_ns() < s->limits.buried_by_ns;
}

/* The least that is left while nothing is too much yet: without it each page would be asked for. */
static void credit_set(struct supervisor *s, u64 bytes)
{
	struct kin_header *kin = s->family.kin;
	u64 limit = s->options->memory_bytes;

	kin->memory_credit = bytes > limit ? 0 : (s64)MAX(limit - bytes, CREDIT_MIN);
	kin->memory_looks++;
	syscall(SYS_futex, &kin->memory_looks, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* The exact sum, of one moment; and what is above the limit is ended. */
static u64 settle(struct supervisor *s)
{
	u64 bytes, limit = s->options->memory_bytes, kin;
	struct usage_largest largest;

	children_signal(SIGSTOP);
	for (u32 i = 0; i < VICTIMS_MAX; i++) {
		bytes = usage_exact(s, &largest);
		kin = s->usage.exact_kin_bytes;
		s->limits.peak_bytes = MAX(s->limits.peak_bytes, bytes);
		if (bytes <= limit || !largest.pid || (burial_awaited(s) && bytes - kin <= limit))
			break;
		victim_kill(s, &largest, bytes);
		s->limits.buried_by_ns = supervisor_now_ns() + BURIAL_PATIENCE_NS;
		if (kin > limit / 4)
			break;
	}
	credit_set(s, bytes);
	children_signal(SIGCONT);
	return bytes;
}

/* A hostile guest of the process backend can clone its monitor without asking its kernel. */
static void monitors_check(struct supervisor *s, u32 monitors)
{
	u64 bound = MIN(s->options->tasks_max ? s->options->tasks_max : MEMBERS_MAX, MEMBERS_MAX);

	if (monitors <= 2 * bound + MONITORS_SLACK)
		return;
	error_set(&s->failure, 0, "the family has %u monitors, more than --pids allows; it was ended",
			  monitors);
	s->ended = true;
}

/* What a look costs; the clock would count what others run meanwhile. */
static u64 cpu_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static u64 interval_ns(const struct supervisor *s, u64 bytes, u64 cpu_ns, bool grows)
{
	u64 limit = s->options->memory_bytes, left = limit > bytes ? limit - bytes : 0;
	u64 speed = TOUCH_BYTES_PER_NS * MIN(MAX(s->family.kin->cpus, 1u), CPUS_COUNTED);
	u64 ns = limit ? left / speed : INTERVAL_MAX_NS / SHARE_IDLE;

	ns = MAX(ns, cpu_ns * (limit && grows ? SHARE_GROWING : SHARE_IDLE));
	return MIN(MAX(ns, INTERVAL_MIN_NS), INTERVAL_MAX_NS);
}

bool limits_set(const struct supervisor *s)
{
	return s->options->memory_bytes || s->options->tasks_max;
}

/*
 * For --stats: is it worth a stop to learn of a higher peak? By a step, or when it has come to
 * rest.
 */
static bool peak_rises(const struct supervisor *s, u64 bytes)
{
	u64 peak = s->limits.peak_bytes;

	return bytes > peak + s->options->memory_bytes / PEAK_STEPS ||
		   (bytes > peak && bytes == s->limits.last_bytes);
}

/* A member waits for a look: it gets one when the family has run for a while since the last. */
static bool look_wanted(struct supervisor *s)
{
	u64 limit = s->options->memory_bytes;

	if (!limit || !s->family.kin->memory_wanted)
		return false;
	s->limits.deadline_ns = MIN(s->limits.deadline_ns, s->limits.rested_ns);
	return true;
}

void limits_check(struct supervisor *s)
{
	u64 now = supervisor_now_ns(), limit = s->options->memory_bytes, bytes, start, cpu, rest = 0;
	bool wanted = look_wanted(s);
	u32 monitors;

	if (!limits_set(s) || s->ended || now < s->limits.deadline_ns)
		return;
	start = cpu_now_ns();
	bytes = usage_bound(s, &monitors);
	monitors_check(s, monitors);
	cpu = cpu_now_ns() - start;
	if (limit && (wanted || bytes > limit || peak_rises(s, bytes))) {
		s->family.kin->memory_wanted = 0;
		bytes = settle(s);
		rest = MAX((cpu_now_ns() - start) / STOPPED_SHARE, INTERVAL_MIN_NS);
	}
	now = supervisor_now_ns();
	s->limits.rested_ns = MAX(s->limits.rested_ns, now + rest);
	s->limits.deadline_ns =
		now + MAX(rest, interval_ns(s, bytes, cpu, bytes > s->limits.last_bytes));
	s->limits.last_bytes = bytes;
}
