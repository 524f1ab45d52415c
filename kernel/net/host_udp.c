/* SPDX-License-Identifier: ISC */
/*
 * UDP and ICMP echo of the host. A socket is bound, and connected, on both sides: what a receiver
 * of the family would take goes through kin, everything else to the host; both are received.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_socket.h"

s64 host_autobind(struct inet_socket *u)
{
	struct inet_name name = u->local;
	s64 err = host_bind(u, &name);

	if (err)
		return err;
	net_lock();
	if (!u->chain_prev) {
		u->local.port = name.port;
		port_enter(u, port_table_of(u));
	}
	net_unlock();
	return 0;
}

s64 host_udp_send(struct inet_socket *u, struct net_message *m, const struct inet_name *to)
{
	struct host_handle *h = host_find(u);
	s64 r;

	if (!h)
		return -EBADF;
	for (;;) {
		r = host_send(u, h, m, m->address_len ? to : NULL);
		if (r == -EPIPE)
			return net_broken(m->flags);
		if (r != -EAGAIN)
			return r;
		r = host_wait(u, h, EPOLLOUT, m->deadline_ns);
		if (r)
			return r;
	}
}

/* to NULL: not any more. */
s64 host_udp_connect(struct inet_socket *u, const struct inet_name *to)
{
	struct host_handle *h = host_find(u);
	u8 bytes[HYP_ADDRESS_MAX] __attribute__((aligned(8))) = {0};
	struct inet_name local;
	s64 err;

	if (!h)
		return 0;
	err = host_net_connect(host_number(h), bytes, to ? host_address(u, to, bytes) : 16);
	if (err || !to || inet_is_local(to))
		return err;
	err = host_name(u, false, &local);
	if (err)
		return err;
	net_lock();
	local.port = u->local.port;
	u->local = local;
	u->peer = *to;
	net_unlock();
	return 0;
}
