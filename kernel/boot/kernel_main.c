/* SPDX-License-Identifier: ISC */
/*
 * The start of a member's kernel: the family's first, which makes everything in kin and PID 1, or a
 * fresh one that takes over a process at its exec. Clones do not come here: they continue in
 * fork.c.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/arch/arch_hooks.h"
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

/* ---- PID 1 */

#define EXIT_USAGE 100 /* as the command line itself says it */

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

/* What the first process has from the command line, and all others from it. */
static void inherited_begin(struct proc_inherited *in)
{
	in->uid = in->euid = in->suid = in->fsuid = KIN->start.uid;
	in->gid = in->egid = in->sgid = in->fsgid = KIN->start.gid;
	in->ngroups = MIN(KIN->start.group_count, GROUPS_MAX);
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

static _Noreturn void first_program(void)
{
	struct kin_exec *e = (struct kin_exec *)KIN->args;
	struct proc *p = current->proc;
	struct exec_args a;
	const char *cwd;
	s64 err;

	exec_args_of(e, &a, &cwd);
	p->actions = signal_actions_clone(NULL);
	p->fs = fs_context_create(p->kp, cwd);
	p->mm = mm_create();
	if (!p->actions || !p->fs || !p->mm || fdtable_create(&p->kp->fds))
		kpanic("no memory for the first process");
	signal_actions_ignore(p->actions, e->ignored);
	if (e->ignored & SIGBIT(SIGCHLD))
		atomic_fetch_or(&p->kp->flags, KP_NOCLDWAIT);
	open_standard_io();
	proc_set_comm(current, "unifork");
	if (e->workdir && (err = fs_directory_check(cwd))) {
		exec_complain("working directory ", cwd, err);
		proc_exit(EXIT_USAGE << 8);
	}
	if (e->init)
		init_fork();
	err = run_in_path(&a);
	exec_complain("", a.path, err);
	proc_exit(err == -ENOENT ? 127 << 8 : 126 << 8);
}

static void make_first_process(void)
{
	struct kin_proc *kp = kin_proc_alloc();
	struct kin_member *self = member_self();

	kassert(kp && kp->pid == 1);
	kp->nthreads = 1;
	kp->start_ns = time_mono_ns();
	kp->exit_signal = SIGCHLD;
	inherited_begin(&kp->inherited);
	tree_lock();
	kp->pgid = kp->sid = kp->pid;
	kin_proc_enter(kp, NULL);
	tree_unlock();
	console_get()->session = kp->pid;
	console_get()->foreground_pgid = kp->pid;
	self->pid = kp->pid;
	self->backend = BOOT_INFO->backend;
	atomic_store(&self->proc, (u64)kp);
}

/* ---- every member */

/* Where the main thread of a booted member begins, on its own kernel stack. */
static void main_begin(void *first)
{
	sched_first_thread();
	if (first)
		first_program();
	spawn_run();
}

/* The process did not get as far as this record before the member that asked for it died. */
static _Noreturn void nothing_to_do(void)
{
	atomic_store(&member_self()->state, MEMBER_EXITING);
	host_exit(0);
}

static _Noreturn void run_main_thread(bool first)
{
	struct kin_proc *kp = (struct kin_proc *)member_self()->proc;
	struct proc *p;
	struct thread *t;

	if (!first && !spawn_owns(BOOT_INFO->member, kp))
		nothing_to_do();
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
	}
	member_live();
	run_main_thread(first);
}
