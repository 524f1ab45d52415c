/* SPDX-License-Identifier: ISC */
/*
 * Copy-up: the first open for writing turns a host-backed file into one whose data lies in kin.
 * The whole content is read into a new object without any lock; then the inode changes over in
 * one step under its lock. Two members may both copy: the second finds the work done. Descriptors
 * that were open for reading see the new content from then on, private mappings keep the host's
 * pages. A member killed while it copies leaves an object nobody refers to.
 */
#include <asm/errno.h>

#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"

/* Reads the host's file into pages of o; holes of whole pages stay holes. Bytes, or -errno. */
static s64 fetch(struct kin_object *o, int handle, u64 size)
{
	for (u64 pos = 0; pos < size;) {
		u64 run;
		u8 *page = object_page(o, pos / PAGE_SIZE, true, &run);
		if (!page)
			return -ENOSPC;
		u64 want = MIN(size - pos, MIN(run, 256) * PAGE_SIZE - pos % PAGE_SIZE);
		s64 n = host_fs_pread(handle, page + pos % PAGE_SIZE, want, pos);
		if (n < 0)
			return n;
		if (n == 0)
			break; /* shorter than its stat said */
		pos += (u64)n;
	}
	return (s64)size;
}

s64 inode_copy_up(struct inode *ino, bool discard)
{
	u64 size = ino->size;

	if (!inode_is(ino, INODE_LOWER) || !S_ISREG(ino->mode))
		return 0;
	struct kin_object *o = NULL;
	if (!discard && size) {
		s64 handle = handle_get(ino);
		if (handle < 0)
			return handle;
		o = object_create(0);
		if (!o)
			return -ENOSPC;
		own_give(hold_new(OWN_OBJECT), o);
		s64 n = fetch(o, (int)handle, size);
		if (n < 0) {
			ref_put(OWN_OBJECT, hold_of(OWN_OBJECT, o));
			return n;
		}
	}
	inode_pin(ino);
	inode_data_lock(ino);
	if (inode_is(ino, INODE_LOWER)) {
		if (o)
			ref_move(OWN_OBJECT, hold_of(OWN_OBJECT, o), &ino->object);
		ino->size = discard ? 0 : size;
		ino->flags &= ~(u32)INODE_LOWER;
		o = NULL;
	}
	kin_unlock(&ino->lock);
	if (o)
		ref_put(OWN_OBJECT, hold_of(OWN_OBJECT, o));
	return 0;
}
