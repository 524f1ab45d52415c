/* SPDX-License-Identifier: ISC */
/* The kernel's small C library: memory, strings, printing, panic. Freestanding; no FPU, no TLS. */
#ifndef KERNEL_LIB_LIB_H
#define KERNEL_LIB_LIB_H

#include <stdarg.h>

#include "common/types.h"
#include "kernel/lib/lib_hooks.h"

void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
/* A hash. */
u64 hash_bytes(const void *p, size_t n);
char *strrchr(const char *s, int c);
/* of a negative errno; error_text.c. Valid until the next call. */
const char *error_text(s64 err);
size_t strlcpy(char *dst, const char *src, size_t size);
size_t strlcat(char *dst, const char *src, size_t size);

/* %d %u %x %X %s %c %p %% with -, 0, width, l, ll, z; returns what would have been written */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));


#define kassert(c) ((c) ? (void)0 : kpanic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #c))

#endif
