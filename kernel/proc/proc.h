/* SPDX-License-Identifier: ISC */
/*
 * Processes and threads. struct kin_proc is what the family sees of a process; struct proc and
 * struct thread are private to the member. During vfork a member holds two processes: everything
 * per process hangs off current->proc.
 */
#ifndef KERNEL_PROC_PROC_H
#define KERNEL_PROC_PROC_H

#include "kernel/arch/x86_64/arch.h"
#include "kernel/kin/kin_core.h"
#include "kernel/signal/signal.h"

#define KSTACK_SIZE 0x8000
#define PROCS_MAX 4096
#define PID_MAX 32768
#define COMM_LEN 16
#define RLIMITS 16
#define GROUPS_MAX 32
#define NO_MEMBER (~0u)

/* /proc/PID/io: bytes that reads and writes moved, and how many calls there were. */
struct proc_io {
	u64 read_bytes, write_bytes, reads, writes;
};

enum proc_state { PROC_FREE, PROC_EMBRYO, PROC_RUNNING, PROC_STOPPED, PROC_ZOMBIE };

/*
 * In kin. tree_lock (one, in the process table) protects the fields marked T; the others say their
 * rule. The memory of a slot is never given back, so a stale pointer reads another process at
 * worst, never something else.
 */
struct kin_proc {
	/* 1: look at signals or stop state on the way out; percpu->attention */
	_Atomic u32 attention;
	_Atomic u32 state;        /* T to write: enum proc_state */
	s32 pid, ppid, pgid, sid; /* T */
	u32 member, generation;   /* T: the VM that carries it; NO_MEMBER: nothing is left to bury */
	struct kin_proc *parent;  /* T; NULL for PID 1 */
	TAILQ_HEAD(, kin_proc) children; /* T: oldest first */
	TAILQ_ENTRY(kin_proc) sibling;   /* T */
	LIST_ENTRY(kin_proc) hash;       /* T: by pid; the list of free slots while FREE */
	u32 exit_signal;          /* T: usually SIGCHLD */
	u32 wait_status;          /* T: of a ZOMBIE, or the last stop; KP_EXITING: what it will be */
	u32 wait_flags;           /* T: WAIT_STOPPED, WAIT_CONTINUED: something to report once */
	_Atomic u32 flags;        /* KP_*, changed by atomic or/and */
	struct kin_queue wait_queue; /* waiters in wait4 of this process as a parent */
	struct kin_signals signals;  /* pending signals: own lock, kernel/signal/signal.h */
	struct fdtable *fds;      /* own lock; kernel/fd/file.h */
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns; /* T */
	u64 start_ns;             /* CLOCK_MONOTONIC */
	u64 maxrss_kib, cmaxrss_kib, vm_pages, present_pages; /* these two: of one that lives */
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid; /* fs*: who asks for files */
	char comm[COMM_LEN];      /* written by the owner */
	char *info;               /* T: exe, cwd and cmdline for /proc/PID; NULL at first; procinfo.c */
	u32 info_exe, info_cwd, info_cmdline, info_cmdline_len; /* T: offsets into it */
	u64 mappings;             /* list of objects mapped by the process, for burial: kernel/mm */
	u64 locks;                /* record locks held: kernel/vfs */
	struct sem_undo *sem_undo; /* kernel/ipc/sysv_sem.c */
	_Atomic s32 nthreads;
	s32 pdeathsig;
	s32 nice;
	_Atomic s32 oom_adjust; /* /proc/PID/oom_score_adj: without effect, but kept */
	u32 sched_class; /* SCHED_NORMAL, SCHED_BATCH, SCHED_IDLE: without effect */
	u32 slot;                 /* index in the table */
	s32 lost_foreground;      /* T: of the session that p leads, when its terminal hung up */
	void *spawn;              /* kin pages: an exec request on its way to a fresh member; spawn.c */
	u32 spawn_pages;
	u32 ioprio;               /* as ioprio_set takes it: without effect, but kept */
	struct proc_io io;        /* written by the owner */
};
enum {
	KP_NOCLDWAIT = 1,  /* SIGCHLD ignored or SA_NOCLDWAIT: children leave no zombies */
	KP_NOCLDSTOP = 2,
	KP_EXECED = 4,
	KP_VFORK = 8,      /* lives in the VM of another process */
	KP_SUBREAPER = 16,
	KP_EXITING = 32,   /* wait_status is the exit status; what it holds is being released */
};
enum { WAIT_STOPPED = 1, WAIT_CONTINUED = 2 };

struct mm;
struct fs_context; /* cwd, umask: kernel/vfs/vfs.h */
struct trapframe;

/* Private. */
struct proc {
	struct kin_proc *kp;
	struct mm *mm;               /* shared with the parent during vfork */
	struct fs_context *fs;
	struct signal_actions *actions;
	LIST_HEAD(, thread) threads;
	LIST_ENTRY(proc) link;       /* processes of the member */
	struct thread *vfork_parent; /* suspended until this process execs or exits */
	struct thread *exec_thread;  /* exec in progress: the other threads leave, the last wakes it */
	u64 rlimit_cur[RLIMITS], rlimit_max[RLIMITS];
	struct timers *timers;       /* itimers and POSIX timers: kernel/time */
	u32 group_exit;              /* exit_group in progress: every thread leaves */
	u32 exit_status;             /* wait status */
	u32 dumpable, no_new_privs, personality, keepcaps;
	u64 caps_permitted, caps_effective, caps_inheritable; /* caps.c */
	u32 ngroups, groups[GROUPS_MAX];
};

/* All processes of this member: one, or more during vfork. */
LIST_HEAD(proc_list, proc);
extern struct proc_list member_procs;

enum thread_state { THREAD_RUNNABLE, THREAD_BLOCKED, THREAD_DEAD };

/* What ends a sleep besides a wake-up. */
enum sleep_mode {
	SLEEP_UNINTERRUPTIBLE,
	SLEEP_INTERRUPTIBLE, /* a signal to deliver */
	SLEEP_KILLABLE,      /* SIGKILL, or the process is leaving */
	SLEEP_STOPPED,       /* SIGCONT or SIGKILL pending, blocked or not */
	SLEEP_ANY_SIGNAL,    /* any pending signal of the process: the kernel's own PID 1 */
};

struct thread {
	u64 ksp;                     /* arch: saved kernel stack pointer */
	u64 kstack_top;
	void *kstack;
	void *xsave;                 /* 64-byte aligned, valid while not running */
	u64 fsbase, gsbase;          /* valid while not running */
	struct proc *proc;
	s32 tid;
	enum thread_state state;
	LIST_ENTRY(thread) sibling;  /* of the process */
	TAILQ_ENTRY(thread) run;     /* run queue of the member, or its list of blocked threads */
	u64 deadline_ns;
	struct thread_signals sig;   /* mask, alternate stack, thread-directed pending signals */
	u64 clear_child_tid;
	u64 robust_list, robust_len;
	u64 restart_fn;              /* restart_syscall: function and its saved arguments */
	u64 restart_arg[4];
	void *wait_state;            /* kernel/sched/waiter.c */
	u32 io_flags;                /* O_*: added by preadv2 and pwritev2 while they run */
	u64 timer_slack_ns, timer_slack_default_ns; /* PR_SET_TIMERSLACK; inherited */
	char comm[COMM_LEN];
	/* the rest is kernel/proc's */
	enum sleep_mode sleep_mode;
	s32 sleep_result;
	u32 sleep_nfds, wake_pending; /* wake_pending: thread_wake came while it was not asleep */
	struct hyp_pollfd *sleep_fds;
	struct trapframe *start;     /* first switch-in goes to the application with these; heap */
	u64 set_child_tid;           /* and stores its tid here first */
	struct proc *vfork_child;    /* it is suspended until this one execs or exits */
	void *xsave_block;           /* what xsave lies in */
};

/* The process ends, or another of its threads execs. */
static inline bool thread_must_exit(const struct thread *t)
{
	return t->proc->group_exit || (t->proc->exec_thread && t->proc->exec_thread != t);
}

static inline struct trapframe *thread_frame(struct thread *t)
{
	return (struct trapframe *)t->kstack_top - 1;
}

/*
 * table.c. Lock order: tree_lock, then signals.lock and queue locks. Not held across thread_sleep
 * or copies to and from the application.
 */
void tree_lock(void);
void tree_unlock(void);
struct kin_proc *proc_find(s32 pid); /* T; NULL if none; zombies are found */
void proc_end_stop(struct kin_proc *p, int sig); /* T; sig: SIGCONT or SIGKILL; if it is stopped */
/* T. Calls fn for every process that is not FREE or EMBRYO until it returns non-zero. */
int proc_foreach(int (*fn)(struct kin_proc *p, void *arg), void *arg);
u32 proc_count(void);                /* no lock */

/* fork.c, vfork.c: all kinds of clone. The pid, 0 in the child, or -errno. */
s64 proc_fork(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls, u32 exit_signal);

/*
 * exec. kernel/exec/exec.c calls, past the point of no return, begin (other threads end), then
 * replaces the image, then commit (signals, timers, descriptors, names, counts). A process that
 * shares its VM goes to a fresh member instead: vfork_exec, after all checks; never returns on
 * success.
 */
struct exec_args;
bool proc_shares_vm(struct proc *p);
void proc_exec_begin(void);
void proc_exec_commit(const char *comm);
s64 vfork_exec(struct exec_args *a);
void proc_set_comm(struct thread *t, const char *comm); /* kin_proc, thread, member record */

/* procinfo.c: what /proc/PID shows. Writers: the owner. */
enum proc_info_item { INFO_EXE, INFO_CWD, INFO_CMDLINE };
void proc_info_set_exec(struct kin_proc *p, const char *exe, const char *cmdline, size_t len);
void proc_info_set_cwd(struct kin_proc *p, const char *cwd);
void proc_refresh_cmdline(void); /* title.c: the caller's, if it is not what is known */
/* At most size bytes, no NUL; returns the whole length, 0 if unknown. Takes tree_lock. */
size_t proc_info_get(struct kin_proc *p, enum proc_info_item item, char *buf, size_t size);

/* exit.c, stop.c */
_Noreturn void proc_exit(u32 wait_status); /* the whole process */
_Noreturn void thread_exit(void);          /* this thread; the last one ends the process */
void proc_stop(int sig);                   /* by signal delivery: sleeps until SIGCONT or SIGKILL */

/* group.c. T. The number of processes reached; sid 0: in any session. */
int group_signal(s32 pgid, int sig, const struct ksiginfo *info);
bool group_exists(s32 pgid, s32 sid);

/*
 * console.c: a terminal, as far as sessions and groups are concerned. In kin; atomics, no lock. 0:
 * none. console_get: that of the host; kernel/tty/ has the others and finds a session's.
 */
struct console {
	_Atomic s32 foreground_pgid, session;
};
struct console *console_get(void);
/* The terminal is gone: its session loses it and the leader is told. Takes tree_lock. */
void console_hang_up(struct console *c);
struct console *console_of_session(s32 sid); /* NULL: it has none */

/*
 * inbox.c: what the supervisor wants done. Part of exit_work and of sleeping; for those who were
 * interrupted in a blocking hypercall. Never sleeps.
 */
bool inbox_waiting(void);
void inbox_run(void);

/* exit_work.c: signals, inbox, stop, preemption. By entry code, before the application goes on. */
void exit_work(struct trapframe *frame);

/* sched.c */
struct thread *thread_create(struct proc *p); /* not runnable yet */
void thread_destroy(struct thread *t);
void thread_start(struct thread *t);          /* into the run queue */
void thread_wake(struct thread *t);
void schedule(void);
/* thread_sleep and thread_sleep_fds of kin_core.h, with every way to be ended. */
int thread_sleep_mode(u64 deadline_ns, enum sleep_mode mode, struct hyp_pollfd *fds, u32 nfds);
/*
 * The one place that programs the host's timer: for the earlier of timers_next() and the end of a
 * slice. Part of exit_work; call it if a timer was armed without setting attention.
 */
void sched_timer(bool expired);
u64 sched_cpu_ns(void); /* time this member did not sleep, since its start */
u64 proc_cpu_ns(const struct kin_proc *p); /* T: of any process; while it lives as above */

/* kernel/boot/kernel_main.c: the first member, or a fresh monitor for a process that execs. */
_Noreturn void kernel_main(void);

#endif
