/* SPDX-License-Identifier: ISC */
/*
 * Tables, ids, permissions, *get and *ctl of System V IPC. Source: svipc(7), the man pages of the
 * *get and *ctl calls.
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

void ipc_lock(const struct ipc_ops *ops, struct ipc_table *t)
{
	kin_lock_recover(&t->lock, ops->recover, t);
}

u64 ipc_seconds(void)
{
	return time_real_ns() / NSEC_PER_SEC;
}

struct kin_queue *ipc_queue(struct ipc_table *t, s32 id)
{
	return &t->queue[(u32)id % IPC_QUEUES];
}

bool ipc_has_room(const struct ipc_table *t, u64 count)
{
	u64 n = 0;

	for (u32 i = 0; i < t->used; i++)
		n += t->slot[i] != NULL;
	return n < count;
}

struct ipc_object *ipc_find(struct ipc_table *t, s32 id)
{
	u32 slot = (u32)id & ((1u << IPC_ID_SHIFT) - 1);
	struct ipc_object *o = id >= 0 && slot < IPC_SLOTS ? t->slot[slot] : NULL;

	return o && o->id == id ? o : NULL;
}

static struct ipc_object *find_key(struct ipc_table *t, s32 key)
{
	for (u32 i = 0; i < t->used; i++)
		if (t->slot[i] && t->slot[i]->key == key)
			return t->slot[i];
	return NULL;
}

/* Puts o, which is complete but for this, into a slot: its id, or -ENOSPC. */
static s64 add(struct ipc_table *t, struct ipc_object *o, s32 key, u32 mode)
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
	o->ctime = ipc_seconds();
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

static void perm_out(const struct ipc_object *o, struct ipc64_perm *out)
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

static void perm_set(struct ipc_object *o, const struct ipc64_perm *in)
{
	o->uid = in->uid;
	o->gid = in->gid;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777);
}

/* ---- *get */

struct get {
	const struct ipc_ops *ops;
	s32 key;
	u32 flags;
	u64 size;
};

/* Under the lock. 1: not there, make it. */
static s64 look(struct ipc_table *t, const struct get *g, s64 *id)
{
	struct ipc_object *o = g->key == IPC_PRIVATE ? NULL : find_key(t, g->key);
	s64 err;

	if (!o)
		return g->key == IPC_PRIVATE || g->flags & IPC_CREAT ? 1 : -ENOENT;
	if ((g->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	err = g->ops->check ? g->ops->check(o, g->size) : 0;
	if (!err)
		err = ipc_access(o, g->flags & 0777);
	*id = o->id;
	return err;
}

s64 ipc_get(const struct ipc_ops *ops, u64 key, u64 size, u64 flags)
{
	struct get g = {.ops = ops, .key = (s32)key, .flags = (u32)flags, .size = size};
	struct ipc_table *t = ipc_table(ops->kind);
	struct ipc_object *o = NULL;
	s64 err = 0, id = -1;

	if (!t)
		return -ENOSPC;
	for (;;) {
		ipc_lock(ops, t);
		err = look(t, &g, &id);
		if (err == 1 && o) {
			id = ops->room(t, size);
			id = id ? id : add(t, o, g.key, g.flags);
		}
		kin_unlock(&t->lock);
		if (err != 1 || o)
			break;
		o = ops->make(size, &err);
		if (!o)
			return err;
	}
	if (o && (err != 1 || id < 0))
		ops->discard(o);
	return err < 0 ? err : id;
}

/* ---- *ctl */

union stat_buffer {
	struct ipc64_perm perm;
	u64 words[IPC_STAT_MAX / sizeof(u64)];
};

s64 ipc_stat(const struct ipc_ops *ops, s32 id, bool by_slot, bool any, u64 user)
{
	struct ipc_table *t = ipc_table_if_any(ops->kind);
	union stat_buffer out = {.words = {0}};
	struct ipc_object *o;
	s64 r;

	if (!t || id < 0)
		return -EINVAL;
	ipc_lock(ops, t);
	if (by_slot)
		o = (u32)id < t->used ? t->slot[id] : NULL;
	else
		o = ipc_find(t, id);
	r = !o ? -EINVAL : any ? 0 : ipc_access(o, 0444);
	if (!r) {
		perm_out(o, &out.perm);
		ops->stat(o, &out);
		r = by_slot ? o->id : 0;
	}
	kin_unlock(&t->lock);
	return r >= 0 && copy_out((void *)user, &out, ops->stat_size) ? -EFAULT : r;
}

s64 ipc_change(const struct ipc_ops *ops, s32 id, u32 cmd, u64 user)
{
	struct ipc_table *t = ipc_table_if_any(ops->kind);
	union stat_buffer in = {.words = {0}};
	struct ipc_object *o, *gone = NULL;
	s64 err;

	if (!t || id < 0)
		return -EINVAL;
	if (cmd == IPC_SET && copy_in(&in, (void *)user, ops->stat_size))
		return -EFAULT;
	ipc_lock(ops, t);
	o = ipc_find(t, id);
	err = o ? ipc_owner(o) : -EINVAL;
	if (!err && cmd == IPC_SET && ops->set)
		err = ops->set(o, &in);
	if (!err && cmd == IPC_SET) {
		perm_set(o, &in.perm);
		o->ctime = ipc_seconds();
	} else if (!err && ops->remove(t, o)) {
		gone = o;
	}
	kin_unlock(&t->lock);
	if (gone)
		ops->discard(gone);
	if (!err)
		queue_wake_all(ipc_queue(t, id));
	return err;
}

u32 ipc_count(enum ipc_kind kind, s64 *highest)
{
	struct ipc_table *t = ipc_table_if_any(kind);
	u32 n = 0;

	*highest = 0;
	for (u32 i = 0; t && i < t->used; i++) {
		if (!t->slot[i])
			continue;
		*highest = i;
		n++;
	}
	return n;
}
