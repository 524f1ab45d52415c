/* SPDX-License-Identifier: ISC */
/*
 * Host calls about sockets (boundary_internal.h): made, in the network namespace of net_world.c,
 * once they are seen to be what the seccomp filter would let through (monitor/core/host_calls.def)
 * and not to wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boundary_fds.h"
#include "boundary_internal.h"
#include "monitor/core/net_options.h"

#define MADE (SOCK_CLOEXEC | SOCK_NONBLOCK)
/* What one message carries at most here: more is as a host without room for it. */
#define MESSAGE_BYTES_MAX (1u << 20)

bool net_call_known(const struct call *c)
{
	switch (c->nr) {
	case SYS_socket:
	case SYS_bind:
	case SYS_listen:
	case SYS_connect:
	case SYS_accept4:
	case SYS_shutdown:
	case SYS_getsockname:
	case SYS_getpeername:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_getsockopt:
	case SYS_setsockopt:
	case SYS_epoll_create1:
	case SYS_epoll_ctl:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2: return true;
	default: return false;
	}
}

static bool watch(u64 fd)
{
	return world.member.watches && fd == (u64)world.family.watch_fd;
}

/* Nothing that the host is asked about a socket may wait. */
static bool waits(u64 fd)
{
	return fds_is_socket(fd) && !(fcntl((int)fd, F_GETFL) & O_NONBLOCK);
}

static s64 do_socket(const struct call *c)
{
	const u64 *a = c->arg;
	u64 icmp = a[0] == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	s64 fd;

	REQUIRE(world.family.sockets, c);
	REQUIRE(a[0] == AF_INET || a[0] == AF_INET6, c);
	REQUIRE(a[1] == (SOCK_STREAM | MADE) ? a[2] == IPPROTO_TCP
										 : a[1] == (SOCK_DGRAM | MADE) &&
											   (a[2] == IPPROTO_UDP || a[2] == icmp),
			c);
	fd = call_make(c);
	fds_opened(fd);
	return fd;
}

static s64 do_accept(const struct call *c)
{
	s64 fd;

	REQUIRE(fd_published(c->arg[0]) || world.family.sockets, c);
	REQUIRE((u32)c->arg[3] == MADE, c);
	call_own_memory(c, c->arg[2], sizeof(socklen_t));
	call_own_memory(c, c->arg[1], *(const socklen_t *)c->arg[2]);
	fd = call_make(c);
	fds_opened(fd);
	return fd;
}

static s64 do_name(const struct call *c)
{
	call_own_memory(c, c->arg[2], sizeof(socklen_t));
	call_own_memory(c, c->arg[1], *(const socklen_t *)c->arg[2]);
	return call_make(c);
}

/* Where members may make no sockets: to whom it is connected, and nothing beside bytes. */
static s64 do_sendto(const struct call *c)
{
	u32 plain = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE, flags = (u32)c->arg[3];

	REQUIRE(flags & MSG_DONTWAIT && flags & MSG_NOSIGNAL, c);
	REQUIRE(world.family.sockets || (!c->arg[4] && !(flags & ~plain)), c);
	if (c->arg[2] > MESSAGE_BYTES_MAX)
		return -ENOBUFS;
	return call_memory(c, c->arg[1], c->arg[2]) ? call_make(c) : -EFAULT;
}

/* The pieces are the guest's memory, all else is the monitor's, with room for what may come. */
static s64 do_message(const struct call *c)
{
	const struct msghdr *msg = (const struct msghdr *)c->arg[1];
	u32 flags = (u32)c->arg[2];
	bool there = true;
	u64 bytes = 0;

	REQUIRE(flags & MSG_DONTWAIT && (c->nr != SYS_sendmsg || flags & MSG_NOSIGNAL), c);
	REQUIRE(c->nr != SYS_sendmsg || world.family.sockets, c);
	call_own_memory(c, c->arg[1], sizeof(*msg));
	call_own_memory(c, (u64)msg->msg_name, msg->msg_namelen);
	call_own_memory(c, (u64)msg->msg_control, msg->msg_controllen);
	call_own_memory(c, (u64)msg->msg_iov, msg->msg_iovlen * sizeof(*msg->msg_iov));
	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		const struct iovec *iov = &msg->msg_iov[i];

		REQUIRE(!iov->iov_len || (u64)iov->iov_base < KIN_END, c);
		there &= call_memory(c, (u64)iov->iov_base, iov->iov_len);
		bytes += iov->iov_len;
	}
	return !there ? -EFAULT : bytes > MESSAGE_BYTES_MAX ? -ENOBUFS : call_make(c);
}

static bool listed(u32 name, const u32 *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == name)
			return true;
	return false;
}
#define LISTED(name, ...)                                                          \
	listed(name, (const u32[]){__VA_ARGS__}, sizeof((u32[]){__VA_ARGS__}) / sizeof(u32))

/* The filter's own lists: it ends a monitor that asks for another option. */
static bool option_known(bool set, u32 level, u32 name)
{
	switch (level) {
	case SOL_SOCKET: return set ? LISTED(name, SET_SOCKET) : LISTED(name, GET_SOCKET);
	case IPPROTO_TCP: return set ? LISTED(name, SET_TCP) : LISTED(name, GET_TCP);
	case IPPROTO_IP: return set ? LISTED(name, SET_IP) : LISTED(name, GET_IP);
	case IPPROTO_IPV6: return set ? LISTED(name, SET_IPV6) : LISTED(name, GET_IPV6);
	default: return false;
	}
}

static s64 do_option(const struct call *c)
{
	const u64 *a = c->arg;
	bool set = c->nr == SYS_setsockopt;
	u64 len = a[4];

	REQUIRE(option_known(set, (u32)a[1], (u32)a[2]), c);
	if (!set) {
		call_own_memory(c, a[4], sizeof(socklen_t));
		len = *(const socklen_t *)a[4];
	}
	call_own_memory(c, a[3], len);
	return call_make(c);
}

/* There its number is the lowest that is free (confine.c). */
static s64 watch_place(s64 fd)
{
	int number = world.family.watch_fd;

	if (dup3((int)fd, number, O_CLOEXEC) < 0 || close((int)fd) < 0)
		finding("the set of sockets cannot have its number");
	fds_opened(number);
	return number;
}

static s64 do_watch(const struct call *c)
{
	const u64 *a = c->arg;
	s64 fd;

	switch (c->nr) {
	case SYS_epoll_create1:
		REQUIRE(a[0] == EPOLL_CLOEXEC && !world.member.watches, c);
		REQUIRE(!fds_has((u64)world.family.watch_fd), c);
		fd = call_make(c);
		return fd < 0 ? fd : watch_place(fd);
	case SYS_epoll_ctl:
		REQUIRE(watch(a[0]) && (a[1] == EPOLL_CTL_ADD || a[1] == EPOLL_CTL_DEL), c);
		REQUIRE(fd_own(a[2]) || fd_published(a[2]), c);
		call_own_memory(c, a[3], sizeof(struct epoll_event));
		return call_make(c);
	case SYS_epoll_pwait2: /* what would wait comes back at once */
		REQUIRE(watch(a[0]) && a[2] <= HYP_EVENTS && a[4] == 0, c);
		call_own_memory(c, a[1], a[2] * sizeof(struct epoll_event));
		if (a[3])
			call_own_memory(c, a[3], sizeof(struct timespec));
		return host_call(SYS_epoll_pwait, a[0], a[1], a[2], 0, 0, 0);
	default: /* epoll_pwait */
		REQUIRE(watch(a[0]) && a[2] <= HYP_EVENTS && a[3] == 0 && a[4] == 0, c);
		call_own_memory(c, a[1], a[2] * sizeof(struct epoll_event));
		return call_make(c);
	}
}

s64 net_call(const struct call *c)
{
	const u64 *a = c->arg;

	if (c->nr == SYS_epoll_create1 || c->nr == SYS_epoll_ctl ||
		c->nr == SYS_epoll_pwait || c->nr == SYS_epoll_pwait2)
		return do_watch(c);
	if (c->nr == SYS_socket)
		return do_socket(c);
	REQUIRE(family_has_sockets(&world.family), c);
	REQUIRE(fd_own(a[0]) || (c->nr == SYS_accept4 && fd_published(a[0])), c);
	REQUIRE(!waits(a[0]), c);
	switch (c->nr) {
	case SYS_accept4: return do_accept(c);
	case SYS_bind:
	case SYS_connect:
		REQUIRE(world.family.sockets, c);
		call_own_memory(c, a[1], a[2]);
		return call_make(c);
	case SYS_listen: REQUIRE(world.family.sockets, c); return call_make(c);
	case SYS_shutdown: return call_make(c);
	case SYS_getsockname:
	case SYS_getpeername: return do_name(c);
	case SYS_sendto: return do_sendto(c);
	case SYS_sendmsg:
	case SYS_recvmsg: return do_message(c);
	case SYS_getsockopt:
	case SYS_setsockopt: return do_option(c);
	default: /* ioctl */
		REQUIRE(a[1] == FIONREAD || a[1] == SIOCOUTQ || a[1] == SIOCATMARK, c);
		call_own_memory(c, a[2], sizeof(int));
		return call_make(c);
	}
}
