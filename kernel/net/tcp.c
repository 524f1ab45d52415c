/* SPDX-License-Identifier: ISC */
/*
 * TCP over the family's loopback: how connections begin and end, as programs see it. The bytes are
 * stream.c's. Both ends see each step at once, so the states between two packets do not exist;
 * those that wait for another program do: a connect whose listener is full waits in its list, and
 * is established by whoever accepts one before it. Sources: tcp(7), RFC 9293, and what Linux
 * answers.
 *
 * The end of a connection. fin[] says who has said that it sends no more; reset that it is over. An
 * end that is closed with unread bytes, or sent to after it was closed, resets. What was received
 * before that can still be read.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/time/time.h"

#define LINGER_NOW 0x80000000u /* SO_LINGER, on, 0 seconds */

enum tcp_state tcp_state(struct inet_socket *u)
{
	struct conn *c = atomic_load(&u->e.conn);
	u32 end = u->e.end;

	if (is_outside(u))
		return TCP_ESTABLISHED;
	if (!c)
		return atomic_load(&u->e.state) == ENDPOINT_LISTENING ? TCP_LISTEN : TCP_CLOSE;
	if (atomic_load(&tcp_conn(c)->reset))
		return TCP_CLOSE;
	if (atomic_load(&c->waiting))
		return TCP_SYN_SENT;
	bool theirs = atomic_load(&tcp_conn(c)->fin[!end]);
	if (atomic_load(&tcp_conn(c)->fin[end]))
		return theirs ? TCP_CLOSE : TCP_FIN_WAIT2;
	return theirs ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
}

/* ---- the rules of its connections */

void tcp_limits(struct conn *c)
{
	struct tcp_conn *t = tcp_conn(c);

	for (u32 i = 0; i < 2; i++)
		atomic_store(&c->q[i].limit, atomic_load(&t->sends[!i]) + atomic_load(&t->receives[i]));
}

void tcp_sizes(struct conn *c, u32 end, struct inet_socket *u)
{
	if (inet_flag(u, INET_SEND_SIZED))
		atomic_store(&tcp_conn(c)->sends[end], atomic_load(&u->e.s.send_size));
	if (inet_flag(u, INET_RECEIVE_SIZED))
		atomic_store(&tcp_conn(c)->receives[end], atomic_load(&u->e.s.receive_size));
}

/* That end breaks the connection. */
static void tcp_reset(struct conn *c, u32 end, u32 error)
{
	struct tcp_conn *t = tcp_conn(c);

	if (atomic_load(&t->reset))
		return;
	/* who has heard the end already is told of a broken pipe */
	if (atomic_load(&t->fin[end]))
		error = EPIPE;
	if (!(atomic_load(&t->fin[0]) && atomic_load(&t->fin[1])))
		atomic_store(&c->error[!end], error);
	if (atomic_load(&c->waiting))
		net_count(COUNT_ATTEMPT_FAILS);
	for (u32 i = 0; i < 2 && !atomic_load(&c->waiting); i++)
		if (!atomic_load(&t->fin[i]))
			net_count(COUNT_ESTAB_RESETS);
	net_count(COUNT_OUT_RESETS);
	atomic_store(&c->shut[end], SHUT_BOTH);
	atomic_store(&c->shut[!end], SHUT_BOTH);
	atomic_store(&t->reset, 1);
}

/*
 * That end has said its last. Who says so first keeps the port quiet for a while. fin comes last:
 * after a death before it this is done again.
 */
static void tcp_fin(struct conn *c, u32 end, struct inet_socket *u)
{
	struct tcp_conn *t = tcp_conn(c);

	if (atomic_load(&t->reset) || atomic_load(&t->fin[end]))
		return;
	if (!atomic_load(&t->fin[!end]) && u)
		port_quiet(u, &t->name[end], atomic_load(&u->e.s.flags) & SOCKET_REUSEADDR);
	atomic_fetch_or(&c->shut[!end], SHUT_RECEIVE);
	atomic_fetch_or(&c->shut[end], SHUT_SEND);
	atomic_store(&t->fin[end], 1);
}

static s64 tcp_send_refused(struct conn *c, u32 end, u32 flags)
{
	u32 error = atomic_exchange(&c->error[end], 0);

	return error && error != EPIPE ? -(s64)error : net_broken(flags);
}

/* The other end is closed: it answers with a reset, which the next call sees. */
static s64 tcp_send_lost(struct conn *c, u32 end, s64 n)
{
	tcp_reset(c, !end, ECONNRESET);
	conn_wake(c);
	return n;
}

static s64 tcp_receive_end(struct conn *c, u32 end, bool *over)
{
	u32 error;

	*over = false;
	if (atomic_load(&c->q[end].count))
		return 0;
	*over = true;
	if (atomic_load(&tcp_conn(c)->fin[!end]))
		return 0;
	error = atomic_load(&c->error[end]) ? atomic_exchange(&c->error[end], 0) : 0;
	if (error)
		return -(s64)error;
	*over = atomic_load(&c->shut[end]) & SHUT_RECEIVE;
	return 0;
}

static void tcp_leave(struct conn *c, u32 end, bool refused)
{
	bool unread = atomic_load(&c->q[end].count);

	if (refused || unread || atomic_load(&c->waiting))
		tcp_reset(c, end, atomic_load(&c->waiting) ? ECONNREFUSED : ECONNRESET);
	else
		tcp_fin(c, end, NULL);
	atomic_store(&c->shut[end], SHUT_BOTH);
	if (msgq_close(&c->q[end]))
		tcp_reset(c, end, ECONNRESET);
	conn_wake(c);
}

static void tcp_accepted(struct conn *c, struct endpoint *fresh)
{
	struct inet_socket *u = (struct inet_socket *)fresh;

	u->local = tcp_conn(c)->name[1];
	u->peer = tcp_conn(c)->name[0];
	port_enter(u, PORTS_ACCEPTED);
}

/* There was room for it among those that wait to be accepted. */
static void tcp_established(struct conn *c)
{
	tcp_limits(c);
	net_count(COUNT_PASSIVE_OPENS);
}

const struct conn_rules tcp_conn_rules = {
	.send_refused = tcp_send_refused,
	.send_lost = tcp_send_lost,
	.receive_end = tcp_receive_end,
	.leave = tcp_leave,
	.established = tcp_established,
	.accepted = tcp_accepted,
	.truncates = true,
};

/* ---- listen */

s64 tcp_listen(struct inet_socket *u, u32 backlog)
{
	u32 state;
	s64 err = is_outside(u) ? -EINVAL : 0;

	if (!err && atomic_load(&u->host))
		err = host_listen(u, backlog);
	if (err)
		return err;
	net_lock();
	state = atomic_load(&u->e.state);
	if (state != ENDPOINT_IDLE && state != ENDPOINT_LISTENING)
		err = -EINVAL;
	else if (state == ENDPOINT_IDLE)
		err = port_listen(u);
	if (!err) {
		u->e.backlog = backlog;
		atomic_store(&u->e.shut, 0);
		atomic_store(&u->e.state, ENDPOINT_LISTENING);
		pending_promote(&u->e);
	}
	net_unlock();
	if (!err)
		queue_wake_for(&u->e.in.readable, WAKE_NO_OWNER);
	return err;
}

/* ---- letting go */

/* It is not in its listener's list any more, if it waited there. */
static void connect_cancel(struct inet_socket *u)
{
	struct conn *c = atomic_load(&u->e.conn);
	struct own_record *r = NULL;

	if (!c || !atomic_load(&c->waiting))
		return;
	net_lock();
	if (atomic_load(&c->waiting) && u->listener)
		r = conn_unlink(u->listener, c);
	net_unlock();
	ref_drop(r);
}

/*
 * The connection is over for u, which may connect again. Another thread may still be at work with
 * it: its memory goes with the socket.
 */
static void conn_retire(struct inet_socket *u)
{
	struct conn *c = atomic_load(&u->e.conn);

	if (!c)
		return;
	connect_cancel(u);
	tcp_reset(c, u->e.end, ECONNRESET);
	conn_rules(c)->leave(c, u->e.end, false);
	net_lock();
	if (atomic_load(&u->e.conn) == c) {
		publish(&tcp_conn(c)->older[u->e.end], u->retired);
		own_move(OWN_CONN, (struct conn **)&u->e.conn, &u->retired);
	}
	net_unlock();
}

static void retired_drop(struct inet_socket *u)
{
	struct own_record *r;
	struct conn *c;

	for (;;) {
		net_lock();
		c = u->retired;
		r = c ? ref_detach(OWN_CONN, (void **)&u->retired, tcp_conn(c)->older[u->e.end]) : NULL;
		net_unlock();
		if (!c)
			return;
		ref_drop(r);
	}
}

/* As a socket that was never connected; error: what SO_ERROR says. */
static void tcp_unconnect(struct inet_socket *u, u32 error)
{
	struct host_handle *h = NULL;
	bool listened;

	net_lock();
	listened = atomic_load(&u->e.state) == ENDPOINT_LISTENING;
	atomic_store(&u->e.state, ENDPOINT_IDLE);
	net_unlock();
	if (listened) {
		pending_refuse(&u->e);
		h = host_find(u);
	}
	if (h)
		host_net_shutdown(host_number(h), SHUT_RD);
	conn_retire(u);
	net_lock();
	inet_unname(u);
	net_unlock();
	atomic_store(&u->e.s.error, error);
	atomic_store(&u->e.shut, 0);
	atomic_fetch_and(&u->flags, ~(u32)INET_CONNECTING);
	queue_wake_all(&u->e.in.readable);
	queue_wake_all(&u->e.in.writable);
}

/* The last descriptor is gone. May be done twice. */
void tcp_release(struct inet_socket *u)
{
	struct conn *c = atomic_load(&u->e.conn);

	net_lock();
	atomic_store(&u->e.state, ENDPOINT_CLOSED);
	net_unlock();
	pending_refuse(&u->e);
	connect_cancel(u);
	if (c && atomic_load(&u->e.s.linger) == LINGER_NOW)
		tcp_reset(c, u->e.end, ECONNRESET);
	else if (c && !atomic_load(&c->waiting) && !atomic_load(&c->q[u->e.end].count))
		tcp_fin(c, u->e.end, u);
	endpoint_disconnect(&u->e);
	retired_drop(u);
}

s64 tcp_shutdown(struct inet_socket *u, u32 bits)
{
	struct conn *c = atomic_load(&u->e.conn);
	s64 err = 0;

	if (is_outside(u)) {
		struct host_handle *h = host_find(u);

		return h ? host_net_shutdown(host_number(h), bits - 1) : -EBADF;
	}
	switch (tcp_state(u)) {
	case TCP_LISTEN:
		if (bits & SHUT_RECEIVE)
			tcp_unconnect(u, 0);
		return 0;
	case TCP_SYN_SENT: tcp_unconnect(u, ECONNRESET); return 0;
	case TCP_CLOSE: err = -ENOTCONN; break;
	default: break;
	}
	if (!c) {
		atomic_fetch_or(&u->e.shut, bits);
		queue_wake_all(&u->e.in.readable);
		queue_wake_all(&u->e.in.writable);
		return err;
	}
	if (bits & SHUT_SEND)
		tcp_fin(c, u->e.end, u);
	atomic_fetch_or(&c->shut[u->e.end], bits);
	conn_wake(c);
	return err;
}

/* ---- connect */

static struct conn *tcp_conn_create(struct inet_socket *u)
{
	struct conn *c = conn_create(CONN_TCP, SOCK_STREAM, sizeof(struct tcp_conn), 0);

	if (!c)
		return NULL;
	for (u32 i = 0; i < 2; i++) {
		atomic_store(&tcp_conn(c)->sends[i], TCP_SEND_ROOM);
		atomic_store(&tcp_conn(c)->receives[i], TCP_RECEIVE_SIZE);
	}
	tcp_sizes(c, 0, u);
	own_give(hold_new(OWN_CONN), c);
	return c;
}

/* Under net_lock: u gets its names, c is in the listener's list: 0, and who listens. */
static s64 connect_link(struct inet_socket *u, const struct inet_name *to, struct conn *c,
						struct inet_socket **out)
{
	struct tcp_conn *t = tcp_conn(c);
	struct inet_socket *listener;
	s64 err;

	if (atomic_load(&u->e.state) != ENDPOINT_IDLE || atomic_load(&u->e.conn))
		return -EISCONN;
	inet_peer_set(u, to);
	err = port_connect(u);
	listener = err ? NULL : port_listener(to, u->local.port);
	if (err || !listener)
		return err ? err : -ECONNREFUSED;
	t->name[0] = u->local;
	t->name[1] = *to;
	atomic_store(&c->owner[0], atomic_load(&u->owner));
	tcp_sizes(c, 1, listener);
	u->listener = &listener->e;
	if (atomic_load(&listener->e.npending) > listener->e.backlog)
		atomic_store(&c->waiting, 1);
	else
		tcp_established(c);
	conn_link(&u->e, &listener->e, c);
	*out = listener;
	return 0;
}

/* 0: connected, waiting, or refused: then there is no connection and u->e.s.error says why. */
static s64 connect_begin(struct inet_socket *u, const struct inet_name *to)
{
	struct conn *c = tcp_conn_create(u);
	struct inet_socket *listener;
	s64 err;

	if (!c)
		return -ENOMEM;
	net_lock();
	err = connect_link(u, to, c, &listener);
	if (!err || err == -ECONNREFUSED)
		atomic_fetch_or(&u->flags, INET_CONNECTING);
	if (err)
		inet_unname(u);
	net_unlock();
	if (!err || err == -ECONNREFUSED)
		net_count(COUNT_ACTIVE_OPENS);
	if (err == -ECONNREFUSED) {
		net_count(COUNT_ATTEMPT_FAILS);
		net_count(COUNT_OUT_RESETS);
	}
	if (!err) {
		if (!atomic_load(&c->waiting))
			queue_wake(&listener->e.in.readable, 1);
	} else {
		ref_put(OWN_CONN, hold_of(OWN_CONN, c));
	}
	if (err == -ECONNREFUSED) {
		atomic_store(&u->e.s.error, ECONNREFUSED);
		atomic_store(&u->e.shut, SHUT_BOTH);
		err = 0;
	}
	queue_wake_all(&u->e.in.readable);
	return err;
}

static bool connect_done(void *arg)
{
	struct conn *c = arg;

	return !atomic_load(&c->waiting) || atomic_load(&tcp_conn(c)->reset);
}

/* Until it is known how the connect goes. */
static s64 connect_wait(struct inet_socket *u, bool nonblock, bool begun)
{
	u64 deadline = net_deadline(atomic_load(&u->e.s.send_timeout_ns), nonblock);
	struct conn *c = atomic_load(&u->e.conn);
	u32 error;
	s64 err;

	if (nonblock && begun)
		return -EINPROGRESS;
	if (c && !connect_done(c)) {
		err = net_wait(&c->q[0].readable, NO_PEER, deadline, connect_done, c);
		if (err)
			return err != -EAGAIN ? err : begun ? -EINPROGRESS : -EALREADY;
	}
	if (tcp_state(u) == TCP_CLOSE && !(c && atomic_load(&tcp_conn(c)->fin[!u->e.end]))) {
		error = inet_error_take(&u->e.s);
		tcp_unconnect(u, 0);
		return error ? -(s64)error : -ECONNABORTED;
	}
	atomic_fetch_and(&u->flags, ~(u32)INET_CONNECTING);
	return 0;
}

static void sizes_connected(struct inet_socket *u)
{
	if (!inet_flag(u, INET_SEND_SIZED))
		atomic_store(&u->e.s.send_size, TCP_SEND_CONNECTED);
}

s64 tcp_connect(struct inet_socket *u, const u8 *address, u32 len, bool nonblock)
{
	bool begun = !inet_flag(u, INET_CONNECTING);
	struct inet_name to;
	s64 err;

	if (len >= sizeof(u16) && !address[0] && !address[1]) {
		if (is_outside(u))
			return host_tcp_unconnect(u);
		u32 state = tcp_state(u);

		tcp_unconnect(u, state == TCP_CLOSE || state == TCP_LISTEN ? 0 : ECONNRESET);
		return 0;
	}
	err = inet_name_parse(u, address, len, &to);
	if (err)
		return err;
	if (is_outside(u))
		return host_tcp_connect(u, &to, nonblock);
	if (begun) {
		if (atomic_load(&u->e.state) != ENDPOINT_IDLE)
			return -EISCONN;
		err = inet_route(u, &to);
		if ((!err || err == -ENETUNREACH) && host_connects(u, &to))
			return host_tcp_connect(u, &to, nonblock);
		if (!err)
			err = connect_begin(u, &to);
		if (!err)
			host_release(u); /* its connection is within the family */
		if (err)
			return err;
		sizes_connected(u);
	}
	return connect_wait(u, nonblock, begun);
}

/* ---- data */

s64 tcp_send(struct inet_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->e.conn);
	u32 error;

	if (m->flags & MSG_FASTOPEN && m->address_len && !c) {
		s64 err = tcp_connect(u, m->address, m->address_len, !m->deadline_ns);

		if (err)
			return err;
		c = atomic_load(&u->e.conn);
	}
	if (is_outside(u))
		return host_tcp_send(u, m);
	if (c && m->flags & MSG_OOB)
		return urgent_send(c, u->e.end, m);
	if (c)
		return stream_send(c, u->e.end, m);
	error = inet_error_take(&u->e.s);
	return error ? -(s64)error : net_broken(m->flags);
}

s64 tcp_receive(struct inet_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->e.conn);
	u32 error;

	m->address_len = 0;
	if (is_outside(u))
		return host_tcp_receive(u, m);
	if (m->flags & MSG_OOB)
		return urgent_receive(&u->e, m);
	if (c) {
		const struct stream_wish wish = {
			.low_water = atomic_load(&u->e.s.low_water),
			.urgent_inline = atomic_load(&u->e.s.flags) & SOCKET_OOBINLINE,
		};
		return stream_receive(c, u->e.end, m, &wish);
	}
	if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
		return -ENOTCONN;
	error = inet_error_take(&u->e.s);
	if (error)
		return -(s64)error;
	return atomic_load(&u->e.shut) & SHUT_RECEIVE ? 0 : -ENOTCONN;
}

/* ---- readiness: tcp_poll of Linux */

/* As many bytes make it readable: SO_RCVLOWAT, and one more where an urgent one is passed over. */
static u32 readable_from(struct inet_socket *u, struct conn *c)
{
	u32 from = MAX(atomic_load(&u->e.s.low_water), 1u);
	s32 at = 0;

	if (!atomic_load(&c->urgent[u->e.end]) ||
		atomic_load(&u->e.s.flags) & SOCKET_OOBINLINE)
		return from;
	urgent_at_mark(&u->e, &at);
	return from + (u32)at;
}

static u32 conn_poll(struct inet_socket *u, struct conn *c, struct poll_table *pt)
{
	u32 end = u->e.end, mask = 0, shut;
	bool made;

	poll_wait_for(pt, &c->q[end].readable, POLL_READABLE | EPOLLRDHUP | EPOLLPRI);
	poll_wait_for(pt, &c->q[!end].writable, POLL_WRITABLE);
	made = !atomic_load(&c->waiting);
	shut = atomic_load(&c->shut[end]);
	if (shut == SHUT_BOTH || atomic_load(&tcp_conn(c)->reset))
		mask |= EPOLLHUP;
	if (shut & SHUT_RECEIVE)
		mask |= POLL_READABLE | EPOLLRDHUP;
	if (made && atomic_load(&c->q[end].unread) >= readable_from(u, c))
		mask |= POLL_READABLE;
	if (atomic_load(&c->urgent[end]) == URGENT_THERE)
		mask |= EPOLLPRI;
	if (shut & SHUT_SEND || (made && conn_writable(c, end)))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (atomic_load(&c->error[end]))
		mask |= EPOLLERR;
	return mask;
}

u32 tcp_poll(struct inet_socket *u, struct poll_table *pt)
{
	struct conn *c = atomic_load(&u->e.conn);
	u32 mask, shut, listens = atomic_load(&u->e.state) == ENDPOINT_LISTENING;

	if (is_outside(u))
		return host_tcp_poll(u, pt);
	if (c)
		return conn_poll(u, c, pt);
	/* one that does not listen yet may hear of anything: an error, a connect by another thread */
	poll_wait_for(pt, &u->e.in.readable, listens ? POLL_READABLE | EPOLLRDHUP : ~0u);
	if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
		return atomic_load(&u->e.npending) ? POLL_READABLE : host_listener_poll(u, pt != NULL);
	/* a connect of another thread wakes the queue that we are in now */
	c = atomic_load(&u->e.conn);
	if (c)
		return conn_poll(u, c, pt);
	shut = atomic_load(&u->e.shut);
	mask = EPOLLHUP | EPOLLOUT | EPOLLWRNORM;
	if (shut & SHUT_RECEIVE)
		mask |= POLL_READABLE | EPOLLRDHUP;
	if (atomic_load(&u->e.s.error))
		mask |= EPOLLERR;
	return mask;
}
