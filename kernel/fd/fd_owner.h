/* SPDX-License-Identifier: ISC */
/* The owner of an open file, who gets a signal when something can be done with it (SIGIO). */
#ifndef KERNEL_FD_FD_OWNER_H
#define KERNEL_FD_FD_OWNER_H

#include "kernel/fd/file.h"

/* fcntl: F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG. */
s64 owner_fcntl(struct file *f, u32 cmd, u64 arg);
/* The same by the ioctls FIOSETOWN, SIOCSPGRP, FIOGETOWN, SIOCGPGRP of sockets. -ENOTTY: another */
s64 owner_ioctl(struct file *f, u32 cmd, u64 arg);
/*
 * O_ASYNC of f, which is fd here, is to be on, or off. 0, -ENOTTY: files of this type signal
 * nothing; -ENOMEM.
 */
s64 owner_async(struct file *f, s32 fd, bool on);
/* f may have other queues now: of a socket that was connected. */
void owner_follow(struct file *f);
/* f was not ready for writing: its owner is told when it is. */
void owner_wants_room(struct file *f);
/* The caller, if f has no owner yet. 0 or -ENOMEM. */
s64 owner_default(struct file *f);
/* Nobody, and no signal. */
void owner_forget(struct file *f);
/* Tells the owner that something happened to f, which is fd where he looks (POLL_MSG). */
void owner_message(struct file *f, s32 fd);
/* The last reference to f goes. May be repeated. */
void owner_gone(struct file *f);

#endif
