/* SPDX-License-Identifier: ISC */
/*
 * What members show of the network that the family was given. They may make no netlink socket, so
 * this process, which is in the same network namespace, asks for interfaces, addresses and routes
 * when one of them wants to know, and copies the host's answers into kin. Nothing is taken from
 * kin but that somebody asks. Source: rtnetlink(7).
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/net_grant.h"
#include "monitor/supervisor/supervisor_internal.h"

#define ANSWER_MAX 32768    /* the host makes no larger one */
#define PATIENCE_S 2        /* the host answers while it is asked */

/* What fits of a dump is kept; true: it has ended, or there is no room for more. */
static bool answer_add(struct supervisor *s, const char *answer, size_t n)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	u32 room;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return true;
		room = NLMSG_ALIGN(h->nlmsg_len);
		if (h->nlmsg_type < RTM_BASE)
			continue;
		if (room > NET_VIEW_MAX - s->view_bytes)
			return s->view_full = true;
		memcpy(s->view + s->view_bytes, h, h->nlmsg_len);
		s->view_bytes += room;
	}
	return false;
}

static void dump(struct supervisor *s, int fd, u16 type)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = {{sizeof(ask), type, NLM_F_REQUEST | NLM_F_DUMP, 0, 0}, {AF_UNSPEC}};
	char answer[ANSWER_MAX] __attribute__((aligned(8)));
	ssize_t n = send(fd, &ask, sizeof(ask), 0);

	do {
		n = n < 0 ? n : recv(fd, answer, sizeof(answer), 0);
	} while (n > 0 && !answer_add(s, answer, (size_t)n));
}

/* Readers take a sequence that is odd, or another afterwards, for a reason to read again. */
static void publish(struct supervisor *s)
{
	struct kin_net_view *view = &s->family.kin->net_view;
	u32 sequence = s->view_sequence;

	KIN_WRITE(view->sequence, sequence + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(view->messages, s->view, s->view_bytes);
	KIN_WRITE(view->bytes, s->view_bytes);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	s->view_sequence = sequence + 2;
	KIN_WRITE(view->sequence, s->view_sequence);
}

/*
 * A fresh socket each time: nothing of a dump that was given up is left in it. Links and addresses
 * come first: a host with a million routes reads only as many as there is room for.
 */
static void view_take(struct supervisor *s)
{
	static const u16 types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	s->view_bytes = 0;
	s->view_full = false;
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0)
		for (u32 i = 0; i < ARRAY_SIZE(types) && !s->view_full; i++)
			dump(s, fd, types[i]);
	if (fd >= 0)
		close(fd);
	publish(s);
}

void net_look_check(struct supervisor *s)
{
	struct kin_net_view *view = &s->family.kin->net_view;

	if (s->options->net == RUN_NET_NONE || !KIN_READ(view->wanted))
		return;
	KIN_WRITE(view->wanted, 0);
	view_take(s);
	__atomic_fetch_add((u32 *)&view->looks, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &view->looks, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
