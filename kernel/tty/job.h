/* SPDX-License-Identifier: ISC */
/*
 * Job control, the same for every terminal: the host's and pseudo-terminals. A terminal is its
 * struct console here: which session has it and which process group is in the foreground. Both are
 * atomics in kin; tree_lock is taken to look at groups. A session has one terminal at most.
 */
#ifndef KERNEL_TTY_JOB_H
#define KERNEL_TTY_JOB_H

#include "kernel/task/thread.h"

/*
 * Before reading, writing (only if TOSTOP is set) and changing settings: 0, -EIO, or -ERESTARTSYS
 * after SIGTTIN or SIGTTOU was sent.
 */
s64 job_may_read(struct console *c);
s64 job_may_write(struct console *c);
s64 job_may_change(struct console *c);
/* The same where the family as a whole is a background job of the shell outside. */
s64 job_outside_read(void);
s64 job_outside_write(void);
/* The caller's session gets the terminal: 0 or -EPERM. steal: even if another one has it. */
s64 job_acquire(struct console *c, bool steal);
/* TIOCEXCL was asked for, and the caller may not open it all the same. */
bool job_excludes(struct console *c);
/*
 * TIOCGPGRP and its relatives; -ENOSYS: none of these. master: asked through the other side of a
 * pseudo-terminal, which is nobody's controlling terminal but may ask for its slave's.
 */
s64 job_ioctl(struct console *c, bool master, u32 cmd, u64 arg);
struct console *console_of_session(s32 sid); /* NULL: it has none */
/* Its number for /proc/PID/stat. */
u64 console_rdev(const struct console *c);

#endif
