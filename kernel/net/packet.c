/* SPDX-License-Identifier: ISC */
/*
 * Messages that keep their boundaries, of all families: taking one from a queue, and what travels
 * with it.
 */
#include <asm/errno.h>

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/net/endpoint.h"

void msg_attach(struct msg *msg, struct net_message *m)
{
	msg->cred = m->cred;
	msg->urgent = !!(m->flags & MSG_OOB);
	if (m->passed)
		own_move(OWN_PASSED, hold_of(OWN_PASSED, m->passed), &msg->passed);
	m->passed = NULL;
}

/* What a look without taking gets: the same files once more. */
static struct passed_files *passed_copy(const struct passed_files *p)
{
	struct passed_files *copy = passed_new(p->n);

	for (u32 i = 0; copy && i < p->n; i++, copy->n++)
		ref_get(OWN_FILE, p->file[i], &copy->file[i]);
	return copy;
}

void msg_detach(struct msg *msg, struct net_message *m, bool stays)
{
	m->cred = msg->cred;
	m->cred_known = true;
	if (!msg->passed || m->passed)
		return;
	if (stays) {
		m->passed = passed_copy(msg->passed);
		return;
	}
	m->passed = msg->passed;
	own_move(OWN_PASSED, &msg->passed, (struct passed_files **)hold_new(OWN_PASSED));
}

/* Under read_lock, with a first message. *gone: it has left the queue. */
static s64 take_one(struct msgq *q, struct net_message *m, struct msg **gone)
{
	bool peek = m->flags & MSG_PEEK;
	struct msg *msg = q->head;
	u32 n = (u32)MIN(m->data.left, (size_t)msg->len);
	s64 r = m->flags & MSG_TRUNC ? msg->len : n;

	if (n < msg->len)
		m->out_flags |= MSG_TRUNC;
	if (n && iov_copy_out(&m->data, msg_data(msg), n))
		r = -EFAULT;
	if (m->want_address) {
		m->address_len = msg->address_len;
		memcpy(m->address, msg->bytes, msg->address_len);
	}
	if (r >= 0)
		msg_detach(msg, m, peek);
	if (!peek)
		*gone = msgq_consume(q, 0, true);
	return r;
}

s64 packet_receive(struct msgq *q, struct net_message *m)
{
	struct msg *gone = NULL;
	s64 r;

	msgq_read_lock(q);
	r = q->head ? take_one(q, m, &gone) : -EAGAIN;
	msgq_read_unlock(q);
	if (gone) {
		msg_free_taken(gone);
		queue_wake(&q->writable, 1);
	}
	if (r >= 0 && atomic_load(&q->count))
		queue_pass_on(&q->readable, 1);
	return r;
}
