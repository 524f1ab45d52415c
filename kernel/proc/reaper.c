/* SPDX-License-Identifier: ISC */
/*
 * --init: PID 1 is the kernel itself. It clones before the exec; the child (PID 2) runs the program
 * in a session of its own with the terminal, PID 1 reaps whatever becomes an orphan, passes the
 * signals that it gets on to the child, and ends with the child's status. It never runs application
 * code.
 */
#include <asm/errno.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"

/* Reaps every zombie; ends the family with the program's status once that is among them. */
static void reap_all(s32 program)
{
	u32 status;
	s64 pid;

	while ((pid = wait_reap_any(&status)) > 0)
		if (pid == program)
			proc_exit(status);
}

static void pass_on(s32 program, int sig)
{
	struct kin_proc *p;

	if (sig == SIGKILL)
		proc_exit(SIGKILL);
	if (sig == SIGCHLD)
		return;
	tree_lock();
	p = proc_find(program);
	if (p)
		tree_signal(p, sig, NULL);
	tree_unlock();
}

/* All of PID 1's work; it is never done. */
static bool serve(void *arg)
{
	s32 program = *(s32 *)arg;
	struct ksiginfo info;
	int sig;

	reap_all(program);
	while ((sig = signal_take(current, ~0ull, &info)) != 0)
		pass_on(program, sig);
	return false;
}

static _Noreturn void init_loop(s32 program)
{
	struct thread *t = current;

	/* Every signal stays pending until it is taken here, and ends the sleep. */
	t->sig.blocked = ~0ull & ~SIGSET_NEVER_BLOCKED;
	t->sig.waited = ~0ull;
	signals_mirror(t->proc);
	for (;;)
		wait_until(&t->proc->kp->wait_queue, serve, &program, HYP_NO_DEADLINE, SLEEP_ANY_SIGNAL);
}

void init_fork(void)
{
	struct kin_proc *kp;
	s64 pid = proc_fork(0, 0, 0, 0, 0, SIGCHLD);

	if (pid < 0)
		kpanic("--init: cannot clone the first member: %s", error_text(pid));
	if (pid > 0)
		init_loop((s32)pid);
	kp = current->proc->kp;
	tree_lock();
	kp->sid = kp->pgid = kp->pid;
	tree_unlock();
	console_get()->session = kp->sid;
	console_get()->foreground_pgid = kp->pgid;
	proc_set_comm(current, "unifork");
}
