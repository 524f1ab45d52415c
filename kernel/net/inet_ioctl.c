/* SPDX-License-Identifier: ISC */
/*
 * ioctl of sockets: how much there is to read, and the only network interface, lo. Source:
 * netdevice(7).
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/host/host.h"
#include "kernel/net/host_socket.h"

#define LO_FLAGS 0x49 /* IFF_UP | IFF_LOOPBACK | IFF_RUNNING */

/* struct ifreq: a name, and what is asked of it */
struct interface_request {
	char name[16];
	union {
		struct inet_address4 address;
		s16 flags;
		s32 number;
		struct {
			u16 family;
			u8 hardware[14];
		} hardware;
		u8 room[24];
	};
};

struct interface_list {
	s32 bytes;
	u32 pad;
	u64 requests;
};

static void address_of(struct interface_request *r, u8 a, u8 b, u8 c, u8 d)
{
	r->address = (struct inet_address4){.family = AF_INET, .address = {a, b, c, d}};
}

static s64 list_all(u64 arg)
{
	struct interface_request lo = {.name = "lo"};
	struct interface_list list;

	if (copy_in(&list, (void *)arg, sizeof(list)))
		return -EFAULT;
	address_of(&lo, 127, 0, 0, 1);
	if (list.requests) {
		bool fits = list.bytes >= (s32)sizeof(lo);

		if (fits && copy_out((void *)list.requests, &lo, sizeof(lo)))
			return -EFAULT;
		list.bytes = fits ? sizeof(lo) : 0;
	} else {
		list.bytes = sizeof(lo);
	}
	return copy_out((void *)arg, &list, sizeof(list));
}

/* What is known of lo. */
static s64 answer(u32 cmd, struct interface_request *r)
{
	switch (cmd) {
	case SIOCGIFADDR: address_of(r, 127, 0, 0, 1); return 0;
	case SIOCGIFNETMASK: address_of(r, 255, 0, 0, 0); return 0;
	case SIOCGIFBRDADDR: address_of(r, 0, 0, 0, 0); return 0;
	case SIOCGIFDSTADDR: address_of(r, 127, 0, 0, 1); return 0;
	case SIOCGIFFLAGS: r->flags = LO_FLAGS; return 0;
	case SIOCGIFMTU: r->number = INET_MTU; return 0;
	case SIOCGIFINDEX: r->number = LO_INDEX; return 0;
	case SIOCGIFTXQLEN: r->number = LO_QUEUE_LENGTH; return 0;
	case SIOCGIFMETRIC: r->number = 0; return 0;
	case SIOCGIFHWADDR:
		memset(&r->hardware, 0, sizeof(r->hardware));
		r->hardware.family = LO_HARDWARE;
		return 0;
	default: return -ENOTTY;
	}
}

static bool about_addresses(u32 cmd)
{
	return cmd == SIOCGIFADDR || cmd == SIOCGIFNETMASK || cmd == SIOCGIFBRDADDR ||
		   cmd == SIOCGIFDSTADDR;
}

s64 interface_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct interface_request r;
	s64 err;

	if (about_addresses(cmd) && s->family != AF_INET)
		return -ENOTTY;
	if (cmd == SIOCGIFCONF)
		return list_all(arg);
	if (cmd < SIOCGIFNAME || cmd > SIOCSIFTXQLEN)
		return -ENOTTY;
	if (copy_in(&r, (void *)arg, sizeof(r)))
		return -EFAULT;
	r.name[sizeof(r.name) - 1] = '\0';
	if (cmd == SIOCGIFNAME) {
		if (r.number != LO_INDEX)
			return -ENODEV;
		strlcpy(r.name, "lo", sizeof(r.name));
		return copy_out((void *)arg, &r, sizeof(r));
	}
	if (strcmp(r.name, "lo"))
		return -ENODEV;
	err = answer(cmd, &r);
	if (err == -ENOTTY) /* SIOCSIF*: nobody here has an interface to set */
		return -EPERM;
	return copy_out((void *)arg, &r, sizeof(r));
}

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
