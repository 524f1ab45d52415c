/* SPDX-License-Identifier: ISC */
/*
 * Processes, as everybody sees them: struct kin_proc is what the family sees of one, struct proc is
 * private to the member; the table of them all, process groups, sessions. What happens to a process
 * (fork, exec, exit, wait) is far above: kernel/proc. During vfork a member holds two processes:
 * everything per process hangs off current->proc. T: under tree_lock.
 */
#ifndef KERNEL_TASK_TASK_H
#define KERNEL_TASK_TASK_H

#include "kernel/task/signal.h"

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

/*
 * What a process inherits by value: fork, vfork and clone copy it by assignment, exec keeps it,
 * wherever the process goes. Lies in kin, where the parent writes it before the child is published
 * and from then on the owner alone; others read single words.
 */
struct proc_inherited {
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid; /* fs*: who asks for files */
	u32 ngroups, groups[GROUPS_MAX];
	u64 caps_permitted, caps_effective, caps_inheritable, caps_bounding, caps_ambient; /* caps.c */
	u32 securebits;           /* PR_SET_SECUREBITS; PR_SET_KEEPCAPS is one of them */
	u32 umask;
	u32 loginuid, sessionid;  /* of who logged in; ~0: nobody */
	u64 rlimit_cur[RLIMITS], rlimit_max[RLIMITS];
	u32 dumpable, no_new_privs, personality;
	u32 seccomp_mode, seccomp_filters; /* SECCOMP_MODE_*, how many: kernel/signal/seccomp.c */
	s32 nice;
	_Atomic s32 oom_adjust;   /* /proc/PID/oom_score_adj: without effect, but kept */
	u32 sched_class;          /* SCHED_*: without effect, but kept, as the next two */
	u32 sched_priority, sched_reset; /* of a real-time class; SCHED_RESET_ON_FORK */
	u32 ioprio;               /* as ioprio_set takes it: without effect, but kept */
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
	/* T: the VM that carries it; NO_MEMBER: nothing is left to bury. Set by proc_place. */
	union {
		struct {
			u32 member, generation;
		};
		_Atomic u64 place;
	};
	struct kin_proc *parent;  /* T; NULL for PID 1 and KP_OUTSIDE */
	TAILQ_HEAD(, kin_proc) children; /* T: oldest first */
	TAILQ_ENTRY(kin_proc) sibling;   /* T */
	LIST_ENTRY(kin_proc) hash;       /* T: by pid; the list of free slots while FREE */
	u32 exit_signal;          /* T: usually SIGCHLD */
	u32 wait_status;          /* T: of a ZOMBIE, or the last stop; KP_EXITING: what it will be */
	u32 wait_flags;           /* T: WAIT_STOPPED, WAIT_CONTINUED: something to report once */
	_Atomic u32 flags;        /* KP_*, changed by atomic or/and */
	struct kin_queue wait_queue; /* waiters in wait4 of this process as a parent */
	struct kin_signals signals;  /* pending signals: own lock, kernel/signal/signal.h */
	struct fdtable *fds;      /* slot; T to change it for others; kernel/fd/file.h */
	struct file *exe;         /* slot; T: the program, as it was opened; NULL: none is left */
	/* no lock: the owner's, then who buries it */
	struct inode *cwd, *root; /* slots; root: of chroot, or NULL */
	struct kin_object *seccomp; /* slot; filters, or NULL */
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns; /* T */
	u64 start_ns;             /* T: CLOCK_MONOTONIC */
	/* no lock: written by the owner, single words */
	u64 maxrss_kib, cmaxrss_kib, vm_pages, present_pages; /* these two: of one that lives */
	struct proc_inherited inherited;  /* no lock: see there */
	char comm[COMM_LEN];      /* T */
	char *info;               /* T: exe, cwd and cmdline for /proc/PID; NULL at first; procinfo.c */
	u32 info_exe, info_cwd, info_cmdline, info_cmdline_len; /* T: offsets into it */
	/* no lock: the owner's, then who buries it */
	struct kin_mapping *mappings; /* what the process has mapped: kernel/mm/holdings.c */
	u64 locks;                /* file locks held: kernel/vfs */
	struct sem_undo *sem_undo; /* kernel/ipc/sysv_sem.c */
	_Atomic s32 nthreads;
	/* no lock: single words, of which the last store counts */
	s32 pdeathsig;
	u32 slot;                 /* index in the table; constant */
	s32 lost_foreground;      /* T: of the session that p leads, when its terminal hung up */
	/* no lock: the parent's, then its own */
	void *spawn;              /* kin pages: an exec request on its way to a fresh member; spawn.c */
	u32 spawn_pages;
	struct proc_io io;        /* written by the owner */
	_Atomic u32 traced;       /* T to write: a thread of it may have a slot in trace.h */
};
enum {
	KP_NOCLDWAIT = 1,  /* SIGCHLD ignored or SA_NOCLDWAIT: children leave no zombies */
	KP_NOCLDSTOP = 2,
	KP_EXECED = 4,
	KP_VFORK = 8,      /* lives in the VM of another process */
	KP_SUBREAPER = 16,
	KP_OUTSIDE = 64,   /* its parent is outside the family, as PID 1's: nobody waits for it here */
	KP_EXITING = 32,   /* wait_status is the exit status; what it holds is being released */
};
enum { WAIT_STOPPED = 1, WAIT_CONTINUED = 2 };

struct mm;
struct fs_context; /* cwd: kernel/vfs/vfs.h */
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
	struct timers *timers;       /* itimers and POSIX timers: kernel/time */
	u32 group_exit;              /* exit_group in progress: every thread leaves */
	u32 exit_status;             /* wait status */
};

/* All processes of this member: one, or more during vfork. */
LIST_HEAD(proc_list, proc);
extern struct proc_list member_procs;

/*
 * table.c. Lock order: tree_lock, then signals.lock and queue locks. Not held across a sleep
 * or copies to and from the application.
 */
void tree_lock(void);
void tree_unlock(void);
struct kin_proc *proc_find(s32 pid); /* T; NULL if none; zombies are found */
struct kin_proc *proc_of_thread(s32 tid); /* T; NULL if there is no such thread */
/* T. Calls fn for every process that is not FREE or EMBRYO until it returns non-zero. */
int proc_foreach(int (*fn)(struct kin_proc *p, void *arg), void *arg);
u32 proc_count(void);                /* no lock */

/* The rest of table.c. alloc, tid_alloc and tid_free take the lock themselves. */
void proc_table_init(void);   /* first member */
void proc_table_attach(void); /* fresh member */
bool tasks_full(void); /* --pids; tree_lock is held */
struct kin_proc *kin_proc_alloc(void);  /* EMBRYO with a pid; NULL: EAGAIN */
/*
 * T: member carries p from now on, as of its present life. One store: a death between two would
 * leave p to a member that never was, and nobody would bury it.
 */
void proc_place(struct kin_proc *p, u32 member);
void kin_proc_free(struct kin_proc *p); /* T; unlinks it from hash and parent */
void kin_proc_enter(struct kin_proc *p, struct kin_proc *parent); /* T; EMBRYO -> RUNNING */
/* T. For who watches the family (abi/events.h), if anybody does. */
void event_write(enum kin_event_kind kind, const struct kin_proc *p, u32 status);
static inline void event_note(enum kin_event_kind kind, const struct kin_proc *p, u32 status)
{
	if (atomic_load_explicit(&KIN->events.wanted, memory_order_relaxed))
		event_write(kind, p, status);
}
int proc_foreach_slot(int (*fn)(struct kin_proc *p, void *arg), void *arg); /* T; EMBRYOs, too */
/*
 * Those that getpriority(2) and ioprio_get(2) mean by who, a process, group or real user; 0: the
 * caller's own. Takes tree_lock; fn returns 0.
 */
enum proc_set { PROC_SET_ONE, PROC_SET_GROUP, PROC_SET_USER };
void proc_foreach_of(enum proc_set set, s32 who, int (*fn)(struct kin_proc *p, void *arg),
					 void *arg);
/*
 * T. Posts at once; the target is rung when the lock is released. The same for its wait_queue, for
 * who waits for its signals in a signalfd, and for its end in a pidfd.
 */
int tree_signal(struct kin_proc *p, int sig, const struct ksiginfo *info); /* as signal_post */
void tree_wake(struct kin_proc *p);
void tree_wake_signalfd(struct kin_proc *p);
void tree_wake_pidfd(struct kin_proc *p);
void tree_ring(struct kin_proc *p); /* its attention was set: it looks, sleeping or computing */
s32 tid_alloc(void);          /* a thread's number, or -EAGAIN */
void tid_free(s32 tid);
void tids_bury(u32 member);   /* no lock: only the buried member wrote them */

/* procinfo.c: what /proc/PID shows. Writers: the owner. */
enum proc_info_item { INFO_EXE, INFO_CWD, INFO_CMDLINE };
void proc_info_set_exec(struct kin_proc *p, const char *exe, const char *cmdline, size_t len);
void proc_info_set_cwd(struct kin_proc *p, const char *cwd);
/* At most size bytes, no NUL; returns the whole length, 0 if unknown. Takes tree_lock. */
size_t proc_info_get(struct kin_proc *p, enum proc_info_item item, char *buf, size_t size);
/* exe.c. The owner's, or who buries it; f: held by the caller, or NULL. */
void proc_exe_set(struct kin_proc *p, struct file *f);
struct file *proc_exe_get(struct kin_proc *p); /* T; a reference for this call, or NULL */
void proc_info_share(struct kin_proc *child, struct kin_proc *parent); /* T; fork */
void proc_info_drop(struct kin_proc *p);                               /* T; exit, burial */

/* group.c. T. The number of processes reached; sid 0: in any session. */
int group_signal(s32 pgid, int sig, const struct ksiginfo *info);
bool group_exists(s32 pgid, s32 sid);
/*
 * T: HUP and CONT for pgid if it is orphaned now and has stopped members; without is not counted.
 */
void group_check_orphaned(s32 pgid, s32 sid, struct kin_proc *without);

/*
 * console.c: a terminal, as far as sessions and groups are concerned. In kin; atomics, no lock. 0:
 * none. console_get: that of the host; kernel/tty/ has the others and finds a session's.
 */
struct console {
	_Atomic s32 foreground_pgid, session;
	_Atomic u32 exclusive; /* TIOCEXCL; of a pseudo-terminal's master: the second bit */
	/* TIOCSLCKTRMIOS of the host's terminal: a struct termios; what is torn is a mask, too. */
	_Atomic u64 locked[5];
};
struct console *console_get(void);
/* The terminal is gone: its session loses it and the leader is told. Takes tree_lock. */
void console_hang_up(struct console *c);

#endif
