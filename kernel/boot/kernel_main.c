/* SPDX-License-Identifier: ISC */
/*
 * The start of a member's kernel: the family's first, which makes everything in kin and PID 1, one
 * that makes the process of a session (unifork exec), or one that takes over a process at its exec.
 * Clones do not come here: they continue in fork.c.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch_hooks.h"
#include "kernel/boot/session_terminal.h"
#include "kernel/boot/tree.h"
#include "kernel/dev/dev.h"
#include "kernel/exec/exec.h"
#include "kernel/exec/spawn.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/rusage.h"
#include "kernel/signal/signal_hooks.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * In this order; processor and page tables are ready. first: the family's first member; fresh:
 * every later one that boots.
 */
static const struct {
	const char *name;
	void (*first)(void);
	void (*fresh)(void);
} parts[] = {
	{"kin", kin_init, NULL},
	{"kin of this member", kin_attach, kin_attach},
	{"scheduler", sched_init, sched_init},
	{"process table", proc_table_init, proc_table_attach},
	{"file system", vfs_init, NULL},
	{"file system of this member", vfs_attach, vfs_attach},
};

/* Stands for the boot stack until the first real thread runs. */
static struct thread boot_thread;
static struct proc boot_proc;
static struct kin_proc boot_kp;

/* ---- PID 1, and the first process of a session */

#define EXIT_USAGE 100 /* as the command line itself says it */
#define EXIT_CANNOT_EXEC 126
#define EXIT_NOT_FOUND 127

/* s: NULL for PID 1. */
static struct kin_exec *exec_request(const struct kin_session *s)
{
	return (struct kin_exec *)(KIN->args + (s ? s->args : 0));
}

/* Whose program this member begins; NULL: that of `unifork run`, or it begins none. */
static struct kin_session *session_begun(void)
{
	u32 i = member_self()->session_program - 1;

	return KIN->ready && i < SESSIONS_MAX ? &KIN->sessions[i] : NULL;
}

static const char *environment_get(const struct exec_args *a, const char *name)
{
	const char *s = a->strings;
	size_t len = strlen(name);

	for (u32 i = 0; i < a->argc + a->envc; i++, s += strlen(s) + 1)
		if (i >= a->argc && !strncmp(s, name, len) && s[len] == '=')
			return s + len + 1;
	return NULL;
}

/* execvp: a name without a slash is looked for in PATH. Returns the error that says most. */
static s64 run_in_path(struct exec_args *a)
{
	static char path[VFS_PATH_MAX];
	const char *name = a->path, *dir = environment_get(a, "PATH");
	s64 err, result = -ENOENT;

	if (strchr(name, '/'))
		return exec_run(a);
	for (dir = dir ? dir : PATH_DEFAULT; dir;) {
		const char *end = strchr(dir, ':');
		size_t len = end ? (size_t)(end - dir) : strlen(dir);

		if (len + strlen(name) + 2 < sizeof(path)) {
			memcpy(path, dir, len);
			path[len] = '\0';
			if (len)
				strlcat(path, "/", sizeof(path));
			strlcat(path, name, sizeof(path));
			a->path = path;
			err = exec_run(a);
			if (err != -ENOENT && err != -ENOTDIR)
				result = err;
			if (err != -ENOENT && err != -ENOTDIR && err != -EACCES)
				break;
		}
		dir = end ? end + 1 : NULL;
	}
	a->path = name;
	return result;
}

/* Standard input, output and error. What unifork was started without is missing inside, too. */
static void open_standard_io(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct file *f = host_io_file(fd);

		if (f && fd_install_at(f, fd, 0) < 0)
			kpanic("cannot set up descriptor %d", fd);
	}
}

/* What a first process has from the command line, and all others from it. s: NULL for PID 1. */
static void inherited_begin(struct proc_inherited *in, const struct kin_session *s)
{
	bool own = s && s->own_user;

	memset(in, 0, sizeof(*in)); /* the slot may have been another's */
	in->uid = in->euid = in->suid = in->fsuid = own ? s->uid : KIN->start.uid;
	in->gid = in->egid = in->sgid = in->fsgid = own ? s->gid : KIN->start.gid;
	in->ngroups = own ? 0 : MIN(KIN->start.group_count, GROUPS_MAX);
	memcpy(in->groups, KIN->start.groups, in->ngroups * sizeof(in->groups[0]));
	in->dumpable = 1;
	in->umask = 022;
	in->caps_bounding = CAPS_ALL;
	in->loginuid = in->sessionid = ~0u;
	caps_reset(in);
	rlimits_default(in);
	for (u32 i = 0; i < START_LIMITS; i++) {
		if (!(KIN->start.limits_set >> i & 1))
			continue;
		in->rlimit_cur[i] = KIN->start.limits[i].soft;
		in->rlimit_max[i] = KIN->start.limits[i].hard;
	}
}

/* On the program's standard error, which may be a terminal of the family's. */
static void complain(struct pty *terminal, const char *what, const char *path, s64 err)
{
	char line[EXEC_COMPLAINT_MAX];

	if (terminal)
		pty_said(terminal, line, exec_complaint(line, sizeof(line), what, path, err));
	else
		exec_complain(what, path, err);
}

static _Noreturn void first_program(struct kin_session *s)
{
	struct kin_exec *e = exec_request(s);
	struct proc *p = current->proc;
	struct pty *terminal = NULL;
	struct exec_args a;
	const char *cwd;
	s64 err = 0;

	exec_args_of(e, &a, &cwd);
	p->actions = signal_actions_clone(NULL);
	p->fs = fs_context_create(p->kp, cwd);
	p->mm = mm_create();
	if (!p->actions || !p->fs || !p->mm || fdtable_create(&p->kp->fds))
		kpanic("no memory for the first process");
	signal_actions_ignore(p->actions, e->ignored);
	if (e->ignored & SIGBIT(SIGCHLD))
		atomic_fetch_or(&p->kp->flags, KP_NOCLDWAIT);
	proc_set_comm(current, "unifork");
	if (s && s->terminal)
		terminal = session_terminal(&err);
	else
		open_standard_io();
	if (err) /* there is nobody who could be told more */
		proc_exit(EXIT_CANNOT_EXEC << 8);
	if (e->workdir && (err = fs_directory_check(cwd))) {
		complain(terminal, "working directory ", cwd, err);
		proc_exit((s ? EXIT_CANNOT_EXEC : EXIT_USAGE) << 8);
	}
	if (e->init)
		init_fork();
	err = run_in_path(&a);
	complain(terminal, "", a.path, err);
	proc_exit((err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC) << 8);
}

/* A process without a parent in the family, leader of a session of its own. */
static void process_enter(struct kin_proc *kp, const struct kin_session *s)
{
	struct kin_member *self = member_self();

	kp->nthreads = 1;
	strlcpy(kp->comm, "unifork", sizeof(kp->comm));
	kp->start_ns = time_mono_ns();
	kp->exit_signal = SIGCHLD;
	inherited_begin(&kp->inherited, s);
	tree_lock();
	kp->pgid = kp->sid = kp->pid;
	kin_proc_enter(kp, NULL);
	tree_unlock();
	self->pid = kp->pid;
	self->backend = BOOT_INFO->backend;
	atomic_store(&self->proc, (u64)kp);
}

static void make_first_process(void)
{
	struct kin_proc *kp = kin_proc_alloc();

	kassert(kp && kp->pid == 1);
	process_enter(kp, NULL);
	console_get()->session = kp->pid;
	console_get()->foreground_pgid = kp->pid;
}

/* ---- every member */

/* Where the main thread of a booted member begins, on its own kernel stack. */
static void main_begin(void *first)
{
	sched_first_thread();
	if (first)
		first_program(session_begun());
	spawn_run();
}

/* There is no process in this member. */
static _Noreturn void nothing_to_do(int status)
{
	atomic_store(&member_self()->state, MEMBER_EXITING);
	host_exit(status);
}

/* Until it is entered, and named in the record, a death leaves an embryo that the burial frees. */
static void make_session_process(const struct kin_session *s)
{
	struct kin_proc *kp = kin_proc_alloc();

	if (!kp) {
		exec_complain("", exec_request(s)->strings, -EAGAIN);
		nothing_to_do(EXIT_CANNOT_EXEC);
	}
	atomic_fetch_or(&kp->flags, KP_OUTSIDE);
	process_enter(kp, s);
}

static _Noreturn void run_main_thread(bool first)
{
	struct kin_proc *kp = (struct kin_proc *)member_self()->proc;
	struct proc *p;
	struct thread *t;

	/* It may not have got as far as this record before the member that asked for it died. */
	if (!first && !spawn_owns(BOOT_INFO->member, kp))
		nothing_to_do(0);
	p = proc_create(kp);
	t = p ? thread_create(p) : NULL;
	if (!t)
		kpanic("no memory for the main thread");
	t->tid = kp->pid;
	memcpy(t->comm, kp->comm, sizeof(t->comm));
	arch_thread_init_kernel(t, main_begin, first ? kp : NULL);
	cpu_follow_attention(&kp->attention);
	context_switch(t);
	kpanic("the boot stack was switched to");
}

_Noreturn void kernel_main(void)
{
	bool first = !KIN->ready;
	struct kin_session *session = session_begun();

	boot_proc.kp = &boot_kp;
	boot_thread.proc = &boot_proc;
	current = &boot_thread;
	cpu_follow_attention(&boot_kp.attention);
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		void (*init)(void) = first ? parts[i].first : parts[i].fresh;

		if (init)
			init();
	}
	/* context_switch saves the boot thread, too: it never runs again, but needs a place. */
	arch_thread_init(&boot_thread, NULL, kmalloc(arch_area_size()));
	member_self()->first_tsc = arch_cycles();
	if (first) {
		make_first_process();
		atomic_store(&KIN->ready, 1);
	} else if (session) {
		make_session_process(session);
	}
	member_live();
	run_main_thread(first || session);
}
