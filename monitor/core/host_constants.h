/* SPDX-License-Identifier: ISC */
/*
 * Arguments of host calls that lie in the monitor's read-only memory. A seccomp program sees a
 * pointer but not what it points to; it can however demand that a pointer is one of these. A guest
 * that shares the monitor's address space (process backend) cannot change them: they are constants
 * of the executable, and the rules of mmap and mprotect end where private memory ends. So what is
 * listed here is all that a monitor can ask of openat2, whoever makes the call.
 */
#ifndef MONITOR_CORE_HOST_CONSTANTS_H
#define MONITOR_CORE_HOST_CONSTANTS_H

#include <linux/openat2.h>
#include <sys/socket.h>

#include "monitor/core/monitor.h"

/* The filter finds out by the low bits whether a pointer is to the beginning of an element. */
#define HOST_CONSTANT_SIZE 32

struct host_how {
	struct open_how how;
	u64 unused;
} __attribute__((aligned(HOST_CONSTANT_SIZE)));

struct host_text {
	char text[HOST_CONSTANT_SIZE];
} __attribute__((aligned(HOST_CONSTANT_SIZE)));

struct host_linger {
	struct linger linger;
	u64 unused[3];
} __attribute__((aligned(HOST_CONSTANT_SIZE)));

/* Looking and reading; writing an existing file. Files are made by the supervisor. */
#define HOST_HOWS_READING 4
#define HOST_HOWS_WRITING 2
#define HOST_HOWS (HOST_HOWS_READING + HOST_HOWS_WRITING)

extern const struct host_how host_hows[HOST_HOWS];
/*
 * What a socket may be told of lingering. With seconds a close waits for its peer, and the last one
 * to close a socket can be the supervisor.
 */
#define HOST_LINGERS 2
extern const struct host_linger host_lingers[HOST_LINGERS];
/* "": the descriptor itself. */
extern const struct host_text host_no_path;
/* The element with these flags (O_CLOEXEC is added); NULL: there is none. */
const struct open_how *host_how_find(u64 flags);
/* The same for a socket; NULL: a close would wait. */
const struct linger *host_linger_find(const struct linger *wanted);

#endif
