/* SPDX-License-Identifier: ISC */
/* Names of sockets of the host, in its own shape and in kin's. */
#include <asm/errno.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"

u32 host_address(const struct inet_socket *u, const struct inet_name *n, u8 *bytes)
{
	return inet_name_show((struct inet_socket *)u, n, bytes);
}

void host_address_read(const u8 *bytes, struct inet_name *n)
{
	const struct inet_address4 *four = (const struct inet_address4 *)bytes;
	const struct inet_address6 *six = (const struct inet_address6 *)bytes;

	*n = inet_any4;
	n->port = __builtin_bswap16(four->port);
	if (four->family == AF_INET6)
		memcpy(n->address, six->address, sizeof(n->address));
	else
		memcpy(n->address + 12, four->address, sizeof(four->address));
}

s64 host_name(struct inet_socket *u, bool peer, struct inet_name *out)
{
	struct host_handle *h = host_find(u);
	u8 bytes[HYP_ADDRESS_MAX] __attribute__((aligned(8))) = {0};
	s64 r = h ? host_net_name(host_number(h), peer, bytes, sizeof(bytes)) : -EBADF;

	if (r < 0)
		return r;
	host_address_read(bytes, out);
	return 0;
}

s64 host_bind(struct inet_socket *u, struct inet_name *n)
{
	struct host_handle *h = host_find(u);
	u8 bytes[HYP_ADDRESS_MAX] __attribute__((aligned(8)));
	struct inet_name got;
	s64 err;

	if (!h)
		return -EBADF;
	err = host_net_bind(host_number(h), bytes, host_address(u, n, bytes));
	if (err || n->port)
		return err;
	err = host_name(u, false, &got);
	n->port = got.port;
	return err;
}
