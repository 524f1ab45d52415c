/* SPDX-License-Identifier: ISC */
/*
 * The life of sockets and connections, whatever their family: their lock and what recovers it,
 * listeners' lists, accept, and letting go. See endpoint.h.
 */
#include "kernel/net/endpoint.h"

#include <asm/errno.h>

#include "kernel/fd/file.h"
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"

struct net_shared *net_shared(void)
{
	return kin_root_claim(ROOT_NET, sizeof(struct net_shared), NULL);
}

const struct conn_rules *conn_rules(const struct conn *c)
{
	return c->kind == CONN_UNIX ? &unix_conn_rules : &tcp_conn_rules;
}

/* ---- the lock */

/* The connecting end has it, too. */
static void conn_connected(struct conn *c)
{
	struct endpoint *e = c->connecting;

	if (!atomic_load(&e->conn))
		ref_get(OWN_CONN, c, &e->conn);
	atomic_store(&e->state, ENDPOINT_CONNECTED);
	publish(&c->connecting, NULL);
}

/*
 * They are told here, because recovery does this as well, after the dead's burial has had everybody
 * look. Counted first: where npending is too low, who waits to accept passes by without a look.
 */
void pending_promote(struct endpoint *e)
{
	if (!e->nwaiting)
		return;
	for (struct conn *c = e->pending; c && atomic_load(&e->npending) <= e->backlog; c = c->next) {
		if (!atomic_load(&c->waiting))
			continue;
		conn_rules(c)->established(c);
		atomic_fetch_add(&e->npending, 1);
		atomic_store(&c->waiting, 0);
		e->nwaiting--;
		conn_wake(c);
	}
}

/* A dead member's connects that it had decided are finished. */
static void pending_settle(struct endpoint *e)
{
	u32 n = 0;

	e->nwaiting = 0;
	e->pending_last = NULL;
	for (struct conn *c = e->pending; c; c = c->next) {
		if (c->connecting)
			conn_connected(c);
		if (atomic_load(&c->waiting))
			e->nwaiting++;
		else
			n++;
		e->pending_last = c;
	}
	atomic_store(&e->npending, n);
	pending_promote(e);
}

static bool net_recover(void *arg)
{
	struct net_shared *shared = arg;

	for (struct endpoint **link = &shared->all; *link; link = &(*link)->next) {
		(*link)->prev = link;
		if (atomic_load(&(*link)->state) == ENDPOINT_LISTENING)
			pending_settle(*link);
	}
	inet_ports_recover();
	return true;
}

void net_lock(void)
{
	struct net_shared *shared = net_shared();

	if (!shared)
		family_fatal("kin is full: no room for sockets");
	kin_lock_recover(&shared->lock, net_recover, shared);
}

void net_unlock(void)
{
	kin_unlock(&net_shared()->lock);
}

/* ---- connections */

struct conn *conn_create(enum conn_kind kind, u32 type, size_t size, u32 limit)
{
	struct conn *c = own_new(OWN_MEMORY, size);

	if (!c)
		return NULL;
	ref_init(&c->ref, 1);
	c->kind = (u16)kind;
	c->type = (u16)type;
	for (u32 i = 0; i < 2; i++) {
		msgq_init(&c->q[i]);
		atomic_store(&c->q[i].limit, limit);
	}
	own_is(c, OWN_CONN);
	return c;
}

static void conn_own_release(void *what)
{
	struct conn *c = what;

	for (u32 i = 0; i < 2; i++) {
		msgq_close(&c->q[i]);
		msgq_destroy(&c->q[i]);
	}
}

const struct own_ops conn_own_ops = {
	.name = "connection",
	.ref_at = offsetof(struct conn, ref),
	.release = conn_own_release,
};

void conn_wake(struct conn *c)
{
	for (u32 i = 0; i < 2; i++) {
		queue_wake_all(&c->q[i].readable);
		queue_wake_all(&c->q[i].writable);
	}
}

void conn_link(struct endpoint *e, struct endpoint *listener, struct conn *c)
{
	e->end = 0;
	c->connecting = e;
	if (!atomic_load(&c->waiting)) /* before it is linked, see pending_promote */
		atomic_fetch_add(&listener->npending, 1);
	own_move(OWN_CONN, hold_of(OWN_CONN, c),
			 listener->pending ? &listener->pending_last->next : &listener->pending);
	listener->pending_last = c;
	if (atomic_load(&c->waiting))
		listener->nwaiting++;
	atomic_fetch_add(&listener->in.arrived, 1);
	conn_connected(c);
}

struct own_record *conn_unlink(struct endpoint *listener, struct conn *c)
{
	struct conn **link = &listener->pending, *before = NULL;
	struct own_record *r;

	while (*link && *link != c) {
		before = *link;
		link = &before->next;
	}
	if (!*link)
		return NULL;
	r = ref_detach(OWN_CONN, (void **)link, c->next);
	if (listener->pending_last == c)
		listener->pending_last = before;
	if (atomic_load(&c->waiting))
		listener->nwaiting--;
	else
		atomic_fetch_sub(&listener->npending, 1);
	return r;
}

/* ---- sockets */

struct endpoint *endpoint_new(enum spare_kind kind, size_t size, u32 family, u32 type, u32 protocol)
{
	struct net_shared *shared = net_shared();
	struct endpoint *e;

	if (!shared)
		return NULL;
	net_lock();
	e = shared->spare[kind];
	if (e)
		own_take(OWN_SOCKET, &shared->spare[kind], e->next);
	net_unlock();
	if (!e) {
		e = own_new(OWN_MEMORY, size);
		if (!e)
			return NULL;
		msgq_init(&e->in);
		e->s.family = (u16)family;
		own_is(e, OWN_SOCKET);
	}
	socket_init(&e->s, family, type, protocol);
	e->s.ino = atomic_fetch_add(&shared->next_ino, 1) + 1;
	net_lock();
	e->next = shared->all;
	e->prev = &shared->all;
	publish(&shared->all, e);
	if (e->next)
		e->next->prev = &e->next;
	net_unlock();
	return e;
}

/*
 * Type-stable: queues and locks stay as they are, everything else is cleared. Of a death in the
 * middle of it prev may be left, and what it points to may be another's by now.
 */
void endpoint_free(struct endpoint *e, enum spare_kind kind, size_t size)
{
	struct net_shared *shared = net_shared();

	net_lock();
	if (e->prev && *e->prev == e) {
		publish(e->prev, e->next);
		if (e->next)
			e->next->prev = e->prev;
	}
	publish(&e->prev, NULL);
	memset(&e->s.type, 0, sizeof(e->s) - offsetof(struct socket, type)); /* it stays a socket */
	memset((char *)e + offsetof(struct endpoint, state), 0,
		   offsetof(struct endpoint, in) - offsetof(struct endpoint, state));
	memset(e + 1, 0, size - sizeof(*e));
	atomic_store(&e->in.closed, 0);
	e->next = shared->spare[kind];
	own_give(&shared->spare[kind], e);
	net_unlock();
}

/*
 * Those that wait for a listener to accept them. First the clients see it, then the list forgets
 * them, unless a client has taken itself out meanwhile.
 */
void pending_refuse(struct endpoint *e)
{
	struct own_record *r;
	struct conn *c;

	for (;;) {
		net_lock();
		c = e->pending;
		if (c)
			ref_get(OWN_CONN, c, (struct conn **)hold_new(OWN_CONN));
		net_unlock();
		if (!c)
			return;
		conn_rules(c)->leave(c, 1, true);
		net_lock();
		r = conn_unlink(e, c);
		net_unlock();
		ref_drop(r);
		ref_put(OWN_CONN, hold_of(OWN_CONN, c));
	}
}

void endpoint_disconnect(struct endpoint *e)
{
	struct conn *c = atomic_load(&e->conn);
	struct own_record *r;

	if (!c)
		return;
	conn_rules(c)->leave(c, e->end, false);
	net_lock();
	r = ref_detach(OWN_CONN, (void **)&e->conn, NULL);
	net_unlock();
	ref_drop(r);
}

/* ---- accept */

static bool accept_ready(void *arg)
{
	struct endpoint *e = arg;

	return atomic_load(&e->npending) || atomic_load(&e->shut) & SHUT_RECEIVE ||
		   atomic_load(&e->state) != ENDPOINT_LISTENING;
}

/* Under net_lock. */
static bool accept_take(struct endpoint *e, struct endpoint *fresh)
{
	struct conn *c = e->pending;

	if (!c || atomic_load(&e->state) != ENDPOINT_LISTENING)
		return false;
	fresh->end = 1;
	conn_rules(c)->accepted(c, fresh);
	ref_move_head(OWN_CONN, &e->pending, &fresh->conn, c->next);
	atomic_store(&fresh->state, ENDPOINT_CONNECTED);
	if (!e->pending)
		e->pending_last = NULL;
	atomic_fetch_sub(&e->npending, 1);
	pending_promote(e);
	return true;
}

s64 endpoint_accept(struct endpoint *e, bool nonblock, struct endpoint *fresh)
{
	u64 deadline = net_deadline(atomic_load(&e->s.receive_timeout_ns), nonblock);
	bool taken, more;
	s64 err;

	for (;;) {
		net_lock();
		taken = accept_take(e, fresh);
		more = e->pending != NULL;
		net_unlock();
		if (taken)
			break;
		if (atomic_load(&e->state) != ENDPOINT_LISTENING || atomic_load(&e->shut) & SHUT_RECEIVE)
			return -EINVAL;
		err = net_wait(&e->in.readable, NO_PEER, deadline, accept_ready, e);
		if (err)
			return err;
	}
	queue_wake(&e->in.writable, 1);
	if (more)
		queue_pass_on(&e->in.readable, 1);
	return 0;
}
