/* SPDX-License-Identifier: ISC */
/* See net_world.h: the namespace, its peers, and addresses that lead to them. */
#include "net_world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PEERS_MAX 8
#define BACKLOG 16
#define KIND(type) ((type) | SOCK_CLOEXEC | SOCK_NONBLOCK)

static struct {
	bool there;
	int tcp, udp; /* the peer's, on NET_PEER_PORT, for IPv6 and IPv4 */
	int published[NET_PUBLISHED];
	int peer[PEERS_MAX]; /* connections; -1: none */
	u32 next;
} net;

/* ---- the namespace */

static bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* An ordinary user needs a user namespace for it, in which the user stays who it is. */
static bool namespace_make(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNET) == 0)
		return true;
	if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!file_write("/proc/self/setgroups", "deny") || !file_write("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return file_write("/proc/self/gid_map", map);
}

static bool loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, KIND(SOCK_DGRAM), 0);
	bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* No monitor has these: with them a name of a congestion control would load a module, say. */
static bool capabilities_drop(void)
{
	static const u32 dropped[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN,
								  CAP_SYS_MODULE};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		u32 keep = ~(1u << dropped[i] % 32);

		data[dropped[i] / 32].effective &= keep;
		data[dropped[i] / 32].permitted &= keep;
		data[dropped[i] / 32].inheritable &= keep;
	}
	return syscall(SYS_capset, &header, data) == 0;
}

/* tests/fuzz/cases.py looks for the line. */
static bool missing(const char *what)
{
	fprintf(stderr, "WITHOUT NETWORK: %s (%s)\n", what, strerror(errno));
	return false;
}

bool net_namespace_enter(void)
{
	char groups[64];
	unsigned gid = getegid();

	if (!namespace_make() || !loopback_up())
		return missing("no network namespace of the target's own");
	snprintf(groups, sizeof(groups), "%u %u", gid, gid);
	if (!file_write("/proc/sys/net/ipv4/ping_group_range", groups))
		finding("no ICMP sockets in the network namespace (errno %d)", errno);
	/* A port that waits for stray packets would be taken in the next input. */
	if (!file_write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0"))
		finding("ports would stay taken in the network namespace (errno %d)", errno);
	if (!capabilities_drop())
		finding("capabilities cannot be dropped (errno %d)", errno);
	signal(SIGPIPE, SIG_IGN); /* as monitors have it */
	return true;
}

/* ---- peers */

static struct sockaddr_in6 six(const struct in6_addr *address, u16 port)
{
	return (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *address};
}

static struct sockaddr_in four(u32 address, u16 port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
								.sin_port = htons(port),
								.sin_addr.s_addr = htonl(address)};
}

static int bound(int type, const void *address, socklen_t len)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, KIND(type), 0);

	if (fd >= 0 && bind(fd, address, len) == 0 &&
		(type != SOCK_STREAM || listen(fd, BACKLOG) == 0))
		return fd;
	net.there = missing("a peer cannot have its port");
	return -1;
}

bool net_world_make(void)
{
	struct sockaddr_in6 any = six(&in6addr_any, NET_PEER_PORT);
	struct sockaddr_in6 published_six = six(&in6addr_loopback, NET_PUBLISHED_PORT + 1);
	struct sockaddr_in published = four(INADDR_LOOPBACK, NET_PUBLISHED_PORT);

	net.there = net_namespace_enter();
	if (!net.there)
		return false;
	net.tcp = bound(SOCK_STREAM, &any, sizeof(any));
	net.udp = bound(SOCK_DGRAM, &any, sizeof(any));
	net.published[0] = bound(SOCK_STREAM, &published, sizeof(published));
	net.published[1] = bound(SOCK_STREAM, &published_six, sizeof(published_six));
	for (u32 i = 0; i < PEERS_MAX; i++)
		net.peer[i] = -1;
	return net.there;
}

void net_world_grant(struct family *f, u8 grants)
{
	f->sockets = net.there && grants & NET_SOCKETS;
	f->published_count = net.there && grants & NET_PUBLISH ? NET_PUBLISHED : 0;
	for (u32 i = 0; i < f->published_count; i++)
		f->published[i] = (struct published){net.published[i], (u16)(80 + i)};
}

/* By a reset, so that neither side waits for the other. */
static void reset(int fd)
{
	struct linger at_once = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void empty(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		reset(fd);
}

void net_world_reset(void)
{
	char byte;

	if (!net.there)
		return;
	for (u32 i = 0; i < PEERS_MAX; i++) {
		if (net.peer[i] >= 0)
			reset(net.peer[i]);
		net.peer[i] = -1;
	}
	net.next = 0;
	empty(net.tcp);
	for (u32 i = 0; i < NET_PUBLISHED; i++)
		empty(net.published[i]);
	while (recv(net.udp, &byte, 1, MSG_DONTWAIT) >= 0 || errno == ECONNREFUSED)
		;
}

static void peer_put(int fd)
{
	u32 slot = net.next++ % PEERS_MAX;

	if (fd < 0)
		return;
	if (net.peer[slot] >= 0)
		reset(net.peer[slot]);
	net.peer[slot] = fd;
}

/* Connected at once on loopback, if somebody listens there; if not, that is a peer as well. */
static int peer_connect(u16 port)
{
	struct sockaddr_in to = four(INADDR_LOOPBACK, port);
	struct sockaddr_in6 to_six = six(&in6addr_loopback, port);
	bool is_six = port == NET_PUBLISHED_PORT + 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, KIND(SOCK_STREAM), 0);

	if (fd >= 0 && is_six)
		(void)!connect(fd, (struct sockaddr *)&to_six, sizeof(to_six));
	else if (fd >= 0)
		(void)!connect(fd, (struct sockaddr *)&to, sizeof(to));
	return fd;
}

int net_world_connected(void)
{
	return net.there ? peer_connect(NET_PEER_PORT) : -1;
}

static u16 port(struct input *in)
{
	static const u16 other[] = {0, 1, 22, 65535};
	u8 how = input_u8(in);

	if (how < 128)
		return (u16)(NET_MEMBER_PORT + how % NET_MEMBER_PORTS);
	if (how < 192)
		return (u16)(NET_PEER_PORT + how % 3);
	return how < 240 ? other[how % ARRAY_SIZE(other)] : input_u16(in);
}

void net_world_step(struct input *in)
{
	static const char text[1500] = "said by a peer";
	u8 op = input_u8(in), n = input_u8(in);
	int *peer = &net.peer[n % PEERS_MAX];
	u8 address[HYP_ADDRESS_MAX];
	char heard[256];
	u32 len;

	if (!net.there)
		return;
	switch (op % 8) {
	case 0: peer_put(peer_connect((u16)(NET_PUBLISHED_PORT + n % NET_PUBLISHED))); break;
	case 1: peer_put(peer_connect(port(in))); break;
	case 2: peer_put(accept4(net.tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); break;
	case 3: /* the last byte out of band */
		send(*peer, text, n * 6u % sizeof(text), MSG_NOSIGNAL | (op & 128 ? MSG_OOB : 0));
		break;
	case 4: recv(*peer, heard, sizeof(heard), 0); break;
	case 5: shutdown(*peer, n / PEERS_MAX % 3); break;
	case 6:
		if (*peer >= 0)
			reset(*peer);
		*peer = -1;
		break;
	case 7:
		len = net_world_address(in, address);
		sendto(net.udp, text, n, MSG_NOSIGNAL, (struct sockaddr *)address, len);
		break;
	}
}

/* ---- addresses */

u32 net_world_address(struct input *in, u8 *to)
{
	static const u32 fours[] = {INADDR_LOOPBACK, INADDR_ANY, INADDR_LOOPBACK + 7, INADDR_BROADCAST,
								0xe0000001, 0xc6336401};
	static const struct in6_addr mapped = {{{[10] = 255, [11] = 255, [12] = 127, [15] = 1}}};
	static const struct in6_addr all_nodes = {{{255, 2, [15] = 1}}};
	const struct in6_addr *const sixes[] = {&in6addr_loopback, &in6addr_any, &mapped, &all_nodes};
	struct sockaddr_in a;
	struct sockaddr_in6 b;
	u8 how = input_u8(in), which = input_u8(in);
	u8 where = which < 160 ? 0 : which; /* mostly loopback */

	memset(to, 0, HYP_ADDRESS_MAX);
	if (how < 128) {
		a = four(fours[where % ARRAY_SIZE(fours)], port(in));
		memcpy(to, &a, sizeof(a));
		return sizeof(a);
	}
	if (how < 224) {
		b = six(sixes[where % ARRAY_SIZE(sixes)], port(in));
		memcpy(to, &b, sizeof(b));
		return sizeof(b);
	}
	/* AF_UNSPEC takes a connection back; anything else is refused by the host, and its length. */
	if (how & 1)
		input_bytes(in, to, which % HYP_ADDRESS_MAX);
	return how < 232 ? sizeof(a) : which % (HYP_ADDRESS_MAX + 2u);
}
