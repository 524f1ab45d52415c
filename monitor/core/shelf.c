/* SPDX-License-Identifier: ISC */
/*
 * The family's shelf: open files of volumes that have no name any more, for members that have to
 * use them and cannot open them. It is a pair of sockets: what was sent into one end stays in the
 * other's queue, and goes when the family ends. A taker goes once round the queue: it puts back
 * what it took, its own find included, because others may come for that too.
 *
 * An item says what it is by a word of kin and the value that the word has as long as somebody
 * uses the file; later it is not put back. A guest of the process backend can send and take what it
 * likes: it meets descriptors of its own family only, and the kernel compares what it gets with
 * what it asked for. Kernels take one at a time (their lock); without that one of them may miss.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "monitor/core/internal.h"

#define ROUND_MAX 1024 /* more than fit into a socket's buffer */

struct item {
	u64 word, value;
	u64 access; /* O_RDONLY, O_WRONLY or O_RDWR */
	u64 stamp;  /* by which it is known again */
};

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static s64 put(const struct family *f, s64 fd, struct item *item)
{
	struct iovec iov = {item, sizeof(*item)};
	union control c = {{0}};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int passed = (int)fd;

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(passed));
	memcpy(CMSG_DATA(h), &passed, sizeof(passed));
	s64 r = HOST_CALL(SYS_sendmsg, f->shelf_fds[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return r < 0 ? r : 0;
}

/* A descriptor; -EAGAIN: the shelf is empty; -EBADMSG: what came is no item. */
static s64 take(const struct family *f, struct item *item)
{
	struct iovec iov = {item, sizeof(*item)};
	union control c = {{0}};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	s64 r = HOST_CALL(SYS_recvmsg, f->shelf_fds[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = r < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	int fd;

	if (r < 0)
		return r;
	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		h->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	if (r == sizeof(*item))
		return fd;
	HOST_CALL(SYS_close, fd);
	return -EBADMSG;
}

static bool word_valid(u64 word)
{
	return word % sizeof(u64) == 0 && word >= KIN_BASE && word <= KIN_END - sizeof(u64);
}

static bool in_use(const struct item *item)
{
	u64 value;

	return word_valid(item->word) && guest_read(&value, item->word, sizeof(value)) == 0 && value &&
		   value == item->value;
}

static bool wanted(const struct item *item, const struct hypercall_call *call)
{
	return item->word == call->arg[0] && item->value == call->arg[1] &&
		   (item->access == O_RDWR || item->access == call->arg[2]);
}

static bool regular(s64 fd)
{
	struct statx stx;

	return fd_examine(fd, &stx) == 0 && S_ISREG(stx.stx_mode);
}

s64 hyp_vol_keep(struct member *m, struct hypercall_call *call)
{
	struct item item = {call->arg[1], call->arg[2], call->arg[3], host_rdtsc()};

	if (call->arg[0] <= 2 || !m->family->volume_count)
		return -EBADF;
	if (!word_valid(item.word) || item.access > O_RDWR)
		return -EINVAL;
	return regular((s64)call->arg[0]) ? put(m->family, (s64)call->arg[0], &item) : -EBADF;
}

s64 hyp_vol_take(struct member *m, struct hypercall_call *call)
{
	s64 found = -ENOENT, fd;
	struct item item;
	u64 first = 0;

	for (int i = 0; i < ROUND_MAX && m->family->volume_count; i++) {
		fd = take(m->family, &item);
		if (fd == -EBADMSG)
			continue;
		if (fd < 0)
			break;
		bool round = first && item.stamp == first, live = in_use(&item);
		if (live && put(m->family, fd, &item) == 0 && !first)
			first = item.stamp;
		if (found < 0 && !round && live && wanted(&item, call) && regular(fd))
			found = fd;
		else
			HOST_CALL(SYS_close, fd);
		if (round)
			break;
	}
	return found < 0 ? found : handle_admit(m, found);
}
