/* SPDX-License-Identifier: ISC */
/* AF_UNIX: the life of sockets and connections, readiness, and the family's table of operations. */
#include "kernel/net/unix.h"
#include "kernel/vfs/vfs.h"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/eventpoll.h>
#include <linux/sockios.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"

#define SOL_SOCKET_LEVEL 1

/* ---- connections */

struct conn *unix_conn_create(u32 type)
{
	struct conn *c = conn_create(CONN_UNIX, type, sizeof(struct unix_conn), NET_BUFFER_DEFAULT);

	for (u32 i = 0; c && i < 2; i++) {
		unix_conn(c)->address[i].len = sizeof(u16);
		unix_conn(c)->address[i].bytes[0] = AF_UNIX;
	}
	return c;
}

static s64 unix_send_refused(struct conn *c, u32 end, u32 flags)
{
	return net_broken(flags);
}

static s64 unix_send_lost(struct conn *c, u32 end, s64 n)
{
	return -EPIPE;
}

static s64 unix_receive_end(struct conn *c, u32 end, bool *over)
{
	u32 error = atomic_load(&c->error[end]) ? atomic_exchange(&c->error[end], 0) : 0;

	*over = error || atomic_load(&c->shut[end]) & SHUT_RECEIVE;
	return -(s64)error;
}

static void unix_leave(struct conn *c, u32 end, bool refused)
{
	if (refused || atomic_load(&c->q[end].count))
		atomic_store(&c->error[!end], ECONNRESET);
	atomic_store(&c->shut[end], SHUT_BOTH);
	atomic_store(&c->shut[!end], SHUT_BOTH);
	msgq_close(&c->q[end]);
	queue_wake_for(&c->q[!end].readable, EPOLLHUP);
	queue_wake_all(&c->q[end].writable);
}

/* Clients wait for room before they are linked: all in the list have it. */
static void unix_established(struct conn *c)
{
}

static void unix_accepted(struct conn *c, struct endpoint *fresh)
{
	((struct unix_socket *)fresh)->address = unix_conn(c)->address[1];
	atomic_store(&c->q[0].limit, atomic_load(&fresh->s.send_size));
}

const struct conn_rules unix_conn_rules = {
	.send_refused = unix_send_refused,
	.send_lost = unix_send_lost,
	.receive_end = unix_receive_end,
	.leave = unix_leave,
	.established = unix_established,
	.accepted = unix_accepted,
};

/* ---- sockets */

static s64 unix_create(u32 family, u32 type, u32 protocol, struct socket **out)
{
	struct unix_socket *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = (struct unix_socket *)endpoint_new(SPARE_UNIX, sizeof(*u), family, type, protocol);
	if (!u)
		return -ENOBUFS;
	u->address.len = sizeof(u16);
	u->address.bytes[0] = AF_UNIX;
	*out = &u->e.s;
	return 0;
}

/* Under net_lock: whoever had u as its peer. */
static void followers_lose(struct unix_socket *u)
{
	if (!atomic_load(&u->followed))
		return;
	for (struct endpoint *e = net_shared()->all; e; e = e->next) {
		struct unix_socket *other = (struct unix_socket *)e;

		if (e->s.family != AF_UNIX || atomic_load(&other->peer) != u)
			continue;
		atomic_store(&other->peer_gone, 1);
		atomic_store(&other->peer, NULL);
	}
}

static void unix_release(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	net_lock();
	unix_unname(u);
	followers_lose(u);
	atomic_store(&u->peer, NULL);
	atomic_store(&u->e.state, ENDPOINT_CLOSED);
	net_unlock();
	pending_refuse(&u->e);
	endpoint_disconnect(&u->e);
	msgq_close(&u->e.in);
	queue_wake_all(&u->e.in.writable);
	queue_wake_for(&u->e.in.readable, EPOLLHUP);
	inode_drop(&u->inode);
}

static void unix_free(struct socket *s)
{
	endpoint_free(endpoint_of(s), SPARE_UNIX, sizeof(struct unix_socket));
}

static s64 unix_shutdown(struct socket *s, u32 bits)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);
	u32 mirrored = (bits & SHUT_RECEIVE ? SHUT_SEND : 0) | (bits & SHUT_SEND ? SHUT_RECEIVE : 0);

	atomic_fetch_or(&u->e.shut, bits);
	if (c) {
		atomic_fetch_or(&c->shut[u->e.end], bits);
		atomic_fetch_or(&c->shut[!u->e.end], mirrored);
		u32 peer = atomic_load(&c->shut[!u->e.end]);
		queue_wake_for(&c->q[u->e.end].readable, WAKE_NO_OWNER);
		queue_wake_for(&c->q[!u->e.end].readable, peer == SHUT_BOTH	   ? EPOLLHUP
												  : peer & SHUT_RECEIVE ? EPOLLIN
																	   : WAKE_NO_OWNER);
		queue_wake_all(&c->q[0].writable);
		queue_wake_all(&c->q[1].writable);
	}
	queue_wake_for(&u->e.in.readable, WAKE_NO_OWNER);
	queue_wake_all(&u->e.in.writable);
	return 0;
}

static s64 unix_name_get(struct socket *s, bool peer, u8 *out)
{
	struct unix_socket *u = unix_of(s), *other;
	struct conn *c = atomic_load(&u->e.conn);
	struct unix_address a = {0};

	net_lock();
	if (c) {
		a = unix_conn(c)->address[peer ? !u->e.end : u->e.end];
	} else if (!peer) {
		a = u->address;
	} else {
		other = atomic_load(&u->peer);
		if (other)
			a = other->address;
	}
	net_unlock();
	memcpy(out, a.bytes, a.len);
	return a.len ? (s64)a.len : -ENOTCONN;
}

static s64 unix_stream_send(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->e.conn);

	if (m->address_len)
		return c ? -EISCONN : -EOPNOTSUPP;
	if (!c)
		return -ENOTCONN;
	if (!(m->flags & MSG_OOB))
		return stream_send(c, u->e.end, m);
	return m->data.left ? urgent_send(c, u->e.end, m) : -EOPNOTSUPP;
}

static s64 unix_urgent_receive(struct unix_socket *u, struct net_message *m)
{
	s64 r = atomic_load(&u->e.conn) ? urgent_receive(&u->e, m) : -EINVAL;

	return r == -EAGAIN ? -EINVAL : r;
}

static s64 unix_stream_receive(struct unix_socket *u, struct net_message *m)
{
	struct conn *c = atomic_load(&u->e.conn);
	const struct unix_address *peer;

	if (m->flags & MSG_OOB)
		return unix_urgent_receive(u, m);
	if (!c)
		return -EINVAL;
	peer = &unix_conn(c)->address[!u->e.end];
	if (m->want_address && peer->len > sizeof(u16)) {
		m->address_len = peer->len;
		memcpy(m->address, peer->bytes, peer->len);
	}
	const struct stream_wish wish = {
		.low_water = atomic_load(&u->e.s.low_water),
		.one_sender = atomic_load(&u->e.s.flags) & SOCKET_PASSCRED,
		.urgent_inline = atomic_load(&u->e.s.flags) & SOCKET_OOBINLINE,
	};
	return stream_receive(c, u->e.end, m, &wish);
}

static s64 unix_send(struct socket *s, struct net_message *m)
{
	if (m->flags & MSG_OOB && s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	switch (s->type) {
	case SOCK_STREAM: return unix_stream_send(unix_of(s), m);
	case SOCK_DGRAM: return unix_dgram_send(unix_of(s), m);
	default: return unix_packet_send(unix_of(s), m);
	}
}

static s64 unix_receive(struct socket *s, struct net_message *m)
{
	if (m->flags & MSG_OOB && s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	switch (s->type) {
	case SOCK_STREAM: return unix_stream_receive(unix_of(s), m);
	case SOCK_DGRAM: return unix_dgram_receive(unix_of(s), m);
	default: return unix_packet_receive(unix_of(s), m);
	}
}

/* ---- readiness: unix_poll and unix_dgram_poll of Linux */

static u32 shut_mask(u32 shut)
{
	u32 mask = 0;

	if (shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (shut & SHUT_RECEIVE)
		mask |= EPOLLRDHUP | POLL_READABLE;
	return mask;
}

static u32 conn_poll(struct conn *c, u32 end, struct poll_table *pt)
{
	u32 mask = 0;

	poll_wait_for(pt, &c->q[end].readable, POLL_READABLE | EPOLLRDHUP | EPOLLPRI);
	poll_wait_for(pt, &c->q[!end].writable, POLL_WRITABLE);
	if (atomic_load(&c->error[end]))
		mask |= EPOLLERR;
	mask |= shut_mask(atomic_load(&c->shut[end]));
	if (atomic_load(&c->q[end].count))
		mask |= POLL_READABLE;
	if (atomic_load(&c->urgent[end]) == URGENT_THERE)
		mask |= EPOLLPRI;
	if (conn_writable(c, end))
		mask |= POLL_WRITABLE;
	return mask;
}

static u32 unix_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);
	u32 mask = 0;

	if (c)
		return conn_poll(c, u->e.end, pt);
	poll_wait_for(pt, &u->e.in.readable, POLL_READABLE | EPOLLRDHUP);
	if (s->type == SOCK_DGRAM) {
		mask |= shut_mask(atomic_load(&u->e.shut));
		if (atomic_load(&u->e.in.count))
			mask |= POLL_READABLE;
		if (unix_dgram_writable(u, pt))
			mask |= POLL_WRITABLE;
		return mask;
	}
	if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
		return (atomic_load(&u->e.npending) ? POLL_READABLE : 0) |
			   shut_mask(atomic_load(&u->e.shut));
	/* a connect of another thread wakes the queue that we are in now */
	c = atomic_load(&u->e.conn);
	return c ? conn_poll(c, u->e.end, pt)
			 : EPOLLHUP | POLL_WRITABLE | shut_mask(atomic_load(&u->e.shut));
}

static s64 unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);
	s32 n = 0;

	switch (cmd) {
	case SIOCINQ: /* FIONREAD */
		if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
			return -EINVAL;
		if (c) {
			n = (s32)atomic_load(&c->q[u->e.end].unread);
		} else if (s->type == SOCK_DGRAM) {
			msgq_read_lock(&u->e.in);
			n = u->e.in.head ? (s32)u->e.in.head->len : 0;
			msgq_read_unlock(&u->e.in);
		}
		break;
	case SIOCOUTQ: n = c ? (s32)atomic_load(&c->q[!u->e.end].used) : 0; break;
	case SIOCATMARK:
		if (s->type == SOCK_STREAM && c)
			urgent_at_mark(&u->e, &n);
		break;
	default: return interface_ioctl(s, cmd, arg);
	}
	return copy_out((void *)arg, &n, sizeof(n));
}

/* ---- options */

static s64 unix_option_get(struct socket *s, u32 level, u32 name, void *value, u32 size)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);
	struct net_cred cred = {0, ~0u, ~0u};
	u32 listens;

	if (level != SOL_SOCKET_LEVEL)
		return -EOPNOTSUPP;
	switch (name) {
	case SO_PEERCRED:
		if (c)
			cred = unix_conn(c)->cred[!u->e.end];
		else if (atomic_load(&u->e.state) == ENDPOINT_LISTENING || s->type == SOCK_DGRAM)
			cred = u->cred.pid ? u->cred : cred;
		memcpy(value, &cred, sizeof(cred));
		return sizeof(cred);
	case SO_ACCEPTCONN:
		listens = atomic_load(&u->e.state) == ENDPOINT_LISTENING;
		memcpy(value, &listens, sizeof(listens));
		return sizeof(listens);
	default: return -ENOPROTOOPT;
	}
}

static s64 unix_option_set(struct socket *s, u32 level, u32 name, const void *value, u32 size)
{
	return level == SOL_SOCKET_LEVEL ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static void unix_resized(struct socket *s, bool send)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);

	if (!c || !send)
		return;
	atomic_store(&c->q[!u->e.end].limit, atomic_load(&s->send_size));
	queue_wake_all(&c->q[!u->e.end].writable);
}

static u32 unix_error_take(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->e.conn);

	return c ? atomic_exchange(&c->error[u->e.end], 0) : atomic_exchange(&s->error, 0);
}

static void unix_owner_set(struct socket *s, s32 pid)
{
	atomic_store(&unix_of(s)->owner, (u32)pid);
	urgent_owner_set(endpoint_of(s), pid);
}

const struct net_ops unix_ops = {
	.name = "unix",
	.create = unix_create,
	.pair = unix_pair,
	.bind = unix_bind,
	.listen = unix_listen,
	.connect = unix_connect,
	.accept = unix_accept,
	.shutdown = unix_shutdown,
	.name_get = unix_name_get,
	.send = unix_send,
	.receive = unix_receive,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.option_get = unix_option_get,
	.option_set = unix_option_set,
	.resized = unix_resized,
	.error_take = unix_error_take,
	.owner_set = unix_owner_set,
	.release = unix_release,
	.free = unix_free,
};
