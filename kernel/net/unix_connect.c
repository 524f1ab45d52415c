/* SPDX-License-Identifier: ISC */
/*
 * Who is connected to whom: socketpair, listen, connect, accept. A connect makes the whole
 * connection and puts it into the listener's list; accept only takes it out, so a client may write
 * before it is accepted, as on Linux.
 */
#include <asm/errno.h>

#include "kernel/fd/file.h"
#include "kernel/lib/lib.h"
#include "kernel/net/unix.h"
#include "kernel/vfs/vfs.h"

s64 unix_pair(struct socket *a, struct socket *b)
{
	struct unix_socket *u[2] = {unix_of(a), unix_of(b)};
	struct conn *c;

	if (a->type == SOCK_DGRAM) {
		net_lock();
		for (u32 i = 0; i < 2; i++) {
			u[i]->cred = net_cred_self();
			atomic_store(&u[!i]->followed, 1);
			atomic_store(&u[i]->peer, u[!i]);
		}
		net_unlock();
		return 0;
	}
	c = unix_conn_create(a->type);
	if (!c)
		return -ENOMEM;
	unix_conn(c)->cred[0] = unix_conn(c)->cred[1] = net_cred_self();
	net_lock();
	u[0]->e.end = 0;
	u[1]->e.end = 1;
	ref_get(OWN_CONN, c, &u[0]->e.conn);
	own_give(&u[1]->e.conn, c);
	for (u32 i = 0; i < 2; i++)
		atomic_store(&u[i]->e.state, ENDPOINT_CONNECTED);
	net_unlock();
	return 0;
}

s64 unix_listen(struct socket *s, u32 backlog)
{
	struct unix_socket *u = unix_of(s);
	s64 err = 0;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	net_lock();
	if (!u->bound || atomic_load(&u->e.state) == ENDPOINT_CONNECTED) {
		err = -EINVAL;
	} else {
		u->e.backlog = backlog;
		u->cred = net_cred_self();
		atomic_store(&u->e.state, ENDPOINT_LISTENING);
	}
	net_unlock();
	if (!err) {
		queue_wake_all(&u->e.in.writable);
		queue_wake_for(&u->e.in.readable, WAKE_NO_OWNER);
	}
	return err;
}

/* ---- connect */

/* Where to: the name, and what it is in the file system. */
struct target {
	struct unix_address address;
	struct inode *inode;
	struct unix_socket *from;
};

static bool pending_full(struct unix_socket *listener)
{
	return atomic_load(&listener->e.npending) > listener->e.backlog;
}

/* Under net_lock: 0 and the socket at that name, -EAGAIN: full. */
static s64 target_look(struct target *t, struct unix_socket **out)
{
	struct unix_socket *peer = unix_find(&t->address, t->inode);

	*out = peer;
	if (!peer)
		return -ECONNREFUSED;
	if (peer->e.s.type != t->from->e.s.type)
		return -EPROTOTYPE;
	if (atomic_load(&peer->e.state) != ENDPOINT_LISTENING ||
		atomic_load(&peer->e.shut) & SHUT_RECEIVE)
		return -ECONNREFUSED;
	return pending_full(peer) ? -EAGAIN : 0;
}

/* net_wait: worth another try? */
static bool target_ready(void *arg)
{
	struct unix_socket *peer;
	s64 err;

	net_lock();
	err = target_look(arg, &peer);
	net_unlock();
	return err != -EAGAIN;
}

/* Under net_lock. */
static void connect_link(struct unix_socket *u, struct unix_socket *listener, struct conn *c)
{
	struct unix_conn *uc = unix_conn(c);

	uc->address[0] = u->address;
	uc->address[1] = listener->address;
	uc->cred[0] = net_cred_self();
	atomic_store(&uc->c.owner[0], atomic_load(&u->owner));
	uc->cred[1] = listener->cred;
	atomic_store(&c->q[1].limit, atomic_load(&u->e.s.send_size));
	conn_link(&u->e, &listener->e, c);
}

static s64 connect_try(struct unix_socket *u, struct target *t, struct conn *c,
					   struct unix_socket **peer)
{
	s64 err;

	net_lock();
	if (atomic_load(&u->e.state) == ENDPOINT_CONNECTED)
		err = -EISCONN;
	else if (atomic_load(&u->e.state) != ENDPOINT_IDLE)
		err = -EINVAL;
	else
		err = target_look(t, peer);
	if (!err)
		connect_link(u, *peer, c);
	net_unlock();
	return err;
}

static s64 connect_stream(struct unix_socket *u, struct target *t, bool nonblock)
{
	u64 deadline = net_deadline(atomic_load(&u->e.s.send_timeout_ns), nonblock);
	struct conn *c = unix_conn_create(u->e.s.type);
	struct unix_socket *peer;
	s64 err;

	if (!c)
		return -ENOMEM;
	own_give(hold_new(OWN_CONN), c);
	for (;;) {
		err = connect_try(u, t, c, &peer);
		if (err != -EAGAIN)
			break;
		/* The listener may go meanwhile: its memory stays a socket's. */
		err = net_wait(&peer->e.in.writable, NO_PEER, deadline, target_ready, t);
		if (err)
			break;
	}
	if (err) {
		ref_put(OWN_CONN, hold_of(OWN_CONN, c));
		return err;
	}
	queue_wake(&peer->e.in.readable, 1);
	queue_wake_for(&u->e.in.readable, WAKE_NO_OWNER);
	return 0;
}

/* The default destination of datagrams; without an address: none any more. */
static s64 connect_dgram(struct unix_socket *u, struct target *t)
{
	struct unix_socket *peer = NULL, *theirs;
	s64 err = 0;

	net_lock();
	if (t) {
		peer = unix_find(&t->address, t->inode);
		theirs = peer ? atomic_load(&peer->peer) : NULL;
		if (!peer)
			err = -ECONNREFUSED;
		else if (peer->e.s.type != SOCK_DGRAM)
			err = -EPROTOTYPE;
		else if (theirs && theirs != u)
			err = -EPERM;
	}
	if (!err) {
		if (peer)
			atomic_store(&peer->followed, 1);
		atomic_store(&u->peer_gone, 0);
		atomic_store(&u->peer, peer);
	}
	net_unlock();
	if (!err) {
		queue_wake_for(&u->e.in.readable, WAKE_NO_OWNER);
		queue_wake_all(&u->e.in.writable);
	}
	return err;
}

s64 unix_connect(struct socket *s, const u8 *address, u32 len, bool nonblock)
{
	struct unix_socket *u = unix_of(s);
	struct target t = {.from = u};
	s64 err;

	if (len < sizeof(u16))
		return -EINVAL;
	if (s->type == SOCK_DGRAM && !address[0] && !address[1])
		return connect_dgram(u, NULL);
	err = unix_address_parse(address, len, &t.address);
	if (!err)
		err = unix_resolve(&t.address, &t.inode);
	if (err)
		return err;
	err = s->type == SOCK_DGRAM ? connect_dgram(u, &t) : connect_stream(u, &t, nonblock);
	if (t.inode)
		inode_put(t.inode);
	return err;
}

s64 unix_accept(struct socket *s, bool nonblock, struct socket *fresh)
{
	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	return endpoint_accept(endpoint_of(s), nonblock, endpoint_of(fresh));
}
