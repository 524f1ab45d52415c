/* SPDX-License-Identifier: ISC */
/*
 * Urgent data of TCP and of AF_UNIX's streams: one byte of the stream that is pointed at. It is a
 * message of its own in its receiver's queue, marked; readers stop before it and then pass over it,
 * unless they want it in line (SO_OOBINLINE). Only the latest is marked. Source: tcp(7), RFC 6093,
 * what Linux answers.
 */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/lib/lib.h"
#include "kernel/net/endpoint.h"
#include "kernel/task/table.h"
#include "kernel/task/signal.h"
#include "kernel/task/thread.h"

/* The marked message of q, under its read_lock, or NULL. */
static struct msg *find_marked(struct msgq *q)
{
	for (struct msg *m = q->head; m; m = m->next)
		if (m->urgent)
			return m;
	return NULL;
}

void urgent_tell(s32 owner)
{
	struct ksiginfo info = {.signo = SIGURG, .code = SI_KERNEL};
	struct kin_proc *p;

	if (owner <= 0)
		return;
	tree_lock();
	p = proc_find(owner);
	if (p)
		tree_signal(p, SIGURG, &info);
	tree_unlock();
}

static s64 send_marked(struct conn *c, u32 end, struct net_message *m)
{
	struct msgq *q = &c->q[!end];
	struct msg *before;
	s64 r;

	msgq_read_lock(q);
	while ((before = find_marked(q)))
		before->urgent = 0;
	msgq_read_unlock(q);
	atomic_store(&c->urgent[!end], URGENT_THERE);
	r = stream_send(c, end, m);
	if (r > 0)
		urgent_tell((s32)atomic_load(&c->owner[!end]));
	return r;
}

s64 urgent_send(struct conn *c, u32 end, struct net_message *m)
{
	size_t n = m->data.left;
	s64 r = 0;

	if (n > 1) {
		m->data.left = n - 1;
		m->flags &= ~(u32)MSG_OOB;
		r = stream_send(c, end, m);
		if (r < (s64)n - 1)
			return r;
		m->data.left = 1;
		m->flags |= MSG_OOB;
	}
	s64 last = n ? send_marked(c, end, m) : 0;
	return last < 0 && !r ? last : r + MAX(last, 0l);
}

s64 urgent_receive(struct endpoint *e, struct net_message *m)
{
	struct conn *c = atomic_load(&e->conn);
	_Atomic u32 *state = c ? &c->urgent[e->end] : NULL;
	struct msgq *q = c ? &c->q[e->end] : NULL;
	struct msg *marked;
	s64 r = -EINVAL;

	if (!c)
		return atomic_load(&e->state) == ENDPOINT_LISTENING ? -ENOTCONN : -EINVAL;
	if (atomic_load(&e->s.flags) & SOCKET_OOBINLINE || atomic_load(state) != URGENT_THERE)
		return -EINVAL;
	msgq_read_lock(q);
	marked = find_marked(q);
	if (marked) {
		r = m->data.left && iov_copy_out(&m->data, msg_data(marked), 1) ? -EFAULT : 1;
		if (r == 1 && !(m->flags & MSG_PEEK))
			atomic_store(state, URGENT_READ);
	} else {
		r = -EAGAIN; /* it is on its way */
	}
	msgq_read_unlock(q);
	if (r == 1)
		m->out_flags |= MSG_OOB;
	return r;
}

s64 urgent_at_mark(struct endpoint *e, s32 *at)
{
	struct conn *c = atomic_load(&e->conn);
	struct msgq *q = c ? &c->q[e->end] : NULL;

	if (atomic_load(&e->state) == ENDPOINT_LISTENING)
		return -EINVAL;
	*at = 0;
	if (!c)
		return 0;
	msgq_read_lock(q);
	*at = q->head && q->head->urgent;
	msgq_read_unlock(q);
	return 0;
}

void urgent_owner_set(struct endpoint *e, s32 pid)
{
	struct conn *c = atomic_load(&e->conn);

	if (c)
		atomic_store(&c->owner[e->end], (u32)pid);
}
