/* SPDX-License-Identifier: ISC */
/*
 * The clocks. CLOCK_MONOTONIC is the host's, from the TSC and the family's one calibration, so that
 * members and the host agree; the others are offsets of it. Where the calibration is not usable,
 * each reading is a hypercall.
 */
#include <asm/errno.h>
#include <linux/time.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock_read.h"
#include "kernel/time/time.h"
#include "kernel/time/time_hooks.h"

#define HIDE_NS 1000000ull            /* steps back that a renewed calibration may cause, hidden */
#define COARSE_RES_NS 4000000ull      /* a tick of Linux at 250 Hz */
#define TIME_MAX_NS 0x7fffffffffffffffull

/* Private to the member, changed by its kernel only. A clone begins with its parent's. */
static u64 last_mono_ns;

static u64 monotone(u64 ns)
{
	if (ns < last_mono_ns && last_mono_ns - ns < HIDE_NS)
		return last_mono_ns;
	last_mono_ns = ns;
	return ns;
}

/* Asking the monitor for the time renews the calibration. */
static bool sample(struct clock_sample *s)
{
	const struct kin_clock *c = &KIN->clock;

	if (!c->usable)
		return false;
	if (!clock_read(c, s)) {
		host_clock(CLOCK_MONOTONIC);
		if (!clock_read(c, s))
			return false;
	}
	s->mono_ns = monotone(s->mono_ns);
	return true;
}

static u64 host_ns(int clock)
{
	s64 ns = host_clock(clock);

	return ns < 0 ? 0 : (u64)ns;
}

u64 time_mono_ns(void)
{
	struct clock_sample s;

	return sample(&s) ? s.mono_ns : monotone(host_ns(CLOCK_MONOTONIC));
}

u64 time_real_ns(void)
{
	struct clock_sample s;

	return sample(&s) ? s.mono_ns + (u64)s.realtime_offset_ns : host_ns(CLOCK_REALTIME);
}

u64 time_boot_ns(void)
{
	struct clock_sample s;

	return sample(&s) ? s.mono_ns + (u64)s.boottime_offset_ns : host_ns(CLOCK_BOOTTIME);
}

u64 time_process_cpu_ns(void)
{
	return host_ns(CLOCK_PROCESS_CPUTIME_ID);
}

u64 time_thread_cpu_ns(void)
{
	return host_ns(CLOCK_THREAD_CPUTIME_ID);
}

int time_timespec_in(u64 user, u64 *ns)
{
	struct { s64 sec, nsec; } t;

	if (copy_in(&t, (void *)user, sizeof(t)))
		return -EFAULT;
	if (t.sec < 0 || t.nsec < 0 || t.nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)t.sec >= TIME_MAX_NS / NSEC_PER_SEC)
		*ns = TIME_MAX_NS;
	else
		*ns = (u64)t.sec * NSEC_PER_SEC + (u64)t.nsec;
	return 0;
}

int time_timespec_out(u64 user, u64 ns)
{
	struct { u64 sec, nsec; } t = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	return copy_out((void *)user, &t, sizeof(t));
}

u64 time_deadline(u64 now_ns, u64 ns)
{
	return now_ns + MIN(ns, TIME_MAX_NS - MIN(now_ns, TIME_MAX_NS));
}

int time_timeout_in(u64 user, u64 *deadline_ns)
{
	u64 ns;
	int err = time_timespec_in(user, &ns);

	if (!err)
		*deadline_ns = ns ? time_deadline(time_mono_ns(), ns) : 0;
	return err;
}

/* ---- clock ids of processes and threads: ~id in the upper bits, kind in the lower three */

enum { CPU_CLOCK_PER_THREAD = 4, CPU_CLOCK_KIND = 3, CPU_CLOCK_KINDS = 3 };

static bool own_thread(s32 tid)
{
	struct thread *t;

	LIST_FOREACH(t, &current->proc->threads, sibling) {
		if (t->tid == tid)
			return true;
	}
	return false;
}

/* Of another process only what it has published is known. */
static int cpu_clock(s32 clock, u64 *ns)
{
	s32 id = ~(clock >> 3);
	struct kin_proc *p;

	if ((clock & CPU_CLOCK_KIND) == CPU_CLOCK_KINDS)
		return -EINVAL;
	if (clock & CPU_CLOCK_PER_THREAD) {
		if (id && !own_thread(id))
			return -EINVAL;
		*ns = time_thread_cpu_ns();
		return 0;
	}
	if (!id || id == current->proc->kp->pid) {
		*ns = time_process_cpu_ns();
		return 0;
	}
	tree_lock();
	p = proc_find(id);
	if (p)
		*ns = proc_cpu_ns(p);
	tree_unlock();
	return p ? 0 : -EINVAL;
}

static int clock_now(s32 clock, u64 *ns)
{
	s64 tai;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
		*ns = time_real_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		*ns = time_mono_ns();
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_boot_ns();
		return 0;
	case CLOCK_TAI:
		tai = host_clock(CLOCK_TAI);
		*ns = tai > 0 ? (u64)tai : time_real_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = time_process_cpu_ns();
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = time_thread_cpu_ns();
		return 0;
	}
	return clock < 0 ? cpu_clock(clock, ns) : -EINVAL;
}

s64 sys_clock_gettime(u64 clock, u64 user)
{
	u64 ns;
	int err = clock_now((s32)clock, &ns);

	return err ? err : time_timespec_out(user, ns);
}

s64 sys_clock_getres(u64 clock, u64 user)
{
	u64 ns = 1, now;

	if ((s32)clock == CLOCK_REALTIME_COARSE || (s32)clock == CLOCK_MONOTONIC_COARSE) {
		ns = COARSE_RES_NS;
	} else {
		int err = clock_now((s32)clock, &now);

		if (err)
			return err;
	}
	return user ? time_timespec_out(user, ns) : 0;
}

/* The clocks are the host's. */
s64 sys_clock_settime(u64 clock, u64 user)
{
	u64 ns;
	int err;

	if ((s32)clock != CLOCK_REALTIME)
		return -EINVAL;
	err = time_timespec_in(user, &ns);
	return err ? err : -EPERM;
}

s64 sys_gettimeofday(u64 utime, u64 uzone)
{
	u64 ns = time_real_ns();
	struct { u64 sec, usec; } t = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000 };

	if (utime && copy_out((void *)utime, &t, sizeof(t)))
		return -EFAULT;
	return uzone ? clear_out((void *)uzone, sizeof(struct timezone)) : 0;
}

s64 sys_time(u64 user)
{
	s64 seconds = (s64)(time_real_ns() / NSEC_PER_SEC);

	if (user && copy_out((void *)user, &seconds, sizeof(seconds)))
		return -EFAULT;
	return seconds;
}

/* One virtual CPU per member. */
s64 sys_getcpu(u64 ucpu, u64 unode, u64 unused)
{
	if (ucpu && clear_out((void *)ucpu, sizeof(u32)))
		return -EFAULT;
	return unode ? clear_out((void *)unode, sizeof(u32)) : 0;
}
