/* SPDX-License-Identifier: ISC */
/* Between the files of kernel/proc. T: under tree_lock. */
#ifndef KERNEL_PROC_PROC_INTERNAL_H
#define KERNEL_PROC_PROC_INTERNAL_H

#include "kernel/proc/proc.h"

struct inode;
struct trace;

/* ---- clone_syscalls.c decodes, the others act. */
struct clone_request {
	u64 flags, stack, parent_tid, child_tid, tls;
	u64 pidfd; /* CLONE_PIDFD: where its number goes */
	u32 exit_signal;
};

/* One fork in progress, on the stack of the thread that forks; the clone has its own copy of it. */
struct fork {
	const struct clone_request *request;
	struct kin_proc *kp;
	u32 member;
	s32 pidfd;
	/* vfork: what it has in this VM */
	struct proc *proc;
	struct thread *thread;
};

/* What goes with a vfork's child to a fresh member when it execs; the rest lies in kin anyway. */
struct spawn_state {
	sigset blocked, ignoring;
	u64 alarm_ns, alarm_interval_ns;  /* ITIMER_REAL, CLOCK_MONOTONIC; 0: not armed */
	const char *cwd;                  /* a string of the request */
};

/* ---- fork.c */
s64 fork_vm(const struct clone_request *r);       /* a process in a VM of its own */
s64 fork_share_vm(const struct clone_request *r); /* a process inside the caller's VM */
s64 fork_thread(const struct clone_request *r);
void participants_pass(struct proc *p, struct spawn_state *s);
void participants_left(struct proc *p);
bool participants_take(struct proc *p, struct spawn_state *s);

/* ---- vfork.c */
struct thread *clone_thread(struct proc *p, const struct clone_request *r, s32 tid);
void vfork_wait(void);
void fork_clear_handlers(struct signal_actions *a); /* CLONE_CLEAR_SIGHAND: ignored ones stay */
void vfork_release_parent(struct proc *p); /* exec or exit: the suspended thread goes on */
struct proc *proc_create(struct kin_proc *kp); /* private side, linked into member_procs */
bool member_lost(struct proc *p); /* a process has left this member; false: it was the last */

/* ---- exit.c */
/* T: ZOMBIE (or gone, if the parent does not want to know), SIGCHLD, waiters. May be repeated. */
void proc_become_zombie(struct kin_proc *p, u32 wait_status);
void proc_zombie_told(struct kin_proc *p); /* T: its parent hears of it, who may not care */
void proc_orphan_children(struct kin_proc *p); /* T: to the subreaper or PID 1 */
void proc_leave_session(struct kin_proc *p);   /* T: terminal and orphaned process groups */
void family_end(u32 wait_status);              /* PID 1 is gone */

/* ---- bury.c */
void proc_bury(u32 member); /* it died without publishing its exit */

/* ---- wait_syscalls.c */
/* Reaps any zombie child without blocking: pid, 0 (none dead), -ECHILD. */
s64 wait_reap_any(u32 *wait_status);
void proc_reap(struct kin_proc *p); /* T: accounts a zombie to its parent and frees it */

/* ---- trace_life.c: who is traced is born, execs and ends */
int trace_born(struct fork *f);      /* a process is made: by one whose children are traced, too */
void trace_unborn(struct fork *f);
void trace_born_thread(const struct clone_request *r, s32 tid);
void trace_born_told(const struct clone_request *r, s32 id); /* the maker stops */
void trace_vfork_done(const struct clone_request *r, s32 id);
void trace_renumber(s32 tid, s32 pid); /* of who execs, and becomes the first thread */
void trace_thread_gone(struct thread *t);
void trace_tracer_gone(struct kin_proc *p); /* T: p traces nobody any more */
void trace_threads_gone(struct kin_proc *p, u32 status); /* T: all of p's; it is a zombie now */
void trace_heard(struct trace *tr); /* T: the tracer of a process that is no more has heard of it */

/* ---- remote_serve.c */
struct thread *member_thread(s32 pid, s32 tid); /* of this member; NULL: there is none */

/* ---- caps.c */
void caps_reset(struct proc_inherited *in); /* what its user id gives */
void caps_fsuid_changed(struct proc *p, u32 fsuid); /* from this */
s64 caps_securebits(u64 bits);
s64 caps_keep(u64 on);
s64 caps_bounding_drop(u64 capability);
s64 caps_ambient(u64 what, u64 capability, u64 c, u64 d); /* PR_CAP_AMBIENT */
void caps_uid_changed(struct proc *p, u32 uid, u32 euid, u32 suid); /* from these */

/* ---- prctl_mm.c: prctl(PR_SET_MM, which, address, size, rest) */
s64 mm_prctl(u64 which, u64 address, u64 size, u64 rest);

/* ---- fork.c, reaper.c */
void member_live(void); /* CLONING or SPAWNING -> LIVE */
void init_fork(void);   /* PID 1 of --init; returns in the child that runs the program */

#endif
