/* SPDX-License-Identifier: ISC */
/* What a monitor tells the kernel before its first instruction, at BOOT_INFO_ADDR. */
#ifndef ABI_BOOT_H
#define ABI_BOOT_H

#include "common/types.h"

#define BOOT_MAGIC 0x736f74696dull /* "unifork" */

enum backend_kind { BACKEND_KVM = 1, BACKEND_PROCESS = 2 };

enum {
	BOOT_FSGSBASE = 1 << 0,  /* rdfsbase and friends may be used */
	BOOT_XSAVEOPT = 1 << 1,
	BOOT_XSAVEC = 1 << 2,
	BOOT_VERBOSE = 1 << 3,   /* -v */
};

/*
 * From PRIVATE_END on: what an application may have of the address space. All but kin, and in the
 * process backend what the monitor's own process has. Ascending, page-aligned, [start, end).
 */
#define BOOT_ZONES 6
struct boot_range {
	u64 start, end;
};

struct boot_info {
	u64 magic;
	u32 backend;        /* enum backend_kind */
	u32 flags;
	u32 member;         /* index into kin's member table; the clone of a VM has its own */
	u32 generation;     /* of that member record */
	u32 xsave_size;     /* bytes of the XSAVE area, standard format */
	u32 zone_count;
	u64 xsave_mask;     /* XCR0 */
	u64 hypercall_entry; /* process backend: address to call; kvm: 0 */
	u64 set_fsbase;     /* process backend without FSGSBASE: address to call; else 0 */
	u64 hwcap, hwcap2;  /* for the auxiliary vector */
	u64 start_tsc;      /* TSC when the monitor began */
	struct boot_range zones[BOOT_ZONES];
};

#define BOOT_INFO ((struct boot_info *)BOOT_INFO_ADDR)

#endif
