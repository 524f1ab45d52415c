/* SPDX-License-Identifier: ISC */
/*
 * Sockets. A socket is an open file description of type FILE_SOCKET whose priv[0] is a struct
 * socket in kin. What the system calls have in common is in socket.c, socket_message.c and
 * option.c; what a family does is one table of operations (net_families).
 *
 * All of them live in kin altogether: AF_UNIX (unix.h), AF_INET and AF_INET6 (inet.h), and
 * AF_NETLINK (netlink.c).
 */
#ifndef KERNEL_NET_NET_H
#define KERNEL_NET_NET_H

#include <stdatomic.h>

#include "kernel/fd/file.h"
#include "kernel/kin/spin.h"
#include "kernel/fd/iov.h"

#define NET_ADDRESS_MAX 128        /* sizeof(struct sockaddr_storage) */
#define NET_SOMAXCONN 4096u
#define NET_BUFFER_DEFAULT 212992u /* net.core.wmem_default and _max of Linux */
#define NET_BUFFER_MAX (2 * NET_BUFFER_DEFAULT)

/* Linux's headers for programs leave these to libc. */
enum {
	AF_UNSPEC = 0,
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_NETLINK = 16,
	AF_PACKET = 17,
	AF_MAX_ = 46,
	SOCK_STREAM = 1,
	SOCK_DGRAM = 2,
	SOCK_RAW = 3,
	SOCK_SEQPACKET = 5,
	SOCK_TYPE_MAX = 11,
	SOCK_TYPE_BITS = 0xf,
	SHUT_RD = 0,
	SHUT_WR = 1,
	SHUT_RDWR = 2,
};
enum {
	MSG_OOB = 1,
	MSG_PEEK = 2,
	MSG_CTRUNC = 8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_EOR = 0x80,
	MSG_WAITALL = 0x100,
	MSG_ERRQUEUE = 0x2000,
	MSG_NOSIGNAL = 0x4000,
	MSG_WAITFORONE = 0x10000,
	MSG_FASTOPEN = 0x20000000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};
enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2, SCM_FILES_MAX = 253 };

/* Bits of what was shut down, in Linux's order: how + 1. */
enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, SHUT_BOTH = 3 };

enum socket_flags {
	SOCKET_PASSCRED = 1,
	SOCKET_REUSEADDR = 2,
	SOCKET_KEEPALIVE = 4,
	SOCKET_BROADCAST = 8,
	SOCKET_REUSEPORT = 16,
	SOCKET_OOBINLINE = 32,
	SOCKET_TIMESTAMP = 64,
	SOCKET_TIMESTAMPNS = 128,
};

/* struct ucred */
struct net_cred {
	s32 pid;
	u32 uid, gid;
};

/* The part that every family has. In kin (OWN_SOCKET); its owner is priv[0] of its file. */
struct socket {
	u16 family, type;
	u32 protocol;
	u64 ino;
	_Atomic u32 flags; /* enum socket_flags */
	_Atomic u32 error; /* SO_ERROR: taken once */
	_Atomic u32 send_size, receive_size;
	_Atomic u32 low_water; /* SO_RCVLOWAT */
	_Atomic u32 linger;    /* l_onoff << 31 | l_linger; 0 seconds: TCP resets */
	_Atomic u64 send_timeout_ns, receive_timeout_ns; /* HYP_NO_DEADLINE: none */
	/* The family's own part follows in its own struct, which begins with this one. */
};

/* One sendmsg or recvmsg. Private: on the stack of the caller. */
struct net_message {
	struct iov_cursor data;
	u32 flags;       /* MSG_* of the call */
	u32 out_flags;   /* received: msg_flags */
	u64 deadline_ns; /* 0: do not block */
	bool want_address;
	/* send: what is said of a datagram */
	bool source_given, tos_given;
	u8 ttl, tos; /* ttl 0: not given */
	u8 source[16];
	u32 address_len; /* send: 0 none; receive: filled */
	u8 address[NET_ADDRESS_MAX];
	/* Ancillary data: scm.c. */
	/* the application's buffer; receive: moves on as it is filled */
	u64 control, control_len;
	struct net_cred cred;
	bool cred_known, cred_given; /* given: SCM_CREDENTIALS of the sender, checked */
	struct passed_files *passed; /* held; or NULL */
};

/* Descriptors on their way (OWN_PASSED): each file is a slot of OWN_FILE. */
struct passed_files {
	u32 n, cap;
	struct file *file[];
};

struct net_ops {
	const char *name;
	/* Fills *out, in hand. type is valid; protocol is checked here. */
	s64 (*create)(u32 family, u32 type, u32 protocol, struct socket **out);
	/* Optional: a program has asked for s, which has its file; not for sockets of accept. */
	s64 (*made)(struct socket *s);
	s64 (*pair)(struct socket *a, struct socket *b);
	s64 (*bind)(struct socket *s, const u8 *address, u32 len);
	s64 (*listen)(struct socket *s, u32 backlog);
	s64 (*connect)(struct socket *s, const u8 *address, u32 len, bool nonblock);
	/*
	 * fresh is a new socket of the same type, which has its file already: a death never loses a
	 * connection.
	 */
	s64 (*accept)(struct socket *s, bool nonblock, struct socket *fresh);
	s64 (*shutdown)(struct socket *s, u32 bits);
	/* Into address (NET_ADDRESS_MAX bytes): its length. */
	s64 (*name_get)(struct socket *s, bool peer, u8 *address);
	s64 (*send)(struct socket *s, struct net_message *m);
	s64 (*receive)(struct socket *s, struct net_message *m);
	u32 (*poll)(struct socket *s, struct poll_table *pt);
	s64 (*ioctl)(struct socket *s, u32 cmd, u64 arg);
	/* One item of ancillary data of a send; NULL: as AF_UNIX has it. */
	s64 (*control)(struct socket *s, struct net_message *m, s32 level, s32 type, const void *data,
				   u64 bytes);
	/*
	 * Options that the common layer does not know: bytes in value, or -ENOPROTOOPT. value is
	 * kernel memory.
	 */
	s64 (*option_get)(struct socket *s, u32 level, u32 name, void *value, u32 size);
	s64 (*option_set)(struct socket *s, u32 level, u32 name, const void *value, u32 size);
	/* Optional: that one was set, whoever knows it. */
	void (*option_told)(struct socket *s, u32 level, u32 name, const void *value, u32 size);
	/* send_size or receive_size was changed. */
	void (*resized)(struct socket *s, bool send);
	u32 (*error_take)(struct socket *s);
	/* F_SETOWN, F_GETOWN; NULL: nobody is ever sent a signal. */
	void (*owner_set)(struct socket *s, s32 pid);
	/* As own_ops: the file lets go of s. */
	void (*release)(struct socket *s);
	void (*free)(struct socket *s);
};
/* NULL: EAFNOSUPPORT. */
const struct net_ops *net_family(u32 family);
extern const struct net_ops unix_ops, inet_ops, netlink_ops, packet_ops;

static inline struct socket *file_socket(struct file *f)
{
	return (struct socket *)f->priv[0];
}

/* ---- socket.c */
/* A system call on a socket: f is held meanwhile. -EBADF, -ENOTSOCK, or what call answers. */
typedef s64 (*socket_call)(struct file *f, struct socket *s, const u64 *arg);
s64 socket_run(u64 fd, socket_call call, const u64 *arg);
#define SOCKET_RUN(fd, call, ...) socket_run((fd), (call), (const u64[]){__VA_ARGS__})
/* Common fields of a fresh socket. */
void socket_init(struct socket *s, u32 family, u32 type, u32 protocol);
/*
 * Spins for peer (a member, a hint; NO_PEER: not at all), then sleeps on q until ready(arg), the
 * deadline or a signal. 0: look again; -EAGAIN, -ERESTARTSYS, -EINTR (with a time-out). One of
 * those who wait is woken per event, and it passes the wake on if it does not use it.
 */
s64 net_wait(struct kin_queue *q, u32 peer, u64 deadline_ns, bool (*ready)(void *arg), void *arg);
u64 net_deadline(u64 timeout_ns, bool nonblock);
/* SIGPIPE to the caller, unless MSG_NOSIGNAL: -EPIPE. */
s64 net_broken(u32 flags);

/* ---- socket_message.c */
s64 socket_sendv(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
s64 socket_receivev(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
/* An address to or from the application. */
s64 address_in(u8 *address, u64 user, u64 len);
s64 address_out(const u8 *address, u32 len, u64 user, u64 user_len);

/* ---- inet_ioctl.c */
/* SIOCGIF*, of any socket. -ENOTTY: another one. */
s64 interface_ioctl(struct socket *s, u32 cmd, u64 arg);

/* ---- scm.c */
/*
 * Reads the control buffer of a send: credentials are checked, files are referenced. On failure
 * nothing is held.
 */
s64 scm_send(struct net_message *m, struct socket *s);
/*
 * What a receive has got goes to the control buffer: credentials if wanted, new descriptors for
 * files.
 */
void scm_receive(struct net_message *m, struct socket *s);
/* Writes one item to the control buffer of a receive as far as there is room. */
void scm_put(struct net_message *m, s32 level, s32 type, const void *data, u64 bytes);
/* Gives up the files that m holds. */
void scm_drop(struct net_message *m);
/* Room for n files, held; NULL: no memory. */
struct passed_files *passed_new(u32 n);
struct net_cred net_cred_self(void);

#endif
