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
		unix_lock();
		for (u32 i = 0; i < 2; i++) {
			u[i]->cred = net_cred_self();
			atomic_store(&u[!i]->followed, 1);
			atomic_store(&u[i]->peer, u[!i]);
		}
		unix_unlock();
		return 0;
	}
	c = conn_create(a->type);
	if (!c)
		return -ENOMEM;
	c->cred[0] = c->cred[1] = net_cred_self();
	unix_lock();
	u[0]->end = 0;
	u[1]->end = 1;
	ref_get(OWN_CONN, c, &u[0]->conn);
	own_give(&u[1]->conn, c);
	for (u32 i = 0; i < 2; i++)
		atomic_store(&u[i]->state, UNIX_CONNECTED);
	unix_unlock();
	return 0;
}

s64 unix_listen(struct socket *s, u32 backlog)
{
	struct unix_socket *u = unix_of(s);
	s64 err = 0;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	unix_lock();
	if (!u->bound || atomic_load(&u->state) == UNIX_CONNECTED) {
		err = -EINVAL;
	} else {
		u->backlog = backlog;
		u->cred = net_cred_self();
		atomic_store(&u->state, UNIX_LISTENING);
	}
	unix_unlock();
	if (!err) {
		queue_wake_all(&u->in.writable);
		queue_wake_all(&u->in.readable);
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
	return atomic_load(&listener->npending) > listener->backlog;
}

/* Under unix_lock: 0 and the socket at that name, -EAGAIN: full. */
static s64 target_look(struct target *t, struct unix_socket **out)
{
	struct unix_socket *peer = unix_find(&t->address, t->inode);

	*out = peer;
	if (!peer)
		return -ECONNREFUSED;
	if (peer->s.type != t->from->s.type)
		return -EPROTOTYPE;
	if (atomic_load(&peer->state) != UNIX_LISTENING || atomic_load(&peer->shut) & SHUT_RECEIVE)
		return -ECONNREFUSED;
	return pending_full(peer) ? -EAGAIN : 0;
}

/* net_wait: worth another try? */
static bool target_ready(void *arg)
{
	struct unix_socket *peer;
	s64 err;

	unix_lock();
	err = target_look(arg, &peer);
	unix_unlock();
	return err != -EAGAIN;
}

/* Under unix_lock. The store that links c decides; recovery does the rest (unix.c). */
static void conn_link(struct unix_socket *u, struct unix_socket *listener, struct conn *c)
{
	c->address[0] = u->address;
	c->address[1] = listener->address;
	c->cred[0] = net_cred_self();
	c->cred[1] = listener->cred;
	atomic_store(&c->q[1].limit, atomic_load(&u->s.send_size));
	u->end = 0;
	c->connecting = u;
	own_move(OWN_CONN, hold_of(OWN_CONN, c),
			 listener->pending ? &listener->pending_last->next : &listener->pending);
	listener->pending_last = c;
	atomic_fetch_add(&listener->npending, 1);
	atomic_fetch_add(&listener->in.arrived, 1);
	conn_connected(c);
}

static s64 connect_try(struct unix_socket *u, struct target *t, struct conn *c,
					   struct unix_socket **peer)
{
	s64 err;

	unix_lock();
	if (atomic_load(&u->state) == UNIX_CONNECTED)
		err = -EISCONN;
	else if (atomic_load(&u->state) != UNIX_IDLE)
		err = -EINVAL;
	else
		err = target_look(t, peer);
	if (!err)
		conn_link(u, *peer, c);
	unix_unlock();
	return err;
}

static s64 connect_stream(struct unix_socket *u, struct target *t, bool nonblock)
{
	u64 deadline = net_deadline(atomic_load(&u->s.send_timeout_ns), nonblock);
	struct conn *c = conn_create(u->s.type);
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
		err = net_wait(&peer->in.writable, NO_PEER, deadline, target_ready, t);
		if (err)
			break;
	}
	if (err) {
		ref_put(OWN_CONN, hold_of(OWN_CONN, c));
		return err;
	}
	queue_wake(&peer->in.readable, 1);
	queue_wake_all(&u->in.readable);
	return 0;
}

/* The default destination of datagrams; without an address: none any more. */
static s64 connect_dgram(struct unix_socket *u, struct target *t)
{
	struct unix_socket *peer = NULL, *theirs;
	s64 err = 0;

	unix_lock();
	if (t) {
		peer = unix_find(&t->address, t->inode);
		theirs = peer ? atomic_load(&peer->peer) : NULL;
		if (!peer)
			err = -ECONNREFUSED;
		else if (peer->s.type != SOCK_DGRAM)
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
	unix_unlock();
	if (!err) {
		queue_wake_all(&u->in.readable);
		queue_wake_all(&u->in.writable);
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

/* ---- accept */

static bool accept_ready(void *arg)
{
	struct unix_socket *u = arg;

	return atomic_load(&u->npending) || atomic_load(&u->shut) & SHUT_RECEIVE;
}

/* Under unix_lock. */
static bool accept_take(struct unix_socket *u, struct unix_socket *fresh)
{
	struct conn *c = u->pending;

	if (!c)
		return false;
	fresh->end = 1;
	fresh->address = c->address[1];
	atomic_store(&c->q[0].limit, atomic_load(&fresh->s.send_size));
	ref_move_head(OWN_CONN, &u->pending, &fresh->conn, c->next);
	atomic_store(&fresh->state, UNIX_CONNECTED);
	if (!u->pending)
		u->pending_last = NULL;
	atomic_fetch_sub(&u->npending, 1);
	return true;
}

s64 unix_accept(struct socket *s, bool nonblock, struct socket *fresh)
{
	struct unix_socket *u = unix_of(s);
	u64 deadline = net_deadline(atomic_load(&s->receive_timeout_ns), nonblock);
	bool taken, more;
	s64 err;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (atomic_load(&u->state) != UNIX_LISTENING)
		return -EINVAL;
	for (;;) {
		unix_lock();
		taken = accept_take(u, unix_of(fresh));
		more = u->pending != NULL;
		unix_unlock();
		if (taken)
			break;
		if (atomic_load(&u->shut) & SHUT_RECEIVE)
			return -EINVAL;
		err = net_wait(&u->in.readable, NO_PEER, deadline, accept_ready, u);
		if (err)
			return err;
	}
	queue_wake(&u->in.writable, 1);
	if (more)
		queue_pass_on(&u->in.readable, 1);
	return 0;
}
