/* SPDX-License-Identifier: ISC */
/*
 * The host's side of kin_env.c: the C library's headers and the kernel's do not go into one file.
 */
#ifndef TESTS_UNIT_KIN_HOST_H
#define TESTS_UNIT_KIN_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define KIN_HOST_FOREVER (~0ull)

/*
 * Maps the shared segment, and private memory, at fixed addresses; ends the program if it cannot.
 */
void kin_host_map(uint64_t kin, uint64_t kin_size, uint64_t private, uint64_t private_size);
int kin_host_punch(uint64_t offset, uint64_t len);
/* 0 or more, or -errno. */
long kin_host_futex(void *word, bool wake, uint32_t value, uint64_t timeout_ns);
uint64_t kin_host_now_ns(void);
int kin_host_fork(void);
int kin_host_reap(int pid, bool kill_it);
void kin_host_pause_us(unsigned us);
_Noreturn void kin_host_die(int status, const char *text);

#endif
