/* SPDX-License-Identifier: ISC */
/*
 * /proc/PID. What the family shares is read from kin under tree_lock; cmdline, exe and cwd are
 * published by their owner; memory maps and environment exist only in the process's own VM, whose
 * kernel is asked (proc_remote.c).
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/mm/mm_hooks.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/task/trace.h"
#include "kernel/time/time_hooks.h"
#include "kernel/tty/job.h"
#include "kernel/vfs/mounts.h"

#define TICK_NS 10000000ul /* USER_HZ 100 */

/* T */
static void trace_view(const struct trace *tr, struct proc_view *v)
{
	v->tracer = tr ? tr->tracer : 0;
	v->trace_stopped = tr && tr->state != TRACE_RUNS;
}

bool proc_view(s32 pid, struct proc_view *v)
{
	tree_lock();
	struct kin_proc *p = proc_find(pid);
	if (p) {
		v->pid = p->pid;
		v->ppid = p->ppid;
		v->pgid = p->pgid;
		v->sid = p->sid;
		v->nthreads = p->nthreads;
		v->state = p->state;
		v->member = p->member;
		v->in = p->inherited;
		v->may_look = cred_may_look(p, LOOK_BY_FILES);
		v->exit_signal = p->exit_signal;
		v->stime_ns = p->stime_ns;
		v->utime_ns = proc_cpu_ns(p) - v->stime_ns;
		v->cutime_ns = p->cutime_ns;
		v->cstime_ns = p->cstime_ns;
		v->start_ns = p->start_ns;
		v->maxrss_kib = p->maxrss_kib;
		v->vm_pages = p->vm_pages;
		v->present_pages = p->present_pages;
		v->pending = p->signals.pending;
		v->quiet = p->signals.quiet;
		v->io = p->io;
		memcpy(v->comm, p->comm, sizeof(v->comm));
		v->comm[sizeof(v->comm) - 1] = '\0';
		trace_view(p->traced ? trace_find(p->pid) : NULL, v);
	}
	tree_unlock();
	return p != NULL;
}

bool proc_is_self(s32 pid)
{
	return current->proc->kp->pid == pid;
}

struct proc *proc_here(s32 pid)
{
	struct proc *p;

	LIST_FOREACH (p, &member_procs, link)
		if (p->kp->pid == pid)
			return p;
	return NULL;
}

static struct fdtable *table_of(s32 pid)
{
	struct kin_proc *p = proc_find(pid);

	return p && p->state != PROC_ZOMBIE ? p->fds : NULL;
}

struct file *proc_file_flags(s32 pid, u32 fd, u32 *flags)
{
	struct file *f = NULL;

	tree_lock();
	struct fdtable *table = table_of(pid);
	if (table)
		f = fdtable_get_flags(table, (int)fd, flags);
	tree_unlock();
	return f;
}

struct file *proc_file(s32 pid, u32 fd)
{
	u32 flags;

	return proc_file_flags(pid, fd, &flags);
}

s32 proc_next_fd(s32 pid, s32 fd)
{
	s32 next = -1;

	tree_lock();
	struct fdtable *table = table_of(pid);
	if (table)
		next = fdtable_next(table, fd);
	tree_unlock();
	return next;
}

static struct thread *own_thread(struct proc *p, s32 tid)
{
	struct thread *t;

	LIST_FOREACH (t, &p->threads, sibling)
		if (t->tid == tid)
			return t;
	return NULL;
}

s64 proc_view_target(const struct proc_target *p, struct proc_view *v, struct thread **thread)
{
	*thread = NULL;
	if (!proc_view(p->pid, v))
		return -ESRCH;
	if (p->tid && p->tid != p->pid) {
		tree_lock();
		trace_view(trace_find(p->tid), v);
		tree_unlock();
	}
	struct proc *here = proc_here(p->pid);
	if (!here)
		return 0;
	*thread = own_thread(here, p->tid ? p->tid : p->pid);
	if (!*thread)
		return p->tid && p->tid != p->pid ? -ESRCH : 0;
	if (p->tid)
		memcpy(v->comm, (*thread)->comm, sizeof(v->comm));
	return 0;
}

/*
 * Running members that sleep are S; the doorbell's state says so. One that has a signal to deliver
 * is runnable from the moment of kill(2), although it may not have heard of it yet.
 */
static char state_letter(const struct proc_view *v, const struct thread *thread)
{
	if (v->trace_stopped && v->state != PROC_ZOMBIE)
		return 't';
	switch (v->state) {
	case PROC_STOPPED: return 'T';
	case PROC_ZOMBIE: return 'Z';
	default: break;
	}
	if (proc_is_self(v->pid))
		return !thread ? 'Z' : thread->state == THREAD_BLOCKED ? 'S' : 'R';
	if (v->member >= MEMBERS_MAX || v->pending & ~v->quiet)
		return 'R';
	return KIN->members[v->member].doorbell_state == DOORBELL_RUNNING ? 'R' : 'S';
}

/* What the host counted for this member. */
static void own_usage(s32 pid, struct proc_view *v, struct hyp_usage *u)
{
	memset(u, 0, sizeof(*u));
	if (!proc_is_self(pid) || host_usage(u))
		return;
	v->utime_ns = u->utime_ns;
	v->stime_ns = u->stime_ns;
	v->maxrss_kib = u->maxrss_kib;
}

/* Of another process only what it publishes: all, and how much of it is present. */
static void counts_of(s32 pid, const struct proc_view *v, struct mm_counts *c)
{
	*c = (struct mm_counts){.size = v->vm_pages, .resident = v->present_pages};
	if (proc_is_self(pid))
		mm_count(current->proc->mm, c);
}

struct signal_masks {
	u64 pending, blocked, ignored, caught;
};

static void masks_of(const struct thread *t, struct signal_masks *m)
{
	memset(m, 0, sizeof(*m));
	if (!t)
		return;
	m->pending = t->sig.pending;
	m->blocked = t->sig.blocked;
	for (int i = 1; i <= NSIG; i++) {
		u64 h = t->proc->actions->action[i - 1].handler;
		m->ignored |= h == 1 ? SIGBIT(i) : 0;
		m->caught |= h > 1 ? SIGBIT(i) : 0;
	}
}

s64 show_pid_stat(struct text *t, const struct proc_target *p)
{
	struct mm *mm = current->proc->mm;
	struct signal_masks m;
	struct thread *thread;
	struct mm_counts c;
	struct hyp_usage u;
	struct proc_view v;
	s64 err = proc_view_target(p, &v, &thread);

	if (err)
		return err;
	bool self = proc_is_self(p->pid);
	counts_of(p->pid, &v, &c);
	own_usage(p->pid, &v, &u);
	masks_of(thread, &m);
	struct console *tty = console_of_session(v.sid);
	text_add(t, "%d (%s) %c %d %d %d %d %d 0 %lu 0 %lu 0 ", p->tid ? p->tid : v.pid, v.comm,
			 state_letter(&v, thread), v.ppid, v.pgid, v.sid, tty ? (int)console_rdev(tty) : 0,
			 tty ? (int)tty->foreground_pgid : -1, u.minflt, u.majflt);
	text_add(t, "%lu %lu %lu %lu %d %d %d 0 %lu ", v.utime_ns / TICK_NS, v.stime_ns / TICK_NS,
			 v.cutime_ns / TICK_NS, v.cstime_ns / TICK_NS, 20 + v.in.nice, v.in.nice,
			 MAX(v.nthreads, 1), v.start_ns / TICK_NS);
	text_add(t, "%lu %lu 18446744073709551615 %lu %lu %lu 0 0 ", c.size * PAGE_SIZE, c.resident,
			 self ? mm->code_start : 0, self ? mm->code_end : 0, self ? mm->stack_start : 0);
	text_add(t, "%lu %lu %lu %lu 0 0 0 ", m.pending & 0x7fffffff, m.blocked & 0x7fffffff,
			 m.ignored & 0x7fffffff, m.caught & 0x7fffffff);
	text_add(t, "%u 0 0 0 0 0 0 %lu %lu %lu %lu %lu %lu %lu 0\n", v.exit_signal,
			 self ? mm->data_start : 0, self ? mm->data_end : 0, self ? mm->brk_start : 0,
			 self ? mm->arg_start : 0, self ? mm->arg_end : 0, self ? mm->env_start : 0,
			 self ? mm->env_end : 0);
	return 0;
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'T': return "T (stopped)";
	case 't': return "t (tracing stop)";
	default: return "Z (zombie)";
	}
}

static void add_memory(struct text *t, s32 pid, const struct proc_view *v)
{
	struct mm_counts c;

	counts_of(pid, v, &c);
	u64 kib = PAGE_SIZE / 1024, rss = c.resident * kib;
	text_add(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t       0 kB\n",
			 c.size * kib, c.size * kib, c.locked * kib);
	text_add(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t       0 kB\n",
			 MAX(rss, v->maxrss_kib), rss, rss - MIN(rss, c.shared * kib));
	text_add(t, "RssShmem:\t%8lu kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n",
			 c.shared * kib, c.data * kib, c.stack * kib, c.text * kib);
	text_add(t, "VmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n");
	text_add(t, "CoreDumping:\t0\nTHP_enabled:\t1\n");
}

static void add_signals(struct text *t, const struct thread *thread, const struct proc_view *v)
{
	struct signal_masks m;

	masks_of(thread, &m);
	text_add(t, "SigQ:\t0/127000\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", m.pending,
			 v->pending, m.blocked);
	text_add(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", m.ignored, m.caught);
}

static void add_privileges(struct text *t, const struct proc_inherited *in)
{
	text_add(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\n",
			 in->caps_inheritable, in->caps_permitted, in->caps_effective, in->caps_bounding);
	text_add(t, "CapAmb:\t%016lx\nNoNewPrivs:\t%u\nSeccomp:\t%u\nSeccomp_filters:\t%u\n",
			 in->caps_ambient, in->no_new_privs, in->seccomp_mode, in->seccomp_filters);
}

/* A name may hold what would look like a line of its own. */
static void add_name(struct text *t, const char *name)
{
	text_add(t, "Name:\t");
	for (; *name; name++)
		if (*name == '\n' || *name == '\\')
			text_bytes(t, *name == '\n' ? "\\n" : "\\\\", 2);
		else
			text_bytes(t, name, 1);
	text_add(t, "\n");
}

s64 show_pid_status(struct text *t, const struct proc_target *p)
{
	struct thread *thread;
	struct hyp_usage u;
	struct proc_view v;
	s64 err = proc_view_target(p, &v, &thread);

	if (err)
		return err;
	own_usage(p->pid, &v, &u);
	s32 tid = p->tid ? p->tid : v.pid;
	add_name(t, v.comm);
	if (v.state != PROC_ZOMBIE)
		text_add(t, "Umask:\t%04o\n", v.in.umask);
	text_add(t, "State:\t%s\n", state_name(state_letter(&v, thread)));
	text_add(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", v.pid, tid, v.ppid,
			 v.tracer);
	text_add(t, "Uid:\t%u\t%u\t%u\t%u\n", v.in.uid, v.in.euid, v.in.suid, v.in.fsuid);
	text_add(t, "Gid:\t%u\t%u\t%u\t%u\n", v.in.gid, v.in.egid, v.in.sgid, v.in.fsgid);
	text_add(t, "FDSize:\t64\nGroups:\t");
	for (u32 i = 0; i < MIN(v.in.ngroups, GROUPS_MAX); i++)
		text_add(t, "%u ", v.in.groups[i]);
	text_add(t, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", v.pid, tid, v.pgid, v.sid);
	if (v.state != PROC_ZOMBIE)
		add_memory(t, p->pid, &v);
	text_add(t, "Threads:\t%d\n", MAX(v.nthreads, 1));
	add_signals(t, thread, &v);
	add_privileges(t, &v.in);
	text_add(t,
			 "Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	text_add(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", u.nvcsw,
			 u.nivcsw);
	return 0;
}

s64 show_pid_statm(struct text *t, const struct proc_target *p)
{
	struct mm_counts c;
	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	counts_of(p->pid, &v, &c);
	text_add(t, "%lu %lu %lu %lu 0 %lu 0\n", c.size, c.resident, c.shared, c.text,
			 c.data + c.stack);
	return 0;
}

/* What the owner published, with tree_lock taken by the accessor; NUL bytes included. */
static s64 add_info(struct text *t, s32 pid, enum proc_info_item item)
{
	char *buf = kpages_alloc(2);
	size_t n = 0;

	if (!buf)
		return -ENOMEM;
	tree_lock();
	struct kin_proc *kp = proc_find(pid);
	tree_unlock(); /* slots are never given back: at worst another process is shown */
	if (kp)
		n = proc_info_get(kp, item, buf, 2 * PAGE_SIZE);
	text_bytes(t, buf, MIN(n, 2 * PAGE_SIZE));
	kpages_free(buf, 2);
	return kp ? (s64)n : -ESRCH;
}

/* [start, end) of the process's own memory. */
static s64 add_memory_text(struct text *t, u64 start, u64 end)
{
	char piece[512];

	while (start < end) {
		size_t n = MIN(end - start, sizeof(piece));
		if (copy_in(piece, (const void *)start, n))
			break;
		text_bytes(t, piece, n);
		start += n;
	}
	return 0;
}

s64 show_pid_cmdline(struct text *t, const struct proc_target *p)
{
	u64 start, end;

	mm_cmdline(current->proc->mm, &start, &end);
	if (proc_is_self(p->pid) && end > start)
		return add_memory_text(t, start, end);
	s64 n = add_info(t, p->pid, INFO_CMDLINE);
	return n < 0 ? n : 0;
}

s64 show_pid_environ(struct text *t, const struct proc_target *p)
{
	struct proc *here = proc_here(p->pid);

	if (!here)
		return proc_text_remote(t, p);
	return here->mm ? add_memory_text(t, here->mm->env_start, here->mm->env_end) : 0;
}

s64 show_pid_auxv(struct text *t, const struct proc_target *p)
{
	struct proc *here = proc_here(p->pid);
	struct mm *mm = here ? here->mm : NULL;

	if (!here)
		return proc_text_remote(t, p);
	if (!mm)
		return 0;
	if (!mm->auxv)
		return add_memory_text(t, mm->auxv_start, mm->auxv_end);
	u32 n = 0;
	while (mm->auxv[n])
		n += 2;
	text_bytes(t, mm->auxv, (n + 2) * sizeof(u64));
	return 0;
}

/* It is not text: proc_mem reads and writes it. */
s64 show_pid_mem(struct text *t, const struct proc_target *p)
{
	return -EIO;
}

s64 show_pid_comm(struct text *t, const struct proc_target *p)
{
	struct thread *thread;
	struct proc_view v;
	s64 err = proc_view_target(p, &v, &thread);

	if (!err)
		text_add(t, "%s\n", v.comm);
	return err;
}

s64 show_pid_limits(struct text *t, const struct proc_target *p)
{
	static const char *const names[RLIMITS][2] = {
		{"Max cpu time", "seconds"},     {"Max file size", "bytes"},
		{"Max data size", "bytes"},      {"Max stack size", "bytes"},
		{"Max core file size", "bytes"}, {"Max resident set", "bytes"},
		{"Max processes", "processes"},  {"Max open files", "files"},
		{"Max locked memory", "bytes"},  {"Max address space", "bytes"},
		{"Max file locks", "locks"},     {"Max pending signals", "signals"},
		{"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
		{"Max realtime priority", ""},   {"Max realtime timeout", "us"},
	};

	struct proc_view v;

	if (!proc_view(p->pid, &v))
		return -ESRCH;
	text_add(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIMITS; i++) {
		u64 limit[2] = {v.in.rlimit_cur[i], v.in.rlimit_max[i]};
		char s[2][24];
		for (u32 k = 0; k < 2; k++)
			ksnprintf(s[k], sizeof(s[k]), limit[k] == ~0ull ? "unlimited" : "%lu", limit[k]);
		text_add(t, "%-25s %-20s %-20s %-10s\n", names[i][0], s[0], s[1], names[i][1]);
	}
	return 0;
}

s64 show_pid_fdinfo(struct text *t, const struct proc_target *p)
{
	u32 entry = 0;
	struct file *f = proc_file_flags(p->pid, p->number, &entry);

	if (!f)
		return -ENOENT;
	const struct file_ops *ops = file_ops[f->type];
	u32 flags = (f->flags & ~(u32)O_CLOEXEC) | (entry & FD_CLOEXEC ? O_CLOEXEC : 0);
	text_add(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos, flags,
			 f->inode ? mount_id(f->inode) : 1, f->inode ? f->inode->ino : 0);
	file_locks_describe(f, p->pid, t);
	if (ops && ops->describe)
		ops->describe(f, t);
	file_put(f);
	return 0;
}

struct file *proc_exe_file(s32 pid)
{
	tree_lock();
	struct kin_proc *p = proc_find(pid);
	struct file *f = p ? proc_exe_get(p) : NULL;
	tree_unlock();
	return f;
}

/* false: it has no name. */
static bool add_file_path(struct text *t, struct file *f)
{
	static char path[FILE_SHOWN_MAX];
	s64 n = file_shown_path(f, path, sizeof(path));

	if (n > 0)
		text_bytes(t, path, (size_t)n);
	return n > 0;
}

/* Opening it leads to the file itself, as with fd. */
s64 link_exe(struct text *t, const struct proc_target *p)
{
	struct file *f = proc_exe_file(p->pid);

	if (!f)
		return -ENOENT;
	bool named = add_file_path(t, f);
	file_put(f);
	return named ? 0 : -ENOENT;
}

s64 link_cwd(struct text *t, const struct proc_target *p)
{
	static char path[SHOWN_PATH_MAX];

	if (proc_is_self(p->pid)) {
		s64 n = dir_shown_path(current->proc->kp->cwd, path, sizeof(path));
		if (n > 0)
			text_bytes(t, path, (size_t)n);
		return n < 0 ? n : 0;
	}
	s64 n = add_info(t, p->pid, INFO_CWD);
	return n < 0 ? n : n ? 0 : -ENOENT;
}

s64 link_root(struct text *t, const struct proc_target *p)
{
	static char path[VFS_PATH_MAX + 1];
	struct inode *root = proc_is_self(p->pid) ? current->proc->kp->root : NULL;
	s64 n = root ? dir_path(root, path, VFS_PATH_MAX) : 0;

	text_bytes(t, n > 0 ? path : "/", n > 0 ? (size_t)n : 1);
	return 0;
}

/* Where a descriptor of the host, a character device, would be in /dev; rdev as stat reports it. */
static const char *device_path(struct file *f)
{
	static const char *const memory[] = {
		[3] = "/dev/null", [5] = "/dev/zero", [7] = "/dev/full",
		[8] = "/dev/random", [9] = "/dev/urandom",
	};
	struct kstat st = {0};
	u32 minor;

	if (file_stat(f, &st) || st.rdev >> 8 != 1)
		return "/dev/tty";
	minor = st.rdev & 0xff;
	return minor < ARRAY_SIZE(memory) && memory[minor] ? memory[minor] : "/dev/tty";
}

/* Only the text for readlink; opening or walking through the link goes to the file itself. */
s64 link_fd(struct text *t, const struct proc_target *p)
{
	struct file *f = proc_file(p->pid, p->number);
	struct kstat st;

	if (!f)
		return -ENOENT;
	if ((f->path || f->inode) && add_file_path(t, f)) {
		/* said */
	} else if (f->type == FILE_HOST_IO) {
		text_add(t, "%s",
				 S_ISCHR(f->priv[1])    ? device_path(f)
				 : S_ISFIFO(f->priv[1]) ? "pipe:[1]"
				 : S_ISSOCK(f->priv[1]) ? "socket:[1]"
										: "/host-file");
	} else if (f->type == FILE_PIPE || f->type == FILE_SOCKET) {
		s64 err = file_stat(f, &st);
		text_add(t, "%s:[%lu]", f->type == FILE_PIPE ? "pipe" : "socket", err ? 0 : st.ino);
	} else {
		const struct file_ops *ops = file_ops[f->type];
		text_add(t, "anon_inode:[%s]", ops && ops->name ? ops->name : "file");
	}
	file_put(f);
	return 0;
}
