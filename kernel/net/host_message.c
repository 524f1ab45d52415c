/* SPDX-License-Identifier: ISC */
/*
 * Data to and from sockets of the host, straight from and to the memory that the application means.
 * What a receive was told beside the data (who sent it, to which address) goes to the application
 * as the host wrote it.
 */
#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/uio.h>

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/host_socket.h"
#include "kernel/net/inet_option.h"
#include "kernel/task/thread.h"

#define PIECE_MAX (8ull << 20)
#define DATAGRAM_MAX 65536u
enum { MSG_DONTROUTE_ = 4, MSG_CONFIRM_ = 0x800, MSG_MORE_ = 0x8000 };
#define SEND_FLAGS (MSG_OOB | MSG_EOR | MSG_CONFIRM_ | MSG_MORE_ | MSG_DONTROUTE_)
#define RECEIVE_FLAGS (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)

/* struct cmsghdr */
struct item {
	u64 len;
	s32 level, type;
};
#define ITEM_SPACE(bytes) (sizeof(struct item) + ALIGN_UP(bytes, 8))

/* As many pieces of the vector as fit: bytes; *fault: the application may not use the next. */
static u64 pieces(struct hyp_message *h, const struct iov_cursor *from, bool write, bool *fault)
{
	struct iov_cursor c = *from;
	u64 total = 0;

	h->count = 0;
	*fault = false;
	while (c.left && h->count < HYP_MESSAGE_PIECES) {
		u64 want = MIN(MIN(c.iov->iov_len - c.offset, c.left), PIECE_MAX), host, n;

		if (!want) {
			c.iov++;
			c.offset = 0;
			continue;
		}
		n = mm_host_span(current->proc->mm, (u64)c.iov->iov_base + c.offset, want, write, &host);
		if (!n) {
			*fault = true;
			break;
		}
		h->piece[h->count].addr = host;
		h->piece[h->count++].len = n;
		c.offset += n;
		c.left -= n;
		total += n;
	}
	return total;
}

/* n bytes of the vector are done. */
static void advance(struct iov_cursor *c, u64 n)
{
	c->left -= MIN(n, (u64)c->left);
	while (n) {
		u64 part = MIN(n, (u64)(c->iov->iov_len - c->offset));

		c->offset += part;
		n -= part;
		if (c->offset < c->iov->iov_len || !c->left)
			break;
		c->iov++;
		c->n--;
		c->offset = 0;
	}
	while (c->left && c->offset == c->iov->iov_len) {
		c->iov++;
		c->n--;
		c->offset = 0;
	}
}

static void item_add(struct hyp_message *h, s32 level, s32 type, const void *data, u32 bytes)
{
	struct item *i = (struct item *)(h->control + h->control_len);

	if (h->control_len + ITEM_SPACE(bytes) > sizeof(h->control))
		return;
	*i = (struct item){sizeof(*i) + bytes, level, type};
	memcpy(i + 1, data, bytes);
	h->control_len += (u32)ITEM_SPACE(bytes);
}

/* What the application has said of a datagram beside its data: inet_option.c has read it. */
static void items_send(const struct inet_socket *u, struct hyp_message *h,
					   const struct net_message *m)
{
	bool six = u->e.s.family == AF_INET6;
	s32 ttl = m->ttl, tos = m->tos;

	if (m->source_given && six) {
		u8 info[20] = {0};

		memcpy(info, m->source, 16);
		item_add(h, IPPROTO_IPV6, IPV6_PKTINFO_, info, sizeof(info));
	} else if (m->source_given) {
		u8 info[12] = {0};

		memcpy(info + 4, m->source + 12, 4);
		item_add(h, IPPROTO_IP, IP_PKTINFO, info, sizeof(info));
	}
	if (ttl)
		item_add(h, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_HOPLIMIT_ : IP_TTL, &ttl,
				 sizeof(ttl));
	if (m->tos_given)
		item_add(h, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TCLASS_ : IP_TOS, &tos,
				 sizeof(tos));
}

/* A datagram of more pieces than there is room for. */
static s64 send_gathered(struct host_handle *h, struct hyp_message *out, struct net_message *m)
{
	size_t len = m->data.left;
	char *whole = len <= DATAGRAM_MAX ? kmalloc(len) : NULL;
	s64 r = -EFAULT;

	if (!whole)
		return len > DATAGRAM_MAX ? -EMSGSIZE : -ENOBUFS;
	if (!iov_copy_in(&m->data, whole, len)) {
		out->count = 1;
		out->piece[0].addr = (u64)whole;
		out->piece[0].len = len;
		r = host_net_send(host_number(h), out);
	}
	kfree(whole);
	return r;
}

s64 host_send(struct inet_socket *u, struct host_handle *h, struct net_message *m,
			  const struct inet_name *to)
{
	struct hyp_message out;
	bool fault;
	u64 want;
	s64 r;

	out.flags = m->flags & SEND_FLAGS;
	out.control_len = 0;
	out.address_len = to ? host_address(u, to, out.address) : 0;
	items_send(u, &out, m);
	want = pieces(&out, &m->data, false, &fault);
	if (fault && !want)
		return -EFAULT;
	if (u->e.s.type == SOCK_DGRAM && want < m->data.left)
		return fault ? -EFAULT : send_gathered(h, &out, m);
	r = host_net_send(host_number(h), &out);
	if (r == -EAGAIN || (r >= 0 && (u64)r < want))
		host_not_ready(h, EPOLLOUT);
	else
		host_used(h, EPOLLOUT);
	if (r > 0)
		advance(&m->data, (u64)r);
	return r;
}

static void items_receive(struct net_message *m, const struct hyp_message *h)
{
	u32 at = 0;

	while (at + sizeof(struct item) <= h->control_len) {
		const struct item *i = (const struct item *)(h->control + at);

		if (i->len < sizeof(*i) || i->len > h->control_len - at)
			break;
		scm_put(m, i->level, i->type, i + 1, i->len - sizeof(*i));
		at += (u32)ALIGN_UP(i->len, 8);
	}
}

static void address_receive(struct inet_socket *u, struct net_message *m,
							const struct hyp_message *h)
{
	struct inet_name from;

	m->address_len = 0;
	if (!m->want_address || h->address_len < sizeof(u16))
		return;
	host_address_read(h->address, &from);
	m->address_len = inet_name_show(u, &from, m->address);
}

/* The other way; *moved 0: the vector has been moved on. */
static s64 receive_scattered(struct host_handle *h, struct hyp_message *in, struct net_message *m,
							 u64 *moved)
{
	size_t len = MIN(m->data.left, (size_t)DATAGRAM_MAX);
	char *whole = kmalloc(len);
	s64 r;

	if (!whole)
		return -ENOBUFS;
	in->count = 1;
	in->piece[0].addr = (u64)whole;
	in->piece[0].len = len;
	r = host_net_receive(host_number(h), in);
	*moved = 0;
	if (r > 0 && iov_copy_out(&m->data, whole, MIN((size_t)r, len)))
		r = -EFAULT;
	kfree(whole);
	return r;
}

/* MSG_TRUNC of a stream: bytes are received to be forgotten. */
static s64 forget(struct host_handle *h, struct net_message *m)
{
	static char nowhere[4096];
	struct hyp_message in = {.flags = m->flags & (MSG_OOB | MSG_PEEK), .count = 1};
	s64 r;

	in.piece[0].addr = (u64)nowhere;
	in.piece[0].len = MIN(m->data.left, sizeof(nowhere));
	r = host_net_receive(host_number(h), &in);
	if (r == -EAGAIN)
		host_not_ready(h, EPOLLIN | EPOLLPRI | EPOLLRDHUP);
	else
		host_used(h, EPOLLIN | EPOLLPRI);
	if (r > 0)
		m->data.left -= (u64)r;
	return r;
}

s64 host_receive(struct inet_socket *u, struct host_handle *h, struct net_message *m)
{
	bool stream = u->e.s.type == SOCK_STREAM, fault;
	struct hyp_message in;
	u64 want;
	s64 r;

	in.flags = m->flags & RECEIVE_FLAGS;
	in.control_len = m->control && !stream ? sizeof(in.control) : 0;
	in.address_len = stream ? 0 : sizeof(in.address);
	if (stream && m->flags & MSG_TRUNC)
		return forget(h, m);
	want = pieces(&in, &m->data, true, &fault);
	if (fault && !want)
		return -EFAULT;
	if (!stream && want < m->data.left && !fault)
		r = receive_scattered(h, &in, m, &want);
	else
		r = host_net_receive(host_number(h), &in);
	if (r == -EAGAIN)
		host_not_ready(h, EPOLLIN | EPOLLPRI | EPOLLRDHUP);
	else if (m->flags & MSG_OOB && !(m->flags & MSG_PEEK))
		host_not_ready(h, EPOLLPRI);
	else if (stream && r > 0 && (u64)r < want && !(m->flags & (MSG_PEEK | MSG_OOB)))
		host_drained(h);
	else
		host_used(h, EPOLLIN | EPOLLPRI);
	if (r < 0)
		return r;
	m->out_flags |= in.flags & (MSG_OOB | MSG_TRUNC | MSG_CTRUNC | MSG_ERRQUEUE);
	address_receive(u, m, &in);
	if (m->control)
		items_receive(m, &in);
	advance(&m->data, MIN((u64)r, want));
	return r;
}

/* ---- waiting */

struct waiting {
	struct inet_socket *u;
	struct host_handle *h;
	u32 events;
};

static bool host_ready(void *arg)
{
	struct waiting *w = arg;

	if (host_hopeful(w->h, w->events))
		return true;
	if (!(w->events & EPOLLIN))
		return false;
	return atomic_load(&w->u->e.npending) || atomic_load(&w->u->e.in.count) ||
		   atomic_load(&w->u->e.shut) & SHUT_RECEIVE || atomic_load(&w->u->e.s.error);
}

s64 host_wait(struct inet_socket *u, struct host_handle *h, u32 events, u64 deadline_ns)
{
	struct waiting w = {u, h, events};
	s64 err;

	if (!deadline_ns)
		return -EAGAIN;
	err = host_watch(h);
	if (err)
		return err;
	host_sleep_begin(h);
	err = net_wait(events & EPOLLOUT ? &u->e.in.writable : &u->e.in.readable, NO_PEER, deadline_ns,
				   host_ready, &w);
	host_sleep_end(h);
	return err;
}
