/* SPDX-License-Identifier: ISC */
/* Put before the sources of the ELF target (-include): an application's memory is not there. */
#ifndef TESTS_FUZZ_ELF_MEMORY_H
#define TESTS_FUZZ_ELF_MEMORY_H

#include <string.h>

void *memory_set(void *to, int byte, size_t n); /* fuzz_elf.c */
#define memset memory_set

#endif
