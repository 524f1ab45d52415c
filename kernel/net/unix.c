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
#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"

#define SOL_SOCKET_LEVEL 1

struct unix_shared *unix_shared(void)
{
	return kin_root_claim(ROOT_NET, sizeof(struct unix_shared), NULL);
}

/* ---- the family's lock */

void conn_connected(struct conn *c)
{
	struct unix_socket *u = c->connecting;

	if (!atomic_load(&u->conn))
		ref_get(OWN_CONN, c, &u->conn);
	atomic_store(&u->state, UNIX_CONNECTED);
	publish(&c->connecting, NULL);
}

/* A dead member's connects that it had decided are finished. */
static void pending_settle(struct unix_socket *u)
{
	u32 n = 0;

	u->pending_last = NULL;
	for (struct conn *c = u->pending; c; c = c->next, n++) {
		if (c->connecting)
			conn_connected(c);
		u->pending_last = c;
	}
	atomic_store(&u->npending, n);
}

static bool unix_recover(void *arg)
{
	struct unix_shared *shared = arg;

	for (struct unix_socket **link = &shared->all; *link; link = &(*link)->next) {
		(*link)->prev = link;
		if (atomic_load(&(*link)->state) == UNIX_LISTENING)
			pending_settle(*link);
	}
	return true;
}

void unix_lock(void)
{
	struct unix_shared *shared = unix_shared();

	if (!shared)
		family_fatal("kin is full: no room for sockets");
	kin_lock_recover(&shared->lock, unix_recover, shared);
}

void unix_unlock(void)
{
	kin_unlock(&unix_shared()->lock);
}

/* ---- connections */

struct conn *conn_create(u32 type)
{
	struct conn *c = own_new(OWN_MEMORY, sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref, 1);
	c->type = type;
	for (u32 i = 0; i < 2; i++) {
		msgq_init(&c->q[i]);
		atomic_store(&c->q[i].limit, NET_BUFFER_DEFAULT);
		c->address[i].len = sizeof(u16);
		c->address[i].bytes[0] = AF_UNIX;
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

void conn_leave(struct conn *c, u32 end, bool never_accepted)
{
	if (never_accepted || atomic_load(&c->q[end].count))
		atomic_store(&c->error[!end], ECONNRESET);
	atomic_store(&c->shut[end], SHUT_BOTH);
	atomic_store(&c->shut[!end], SHUT_BOTH);
	msgq_close(&c->q[end]);
	queue_wake_all(&c->q[!end].readable);
	queue_wake_all(&c->q[end].writable);
}

/* ---- sockets */

static s64 unix_create(u32 type, u32 protocol, struct socket **out)
{
	struct unix_shared *shared = unix_shared();
	struct unix_socket *u;

	if (!shared)
		return -ENOMEM;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	unix_lock();
	u = shared->spare;
	if (u)
		own_take(OWN_SOCKET, &shared->spare, u->next);
	unix_unlock();
	if (!u) {
		u = own_new(OWN_MEMORY, sizeof(*u));
		if (!u)
			return -ENOBUFS;
		msgq_init(&u->in);
		u->s.family = AF_UNIX;
		own_is(u, OWN_SOCKET);
	}
	socket_init(&u->s, AF_UNIX, type, protocol);
	u->s.ino = atomic_fetch_add(&shared->next_ino, 1) + 1;
	u->address.len = sizeof(u16);
	u->address.bytes[0] = AF_UNIX;
	unix_lock();
	u->next = shared->all;
	u->prev = &shared->all;
	publish(&shared->all, u);
	if (u->next)
		u->next->prev = &u->next;
	unix_unlock();
	*out = &u->s;
	return 0;
}

/*
 * Those that wait for a listener to accept them. First the clients see it, then the list forgets
 * them.
 */
static void pending_refuse(struct unix_socket *u)
{
	struct own_record *r;
	struct conn *c;

	for (;;) {
		unix_lock();
		c = u->pending;
		unix_unlock();
		if (!c)
			return;
		conn_leave(c, 1, true);
		unix_lock();
		r = ref_detach(OWN_CONN, (void **)&u->pending, c->next);
		unix_unlock();
		ref_drop(r);
	}
}

/* Under unix_lock: whoever had u as its peer. */
static void followers_lose(struct unix_socket *u)
{
	if (!atomic_load(&u->followed))
		return;
	for (struct unix_socket *other = unix_shared()->all; other; other = other->next) {
		if (atomic_load(&other->peer) != u)
			continue;
		atomic_store(&other->peer_gone, 1);
		atomic_store(&other->peer, NULL);
	}
}

static void conn_release(struct unix_socket *u)
{
	struct conn *c = atomic_load(&u->conn);
	struct own_record *r;

	if (!c)
		return;
	conn_leave(c, u->end, false);
	unix_lock();
	r = ref_detach(OWN_CONN, (void **)&u->conn, NULL);
	unix_unlock();
	ref_drop(r);
}

static void unix_release(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct inode *ino;

	unix_lock();
	unix_unname(u);
	followers_lose(u);
	atomic_store(&u->peer, NULL);
	atomic_store(&u->state, UNIX_CLOSED);
	unix_unlock();
	pending_refuse(u);
	conn_release(u);
	msgq_close(&u->in);
	queue_wake_all(&u->in.writable);
	queue_wake_all(&u->in.readable);
	ino = u->inode;
	publish(&u->inode, NULL);
	if (ino)
		inode_put(ino);
}

/* Type-stable: queues and locks stay as they are, everything else is cleared. */
static void unix_free(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct unix_shared *shared = unix_shared();

	unix_lock();
	if (u->prev) {
		publish(u->prev, u->next);
		if (u->next)
			u->next->prev = u->prev;
		publish(&u->prev, NULL);
	}
	memset(&u->s.type, 0, sizeof(u->s) - offsetof(struct socket, type)); /* it stays a socket */
	memset((char *)u + offsetof(struct unix_socket, state), 0,
		   offsetof(struct unix_socket, in) - offsetof(struct unix_socket, state));
	atomic_store(&u->in.closed, 0);
	u->next = shared->spare;
	own_give(&shared->spare, u);
	unix_unlock();
}

static s64 unix_shutdown(struct socket *s, u32 bits)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);
	u32 mirrored = (bits & SHUT_RECEIVE ? SHUT_SEND : 0) | (bits & SHUT_SEND ? SHUT_RECEIVE : 0);

	atomic_fetch_or(&u->shut, bits);
	if (c) {
		atomic_fetch_or(&c->shut[u->end], bits);
		atomic_fetch_or(&c->shut[!u->end], mirrored);
		for (u32 i = 0; i < 2; i++) {
			queue_wake_all(&c->q[i].readable);
			queue_wake_all(&c->q[i].writable);
		}
	}
	queue_wake_all(&u->in.readable);
	queue_wake_all(&u->in.writable);
	return 0;
}

static s64 unix_name_get(struct socket *s, bool peer, u8 *out)
{
	struct unix_socket *u = unix_of(s), *other;
	struct conn *c = atomic_load(&u->conn);
	struct unix_address a = {0};

	unix_lock();
	if (c) {
		a = c->address[peer ? !u->end : u->end];
	} else if (!peer) {
		a = u->address;
	} else {
		other = atomic_load(&u->peer);
		if (other)
			a = other->address;
	}
	unix_unlock();
	memcpy(out, a.bytes, a.len);
	return a.len ? (s64)a.len : -ENOTCONN;
}

static s64 unix_send(struct socket *s, struct net_message *m)
{
	switch (s->type) {
	case SOCK_STREAM: return unix_stream_send(unix_of(s), m);
	case SOCK_DGRAM: return unix_dgram_send(unix_of(s), m);
	default: return unix_packet_send(unix_of(s), m);
	}
}

static s64 unix_receive(struct socket *s, struct net_message *m)
{
	switch (s->type) {
	case SOCK_STREAM: return unix_stream_receive(unix_of(s), m);
	case SOCK_DGRAM: return unix_dgram_receive(unix_of(s), m);
	default: return unix_packet_receive(unix_of(s), m);
	}
}

/* ---- readiness: unix_poll and unix_dgram_poll of Linux */

#define READABLE (EPOLLIN | EPOLLRDNORM)
#define WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

static u32 shut_mask(u32 shut)
{
	u32 mask = 0;

	if (shut == SHUT_BOTH)
		mask |= EPOLLHUP;
	if (shut & SHUT_RECEIVE)
		mask |= EPOLLRDHUP | READABLE;
	return mask;
}

static u32 conn_poll(struct conn *c, u32 end, struct poll_table *pt)
{
	u32 mask = 0;

	poll_wait_for(pt, &c->q[end].readable, READABLE | EPOLLRDHUP);
	poll_wait_for(pt, &c->q[!end].writable, WRITABLE);
	if (atomic_load(&c->error[end]))
		mask |= EPOLLERR;
	mask |= shut_mask(atomic_load(&c->shut[end]));
	if (atomic_load(&c->q[end].count))
		mask |= READABLE;
	if (conn_writable(c, end))
		mask |= WRITABLE;
	return mask;
}

static u32 unix_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);
	u32 mask = 0;

	if (c)
		return conn_poll(c, u->end, pt);
	poll_wait_for(pt, &u->in.readable, READABLE | EPOLLRDHUP);
	if (s->type == SOCK_DGRAM) {
		mask |= shut_mask(atomic_load(&u->shut));
		if (atomic_load(&u->in.count))
			mask |= READABLE;
		if (unix_dgram_writable(u, pt))
			mask |= WRITABLE;
		return mask;
	}
	if (atomic_load(&u->state) == UNIX_LISTENING)
		return (atomic_load(&u->npending) ? READABLE : 0) | shut_mask(atomic_load(&u->shut));
	/* a connect of another thread wakes the queue that we are in now */
	c = atomic_load(&u->conn);
	return c ? conn_poll(c, u->end, pt) : EPOLLHUP | WRITABLE | shut_mask(atomic_load(&u->shut));
}

static s64 unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);
	s32 n = 0;

	switch (cmd) {
	case SIOCINQ: /* FIONREAD */
		if (atomic_load(&u->state) == UNIX_LISTENING)
			return -EINVAL;
		if (c) {
			n = (s32)atomic_load(&c->q[u->end].unread);
		} else if (s->type == SOCK_DGRAM) {
			msgq_read_lock(&u->in);
			n = u->in.head ? (s32)u->in.head->len : 0;
			msgq_read_unlock(&u->in);
		}
		break;
	case SIOCOUTQ: n = c ? (s32)atomic_load(&c->q[!u->end].used) : 0; break;
	default: return -ENOTTY;
	}
	return copy_out((void *)arg, &n, sizeof(n));
}

/* ---- options */

static s64 unix_option_get(struct socket *s, u32 level, u32 name, void *value, u32 size)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);
	struct net_cred cred = {0, ~0u, ~0u};
	u32 listens;

	if (level != SOL_SOCKET_LEVEL)
		return -EOPNOTSUPP;
	switch (name) {
	case SO_PEERCRED:
		if (c)
			cred = c->cred[!u->end];
		else if (atomic_load(&u->state) == UNIX_LISTENING || s->type == SOCK_DGRAM)
			cred = u->cred.pid ? u->cred : cred;
		memcpy(value, &cred, sizeof(cred));
		return sizeof(cred);
	case SO_ACCEPTCONN:
		listens = atomic_load(&u->state) == UNIX_LISTENING;
		memcpy(value, &listens, sizeof(listens));
		return sizeof(listens);
	default: return -ENOPROTOOPT;
	}
}

static s64 unix_option_set(struct socket *s, u32 level, u32 name, const void *value, u32 size)
{
	return level == SOL_SOCKET_LEVEL ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static void unix_resized(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);

	if (!c)
		return;
	atomic_store(&c->q[!u->end].limit, atomic_load(&s->send_size));
	queue_wake_all(&c->q[!u->end].writable);
}

static u32 unix_error_take(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct conn *c = atomic_load(&u->conn);

	return c ? atomic_exchange(&c->error[u->end], 0) : atomic_exchange(&s->error, 0);
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
	.release = unix_release,
	.free = unix_free,
};
