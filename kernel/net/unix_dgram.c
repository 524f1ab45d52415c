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
	if (atomic_load(&to->e.in.used) >= atomic_load(&from->e.s.send_size))
		return true;
	return to != from && atomic_load(&to->peer) != from &&
		   atomic_load(&to->e.in.count) > UNIX_DGRAM_QUEUE;
}

/* For spinning, without net_lock: the memory of a socket stays a socket's, so at worst it errs. */
struct route {
	struct unix_socket *from, *to;
};

static bool route_free(void *arg)
{
	struct route *r = arg;

	return !queue_full(r->from, r->to);
}

/* Under net_lock: 0 and the receiver, -EAGAIN: it is full. */
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
	if (atomic_load(&from->e.shut) & SHUT_SEND)
		return -EPIPE;
	if (to->e.s.type != SOCK_DGRAM)
		return -EPROTOTYPE;
	theirs = atomic_load(&to->peer);
	if (theirs && theirs != from)
		return -EPERM;
	if (atomic_load(&to->e.shut) & SHUT_RECEIVE)
		return -EPIPE;
	return queue_full(from, to) ? -EAGAIN : 0;
}

/* net_wait: worth another try? The look must not take away what the sender is to be told. */
static bool delivery_ready(void *arg)
{
	struct delivery *d = arg;
	struct unix_socket *to;
	bool full = false;

	net_lock();
	to = d->named ? unix_find(&d->address, d->inode) : atomic_load(&d->from->peer);
	if (to && to->e.s.type == SOCK_DGRAM)
		full = !(atomic_load(&to->e.shut) & SHUT_RECEIVE) &&
			   !(atomic_load(&d->from->e.shut) & SHUT_SEND) && queue_full(d->from, to);
	net_unlock();
	return !full;
}

static s64 deliver(struct delivery *d, struct msg *msg, struct net_message *m)
{
	struct unix_socket *to;
	s64 err;

	for (;;) {
		net_lock();
		err = delivery_look(d, &to);
		if (!err && !msgq_link(&to->e.in, msg))
			err = -ECONNREFUSED;
		net_unlock();
		if (!err)
			break;
		if (err != -EAGAIN)
			return err;
		struct route route = {d->from, to};
		if (m->deadline_ns && spin_for(route_free, &route, atomic_load(&to->e.in.last_reader)))
			continue;
		err = net_wait(&to->e.in.writable, NO_PEER, m->deadline_ns, delivery_ready, d);
		if (err)
			return err;
	}
	/* The memory of a socket stays a socket's: at worst this wakes somebody for nothing. */
	queue_wake(&to->e.in.readable, 1);
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
		err = msg_make(m, &u->address, atomic_load(&u->e.s.send_size), &msg);
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

	net_lock();
	peer = atomic_load(&u->peer);
	if (peer)
		room = !queue_full(u, peer) &&
			   atomic_load(&peer->e.in.used) * 4 <= atomic_load(&u->e.s.send_size);
	net_unlock();
	if (!peer || !pt)
		return room;
	poll_wait_for(pt, &peer->e.in.writable, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	/* It may have been read between the look and the registration. */
	return room || unix_dgram_writable(u, NULL);
}

/* ---- receiving */

static bool dgram_ready(void *arg)
{
	struct unix_socket *u = arg;

	return atomic_load(&u->e.in.count) || atomic_load(&u->e.shut) & SHUT_RECEIVE;
}

s64 unix_dgram_receive(struct unix_socket *u, struct net_message *m)
{
	for (;;) {
		s64 r = packet_receive(&u->e.in, m);

		if (r != -EAGAIN)
			return r;
		if (m->deadline_ns && atomic_load(&u->e.shut) & SHUT_RECEIVE)
			return 0;
		r = net_wait(&u->e.in.readable, atomic_load(&u->e.in.last_writer), m->deadline_ns,
					 dgram_ready, u);
		if (r)
			return r;
	}
}

/* ---- seqpacket */

static bool packet_receive_ready(void *arg)
{
	struct unix_socket *u = arg;

	return conn_readable(atomic_load(&u->e.conn), u->e.end);
}

static bool packet_send_ready(void *arg)
{
	struct unix_socket *u = arg;
	struct conn *c = atomic_load(&u->e.conn);

	return conn_writable(c, u->e.end) || atomic_load(&c->shut[u->e.end]) & SHUT_SEND;
}

s64 unix_packet_receive(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->e.conn);

	if (!c)
		return -ENOTCONN;
	struct msgq *q = &c->q[u->e.end];
	for (;;) {
		u32 shut = atomic_load(&c->shut[u->e.end]), error;
		s64 r = packet_receive(q, m);

		if (r != -EAGAIN) {
			if (r >= 0 && m->want_address && unix_conn(c)->address[!u->e.end].len > sizeof(u16)) {
				m->address_len = unix_conn(c)->address[!u->e.end].len;
				memcpy(m->address, unix_conn(c)->address[!u->e.end].bytes, m->address_len);
			}
			return r;
		}
		error = atomic_exchange(&c->error[u->e.end], 0);
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
	struct conn *c = atomic_load(&u->e.conn);
	u32 len = (u32)m->data.left;
	struct msg *msg;
	s64 err;

	if (!c)
		return -ENOTCONN;
	struct msgq *q = &c->q[!u->e.end];
	err = msg_make(m, NULL, atomic_load(&u->e.s.send_size), &msg);
	while (!err) {
		if (atomic_load(&c->shut[u->e.end]) & SHUT_SEND) {
			err = -EPIPE;
		} else if (atomic_load(&q->used) < atomic_load(&q->limit)) {
			if (msgq_append(q, msg)) {
				if (conn_writable(c, u->e.end))
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
