/* SPDX-License-Identifier: ISC */
/*
 * Signals: sending and what is pending; how it is delivered: kernel/signal. Pending signals of a
 * process live in kin so that any member can post; the target acts: it drops what it ignores,
 * stops, dies or runs a handler on its way out of the kernel. Sources: signal(7), sigaction(2),
 * sigqueue(3), sigaltstack(2).
 *
 * Why none is lost. A sender makes the signal pending, then stores attention, then rings the
 * doorbell, then kicks. The target clears attention before it looks at what is pending; it looks at
 * attention as the last thing before the application runs; and it reads the doorbell's sequence
 * before it looks at what is pending and sleeps. So either it sees the signal, or attention is
 * still set, or the sleep ends at once, or (it had just left the kernel) the kick interrupts it.
 */
#ifndef KERNEL_TASK_SIGNAL_H
#define KERNEL_TASK_SIGNAL_H

#include <asm/signal.h>

#include "kernel/kin/kin_core.h"

#undef NSIG /* asm/signal.h counts the standard ones only */
#define NSIG 64
typedef u64 sigset; /* bit N-1: signal N */
#define SIGBIT(n) (1ull << ((n)-1))

#define SIGSET_STOP (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define WAIT_CORE 0x80 /* in a wait status, beside the signal */
#define SIGSET_CORE                                                                                \
	(SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGBUS) |      \
	 SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ) | SIGBIT(SIGSYS))
#define SIGSET_NEVER_BLOCKED (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SIGSET_DEFAULT_IGNORE                                                                      \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))
#define SIGSET_SYNCHRONOUS                                                                         \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) |        \
	 SIGBIT(SIGSYS))

/* The first 48 bytes of Linux's siginfo_t carry all that is ever filled. */
struct ksiginfo {
	s32 signo, err, code, pad;
	union {
		struct { s32 pid; u32 uid; u64 value; } rt;      /* kill, sigqueue */
		struct { s32 id; s32 overrun; u64 value; u64 sequence; } timer; /* sequence: never shown */
		struct { s32 pid; u32 uid; s32 status; u32 pad; u64 utime, stime; } chld;
		struct { u64 addr; } fault;
		struct { s64 band; s32 fd; } io;                  /* of a file's owner */
		u64 raw[4];
	};
};

/* A queued real-time signal. In kin for a process, in the kernel's heap for a thread. */
struct signal_node {
	struct signal_node *next;
	struct ksiginfo info;
};
/*
 * What belongs to the bits of a pending set: one ksiginfo per standard signal, a list of real-time
 * signals in order of arrival. Setting the pending bit publishes it; linking publishes a
 * node.
 */
struct signal_queue {
	struct signal_node *head, *tail;
	u64 queued;
	struct ksiginfo info[32]; /* by signal number, 0 unused */
};

/*
 * In kin. lock protects queue and the setting and clearing of pending; order: tree_lock, then this.
 */
struct kin_signals {
	KIN_LOCK(lock, SIGNALS);
	u32 reserved;                  /* no lock: unused */
	_Atomic u64 pending;           /* process-directed; read without the lock */
	/* Published by the owner, read by senders under the lock; 0 is always right. */
	_Atomic u64 dropped;           /* ignored and not blocked: need not be posted */
	_Atomic u64 quiet;             /* blocked: no reason to interrupt or wake the target */
	_Atomic u64 flush;             /* threads' own signals to discard: stops after a SIGCONT */
	struct signal_queue queue;     /* lock */
};

#define HANDLER_DEFAULT 0ull
#define HANDLER_IGNORE 1ull

struct signal_action {
	u64 handler, flags, restorer;
	sigset mask;
};
/* Private to the member, one per process. Zeroed: all default. */
struct signal_actions {
	struct signal_action action[NSIG];
	sigset ignoring;               /* SIG_IGN */
	sigset catching;               /* a handler */
};

struct thread_signals {
	sigset blocked;
	sigset saved_mask;             /* sigsuspend, ppoll, ...: back after delivery if restore_mask */
	bool restore_mask;
	sigset waited;                 /* sigtimedwait: ends the sleep though blocked */
	_Atomic sigset pending;        /* thread-directed, private to the member */
	struct signal_queue queue;
	u64 alt_sp, alt_size;          /* alt_size 0: none */
	u32 alt_flags;                 /* as sigaltstack was told, SS_AUTODISARM included */
};

struct kin_proc;
struct proc;
struct thread;
struct trapframe;

/*
 * Internal results of system calls, turned into EINTR or a restart by signal_deliver. As in Linux.
 */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

/*
 * Post to a process of the family. 0 (also when dropped or coalesced) or -EAGAIN (queue full). info
 * NULL: SI_KERNEL. No permission check. target is the caller's own process; of others, under
 * tree_lock: tree_signal.
 */
int signal_send(struct kin_proc *target, int sig, const struct ksiginfo *info);
/* The two halves of signal_send, for senders to many. signal_post: 1 posted, 0 nothing to do. */
int signal_post(struct kin_proc *target, int sig, const struct ksiginfo *info);
void signal_notify(struct kin_proc *target, int sig);
/* Thread-directed; the thread is of this member. 0 or -EAGAIN. */
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info);
/* The same, telling more: 1 posted, 0 dropped or pending already, -EAGAIN. */
int signal_post_thread(struct thread *t, int sig, const struct ksiginfo *info);
/* Fills info as kill(2) by the current process. */
struct ksiginfo signal_info_user(int sig, int code);

/*
 * Something to deliver to t (not blocked, not ignored)? Cheap; no lock. When true attention is set,
 * so that a system call that gives up with -EINTR or -ERESTART* passes through signal_deliver.
 */
bool signal_pending(struct thread *t);
/* Pending in process or thread, blocked or not. */
sigset signal_pending_set(struct thread *t);
/* Ignored, explicitly or by default. */
sigset signal_ignored_set(const struct proc *p);

/* The mask of the current thread; SIGKILL and SIGSTOP stay unblocked. */
void signal_set_blocked(sigset blocked);
/*
 * ppoll, pselect, sigsuspend: blocked until the call returns or a handler has run. Then
 * signal_mask_done.
 */
void signal_mask_swap(sigset temporary);
/* At the end of such a call: interrupted false puts the old mask back at once. */
void signal_mask_done(bool interrupted);

/* fork: a copy; NULL: all default. Owned by the caller (kfree). NULL if there is no memory. */
struct signal_actions *signal_actions_clone(const struct signal_actions *a);
/* Of a fresh table: these are ignored from the start. */
void signal_actions_ignore(struct signal_actions *a, sigset set);
/* fork: the child's private side; nothing is pending. t->proc is the child's. */
void signal_fork_child(struct thread *t);
/* exec: handlers to default, alternate stack gone. */
void signal_exec(struct thread *t);
/* Burial and exit: free queued nodes. */
void signals_release(struct kin_proc *p);
/* A thread that ends: free its queued nodes. */
void signal_thread_release(struct thread *t);
/* Takes the first pending signal of want off t's or its process's queue; 0: none. */
int signal_take(struct thread *t, sigset want, struct ksiginfo *info);
/*
 * Publishes to senders what the process ignores and blocks. After every change of mask or actions.
 */
void signals_mirror(struct proc *p);
/* Discards pending signals of set in the process and all its threads. */
void signal_discard(struct proc *p, sigset set);
/* What a sender asked to discard of the threads' own signals (struct kin_signals, flush). */
void signal_apply_flush(struct proc *p);
void signal_action_set(struct proc *p, int sig, const struct signal_action *a);

#endif
