/* SPDX-License-Identifier: ISC */
/*
 * Tables, ids, permissions and *get of System V IPC. Source: svipc(7), the man pages of the *get
 * calls.
 */
#include "kernel/ipc/ipc.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

#include <asm/errno.h>
#include <linux/ipc.h>

#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/time/time.h"
#include "kernel/vfs/inode.h"

struct ipc_shared {
	struct ipc_table table[IPC_KINDS];
};

static void shared_init(void *p)
{
	struct ipc_shared *shared = p;

	for (u32 kind = 0; kind < IPC_KINDS; kind++)
		for (u32 i = 0; i < IPC_QUEUES; i++)
			queue_init(&shared->table[kind].queue[i]);
}

struct ipc_table *ipc_table(enum ipc_kind kind)
{
	struct ipc_shared *shared = kin_root_claim(ROOT_IPC, sizeof(struct ipc_shared), shared_init);

	return shared ? &shared->table[kind] : NULL;
}

struct ipc_table *ipc_table_if_any(enum ipc_kind kind)
{
	struct ipc_shared *shared = kin_root_get(ROOT_IPC);

	return shared ? &shared->table[kind] : NULL;
}

u64 ipc_seconds(void)
{
	return time_real_ns() / NSEC_PER_SEC;
}

struct kin_queue *ipc_queue(struct ipc_table *t, s32 id)
{
	return &t->queue[(u32)id % IPC_QUEUES];
}

struct ipc_object *ipc_find(struct ipc_table *t, s32 id)
{
	u32 slot = (u32)id & ((1u << IPC_ID_SHIFT) - 1);
	struct ipc_object *o = id >= 0 && slot < IPC_SLOTS ? t->slot[slot] : NULL;

	return o && o->id == id ? o : NULL;
}

struct ipc_object *ipc_find_key(struct ipc_table *t, s32 key)
{
	for (u32 i = 0; i < t->used; i++)
		if (t->slot[i] && t->slot[i]->key == key)
			return t->slot[i];
	return NULL;
}

s64 ipc_add(struct ipc_table *t, struct ipc_object *o, s32 key, u32 mode)
{
	u32 slot = 0;

	while (slot < IPC_SLOTS && t->slot[slot])
		slot++;
	if (slot == IPC_SLOTS)
		return -ENOSPC;
	o->key = key;
	o->uid = o->cuid = cred_uid();
	o->gid = o->cgid = cred_gid();
	o->mode = mode & 0777;
	o->sequence = t->sequence[slot];
	o->id = (s32)(o->sequence << IPC_ID_SHIFT | slot);
	t->used = MAX(t->used, slot + 1);
	publish(&t->slot[slot], o);
	return o->id;
}

/* The count goes up first: an id is never given out twice. */
void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	u32 slot = (u32)o->id & ((1u << IPC_ID_SHIFT) - 1);

	t->sequence[slot] = (u16)((o->sequence + 1) & 0xffff);
	publish(&t->slot[slot], NULL);
}

s64 ipc_access(const struct ipc_object *o, u32 mode)
{
	u32 want = mode >> 6 | mode >> 3 | mode, granted = o->mode, euid = cred_uid();

	if (euid == o->uid || euid == o->cuid)
		granted >>= 6;
	else if (cred_in_group(o->gid) || cred_in_group(o->cgid))
		granted >>= 3;
	return want & ~granted & 7 && !cred_capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

s64 ipc_owner(const struct ipc_object *o)
{
	u32 euid = cred_uid();

	return euid == o->uid || euid == o->cuid || cred_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_perm_out(const struct ipc_object *o, struct ipc64_perm *out)
{
	memset(out, 0, sizeof(*out));
	out->key = o->key;
	out->uid = o->uid;
	out->gid = o->gid;
	out->cuid = o->cuid;
	out->cgid = o->cgid;
	out->mode = o->mode;
	out->seq = (u16)o->sequence;
}

void ipc_perm_set(struct ipc_object *o, const struct ipc64_perm *in)
{
	o->uid = in->uid;
	o->gid = in->gid;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777);
}

/* Under the lock. 1: not there, make it. */
static s64 look(struct ipc_table *t, const struct ipc_get *g, s64 *id)
{
	struct ipc_object *o = g->key == IPC_PRIVATE ? NULL : ipc_find_key(t, g->key);
	s64 err;

	if (!o)
		return g->key == IPC_PRIVATE || g->flags & IPC_CREAT ? 1 : -ENOENT;
	if ((g->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	err = g->check(o, g->size);
	if (!err)
		err = ipc_access(o, g->flags & 0777);
	*id = o->id;
	return err;
}

s64 ipc_get(enum ipc_kind kind, const struct ipc_get *g)
{
	struct ipc_table *t = ipc_table(kind);
	struct ipc_object *o = NULL;
	s64 err = 0, id = -1;

	if (!t)
		return -ENOSPC;
	for (;;) {
		kin_lock_recover(&t->lock, kin_recover_whole, NULL);
		err = look(t, g, &id);
		if (err == 1 && o)
			id = ipc_add(t, o, g->key, g->flags);
		kin_unlock(&t->lock);
		if (err != 1 || o)
			break;
		o = g->make(g->size, &err);
		if (!o)
			return err;
	}
	if (o && (err != 1 || id < 0))
		g->discard(o);
	return err < 0 ? err : id;
}
