/* SPDX-License-Identifier: ISC */
/* Addresses of IPv4 and IPv6: how programs write them, and what of them is here. Source: ip(7). */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"

#define LENGTH6_MIN 24 /* without a scope: RFC 2133 */
#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

const struct inet_name inet_any4 = {{MAPPED}, 0}, inet_any6 = {{0}, 0};
const struct inet_name inet_loopback4 = {{MAPPED, 127, 0, 0, 1}, 0};
const struct inet_name inet_loopback6 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0};

bool inet_is4(const struct inet_name *n)
{
	return !memcmp(n->address, inet_any4.address, 12);
}

bool inet_same_address(const struct inet_name *a, const struct inet_name *b)
{
	return !memcmp(a->address, b->address, sizeof(a->address));
}

bool inet_same(const struct inet_name *a, const struct inet_name *b)
{
	return a->port == b->port && inet_same_address(a, b);
}

bool inet_is_any(const struct inet_name *n)
{
	return inet_same_address(n, &inet_any4) || inet_same_address(n, &inet_any6);
}

bool inet_is_local(const struct inet_name *n)
{
	return inet_is4(n) ? n->address[12] == 127 : inet_same_address(n, &inet_loopback6);
}

static void name4(const u8 *bytes, struct inet_name *out)
{
	const struct inet_address4 *a = (const struct inet_address4 *)bytes;

	*out = inet_any4;
	memcpy(out->address + 12, a->address, 4);
	out->port = __builtin_bswap16(a->port);
}

s64 inet_name_parse(struct inet_socket *u, const u8 *bytes, u32 len, struct inet_name *out)
{
	const struct inet_address6 *a = (const struct inet_address6 *)bytes;
	bool six = u->e.s.family == AF_INET6;
	u16 family;

	if (len < (six ? LENGTH6_MIN : sizeof(struct inet_address4)))
		return -EINVAL;
	memcpy(&family, bytes, sizeof(family));
	if (family != u->e.s.family)
		return -EAFNOSUPPORT;
	if (!six) {
		name4(bytes, out);
		return 0;
	}
	memcpy(out->address, a->address, sizeof(out->address));
	out->port = __builtin_bswap16(a->port);
	return 0;
}

u32 inet_name_show(struct inet_socket *u, const struct inet_name *n, u8 *bytes)
{
	struct inet_address4 *four = (struct inet_address4 *)bytes;
	struct inet_address6 *six = (struct inet_address6 *)bytes;

	if (u->e.s.family == AF_INET) {
		memset(four, 0, sizeof(*four));
		four->family = AF_INET;
		four->port = __builtin_bswap16(n->port);
		memcpy(four->address, n->address + 12, 4);
		return sizeof(*four);
	}
	memset(six, 0, sizeof(*six));
	six->family = AF_INET6;
	six->port = __builtin_bswap16(n->port);
	memcpy(six->address, n->address, sizeof(six->address));
	return sizeof(*six);
}

s64 inet_route(struct inet_socket *u, struct inet_name *n)
{
	static const u8 broadcast[4] = {255, 255, 255, 255};
	u16 port = n->port;

	/* ::ffff:0.0.0.0 is mapped, and :: is not, for a socket that is for IPv6 only. */
	if (u->e.s.family == AF_INET6 && inet_is4(n) && inet_flag(u, INET_V6ONLY))
		return -ENETUNREACH;
	if (inet_is_any(n)) {
		bool four = inet_is4(n) || (u->e.s.family == AF_INET6 && inet_is4(&u->local));

		*n = four ? inet_loopback4 : inet_loopback6;
		n->port = port;
		return 0;
	}
	if (inet_is_local(n))
		return 0;
	if (inet_is4(n) && !memcmp(n->address + 12, broadcast, 4) && u->e.s.type == SOCK_DGRAM &&
		!(atomic_load(&u->e.s.flags) & SOCKET_BROADCAST))
		return -EACCES;
	return -ENETUNREACH;
}
