/* SPDX-License-Identifier: ISC */
/*
 * The data path of connected stream sockets. As on Linux the buffer is the sender's, counts the
 * memory of messages, and a write may exceed it by one; poll says writable while at most a quarter
 * is used. Neither side leaves its VM unless it must sleep or the other one does. Waking follows
 * the rules of pipes: one sleeper per change, and whoever leaves data or room behind wakes the
 * next.
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/unix.h"

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

	return atomic_load(&q->used) * 4 <= atomic_load(&q->limit);
}

/* For net_wait. */
static bool receive_ready(void *arg)
{
	struct unix_socket *u = arg;

	return conn_readable(atomic_load(&u->conn), u->end);
}

static bool queue_has_room(struct msgq *q)
{
	return atomic_load(&q->used) < atomic_load(&q->limit);
}

static bool send_ready(void *arg)
{
	struct unix_socket *u = arg;
	struct conn *c = atomic_load(&u->conn);

	return conn_writable(c, u->end) || atomic_load(&c->shut[u->end]) & SHUT_SEND;
}

void msg_attach(struct msg *msg, struct net_message *m)
{
	msg->cred = m->cred;
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

/* Bytes of one message, or -errno. */
static s64 send_some(struct msgq *q, struct net_message *m)
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
	if (!msgq_append(q, msg)) {
		msg_free(msg);
		return -EPIPE;
	}
	return (s64)n;
}

s64 unix_stream_send(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->conn);
	s64 sent = 0, r = 0;
	struct msgq *q;

	if (m->address_len)
		return c ? -EISCONN : -EOPNOTSUPP;
	if (!c)
		return -ENOTCONN;
	q = &c->q[!u->end];
	if (atomic_load(&c->shut[u->end]) & SHUT_SEND)
		return net_broken(m->flags);
	while (m->data.left) {
		if (atomic_load(&c->shut[u->end]) & SHUT_SEND) {
			r = -EPIPE;
			break;
		}
		if (queue_has_room(q)) {
			r = send_some(q, m);
			if (r < 0)
				break;
			sent += r;
			continue;
		}
		r = net_wait(&q->writable, atomic_load(&q->last_reader), m->deadline_ns, send_ready, u);
		if (r)
			break;
	}
	if (sent && conn_writable(c, u->end))
		queue_pass_on(&q->writable, 1);
	if (sent)
		return sent;
	return r == -EPIPE ? net_broken(m->flags) : r;
}

static bool same_writer(const struct net_message *m, const struct msg *msg)
{
	return !m->cred_known || !memcmp(&m->cred, &msg->cred, sizeof(m->cred));
}

/*
 * Under read_lock: what is there, from first on. Messages that are read to the end are freed: their
 * files are m's, so that is memory only.
 */
static s64 take_some(struct unix_socket *u, struct msgq *q, struct net_message *m, bool *room)
{
	bool peek = m->flags & MSG_PEEK, cred = atomic_load(&u->s.flags) & SOCKET_PASSCRED;
	s64 got = 0;

	for (struct msg *msg = q->head, *next; msg; msg = next) {
		size_t n = MIN(m->data.left, (size_t)(msg->len - msg->offset)), failed;
		bool files = msg->passed;

		if (cred && !same_writer(m, msg))
			break;
		next = msg->next;
		failed = n ? iov_copy_out(&m->data, msg_data(msg) + msg->offset, n) : 0;
		if (n && failed == n)
			return got ? got : -EFAULT;
		got += n - failed;
		msg_detach(msg, m, peek);
		if (!peek && msgq_consume(q, (u32)(n - failed), false)) {
			msg_free_taken(msg);
			*room = true;
		}
		if (failed || files || !m->data.left)
			break;
	}
	return got;
}

/* 0: nothing to wait for. What a reader finds that finds no data. */
static s64 receive_end(struct unix_socket *u, struct conn *c, bool *end)
{
	u32 error = atomic_load(&c->error[u->end]) ? atomic_exchange(&c->error[u->end], 0) : 0;

	*end = true;
	if (error)
		return -(s64)error;
	if (!(atomic_load(&c->shut[u->end]) & SHUT_RECEIVE))
		*end = false;
	return 0;
}

/* One pass: bytes, and room announced. */
static s64 receive_pass(struct unix_socket *u, struct msgq *q, struct net_message *m)
{
	bool room = false;
	s64 r;

	msgq_read_lock(q);
	r = q->head ? take_some(u, q, m, &room) : 0;
	msgq_read_unlock(q);
	if (room && atomic_load(&q->used) * 4 <= atomic_load(&q->limit))
		queue_wake(&q->writable, 1);
	if (r > 0 && atomic_load(&q->unread))
		queue_pass_on(&q->readable, 1);
	return r;
}

s64 unix_stream_receive(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->conn);
	u64 want = m->flags & MSG_WAITALL ? m->data.left : 1;
	s64 got = 0, r = 0;
	bool end;

	if (!c)
		return -EINVAL;
	struct msgq *q = &c->q[u->end];
	if (m->want_address && c->address[!u->end].len > sizeof(u16)) {
		m->address_len = c->address[!u->end].len;
		memcpy(m->address, c->address[!u->end].bytes, m->address_len);
	}
	for (;;) {
		bool any = atomic_load(&q->count);

		r = receive_pass(u, q, m);
		if (r < 0)
			break;
		got += r;
		if ((u64)got >= want || m->passed || (any && (m->flags & MSG_PEEK || !m->data.left)))
			break;
		r = receive_end(u, c, &end);
		/* What was sent before the end is read first. */
		if (end && !r && atomic_load(&q->count))
			continue;
		if (end || (got && m->cred_known && atomic_load(&q->count)))
			break;
		r = net_wait(&q->readable, atomic_load(&q->last_writer), m->deadline_ns,
					 receive_ready, u);
		if (r)
			break;
	}
	return got ? got : r;
}
