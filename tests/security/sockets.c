/* SPDX-License-Identifier: ISC */
/*
 * Sockets of the host that a guest asks for past its monitor's checks (process backend): with a
 * network only TCP, UDP and ICMP echo of IPv4 and IPv6, and no options that reach beyond a socket's
 * own traffic; with published ports none at all, and the sockets that came from there send to whom
 * they are connected only. Arguments: what the family has (none, published, net), and the number of
 * the host's loopback port that nobody granted.
 * @test timeout=60 members=60 nosvm
 */
#include "gadget.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HIGH (1L << 32)
#define MADE (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define FDS 64

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;
static struct sockaddr_in elsewhere;

struct kind {
	const char *name;
	long family, type, protocol;
};

static int makes(void *argument)
{
	const struct kind *k = argument;

	return host(SYS_socket, k->family, k->type, k->protocol, 0, 0) >= 0;
}

static const struct kind never[] = {
	{"AF_UNIX", AF_UNIX, SOCK_STREAM, 0},
	{"AF_UNIX, as a stream that is allowed", AF_UNIX, SOCK_STREAM | MADE, IPPROTO_TCP},
	{"AF_UNIX hidden", AF_UNIX | HIGH * AF_INET, SOCK_STREAM | MADE, IPPROTO_TCP},
	{"netlink", AF_NETLINK, SOCK_RAW | MADE, 0},
	{"packet", AF_PACKET, SOCK_RAW | MADE, 0x300},
	{"vsock", 40, SOCK_STREAM | MADE, 0},
	{"alg", 38, SOCK_SEQPACKET | MADE, 0},
	{"raw", AF_INET, SOCK_RAW | MADE, IPPROTO_ICMP},
	{"raw of IPv6", AF_INET6, SOCK_RAW | MADE, IPPROTO_ICMPV6},
	{"MPTCP", AF_INET, SOCK_STREAM | MADE, 262},
	{"SCTP", AF_INET, SOCK_STREAM | MADE, 132},
	{"UDP-Lite", AF_INET, SOCK_DGRAM | MADE, 136},
	{"sequenced", AF_INET, SOCK_SEQPACKET | MADE, IPPROTO_TCP},
	{"without close on exec", AF_INET, SOCK_STREAM, IPPROTO_TCP},
	{"protocol hidden", AF_INET, SOCK_STREAM | MADE, 262 | HIGH * IPPROTO_TCP},
};

static const struct kind granted[] = {
	{"TCP", AF_INET, SOCK_STREAM | MADE, IPPROTO_TCP},
	{"TCP of IPv6", AF_INET6, SOCK_STREAM | MADE, IPPROTO_TCP},
	{"UDP", AF_INET, SOCK_DGRAM | MADE, IPPROTO_UDP},
};

static int pairs(void *unused)
{
	int pair[2];

	(void)unused;
	return host(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)pair, 0) == 0;
}

/* ---- what may be said to one */

struct option {
	const char *name;
	long level, number;
};

static const struct option options[] = {
	{"SO_MARK", SOL_SOCKET, SO_MARK},
	{"SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE},
	{"SO_ATTACH_FILTER", SOL_SOCKET, SO_ATTACH_FILTER},
	{"SO_ATTACH_BPF", SOL_SOCKET, SO_ATTACH_BPF},
	{"SO_RCVBUFFORCE", SOL_SOCKET, SO_RCVBUFFORCE},
	{"SO_MARK hidden", SOL_SOCKET, SO_MARK | HIGH * SO_REUSEADDR},
	{"TCP_ULP", IPPROTO_TCP, TCP_ULP},
	{"TCP_REPAIR", IPPROTO_TCP, TCP_REPAIR},
	{"TCP_MD5SIG", IPPROTO_TCP, TCP_MD5SIG},
	{"IP_OPTIONS", IPPROTO_IP, IP_OPTIONS},
	{"IP_TRANSPARENT", IPPROTO_IP, IP_TRANSPARENT},
	{"IP_HDRINCL", IPPROTO_IP, IP_HDRINCL},
	{"IP_ADD_MEMBERSHIP", IPPROTO_IP, IP_ADD_MEMBERSHIP},
	{"netfilter", IPPROTO_IP, 64},
	{"SO_LINGER of the guest's own", SOL_SOCKET, SO_LINGER},
	{"IPV6_ADD_MEMBERSHIP", IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP},
};

static int sets(void *argument)
{
	static struct sock_filter pass = {BPF_RET | BPF_K, 0, 0, 0xffff};
	static char room[64] = "lo";
	const struct option *o = argument;
	struct sock_fprog program = {1, &pass};
	long s = host(SYS_socket, AF_INET, SOCK_STREAM | MADE, IPPROTO_TCP, 0, 0);

	memcpy(room + 16, &program, sizeof(program));
	/* It is the attempt that must end this process: most would be refused to anybody. */
	host(SYS_setsockopt, s, o->level, o->number, (long)room, sizeof(room));
	return s >= 0;
}

/* ---- the monitor's own sockets, and files, with the calls that sockets need */

struct call {
	const char *name;
	long nr;
};

static const struct call calls[] = {
	{"sendmsg", SYS_sendmsg},
	{"sendto", SYS_sendto},
	{"connect", SYS_connect},
	{"shutdown", SYS_shutdown},
	{"bind", SYS_bind},
	{"dup3", SYS_dup3},
};

/* A copy of one would be none of those that the allowlist knows by their numbers. */
static long call_own(const struct call *c, int fd, struct msghdr *m, struct sockaddr_un *a)
{
	switch (c->nr) {
	case SYS_sendmsg: return host(c->nr, fd, (long)m, 0, 0, 0);
	case SYS_sendto: return host(c->nr, fd, (long)"x", 1, 0, 0);
	case SYS_shutdown: return host(c->nr, fd, SHUT_RDWR, 0, 0, 0);
	case SYS_dup3: return host(c->nr, fd, 2 * FDS, O_CLOEXEC, 0, 0);
	default: return host(c->nr, fd, (long)a, sizeof(*a), 0, 0);
	}
}

/* On each of the family's own descriptors in a child of its own: most end it. */
static int on_own(void *argument)
{
	const struct call *c = argument;
	struct iovec iov = {(void *)"x", 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
	int through = 0;

	for (int fd = 3; fd < FDS; fd++) {
		pid_t pid = fork_or_die();

		if (pid == 0)
			_exit(call_own(c, fd, &m, &a) >= 0);
		int status = 0;
		waitpid(pid, &status, 0);
		through |= WIFEXITED(status) && WEXITSTATUS(status);
	}
	return through;
}

/*
 * What is watched by epoll the host counts for the user, and forbids all of that user's programs
 * when it is too much: a monitor has one set, so as many watches as descriptors at most.
 */
static int watches_more(void *unused)
{
	struct epoll_event event = {.events = EPOLLIN};
	long set = host(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0);
	long other = host(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0);

	(void)unused;
	return host(SYS_epoll_ctl, set, EPOLL_CTL_ADD, other, (long)&event, 0) >= 0;
}

/* A family that has only what came from published ports: none of it leads elsewhere. */
static int sends_elsewhere(void *unused)
{
	struct sockaddr_in *to = &elsewhere;
	int through = 0;

	(void)unused;
	for (int fd = 3; fd < FDS; fd++) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			register long r8 __asm__("r8") = (long)to;
			register long r9 __asm__("r9") = sizeof(*to);
			register long r10 __asm__("r10") = MSG_FASTOPEN;
			long ret = SYS_sendto;

			__asm__ volatile("call *%[gadget]"
							 : "+a"(ret)
							 : [gadget] "r"(gadget), "D"((long)fd), "S"("x"), "d"(1L), "r"(r10),
							   "r"(r8), "r"(r9)
							 : "rcx", "r11", "memory");
			_exit(ret >= 0 || ret == -EINPROGRESS);
		}
		int status = 0;
		waitpid(pid, &status, 0);
		through |= WIFEXITED(status) && WEXITSTATUS(status);
	}
	return through;
}

int main(int argc, char **argv)
{
	bool net = argc > 1 && !strcmp(argv[1], "net");

	if (boot->backend != BACKEND_PROCESS) {
		say("the monitor is in another address space");
		return finish();
	}
	if (argc != 3 || !gadget_find(boot))
		return finish();
	elsewhere = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
	elsewhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < COUNT(never); i++)
		attempt(never[i].name, makes, (void *)&never[i]);
	attempt("a pair", pairs, NULL);
	for (size_t i = 0; i < COUNT(granted); i++) {
		if (!net)
			attempt(granted[i].name, makes, (void *)&granted[i]);
		else if (!makes((void *)&granted[i]))
			say("%s: BROKEN: it was granted", granted[i].name);
	}
	for (size_t i = 0; i < COUNT(options); i++)
		attempt(options[i].name, sets, (void *)&options[i]);
	for (size_t i = 0; i < COUNT(calls); i++)
		attempt(calls[i].name, on_own, (void *)&calls[i]);
	attempt("a second set of watches", watches_more, NULL);
	if (!net)
		attempt("elsewhere", sends_elsewhere, NULL);
	return finish();
}
