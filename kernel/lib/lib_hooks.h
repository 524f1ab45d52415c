/* SPDX-License-Identifier: ISC */
/*
 * What lib has from above: how things end badly, and the log, from kernel/host/panic.c, which can
 * leave the machine; and what every processor does best in its own way (kernel/arch).
 */
#ifndef KERNEL_LIB_LIB_HOOKS_H
#define KERNEL_LIB_LIB_HOOKS_H

#include "common/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int c, size_t n);

/* One line to the monitor's log: shown with -v (hypercall log). */
void klog(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* This member cannot go on: hypercall panic with the reason. */
_Noreturn void kpanic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The family cannot go on (kin is damaged): one clear message, then the supervisor ends it. */
_Noreturn void family_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
