/* SPDX-License-Identifier: ISC */
/* See hypercall_net.h. */
#include "hypercall_net.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "monitor/core/net_options.h"
#include "world.h"

/* In the guest's memory. */
#define ADDRESS_AT (AREA + 0x4000)
#define MESSAGE_AT (AREA + 0x5000)
#define VALUE_AT (AREA + 0x6000)
#define EVENTS_AT (AREA + 0x7000)

static void socket_kind(struct input *in, struct hypercall_frame *f)
{
	static const u32 kinds[][3] = {
		{AF_INET, SOCK_STREAM, IPPROTO_TCP}, {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDP},  {AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
	};
	static const u32 refused[][3] = {
		{AF_UNIX, SOCK_STREAM, 0},           {AF_INET, SOCK_RAW, IPPROTO_ICMP},
		{AF_NETLINK, SOCK_DGRAM, 0},         {AF_INET, SOCK_STREAM, IPPROTO_SCTP},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6},
	};
	u8 how = input_u8(in);
	const u32 *k = how < 240 ? kinds[how % ARRAY_SIZE(kinds)] : refused[how % ARRAY_SIZE(refused)];

	for (u32 i = 0; i < 3; i++)
		f->arg[i] = k[i];
}

/* Ancillary data: what senders may add, and what only others may. */
static u32 control(struct input *in, u8 *to)
{
	static const struct {
		int level, type;
		u32 len;
	} kinds[] = {
		{IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo)},
		{IPPROTO_IP, IP_TTL, sizeof(int)},
		{IPPROTO_IP, IP_TOS, sizeof(int)},
		{IPPROTO_IP, IP_RETOPTS, 8},
		{IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo)},
		{IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)},
		{IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)},
		{IPPROTO_UDP, UDP_SEGMENT, sizeof(u16)},
		{SOL_SOCKET, SCM_RIGHTS, sizeof(int)},
		{SOL_SOCKET, SO_MARK, sizeof(int)},
		{SOL_SOCKET, SO_TIMESTAMPING, sizeof(int)},
	};
	u8 how = input_u8(in);
	struct cmsghdr h;

	if (how < 100)
		return 0;
	memset(to, 0, HYP_CONTROL_MAX);
	if (how >= 230) {
		input_bytes(in, to, how % 64);
		return (u32)choose_length(in, false);
	}
	how %= ARRAY_SIZE(kinds);
	h = (struct cmsghdr){CMSG_LEN(kinds[how].len), kinds[how].level, kinds[how].type};
	memcpy(to, &h, sizeof(h));
	input_bytes(in, to + CMSG_LEN(0), kinds[how].len / 4 + 1);
	return (u32)CMSG_SPACE(kinds[how].len);
}

static void message(struct input *in, struct hypercall_frame *f)
{
	static const u32 flags[] = {
		MSG_OOB,  MSG_PEEK,    MSG_MORE,     MSG_TRUNC,   MSG_WAITALL,  MSG_ERRQUEUE,
		MSG_CONFIRM, MSG_DONTWAIT, MSG_FASTOPEN, MSG_ZEROCOPY, MSG_CMSG_CLOEXEC, ~0u,
	};
	u8 how = input_u8(in), count = input_u8(in);
	struct hyp_message m = {.count = count < 200 ? count % 4u : count % 20u};

	m.flags = how < 128 ? 0 : flags[how % ARRAY_SIZE(flags)];
	for (u32 i = 0; i < MIN(m.count, (u32)HYP_MESSAGE_PIECES); i++) {
		m.piece[i].addr = choose_address(in);
		m.piece[i].len = choose_length(in, false);
	}
	if (input_u8(in) & 1)
		m.address_len = net_world_address(in, m.address);
	m.control_len = control(in, m.control);
	if (f->number == HYP_net_receive) {
		m.address_len = how & 1 ? (u32)sizeof(m.address) : m.address_len;
		m.control_len = how & 2 ? (u32)sizeof(m.control) : m.control_len;
	}
	memcpy((void *)MESSAGE_AT, &m, sizeof(m));
	f->arg[1] = MESSAGE_AT;
	f->arg[2] = sizeof(m);
}

#define OPTION_LIST(level, ...) {level, (const u32[]){__VA_ARGS__}, \
	sizeof((const u32[]){__VA_ARGS__}) / sizeof(u32)}
static const struct option_names {
	u32 level;
	const u32 *names;
	size_t count;
} names_set[] = {
	OPTION_LIST(SOL_SOCKET, SET_SOCKET),
	OPTION_LIST(IPPROTO_TCP, SET_TCP),
	OPTION_LIST(IPPROTO_IP, SET_IP),
	OPTION_LIST(IPPROTO_IPV6, SET_IPV6),
	/* none of a family's */
	OPTION_LIST(SOL_SOCKET, SO_ATTACH_FILTER, SO_MARK, SO_BINDTODEVICE, SO_RCVBUFFORCE),
	OPTION_LIST(IPPROTO_TCP, TCP_ULP, TCP_REPAIR),
}, names_get[] = {
	OPTION_LIST(SOL_SOCKET, GET_SOCKET),
	OPTION_LIST(IPPROTO_TCP, GET_TCP),
	OPTION_LIST(IPPROTO_IP, GET_IP),
	OPTION_LIST(IPPROTO_IPV6, GET_IPV6),
	OPTION_LIST(SOL_SOCKET, SO_PEERCRED, SO_PEERSEC),
};

static void option(struct input *in, struct hypercall_frame *f)
{
	static const char *const congestion[] = {"cubic", "reno", "bbr", "none-such"};
	const bool set = f->number == HYP_net_option_set;
	const struct option_names *list = set ? names_set : names_get;
	const size_t n = set ? ARRAY_SIZE(names_set) : ARRAY_SIZE(names_get);
	u8 how = input_u8(in), which = input_u8(in), len = input_u8(in);
	int value[2] = {input_u8(in), input_u8(in)};

	list += how % n;
	f->arg[1] = list->level;
	f->arg[2] = list->names[which % list->count];
	f->arg[3] = VALUE_AT;
	f->arg[4] = len < 200 ? sizeof(value[0]) << (len % 2) : len < 240 ? 256 : 257u + len % 2u;
	memcpy((void *)VALUE_AT, value, sizeof(value));
	if (f->arg[1] == IPPROTO_TCP && f->arg[2] == TCP_CONGESTION) {
		strcpy((char *)VALUE_AT, congestion[value[0] % 4]);
		f->arg[4] = 16;
	}
}

static void sleep_on_events(struct input *in, struct hypercall_frame *f)
{
	static const u64 until[] = {HYP_LOOK, HYP_LOOK, HYP_NO_DEADLINE, 1};
	u8 how = input_u8(in);

	if (how >= 220)
		return;
	f->arg[0] = 0; /* as the doorbell is, if nobody rang */
	f->arg[1] = until[how % ARRAY_SIZE(until)];
	f->arg[4] = HYP_NO_MEMBER;
	f->arg[5] = how & 64 ? choose_address(in) : EVENTS_AT;
}

void net_structure(struct input *in, struct hypercall_frame *f)
{
	static const u64 requests[] = {FIONREAD, SIOCOUTQ, SIOCATMARK, SIOCGIFCONF};

	if (input_u8(in) >= 230)
		return;
	switch (f->number) {
	case HYP_net_socket: socket_kind(in, f); break;
	case HYP_net_bind:
	case HYP_net_connect:
		f->arg[1] = ADDRESS_AT;
		f->arg[2] = net_world_address(in, (u8 *)ADDRESS_AT);
		break;
	case HYP_net_accept:
	case HYP_net_name:
		f->arg[1] = ADDRESS_AT;
		f->arg[2] = input_u8(in);
		break;
	case HYP_net_send:
	case HYP_net_receive: message(in, f); break;
	case HYP_net_option_get:
	case HYP_net_option_set: option(in, f); break;
	case HYP_net_ioctl: f->arg[1] = requests[input_u8(in) % ARRAY_SIZE(requests)]; break;
	case HYP_sleep: sleep_on_events(in, f); break;
	}
}
