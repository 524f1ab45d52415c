/* SPDX-License-Identifier: ISC */
/*
 * AF_NETLINK, NETLINK_ROUTE: what programs read about interfaces, addresses and routes, of which
 * there are those of lo. A request is answered while it is sent: the answers lie in the socket's
 * own queue then. Nothing can be changed (EPERM), and no event ever comes. Sources: netlink(7),
 * rtnetlink(7).
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/net/inet.h"
#include "kernel/net/netlink.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/vfs_hooks.h"

#define REQUEST_MAX 8192u

static struct netlink_socket *netlink_of(struct socket *s)
{
	return (struct netlink_socket *)s;
}

static s64 netlink_create(u32 family, u32 type, u32 protocol, struct socket **out)
{
	struct endpoint *e;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	e = endpoint_new(SPARE_NETLINK, sizeof(struct netlink_socket), family, type, protocol);
	if (!e)
		return -ENOBUFS;
	*out = &e->s;
	return 0;
}

/* ---- names: a port id is the process's, or where that is taken any other */

static bool port_taken(u32 port)
{
	for (struct endpoint *e = net_shared()->all; e; e = e->next)
		if (e->s.family == AF_NETLINK && ((struct netlink_socket *)e)->port == port)
			return true;
	return false;
}

static s64 port_take(struct netlink_socket *n, u32 wanted)
{
	u32 port = wanted ? wanted : (u32)current->proc->kp->pid;
	s64 err = 0;

	net_lock();
	if (n->port) {
		err = wanted && n->port != wanted ? -EINVAL : 0;
	} else {
		while (!wanted && port_taken(port))
			port = port >> 31 ? port - 1 : ~0u - 4096;
		err = wanted && port_taken(port) ? -EADDRINUSE : 0;
		if (!err)
			n->port = port;
	}
	net_unlock();
	return err;
}

static s64 netlink_bind(struct socket *s, const u8 *address, u32 len)
{
	const struct sockaddr_nl *a = (const struct sockaddr_nl *)address;

	if (len < sizeof(*a) || a->nl_family != AF_NETLINK)
		return -EINVAL;
	netlink_of(s)->groups = a->nl_groups;
	return port_take(netlink_of(s), a->nl_pid);
}

static s64 netlink_connect(struct socket *s, const u8 *address, u32 len, bool nonblock)
{
	const struct sockaddr_nl *a = (const struct sockaddr_nl *)address;

	if (len < sizeof(*a) || a->nl_family != AF_NETLINK)
		return -EINVAL;
	return a->nl_pid ? -ECONNREFUSED : port_take(netlink_of(s), 0);
}

static s64 netlink_name_get(struct socket *s, bool peer, u8 *out)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};

	if (!peer) {
		a.nl_pid = netlink_of(s)->port;
		a.nl_groups = netlink_of(s)->groups;
	}
	memcpy(out, &a, sizeof(a));
	return sizeof(a);
}

/* ---- requests */

s64 netlink_reply(struct netlink_socket *n, const void *bytes, u32 len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct msg *msg;

	if (atomic_load(&n->e.in.used) > atomic_load(&n->e.s.receive_size))
		return -ENOBUFS;
	msg = msg_alloc(len, sizeof(kernel));
	if (!msg)
		return -ENOBUFS;
	memcpy(msg->bytes, &kernel, sizeof(kernel));
	memcpy(msg_data(msg), bytes, len);
	if (!msgq_append(&n->e.in, msg))
		msg_free(msg);
	return 0;
}

s64 netlink_tell(struct file *f, const void *bytes, u32 len)
{
	struct socket *s = f->type == FILE_SOCKET ? (struct socket *)f->priv[0] : NULL;

	if (!s)
		return -ENOTSOCK;
	if (s->family != AF_NETLINK)
		return -EINVAL;
	return bytes ? netlink_reply(netlink_of(s), bytes, len) : 0;
}

/* The answer to what is not answered otherwise; 0: it is acknowledged. */
static s64 error_reply(struct netlink_socket *n, const struct nlmsghdr *h, s64 err)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} reply = {.h = {sizeof(reply), NLMSG_ERROR, 0, h->nlmsg_seq, n->port}};

	reply.e.error = (s32)err;
	reply.e.msg = *h;
	return netlink_reply(n, &reply, sizeof(reply));
}

static s64 request(struct netlink_socket *n, const struct nlmsghdr *h)
{
	s64 err;

	if (!(h->nlmsg_flags & NLM_F_REQUEST) || h->nlmsg_type < RTM_BASE)
		return 0;
	err = route_request(n, h);
	if (err || h->nlmsg_flags & NLM_F_ACK)
		return error_reply(n, h, err);
	return 0;
}

static s64 netlink_send(struct socket *s, struct net_message *m)
{
	struct netlink_socket *n = netlink_of(s);
	const struct sockaddr_nl *a = (const struct sockaddr_nl *)m->address;
	u32 len = (u32)m->data.left;
	s64 err;
	char *buf;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->address_len && (m->address_len < sizeof(*a) || a->nl_family != AF_NETLINK))
		return -EINVAL;
	if (m->address_len && a->nl_pid)
		return -ECONNREFUSED;
	err = port_take(n, 0);
	if (err)
		return err;
	if (len > REQUEST_MAX)
		return -EMSGSIZE;
	buf = kmalloc(MAX(len, 1u));
	if (!buf)
		return -ENOBUFS;
	err = len && iov_copy_in(&m->data, buf, len) ? -EFAULT : 0;
	for (u32 at = 0; !err && at + sizeof(struct nlmsghdr) <= len;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(buf + at);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - at)
			break;
		err = request(n, h);
		at += ALIGN_UP(h->nlmsg_len, 4);
	}
	kfree(buf);
	return err ? err : (s64)len;
}

/* ---- reading */

static bool receive_ready(void *arg)
{
	return atomic_load(&((struct endpoint *)arg)->in.count);
}

static s64 netlink_receive(struct socket *s, struct net_message *m)
{
	struct endpoint *e = endpoint_of(s);
	s64 r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		r = packet_receive(&e->in, m);
		m->cred_known = false;
		if (r != -EAGAIN)
			return r;
		r = net_wait(&e->in.readable, NO_PEER, m->deadline_ns, receive_ready, e);
		if (r)
			return r;
	}
}

static u32 netlink_poll(struct socket *s, struct poll_table *pt)
{
	struct endpoint *e = endpoint_of(s);

	poll_wait_for(pt, &e->in.readable, POLL_READABLE);
	return POLL_WRITABLE | (atomic_load(&e->in.count) ? POLL_READABLE : 0);
}

/* ---- the rest */

static s64 netlink_listen(struct socket *s, u32 backlog)
{
	return -EOPNOTSUPP;
}

static s64 netlink_accept(struct socket *s, bool nonblock, struct socket *fresh)
{
	return -EOPNOTSUPP;
}

static s64 netlink_shutdown(struct socket *s, u32 bits)
{
	return -EOPNOTSUPP;
}

static s64 netlink_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	return interface_ioctl(s, cmd, arg);
}

static s64 netlink_option_get(struct socket *s, u32 level, u32 name, void *value, u32 size)
{
	return -ENOPROTOOPT;
}

/* Groups of events, and what else a listener says about those: none comes. */
static s64 netlink_option_set(struct socket *s, u32 level, u32 name, const void *value, u32 size)
{
	if (level != SOL_NETLINK_LEVEL)
		return -ENOPROTOOPT;
	switch (name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
	case NETLINK_PKTINFO:
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_CAP_ACK:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK: return size < sizeof(s32) ? -EINVAL : 0;
	default: return -ENOPROTOOPT;
	}
}

/* There is nothing that could be said with a request. */
static s64 netlink_control(struct socket *s, struct net_message *m, s32 level, s32 type,
						   const void *data, u64 bytes)
{
	return 0;
}

static u32 netlink_error_take(struct socket *s)
{
	return atomic_exchange(&s->error, 0);
}

static void netlink_release(struct socket *s)
{
	struct endpoint *e = endpoint_of(s);

	atomic_store(&e->state, ENDPOINT_CLOSED);
	msgq_close(&e->in);
	queue_wake_all(&e->in.readable);
}

static void netlink_free(struct socket *s)
{
	endpoint_free(endpoint_of(s), SPARE_NETLINK, sizeof(struct netlink_socket));
}

/* AF_PACKET: there are no packets. */
static s64 packet_create(u32 family, u32 type, u32 protocol, struct socket **out)
{
	return -EPERM;
}

const struct net_ops packet_ops = {.name = "packet", .create = packet_create};

const struct net_ops netlink_ops = {
	.name = "netlink",
	.create = netlink_create,
	.bind = netlink_bind,
	.listen = netlink_listen,
	.connect = netlink_connect,
	.accept = netlink_accept,
	.shutdown = netlink_shutdown,
	.name_get = netlink_name_get,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.ioctl = netlink_ioctl,
	.control = netlink_control,
	.option_get = netlink_option_get,
	.option_set = netlink_option_set,
	.error_take = netlink_error_take,
	.release = netlink_release,
	.free = netlink_free,
};
