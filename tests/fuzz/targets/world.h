/* SPDX-License-Identifier: ISC */
/*
 * What a monitor's handlers see in a target: guest memory and kin at their real addresses, a family
 * with a root directory, a volume, and a read-only one, in a folder of their own on /dev/shm beside
 * one that nobody was granted; and the host, which is boundary_call.
 *
 * boundary_call finds what a handler must never ask of the host, whatever its guest says: a call
 * that abi/hypercalls.def does not list for the hypercall, memory that is neither the guest's nor
 * live memory of the monitor, a descriptor that is not the guest's to use, a name outside of the
 * volume, a device opened. Then it makes the call if that has no effect outside of the folder, and
 * plays it otherwise. world_call_end finds descriptors that were lost, world_check everything that
 * changed where the family may only read, or where it has no business.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include <setjmp.h>

#include "input.h"
#include "monitor/core/core_internal.h"

#define AREA 0x30000000ull /* application memory that is there; behind it nothing is */
#define AREA_SIZE 0x10000ull
#define WORLD_VOLUMES 2 /* tree 1 is the volume, tree 2 the read-only one */

struct world {
	struct family family;
	struct member member;
	char base[64];                     /* of the folder, which holds root, vol, read, outside */
	sigjmp_buf left;                   /* where exit_group goes to: the member has ended */
	const struct hypercall_info *call; /* under way; NULL: the supervisor's own work */
	int handle;                        /* what a member has open, for VOLUME_NAME; -1 */
	/* The host fails: the call so many from now with that error; 0: none does. */
	u32 fail_in, fail_errno;
	void (*between)(void); /* NULL, or what others do before each host call */
	bool changed;          /* the volume is not as it was made */
};
extern struct world world;

void world_make(void);                                     /* once */
void world_reset(void);                                    /* before each input */
void world_check(void);                                    /* after it */
void world_call_end(void);                                 /* after each hypercall */
int world_path(char *path, size_t size, const char *name); /* below the folder: its length */

#endif
