/* SPDX-License-Identifier: ISC */
/* ioctl of sockets of the internet families: how much there is to read, or not sent yet. */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/host/host.h"
#include "kernel/net/host_socket.h"

static s64 readable_bytes(struct inet_socket *u, s32 *n)
{
	struct conn *c = atomic_load(&u->e.conn);

	if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
		return -EINVAL;
	if (c) {
		*n = (s32)atomic_load(&c->q[u->e.end].unread);
	} else if (u->e.s.type == SOCK_DGRAM) {
		msgq_read_lock(&u->e.in);
		*n = u->e.in.head ? (s32)u->e.in.head->len : 0;
		msgq_read_unlock(&u->e.in);
	}
	return 0;
}

/* What is sent is received at once, as far as the receiver has room for it. */
static s64 unsent_bytes(struct inet_socket *u, s32 *n)
{
	struct conn *c = atomic_load(&u->e.conn);
	u64 there, room;

	if (atomic_load(&u->e.state) == ENDPOINT_LISTENING)
		return -EINVAL;
	if (!c)
		return 0;
	there = atomic_load(&c->q[!u->e.end].unread);
	room = atomic_load(&tcp_conn(c)->receives[!u->e.end]);
	*n = there > room ? (s32)(there - room) : 0;
	return 0;
}

static s64 outside_bytes(struct inet_socket *u, u32 cmd, u64 arg)
{
	struct host_handle *h = host_find(u);
	s64 r = h ? host_net_ioctl(host_number(h), cmd) : -EBADF;
	s32 n = (s32)r;

	return r < 0 ? r : copy_out((void *)arg, &n, sizeof(n));
}

s64 inet_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct inet_socket *u = inet_of(s);
	s32 n = 0;
	s64 err;

	if (is_outside(u) && (cmd == SIOCINQ || cmd == SIOCOUTQ || cmd == SIOCATMARK))
		return outside_bytes(u, cmd, arg);
	switch (cmd) {
	case SIOCINQ:
		err = readable_bytes(u, &n);
		if (!err && !n && s->type == SOCK_DGRAM && atomic_load(&u->host))
			return outside_bytes(u, cmd, arg);
		break;
	case SIOCOUTQ:
	case SIOCOUTQNSD: err = unsent_bytes(u, &n); break;
	case SIOCATMARK: err = s->type == SOCK_STREAM ? urgent_at_mark(&u->e, &n) : -ENOTTY; break;
	default: return interface_ioctl(s, cmd, arg);
	}
	return err ? err : copy_out((void *)arg, &n, sizeof(n));
}
