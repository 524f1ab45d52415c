/* SPDX-License-Identifier: ISC */
/*
 * Published UDP ports. Members have one end of a pair of sockets for each (abi/relay.h); on the
 * other side a process of the host's has the port. Any socket of the family that is bound to the
 * port inside takes from it. What answers a client goes back the same way: whom that is known of is
 * in a table in kin, because a client of the host's loopback has an address that could be one of
 * the family's.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "abi/relay.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"

#define DATAGRAM_MAX 65535u

_Static_assert(RELAY_HEAD >= sizeof(struct inet_address6), "a client's address fits the head");

/* The next of u's port from *i on; *i is behind it then. NULL: there is no other. */
static struct host_handle *relay_next(const struct inet_socket *u, u32 *i)
{
	while (*i < MIN(KIN->published_count, (u32)PUBLISHED_MAX)) {
		const struct kin_published *p = &KIN->published[(*i)++];

		if (p->udp && p->port == u->local.port)
			return host_published(*i - 1);
	}
	return NULL;
}

bool host_relays(const struct inet_socket *u)
{
	u32 i = 0;

	return u->e.s.protocol == IPPROTO_UDP && u->local.port && relay_next(u, &i);
}

static struct relay_client client_of(const struct inet_socket *u, const struct inet_name *n)
{
	struct relay_client c = {.port = n->port, .inside = u->local.port};

	memcpy(c.address, n->address, sizeof(c.address));
	return c;
}

static struct relay_client *client_slot(const struct relay_client *c)
{
	return &net_shared()->clients[hash_bytes(c, sizeof(*c)) % RELAY_CLIENTS];
}

static void client_note(const struct inet_socket *u, const struct inet_name *from)
{
	struct relay_client c = client_of(u, from);

	net_lock();
	*client_slot(&c) = c;
	net_unlock();
}

static bool client_known(const struct inet_socket *u, const struct inet_name *to)
{
	struct relay_client c = client_of(u, to);
	bool known;

	net_lock();
	known = !memcmp(client_slot(&c), &c, sizeof(c));
	net_unlock();
	return known;
}

/* ---- receiving */

/* Is it one that u would see? An IPv4 socket sees no client of IPv6, a connected one its peer. */
static bool takes(struct inet_socket *u, const struct inet_name *from)
{
	if (u->e.s.family == AF_INET && !inet_is4(from))
		return false;
	return !u->peer.port || inet_same(&u->peer, from);
}

static s64 receive_from(struct inet_socket *u, struct host_handle *h, struct net_message *m,
						char *room, struct inet_name *from)
{
	struct hyp_message in = {.flags = m->flags & MSG_PEEK, .count = 1};
	u8 head[RELAY_HEAD] __attribute__((aligned(8)));
	size_t n, fits;
	s64 r;

	in.piece[0].addr = (u64)room;
	in.piece[0].len = RELAY_HEAD + DATAGRAM_MAX;
	r = host_net_receive(host_number(h), &in);
	if (r == -EAGAIN)
		host_not_ready(h, EPOLLIN);
	else
		host_used(h, EPOLLIN);
	if (r < RELAY_HEAD)
		return r < 0 ? r : -EAGAIN;
	memcpy(head, room, sizeof(head));
	host_address_read(head, from);
	if (!takes(u, from))
		return -EAGAIN;
	client_note(u, from);
	n = (size_t)r - RELAY_HEAD;
	fits = MIN(n, (size_t)m->data.left);
	if (iov_copy_out(&m->data, room + RELAY_HEAD, fits))
		return -EFAULT;
	if (fits < n)
		m->out_flags |= MSG_TRUNC;
	return m->flags & MSG_TRUNC ? (s64)n : (s64)fits;
}

s64 host_relay_receive(struct inet_socket *u, struct net_message *m, struct inet_name *from)
{
	char *room = kmalloc(RELAY_HEAD + DATAGRAM_MAX);
	struct host_handle *h;
	s64 r = -EAGAIN;
	u32 i = 0;

	if (!room)
		return -ENOBUFS;
	while (r == -EAGAIN && (h = relay_next(u, &i)))
		r = receive_from(u, h, m, room, from);
	kfree(room);
	return r;
}

/* ---- sending */

bool host_relay_leads(struct inet_socket *u, const struct inet_name *to, bool local)
{
	if (!host_relays(u))
		return false;
	return client_known(u, to) || (!local && !atomic_load(&u->host));
}

/* The relay knows whose client it is, if the port is published more than once: all are told. */
s64 host_relay_send(struct inet_socket *u, struct net_message *m, const struct inet_name *to)
{
	size_t len = m->data.left;
	struct hyp_message out = {.count = 1};
	struct host_handle *h;
	char *room;
	s64 r = 0, err;
	u32 i = 0;

	if (len > DATAGRAM_MAX)
		return -EMSGSIZE;
	room = kmalloc(RELAY_HEAD + len);
	if (!room)
		return -ENOBUFS;
	memset(room, 0, RELAY_HEAD);
	if (inet_is4(to)) {
		struct inet_address4 four = {.family = AF_INET, .port = __builtin_bswap16(to->port)};

		memcpy(four.address, to->address + 12, sizeof(four.address));
		memcpy(room, &four, sizeof(four));
	} else {
		struct inet_address6 six = {.family = AF_INET6, .port = __builtin_bswap16(to->port)};

		memcpy(six.address, to->address, sizeof(six.address));
		memcpy(room, &six, sizeof(six));
	}
	out.piece[0].addr = (u64)room;
	out.piece[0].len = RELAY_HEAD + len;
	err = iov_copy_in(&m->data, room + RELAY_HEAD, len) ? -EFAULT : 0;
	while (!err && (h = relay_next(u, &i)))
		r = host_net_send(host_number(h), &out);
	kfree(room);
	/* what finds no room on the way is lost, as datagrams are */
	return err ? err : r < 0 && r != -EAGAIN ? r : (s64)len;
}

/* ---- waiting */

u32 host_relay_poll(struct inet_socket *u, bool tell)
{
	struct host_handle *h;
	u32 i = 0, mask = 0;

	if (!host_relays(u))
		return 0;
	while ((h = relay_next(u, &i)))
		mask |= host_poll(h, EPOLLIN, tell) & EPOLLIN;
	return mask;
}

struct waiting {
	struct inet_socket *u;
	struct host_handle *h;
};

static bool relay_ready(void *arg)
{
	struct waiting *w = arg;
	struct host_handle *h;
	u32 i = 0;

	while ((h = relay_next(w->u, &i)))
		if (host_hopeful(h, EPOLLIN))
			return true;
	return (w->h && host_hopeful(w->h, EPOLLIN)) || atomic_load(&w->u->e.in.count) ||
		   atomic_load(&w->u->e.shut) & SHUT_RECEIVE || atomic_load(&w->u->e.s.error);
}

s64 host_relay_wait(struct inet_socket *u, struct host_handle *h, u64 deadline_ns)
{
	struct waiting w = {u, h};
	struct host_handle *next;
	s64 err = h ? host_watch(h) : 0;
	u32 i = 0;

	if (!deadline_ns)
		return -EAGAIN;
	while (!err && (next = relay_next(u, &i)))
		err = host_watch(next);
	if (err)
		return err;
	if (h)
		host_sleep_begin(h);
	err = net_wait(&u->e.in.readable, NO_PEER, deadline_ns, relay_ready, &w);
	if (h)
		host_sleep_end(h);
	return err;
}
