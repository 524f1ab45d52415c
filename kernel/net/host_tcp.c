/* SPDX-License-Identifier: ISC */
/*
 * TCP of the host. A connection that no listener of the family takes is the host's (INET_OUTSIDE),
 * from connect on: what programs see of it is what the host says. A listener takes what comes
 * through kin and what comes through its socket of the host, if the family has a network namespace,
 * and what comes to published ports.
 */
#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/eventpoll.h>

#include "kernel/fd/poll.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/net/inet_option.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

bool host_connects(struct inet_socket *u, const struct inet_name *to)
{
	bool ours;

	if (!host_sockets() || !atomic_load(&u->host))
		return false;
	if (!inet_is_local(to))
		return true;
	net_lock();
	ours = port_listener(to, 0) != NULL;
	net_unlock();
	return !ours;
}

/* ---- connect */

static void outside_set(struct inet_socket *u, const struct inet_name *to)
{
	net_lock();
	u->peer = *to;
	atomic_fetch_or(&u->flags, INET_OUTSIDE);
	net_unlock();
}

static void outside_clear(struct inet_socket *u)
{
	net_lock();
	atomic_fetch_and(&u->flags, ~(u32)INET_OUTSIDE);
	u->peer = u->e.s.family == AF_INET ? inet_any4 : inet_any6;
	net_unlock();
}

s64 host_tcp_connect(struct inet_socket *u, const struct inet_name *to, bool nonblock)
{
	u64 deadline = net_deadline(atomic_load(&u->e.s.send_timeout_ns), nonblock);
	struct host_handle *h = host_find(u);
	u8 bytes[HYP_ADDRESS_MAX] __attribute__((aligned(8)));
	u32 len = host_address(u, to, bytes);
	bool begun = !is_outside(u);
	s64 r, err;

	if (!h)
		return -EBADF;
	if (begun) {
		outside_set(u, to);
		host_forget(h);
	}
	for (;;) {
		r = host_net_connect(host_number(h), bytes, len);
		if ((r != -EINPROGRESS && r != -EALREADY) || nonblock)
			break;
		host_not_ready(h, EPOLLOUT);
		err = host_wait(u, h, EPOLLOUT, deadline);
		if (err)
			return err != -EAGAIN ? err : begun ? -EINPROGRESS : -EALREADY;
	}
	if (r < 0 && r != -EINPROGRESS && r != -EALREADY && r != -EISCONN)
		outside_clear(u);
	/* who polled it before it was connected hears of the connection */
	queue_wake_all(&u->e.in.readable);
	return r;
}

u32 host_error(struct inet_socket *u)
{
	struct host_handle *h = host_find(u);
	u32 error = 0;

	if (h && host_net_option_get(host_number(h), SOL_SOCKET_LEVEL, SO_ERROR, &error,
								 sizeof(error)) < 0)
		return 0;
	if (h) /* it is told once */
		host_used(h, ~0u);
	return error;
}

/* connect to AF_UNSPEC: it may connect again, also to one of the family. */
s64 host_tcp_unconnect(struct inet_socket *u)
{
	struct host_handle *h = host_find(u);
	u16 unspecified[8] = {AF_UNSPEC};
	s64 r = h ? host_net_connect(host_number(h), unspecified, sizeof(unspecified)) : -EBADF;

	if (r)
		return r;
	atomic_store(&u->e.s.error, host_error(u));
	outside_clear(u);
	return 0;
}

/* ---- data */

s64 host_tcp_send(struct inet_socket *u, struct net_message *m)
{
	struct host_handle *h = host_find(u);
	s64 sent = 0, r = 0;

	if (!h)
		return -EBADF;
	do {
		r = host_send(u, h, m, NULL);
		if (r > 0)
			sent += r;
		else if (r == -EAGAIN)
			r = host_wait(u, h, EPOLLOUT, m->deadline_ns);
	} while (r >= 0 && m->data.left);
	if (sent)
		return sent;
	return r == -EPIPE ? net_broken(m->flags) : r;
}

/*
 * Nobody else of this member could run, so that it will sleep, and that ends at once if something
 * has come since the host was asked last.
 */
static bool sleeps_first(const struct host_handle *h, const struct net_message *m, u32 events)
{
	return m->deadline_ns && !(m->flags & (MSG_OOB | MSG_ERRQUEUE)) && host_quiet(h, events) &&
		   !sched_runnable();
}

s64 host_tcp_receive(struct inet_socket *u, struct net_message *m)
{
	bool all = m->flags & MSG_WAITALL && !(m->flags & (MSG_PEEK | MSG_OOB));
	u32 events = EPOLLIN | EPOLLRDHUP;
	struct host_handle *h = host_find(u);
	s64 got = 0, r, err = 0;

	m->address_len = 0;
	if (!h)
		return -EBADF;
	for (;;) {
		r = !err && sleeps_first(h, m, events) ? -EAGAIN : host_receive(u, h, m);
		if (r > 0)
			got += r;
		if (r == 0 || (r > 0 && (!all || !m->data.left)))
			break;
		if (r > 0)
			continue;
		if (r != -EAGAIN || !m->deadline_ns || m->flags & (MSG_OOB | MSG_ERRQUEUE))
			break;
		/* what came at the same time as a signal or the deadline counts: a last look decides */
		if (err)
			break;
		err = host_wait(u, h, events, m->deadline_ns);
	}
	if (got)
		return got;
	return r == -EAGAIN && err ? err : r;
}

u32 host_tcp_poll(struct inet_socket *u, struct poll_table *pt)
{
	struct host_handle *h = host_find(u);
	u32 mask;

	poll_wait_for(pt, &u->e.in.readable, POLL_READABLE | EPOLLRDHUP | EPOLLPRI);
	poll_wait_for(pt, &u->e.in.writable, POLL_WRITABLE);
	if (!h)
		return EPOLLERR | EPOLLHUP;
	mask = host_poll(h, pt ? pt->want : ~0u, pt != NULL);
	if (mask & EPOLLIN)
		mask |= EPOLLRDNORM;
	if (mask & EPOLLOUT)
		mask |= EPOLLWRNORM;
	return mask;
}

/* ---- listeners */

s64 host_listen(struct inet_socket *u, u32 backlog)
{
	struct host_handle *h = host_find(u);
	struct inet_name name;
	s64 err;

	if (!h)
		return -EBADF;
	err = host_net_listen(host_number(h), backlog);
	if (err || u->chain_prev)
		return err;
	/* the host has chosen a port for one that had none */
	err = host_name(u, false, &name);
	if (err)
		return err;
	net_lock();
	u->local.port = name.port;
	port_enter(u, PORTS_TCP);
	net_unlock();
	return 0;
}

/* All places, own first. fn returns true to end the walk. */
static bool sources(struct inet_socket *u, bool (*fn)(struct host_handle *h, void *arg), void *arg)
{
	struct host_handle *h = host_sockets() ? host_find(u) : NULL;

	if (h && fn(h, arg))
		return true;
	for (u32 i = 0; i < MIN(KIN->published_count, (u32)PUBLISHED_MAX); i++) {
		if (KIN->published[i].udp || KIN->published[i].port != u->local.port)
			continue;
		h = host_published(i);
		if (h && fn(h, arg))
			return true;
	}
	return false;
}

struct accepting {
	struct inet_socket *listener, *fresh;
	s64 result;
};

static bool accept_one(struct host_handle *h, void *arg)
{
	struct accepting *a = arg;
	u8 bytes[HYP_ADDRESS_MAX] __attribute__((aligned(8))) = {0};
	s64 r = host_net_accept(host_number(h), bytes, sizeof(bytes));
	struct inet_name peer;

	if (r == -EAGAIN) {
		host_not_ready(h, EPOLLIN);
		return false;
	}
	host_used(h, EPOLLIN);
	a->result = host_give(a->fresh, r);
	if (a->result)
		return true;
	host_address_read(bytes, &peer);
	outside_set(a->fresh, &peer);
	atomic_store(&a->fresh->e.state, ENDPOINT_CONNECTED);
	a->fresh->local.port = a->listener->local.port;
	if (!host_is_of(h, a->listener))
		host_options_tell(a->fresh);
	return true;
}

static bool watch_one(struct host_handle *h, void *arg)
{
	struct accepting *a = arg;

	a->result = host_watch(h);
	return a->result != 0;
}

static bool hopeful_one(struct host_handle *h, void *arg)
{
	return host_hopeful(h, EPOLLIN);
}

static bool accept_ready(void *arg)
{
	struct inet_socket *u = arg;

	return atomic_load(&u->e.npending) || atomic_load(&u->e.shut) & SHUT_RECEIVE ||
		   atomic_load(&u->e.state) != ENDPOINT_LISTENING || sources(u, hopeful_one, NULL);
}

s64 host_accept(struct inet_socket *u, bool nonblock, struct inet_socket *fresh)
{
	u64 deadline = net_deadline(atomic_load(&u->e.s.receive_timeout_ns), nonblock);
	struct accepting a = {u, fresh, 0};
	s64 err;

	for (;;) {
		err = endpoint_accept(&u->e, true, &fresh->e);
		if (err != -EAGAIN)
			return err;
		if (sources(u, accept_one, &a))
			return a.result;
		if (!deadline)
			return -EAGAIN;
		if (sources(u, watch_one, &a))
			return a.result;
		err = net_wait(&u->e.in.readable, NO_PEER, deadline, accept_ready, u);
		if (err)
			return err;
	}
}

struct looking {
	bool tell, found;
};

static bool look_one(struct host_handle *h, void *arg)
{
	struct looking *l = arg;

	l->found |= host_poll(h, EPOLLIN, l->tell) & EPOLLIN;
	return false;
}

u32 host_listener_poll(struct inet_socket *u, bool tell)
{
	struct looking l = {tell, false};

	sources(u, look_one, &l);
	return l.found ? POLL_READABLE : 0;
}
