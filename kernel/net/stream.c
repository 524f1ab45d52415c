/* SPDX-License-Identifier: ISC */
/*
 * The data path of connected stream sockets, of AF_UNIX and TCP. As on Linux the buffer is the
 * sender's, counts the memory of messages, and a write may exceed it by one; poll says writable
 * while at most a quarter is used. Neither side leaves its VM unless it must sleep or the other one
 * does. Waking follows the rules of pipes: one sleeper per change, and whoever leaves data or room
 * behind wakes the next.
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/endpoint.h"

/* data of one message at most: whole pages, not cleared */
#define CHUNK (8 * PAGE_SIZE - sizeof(struct msg))

bool conn_readable(struct conn *c, u32 end)
{
	return atomic_load(&c->q[end].count) || atomic_load(&c->error[end]) ||
		   atomic_load(&c->shut[end]) & SHUT_RECEIVE;
}

bool conn_writable(struct conn *c, u32 end)
{
	struct msgq *q = &c->q[!end];
	u32 limit = atomic_load(&q->limit);

	return limit && atomic_load(&q->used) * 4 <= limit;
}

/* For net_wait. */
struct end_of {
	struct conn *c;
	u32 end;
};

static bool receive_ready(void *arg)
{
	struct end_of *e = arg;

	return conn_readable(e->c, e->end);
}

static bool queue_has_room(struct msgq *q)
{
	return atomic_load(&q->used) < atomic_load(&q->limit);
}

static bool send_ready(void *arg)
{
	struct end_of *e = arg;

	return conn_writable(e->c, e->end) || atomic_load(&e->c->shut[e->end]) & SHUT_SEND;
}

/* Bytes of one message, or -errno; -EPIPE: nobody reads. */
static s64 send_some(struct conn *c, u32 end, struct net_message *m)
{
	size_t n = MIN(m->data.left, CHUNK), failed;
	struct msg *msg = msg_alloc((u32)n, 0);

	if (!msg)
		return -ENOBUFS;
	failed = iov_copy_in(&m->data, msg_data(msg), n);
	if (failed == n) {
		msg_free(msg);
		return -EFAULT;
	}
	msg->len = (u32)(n - failed);
	msg_attach(msg, m);
	n = msg->len; /* once it is linked, a reader may free it */
	if (!msgq_append(&c->q[!end], msg)) {
		msg_free(msg);
		return conn_rules(c)->send_lost(c, end, (s64)n);
	}
	return (s64)n;
}

s64 stream_send(struct conn *c, u32 end, struct net_message *m)
{
	struct msgq *q = &c->q[!end];
	struct end_of sender = {c, end};
	s64 sent = 0, r = 0;

	if (atomic_load(&c->shut[end]) & SHUT_SEND)
		return conn_rules(c)->send_refused(c, end, m->flags);
	while (m->data.left) {
		if (atomic_load(&c->shut[end]) & SHUT_SEND) {
			r = -EPIPE;
			break;
		}
		if (queue_has_room(q)) {
			r = send_some(c, end, m);
			if (r < 0)
				break;
			sent += r;
			continue;
		}
		r = net_wait(&q->writable, atomic_load(&q->last_reader), m->deadline_ns, send_ready,
					 &sender);
		if (r)
			break;
	}
	if (sent && conn_writable(c, end))
		queue_pass_on(&q->writable, 1);
	if (sent)
		return sent;
	return r == -EPIPE ? conn_rules(c)->send_refused(c, end, m->flags) : r;
}

static bool same_writer(const struct net_message *m, const struct msg *msg)
{
	return !m->cred_known || !memcmp(&m->cred, &msg->cred, sizeof(m->cred));
}

/* What a read wants beyond its flags; found: room for a sender, and a mark that it has passed. */
struct take {
	const struct stream_wish *wish;
	bool peek, forget, room, passed;
};

/* Bytes NOT copied of n; those to be forgotten are as good as copied. */
static size_t take_bytes(struct net_message *m, const char *from, size_t n, const struct take *t)
{
	if (!t->forget)
		return n ? iov_copy_out(&m->data, from, n) : 0;
	m->data.left -= n;
	return 0;
}

/*
 * Under read_lock: what is there, from first on. Messages that are read to the end are freed: their
 * files are m's, so that is memory only.
 */
static s64 take_some(struct msgq *q, struct net_message *m, struct take *t)
{
	s64 got = 0;

	for (struct msg *msg = q->head, *next; msg; msg = next) {
		size_t n = MIN(m->data.left, (size_t)(msg->len - msg->offset)), failed;
		bool files = msg->passed, hidden = msg->urgent && !t->wish->urgent_inline;

		if ((t->wish->one_sender && !same_writer(m, msg)) || (msg->urgent && got))
			break;
		next = msg->next;
		if (hidden)
			n = msg->len - msg->offset;
		failed = hidden ? 0 : take_bytes(m, msg_data(msg) + msg->offset, n, t);
		if (n && failed == n)
			return got ? got : -EFAULT;
		if (!hidden)
			got += n - failed;
		t->passed |= msg->urgent && !t->peek;
		msg_detach(msg, m, t->peek);
		if (!t->peek && msgq_consume(q, (u32)(n - failed), false)) {
			msg_free_taken(msg);
			t->room = true;
		}
		if (failed || files || !m->data.left)
			break;
	}
	return got;
}

/* One pass: bytes, and room announced. */
static s64 receive_pass(struct msgq *q, struct net_message *m, struct take *t)
{
	s64 r;

	t->room = false;
	msgq_read_lock(q);
	r = q->head ? take_some(q, m, t) : 0;
	msgq_read_unlock(q);
	if (t->room && atomic_load(&q->used) * 4 <= atomic_load(&q->limit))
		queue_wake(&q->writable, 1);
	if (r > 0 && atomic_load(&q->unread))
		queue_pass_on(&q->readable, 1);
	return r;
}

s64 stream_receive(struct conn *c, u32 end, struct net_message *m, const struct stream_wish *wish)
{
	u64 low_water = MIN(MAX(wish->low_water, 1u), m->data.left);
	u64 want = m->flags & MSG_WAITALL ? m->data.left : low_water;
	struct take t = {.wish = wish, .peek = m->flags & MSG_PEEK};
	struct msgq *q = &c->q[end];
	struct end_of reader = {c, end};
	s64 got = 0, r = 0;
	bool over;

	t.forget = m->flags & MSG_TRUNC && conn_rules(c)->truncates;
	for (;;) {
		bool any = atomic_load(&q->count);

		r = receive_pass(q, m, &t);
		if (r < 0)
			break;
		got += r;
		if ((u64)got >= MAX(want, 1ul) || m->passed || (any && (t.peek || !m->data.left)))
			break;
		r = conn_rules(c)->receive_end(c, end, &over);
		/* What was sent before the end is read first. */
		if (!r && atomic_load(&q->count) && (over || !any))
			continue;
		if (over || (got && m->cred_known && atomic_load(&q->count)))
			break;
		r = net_wait(&q->readable, atomic_load(&q->last_writer), m->deadline_ns, receive_ready,
					 &reader);
		if (r)
			break;
	}
	if (t.passed)
		atomic_store(&c->urgent[end], URGENT_NONE);
	return got ? got : r;
}
