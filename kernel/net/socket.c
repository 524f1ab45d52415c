/* SPDX-License-Identifier: ISC */
/*
 * Sockets as files, and the system calls that make, name and connect them. What they do is the
 * family's business. Sources: the man pages of these names, socket(7).
 */
#include <asm/errno.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "kernel/fd/fd_owner.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/net/net.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

#define SOCKFS_DEV 9

const struct net_ops *net_family(u32 family)
{
	switch (family) {
	case AF_UNIX: return &unix_ops;
	case AF_INET:
	case AF_INET6: return &inet_ops;
	case AF_NETLINK: return &netlink_ops;
	case AF_PACKET: return &packet_ops;
	default: return NULL;
	}
}

static inline const struct net_ops *ops_of(struct socket *s)
{
	return net_family(s->family);
}

void socket_init(struct socket *s, u32 family, u32 type, u32 protocol)
{
	s->family = (u16)family;
	s->type = (u16)type;
	s->protocol = protocol;
	s->send_size = s->receive_size = NET_BUFFER_DEFAULT;
	s->low_water = 1;
	s->send_timeout_ns = s->receive_timeout_ns = HYP_NO_DEADLINE;
}

static bool fd_is_open(u64 fd)
{
	struct file *f = fd_get((int)fd);

	file_put(f);
	return f;
}

s64 socket_run(u64 fd, socket_call call, const u64 *arg)
{
	struct file *f = fd_get((int)fd);
	s64 r;

	if (!f)
		return -EBADF;
	r = f->type == FILE_SOCKET ? call(f, file_socket(f), arg) : -ENOTSOCK;
	file_put(f);
	return r;
}

u64 net_deadline(u64 timeout_ns, bool nonblock)
{
	if (nonblock)
		return 0;
	return timeout_ns == HYP_NO_DEADLINE ? timeout_ns : time_deadline(time_mono_ns(), timeout_ns);
}

s64 net_wait(struct kin_queue *q, u32 peer, u64 deadline_ns, bool (*ready)(void *arg), void *arg)
{
	u32 flags = SLEEP_INTERRUPTIBLE | WAIT_EXCLUSIVE;
	int err;

	if (!deadline_ns)
		return -EAGAIN;
	if (spin_for(ready, arg, peer))
		return 0;
	if (deadline_ns == HYP_NO_DEADLINE)
		flags |= WAIT_RESTARTS; /* calls with a time-out are not, see signal(7) */
	err = wait_until(q, ready, arg, deadline_ns, flags);
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

s64 net_broken(u32 flags)
{
	struct ksiginfo info = signal_info_user(SIGPIPE, SI_USER);

	if (!(flags & MSG_NOSIGNAL))
		signal_send_thread(current, SIGPIPE, &info);
	return -EPIPE;
}

/* ---- as a file */

static s64 socket_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	struct iovec iov = {buf, len};

	return socket_receivev(f, &iov, 1, pos);
}

static s64 socket_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	struct iovec iov = {(void *)buf, len};

	return socket_sendv(f, &iov, 1, pos);
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = file_socket(f);

	return ops_of(s)->poll(s, pt);
}

static s64 socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = file_socket(f);

	return ops_of(s)->ioctl(s, cmd, arg);
}

static s64 socket_stat(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->dev = SOCKFS_DEV;
	st->ino = file_socket(f)->ino;
	st->mode = S_IFSOCK | 0777;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}

static void socket_release(struct file *f)
{
	own_free(own_take(OWN_SOCKET, (void **)&f->priv[0], NULL));
}

static void socket_own_release(void *what)
{
	struct socket *s = what;

	ops_of(s)->release(s);
}

static void socket_own_free(void *what)
{
	struct socket *s = what;

	ops_of(s)->free(s);
}

const struct own_ops socket_own_ops = {
	.name = "socket",
	.ref_at = OWN_NO_REF,
	.release = socket_own_release,
	.free = socket_own_free,
};

static bool socket_stream(struct file *f)
{
	return file_socket(f)->type == SOCK_STREAM;
}

static void socket_owner(struct file *f, s32 pid)
{
	struct socket *s = file_socket(f);
	const struct net_ops *ops = ops_of(s);

	if (ops->owner_set)
		ops->owner_set(s, pid);
}

const struct file_ops socket_file_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.readv = socket_receivev,
	.writev = socket_sendv,
	.stream = socket_stream,
	.owner = socket_owner,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.stat = socket_stat,
	.release = socket_release,
};

/* "socket:[N]", as /proc/PID/fd shows it. */
static void file_name(struct file *f, u64 ino)
{
	char text[40];

	ksnprintf(text, sizeof(text), "socket:[%llu]", (unsigned long long)ino);
	file_set_path(f, text);
}

/* A file for s, which is in hand; also when it fails it is not any more. */
static s64 socket_file(struct socket *s, u32 flags, struct file **out)
{
	struct file *f = file_alloc(FILE_SOCKET, O_RDWR | (flags & O_NONBLOCK));

	if (!f) {
		own_free(s);
		return -ENFILE;
	}
	own_give_to((void **)&f->priv[0], s);
	file_name(f, s->ino);
	*out = f;
	return 0;
}

static s64 socket_create(u64 family, u64 type, u64 protocol, struct file **out)
{
	u32 flags = (u32)type & ~(u32)SOCK_TYPE_BITS;
	const struct net_ops *ops;
	struct socket *s;
	s64 err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	type &= SOCK_TYPE_BITS;
	if ((u32)family >= AF_MAX_)
		return -EAFNOSUPPORT;
	if (type >= SOCK_TYPE_MAX)
		return -EINVAL;
	ops = net_family((u32)family);
	if (!ops)
		return -EAFNOSUPPORT;
	err = ops->create((u32)family, (u32)type, (u32)protocol, &s);
	if (!err)
		err = socket_file(s, flags, out);
	if (!err && ops->made) {
		err = ops->made(s);
		if (err)
			file_put(*out);
	}
	return err;
}

s64 sys_socket(u64 family, u64 type, u64 protocol)
{
	struct file *f;
	s64 err = socket_create(family, type, protocol, &f);

	return err ? err : fd_install(f, 0, type & O_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_socketpair(u64 family, u64 type, u64 protocol, u64 fds)
{
	struct file *pair[2];
	const struct net_ops *ops;
	s64 err = socket_create(family, type, protocol, &pair[0]);

	if (err)
		return err;
	err = socket_create(family, type, protocol, &pair[1]);
	if (err) {
		file_put(pair[0]);
		return err;
	}
	ops = ops_of(file_socket(pair[0]));
	err = ops->pair ? ops->pair(file_socket(pair[0]), file_socket(pair[1])) : -EOPNOTSUPP;
	if (err) {
		file_put(pair[0]);
		file_put(pair[1]);
		return err;
	}
	return fd_install_pair(pair, (u32)type, fds);
}

/* arg: address, length */
static s64 bind_call(struct file *f, struct socket *s, const u64 *arg)
{
	u8 name[NET_ADDRESS_MAX];
	s64 err = address_in(name, arg[0], arg[1]);

	return err ? err : ops_of(s)->bind(s, name, (u32)arg[1]);
}

s64 sys_bind(u64 fd, u64 address, u64 len)
{
	return SOCKET_RUN(fd, bind_call, address, len);
}

static s64 listen_call(struct file *f, struct socket *s, const u64 *arg)
{
	s64 err = ops_of(s)->listen(s, MIN((u32)arg[0], NET_SOMAXCONN));

	owner_follow(f);
	return err;
}

s64 sys_listen(u64 fd, u64 backlog)
{
	return SOCKET_RUN(fd, listen_call, backlog);
}

static s64 connect_call(struct file *f, struct socket *s, const u64 *arg)
{
	u8 name[NET_ADDRESS_MAX];
	s64 err = address_in(name, arg[0], arg[1]);
	bool nonblock = atomic_load(&f->flags) & O_NONBLOCK;

	err = err ? err : ops_of(s)->connect(s, name, (u32)arg[1], nonblock);
	owner_follow(f);
	return err;
}

/* Linux reads the address before it looks at what kind of file that is. */
static s64 address_check(u64 fd, u64 address, u64 len)
{
	u8 name[NET_ADDRESS_MAX];

	return fd_is_open(fd) ? address_in(name, address, len) : -EBADF;
}

s64 sys_connect(u64 fd, u64 address, u64 len)
{
	s64 err = address_check(fd, address, len);

	return err ? err : SOCKET_RUN(fd, connect_call, address, len);
}

static s64 accepted_name(struct socket *s, u64 address, u64 len)
{
	u8 name[NET_ADDRESS_MAX];
	s64 n;

	if (!address)
		return 0;
	n = ops_of(s)->name_get(s, true, name);
	return n < 0 ? -ECONNABORTED : address_out(name, (u32)n, address, len);
}

/* arg: address, its length, flags */
static s64 accept_call(struct file *f, struct socket *s, const u64 *arg)
{
	struct file *fresh;
	struct socket *child;
	s64 err = ops_of(s)->create(s->family, s->type, s->protocol, &child);

	if (!err)
		err = socket_file(child, (u32)arg[2], &fresh);
	if (err)
		return err;
	err = ops_of(s)->accept(s, atomic_load(&f->flags) & O_NONBLOCK, child);
	if (!err)
		err = accepted_name(child, arg[0], arg[1]);
	if (err) {
		file_put(fresh);
		return err;
	}
	return fd_install(fresh, 0, arg[2] & O_CLOEXEC ? FD_CLOEXEC : 0);
}

s64 sys_accept4(u64 fd, u64 address, u64 len, u64 flags)
{
	if (flags & ~(u64)(O_CLOEXEC | O_NONBLOCK))
		return fd_is_open(fd) ? -EINVAL : -EBADF;
	return SOCKET_RUN(fd, accept_call, address, len, flags);
}

s64 sys_accept(u64 fd, u64 address, u64 len)
{
	return sys_accept4(fd, address, len, 0);
}

static s64 shutdown_call(struct file *f, struct socket *s, const u64 *arg)
{
	return (u32)arg[0] > SHUT_RDWR ? -EINVAL : ops_of(s)->shutdown(s, (u32)arg[0] + 1);
}

s64 sys_shutdown(u64 fd, u64 how)
{
	return SOCKET_RUN(fd, shutdown_call, how);
}

/* arg: address, its length, peer */
static s64 name_call(struct file *f, struct socket *s, const u64 *arg)
{
	u8 name[NET_ADDRESS_MAX];
	s64 n = ops_of(s)->name_get(s, arg[2], name);

	return n < 0 ? n : address_out(name, (u32)n, arg[0], arg[1]);
}

s64 sys_getsockname(u64 fd, u64 address, u64 len)
{
	return SOCKET_RUN(fd, name_call, address, len, false);
}

s64 sys_getpeername(u64 fd, u64 address, u64 len)
{
	return SOCKET_RUN(fd, name_call, address, len, true);
}
