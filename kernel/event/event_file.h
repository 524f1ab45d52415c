/* SPDX-License-Identifier: ISC */
/*
 * A descriptor that stands for an object of its own in kin, in file.priv[0]: an eventfd, a timerfd,
 * an interest list, an inotify instance. It is made, filled by its kind, and installed.
 */
#ifndef KERNEL_EVENT_EVENT_FILE_H
#define KERNEL_EVENT_EVENT_FILE_H

#include "kernel/fd/file.h"

/* flags: of the call, O_NONBLOCK and O_CLOEXEC among them. mode: O_RDONLY, O_RDWR. */
struct event_new {
	enum file_type type;
	u32 mode, flags;
	struct file *file;
	void *object; /* zeroes; belongs to this member's record until event_install */
};

s64 event_make(struct event_new *e, size_t size); /* 0, -ENFILE, -ENOMEM */
s64 event_install(struct event_new *e);           /* the descriptor, or -EMFILE */

#endif
