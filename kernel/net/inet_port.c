/* SPDX-License-Identifier: ISC */
/*
 * The family's ports: who is bound where, who may be, and to whom a connection or a datagram goes.
 * One table each for TCP, UDP, UDP-Lite, and connections that were accepted, which have their
 * listener's port and matter for who binds it later only. All under net_lock. Sources: ip(7),
 * socket(7), and what Linux answers.
 *
 * Death. A chain changes by one store, back pointers are made anew by inet_ports_recover. Who is in
 * a chain owns nothing by that: a socket leaves when its file lets go of it.
 */
#include <asm/errno.h>

#include "kernel/kin/claim.h"
#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"
#include "kernel/task/cred.h"
#include "kernel/time/time.h"

#define PORTS_ALL 65536u
/* Of a port that a connection used: until when, in seconds, and above which addresses and how. */
enum { QUIET_4 = 1, QUIET_6 = 2, QUIET_REUSABLE = 4, QUIET_SHIFT = 3 };

struct inet_ports {
	struct inet_socket *bucket[PORT_TABLES][PORT_BUCKETS];
	u32 next; /* a hint: where the search for a free port begins */
	_Atomic u32 quiet[PORTS_ALL];
};

static struct inet_ports *ports(void)
{
	return kin_root_get(ROOT_INET);
}

s64 inet_ports_new(void)
{
	return kin_root_claim(ROOT_INET, sizeof(struct inet_ports), NULL) ? 0 : -ENOBUFS;
}

static struct inet_socket **bucket_of(enum port_table table, u16 port)
{
	return &ports()->bucket[table][port % PORT_BUCKETS];
}

struct inet_socket *port_first(enum port_table table, u32 bucket)
{
	return ports() ? ports()->bucket[table][bucket] : NULL;
}

void inet_ports_recover(void)
{
	struct inet_socket **head = ports() ? &ports()->bucket[0][0] : NULL;

	for (u32 i = 0; head && i < PORT_TABLES * PORT_BUCKETS; i++)
		for (struct inet_socket **link = &head[i]; *link; link = &(*link)->chain)
			(*link)->chain_prev = link;
}

void port_enter(struct inet_socket *u, enum port_table table)
{
	struct inet_socket **head = bucket_of(table, u->local.port);

	u->table = table;
	u->chain = *head;
	u->chain_prev = head;
	publish(head, u);
	if (u->chain)
		u->chain->chain_prev = &u->chain;
}

/* May be done twice: of a death in the middle chain_prev may be left behind the times. */
void port_leave(struct inet_socket *u)
{
	if (u->chain_prev && *u->chain_prev == u) {
		publish(u->chain_prev, u->chain);
		if (u->chain)
			u->chain->chain_prev = u->chain_prev;
	}
	publish(&u->chain_prev, NULL);
}

/* ---- conflicts */

static bool takes_all4(const struct inet_name *n, bool v6only)
{
	return inet_same_address(n, &inet_any4) || (inet_same_address(n, &inet_any6) && !v6only);
}

/* Is there an address that both would receive for? */
static bool overlap(const struct inet_name *a, bool a_only6, const struct inet_name *b,
					bool b_only6)
{
	if (inet_same_address(a, b))
		return true;
	if (takes_all4(a, a_only6) && (inet_is4(b) || takes_all4(b, b_only6)))
		return true;
	if (takes_all4(b, b_only6) && inet_is4(a))
		return true;
	return (inet_same_address(a, &inet_any6) && !inet_is4(b)) ||
		   (inet_same_address(b, &inet_any6) && !inet_is4(a));
}

static bool both(struct inet_socket *a, struct inet_socket *b, u32 flag)
{
	return atomic_load(&a->e.s.flags) & atomic_load(&b->e.s.flags) & flag;
}

/* picks: for a port that u did not ask for nothing may be shared. */
static bool may_share(struct inet_socket *u, struct inet_socket *other, bool picks)
{
	if (picks)
		return false;
	if (both(u, other, SOCKET_REUSEPORT) && u->uid == other->uid)
		return true;
	return both(u, other, SOCKET_REUSEADDR) && atomic_load(&other->e.state) != ENDPOINT_LISTENING;
}

static bool conflicts_in(enum port_table table, struct inet_socket *u, const struct inet_name *n,
						 bool picks)
{
	for (struct inet_socket *other = *bucket_of(table, n->port); other; other = other->chain) {
		if (other == u || other->local.port != n->port)
			continue;
		if (overlap(n, inet_flag(u, INET_V6ONLY), &other->local, inet_flag(other, INET_V6ONLY)) &&
			!may_share(u, other, picks))
			return true;
	}
	return false;
}

static bool is_quiet(struct inet_socket *u, const struct inet_name *n)
{
	u32 word = atomic_load(&ports()->quiet[n->port]), of = 0;

	if (!word || word >> QUIET_SHIFT <= time_mono_ns() / NSEC_PER_SEC)
		return false;
	if (word & QUIET_REUSABLE && atomic_load(&u->e.s.flags) & SOCKET_REUSEADDR)
		return false;
	if (inet_is4(n) || takes_all4(n, inet_flag(u, INET_V6ONLY)))
		of |= QUIET_4;
	if (!inet_is4(n))
		of |= QUIET_6;
	return word & of;
}

void port_quiet(struct inet_socket *u, const struct inet_name *n, bool reusable)
{
	u32 until = (u32)((time_mono_ns() + TCP_QUIET_NS) / NSEC_PER_SEC);

	atomic_store(&ports()->quiet[n->port], until << QUIET_SHIFT | (reusable ? QUIET_REUSABLE : 0) |
											   (inet_is4(n) ? QUIET_4 : QUIET_6));
}

enum port_table port_table_of(const struct inet_socket *u)
{
	if (u->e.s.type == SOCK_STREAM)
		return PORTS_TCP;
	switch (u->e.s.protocol) {
	case IPPROTO_UDPLITE: return PORTS_UDPLITE;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return PORTS_ECHO;
	default: return PORTS_UDP;
	}
}

static bool conflicts(struct inet_socket *u, const struct inet_name *n, bool picks)
{
	return conflicts_in(port_table_of(u), u, n, picks) ||
		   (u->e.s.type == SOCK_STREAM && conflicts_in(PORTS_ACCEPTED, u, n, picks));
}

/* ---- binding */

/* n->port becomes one that fits(u, n). */
static bool port_pick(struct inet_socket *u, struct inet_name *n,
					  bool (*fits)(struct inet_socket *u, const struct inet_name *n))
{
	u32 count = INET_PORT_LAST - INET_PORT_FIRST + 1;

	for (u32 i = 0; i < count; i++) {
		u32 next = ports()->next;

		ports()->next = next + 1 < count ? next + 1 : 0;
		n->port = (u16)(INET_PORT_FIRST + next % count);
		if (fits(u, n))
			return true;
	}
	return false;
}

static bool is_free(struct inet_socket *u, const struct inet_name *n)
{
	return !conflicts(u, n, true);
}

s64 port_bind(struct inet_socket *u, const struct inet_name *n)
{
	struct inet_name name = *n;

	if (!name.port) {
		if (!port_pick(u, &name, is_free))
			return -EADDRINUSE;
	} else if (conflicts(u, &name, false) || (u->e.s.type == SOCK_STREAM && is_quiet(u, &name))) {
		return -EADDRINUSE;
	}
	u->local = name;
	port_enter(u, port_table_of(u));
	return 0;
}

/* Has another socket the same two names? */
static bool is_twin(struct inet_socket *u, const struct inet_name *n)
{
	for (struct inet_socket *other = *bucket_of(PORTS_TCP, n->port); other; other = other->chain)
		if (other != u && inet_same(&other->local, n) && inet_same(&other->peer, &u->peer))
			return true;
	return false;
}

/* A port that only other connections have will do, as long as they go elsewhere. */
static bool is_distinct(struct inet_socket *u, const struct inet_name *n)
{
	for (struct inet_socket *other = *bucket_of(PORTS_TCP, n->port); other; other = other->chain)
		if (other->local.port == n->port &&
			(inet_flag(other, INET_PORT_GIVEN) || inet_same(&other->peer, &u->peer)))
			return false;
	return n->port != u->peer.port;
}

static bool is_fresh(struct inet_socket *u, const struct inet_name *n)
{
	return n->port != u->peer.port && is_free(u, n);
}

s64 port_connect(struct inet_socket *u)
{
	struct inet_name name = u->local;

	if (u->chain_prev)
		return is_twin(u, &name) ? -EADDRNOTAVAIL : 0;
	if (!port_pick(u, &name, is_fresh) && !port_pick(u, &name, is_distinct))
		return -EADDRNOTAVAIL;
	u->local = name;
	port_enter(u, PORTS_TCP);
	return 0;
}

s64 port_listen(struct inet_socket *u)
{
	struct inet_name name = u->local;

	if (!u->chain_prev)
		return port_bind(u, &name);
	return conflicts(u, &name, false) ? -EADDRINUSE : 0;
}

/* ---- delivery */

/* How well does u fit a name: 0 not at all. An address is better than any of a kind, or of both. */
static u32 fit(struct inet_socket *u, const struct inet_name *to)
{
	if (u->local.port != to->port)
		return 0;
	if (inet_same_address(&u->local, to))
		return 4;
	if (inet_is4(to))
		return inet_same_address(&u->local, &inet_any4)           ? 3
			   : takes_all4(&u->local, inet_flag(u, INET_V6ONLY)) ? 2
																  : 0;
	return inet_same_address(&u->local, &inet_any6) ? 2 : 0;
}

static u32 fit_listener(struct inet_socket *u, const struct inet_name *to,
						const struct inet_name *from)
{
	if (atomic_load(&u->e.state) != ENDPOINT_LISTENING)
		return 0;
	return fit(u, to);
}

/* One that is connected hears its peer only, and before all others. */
static u32 fit_receiver(struct inet_socket *u, const struct inet_name *to,
						const struct inet_name *from)
{
	if (atomic_load(&u->e.state) == ENDPOINT_CLOSED)
		return 0;
	if (u->peer.port)
		return inet_same(&u->peer, from) && fit(u, to) ? 4 + fit(u, to) : 0;
	return fit(u, to);
}

/*
 * The best; of equals that share the port by SO_REUSEPORT one of them by salt, else the one that
 * was bound last.
 */
static struct inet_socket *port_best(enum port_table table, const struct inet_name *to,
									 const struct inet_name *from, u64 salt,
									 u32 (*fits)(struct inet_socket *, const struct inet_name *,
												 const struct inet_name *))
{
	struct inet_socket *best = NULL, *head = port_first(table, to->port % PORT_BUCKETS);
	u32 most = 0, equals = 0, nth;

	for (struct inet_socket *u = head; u; u = u->chain) {
		u32 f = fits(u, to, from);

		if (f > most) {
			most = f;
			equals = 0;
			best = u;
		}
		equals += f && f == most;
	}
	if (equals < 2 || !(atomic_load(&best->e.s.flags) & SOCKET_REUSEPORT))
		return best;
	nth = (u32)(hash_bytes(&salt, sizeof(salt)) % equals);
	for (struct inet_socket *u = head; u; u = u->chain)
		if (fits(u, to, from) == most && nth-- == 0)
			return u;
	return best;
}

struct inet_socket *port_listener(const struct inet_name *to, u64 salt)
{
	return port_best(PORTS_TCP, to, NULL, salt, fit_listener);
}

struct inet_socket *port_receiver(enum port_table table, const struct inet_name *to,
								  const struct inet_name *from)
{
	return port_best(table, to, from, from->port, fit_receiver);
}
