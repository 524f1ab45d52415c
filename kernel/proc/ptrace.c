/* SPDX-License-Identifier: ISC */
/*
 * ptrace(2) between processes that share memory (clone with CLONE_VM), which live in one member.
 * Leak checks of sanitizers stop their process's threads in that way and look at their registers.
 * Other processes lie in other virtual machines: EPERM, as where a security module forbids it.
 *
 * A member has one vCPU, so that whoever is traced does not run while the tracer does: it is held
 * where it is, and its registers are what it will go on with. Signals reach who is let go as if
 * there were no tracer. Everything here is private to the member; no lock.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/table.h"

#define STOPPED_BY(sig) ((u32)(sig) << 8 | 0x7f)

/* A thread of this member, of whichever process. */
static struct thread *thread_find(s32 tid)
{
	struct thread *t;
	struct proc *p;

	LIST_FOREACH (p, &member_procs, link)
		LIST_FOREACH (t, &p->threads, sibling)
			if (t->tid == tid)
				return t;
	return NULL;
}

static bool exists(s32 pid)
{
	tree_lock();
	bool there = proc_find(pid) != NULL;
	tree_unlock();
	return there;
}

static s64 attach(s32 tid, bool seize)
{
	struct thread *t = thread_find(tid);

	if (!t)
		return exists(tid) ? -EPERM : -ESRCH;
	if (t->proc == current->proc || t->tracer || t->proc->mm != current->proc->mm ||
		!cred_may_look(t->proc->kp, LOOK_BY_REAL))
		return -EPERM;
	t->tracer = current->proc;
	if (seize)
		return 0;
	t->trace_status = STOPPED_BY(SIGSTOP);
	thread_hold(t);
	return 0;
}

static s64 interrupt(struct thread *t)
{
	if (!t->held) {
		t->trace_status = STOPPED_BY(SIGTRAP) | PTRACE_EVENT_STOP << 16;
		thread_hold(t);
	}
	return 0;
}

/* sig: 0, or what it gets as it goes on. */
static s64 go_on(struct thread *t, u64 sig, bool detach)
{
	if (sig > NSIG)
		return -EIO;
	t->trace_status = 0;
	if (detach)
		t->tracer = NULL;
	if (sig)
		signal_send_thread(t, (int)sig, NULL);
	thread_let_go(t);
	return 0;
}

/* What it goes on with. */
static const struct trapframe *frame_of(struct thread *t)
{
	return t->start ? t->start : thread_frame(t);
}

static s64 registers_out(struct thread *t, u32 type, u64 data, size_t *room)
{
	struct arch_regs regs;
	size_t size;
	const void *from = arch_regset(t, frame_of(t), type, &regs, &size);

	if (!from)
		return -EINVAL;
	*room = MIN(*room, size);
	return copy_out((void *)data, from, *room) ? -EFAULT : 0;
}

static s64 regset(struct thread *t, u64 type, u64 data)
{
	struct iovec iov;

	if (copy_in(&iov, (void *)data, sizeof(iov)))
		return -EFAULT;
	if (iov.iov_len % sizeof(u64))
		return -EINVAL;
	s64 err = registers_out(t, (u32)type, (u64)iov.iov_base, &iov.iov_len);
	return !err && copy_out((void *)data, &iov, sizeof(iov)) ? -EFAULT : err;
}

static s64 peek_user(struct thread *t, u64 offset, u64 data)
{
	struct arch_regs regs = {0};
	size_t size;

	if (offset % sizeof(u64) || offset >= sizeof(regs) ||
		!arch_regset(t, frame_of(t), NT_PRSTATUS, &regs, &size))
		return -EIO;
	return copy_out((void *)data, &regs.word[offset / sizeof(u64)], sizeof(u64)) ? -EFAULT : 0;
}

/* The memory is the tracer's own. */
static s64 peek(u64 addr, u64 data)
{
	u64 word;

	if (copy_in(&word, (void *)addr, sizeof(word)))
		return -EIO;
	return copy_out((void *)data, &word, sizeof(word)) ? -EFAULT : 0;
}

static s64 poke(u64 addr, u64 word)
{
	return copy_out((void *)addr, &word, sizeof(word)) ? -EIO : 0;
}

static s64 stopped_request(struct thread *t, u64 request, u64 addr, u64 data)
{
	size_t all = ~0ul;

	switch (request) {
	case PTRACE_CONT: return go_on(t, data, false);
	case PTRACE_DETACH: return go_on(t, data, true);
	case PTRACE_GETREGS: return registers_out(t, NT_PRSTATUS, data, &all);
	case PTRACE_GETFPREGS: return registers_out(t, NT_PRFPREG, data, &all);
	case PTRACE_GETREGSET: return regset(t, addr, data);
	case PTRACE_PEEKUSR: return peek_user(t, addr, data);
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA: return peek(addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA: return poke(addr, data);
	default: return -EIO;
	}
}

s64 sys_ptrace(u64 request, u64 pid, u64 addr, u64 data)
{
	struct thread *t;

	if (request == PTRACE_TRACEME)
		return -EPERM; /* the parent is in another member */
	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		return attach((s32)pid, request == PTRACE_SEIZE);
	t = thread_find((s32)pid);
	if (!t || t->tracer != current->proc)
		return -ESRCH;
	if (request == PTRACE_INTERRUPT)
		return interrupt(t);
	if (request == PTRACE_KILL) {
		signal_send_thread(t, SIGKILL, NULL);
		return 0;
	}
	return t->held ? stopped_request(t, request, addr, data) : -ESRCH;
}

s64 ptrace_wait(u32 type, s32 id, bool keep, u32 *status)
{
	s64 found = -ECHILD;
	struct thread *t;
	struct proc *p;

	LIST_FOREACH (p, &member_procs, link)
		LIST_FOREACH (t, &p->threads, sibling) {
			if (t->tracer != current->proc || (type != P_ALL && (type != P_PID || t->tid != id)))
				continue;
			found = 0;
			if (!t->trace_status)
				continue;
			*status = t->trace_status;
			if (!keep)
				t->trace_status = 0;
			return t->tid;
		}
	return found;
}

void ptrace_tracer_gone(struct proc *tracer)
{
	struct thread *t;
	struct proc *p;

	LIST_FOREACH (p, &member_procs, link)
		LIST_FOREACH (t, &p->threads, sibling)
			if (t->tracer == tracer) {
				t->tracer = NULL;
				t->trace_status = 0;
				thread_let_go(t);
			}
}

void ptrace_thread_gone(struct thread *t)
{
	struct proc *tracer = t->tracer;

	t->tracer = NULL;
	if (!tracer)
		return;
	tree_lock();
	tree_wake(tracer->kp);
	tree_unlock();
}
