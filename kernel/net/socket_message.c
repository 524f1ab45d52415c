/* SPDX-License-Identifier: ISC */
/*
 * Sending and receiving: from the application's msghdr and friends to a struct net_message, and
 * back. Sources: send(2), recv(2), sendmmsg(2), recvmmsg(2).
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "kernel/fd/fd_owner.h"
#include "kernel/arch/arch.h"
#include "kernel/fd/transfer.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/net/net.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"

#define DATA_MAX 0x7ffff000ul
#define MMSG_MAX UIO_MAXIOV
#define FLAGS_INTERNAL 0x80000000u /* MSG_CMSG_COMPAT: the kernel's own */

/* struct msghdr and struct mmsghdr of the system-call interface */
struct user_msg {
	u64 name;
	s32 name_len;
	u32 pad0;
	u64 iov, iov_n;
	u64 control, control_len;
	u32 flags, pad1;
};
struct user_mmsg {
	struct user_msg msg;
	u32 len, pad;
};

s64 address_in(u8 *address, u64 user, u64 len)
{
	if ((s32)len < 0 || (u32)len > NET_ADDRESS_MAX)
		return -EINVAL;
	return (u32)len ? copy_in(address, (void *)user, (u32)len) : 0;
}

s64 address_out(const u8 *address, u32 len, u64 user, u64 user_len)
{
	s32 room;

	if (copy_in(&room, (void *)user_len, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_out((void *)user, address, MIN((u32)room, len)))
		return -EFAULT;
	return copy_out((void *)user_len, &len, sizeof(len));
}

/* As for readv and writev, but too many pieces are another error. */
static s64 message_vector(struct transfer *t, const struct user_msg *u)
{
	return u->iov_n > UIO_MAXIOV ? -EMSGSIZE : transfer_vector(t, u->iov, u->iov_n);
}

static void message_start(struct net_message *m, const struct iovec *iov, u32 n, u32 flags)
{
	memset(m, 0, offsetof(struct net_message, address));
	m->control = m->control_len = 0;
	m->cred_known = m->cred_given = false;
	m->passed = NULL;
	m->data = iov_start(iov, n);
	m->flags = flags;
}

static bool nonblocking(struct file *f, u32 flags)
{
	return flags & MSG_DONTWAIT || file_call_flags(f) & O_NONBLOCK;
}

/* scm_send comes first: what it took is given up unless the family has taken it over. */
static s64 message_send(struct file *f, struct net_message *m)
{
	struct socket *s = file_socket(f);
	s64 r;

	m->deadline_ns = net_deadline(atomic_load(&s->send_timeout_ns), nonblocking(f, m->flags));
	r = scm_send(m, s);
	if (r)
		return r;
	r = net_family(s->family)->send(s, m);
	if (r == -EAGAIN)
		owner_wants_room(f);
	scm_drop(m);
	return r;
}

static s64 message_receive(struct file *f, struct net_message *m)
{
	struct socket *s = file_socket(f);
	s64 r;

	m->deadline_ns = net_deadline(atomic_load(&s->receive_timeout_ns), nonblocking(f, m->flags));
	r = net_family(s->family)->receive(s, m);
	if (r >= 0)
		scm_receive(m, s);
	else
		scm_drop(m);
	return r;
}

s64 socket_sendv(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	struct net_message m;

	message_start(&m, iov, n, 0);
	return message_send(f, &m);
}

s64 socket_receivev(struct file *f, const struct iovec *iov, u32 n, s64 *pos)
{
	struct net_message m;

	message_start(&m, iov, n, 0);
	return m.data.left ? message_receive(f, &m) : 0;
}

/* arg: buffer, length, flags, address, its length */
static s64 sendto_call(struct file *f, struct socket *s, const u64 *arg)
{
	struct iovec iov = {(void *)arg[0], MIN(arg[1], DATA_MAX)};
	struct net_message m;
	s64 err = 0;

	message_start(&m, &iov, 1, (u32)arg[2] & ~FLAGS_INTERNAL);
	if (arg[3]) {
		err = address_in(m.address, arg[3], arg[4]);
		m.address_len = (u32)arg[4];
	}
	return err ? err : message_send(f, &m);
}

s64 sys_sendto(u64 fd, u64 buf, u64 len, u64 flags, u64 address, u64 address_len)
{
	return SOCKET_RUN(fd, sendto_call, buf, len, flags, address, address_len);
}

/* arg: the same, with the address of the address's length */
static s64 recvfrom_call(struct file *f, struct socket *s, const u64 *arg)
{
	struct iovec iov = {(void *)arg[0], MIN(arg[1], DATA_MAX)};
	struct net_message m;
	s64 r, err = 0;

	message_start(&m, &iov, 1, (u32)arg[2] & ~FLAGS_INTERNAL);
	m.want_address = arg[3] != 0;
	r = message_receive(f, &m);
	if (r >= 0 && arg[3])
		err = address_out(m.address, m.address_len, arg[3], arg[4]);
	return err ? err : r;
}

s64 sys_recvfrom(u64 fd, u64 buf, u64 len, u64 flags, u64 address, u64 address_len)
{
	return SOCKET_RUN(fd, recvfrom_call, buf, len, flags, address, address_len);
}

/* ---- msghdr */

static s64 msg_send(struct file *f, const struct user_msg *u, u32 flags)
{
	struct net_message m;
	struct transfer v;
	s64 r;

	if (u->name_len < 0)
		return -EINVAL;
	r = message_vector(&v, u);
	if (r)
		return r;
	message_start(&m, v.iov, v.n, flags & ~FLAGS_INTERNAL);
	if (u->name && u->name_len) {
		m.address_len = MIN((u32)u->name_len, (u32)NET_ADDRESS_MAX);
		r = address_in(m.address, u->name, m.address_len);
	}
	m.control = u->control;
	m.control_len = u->control_len;
	if (!r)
		r = message_send(f, &m);
	transfer_end(&v);
	return r;
}

/* arg: header, flags */
static s64 sendmsg_call(struct file *f, struct socket *s, const u64 *arg)
{
	struct user_msg u;

	return copy_in(&u, (void *)arg[0], sizeof(u)) ? -EFAULT : msg_send(f, &u, (u32)arg[1]);
}

s64 sys_sendmsg(u64 fd, u64 msg, u64 flags)
{
	return SOCKET_RUN(fd, sendmsg_call, msg, flags);
}

/* Writes back what a receive changes in the application's header, at user. */
static s64 msg_results(const struct user_msg *u, const struct net_message *m, u64 user)
{
	u64 used = m->control ? m->control - u->control : 0;
	u32 len = m->address_len;

	if (u->name) {
		if (copy_out((void *)u->name, m->address, MIN((u32)u->name_len, len)))
			return -EFAULT;
		if (copy_out((void *)(user + offsetof(struct user_msg, name_len)), &len, sizeof(len)))
			return -EFAULT;
	}
	if (copy_out((void *)(user + offsetof(struct user_msg, flags)), &m->out_flags, sizeof(u32)))
		return -EFAULT;
	return copy_out((void *)(user + offsetof(struct user_msg, control_len)), &used, sizeof(used));
}

static s64 msg_receive(struct file *f, u64 user, u32 flags)
{
	struct net_message m;
	struct user_msg u;
	struct transfer v;
	s64 r;

	if (copy_in(&u, (void *)user, sizeof(u)))
		return -EFAULT;
	if (u.name_len < 0)
		return -EINVAL;
	r = message_vector(&v, &u);
	if (r)
		return r;
	message_start(&m, v.iov, v.n, flags & ~FLAGS_INTERNAL);
	m.want_address = u.name != 0;
	m.control = u.control;
	m.control_len = u.control ? u.control_len : 0;
	if (m.flags & MSG_CMSG_CLOEXEC)
		m.out_flags |= MSG_CMSG_CLOEXEC;
	r = message_receive(f, &m);
	if (r >= 0) {
		s64 err = msg_results(&u, &m, user);

		if (err)
			r = err;
	}
	transfer_end(&v);
	return r;
}

static s64 recvmsg_call(struct file *f, struct socket *s, const u64 *arg)
{
	return msg_receive(f, arg[0], (u32)arg[1]);
}

s64 sys_recvmsg(u64 fd, u64 msg, u64 flags)
{
	return SOCKET_RUN(fd, recvmsg_call, msg, flags);
}

/* ---- several at once: an error after the first message is the next call's */

static s64 mmsg_send_one(struct file *f, u64 user, u32 flags)
{
	struct user_msg u;
	u32 len;
	s64 r;

	if (copy_in(&u, (void *)user, sizeof(u)))
		return -EFAULT;
	r = msg_send(f, &u, flags);
	if (r < 0)
		return r;
	len = (u32)r;
	return copy_out((void *)(user + offsetof(struct user_mmsg, len)), &len, sizeof(len));
}

/* arg: vector, its length, flags */
static s64 sendmmsg_call(struct file *f, struct socket *s, const u64 *arg)
{
	u32 n = MIN((u32)arg[1], (u32)MMSG_MAX);
	s64 sent = 0, r = 0;

	for (u32 i = 0; i < n; i++, sent++) {
		r = mmsg_send_one(f, arg[0] + i * sizeof(struct user_mmsg), (u32)arg[2]);
		if (r < 0)
			break;
	}
	return sent ? sent : r;
}

s64 sys_sendmmsg(u64 fd, u64 vec, u64 n, u64 flags)
{
	return SOCKET_RUN(fd, sendmmsg_call, vec, n, flags);
}

static s64 mmsg_receive_one(struct file *f, u64 user, u32 flags)
{
	s64 r = msg_receive(f, user, flags);
	u32 len = (u32)r;

	if (r < 0)
		return r;
	return copy_out((void *)(user + offsetof(struct user_mmsg, len)), &len, sizeof(len));
}

/*
 * arg: vector, its length, flags, deadline. As on Linux the time-out is looked at between messages
 * only.
 */
static s64 recvmmsg_call(struct file *f, struct socket *s, const u64 *arg)
{
	u32 n = MIN((u32)arg[1], (u32)MMSG_MAX), flags = (u32)arg[2] & ~(u32)MSG_WAITFORONE;
	s64 got = 0, r = 0;

	for (u32 i = 0; i < n; i++) {
		r = mmsg_receive_one(f, arg[0] + i * sizeof(struct user_mmsg), flags);
		if (r < 0)
			break;
		got++;
		if (arg[2] & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (time_mono_ns() >= arg[3])
			break;
	}
	return got ? got : r;
}

s64 sys_recvmmsg(u64 fd, u64 vec, u64 n, u64 flags, u64 timeout)
{
	u64 deadline = HYP_NO_DEADLINE;
	s64 err = timeout ? time_timeout_in(timeout, &deadline) : 0;

	return err ? err : SOCKET_RUN(fd, recvmmsg_call, vec, n, flags, deadline);
}
