/* SPDX-License-Identifier: ISC */
/*
 * Resource limits and usage. Limits lie in kin, where prlimit64 reaches those of others, too.
 * Usage of a running process is the host's accounting of its monitor; that of the dead is in kin,
 * written when they exited.
 */
#include <asm/errno.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/times.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/rusage.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/time/time.h"

#define TICK_NS 10000000ull /* USER_HZ is 100 */
#define NOFILE_HARD 1048576ull
#define STACK_SOFT (8ull << 20)
#define MEMLOCK (8ull << 20)

void rlimits_default(struct proc_inherited *in)
{
	for (u32 i = 0; i < RLIM_NLIMITS; i++)
		in->rlimit_cur[i] = in->rlimit_max[i] = RLIM64_INFINITY;
	in->rlimit_cur[RLIMIT_STACK] = STACK_SOFT;
	in->rlimit_cur[RLIMIT_CORE] = 0;
	in->rlimit_cur[RLIMIT_NOFILE] = 1024;
	in->rlimit_max[RLIMIT_NOFILE] = NOFILE_HARD;
	in->rlimit_cur[RLIMIT_NPROC] = in->rlimit_max[RLIMIT_NPROC] = PROCS_MAX;
	in->rlimit_cur[RLIMIT_SIGPENDING] = in->rlimit_max[RLIMIT_SIGPENDING] = PROCS_MAX;
	in->rlimit_cur[RLIMIT_MEMLOCK] = in->rlimit_max[RLIMIT_MEMLOCK] = MEMLOCK;
	in->rlimit_cur[RLIMIT_MSGQUEUE] = in->rlimit_max[RLIMIT_MSGQUEUE] = 819200;
	in->rlimit_cur[RLIMIT_NICE] = in->rlimit_max[RLIMIT_NICE] = 0;
	in->rlimit_cur[RLIMIT_RTPRIO] = in->rlimit_max[RLIMIT_RTPRIO] = 0;
}

/* T */
static s64 limit_set(struct proc_inherited *in, u32 which, const struct rlimit64 *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (new->rlim_max > in->rlimit_max[which] && !cred_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (which == RLIMIT_NOFILE && new->rlim_max > NOFILE_HARD)
		return -EPERM;
	in->rlimit_cur[which] = new->rlim_cur;
	in->rlimit_max[which] = new->rlim_max;
	return 0;
}

/* T: the limits of another are for who is the same user and group in all respects. */
static s64 limit_target(s32 pid, struct kin_proc **out)
{
	struct proc_inherited *me = &current->proc->kp->inherited, *other;
	struct kin_proc *p = pid ? proc_find(pid) : current->proc->kp;

	*out = p;
	if (!p)
		return -ESRCH;
	other = &p->inherited;
	if (p == current->proc->kp || cred_capable(CAP_SYS_RESOURCE))
		return 0;
	return me->uid == other->euid && me->uid == other->suid && me->uid == other->uid &&
				   me->gid == other->egid && me->gid == other->sgid && me->gid == other->gid
			   ? 0
			   : -EPERM;
}

s64 sys_prlimit64(u64 pid, u64 resource, u64 unew, u64 uold)
{
	struct rlimit64 new, old = {0};
	struct kin_proc *p;
	u32 which = (u32)resource;
	s64 err;

	if (unew && copy_in(&new, (void *)unew, sizeof(new)))
		return -EFAULT;
	tree_lock();
	err = limit_target((s32)pid, &p);
	if (!err && which >= RLIM_NLIMITS)
		err = -EINVAL;
	if (!err) {
		old.rlim_cur = p->inherited.rlimit_cur[which];
		old.rlim_max = p->inherited.rlimit_max[which];
	}
	if (!err && unew)
		err = limit_set(&p->inherited, which, &new);
	tree_unlock();
	if (!err && unew && which == RLIMIT_CPU && p == current->proc->kp)
		err = timers_cpu_limit();
	if (err)
		return err;
	return uold ? copy_out((void *)uold, &old, sizeof(old)) : 0;
}

s64 sys_getrlimit(u64 which, u64 old)
{
	return old ? sys_prlimit64(0, which, 0, old) : -EFAULT;
}

s64 sys_setrlimit(u64 which, u64 new)
{
	return new ? sys_prlimit64(0, which, new, 0) : -EFAULT;
}

static void timeval_set(struct __kernel_old_timeval *tv, u64 ns)
{
	tv->tv_sec = (long)(ns / NSEC_PER_SEC);
	tv->tv_usec = (long)(ns % NSEC_PER_SEC / 1000);
}

static void usage_times(struct rusage *u, u64 utime_ns, u64 stime_ns)
{
	struct __kernel_old_timeval tv;

	timeval_set(&tv, utime_ns);
	memcpy(&u->ru_utime, &tv, sizeof(tv));
	timeval_set(&tv, stime_ns);
	memcpy(&u->ru_stime, &tv, sizeof(tv));
}

void rusage_of_child(struct rusage *u, const struct kin_proc *p)
{
	memset(u, 0, sizeof(*u));
	usage_times(u, p->utime_ns + p->cutime_ns, p->stime_ns + p->cstime_ns);
	u->ru_maxrss = (long)MAX(p->maxrss_kib, p->cmaxrss_kib);
}

static void usage_self(struct rusage *u)
{
	struct hyp_usage h = {0};

	if (host_usage(&h))
		h.utime_ns = sched_cpu_ns();
	usage_times(u, h.utime_ns, h.stime_ns);
	u->ru_maxrss = (long)h.maxrss_kib;
	u->ru_minflt = (long)h.minflt;
	u->ru_majflt = (long)h.majflt;
	u->ru_nvcsw = (long)h.nvcsw;
	u->ru_nivcsw = (long)h.nivcsw;
}

s64 sys_getrusage(u64 who, u64 usage)
{
	struct kin_proc *kp = current->proc->kp;
	struct rusage u = {0};

	switch ((s32)who) {
	case RUSAGE_SELF:
	case RUSAGE_THREAD: usage_self(&u); break;
	case RUSAGE_CHILDREN:
		usage_times(&u, kp->cutime_ns, kp->cstime_ns);
		u.ru_maxrss = (long)kp->cmaxrss_kib;
		break;
	default: return -EINVAL;
	}
	return copy_out((void *)usage, &u, sizeof(u));
}

s64 sys_times(u64 buf)
{
	struct kin_proc *kp = current->proc->kp;
	struct hyp_usage h = {0};
	struct tms t;

	if (buf) {
		if (host_usage(&h))
			h.utime_ns = sched_cpu_ns();
		t.tms_utime = (__kernel_clock_t)(h.utime_ns / TICK_NS);
		t.tms_stime = (__kernel_clock_t)(h.stime_ns / TICK_NS);
		t.tms_cutime = (__kernel_clock_t)(kp->cutime_ns / TICK_NS);
		t.tms_cstime = (__kernel_clock_t)(kp->cstime_ns / TICK_NS);
		if (copy_out((void *)buf, &t, sizeof(t)))
			return -EFAULT;
	}
	return (s64)(time_boot_ns() / TICK_NS);
}

/*
 * Memory is what the host gives on touch: without --memory the sizes say how much a member may
 * think of, not what the host has.
 */
s64 sys_sysinfo(u64 buf)
{
	struct sysinfo s = {0};

	s.uptime = (__kernel_long_t)(time_boot_ns() / NSEC_PER_SEC);
	s.totalram = memory_total();
	s.sharedram = kin_pages_used() * PAGE_SIZE;
	s.freeram = (s.totalram - MIN(s.totalram, s.sharedram)) / 2;
	s.procs = (u16)proc_count();
	s.mem_unit = 1;
	return copy_out((void *)buf, &s, sizeof(s));
}
