/* SPDX-License-Identifier: ISC */
/*
 * Descriptors from the supervisor: a file that it made or kept for a member. All monitors hold the
 * same end of one pair of sockets; the kernels take turns (shelf_lock), and what was meant for a
 * member that died before it came for it is thrown away by the next one. A hostile guest can take
 * what is meant for others: files of its own family.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "monitor/core/core_internal.h"

#define TRIES_MAX 64 /* more than the supervisor leaves in the queue */

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* A descriptor, -EAGAIN: there is none, -EBADMSG: it is not for this member, or none came. */
static s64 receive(const struct member *m)
{
	struct gift gift = {0};
	struct iovec iov = {&gift, sizeof(gift)};
	union control c = {{0}};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	s64 r = HOST_CALL(SYS_recvmsg, m->family->gift_fds[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = r < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	int fd;

	if (r < 0)
		return r;
	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		h->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	if (r == sizeof(gift) && gift.index == m->index && gift.generation == m->generation)
		return fd;
	HOST_CALL(SYS_close, fd);
	return -EBADMSG;
}

s64 hyp_vol_receive(struct member *m, struct hypercall_call *call)
{
	s64 fd = family_takes_gifts(m->family) ? -EBADMSG : -EAGAIN;

	for (int i = 0; i < TRIES_MAX && fd == -EBADMSG; i++)
		fd = receive(m);
	return handle_admit(m, fd);
}
