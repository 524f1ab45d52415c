/* SPDX-License-Identifier: ISC */
/*
 * Requests about volumes (abi/kin.h), and the family's shelf: open files of volumes that have no
 * name any more, and sockets of the host that were passed on, for members that have to use them and
 * cannot open them. They lie in this process' descriptor table: what monitors send each other the
 * host would count for the user, and forbid the user's other programs to send at all.
 *
 * A file is taken over from the asking monitor by its number there; what a wrong claim can name is
 * another file of the family, because only a monitor that is confined is asked: one that starts
 * still has what this process has. It stays while a word of kin has the value it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

/* What a gift in the queue keeps in flight is counted for the user: few, and only for a moment. */
#define GIFT_BUFFER 4096
#define FILES_SPARE 48 /* descriptors; of them VICTIMS_MAX at once in limits.c */

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* A file of a volume, or a socket that a monitor may have; nothing that belongs to the monitors. */
static bool may_be_kept(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (!S_ISSOCK(st.st_mode))
		return S_ISREG(st.st_mode);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		   (domain == AF_INET || domain == AF_INET6);
}

/* A descriptor of that member's monitor becomes one of ours too, or -errno. */
static int handle_copy(struct supervisor *s, u32 index, s32 handle)
{
	int child = child_open(KIN_READ(s->family.kin->members[index].host_pid)), fd;

	if (child < 0)
		return -ESRCH;
	fd = -1;
	if (handle > STDERR_FILENO && child_confined(s, child))
		fd = (int)syscall(SYS_pidfd_getfd, child, handle, 0);
	close(child);
	if (fd < 0)
		return -EBADF;
	if (may_be_kept(fd))
		return fd;
	close(fd);
	return -EBADF;
}

static s64 gift_send(const struct family *f, u32 index, u32 generation, int fd)
{
	struct gift gift = {index, generation};
	struct iovec iov = {&gift, sizeof(gift)};
	union control c = {{0}};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(f->gift_fds[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 1;
}

int shelf_open(struct family *f, struct error *err)
{
	int size = GIFT_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->gift_fds) < 0 ||
		setsockopt(f->gift_fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
		shutdown(f->gift_fds[0], SHUT_RD) < 0)
		return error_set(err, errno, "cannot make the sockets that give files to members");
	return 0;
}

/* Kin is mapped as a whole; what lies at the word is the family's business. */
static bool in_use(u64 word, u64 value)
{
	return word % sizeof(u64) == 0 && word >= KIN_BASE && word <= KIN_END - sizeof(u64) && value &&
		   KIN_READ(*(_Atomic u64 *)word) == value;
}

void shelf_sweep(struct supervisor *s)
{
	for (u32 i = 0; i < s->shelf_count;) {
		struct shelf_item *item = &s->shelf[i];

		if (in_use(item->word, item->value)) {
			i++;
			continue;
		}
		close(item->fd);
		*item = s->shelf[--s->shelf_count];
	}
}

static s64 shelf_put(struct supervisor *s, u32 index, const struct volume_request *req)
{
	int fd;

	shelf_sweep(s);
	if (s->shelf_count == SHELF_MAX)
		return -ENFILE;
	if (req->access > O_RDWR || !in_use(req->word, req->value))
		return -EINVAL;
	fd = handle_copy(s, index, req->handle);
	if (fd < 0)
		return fd;
	/* The lowest that is free: those above are needed to count and to end the family. */
	if ((u32)fd + FILES_SPARE >= s->files_max) {
		close(fd);
		return -ENFILE;
	}
	s->shelf[s->shelf_count++] = (struct shelf_item){req->word, req->value, req->access, fd};
	return 0;
}

static s64 shelf_take(struct supervisor *s, const struct volume_request *req, int *gift)
{
	shelf_sweep(s);
	for (u32 i = 0; i < s->shelf_count; i++) {
		const struct shelf_item *item = &s->shelf[i];

		if (item->word != req->word || item->value != req->value ||
			(item->access != O_RDWR && item->access != req->access))
			continue;
		*gift = fcntl(item->fd, F_DUPFD_CLOEXEC, 3);
		return *gift < 0 ? -errno : 0;
	}
	return -ENOENT;
}

static s64 run(struct supervisor *s, u32 index, struct volume_request *req)
{
	u32 generation = KIN_READ(s->family.kin->members[index].generation);
	int gift = -1, handle = -1;
	s64 r;

	switch (req->kind) {
	case VOLUME_KEEP: return shelf_put(s, index, req);
	case VOLUME_TAKE: r = shelf_take(s, req, &gift); break;
	default:
		if (req->kind == VOLUME_NAME)
			handle = handle_copy(s, index, req->handle);
		r = volume_request_run(&s->family, req, handle, &gift);
	}
	if (handle >= 0)
		close(handle);
	if (gift < 0)
		return r;
	if (r == 0)
		r = gift_send(&s->family, index, generation, gift);
	close(gift);
	if (req->kind == VOLUME_TAKE)
		watches_look(s);
	return r;
}

/* Kin can be written by everybody: the request must lie in it, and is copied before it is used. */
void request_answer(struct supervisor *s, u32 index)
{
	static struct volume_request copy;
	u64 addr = KIN_READ(s->family.kin->members[index].request);
	struct volume_request *req = (struct volume_request *)addr;

	if (!family_takes_gifts(&s->family) || addr < KIN_BASE + sizeof(struct kin_header) ||
		addr > KIN_END - sizeof(*req) || addr % 8)
		return;
	if (KIN_READ(req->state) != VOLUME_REQUEST_ASKED)
		return;
	memcpy(&copy, req, sizeof(copy));
	req->result = (s32)run(s, index, &copy);
	/* Files are made with their owner's ids. If the front died meanwhile, its socket tells. */
	if (supervisor_follow() < 0) {
		error_set(&s->failure, errno, "cannot follow the front any more; the family was ended");
		s->ended = true;
	}
	req->state = VOLUME_REQUEST_DONE;
	syscall(SYS_futex, &req->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
