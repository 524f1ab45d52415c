/* SPDX-License-Identifier: ISC */
/* Waiting for several files: what poll, select and epoll share. */
#ifndef KERNEL_FD_POLL_H
#define KERNEL_FD_POLL_H

#include "kernel/fd/file.h"

#define POLL_HOST_MAX 64

/* Where one call has registered. On the stack of the caller. */
struct poll_table {
	struct kin_waiter **waiters;
	u32 want;                 /* of the file that is looked at: nothing else is worth a wake */
	u32 n, cap, failed;
	u32 nhost, host_missed;   /* host handles that did not fit: look again before long */
	/* epoll: is told of the queues instead; the caller stays on them after the call */
	void (*hook)(struct poll_table *pt, struct kin_queue *q, u32 events);
	struct hyp_pollfd host[POLL_HOST_MAX];
};

/* A file and what is wanted of it. file NULL: got is never set by looking. */
struct poll_item {
	struct file *file;
	u32 want, got;            /* EPOLL* */
	bool strict;              /* errors and hang-ups count only if wanted (select) */
};

/*
 * Hooks that stay on the queues which a file names: an epoll's, or those of the file's owner. No
 * file names more at once than a socket that is being connected.
 */
#define POLL_HOOKS 3
/*
 * The one of hook[POLL_HOOKS] for q, and *named gets its bit: of those that the file has named in
 * this look. It stands there already (*stands), or is free, or was on a queue that is not named any
 * more. NULL: all are in use.
 */
struct kin_waiter *poll_hook_for(struct kin_waiter *hook, u32 *named, struct kin_queue *q,
								 bool *stands);

void poll_table_init(struct poll_table *pt);
void poll_table_done(struct poll_table *pt);
/*
 * A file that was just looked at becomes ready at this time, whatever else happens: the next
 * sleep ends then. POLL_SOME_TIME: it is ready, and there will be another such time.
 */
#define POLL_SOME_TIME (HYP_NO_DEADLINE - 1)
void poll_until(u64 mono_ns);
/* Has what is looked at between the two such a time? Pairs may be nested. */
u64 poll_until_begin(void);
bool poll_until_end(u64 begun);
/* Sleeps until something registered happens. 0, -EINTR, -ETIMEDOUT. */
int poll_table_sleep(struct poll_table *pt, u64 deadline_ns);
/* What file is ready for, among want; registers if pt. */
u32 file_poll(struct file *f, u32 want, struct poll_table *pt);
/* Number of items with got != 0 (those set before count as well), 0 after the deadline, -EINTR. */
s64 poll_items(struct poll_item *items, u32 n, u64 deadline_ns);
/*
 * The deadline (CLOCK_MONOTONIC ns; 0: do not wait) of a relative struct timespec or timeval of the
 * application, NULL: never. -EFAULT, -EINVAL.
 */
s64 poll_deadline(u64 user_time, bool timeval, u64 *deadline_ns);
/* Linux writes back what is left. */
void poll_time_left(u64 user_time, bool timeval, u64 deadline_ns);
/* The call's temporary signal mask, if user_mask: 0, -EFAULT, -EINVAL. */
s64 poll_mask_begin(u64 user_mask, u64 size);
void poll_mask_end(u64 user_mask, bool interrupted);

#endif
