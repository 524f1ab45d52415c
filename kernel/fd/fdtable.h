/* SPDX-License-Identifier: ISC */
/* What file.c, fdtable.c and the system calls on descriptors share; nobody else includes it. */
#ifndef KERNEL_FD_FDTABLE_H
#define KERNEL_FD_FDTABLE_H

#include "kernel/fd/file.h"

/* ---- file.c */
bool file_borrow(struct file *f);        /* fd_get without a count; file_put gives it back */
extern const struct own_ops file_own_ops, fdtable_own_ops;

/* ---- fdtable.c */
int fd_flags_get(int fd);                /* FD_CLOEXEC, or -EBADF */
int fd_flags_set(int fd, u32 flags);
int fd_replace(struct file *f, int fd, u32 flags); /* dup2: takes over the reference */
/* Closes [first, last], or marks it close-on-exec. */
void fd_range(u32 first, u32 last, bool cloexec);

#endif
