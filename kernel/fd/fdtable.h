/* SPDX-License-Identifier: ISC */
/* What file.c, fdtable.c and the system calls on descriptors share; nobody else includes it. */
#ifndef KERNEL_FD_FDTABLE_H
#define KERNEL_FD_FDTABLE_H

#include "kernel/fd/file.h"

struct member_record;

/* ---- file.c */
/* Around every change of a count: the member's record names the file, see file.c. */
void ref_begin(struct file *f);
void ref_end(void);
void hold_add(struct file *f);           /* between ref_begin and ref_end, the count is up */
void holding_forget(struct file *f);     /* the caller's reference loses its holding */
void file_unref(struct file *f);         /* after that; ends the intent */
bool file_borrow(struct file *f);        /* fd_get without a count; file_put gives it back */

/* ---- fdtable.c */
u32 fdtables_count(struct file *f);      /* entries for f in all tables */
void fdtable_bury(struct member_record *r);
int fd_flags_get(int fd);                /* FD_CLOEXEC, or -EBADF */
int fd_flags_set(int fd, u32 flags);
int fd_replace(struct file *f, int fd, u32 flags); /* dup2: takes over the reference */
/* Closes [first, last], or marks it close-on-exec. */
void fd_range(u32 first, u32 last, bool cloexec);
/* A private copy of a shared table, for close_range's CLOSE_RANGE_UNSHARE. */
int fd_unshare(void);

#endif
