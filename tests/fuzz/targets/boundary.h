/* SPDX-License-Identifier: ISC */
/*
 * Put before every source of the monitor that a target looks at (-include): host calls go to
 * boundary_call, which checks, and makes those that are harmless here; see world.h.
 */
#ifndef TESTS_FUZZ_BOUNDARY_H
#define TESTS_FUZZ_BOUNDARY_H

#define host_call host_call_made
#define host_call_once host_call_once_made
#include "monitor/core/host_call.h"
#undef host_call
#undef host_call_once
#define host_call boundary_call
#define host_call_once boundary_call

s64 boundary_call(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

/* libc's, where the host side uses it instead (volume_request.c, backend/kvm). */
#define syscall boundary_syscall
#define ioctl boundary_ioctl
#define mmap boundary_mmap
#define madvise boundary_madvise
#define close boundary_close
#define openat boundary_openat
#define mkdirat boundary_mkdirat
#define mknodat boundary_mknodat
#define symlinkat boundary_symlinkat
#define linkat boundary_linkat
#define unlinkat boundary_unlinkat
#define renameat2 boundary_renameat2
#define fchmod boundary_fchmod
#define fchmodat boundary_fchmodat
#define fchownat boundary_fchownat

#endif
