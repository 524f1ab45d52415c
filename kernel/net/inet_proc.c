/* SPDX-License-Identifier: ISC */
/*
 * /proc/net: TCP and UDP sockets, and the tables of a network namespace that has lo alone. Formats
 * as Linux 6 prints them, widths included. Texts are private memory of the caller's kernel.
 */
#include "kernel/net/inet_proc.h"

#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/net/inet.h"
#include "kernel/net/host_view.h"

#define TCP_WIDTH 149
#define UDP_WIDTH 127
#define LINE_MAX 256
#define SLOW_START_NONE 2147483647

/* An address as the words that it is in memory, of which IPv4 has the last. */
static void name_text(char *out, size_t size, const struct inet_name *n, bool four)
{
	const u32 *w = (const u32 *)n->address;

	if (four)
		ksnprintf(out, size, "%08X:%04X", w[3], n->port);
	else
		ksnprintf(out, size, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3], n->port);
}

/* Every line is as long as the longest. */
void line_end(struct text *t, const char *line, u32 width)
{
	static const char blanks[] = "                                                                "
								 "                                                                "
								 "                                ";
	u32 n = (u32)strlen(line);

	text_bytes(t, line, n);
	if (n < width)
		text_bytes(t, blanks, MIN(width - n, (u32)sizeof(blanks) - 1));
	text_bytes(t, "\n", 1);
}

static void add_tcp(struct text *t, struct inet_socket *u, u32 number, bool four)
{
	struct conn *c = atomic_load(&u->e.conn);
	u32 state = tcp_state(u), unread = 0, unsent = 0;
	char line[LINE_MAX], local[48], peer[48];

	if (state == TCP_LISTEN)
		unread = atomic_load(&u->e.npending);
	else if (c)
		unread = (u32)atomic_load(&c->q[u->e.end].unread);
	name_text(local, sizeof(local), &u->local, four);
	name_text(peer, sizeof(peer), &u->peer, four);
	ksnprintf(
		line, sizeof(line),
		"%4u: %s %s %02X %08X:%08X 00:00000000 00000000 %5u %8d %lu %d %016x %lu %lu %u %u %d",
		number, local, peer, state, unsent, unread, u->uid, 0, u->e.s.ino, 1, 0, 100ul, 0ul, 0, 10,
		state == TCP_LISTEN ? 0 : -1);
	line_end(t, line, TCP_WIDTH);
}

static void add_udp(struct text *t, struct inet_socket *u, u32 number, bool four)
{
	char line[LINE_MAX], local[48], peer[48];

	name_text(local, sizeof(local), &u->local, four);
	name_text(peer, sizeof(peer), &u->peer, four);
	ksnprintf(line, sizeof(line),
			  "%5u: %s %s %02X %08X:%08X 00:00000000 00000000 %5u %8d %lu %d %016x %u", number,
			  local, peer, u->peer.port ? TCP_ESTABLISHED : TCP_CLOSE, 0,
			  (u32)atomic_load(&u->e.in.used), u->uid, 0, u->e.s.ino, 2, 0, 0);
	line_end(t, line, UDP_WIDTH);
}

/* Has it a name that is shown? A connection of the host's has its own there, and its peer here. */
static bool shown(struct inet_socket *u)
{
	return u->chain_prev || inet_flag(u, INET_OUTSIDE);
}

/* Those of a family and type that have a port. */
static s64 show_sockets(struct text *t, u32 family, u32 type)
{
	u32 number = 0;

	net_lock();
	for (struct endpoint *e = net_shared()->all; e; e = e->next) {
		struct inet_socket *u = (struct inet_socket *)e;

		if (e->s.family != family || e->s.type != type || !shown(u))
			continue;
		if (type == SOCK_STREAM && tcp_state(u) == TCP_CLOSE)
			continue;
		(type == SOCK_STREAM ? add_tcp : add_udp)(t, u, number++, family == AF_INET);
	}
	net_unlock();
	return 0;
}

s64 show_net_tcp(struct text *t, const struct proc_target *p)
{
	line_end(t,
			 "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
			 "timeout inode",
			 TCP_WIDTH);
	return show_sockets(t, AF_INET, SOCK_STREAM);
}

s64 show_net_tcp6(struct text *t, const struct proc_target *p)
{
	text_add(t, "  sl  local_address                         remote_address                        "
				"st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
	return show_sockets(t, AF_INET6, SOCK_STREAM);
}

s64 show_net_udp(struct text *t, const struct proc_target *p)
{
	line_end(t,
			 "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
			 "timeout inode ref pointer drops",
			 UDP_WIDTH);
	return show_sockets(t, AF_INET, SOCK_DGRAM);
}

s64 show_net_udp6(struct text *t, const struct proc_target *p)
{
	text_add(t, "  sl  local_address                         remote_address                        "
				"st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
				"drops\n");
	return show_sockets(t, AF_INET6, SOCK_DGRAM);
}

s64 show_net_raw(struct text *t, const struct proc_target *p)
{
	text_add(t,
			 "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
			 "timeout inode ref pointer drops\n");
	return 0;
}

/* The network that the family was given, if it was given one. */
static bool given(struct text *t, void (*show)(struct text *t, const struct net_view *v))
{
	struct net_view *v = net_view_take();

	if (!v)
		return false;
	show(t, v);
	kfree(v);
	return true;
}

/* Nothing is counted of the family's own: bytes between members pass no interface. */
s64 show_net_dev(struct text *t, const struct proc_target *p)
{
	text_add(t, "Inter-|   Receive                                                |  Transmit\n"
				" face |bytes    packets errs drop fifo frame compressed multicast|"
				"bytes    packets errs drop fifo colls carrier compressed\n");
	if (!given(t, view_dev))
		text_add(t, "    lo:       0       0    0    0    0     0          0         0"
					"        0       0    0    0    0     0       0          0\n");
	return 0;
}

s64 show_net_route(struct text *t, const struct proc_target *p)
{
	line_end(t,
			 "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
			 127);
	given(t, view_route);
	return 0;
}

s64 show_net_arp(struct text *t, const struct proc_target *p)
{
	text_add(t, "IP address       HW type     Flags       HW address            Mask     Device\n");
	return 0;
}

s64 show_net_if_inet6(struct text *t, const struct proc_target *p)
{
	if (!given(t, view_if_inet6))
		text_add(t, "00000000000000000000000000000001 01 80 10 80       lo\n");
	return 0;
}

/* Sockets in use: all, and by family and type. */
static u32 count(u32 family, u32 type)
{
	u32 n = 0;

	net_lock();
	for (struct endpoint *e = net_shared()->all; e; e = e->next)
		n += !family ||
			 (e->s.family == family && e->s.type == type && shown((struct inet_socket *)e));
	net_unlock();
	return n;
}

/* Connections that both ends may still speak on, or this one. */
static u32 established(void)
{
	u32 n = 0, state;

	net_lock();
	for (struct endpoint *e = net_shared()->all; e; e = e->next) {
		if ((e->s.family != AF_INET && e->s.family != AF_INET6) || e->s.type != SOCK_STREAM)
			continue;
		state = tcp_state((struct inet_socket *)e);
		n += state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
	}
	net_unlock();
	return n;
}

/*
 * Of the family's own loopback, on which there are connections and datagrams, but neither packets
 * nor segments: those stay 0.
 */
s64 show_net_snmp(struct text *t, const struct proc_target *p)
{
	u64 n[NET_COUNTS];

	for (u32 i = 0; i < NET_COUNTS; i++)
		n[i] = atomic_load(&net_shared()->counts[i]);
	text_add(t, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams "
				"InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
				"ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n"
				"Ip: 2 64 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	text_add(t, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs "
				"InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps "
				"InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds "
				"OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps "
				"OutTimestampReps OutAddrMasks OutAddrMaskReps\n"
				"Icmp: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	text_add(t, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
				"EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
				"Tcp: 1 200 120000 -1 %lu %lu %lu %lu %u 0 0 0 0 %lu 0\n",
			 n[COUNT_ACTIVE_OPENS], n[COUNT_PASSIVE_OPENS], n[COUNT_ATTEMPT_FAILS],
			 n[COUNT_ESTAB_RESETS], established(), n[COUNT_OUT_RESETS]);
	text_add(t, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
				"InCsumErrors IgnoredMulti MemErrors\nUdp: %lu %lu %lu %lu %lu 0 0 0 0\n",
			 n[COUNT_IN_DATAGRAMS], n[COUNT_NO_PORTS], n[COUNT_DATAGRAMS_LOST],
			 n[COUNT_OUT_DATAGRAMS], n[COUNT_DATAGRAMS_LOST]);
	text_add(t, "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
				"InCsumErrors IgnoredMulti MemErrors\nUdpLite: 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

s64 show_net_sockstat(struct text *t, const struct proc_target *p)
{
	u32 tcp = count(AF_INET, SOCK_STREAM);

	text_add(t, "sockets: used %u\n", count(0, 0));
	text_add(t, "TCP: inuse %u orphan 0 tw 0 alloc %u mem 0\n", tcp, tcp);
	text_add(t, "UDP: inuse %u mem 0\nUDPLITE: inuse 0\n", count(AF_INET, SOCK_DGRAM));
	text_add(t, "RAW: inuse 0\nFRAG: inuse 0 memory 0\n");
	return 0;
}

s64 show_net_sockstat6(struct text *t, const struct proc_target *p)
{
	text_add(t, "TCP6: inuse %u\n", count(AF_INET6, SOCK_STREAM));
	text_add(t, "UDP6: inuse %u\nUDPLITE6: inuse 0\n", count(AF_INET6, SOCK_DGRAM));
	text_add(t, "RAW6: inuse 0\nFRAG6: inuse 0 memory 0\n");
	return 0;
}
