/* SPDX-License-Identifier: ISC */
/*
 * Messages that keep their boundaries: datagrams, and seqpacket sockets, which are connected like
 * streams. A datagram's sender finds the receiver under the family's lock and links the message
 * there, so that a receiver cannot go away in between.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/net/unix.h"
#include "kernel/vfs/vfs.h"

#define OVERHEAD 32u /* Linux keeps this much of the buffer for itself */

/* A datagram on its way. */
struct delivery {
	struct unix_socket *from;
	struct unix_address address;
	struct inode *inode;
	bool named; /* an address was given */
};

static bool queue_full(struct unix_socket *from, struct unix_socket *to)
{
	if (atomic_load(&to->in.used) >= atomic_load(&from->s.send_size))
		return true;
	return to != from && atomic_load(&to->peer) != from &&
		   atomic_load(&to->in.count) > UNIX_DGRAM_QUEUE;
}

/* For spinning, without unix_lock: the memory of a socket stays a socket's, so at worst it errs. */
struct route {
	struct unix_socket *from, *to;
};

static bool route_free(void *arg)
{
	struct route *r = arg;

	return !queue_full(r->from, r->to);
}

/* Under unix_lock: 0 and the receiver, -EAGAIN: it is full. */
static s64 delivery_look(struct delivery *d, struct unix_socket **out)
{
	struct unix_socket *from = d->from, *to, *theirs;

	to = d->named ? unix_find(&d->address, d->inode) : atomic_load(&from->peer);
	*out = to;
	if (!to) {
		if (d->named || atomic_exchange(&from->peer_gone, 0))
			return -ECONNREFUSED;
		return -ENOTCONN;
	}
	if (atomic_load(&from->shut) & SHUT_SEND)
		return -EPIPE;
	if (to->s.type != SOCK_DGRAM)
		return -EPROTOTYPE;
	theirs = atomic_load(&to->peer);
	if (theirs && theirs != from)
		return -EPERM;
	if (atomic_load(&to->shut) & SHUT_RECEIVE)
		return -EPIPE;
	return queue_full(from, to) ? -EAGAIN : 0;
}

/* net_wait: worth another try? The look must not take away what the sender is to be told. */
static bool delivery_ready(void *arg)
{
	struct delivery *d = arg;
	struct unix_socket *to;
	bool full = false;

	unix_lock();
	to = d->named ? unix_find(&d->address, d->inode) : atomic_load(&d->from->peer);
	if (to && to->s.type == SOCK_DGRAM)
		full = !(atomic_load(&to->shut) & SHUT_RECEIVE) &&
			   !(atomic_load(&d->from->shut) & SHUT_SEND) && queue_full(d->from, to);
	unix_unlock();
	return !full;
}

static s64 deliver(struct delivery *d, struct msg *msg, struct net_message *m)
{
	struct unix_socket *to;
	s64 err;

	for (;;) {
		unix_lock();
		err = delivery_look(d, &to);
		if (!err && !msgq_link(&to->in, msg))
			err = -ECONNREFUSED;
		unix_unlock();
		if (!err)
			break;
		if (err != -EAGAIN)
			return err;
		struct route route = {d->from, to};
		if (m->deadline_ns && spin_for(route_free, &route, atomic_load(&to->in.last_reader)))
			continue;
		err = net_wait(&to->in.writable, NO_PEER, m->deadline_ns, delivery_ready, d);
		if (err)
			return err;
	}
	/* The memory of a socket stays a socket's: at worst this wakes somebody for nothing. */
	queue_wake(&to->in.readable, 1);
	return 0;
}

/* A message with all the data. */
static s64 msg_make(struct net_message *m, const struct unix_address *from, u32 limit,
					struct msg **out)
{
	u32 address_len = from && from->len > sizeof(u16) ? from->len : 0;
	struct msg *msg;

	if (m->data.left > limit - OVERHEAD)
		return -EMSGSIZE;
	msg = msg_alloc((u32)m->data.left, address_len);
	if (!msg)
		return -ENOBUFS;
	if (address_len)
		memcpy(msg->bytes, from->bytes, address_len);
	if (msg->len && iov_copy_in(&m->data, msg_data(msg), msg->len)) {
		msg_free(msg);
		return -EFAULT;
	}
	msg_attach(msg, m);
	*out = msg;
	return 0;
}

s64 unix_dgram_send(struct unix_socket *u, struct net_message *m)
{
	struct delivery d = {.from = u, .named = m->address_len != 0};
	struct msg *msg = NULL;
	u32 len = (u32)m->data.left;
	s64 err = 0;

	if (d.named)
		err = unix_address_parse(m->address, m->address_len, &d.address);
	else if (!atomic_load(&u->peer) && !atomic_load(&u->peer_gone))
		err = -ENOTCONN;
	if (!err)
		err = msg_make(m, &u->address, atomic_load(&u->s.send_size), &msg);
	if (!err && d.named)
		err = unix_resolve(&d.address, &d.inode);
	if (!err)
		err = deliver(&d, msg, m);
	if (err)
		msg_free(msg);
	if (d.inode)
		inode_put(d.inode);
	return err ? err : (s64)len;
}

bool unix_dgram_writable(struct unix_socket *u, struct poll_table *pt)
{
	struct unix_socket *peer;
	bool room = true;

	unix_lock();
	peer = atomic_load(&u->peer);
	if (peer)
		room =
			!queue_full(u, peer) && atomic_load(&peer->in.used) * 4 <= atomic_load(&u->s.send_size);
	unix_unlock();
	if (!peer || !pt)
		return room;
	poll_wait_for(pt, &peer->in.writable, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	/* It may have been read between the look and the registration. */
	return room || unix_dgram_writable(u, NULL);
}

/* ---- receiving, for both */

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

/* -EAGAIN: nothing there. */
static s64 receive_one(struct msgq *q, struct net_message *m)
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

static bool dgram_ready(void *arg)
{
	struct unix_socket *u = arg;

	return atomic_load(&u->in.count) || atomic_load(&u->shut) & SHUT_RECEIVE;
}

s64 unix_dgram_receive(struct unix_socket *u, struct net_message *m)
{
	for (;;) {
		s64 r = receive_one(&u->in, m);

		if (r != -EAGAIN)
			return r;
		if (m->deadline_ns && atomic_load(&u->shut) & SHUT_RECEIVE)
			return 0;
		r = net_wait(&u->in.readable, atomic_load(&u->in.last_writer), m->deadline_ns, dgram_ready,
					 u);
		if (r)
			return r;
	}
}

/* ---- seqpacket */

static bool packet_receive_ready(void *arg)
{
	struct unix_socket *u = arg;

	return conn_readable(atomic_load(&u->conn), u->end);
}

static bool packet_send_ready(void *arg)
{
	struct unix_socket *u = arg;
	struct conn *c = atomic_load(&u->conn);

	return conn_writable(c, u->end) || atomic_load(&c->shut[u->end]) & SHUT_SEND;
}

s64 unix_packet_receive(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->conn);

	if (!c)
		return -ENOTCONN;
	struct msgq *q = &c->q[u->end];
	for (;;) {
		u32 shut = atomic_load(&c->shut[u->end]), error;
		s64 r = receive_one(q, m);

		if (r != -EAGAIN) {
			if (r >= 0 && m->want_address && c->address[!u->end].len > sizeof(u16)) {
				m->address_len = c->address[!u->end].len;
				memcpy(m->address, c->address[!u->end].bytes, m->address_len);
			}
			return r;
		}
		error = atomic_exchange(&c->error[u->end], 0);
		if (error)
			return -(s64)error;
		if (shut & SHUT_RECEIVE)
			return 0;
		r = net_wait(&q->readable, atomic_load(&q->last_writer), m->deadline_ns,
					 packet_receive_ready, u);
		if (r)
			return r;
	}
}

s64 unix_packet_send(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->conn);
	u32 len = (u32)m->data.left;
	struct msg *msg;
	s64 err;

	if (!c)
		return -ENOTCONN;
	struct msgq *q = &c->q[!u->end];
	err = msg_make(m, NULL, atomic_load(&u->s.send_size), &msg);
	while (!err) {
		if (atomic_load(&c->shut[u->end]) & SHUT_SEND) {
			err = -EPIPE;
		} else if (atomic_load(&q->used) < atomic_load(&q->limit)) {
			if (msgq_append(q, msg)) {
				if (conn_writable(c, u->end))
					queue_wake(&q->writable, 1);
				return len;
			}
			err = -EPIPE;
		} else {
			err = net_wait(&q->writable, atomic_load(&q->last_reader), m->deadline_ns,
						   packet_send_ready, u);
		}
		if (err)
			msg_free(msg);
	}
	return err;
}
