/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor does for this member (abi/kin.h, struct volume_request), and what it keeps
 * for the family: files of volumes without a name, and sockets of the host.
 */
#ifndef KERNEL_VFS_KEEPER_H
#define KERNEL_VFS_KEEPER_H

#include "abi/kin.h"

/* This member's request, to be filled; NULL: no memory. path and other: NULL is "". */
struct volume_request *request_begin(u32 kind, u32 tree, const char *path, const char *other);
s64 request_run(struct volume_request *req);
/* For requests whose answer is a descriptor: the handle. */
s64 request_run_receive(struct volume_request *req);

/*
 * Others of the family may have what this member has open as handle, as long as *word is value: 0
 * or -errno. And the other way: a handle, open for access at least; -ENOENT: nothing is kept there.
 * word NULL: only what is not in use any more goes.
 */
s64 keeper_keep(int handle, const _Atomic u64 *word, u64 value, u32 access);
s64 keeper_take(const _Atomic u64 *word, u64 value, u32 access);
/* Such a word has changed. */
void keeper_stale(void);

#endif
