/* SPDX-License-Identifier: ISC */
/* unifork exec -t. */
#ifndef KERNEL_BOOT_SESSION_TERMINAL_H
#define KERNEL_BOOT_SESSION_TERMINAL_H

#include "kernel/tty/pty.h"

/*
 * For the process of a session that has no descriptors yet. Returns in a child of it, whose
 * standard streams are the terminal that it returns; NULL and *err: there is none.
 */
struct pty *session_terminal(s64 *err);

#endif
