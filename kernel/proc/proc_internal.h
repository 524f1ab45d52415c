/* SPDX-License-Identifier: ISC */
/* Between the files of kernel/proc. T: under tree_lock. */
#ifndef KERNEL_PROC_PROC_INTERNAL_H
#define KERNEL_PROC_PROC_INTERNAL_H

#include "kernel/proc/proc.h"

/* ---- table.c. alloc, tid_alloc and tid_free take the lock themselves. */
void proc_table_init(void);   /* first member */
void proc_table_attach(void); /* fresh member */
bool tasks_full(void); /* --pids, for each new task; tree_lock is held */
struct kin_proc *kin_proc_alloc(void);  /* EMBRYO with a pid; NULL: EAGAIN */
void kin_proc_free(struct kin_proc *p); /* T; unlinks it from hash and parent */
void kin_proc_publish(struct kin_proc *p, struct kin_proc *parent); /* T; EMBRYO -> RUNNING */
int proc_foreach_slot(int (*fn)(struct kin_proc *p, void *arg), void *arg); /* T; EMBRYOs, too */
/* T. Posts at once; the target is rung when the lock is released. The same for its wait_queue. */
void tree_signal(struct kin_proc *p, int sig, const struct ksiginfo *info);
void tree_wake(struct kin_proc *p);
s32 tid_alloc(void);          /* a thread's number, or -EAGAIN */
void tid_free(s32 tid);
void tids_bury(u32 member);   /* no lock: only the buried member wrote them */

/* ---- clone_syscalls.c decodes, the others act. */
struct clone_request {
	u64 flags, stack, parent_tid, child_tid, tls, pidfd;
	u32 exit_signal;
};

/* One fork in progress, on the stack of the thread that forks; the clone has its own copy of it. */
struct fork {
	const struct clone_request *request;
	struct kin_proc *kp;
	u32 member;
};

/* ---- fork.c */
s64 fork_vm(const struct clone_request *r);
struct kin_proc *fork_record(const struct clone_request *r); /* NULL: EAGAIN */
int fork_descriptors(struct kin_proc *kp, u64 flags);
void fork_descriptors_abort(struct kin_proc *kp);
void fork_publish(struct kin_proc *kp, u64 flags, u32 member); /* takes tree_lock */
void fork_clear_handlers(struct signal_actions *a); /* CLONE_CLEAR_SIGHAND: ignored ones stay */

/* ---- vfork.c: a process or a thread inside the caller's VM */
s64 fork_share_vm(const struct clone_request *r);
s64 fork_thread(const struct clone_request *r);
void vfork_release_parent(struct proc *p); /* exec or exit: the suspended thread goes on */
struct proc *proc_create(struct kin_proc *kp); /* private side, linked into member_procs */
void proc_destroy(struct proc *p);
bool member_lost(struct proc *p); /* a process has left this member; false: it was the last */

/* ---- spawn.c */
_Noreturn void spawn_run(void);      /* in the fresh member */
void spawn_drop(struct kin_proc *p); /* the request is served or void */
void spawn_bury(u32 member);
bool spawn_owns(u32 index, const struct kin_proc *kp);

/* ---- procinfo.c */
void proc_info_share(struct kin_proc *child, struct kin_proc *parent); /* T; fork */
void proc_info_drop(struct kin_proc *p);                               /* T; exit, burial */

/* ---- exit.c */
/* T: ZOMBIE (or gone, if the parent does not want to know), SIGCHLD, waiters. May be repeated. */
void proc_become_zombie(struct kin_proc *p, u32 wait_status);
void proc_orphan_children(struct kin_proc *p); /* T: to the subreaper or PID 1 */
void proc_leave_session(struct kin_proc *p);   /* T: terminal and orphaned process groups */
void proc_notify_parent(struct kin_proc *p, u32 code, u32 status); /* T: SIGCHLD with CLD_* */
void family_end(u32 wait_status);              /* PID 1 is gone */

/* ---- bury.c */
void proc_bury(u32 member); /* it died without publishing its exit */

/* ---- stop.c */
void stop_wait(void); /* the current process is stopped: sleeps until it is not */

/* ---- wait_syscalls.c */
/* Reaps any zombie child without blocking: pid, 0 (none dead), -ECHILD. */
s64 wait_reap_any(u32 *wait_status);
void proc_reap(struct kin_proc *p); /* T: accounts a zombie to its parent and frees it */

/* ---- group.c */
/*
 * T: HUP and CONT for pgid if it is orphaned now and has stopped members; without is not counted.
 */
void group_check_orphaned(s32 pgid, s32 sid, struct kin_proc *without);

/* ---- sched.c */
void sched_init(void);
void sched_first_thread(void); /* first thing in the main thread */
void sched_fork_child(void);   /* only current is left */
int thread_start_user(struct thread *t, const struct trapframe *frame); /* 0 or -ENOMEM */
_Noreturn void sched_leave(struct proc *dead); /* current is gone; its process, too, unless NULL */
bool sched_others(void);       /* another thread of the member exists */
bool sched_runnable(void);     /* one could run now */
bool sched_wanted(void);       /* and should: the slice is over */
bool sched_timers_due(void);   /* a timer may be served now, on the way out */
void sched_poll(void);         /* blocked threads that may go on become runnable */

/* ---- caps.c */
void caps_reset(struct proc *p); /* what its user id gives */
void caps_exec(struct proc *p);
void caps_uid_changed(struct proc *p, u32 uid, u32 euid, u32 suid); /* from these */

/* ---- kernel_main.c, reaper.c */
void member_live(void); /* CLONING or SPAWNING -> LIVE */
void init_fork(void);   /* PID 1 of --init; returns in the child that runs the program */

#endif
