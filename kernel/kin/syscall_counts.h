/* SPDX-License-Identifier: ISC */
/* What dispatch counted since this member began, by system-call number. */
#ifndef KERNEL_KIN_SYSCALL_COUNTS_H
#define KERNEL_KIN_SYSCALL_COUNTS_H

#include "kernel/arch/arch.h"

extern u32 syscall_direct[SYSCALL_MAX], syscall_trapped[SYSCALL_MAX];
extern u32 syscall_first[SYSCALL_MAX], syscall_unsupported[SYSCALL_MAX];
extern bool syscall_unsupported_any; /* since the last publication */

#endif
