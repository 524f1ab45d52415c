/* SPDX-License-Identifier: ISC */
/*
 * Requests to the supervisor. One at a time for each member record; what an earlier life of the
 * record asked for is waited for first. Descriptors come through one queue for the whole family, so
 * who wants one holds shelf_lock from the request to the receipt; an owner that died has left at
 * most a descriptor behind, which the next one throws away.
 */
#include "kernel/vfs/keeper.h"

#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/vfs/inode.h"

#define REQUEST_PATIENCE_NS 1000000000ull

static void request_wait(struct volume_request *req)
{
	u32 self = BOOT_INFO->member;

	if (req->state != VOLUME_REQUEST_ASKED)
		return;
	KIN->request_map[self / 64] |= 1ull << (self % 64);
	host_notify();
	while (req->state == VOLUME_REQUEST_ASKED)
		host_futex_wait(&req->state, VOLUME_REQUEST_ASKED, REQUEST_PATIENCE_NS);
}

struct volume_request *request_begin(u32 kind, u32 tree, const char *path, const char *other)
{
	struct kin_member *m = member_self();
	struct volume_request *req = (struct volume_request *)m->request;

	if (!req) {
		req = own_new(OWN_MEMORY, sizeof(*req));
		if (!req)
			return NULL;
		own_give_as(&m->request, req, (u64)req);
	}
	request_wait(req);
	req->kind = kind;
	req->tree = tree;
	req->flags = 0;
	strlcpy(req->path, path ? path : "", sizeof(req->path));
	strlcpy(req->other, other ? other : "", sizeof(req->other));
	return req;
}

s64 request_run(struct volume_request *req)
{
	req->state = VOLUME_REQUEST_ASKED;
	request_wait(req);
	return req->result;
}

s64 request_run_receive(struct volume_request *req)
{
	kin_lock_recover(&vfs_shared()->shelf_lock, kin_recover_whole, NULL);
	s64 r = request_run(req);
	if (r > 0)
		r = host_vol_receive();
	kin_unlock(&vfs_shared()->shelf_lock);
	return r;
}

s64 keeper_keep(int handle, const _Atomic u64 *word, u64 value, u32 access)
{
	struct volume_request *req = request_begin(VOLUME_KEEP, 0, NULL, NULL);

	if (!req)
		return -ENOSPC;
	req->handle = handle;
	req->word = (u64)word;
	req->value = value;
	req->access = access;
	return request_run(req);
}

s64 keeper_take(const _Atomic u64 *word, u64 value, u32 access)
{
	struct volume_request *req = request_begin(VOLUME_TAKE, 0, NULL, NULL);

	if (!req)
		return -ENOSPC;
	req->word = (u64)word;
	req->value = value;
	req->access = access;
	return request_run_receive(req);
}

void keeper_stale(void)
{
	atomic_store(&KIN->shelf_stale, 1);
	host_notify();
}
