/* SPDX-License-Identifier: ISC */
/*
 * System V message queues. A message is complete before one store links it; what follows from the
 * list is made anew when the lock is recovered. Source: msgop(2), msgctl(2).
 */
#include <asm/errno.h>
#include <linux/ipc.h>
#include <linux/msg.h>

#include "kernel/arch/arch.h"
#include "kernel/ipc/ipc.h"
#include "kernel/kin/own.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"

struct sysv_message {
	struct sysv_message *next;
	s64 type;
	u64 len;
	char data[];
};

struct sysv_queue {
	struct ipc_object object;
	struct sysv_message *head, *last;
	u64 bytes, count, limit; /* bytes and count follow from the list */
	u64 stime, rtime;
	s32 sender, receiver;
};

static bool queues_recover(void *arg)
{
	struct ipc_table *t = arg;

	for (u32 i = 0; i < t->used; i++) {
		struct sysv_queue *q = (struct sysv_queue *)t->slot[i];

		if (!q)
			continue;
		q->last = NULL;
		q->bytes = q->count = 0;
		for (struct sysv_message *m = q->head; m; m = m->next) {
			q->last = m;
			q->bytes += m->len;
			q->count++;
		}
	}
	return true;
}

static struct ipc_object *msg_make(u64 size, s64 *err)
{
	struct sysv_queue *q = kin_alloc(sizeof(*q));

	*err = q ? 0 : -ENOMEM;
	if (!q)
		return NULL;
	q->limit = tunable_get(TUNE_MSG_QUEUE_BYTES);
	return &q->object;
}

static void msg_discard(struct ipc_object *o)
{
	struct sysv_queue *q = (struct sysv_queue *)o;
	struct sysv_message *m;

	while ((m = q->head))
		own_free(own_take(OWN_MEMORY, &q->head, m->next));
	kin_free(q);
}

static s64 msg_room(struct ipc_table *t, u64 size)
{
	return ipc_has_room(t, tunable_get(TUNE_MSG_COUNT)) ? 0 : -ENOSPC;
}

static void msg_stat(struct ipc_object *o, void *to)
{
	struct sysv_queue *q = (struct sysv_queue *)o;
	struct msqid64_ds *ds = to;

	ds->msg_stime = (long)q->stime;
	ds->msg_rtime = (long)q->rtime;
	ds->msg_ctime = (long)o->ctime;
	ds->msg_cbytes = q->bytes;
	ds->msg_qnum = q->count;
	ds->msg_qbytes = q->limit;
	ds->msg_lspid = q->sender;
	ds->msg_lrpid = q->receiver;
}

static s64 msg_set(struct ipc_object *o, const void *from)
{
	const struct msqid64_ds *ds = from;

	if (ds->msg_qbytes > tunable_get(TUNE_MSG_QUEUE_BYTES) && !cred_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	((struct sysv_queue *)o)->limit = ds->msg_qbytes;
	return 0;
}

static bool msg_remove(struct ipc_table *t, struct ipc_object *o)
{
	ipc_remove(t, o);
	return true;
}

_Static_assert(sizeof(struct msqid64_ds) <= IPC_STAT_MAX, "see ipc_stat");
static const struct ipc_ops msg_ops = {
	.kind = IPC_MSG,
	.stat_size = sizeof(struct msqid64_ds),
	.make = msg_make,
	.discard = msg_discard,
	.recover = queues_recover,
	.room = msg_room,
	.stat = msg_stat,
	.set = msg_set,
	.remove = msg_remove,
};

static void msg_lock(struct ipc_table *t)
{
	ipc_lock(&msg_ops, t);
}

s64 sys_msgget(u64 key, u64 flags)
{
	return ipc_get(&msg_ops, key, 0, flags);
}

/* ---- sending */

/* Of a held message: 0: taken; -EAGAIN: full. known: it was there before a sleep. */
static s64 send_try(struct ipc_table *t, s32 id, void **hold, bool known)
{
	struct sysv_message *m = *hold;
	struct sysv_queue *q;
	s64 err;

	msg_lock(t);
	q = (struct sysv_queue *)ipc_find(t, id);
	err = !q ? (known ? -EIDRM : -EINVAL) : ipc_access(&q->object, 0222);
	if (!err && (q->bytes + m->len > q->limit || q->count + 1 > q->limit))
		err = -EAGAIN;
	if (!err) {
		struct sysv_message **link = q->head ? &q->last->next : &q->head;
		own_move(OWN_MEMORY, hold, link);
		q->last = m;
		q->bytes += m->len;
		q->count++;
		q->stime = ipc_seconds();
		q->sender = current->proc->kp->pid;
	}
	kin_unlock(&t->lock);
	return err;
}

struct send {
	struct ipc_table *table;
	s32 id;
	void **hold;
	s64 err;
};

static bool send_done(void *arg)
{
	struct send *s = arg;

	s->err = send_try(s->table, s->id, s->hold, true);
	return s->err != -EAGAIN;
}

static s64 send_wait(struct ipc_table *t, s32 id, void **hold, bool nowait)
{
	struct send s = {.table = t, .id = id, .hold = hold, .err = send_try(t, id, hold, false)};
	int err;

	if (s.err != -EAGAIN || nowait)
		return s.err;
	err = wait_until(ipc_queue(t, id), send_done, &s, HYP_NO_DEADLINE, SLEEP_INTERRUPTIBLE);
	return err ? err : s.err;
}

s64 sys_msgsnd(u64 id, u64 user, u64 len, u64 flags)
{
	struct ipc_table *t = ipc_table_if_any(IPC_MSG);
	struct sysv_message *m;
	s64 type, err;
	void **hold;

	if (copy_in(&type, (void *)user, sizeof(type)))
		return -EFAULT;
	if (!t || (s64)len < 0 || len > tunable_get(TUNE_MSG_MAX) || (s32)id < 0 || type < 1)
		return -EINVAL;
	m = own_new(OWN_MEMORY, sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	hold = hold_new(OWN_MEMORY);
	own_give(hold, m);
	m->type = type;
	m->len = len;
	err = copy_in(m->data, (char *)user + sizeof(type), len)
			  ? -EFAULT
			  : send_wait(t, (s32)id, hold, flags & IPC_NOWAIT);
	if (err)
		own_free(own_take(OWN_MEMORY, hold, NULL));
	else
		queue_wake_all(ipc_queue(t, (s32)id));
	return err;
}

/* ---- receiving */

/* What msgrcv asks for. */
struct receive {
	struct ipc_table *table;
	s32 id;
	s64 type;
	u64 size;
	u32 flags;
	bool known;
	void **copy; /* a hold: where a copy goes, with MSG_COPY */
	void **got; /* a hold */
	s64 err; /* of the last try */
};

/* The pointer to the message that is meant, or NULL. */
static struct sysv_message **message_find(struct sysv_queue *q, s64 type, u32 flags)
{
	struct sysv_message **best = NULL;

	for (struct sysv_message **link = &q->head; *link; link = &(*link)->next) {
		s64 its = (*link)->type;

		if (type == 0)
			return link;
		if (type > 0 && (its == type) != !!(flags & MSG_EXCEPT))
			return link;
		if (type < 0 && its <= (type == INT64_MIN ? INT64_MAX : -type) &&
			(!best || its < (*best)->type))
			best = link;
	}
	return best;
}

static void message_take(struct sysv_queue *q, struct sysv_message **link,
						 void ***out)
{
	struct sysv_message *m = *link;
	void **hold = hold_new(OWN_MEMORY);

	ref_move_head(OWN_MEMORY, link, hold, m->next);
	if (!m->next)
		q->last = link == &q->head ? NULL : container_of(link, struct sysv_message, next);
	q->bytes -= m->len;
	q->count--;
	q->rtime = ipc_seconds();
	q->receiver = current->proc->kp->pid;
	*out = hold;
}

/* MSG_COPY: room for one of size bytes, made before the table is locked. NULL: no memory. */
static void **copy_prepare(u64 size)
{
	void *m = own_new(OWN_MEMORY,
		sizeof(struct sysv_message) + MIN(size, tunable_get(TUNE_MSG_MAX)));
	void **hold = m ? hold_new(OWN_MEMORY) : NULL;

	if (m)
		own_give(hold, m);
	return hold;
}

/* MSG_COPY: the one at that place of the queue, which stays. */
static struct sysv_message **message_at(struct sysv_queue *q, s64 place)
{
	struct sysv_message **link = &q->head;

	for (; *link && place > 0; place--)
		link = &(*link)->next;
	return *link && place == 0 ? link : NULL;
}

static s64 message_copy(const struct sysv_message *from, struct receive *r)
{
	struct sysv_message *to = *r->copy;

	if (from->len > MIN(r->size, tunable_get(TUNE_MSG_MAX)))
		return -EINVAL; /* nothing is cut off */
	to->type = from->type;
	to->len = from->len;
	memcpy(to->data, from->data, from->len);
	r->got = r->copy;
	return 0;
}

/* 0: got; -ENOMSG: none. */
static s64 receive_try(struct receive *r)
{
	struct sysv_message **link;
	struct sysv_queue *q;
	s64 err;

	msg_lock(r->table);
	q = (struct sysv_queue *)ipc_find(r->table, r->id);
	err = !q ? (r->known ? -EIDRM : -EINVAL) : ipc_access(&q->object, 0444);
	if (!err) {
		link = r->copy ? message_at(q, r->type) : message_find(q, r->type, r->flags);
		if (!link)
			err = -ENOMSG;
		else if ((*link)->len > r->size && !(r->flags & MSG_NOERROR))
			err = -E2BIG;
		else if (r->copy)
			err = message_copy(*link, r);
		else
			message_take(q, link, &r->got);
	}
	kin_unlock(&r->table->lock);
	return err;
}

static bool receive_done(void *arg)
{
	struct receive *r = arg;

	r->err = receive_try(r);
	return r->err != -ENOMSG;
}

static s64 receive_wait(struct receive *r)
{
	struct kin_queue *q = ipc_queue(r->table, r->id);
	int err;

	if (receive_done(r) || r->flags & IPC_NOWAIT)
		return r->err;
	r->known = true;
	err = wait_until(q, receive_done, r, HYP_NO_DEADLINE, SLEEP_INTERRUPTIBLE);
	return err ? err : r->err;
}

s64 sys_msgrcv(u64 id, u64 user, u64 size, u64 type, u64 flags)
{
	struct receive r = {.table = ipc_table_if_any(IPC_MSG),
						.id = (s32)id,
						.type = (s64)type,
						.size = size,
						.flags = (u32)flags};
	s64 err;

	if (!r.table || (s32)id < 0 || (s64)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY) {
		if (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))
			return -EINVAL;
		r.copy = copy_prepare(size);
		if (!r.copy)
			return -ENOMEM;
	}
	err = receive_wait(&r);
	if (r.copy && err)
		own_free(own_take(OWN_MEMORY, r.copy, NULL));
	if (err)
		return err;
	queue_wake_all(ipc_queue(r.table, r.id));
	struct sysv_message *m = *r.got;
	size = MIN(size, m->len);
	if (copy_out((void *)user, &m->type, sizeof(s64)) ||
		copy_out((char *)user + sizeof(s64), m->data, size))
		err = -EFAULT;
	own_free(own_take(OWN_MEMORY, r.got, NULL));
	return err ? err : (s64)size;
}

/* ---- msgctl */

static s64 msg_info(u64 user, u32 cmd)
{
	struct msginfo info = {
		.msgpool = 32000 * 16,
		.msgmap = (int)tunable_get(TUNE_MSG_QUEUE_BYTES),
		.msgmax = (int)tunable_get(TUNE_MSG_MAX),
		.msgmnb = (int)tunable_get(TUNE_MSG_QUEUE_BYTES),
		.msgmni = (int)tunable_get(TUNE_MSG_COUNT),
		.msgssz = 16,
		.msgtql = (int)tunable_get(TUNE_MSG_QUEUE_BYTES),
		.msgseg = 0xffff,
	};
	s64 highest;
	u32 n = ipc_count(IPC_MSG, &highest);

	if (cmd == MSG_INFO) {
		info.msgpool = (s32)n;
		info.msgmap = info.msgtql = 0;
	}
	return copy_out((void *)user, &info, sizeof(info)) ? -EFAULT : highest;
}

s64 sys_msgctl(u64 id, u64 cmd, u64 user)
{
	switch ((u32)cmd) {
	case IPC_INFO:
	case MSG_INFO: return msg_info(user, (u32)cmd);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return ipc_stat(&msg_ops, (s32)id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, user);
	case IPC_SET:
	case IPC_RMID: return ipc_change(&msg_ops, (s32)id, (u32)cmd, user);
	default: return -EINVAL;
	}
}

void msg_describe(struct text *text)
{
	struct ipc_table *t = ipc_table_if_any(IPC_MSG);

	text_add(text, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid"
				   "  cuid  cgid      stime      rtime      ctime\n");
	if (!t)
		return;
	msg_lock(t);
	for (u32 i = 0; i < t->used; i++) {
		struct sysv_queue *q = (struct sysv_queue *)t->slot[i];
		const struct ipc_object *o = &q->object;

		if (!q)
			continue;
		text_add(text, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u ", o->key, o->id,
				 o->mode, (u64)q->bytes, (u64)q->count, q->sender, q->receiver, o->uid, o->gid,
				 o->cuid, o->cgid);
		text_add(text, "%10lu %10lu %10lu\n", q->stime, q->rtime, o->ctime);
	}
	kin_unlock(&t->lock);
}
