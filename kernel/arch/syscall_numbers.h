/* SPDX-License-Identifier: ISC */
/*
 * SYSCALL_read and so on: the number of each row of kernel/syscall/syscalls.def, for dispatch and
 * for whoever prints them.
 */
#ifndef KERNEL_ARCH_SYSCALL_NUMBERS_H
#define KERNEL_ARCH_SYSCALL_NUMBERS_H

#define SYSCALL_MAX 512 /* numbers from here on are no calls */

enum {
#define NUMBER(number, name) SYSCALL_##name = number,
#if defined(__x86_64__)
#include "kernel/arch/x86_64/syscall_numbers.def"
#else
#error "this architecture needs a folder in kernel/arch with a syscall_numbers.def"
#endif
#undef NUMBER
};

#endif
