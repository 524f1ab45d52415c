/* SPDX-License-Identifier: ISC */
/*
 * Options that are also the host's business. Each is kept in kin (inet_option.c, option.c), where
 * programs read it; those that change what is sent, or how long is waited for a lost packet, are
 * told to the socket of the host. The monitor has the list of those that it passes on.
 */
#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/tcp.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"
#include "kernel/net/inet_option.h"

/*
 * Time-outs are kept by the waits here. SO_LINGER with seconds would let a close wait in the host:
 * only "at once" is told.
 */
static bool is_told(u32 level, u32 name, const void *value)
{
	const s32 *linger = value;

	if (level != SOL_SOCKET_LEVEL)
		return true;
	return name != SO_LINGER || !linger[0] || !linger[1];
}

void host_option_told(struct inet_socket *u, u32 level, u32 name, const void *value, u32 size)
{
	struct host_handle *h = atomic_load(&u->host) ? host_find(u) : NULL;

	if (h && is_told(level, name, value))
		host_net_option_set(host_number(h), level, name, value, size);
}

static void flag_tell(struct inet_socket *u, u32 flag, u32 name)
{
	s32 on = 1;

	if (atomic_load(&u->e.s.flags) & flag)
		host_option_told(u, SOL_SOCKET_LEVEL, name, &on, sizeof(on));
}

void host_options_tell(struct inet_socket *u)
{
	u32 level, name;
	s32 value;

	for (u32 i = 0; i < INET_OPTIONS; i++)
		if (inet_option_nth(u, i, &level, &name, &value) &&
			(level != IPPROTO_IPV6 || u->e.s.family == AF_INET6))
			host_option_told(u, level, name, &value, sizeof(value));
	flag_tell(u, SOCKET_KEEPALIVE, SO_KEEPALIVE);
	flag_tell(u, SOCKET_OOBINLINE, SO_OOBINLINE);
}

s64 host_option_get(struct inet_socket *u, u32 level, u32 name, void *value, u32 size)
{
	bool asked = (level == IPPROTO_TCP && (name == TCP_INFO || name == TCP_MAXSEG)) ||
				 (level == SOL_SOCKET_LEVEL && (name == SO_SNDBUF || name == SO_RCVBUF));
	struct host_handle *h = asked && is_outside(u) ? host_find(u) : NULL;

	return h ? host_net_option_get(host_number(h), level, name, value, size) : -ENOPROTOOPT;
}
