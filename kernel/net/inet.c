/* SPDX-License-Identifier: ISC */
/*
 * AF_INET and AF_INET6: the life of their sockets, names, and the table of operations of both. What
 * TCP and UDP do differently is in tcp.c and udp.c.
 */
#include "kernel/net/inet.h"

#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/net/inet_option.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"

static bool is_tcp(const struct socket *s)
{
	return s->type == SOCK_STREAM;
}

/* Sockets for ping: where there is a network, and it lets this user have them. */
static bool echo_allowed(u32 family, u32 protocol)
{
	return host_sockets() && protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static s64 inet_create(u32 family, u32 type, u32 protocol, struct socket **out)
{
	u32 own = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	struct inet_socket *u;

	if (type == SOCK_RAW)
		return cred_capable(CAP_NET_RAW) && !protocol ? -EPROTONOSUPPORT : -EPERM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (type == SOCK_DGRAM && (protocol == IPPROTO_UDPLITE || echo_allowed(family, protocol)))
		own = protocol;
	if (protocol && protocol != own)
		return -EPROTONOSUPPORT;
	if (inet_ports_new())
		return -ENOBUFS;
	u = (struct inet_socket *)endpoint_new(SPARE_INET, sizeof(*u), family, type, own);
	if (!u)
		return -ENOBUFS;
	u->e.s.family = (u16)family; /* a spare one may have been of the other */
	u->uid = current->proc->kp->inherited.euid;
	u->local = u->peer = family == AF_INET ? inet_any4 : inet_any6;
	if (is_tcp(&u->e.s)) {
		atomic_store(&u->e.s.send_size, TCP_SEND_SIZE);
		atomic_store(&u->e.s.receive_size, TCP_RECEIVE_SIZE);
	}
	*out = &u->e.s;
	return 0;
}

/* In a network namespace it is one of the host's as well, so that nothing differs by order. */
static s64 inet_made(struct socket *s)
{
	return host_sockets() && s->protocol != IPPROTO_UDPLITE ? host_make(inet_of(s)) : 0;
}

static s64 bind_check(struct inet_socket *u, const struct inet_name *n)
{
	bool ours = !atomic_load(&u->host); /* else the host says which addresses and ports there are */

	if (ours && !inet_is_any(n) && !inet_is_local(n))
		return -EADDRNOTAVAIL;
	if (u->e.s.family == AF_INET6 && inet_is4(n) && inet_flag(u, INET_V6ONLY))
		return -EINVAL;
	if (ours && n->port && n->port < INET_UNPRIVILEGED && !cred_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	return 0;
}

static s64 bind_kin(struct inet_socket *u, const struct inet_name *n)
{
	s64 err;

	net_lock();
	if (u->chain_prev || atomic_load(&u->e.state) != ENDPOINT_IDLE)
		err = -EINVAL;
	else
		err = port_bind(u, n);
	if (!err)
		atomic_fetch_or(&u->flags, (inet_is_any(n) ? 0 : INET_ADDRESS_GIVEN) | INET_PORT_GIVEN);
	net_unlock();
	return err;
}

static void bind_undo(struct inet_socket *u)
{
	net_lock();
	atomic_fetch_and(&u->flags, ~(u32)(INET_ADDRESS_GIVEN | INET_PORT_GIVEN));
	inet_unname(u);
	net_unlock();
}

/*
 * Among the family's and among the host's. The host chooses where a port is to be chosen; should a
 * connection within the family have just that one, so be it: nobody is found by those.
 */
static s64 bind_both(struct inet_socket *u, const struct inet_name *n)
{
	struct inet_name name = *n;
	s64 err;

	if (n->port) {
		err = bind_kin(u, n);
		if (err)
			return err;
		err = host_bind(u, &name);
		if (err)
			bind_undo(u);
		return err;
	}
	if (u->chain_prev || atomic_load(&u->e.state) != ENDPOINT_IDLE || is_outside(u))
		return -EINVAL;
	err = host_bind(u, &name);
	if (err)
		return err;
	net_lock();
	u->local = name;
	port_enter(u, port_table_of(u));
	atomic_fetch_or(&u->flags, (inet_is_any(n) ? 0 : INET_ADDRESS_GIVEN) | INET_PORT_GIVEN);
	net_unlock();
	return 0;
}

static s64 inet_bind(struct socket *s, const u8 *address, u32 len)
{
	struct inet_socket *u = inet_of(s);
	struct inet_name n;
	s64 err = inet_name_parse(u, address, len, &n);

	/* as old programs write 0.0.0.0 */
	if (err == -EAFNOSUPPORT && s->family == AF_INET && !address[0] && !address[1]) {
		u8 fixed[sizeof(struct inet_address4)];

		memcpy(fixed, address, sizeof(fixed));
		fixed[0] = AF_INET;
		err = inet_name_parse(u, fixed, sizeof(fixed), &n);
		if (!err && !inet_is_any(&n))
			err = -EAFNOSUPPORT;
	}
	if (!err)
		err = bind_check(u, &n);
	if (err)
		return err;
	return atomic_load(&u->host) ? bind_both(u, &n) : bind_kin(u, &n);
}

void inet_peer_set(struct inet_socket *u, const struct inet_name *to)
{
	u16 port = u->local.port;

	if (inet_is_any(&u->local))
		u->local = inet_is4(to) ? inet_loopback4 : inet_loopback6;
	u->local.port = port;
	u->peer = *to;
}

void inet_unname(struct inet_socket *u)
{
	u16 port = u->local.port;

	if (!inet_flag(u, INET_PORT_GIVEN)) {
		port_leave(u);
		port = 0;
	}
	if (!inet_flag(u, INET_ADDRESS_GIVEN))
		u->local = u->e.s.family == AF_INET ? inet_any4 : inet_any6;
	u->local.port = port;
	u->peer = u->e.s.family == AF_INET ? inet_any4 : inet_any6;
}

static s64 inet_listen(struct socket *s, u32 backlog)
{
	return is_tcp(s) ? tcp_listen(inet_of(s), backlog) : -EOPNOTSUPP;
}

static s64 inet_connect(struct socket *s, const u8 *address, u32 len, bool nonblock)
{
	if (len < sizeof(u16))
		return -EINVAL;
	return is_tcp(s) ? tcp_connect(inet_of(s), address, len, nonblock)
					 : udp_connect(inet_of(s), address, len);
}

void inet_inherit(struct inet_socket *u, const struct inet_socket *from)
{
	const struct socket *s = &from->e.s;

	u->uid = from->uid;
	atomic_store(&u->flags,
				 atomic_load(&from->flags) & (INET_V6ONLY | INET_SEND_SIZED | INET_RECEIVE_SIZED));
	atomic_store(&u->options_set, atomic_load(&from->options_set));
	memcpy((void *)u->option, (const void *)from->option, sizeof(u->option));
	memcpy(u->congestion, from->congestion, sizeof(u->congestion));
	atomic_store(&u->e.s.flags, atomic_load(&s->flags));
	atomic_store(&u->e.s.send_size,
				 inet_flag(u, INET_SEND_SIZED) ? atomic_load(&s->send_size) : TCP_SEND_CONNECTED);
	atomic_store(&u->e.s.receive_size, atomic_load(&s->receive_size));
	atomic_store(&u->e.s.low_water, atomic_load(&s->low_water));
	atomic_store(&u->e.s.linger, atomic_load(&s->linger));
	atomic_store(&u->e.s.send_timeout_ns, atomic_load(&s->send_timeout_ns));
	atomic_store(&u->e.s.receive_timeout_ns, atomic_load(&s->receive_timeout_ns));
}

static s64 inet_accept(struct socket *s, bool nonblock, struct socket *fresh)
{
	if (!is_tcp(s))
		return -EOPNOTSUPP;
	inet_inherit(inet_of(fresh), inet_of(s));
	if (atomic_load(&inet_of(s)->host) || KIN->published_count)
		return host_accept(inet_of(s), nonblock, inet_of(fresh));
	return endpoint_accept(endpoint_of(s), nonblock, endpoint_of(fresh));
}

static s64 inet_shutdown(struct socket *s, u32 bits)
{
	return is_tcp(s) ? tcp_shutdown(inet_of(s), bits) : udp_shutdown(inet_of(s), bits);
}

/* What came to a published port shows the port inside; the address is the host's. */
static s64 outside_name(struct inet_socket *u, bool peer, u8 *out)
{
	struct inet_name n;
	s64 err = host_name(u, peer, &n);

	if (err)
		return err;
	if (!peer && u->local.port)
		n.port = u->local.port;
	return inet_name_show(u, &n, out);
}

static s64 inet_name_get(struct socket *s, bool peer, u8 *out)
{
	struct inet_socket *u = inet_of(s);
	enum tcp_state state = is_tcp(s) ? tcp_state(u) : TCP_ESTABLISHED;
	struct inet_name n;

	if (is_outside(u))
		return outside_name(u, peer, out);
	net_lock();
	n = peer ? u->peer : u->local;
	net_unlock();
	if (peer && (!n.port || state == TCP_CLOSE || state == TCP_SYN_SENT))
		return -ENOTCONN;
	return inet_name_show(u, &n, out);
}

static s64 inet_send(struct socket *s, struct net_message *m)
{
	return is_tcp(s) ? tcp_send(inet_of(s), m) : udp_send(inet_of(s), m);
}

static s64 inet_receive(struct socket *s, struct net_message *m)
{
	if (m->flags & MSG_ERRQUEUE) { /* none of the family's own is ever queued */
		struct host_handle *h = host_find(inet_of(s));

		return h ? host_receive(inet_of(s), h, m) : -EAGAIN;
	}
	return is_tcp(s) ? tcp_receive(inet_of(s), m) : udp_receive(inet_of(s), m);
}

static u32 inet_poll(struct socket *s, struct poll_table *pt)
{
	return is_tcp(s) ? tcp_poll(inet_of(s), pt) : udp_poll(inet_of(s), pt);
}

static void inet_resized(struct socket *s, bool send)
{
	struct inet_socket *u = inet_of(s);
	struct conn *c = atomic_load(&u->e.conn);

	atomic_fetch_or(&u->flags, send ? INET_SEND_SIZED : INET_RECEIVE_SIZED);
	if (!c)
		return;
	tcp_sizes(c, u->e.end, u);
	net_lock();
	if (!atomic_load(&c->waiting))
		tcp_limits(c);
	net_unlock();
	conn_wake(c);
}

u32 inet_error_take(struct socket *s)
{
	struct inet_socket *u = inet_of(s);
	struct conn *c = atomic_load(&u->e.conn);

	if (is_outside(u))
		return host_error(u);
	_Atomic u32 *error = c ? &c->error[u->e.end] : &s->error;

	return atomic_load(error) ? atomic_exchange(error, 0) : 0;
}

static u32 inet_error_tell(struct socket *s)
{
	u32 error = inet_error_take(s);

	return error || is_outside(inet_of(s)) || is_tcp(s) ? error : host_error(inet_of(s));
}

static void inet_release(struct socket *s)
{
	struct inet_socket *u = inet_of(s);

	tcp_release(u);
	net_lock();
	port_leave(u);
	net_unlock();
	host_release(u);
	msgq_close(&u->e.in);
	queue_wake_all(&u->e.in.writable);
	queue_wake_all(&u->e.in.readable);
}

static void inet_free(struct socket *s)
{
	endpoint_free(endpoint_of(s), SPARE_INET, sizeof(struct inet_socket));
}

static void inet_option_told(struct socket *s, u32 level, u32 name, const void *value, u32 size)
{
	host_option_told(inet_of(s), level, name, value, size);
}

static void inet_owner_set(struct socket *s, s32 pid)
{
	struct host_handle *h = is_outside(inet_of(s)) ? host_find(inet_of(s)) : NULL;

	atomic_store(&inet_of(s)->owner, (u32)pid);
	urgent_owner_set(endpoint_of(s), pid);
	if (h)
		host_watch(h); /* if it cannot, nobody is told of urgent data */
}

const struct net_ops inet_ops = {
	.name = "inet",
	.create = inet_create,
	.made = inet_made,
	.bind = inet_bind,
	.listen = inet_listen,
	.connect = inet_connect,
	.accept = inet_accept,
	.shutdown = inet_shutdown,
	.name_get = inet_name_get,
	.send = inet_send,
	.receive = inet_receive,
	.poll = inet_poll,
	.ioctl = inet_ioctl,
	.control = inet_control,
	.option_get = inet_option_get,
	.option_set = inet_option_set,
	.option_told = inet_option_told,
	.resized = inet_resized,
	.error_take = inet_error_tell,
	.owner_set = inet_owner_set,
	.release = inet_release,
	.free = inet_free,
};
