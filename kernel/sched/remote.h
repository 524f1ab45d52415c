/* SPDX-License-Identifier: ISC */
/*
 * Requests from member to member: what is private to a process (its memory, its threads) only its
 * own kernel can look at, so a tracer, or who reads /proc/PID/maps, asks it to. The asked member
 * serves what lies in the table when it is interrupted or wakes, whatever its threads do
 * (kernel/proc/remote_serve.c); the asker sleeps until then.
 *
 * A slot's word is its state and who claimed it, changed by compare-and-swap alone, so that at
 * every instruction it is known whose it is: the asker's (CLAIMED, DONE), the asked one's (SERVING,
 * ABANDONED), or whose of the two comes first (POSTED). Burial of either moves it on.
 */
#ifndef KERNEL_SCHED_REMOTE_H
#define KERNEL_SCHED_REMOTE_H

#include "kernel/kin/kin_core.h"

#define REMOTE_DATA 16384u

enum remote_op {
	REMOTE_PEEK,          /* [at, +len) of its memory to data; force: whatever its rights are */
	REMOTE_POKE,          /* data to [at, +len) */
	REMOTE_REGISTERS,     /* the set of type at of thread tid to data; result: its size */
	REMOTE_SET_REGISTERS, /* len bytes of data */
	REMOTE_TEXT,          /* of /proc: entry number at of thread tid, from byte offset on */
	REMOTE_SIGNAL,        /* a struct ksiginfo for thread tid; number 0: is it there? */
	REMOTE_THREAD,        /* the lowest number >= at of a thread: 0: none */
};

struct remote {
	_Atomic u64 word;        /* state, member and generation of who asks */
	/* the asker's, while CLAIMED: */
	u32 member, generation;  /* who is asked */
	u32 op;
	s32 pid, tid;            /* the process; of it a thread */
	u32 force;
	u64 at, len, offset;
	/* the asked member's, while SERVING: */
	s64 result;              /* bytes, or -errno */
	char data[REMOTE_DATA] __attribute__((aligned(64))); /* for registers */
};

/* A slot to be filled in; NULL: no memory, or killed. May sleep. */
struct remote *remote_open(void);
/*
 * Asks the process; its result, -ESRCH if it is gone, -EINTR if the asker is killed: closed then.
 */
s64 remote_call(struct remote *r, s32 pid);
void remote_close(struct remote *r);

/* The asked member's side: serves what is there for it. */
void remote_look(void);
/*
 * A member that ended or died (not: this generation): nobody waits for it, nothing is kept for
 * it.
 */
void remote_bury(u32 member, u32 generation);

#endif
