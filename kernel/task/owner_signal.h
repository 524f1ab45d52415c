/* SPDX-License-Identifier: ISC */
/*
 * Signals to the owner of an open file (SIGIO): fcntl(2), F_SETOWN and its relatives. Who is the
 * owner, and in whose name it was made so, is a plain value, to be copied out of kin and used when
 * no lock is held any more.
 */
#ifndef KERNEL_TASK_OWNER_SIGNAL_H
#define KERNEL_TASK_OWNER_SIGNAL_H

#include "kernel/task/signal.h"

struct kin_proc;

struct file_owner {
	u32 type; /* F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP */
	s32 id;   /* 0: nobody */
	struct kin_proc *proc; /* of a process or thread, and its start: else it is another by now */
	u64 start_ns;
	u32 uid, euid; /* of who made it the owner: they need the right to send it a signal */
};

/* One signal to one owner. */
struct owner_signal {
	struct file_owner owner;
	s32 signal; /* of F_SETSIG; 0: SIGIO, of which nothing is told but its coming */
	s32 fd, reason; /* POLL_IN, POLL_OUT, POLL_MSG, POLL_HUP */
};

/* The owner that is called so now, in the caller's name. 0, -ESRCH, -EINVAL. */
s64 owner_set(struct file_owner *o, u32 type, s32 id);
/* The id, or 0 if it is gone. */
s32 owner_id(const struct file_owner *o);
/* No lock of TREE's rank or above is held. */
void owner_signal_send(const struct owner_signal *s);

#endif
