/* SPDX-License-Identifier: ISC */
/*
 * The terminal requests that a guest may make of the host's standard descriptors; also the
 * seccomp list (confine_rules.c).
 */
#ifndef MONITOR_CORE_TTY_IOCTLS_H
#define MONITOR_CORE_TTY_IOCTLS_H

#include "common/types.h"

enum tty_kind {
	TTY_OUT,   /* the host fills the buffer */
	TTY_IN,    /* the host reads the buffer */
	TTY_VALUE, /* the argument is the int in the buffer itself */
};

struct tty_ioctl {
	u32 request;
	u32 size;
	enum tty_kind kind;
	bool waits; /* until output is out */
};

extern const struct tty_ioctl tty_ioctls[]; /* ended by size 0 */

#endif
