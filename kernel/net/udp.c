/* SPDX-License-Identifier: ISC */
/*
 * UDP over the family's loopback; what finds no receiver there goes to the host's network, if the
 * family was given one (host_udp.c). A sender finds the receiver under net_lock and links the
 * message there; what a receiver has no room for is lost, as on Linux. Nobody at the port: a sender
 * that is connected to it is told by its next call, as by ICMP. Sources: udp(7), ip(7), what Linux
 * answers.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/net/inet_option.h"
#include "kernel/time/time.h"

#define DATAGRAM_MAX4 65507u
#define DATAGRAM_MAX6 65527u
#define TTL_DEFAULT 64

/* What lies before the data of a message, as its address. */
struct origin {
	struct inet_name from, to;
	u8 ttl, tos;
	s64 time_ns; /* CLOCK_REALTIME */
};

/* ICMP: the host's alone. */
static bool is_echo(const struct inet_socket *u)
{
	return u->e.s.protocol == IPPROTO_ICMP || u->e.s.protocol == IPPROTO_ICMPV6;
}

static s64 udp_target(struct inet_socket *u, const struct net_message *m, struct inet_name *to)
{
	const struct inet_address4 *four = (const struct inet_address4 *)m->address;
	s64 err;

	if (!m->address_len) {
		*to = u->peer;
		return to->port || (is_echo(u) && !inet_is_any(to)) ? 0 : -EDESTADDRREQ;
	}
	if (m->address_len >= sizeof(*four) && (four->family == AF_INET || !four->family)) {
		if (!four->family && u->e.s.family == AF_INET6)
			return -EINVAL;
		*to = inet_any4;
		memcpy(to->address + 12, four->address, 4);
		to->port = __builtin_bswap16(four->port);
	} else {
		err = inet_name_parse(u, m->address, m->address_len, to);
		if (err)
			return err;
	}
	return to->port || is_echo(u) ? 0 : -EINVAL;
}

/* A port, if it has none. */
static s64 udp_autobind(struct inet_socket *u)
{
	struct inet_name name;
	s64 err = 0;

	if (u->chain_prev)
		return 0;
	if (atomic_load(&u->host))
		return host_autobind(u);
	net_lock();
	name = u->local;
	if (!u->chain_prev)
		err = port_bind(u, &name);
	net_unlock();
	return err;
}

static s64 message_make(struct inet_socket *u, struct net_message *m, const struct origin *o,
						struct msg **out)
{
	u32 max = inet_is4(&o->to) ? DATAGRAM_MAX4 : DATAGRAM_MAX6;
	struct msg *msg;

	if (m->data.left > max)
		return -EMSGSIZE;
	msg = msg_alloc((u32)m->data.left, sizeof(*o));
	if (!msg)
		return -ENOBUFS;
	if (msg->len && iov_copy_in(&m->data, msg_data(msg), msg->len)) {
		msg_free(msg);
		return -EFAULT;
	}
	*out = msg;
	return 0;
}

static void source_choose(struct inet_socket *u, const struct net_message *m, struct origin *o)
{
	o->from = u->local;
	if (m->source_given)
		memcpy(o->from.address, m->source, sizeof(m->source));
	if (inet_is_any(&o->from) || inet_is4(&o->from) != inet_is4(&o->to))
		o->from = inet_is4(&o->to) ? inet_loopback4 : inet_loopback6;
	o->from.port = u->local.port;
}

/* /proc/net/snmp has IPv4's. */
static void udp_count(const struct inet_name *n, enum net_count what)
{
	if (inet_is4(n))
		net_count(what);
}

static void udp_count_sent(const struct inet_name *to, bool taken, bool refused)
{
	udp_count(to, COUNT_OUT_DATAGRAMS);
	if (!taken)
		udp_count(to, refused ? COUNT_NO_PORTS : COUNT_DATAGRAMS_LOST);
}

/* It is there, lost, or refused. *to: who is to be woken. */
static void udp_deliver(struct inet_socket *u, struct net_message *m, struct origin *o,
						struct msg *msg, struct inet_socket **to, bool *refused)
{
	net_lock();
	source_choose(u, m, o);
	memcpy(msg->bytes, o, sizeof(*o));
	*to = port_receiver(port_table_of(u), &o->to, &o->from);
	*refused = !*to;
	if (*to && (atomic_load(&(*to)->e.in.used) > atomic_load(&(*to)->e.s.receive_size) ||
				atomic_load(&(*to)->e.shut) & SHUT_RECEIVE || !msgq_link(&(*to)->e.in, msg)))
		*to = NULL;
	net_unlock();
}

static void udp_refused(struct inet_socket *u, const struct inet_name *to)
{
	if (!inet_same(&u->peer, to))
		return;
	atomic_store(&u->e.s.error, ECONNREFUSED);
	queue_wake_all(&u->e.in.readable);
}

/* Has a socket of the family that name? */
static bool udp_ours(struct inet_socket *u, const struct inet_name *to)
{
	struct inet_name from = u->local;
	bool ours;

	if (inet_is_any(&from))
		memcpy(from.address, (inet_is4(to) ? &inet_loopback4 : &inet_loopback6)->address,
			   sizeof(from.address));
	net_lock();
	ours = port_receiver(port_table_of(u), to, &from) != NULL;
	net_unlock();
	return ours;
}

/* Does the datagram go to the host's network? err: where it would go in the family. */
static bool udp_leaves(struct inet_socket *u, const struct inet_name *to, s64 err)
{
	if (!atomic_load(&u->host) || (err && err != -ENETUNREACH && err != -EACCES))
		return false;
	return err || is_echo(u) || !udp_ours(u, to);
}

/* Or to a client of the published port that the sender is bound to? */
static bool udp_relayed(struct inet_socket *u, const struct inet_name *to, s64 err)
{
	if (!KIN->published_count || (err && err != -ENETUNREACH))
		return false;
	return host_relay_leads(u, to, !err) && (err || !udp_ours(u, to));
}

s64 udp_send(struct inet_socket *u, struct net_message *m)
{
	struct origin o = {.time_ns = time_real_ns()};
	struct inet_socket *to = NULL;
	struct msg *msg = NULL;
	u32 len = (u32)m->data.left, error;
	bool refused = false;
	s64 err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = udp_autobind(u);
	if (!err)
		err = udp_target(u, m, &o.to);
	if (!err)
		err = inet_route(u, &o.to);
	if (udp_relayed(u, &o.to, err))
		return host_relay_send(u, m, &o.to);
	if (udp_leaves(u, &o.to, err))
		return host_udp_send(u, m, &o.to);
	if (!err && atomic_load(&u->e.shut) & SHUT_SEND)
		err = -EPIPE;
	error = err ? 0 : inet_error_take(&u->e.s);
	if (err || error)
		return err ? err : -(s64)error;
	o.ttl = (u8)(m->ttl ? m->ttl : inet_hops(u, inet_is4(&o.to)));
	o.tos = (u8)(m->tos_given ? m->tos : inet_class(u, inet_is4(&o.to)));
	err = message_make(u, m, &o, &msg);
	if (!err) {
		udp_deliver(u, m, &o, msg, &to, &refused);
		udp_count_sent(&o.to, to != NULL, refused);
	}
	if (!to)
		msg_free(msg);
	else /* The memory of a socket stays a socket's: at worst this wakes somebody for nothing. */
		queue_wake(&to->e.in.readable, 1);
	if (refused)
		udp_refused(u, &o.to);
	return err ? err : (s64)len;
}

/* ---- receiving */

static void put_number(struct net_message *m, s32 level, s32 type, s32 number)
{
	scm_put(m, level, type, &number, sizeof(number));
}

static void put_time(struct net_message *m, u32 flags, s64 ns)
{
	s64 time[2] = {ns / (s64)NSEC_PER_SEC, ns % (s64)NSEC_PER_SEC};

	if (flags & SOCKET_TIMESTAMPNS) {
		scm_put(m, SOL_SOCKET_LEVEL, SCM_TIMESTAMPNS_, time, sizeof(time));
	} else if (flags & SOCKET_TIMESTAMP) {
		time[1] /= 1000;
		scm_put(m, SOL_SOCKET_LEVEL, SCM_TIMESTAMP_, time, sizeof(time));
	}
}

static void put_info6(struct inet_socket *u, struct net_message *m, const struct origin *o)
{
	struct {
		u8 address[16];
		u32 device;
	} info = {.device = LO_INDEX};

	memcpy(info.address, o->to.address, sizeof(info.address));
	if (inet_option(u, IPPROTO_IPV6, IPV6_RECVPKTINFO_))
		scm_put(m, IPPROTO_IPV6, IPV6_PKTINFO_, &info, sizeof(info));
	if (inet_option(u, IPPROTO_IPV6, IPV6_RECVHOPLIMIT_))
		put_number(m, IPPROTO_IPV6, IPV6_HOPLIMIT_, o->ttl);
	if (inet_option(u, IPPROTO_IPV6, IPV6_RECVTCLASS_))
		put_number(m, IPPROTO_IPV6, IPV6_TCLASS_, o->tos);
}

/* What the receiver wants to know of a datagram beyond its sender. */
static void udp_control(struct inet_socket *u, struct net_message *m, const struct origin *o)
{
	struct {
		u32 device;
		u8 local[4], to[4];
	} info = {.device = LO_INDEX};

	put_time(m, atomic_load(&u->e.s.flags), o->time_ns);
	if (u->e.s.family == AF_INET6)
		put_info6(u, m, o);
	memcpy(info.local, o->to.address + 12, 4);
	memcpy(info.to, o->to.address + 12, 4);
	if (!inet_is4(&o->to))
		return;
	if (inet_option(u, IPPROTO_IP, IP_PKTINFO))
		scm_put(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (inet_option(u, IPPROTO_IP, IP_RECVTTL))
		put_number(m, IPPROTO_IP, IP_TTL, o->ttl);
	if (inet_option(u, IPPROTO_IP, IP_RECVTOS))
		scm_put(m, IPPROTO_IP, IP_TOS, &o->tos, 1);
}

static bool receive_ready(void *arg)
{
	struct inet_socket *u = arg;

	return atomic_load(&u->e.in.count) || atomic_load(&u->e.shut) & SHUT_RECEIVE ||
		   atomic_load(&u->e.s.error);
}

static s64 receive_one(struct inet_socket *u, struct net_message *m)
{
	bool want_address = m->want_address;
	struct origin o;
	s64 r;

	m->want_address = true;
	r = packet_receive(&u->e.in, m);
	m->want_address = want_address;
	m->cred_known = false;
	if (r < 0)
		return r;
	memcpy(&o, m->address, sizeof(o));
	if (!(m->flags & MSG_PEEK))
		udp_count(&o.from, COUNT_IN_DATAGRAMS);
	m->address_len = want_address ? inet_name_show(u, &o.from, m->address) : 0;
	if (m->control)
		udp_control(u, m, &o);
	return r;
}

/* From a client of a published port. */
static s64 receive_relayed(struct inet_socket *u, struct net_message *m)
{
	struct origin o = {.ttl = TTL_DEFAULT, .time_ns = time_real_ns()};
	s64 r = host_relay_receive(u, m, &o.from);

	if (r < 0)
		return r;
	o.to = u->local;
	if (inet_is_any(&o.to))
		o.to = inet_is4(&o.from) ? inet_loopback4 : inet_loopback6;
	m->address_len = m->want_address ? inet_name_show(u, &o.from, m->address) : 0;
	if (m->control)
		udp_control(u, m, &o);
	return r;
}

static s64 udp_wait(struct inet_socket *u, struct host_handle *h, u64 deadline_ns)
{
	if (host_relays(u))
		return host_relay_wait(u, h, deadline_ns);
	if (h)
		return host_wait(u, h, EPOLLIN, deadline_ns);
	return net_wait(&u->e.in.readable, atomic_load(&u->e.in.last_writer), deadline_ns,
					receive_ready, u);
}

s64 udp_receive(struct inet_socket *u, struct net_message *m)
{
	struct host_handle *h = host_find(u);
	u32 error;
	s64 r;

	for (;;) {
		error = inet_error_take(&u->e.s);
		if (error)
			return -(s64)error;
		r = receive_one(u, m);
		if (r != -EAGAIN)
			return r;
		if (h) {
			r = host_receive(u, h, m);
			if (r != -EAGAIN)
				return r;
		}
		if (host_relays(u)) {
			r = receive_relayed(u, m);
			if (r != -EAGAIN)
				return r;
		}
		if (m->deadline_ns && atomic_load(&u->e.shut) & SHUT_RECEIVE)
			return 0;
		r = udp_wait(u, h, m->deadline_ns);
		if (r)
			return r;
	}
}

/* ---- connect, shutdown, poll */

s64 udp_connect(struct inet_socket *u, const u8 *address, u32 len)
{
	struct inet_name to;
	s64 err;

	if (!address[0] && !address[1]) {
		host_udp_connect(u, NULL);
		net_lock();
		inet_unname(u);
		net_unlock();
		return 0;
	}
	err = inet_name_parse(u, address, len, &to);
	if (!err)
		err = inet_route(u, &to);
	if (err == -ENETUNREACH && atomic_load(&u->host))
		err = 0;
	if (!err)
		err = udp_autobind(u);
	if (!err)
		err = host_udp_connect(u, &to);
	if (err)
		return err;
	if (!inet_is_local(&to))
		return 0;
	net_lock();
	inet_peer_set(u, &to);
	net_unlock();
	return 0;
}

s64 udp_shutdown(struct inet_socket *u, u32 bits)
{
	struct host_handle *h = host_find(u);

	atomic_fetch_or(&u->e.shut, bits);
	if (h)
		host_net_shutdown(host_number(h), bits - 1);
	queue_wake_all(&u->e.in.readable);
	queue_wake_all(&u->e.in.writable);
	return u->peer.port ? 0 : -ENOTCONN;
}

u32 udp_poll(struct inet_socket *u, struct poll_table *pt)
{
	struct host_handle *h = host_find(u);
	u32 mask = POLL_WRITABLE, shut;

	poll_wait_for(pt, &u->e.in.readable, POLL_READABLE | EPOLLRDHUP);
	if (h)
		mask |= host_poll(h, EPOLLIN | EPOLLRDHUP, pt != NULL);
	mask |= host_relay_poll(u, pt != NULL);
	if (mask & EPOLLIN)
		mask |= EPOLLRDNORM;
	shut = atomic_load(&u->e.shut);
	if (atomic_load(&u->e.s.error))
		mask |= EPOLLERR;
	if (shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (shut & SHUT_RECEIVE)
		mask |= EPOLLRDHUP | POLL_READABLE;
	if (atomic_load(&u->e.in.count))
		mask |= POLL_READABLE;
	return mask;
}
