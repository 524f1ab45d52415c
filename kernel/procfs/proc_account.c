/* SPDX-License-Identifier: ISC */
/*
 * /proc/PID files that count, trace or set: io, schedstat, smaps, syscall, the scores. What is
 * private to another member is asked for (proc_remote.c).
 */
#include <asm/errno.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/cred.h"

#define PIECE_PAGES 16
#define OOM_ADJUST_MAX 1000

/* The text is made in windows: kernel/mm/maps.c. */
static s64 add_mapped(struct text *t, const struct proc_target *p, enum mm_detail detail)
{
	struct proc *here = proc_here(p->pid);

	if (!here)
		return proc_text_remote(t, p);
	char *piece = here->mm ? kpages_alloc(PIECE_PAGES) : NULL;
	u64 skip = 0;
	s64 n;

	if (!piece)
		return here->mm ? -ENOMEM : 0;
	while ((n = mm_print_maps(here->mm, piece, PIECE_PAGES * PAGE_SIZE, skip, detail)) > 0) {
		text_bytes(t, piece, (size_t)n);
		skip += (u64)n;
	}
	kpages_free(piece, PIECE_PAGES);
	return n;
}

s64 show_pid_maps(struct text *t, const struct proc_target *p)
{
	return add_mapped(t, p, MM_LINES);
}

s64 show_pid_smaps(struct text *t, const struct proc_target *p)
{
	return add_mapped(t, p, MM_USE);
}

s64 show_pid_smaps_rollup(struct text *t, const struct proc_target *p)
{
	return add_mapped(t, p, MM_SUM);
}

/* Files are memory: only volumes reach a disk, and that is the host's doing. */
s64 show_pid_io(struct text *t, const struct proc_target *p)
{
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", v.io.read_bytes,
			 v.io.write_bytes, v.io.reads, v.io.writes);
	text_add(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
	return 0;
}

/* Time on the processor, time waiting for it (not known), and how often it got it. */
s64 show_pid_schedstat(struct text *t, const struct proc_target *p)
{
	struct hyp_usage u = {0};
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	if (proc_is_self(p->pid) && !host_usage(&u)) {
		v.utime_ns = u.utime_ns;
		v.stime_ns = u.stime_ns;
	}
	text_add(t, "%lu 0 %lu\n", v.utime_ns + v.stime_ns, u.nvcsw + u.nivcsw);
	return 0;
}

/* Where in the kernel a process sleeps is nobody's business: as Linux answers the unprivileged. */
s64 show_pid_wchan(struct text *t, const struct proc_target *p)
{
	text_add(t, "0");
	return 0;
}

/* The private thread that p means, if it is this member's; else -EPERM or -ESRCH. */
static s64 own_thread(const struct proc_target *p, struct thread **thread)
{
	struct proc_view v;
	s64 err = proc_view_target(p, &v, thread);

	return err ? err : *thread ? 0 : -EPERM;
}

s64 show_pid_syscall(struct text *t, const struct proc_target *p)
{
	struct thread *thread;
	s64 err = own_thread(p, &thread);

	if (err)
		return err == -EPERM ? proc_text_remote(t, p) : err;
	const struct trapframe *f = thread_frame(thread);
	bool inside = thread == current && frame_is_call(f);
	if (!inside && thread->state != THREAD_BLOCKED)
		text_add(t, "running\n");
	else
		text_add(t, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", (s64)frame_call(f),
				 frame_argument(f, 0), frame_argument(f, 1), frame_argument(f, 2),
				 frame_argument(f, 3), frame_argument(f, 4), frame_argument(f, 5), frame_sp(f),
				 frame_ip(f));
	return 0;
}

s64 show_pid_personality(struct text *t, const struct proc_target *p)
{
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "%08x\n", v.in.personality);
	return 0;
}

s64 show_pid_timerslack(struct text *t, const struct proc_target *p)
{
	struct thread *thread;
	s64 err = own_thread(p, &thread);

	if (err)
		return err == -EPERM && cred_capable(CAP_SYS_NICE) ? proc_text_remote(t, p) : err;
	text_add(t, "%lu\n", thread->timer_slack_ns);
	return 0;
}

s64 show_pid_oom_adjust(struct text *t, const struct proc_target *p)
{
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "%d\n", v.in.oom_adjust);
	return 0;
}

s64 show_pid_loginuid(struct text *t, const struct proc_target *p)
{
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "%u", v.in.loginuid);
	return 0;
}

s64 show_pid_sessionid(struct text *t, const struct proc_target *p)
{
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "%u", v.in.sessionid);
	return 0;
}

/* As if the first thread had made all of them. */
s64 show_tid_children(struct text *t, const struct proc_target *p)
{
	s32 pids[64];
	u32 n = 0;
	s64 err = 0;
	struct kin_proc *kp, *child;

	if (p->tid != p->pid)
		return 0;
	tree_lock();
	kp = proc_find(p->pid);
	if (!kp)
		err = -ESRCH;
	else
		TAILQ_FOREACH (child, &kp->children, sibling)
			if (n < ARRAY_SIZE(pids))
				pids[n++] = child->pid;
	tree_unlock();
	for (u32 i = 0; i < n; i++)
		text_add(t, "%d ", pids[i]);
	return err;
}

s64 link_ns(struct text *t, const struct proc_target *p)
{
	text_add(t, "%s:[%lu]", p->entry->line, p->entry->value);
	return 0;
}

/* A decimal number and nothing else but blanks. */
static bool parse(const char *s, s64 *value)
{
	bool negative = false;
	u32 digits = 0;

	*value = 0;
	while (*s == ' ')
		s++;
	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	for (; *s >= '0' && *s <= '9' && digits < 18; s++, digits++)
		*value = *value * 10 + (*s - '0');
	while (*s == ' ' || *s == '\n')
		s++;
	*value = negative ? -*value : *value;
	return digits && !*s;
}

static s64 set_oom_adjust(const struct proc_target *p, const char *text)
{
	s64 value, err = -ESRCH;

	if (!parse(text, &value) || value < -OOM_ADJUST_MAX || value > OOM_ADJUST_MAX)
		return -EINVAL;
	tree_lock();
	struct kin_proc *kp = proc_find(p->pid);
	if (kp)
		err = value < kp->inherited.oom_adjust && !cred_capable(CAP_SYS_RESOURCE) ? -EACCES : 0;
	if (kp && !err)
		kp->inherited.oom_adjust = (s32)value;
	tree_unlock();
	return err;
}

static s64 set_timerslack(const struct proc_target *p, const char *text)
{
	struct thread *thread;
	s64 value, err = own_thread(p, &thread);

	if (err)
		return err;
	if (!parse(text, &value) || value < 0)
		return -EINVAL;
	thread->timer_slack_ns = value ? (u64)value : thread->timer_slack_default_ns;
	return 0;
}

/* Once, by whoever logs somebody in; again only with the capability. All that follows is theirs. */
static s64 set_loginuid(const struct proc_target *p, const char *text)
{
	struct proc_inherited *in = &current->proc->kp->inherited;
	s64 value;

	if (!parse(text, &value) || value < 0 || value > ~0u)
		return -EINVAL;
	if (!proc_is_self(p->pid) || (in->loginuid != ~0u && !cred_capable(CAP_AUDIT_CONTROL)))
		return -EPERM;
	in->sessionid = value == ~0u ? ~0u : atomic_fetch_add(&vfs_shared()->next_session, 1) + 1;
	in->loginuid = (u32)value;
	return 0;
}

static s64 set_comm(const struct proc_target *p, const char *text)
{
	struct thread *thread;
	char name[COMM_LEN];

	if (!proc_is_self(p->pid) || own_thread(p, &thread))
		return -EINVAL;
	strlcpy(name, text, sizeof(name));
	proc_set_comm(thread, name);
	return 0;
}

static const struct {
	s64 (*show)(struct text *t, const struct proc_target *p);
	s64 (*set)(const struct proc_target *p, const char *text);
} setters[] = {
	{show_pid_oom_adjust, set_oom_adjust}, {show_pid_timerslack, set_timerslack},
	{show_pid_loginuid, set_loginuid},     {show_pid_comm, set_comm},
	{show_tunable, set_tunable},           {show_sem, set_sem},
	{show_hostname, set_name},             {show_domainname, set_name},
};

s64 proc_set(const struct proc_target *p, const char *text)
{
	for (u32 i = 0; i < ARRAY_SIZE(setters); i++)
		if (setters[i].show == p->entry->show)
			return setters[i].set(p, text);
	return -EACCES;
}
