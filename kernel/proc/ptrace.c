/* SPDX-License-Identifier: ISC */
/*
 * ptrace(2), the tracer's side. Who traces whom lies in kin (kernel/task/trace.h); the traced
 * thread stops itself (kernel/signal/trace_stop.c). What a request needs of the thread beyond its
 * slot, its own member is asked for (kernel/sched/remote.h), so tracer and traced may be in one
 * member or in two. There are no hardware breakpoints.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/elf.h>
#include <linux/ptrace.h>

#include "kernel/kin/own.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/proc/ptrace_internal.h"
#include "kernel/sched/remote.h"
#include "kernel/signal/seccomp.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"

#define OPTIONS (PTRACE_O_MASK)

/* ---- who becomes traced */

/* T */
static s64 attach_error(struct kin_proc *p, s32 tid)
{
	if (!p)
		return -ESRCH;
	if (p == current->proc->kp || p->state == PROC_ZOMBIE || p->flags & KP_EXITING ||
		trace_find(tid) || !cred_may_look(p, LOOK_BY_REAL))
		return -EPERM;
	return 0;
}

static s64 attach(s32 tid, bool seize, u64 options)
{
	struct trace *tr = NULL;

	if (options & ~(u64)OPTIONS)
		return -EIO;
	if (trace_reserve())
		return -ENOMEM;
	tree_lock();
	struct kin_proc *p = proc_of_thread(tid);
	s64 err = attach_error(p, tid);
	if (!err) {
		tr = trace_add(p, tid, current->proc->kp->pid, seize, (u32)options);
		err = tr ? 0 : -EAGAIN;
	}
	if (tr && !seize)
		atomic_fetch_or(&tr->asked, TRACE_ASK_SIGSTOP);
	if (tr)
		trace_rouse(tr);
	tree_unlock();
	return err;
}

static s64 trace_me(void)
{
	struct kin_proc *me = current->proc->kp;
	s64 err = -EPERM;

	if (trace_reserve())
		return -ENOMEM;
	tree_lock();
	if (me->parent && !trace_find(current->tid))
		err = trace_add(me, current->tid, me->parent->pid, 0, 0) ? 0 : -EAGAIN;
	tree_unlock();
	return err;
}

/* ---- how it goes on */

/* T */
static void resume(struct trace *tr, u64 request, u64 sig)
{
	struct kin_proc *p = proc_find(tr->pid);

	tr->request = (u32)request;
	tr->signal = (u32)sig;
	tr->report = 0;
	atomic_store(&tr->state, TRACE_RUNS);
	if (p)
		tree_wake(p);
}

static s64 go_on(struct trace *tr, u64 request, u64 sig)
{
	if (sig > NSIG)
		return -EIO;
	tree_lock();
	if (tr->state == TRACE_STOPPED)
		resume(tr, request, sig);
	tree_unlock();
	return 0;
}

static s64 detach(struct trace *tr, u64 sig)
{
	if (sig > NSIG)
		return -EIO;
	tree_lock();
	tr->signal = (u32)sig;
	trace_drop(tr);
	tree_unlock();
	return 0;
}

static s64 interrupt(struct trace *tr)
{
	if (!tr->seized)
		return -EIO;
	tree_lock();
	atomic_fetch_or(&tr->asked, TRACE_ASK_TRAP);
	if (tr->state == TRACE_LISTENS)
		resume(tr, PTRACE_CONT, 0);
	trace_rouse(tr);
	tree_unlock();
	return 0;
}

/* Only from a stop of the whole process: what ends that, or an interrupt, is told. */
static s64 listen(struct trace *tr)
{
	s64 err = -EIO;

	tree_lock();
	if (tr->seized && tr->state == TRACE_STOPPED && tr->has_info &&
		(u32)tr->info.code >> 8 == PTRACE_EVENT_STOP) {
		err = 0;
		if (tr->asked & TRACE_ASK_TRAP)
			resume(tr, PTRACE_CONT, 0);
		else
			atomic_store(&tr->state, TRACE_LISTENS);
	}
	tree_unlock();
	return err;
}

static s64 kill_traced(struct trace *tr)
{
	struct ksiginfo info = signal_info_user(SIGKILL, SI_USER);

	tree_lock();
	struct kin_proc *p = proc_find(tr->pid);
	if (p)
		tree_signal(p, SIGKILL, &info);
	tree_unlock();
	return 0;
}

/* ---- what can be seen and changed in a stop */

/* One word; its process's memory, whatever its rights are. */
static s64 word(struct trace *tr, u64 addr, u64 *value, bool write)
{
	struct remote *r = remote_open();
	s64 n;

	if (!r)
		return -ENOMEM;
	r->op = write ? REMOTE_POKE : REMOTE_PEEK;
	r->force = 1;
	r->at = addr;
	r->len = sizeof(*value);
	memcpy(r->data, value, sizeof(*value));
	n = remote_call(r, tr->pid);
	if (n == -EINTR)
		return n;
	memcpy(value, r->data, sizeof(*value));
	remote_close(r);
	return n == sizeof(*value) ? 0 : -EIO;
}

static s64 peek(struct trace *tr, u64 addr, u64 out)
{
	u64 value = 0;
	s64 err = word(tr, addr, &value, false);

	if (err)
		return err;
	return copy_out((void *)out, &value, sizeof(value)) ? -EFAULT : 0;
}

static s64 info(struct trace *tr, u64 user, bool set)
{
	u8 all[128] = {0}; /* siginfo_t */

	if (!tr->has_info)
		return -EINVAL;
	if (set)
		return copy_in(&tr->info, (void *)user, sizeof(tr->info)) ? -EFAULT : 0;
	memcpy(all, &tr->info, sizeof(tr->info));
	return copy_out((void *)user, all, sizeof(all)) ? -EFAULT : 0;
}

static s64 mask(struct trace *tr, u64 size, u64 user, bool set)
{
	u64 value;

	if (size != sizeof(sigset))
		return -EINVAL;
	if (!set)
		return copy_out((void *)user, &tr->mask, sizeof(tr->mask)) ? -EFAULT : 0;
	if (copy_in(&value, (void *)user, sizeof(value)))
		return -EFAULT;
	tr->mask = value & ~SIGSET_NEVER_BLOCKED;
	tr->mask_changed = 1;
	return 0;
}

static s64 set_options(struct trace *tr, u64 options)
{
	if (options & ~(u64)OPTIONS)
		return -EINVAL;
	tr->options = (u32)options;
	return 0;
}

static s64 thread_pointer(struct trace *tr, u64 addr, u64 code)
{
	u64 which = code == ARCH_GET_GS || code == ARCH_SET_GS;
	u64 *base = &tr->regs.word[ARCH_REGS_THREAD + which];

	switch (code) {
	case ARCH_GET_FS:
	case ARCH_GET_GS: return copy_out((void *)addr, base, sizeof(*base)) ? -EFAULT : 0;
	case ARCH_SET_FS:
	case ARCH_SET_GS: return trace_set_user(tr, (ARCH_REGS_THREAD + which) * sizeof(u64), addr);
	default: return -EINVAL;
	}
}

/* Only for who may do all, and is not filtered itself. */
static s64 filter_show(const struct trace *tr, u64 n, u64 out)
{
	if (!cred_capable(CAP_SYS_ADMIN) || current->proc->kp->inherited.seccomp_mode)
		return -EACCES;
	tree_lock();
	const struct kin_proc *p = proc_find(tr->pid);
	struct kin_object *held = p ? p->seccomp : NULL;
	if (held)
		ref_get(OWN_OBJECT, held, hold_new(OWN_OBJECT));
	tree_unlock();
	s64 r = held ? seccomp_filter_show(held, n, out) : -EINVAL;
	if (held)
		ref_put(OWN_OBJECT, hold_of(OWN_OBJECT, held));
	return r;
}

static s64 look_request(struct trace *tr, u64 request, u64 addr, u64 data)
{
	u64 all = ~0ul;

	switch (request) {
	case PTRACE_GETREGS: return trace_get_registers(tr, NT_PRSTATUS, data, &all);
	case PTRACE_SETREGS: return trace_set_registers(tr, NT_PRSTATUS, data, &all);
	case PTRACE_GETFPREGS: return trace_get_registers(tr, NT_PRFPREG, data, &all);
	case PTRACE_SETFPREGS:
		all = 512;
		return trace_set_registers(tr, NT_PRFPREG, data, &all);
	case PTRACE_GETREGSET: return trace_regset(tr, addr, data, false);
	case PTRACE_SETREGSET: return trace_regset(tr, addr, data, true);
	case PTRACE_PEEKUSR: return trace_get_user(tr, addr, data);
	case PTRACE_POKEUSR: return trace_set_user(tr, addr, data);
	case PTRACE_ARCH_PRCTL: return thread_pointer(tr, addr, data);
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA: return peek(tr, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA: return word(tr, addr, &data, true);
	case PTRACE_GETSIGINFO: return info(tr, data, false);
	case PTRACE_SETSIGINFO: return info(tr, data, true);
	case PTRACE_GETSIGMASK: return mask(tr, addr, data, false);
	case PTRACE_SETSIGMASK: return mask(tr, addr, data, true);
	case PTRACE_GETEVENTMSG:
		return copy_out((void *)data, &tr->message, sizeof(tr->message)) ? -EFAULT : 0;
	case PTRACE_GET_SYSCALL_INFO: return trace_call_info(tr, addr, data);
	case PTRACE_SECCOMP_GET_FILTER: return filter_show(tr, addr, data);
	case PTRACE_SECCOMP_GET_METADATA: return -EINVAL;
	case PTRACE_GET_THREAD_AREA:
	case PTRACE_SET_THREAD_AREA: return (s32)addr < 0 ? -EIO : -EINVAL;
	default: return -EIO;
	}
}

static s64 stopped_request(struct trace *tr, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_SYSEMU: return go_on(tr, request, data);
	case PTRACE_DETACH: return detach(tr, data);
	case PTRACE_LISTEN: return listen(tr);
	case PTRACE_SETOPTIONS: return set_options(tr, data);
	default: return look_request(tr, request, addr, data);
	}
}

/* The current process's slot for that thread; NULL: it does not trace it. */
static struct trace *traced(s32 tid)
{
	tree_lock();
	struct trace *tr = trace_find(tid);
	struct kin_proc *p = tr ? proc_find(tr->pid) : NULL;
	if (tr && (tr->tracer != current->proc->kp->pid || !p || p->state == PROC_ZOMBIE))
		tr = NULL;
	tree_unlock();
	return tr;
}

s64 sys_ptrace(u64 request, u64 pid, u64 addr, u64 data)
{
	if (request == PTRACE_TRACEME)
		return trace_me();
	if (request == PTRACE_ATTACH)
		return attach((s32)pid, false, 0);
	if (request == PTRACE_SEIZE)
		return addr ? -EIO : attach((s32)pid, true, data);
	struct trace *tr = traced((s32)pid);
	if (!tr)
		return -ESRCH;
	if (request == PTRACE_INTERRUPT)
		return interrupt(tr);
	if (request == PTRACE_KILL)
		return kill_traced(tr);
	if (tr->state != TRACE_STOPPED)
		return -ESRCH;
	return stopped_request(tr, request, addr, data);
}
