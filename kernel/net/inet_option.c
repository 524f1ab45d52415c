/* SPDX-License-Identifier: ISC */
/* setsockopt and getsockopt of IP, IPv6, TCP and UDP. Sources: ip(7), ipv6(7), tcp(7), udp(7). */
#include "kernel/net/inet_option.h"

#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/tcp.h>

#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/task/cred.h"

#define MSS_UNKNOWN 536
#define MSS_LOOPBACK 65483
#define RTO_US 200000
#define DEFER_FIRST_SECONDS 1 /* a first time-out of TCP, doubled again and again */
#define TIMEOUT_MAX_SECONDS 120

enum row_flags {
	BOOLEAN = 1,  /* any number: 0 or 1 */
	AS_BYTE = 2,  /* a byte will do */
	DEFAULTS = 4, /* -1: as if it had never been set */
	RESERVED = 8, /* 1 is for who has CAP_NET_ADMIN */
};
struct row {
	u8 level, name;
	u8 flags;
	s32 low, high, initial;
};
#define IP_FLAG(name)                                \
	{                                                \
		IPPROTO_IP, name, BOOLEAN | AS_BYTE, 0, 0, 0 \
	}
#define IP_RANGE(name, low, high, initial)            \
	{                                                 \
		IPPROTO_IP, name, AS_BYTE, low, high, initial \
	}
#define IP6_FLAG(name, initial)                    \
	{                                              \
		IPPROTO_IPV6, name, BOOLEAN, 0, 0, initial \
	}
#define IP6_RANGE(name, low, high, initial)       \
	{                                             \
		IPPROTO_IPV6, name, 0, low, high, initial \
	}
#define TCP_FLAG(name, initial)                   \
	{                                             \
		IPPROTO_TCP, name, BOOLEAN, 0, 0, initial \
	}
#define TCP_RANGE(name, low, high, initial)      \
	{                                            \
		IPPROTO_TCP, name, 0, low, high, initial \
	}
#define MAX_S32 0x7fffffff

static const struct row rows[] = {
	IP_RANGE(IP_TOS, 0, 255, 0),
	{IPPROTO_IP, IP_TTL, AS_BYTE | DEFAULTS, 1, 255, 64},
	IP_FLAG(IP_RECVOPTS),
	IP_FLAG(IP_RETOPTS),
	IP_FLAG(IP_PKTINFO),
	IP_RANGE(IP_MTU_DISCOVER, 0, 5, 1),
	IP_FLAG(IP_RECVERR),
	IP_FLAG(IP_RECVTTL),
	IP_FLAG(IP_RECVTOS),
	IP_FLAG(IP_FREEBIND),
	{IPPROTO_IP, IP_TRANSPARENT, BOOLEAN | AS_BYTE | RESERVED, 0, 0, 0},
	IP_FLAG(IP_RECVORIGDSTADDR),
	IP_RANGE(IP_MINTTL, 0, 255, 0),
	IP_FLAG(IP_BIND_ADDRESS_NO_PORT),
	{IPPROTO_IP, IP_MULTICAST_TTL, AS_BYTE | DEFAULTS, 0, 255, 1},
	{IPPROTO_IP, IP_MULTICAST_LOOP, BOOLEAN | AS_BYTE, 0, 0, 1},
	{IPPROTO_IP, IP_MULTICAST_ALL, AS_BYTE, 0, 1, 1},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS_, DEFAULTS, 0, 255, 64},
	{IPPROTO_IPV6, 18 /* IPV6_MULTICAST_HOPS */, DEFAULTS, 0, 255, 1},
	IP6_RANGE(19 /* IPV6_MULTICAST_LOOP */, 0, 1, 1),
	IP6_RANGE(23 /* IPV6_MTU_DISCOVER */, 0, 5, 1),
	IP6_FLAG(25 /* IPV6_RECVERR */, 0),
	IP6_FLAG(29 /* IPV6_MULTICAST_ALL */, 1),
	IP6_FLAG(IPV6_RECVPKTINFO_, 0),
	IP6_FLAG(IPV6_RECVHOPLIMIT_, 0),
	IP6_FLAG(62 /* IPV6_DONTFRAG */, 0),
	IP6_FLAG(IPV6_RECVTCLASS_, 0),
	{IPPROTO_IPV6, IPV6_TCLASS_, DEFAULTS, 0, 255, 0},
	IP6_FLAG(70 /* IPV6_AUTOFLOWLABEL */, 1),
	IP6_FLAG(78 /* IPV6_FREEBIND */, 0),
	TCP_FLAG(TCP_NODELAY, 0),
	TCP_FLAG(TCP_CORK, 0),
	TCP_RANGE(TCP_KEEPIDLE, 1, 32767, 7200),
	TCP_RANGE(TCP_KEEPINTVL, 1, 32767, 75),
	TCP_RANGE(TCP_KEEPCNT, 1, 127, 9),
	TCP_RANGE(TCP_SYNCNT, 1, 127, 6),
	TCP_RANGE(TCP_LINGER2, -MAX_S32, 120, 60),
	TCP_RANGE(TCP_WINDOW_CLAMP, 0, MAX_S32, 0),
	TCP_FLAG(TCP_QUICKACK, 1),
	TCP_RANGE(TCP_THIN_LINEAR_TIMEOUTS, 0, 1, 0),
	TCP_RANGE(TCP_THIN_DUPACK, 0, 1, 0),
	TCP_RANGE(TCP_USER_TIMEOUT, 0, MAX_S32, 0),
	TCP_RANGE(TCP_FASTOPEN, 0, MAX_S32, 0),
	TCP_RANGE(TCP_NOTSENT_LOWAT, -MAX_S32, MAX_S32, 0),
	TCP_RANGE(TCP_SAVE_SYN, 0, 1, 0),
	TCP_RANGE(TCP_FASTOPEN_CONNECT, 0, 1, 0),
	TCP_RANGE(TCP_FASTOPEN_NO_COOKIE, 0, 1, 0),
	TCP_RANGE(TCP_INQ, 0, 1, 0),
	TCP_RANGE(TCP_DEFER_ACCEPT, -MAX_S32, MAX_S32, 0),
	TCP_RANGE(TCP_MAXSEG, 88, 32767, 0),
	{IPPROTO_UDP, 1 /* UDP_CORK */, BOOLEAN, 0, 0, 0},
	{IPPROTO_UDPLITE, 10 /* UDPLITE_SEND_CSCOV */, 0, 0, 65535, 0},
	{IPPROTO_UDPLITE, 11 /* UDPLITE_RECV_CSCOV */, 0, 0, 65535, 0},
};
_Static_assert(ARRAY_SIZE(rows) <= INET_OPTIONS, "each row has its place in a socket");

static const struct row *row_of(u32 level, u32 name)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].level == level && rows[i].name == name)
			return &rows[i];
	return NULL;
}

static s32 row_value(struct inet_socket *u, const struct row *r)
{
	u32 i = (u32)(r - rows);

	return atomic_load(&u->options_set) >> i & 1 ? (s32)atomic_load(&u->option[i]) : r->initial;
}

s32 inet_option(struct inet_socket *u, u32 level, u32 name)
{
	const struct row *r = row_of(level, name);

	return r ? row_value(u, r) : 0;
}

bool inet_option_nth(struct inet_socket *u, u32 i, u32 *level, u32 *name, s32 *value)
{
	if (i >= ARRAY_SIZE(rows) || !(atomic_load(&u->options_set) >> i & 1))
		return false;
	*level = rows[i].level;
	*name = rows[i].name;
	*value = (s32)atomic_load(&u->option[i]);
	return true;
}

s32 inet_hops(struct inet_socket *u, bool four)
{
	return four ? inet_option(u, IPPROTO_IP, IP_TTL)
				: inet_option(u, IPPROTO_IPV6, IPV6_UNICAST_HOPS_);
}

s32 inet_class(struct inet_socket *u, bool four)
{
	return four ? inet_option(u, IPPROTO_IP, IP_TOS) : inet_option(u, IPPROTO_IPV6, IPV6_TCLASS_);
}

static void row_store(struct inet_socket *u, const struct row *r, s32 n)
{
	u32 i = (u32)(r - rows);

	atomic_store(&u->option[i], (u32)n);
	atomic_fetch_or(&u->options_set, 1ull << i);
}

static s64 row_set(struct inet_socket *u, const struct row *r, const void *value, u32 size)
{
	s32 n;

	if (size >= sizeof(n))
		memcpy(&n, value, sizeof(n));
	else if (size && r->flags & AS_BYTE)
		n = *(const u8 *)value;
	else
		return -EINVAL;
	if (r->flags & DEFAULTS && n == -1) {
		atomic_fetch_and(&u->options_set, ~(1ull << (r - rows)));
		return 0;
	}
	if (r->flags & BOOLEAN)
		n = n != 0;
	else if (n < r->low || n > r->high)
		return -EINVAL;
	if (r->flags & RESERVED && n && !cred_capable(CAP_NET_ADMIN))
		return -EPERM;
	row_store(u, r, n);
	return 0;
}

/* ---- options that are not a number, or not any number */

static s64 v6only_set(struct inet_socket *u, const void *value, u32 size)
{
	s64 err = 0;

	if (size < sizeof(s32))
		return -EINVAL;
	net_lock();
	if (u->local.port)
		err = -EINVAL;
	else if (*(const s32 *)value)
		atomic_fetch_or(&u->flags, INET_V6ONLY);
	else
		atomic_fetch_and(&u->flags, ~(u32)INET_V6ONLY);
	net_unlock();
	return err;
}

/* There is nothing to choose from: what every Linux has, and what it has by default here. */
static s64 congestion_set(struct inet_socket *u, const void *value, u32 size)
{
	char name[16] = {0};

	if (size < 1)
		return -EINVAL;
	memcpy(name, value, MIN(size, sizeof(name) - 1));
	if (strcmp(name, "cubic") && strcmp(name, "reno"))
		return -ENOENT;
	memcpy(u->congestion, name, sizeof(name));
	return 0;
}

/* Seconds are kept as the time-outs that they are enough for. */
static s32 defer_seconds(s32 seconds)
{
	s32 period = DEFER_FIRST_SECONDS, whole = period;

	if (seconds <= 0)
		return 0;
	while (whole < seconds && whole < 255 * TIMEOUT_MAX_SECONDS) {
		period = MIN(period * 2, TIMEOUT_MAX_SECONDS);
		whole += period;
	}
	return whole;
}

static s64 tcp_set(struct inet_socket *u, u32 name, const void *value, u32 size)
{
	const struct row *r = row_of(IPPROTO_TCP, name);
	s32 n = *(const s32 *)value;

	switch (name) {
	case TCP_CONGESTION: return congestion_set(u, value, size);
	case TCP_ULP: return -ENOENT;
	case TCP_REPAIR: return cred_capable(CAP_NET_ADMIN) ? -EINVAL : -EPERM;
	case TCP_INFO: return -ENOPROTOOPT;
	case TCP_DEFER_ACCEPT:
		if (size < sizeof(n))
			return -EINVAL;
		row_store(u, r, defer_seconds(n));
		return 0;
	case TCP_QUICKACK:
		if (size < sizeof(n))
			return -EINVAL;
		row_store(u, r, n & 1);
		return 0;
	default: return r ? row_set(u, r, value, size) : -ENOPROTOOPT;
	}
}

/* UDP_CORK would join what several sends say, and nobody does that; coverage: of no checksum. */
static s64 udp_set(struct inet_socket *u, u32 level, u32 name, const void *value, u32 size)
{
	const struct row *r = row_of(level, name);

	if (u->e.s.type != SOCK_DGRAM || (r && level == IPPROTO_UDPLITE && u->e.s.protocol != level))
		return -ENOPROTOOPT;
	return r ? row_set(u, r, value, size) : -ENOPROTOOPT;
}

static s64 ip_set(struct inet_socket *u, u32 level, u32 name, const void *value, u32 size)
{
	const struct row *r = row_of(level, name);

	if (r)
		return row_set(u, r, value, size);
	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY_)
		return v6only_set(u, value, size);
	if (level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP))
		return name == IP_ADD_MEMBERSHIP ? -ENODEV : -EADDRNOTAVAIL;
	if (level == IPPROTO_IPV6 && (name == 20 || name == 21)) /* the same */
		return name == 20 ? -ENODEV : -EADDRNOTAVAIL;
	return -ENOPROTOOPT;
}

static s64 socket_set(struct inet_socket *u, u32 name, const void *value)
{
	switch (name) {
	case SO_BINDTODEVICE: {
		const char *device = value;

		return !*device || !strcmp(device, "lo") ? 0 : -ENODEV;
	}
	case SO_MARK: return cred_capable(CAP_NET_ADMIN) ? 0 : -EPERM;
	case SO_NO_CHECK:
	case SO_RXQ_OVFL:
	case SO_BUSY_POLL:
	case SO_INCOMING_CPU:
	case SO_MAX_PACING_RATE: return 0;
	default: return -ENOPROTOOPT;
	}
}

s64 inet_option_set(struct socket *s, u32 level, u32 name, const void *value, u32 size)
{
	struct inet_socket *u = inet_of(s);

	switch (level) {
	case SOL_SOCKET_LEVEL: return socket_set(u, name, value);
	case IPPROTO_TCP: return s->type == SOCK_STREAM ? tcp_set(u, name, value, size) : -ENOPROTOOPT;
	case IPPROTO_IPV6:
		if (s->family != AF_INET6)
			return -ENOPROTOOPT;
		return ip_set(u, level, name, value, size);
	case IPPROTO_IP: return ip_set(u, level, name, value, size);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE: return udp_set(u, level, name, value, size);
	default: return -ENOPROTOOPT;
	}
}

/* ---- reading */

static s64 number(void *value, s32 n)
{
	memcpy(value, &n, sizeof(n));
	return sizeof(n);
}

static s32 mss(struct inet_socket *u)
{
	s32 wanted = inet_option(u, IPPROTO_TCP, TCP_MAXSEG);
	bool connected = atomic_load(&u->e.conn) != NULL;

	if (connected)
		return wanted ? MIN(wanted, MSS_LOOPBACK) : MSS_LOOPBACK;
	return wanted ? wanted : MSS_UNKNOWN;
}

static s64 tcp_info(struct inet_socket *u, void *value, u32 size)
{
	struct tcp_info info = {0};

	info.tcpi_state = (u8)tcp_state(u);
	if (info.tcpi_state == TCP_LISTEN) {
		info.tcpi_unacked = atomic_load(&u->e.npending);
		info.tcpi_sacked = u->e.backlog;
	} else if (atomic_load(&u->e.conn)) {
		struct conn *c = atomic_load(&u->e.conn);

		info.tcpi_options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
		info.tcpi_rto = RTO_US;
		info.tcpi_snd_mss = info.tcpi_rcv_mss = info.tcpi_advmss = (u32)mss(u);
		info.tcpi_pmtu = INET_MTU;
		info.tcpi_rcv_space = atomic_load(&tcp_conn(c)->receives[u->e.end]);
		info.tcpi_snd_cwnd = 10;
	}
	memcpy(value, &info, MIN(sizeof(info), (size_t)size));
	return (s64)MIN(sizeof(info), (size_t)size);
}

static s64 tcp_get(struct inet_socket *u, u32 name, void *value, u32 size)
{
	const struct row *r = row_of(IPPROTO_TCP, name);

	switch (name) {
	case TCP_MAXSEG: return number(value, mss(u));
	case TCP_INFO: return tcp_info(u, value, size);
	case TCP_CONGESTION:
		memset(value, 0, 16);
		strlcpy(value, u->congestion[0] ? u->congestion : "cubic", 16);
		return 16;
	case TCP_ULP: memset(value, 0, 4); return 0;
	case TCP_REPAIR: return number(value, 0);
	default: return r ? number(value, row_value(u, r)) : -ENOPROTOOPT;
	}
}

static s64 udp_get(struct inet_socket *u, u32 level, u32 name, void *value)
{
	const struct row *r = row_of(level, name);

	if (u->e.s.type != SOCK_DGRAM || (level == IPPROTO_UDPLITE && u->e.s.protocol != level))
		return -ENOPROTOOPT;
	return r ? number(value, row_value(u, r)) : -ENOPROTOOPT;
}

static s64 ip_get(struct inet_socket *u, u32 level, u32 name, void *value)
{
	const struct row *r = row_of(level, name);

	if (r)
		return number(value, row_value(u, r));
	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY_)
		return number(value, inet_flag(u, INET_V6ONLY) != 0);
	if (level == IPPROTO_IP && name == IP_OPTIONS)
		return 0;
	if ((level == IPPROTO_IP && name == IP_MTU) || (level == IPPROTO_IPV6 && name == 24))
		return u->peer.port ? number(value, INET_MTU) : -ENOTCONN;
	if (level == IPPROTO_IP && name == IP_MULTICAST_IF)
		return number(value, 0);
	return -ENOPROTOOPT;
}

static s64 socket_get(struct inet_socket *u, u32 name, void *value)
{
	switch (name) {
	case SO_ACCEPTCONN: return number(value, atomic_load(&u->e.state) == ENDPOINT_LISTENING);
	case SO_BINDTODEVICE: return 0;
	case SO_INCOMING_CPU: return number(value, 0);
	case SO_COOKIE: memcpy(value, &u->e.s.ino, sizeof(u64)); return sizeof(u64);
	case SO_MARK:
	case SO_NO_CHECK:
	case SO_RXQ_OVFL:
	case SO_BUSY_POLL: return number(value, 0);
	case SO_MAX_PACING_RATE: return number(value, -1);
	default: return -ENOPROTOOPT;
	}
}

s64 inet_option_get(struct socket *s, u32 level, u32 name, void *value, u32 size)
{
	struct inet_socket *u = inet_of(s);
	s64 r = host_option_get(u, level, name, value, size);

	if (r >= 0)
		return r;
	switch (level) {
	case SOL_SOCKET_LEVEL: return socket_get(u, name, value);
	case IPPROTO_TCP: return s->type == SOCK_STREAM ? tcp_get(u, name, value, size) : -EOPNOTSUPP;
	case IPPROTO_IPV6: return s->family == AF_INET6 ? ip_get(u, level, name, value) : -EOPNOTSUPP;
	case IPPROTO_IP: return ip_get(u, level, name, value);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE: return udp_get(u, level, name, value);
	default: return -EOPNOTSUPP;
	}
}

/* ---- ancillary data of a send */

static s64 info6_take(struct net_message *m, const u8 *data, u64 bytes)
{
	struct inet_name n = {{0}, 0};

	if (bytes < 20)
		return -EINVAL;
	memcpy(n.address, data, sizeof(n.address));
	if (inet_is_any(&n))
		return 0;
	if (!inet_is_local(&n) && !KIN->sockets)
		return -EINVAL;
	memcpy(m->source, n.address, sizeof(m->source));
	m->source_given = true;
	return 0;
}

static s64 info4_take(struct net_message *m, const u8 *data, u64 bytes)
{
	u8 as6[20] = {[10] = 0xff, [11] = 0xff};

	if (bytes != 12)
		return -EINVAL;
	memcpy(as6 + 12, data + 4, 4); /* ipi_spec_dst */
	return info6_take(m, as6, sizeof(as6));
}

s64 inet_control(struct socket *s, struct net_message *m, s32 level, s32 type, const void *data,
				 u64 bytes)
{
	s32 n = bytes >= sizeof(n) ? *(const s32 *)data : bytes ? *(const u8 *)data : 0;

	if (level == SOL_SOCKET_LEVEL)
		return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? 0 : -EINVAL;
	if (s->type == SOCK_STREAM || (level != IPPROTO_IP && level != IPPROTO_IPV6))
		return 0;
	if (level == IPPROTO_IP && type == IP_PKTINFO)
		return info4_take(m, data, bytes);
	if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO_ && s->family == AF_INET6)
		return info6_take(m, data, bytes);
	bool six = level == IPPROTO_IPV6, is_ttl = type == (six ? IPV6_HOPLIMIT_ : IP_TTL);
	if ((!is_ttl && type != (six ? IPV6_TCLASS_ : IP_TOS)) || n > 255 || n < (six ? -1 : is_ttl))
		return -EINVAL;
	if (n == -1) /* as if it were not there */
		return 0;
	if (is_ttl) {
		m->ttl = (u8)n;
	} else {
		m->tos = (u8)n;
		m->tos_given = true;
	}
	return 0;
}
