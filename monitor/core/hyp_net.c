/* SPDX-License-Identifier: ISC */
/*
 * Sockets of the host: those that a member may make in the network namespace that its family was
 * given (--net), and those that came from a published port (--publish). None of these calls waits.
 * What a socket may be told is said by the seccomp filter (host_calls.def), which ends a process
 * that asks for anything else: handlers refuse it before.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"
#include "monitor/core/host_constants.h"
#include "monitor/core/net_options.h"

#define OPTION_MAX 256
#define MADE (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
/* What a family that may make no sockets can ask of a send. */
#define PLAIN_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE)

static bool protocol_allowed(u64 family, u64 type, u64 protocol)
{
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (type == SOCK_STREAM)
		return protocol == IPPROTO_TCP;
	return type == SOCK_DGRAM &&
		   (protocol == IPPROTO_UDP ||
			protocol == (family == AF_INET ? (u64)IPPROTO_ICMP : (u64)IPPROTO_ICMPV6));
}

/* One that this member made or was handed: neither standard input, output, error nor published. */
static bool handle_own(const struct member *m, u64 handle)
{
	return family_has_sockets(m->family) && handle > STDERR_FILENO && !handle_published(m, handle);
}

/* The same, and the family may make such. */
static s64 made_check(const struct member *m, u64 handle)
{
	if (!m->family->sockets)
		return -EPERM;
	return handle_own(m, handle) ? 0 : -EBADF;
}

/* Datagrams come and go through it: a published UDP port's end of the pair with the relay. */
static bool handle_relayed(const struct member *m, u64 handle)
{
	for (u32 i = 0; i < m->family->published_count; i++)
		if ((u64)m->family->published[i].fd == handle)
			return m->family->published[i].udp;
	return false;
}

static s64 address_load(u8 *address, const struct hypercall_call *call)
{
	if (call->arg[2] > HYP_ADDRESS_MAX)
		return -EINVAL;
	return guest_read(address, call->arg[1], call->arg[2]);
}

s64 hyp_net_socket(struct member *m, struct hypercall_call *call)
{
	if (!m->family->sockets)
		return -EPERM;
	if (!protocol_allowed(call->arg[0], call->arg[1], call->arg[2]))
		return -EPROTONOSUPPORT;
	return handle_admit(m, HOST_CALL(SYS_socket, call->arg[0], call->arg[1] | MADE, call->arg[2]));
}

/* bind or connect */
static s64 address_call(struct member *m, const struct hypercall_call *call, long nr)
{
	u8 address[HYP_ADDRESS_MAX];
	s64 r = made_check(m, call->arg[0]);

	if (!r)
		r = address_load(address, call);
	return r ? r : HOST_CALL(nr, call->arg[0], address, call->arg[2]);
}

s64 hyp_net_bind(struct member *m, struct hypercall_call *call)
{
	return address_call(m, call, SYS_bind);
}

s64 hyp_net_listen(struct member *m, struct hypercall_call *call)
{
	s64 r = made_check(m, call->arg[0]);

	return r ? r : HOST_CALL(SYS_listen, call->arg[0], (u32)call->arg[1]);
}

s64 hyp_net_connect(struct member *m, struct hypercall_call *call)
{
	return address_call(m, call, SYS_connect);
}

s64 hyp_net_accept(struct member *m, struct hypercall_call *call)
{
	u8 address[HYP_ADDRESS_MAX] = {0};
	socklen_t len = sizeof(address);
	s64 r = handle_published(m, call->arg[0]) ? 0 : made_check(m, call->arg[0]);

	if (!r)
		r = HOST_CALL(SYS_accept4, call->arg[0], address, &len, MADE);
	if (r >= 0 && guest_write(call->arg[1], address, MIN(call->arg[2], sizeof(address))) < 0) {
		HOST_CALL(SYS_close, r);
		return -EFAULT;
	}
	return handle_admit(m, r);
}

s64 hyp_net_shutdown(struct member *m, struct hypercall_call *call)
{
	return handle_own(m, call->arg[0]) ? HOST_CALL(SYS_shutdown, call->arg[0], call->arg[1])
									   : -EBADF;
}

s64 hyp_net_name(struct member *m, struct hypercall_call *call)
{
	u8 address[HYP_ADDRESS_MAX] = {0};
	socklen_t len = sizeof(address);
	s64 r;

	if (!handle_own(m, call->arg[0]))
		return -EBADF;
	r = HOST_CALL(call->arg[3] ? SYS_getpeername : SYS_getsockname, call->arg[0], address, &len);
	if (r < 0)
		return r;
	r = guest_write(call->arg[1], address, MIN(call->arg[2], sizeof(address)));
	return r < 0 ? r : (s64)len;
}

/* ---- messages: the structure is copied once; then only the copy counts */

static s64 message_load(const struct member *m, const struct hypercall_call *call,
						struct hyp_message *h, struct iovec *iov)
{
	if (!handle_own(m, call->arg[0]) && !handle_relayed(m, call->arg[0]))
		return -EBADF;
	if (call->arg[2] < sizeof(*h) || guest_read(h, call->arg[1], sizeof(*h)) < 0)
		return -EFAULT;
	if (h->count > HYP_MESSAGE_PIECES || h->address_len > sizeof(h->address) ||
		h->control_len > sizeof(h->control))
		return -EINVAL;
	for (u32 i = 0; i < h->count; i++) {
		if (h->piece[i].len > HYPERCALL_BUFFER_MAX)
			return -EINVAL;
		if (!guest_range_valid(m->family, h->piece[i].addr, h->piece[i].len))
			return -EFAULT;
		iov[i] = (struct iovec){(void *)h->piece[i].addr, h->piece[i].len};
	}
	return 0;
}

static struct msghdr message_of(struct hyp_message *h, struct iovec *iov)
{
	return (struct msghdr){
		.msg_name = h->address_len ? h->address : NULL,
		.msg_namelen = h->address_len,
		.msg_iov = iov,
		.msg_iovlen = h->count,
		.msg_control = h->control_len ? h->control : NULL,
		.msg_controllen = h->control_len,
	};
}

/* What a family gets that may make no sockets: the first piece, to whom the socket is connected. */
static s64 send_plain(const struct hypercall_call *call, const struct hyp_message *h,
					  const struct iovec *iov)
{
	if (h->address_len || h->control_len || h->flags & ~(u32)PLAIN_FLAGS)
		return -EPERM;
	return HOST_CALL(SYS_sendto, call->arg[0], h->count ? iov->iov_base : NULL,
					 h->count ? iov->iov_len : 0, h->flags | MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

s64 hyp_net_send(struct member *m, struct hypercall_call *call)
{
	struct iovec iov[HYP_MESSAGE_PIECES];
	struct hyp_message h;
	s64 r = message_load(m, call, &h, iov);

	if (r < 0)
		return r;
	if (handle_relayed(m, call->arg[0]))
		h.flags = 0;
	if (!m->family->sockets || handle_relayed(m, call->arg[0]))
		return send_plain(call, &h, iov);
	struct msghdr msg = message_of(&h, iov);
	return HOST_CALL(SYS_sendmsg, call->arg[0], &msg, h.flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

s64 hyp_net_receive(struct member *m, struct hypercall_call *call)
{
	struct iovec iov[HYP_MESSAGE_PIECES];
	struct hyp_message h;
	s64 r = message_load(m, call, &h, iov);

	if (r < 0)
		return r;
	struct msghdr msg = message_of(&h, iov);
	r = HOST_CALL(SYS_recvmsg, call->arg[0], &msg,
				  (h.flags & ~(u32)MSG_CMSG_CLOEXEC) | MSG_DONTWAIT);
	if (r < 0)
		return r;
	h.flags = (u32)msg.msg_flags;
	h.address_len = (u32)MIN(msg.msg_namelen, sizeof(h.address));
	h.control_len = (u32)MIN(msg.msg_controllen, sizeof(h.control));
	return guest_write(call->arg[1], &h, sizeof(h)) < 0 ? -EFAULT : r;
}

/* ---- options */

struct option_list {
	u32 level, n;
	const u32 *names;
};
#define OPTIONS(level_, ...)                                                           \
	{                                                                                  \
		level_, sizeof((const u32[]){__VA_ARGS__}) / sizeof(u32), (const u32[])        \
		{                                                                              \
			__VA_ARGS__                                                                \
		}                                                                              \
	}

static const struct option_list options_set[] = {
	OPTIONS(SOL_SOCKET, SET_SOCKET),
	OPTIONS(IPPROTO_TCP, SET_TCP),
	OPTIONS(IPPROTO_IP, SET_IP),
	OPTIONS(IPPROTO_IPV6, SET_IPV6),
};
static const struct option_list options_get[] = {
	OPTIONS(SOL_SOCKET, GET_SOCKET),
	OPTIONS(IPPROTO_TCP, GET_TCP),
	OPTIONS(IPPROTO_IP, GET_IP),
	OPTIONS(IPPROTO_IPV6, GET_IPV6),
};

static bool option_listed(const struct option_list *lists, size_t n, u64 level, u64 name)
{
	for (size_t i = 0; i < n; i++)
		for (u32 k = 0; lists[i].level == level && k < lists[i].n; k++)
			if (lists[i].names[k] == name)
				return true;
	return false;
}

s64 hyp_net_option_get(struct member *m, struct hypercall_call *call)
{
	u8 value[OPTION_MAX] = {0};
	socklen_t len = (socklen_t)MIN(call->arg[4], sizeof(value));
	s64 r;

	if (!handle_own(m, call->arg[0]))
		return -EBADF;
	if (!option_listed(options_get, ARRAY_SIZE(options_get), call->arg[1], call->arg[2]))
		return -ENOPROTOOPT;
	r = HOST_CALL(SYS_getsockopt, call->arg[0], call->arg[1], call->arg[2], value, &len);
	if (r < 0)
		return r;
	r = guest_write(call->arg[3], value, MIN((u64)len, sizeof(value)));
	return r < 0 ? r : (s64)len;
}

/* The host gets a constant of the monitor's, which is all that the filter lets through. */
static s64 linger_set(const struct hypercall_call *call)
{
	const struct linger *allowed;
	struct linger wanted;

	if (call->arg[4] < sizeof(wanted))
		return -EINVAL;
	if (guest_read(&wanted, call->arg[3], sizeof(wanted)) < 0)
		return -EFAULT;
	allowed = host_linger_find(&wanted);
	return allowed ? HOST_CALL(SYS_setsockopt, call->arg[0], SOL_SOCKET, SO_LINGER, allowed,
							   sizeof(*allowed))
				   : -EINVAL;
}

s64 hyp_net_option_set(struct member *m, struct hypercall_call *call)
{
	u8 value[OPTION_MAX];

	if (!handle_own(m, call->arg[0]))
		return -EBADF;
	if (call->arg[1] == SOL_SOCKET && call->arg[2] == SO_LINGER)
		return linger_set(call);
	if (!option_listed(options_set, ARRAY_SIZE(options_set), call->arg[1], call->arg[2]))
		return -ENOPROTOOPT;
	if (call->arg[4] > sizeof(value))
		return -EINVAL;
	if (guest_read(value, call->arg[3], call->arg[4]) < 0)
		return -EFAULT;
	return HOST_CALL(SYS_setsockopt, call->arg[0], call->arg[1], call->arg[2], value,
					 call->arg[4]);
}

s64 hyp_net_ioctl(struct member *m, struct hypercall_call *call)
{
	u64 request = call->arg[1];
	int n = 0;
	s64 r;

	if (!handle_own(m, call->arg[0]))
		return -EBADF;
	if (request != FIONREAD && request != SIOCOUTQ && request != SIOCATMARK)
		return -ENOTTY;
	r = HOST_CALL(SYS_ioctl, call->arg[0], request, &n);
	return r < 0 ? r : MAX(n, 0);
}

/* ---- waiting: sleep.c asks the set */

/*
 * The number is what the filter knows the set by. Nothing can be copied to it, so it must be the
 * lowest that is free: those below it are taken (confine.c), and what has it until now, or is the
 * parent's set, is given up for that.
 */
static void watch_begin(struct member *m)
{
	int number = m->family->watch_fd;
	s64 fd;

	if (m->watches)
		return;
	HOST_CALL(SYS_close, number);
	fd = HOST_CALL(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (fd != number)
		member_die(m, "it cannot wait for sockets: the host gave no epoll (%lld)", (long long)fd);
	m->watches = true;
}

s64 hyp_net_watch(struct member *m, struct hypercall_call *call)
{
	struct epoll_event event = {.events = EVENTS, .data.u64 = call->arg[1]};
	u64 handle = call->arg[0];

	if (handle <= STDERR_FILENO || !family_has_sockets(m->family))
		return -EBADF;
	watch_begin(m);
	return HOST_CALL(SYS_epoll_ctl, m->family->watch_fd,
					 call->arg[2] ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, handle, &event);
}
