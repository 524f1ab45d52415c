/* SPDX-License-Identifier: ISC */
/*
 * The options of sockets that a family may set and look at, once for the seccomp filter
 * (host_calls.def) and once for the handlers (hyp_net.c). They change how a socket's own traffic is
 * handled: there is no filter, no mark, no device, no group and no other protocol among them.
 * SO_LINGER has a rule of its own: only what lets no close wait (host_constants.h).
 */
#ifndef MONITOR_CORE_NET_OPTIONS_H
#define MONITOR_CORE_NET_OPTIONS_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define SET_SOCKET                                                                                 \
	SO_REUSEADDR, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE,                  \
		SO_REUSEPORT, SO_RCVLOWAT, SO_TIMESTAMP, SO_TIMESTAMPNS
#define SET_TCP                                                                                    \
	TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT,       \
		TCP_LINGER2, TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_QUICKACK, TCP_CONGESTION,             \
		TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_NOTSENT_LOWAT
#define SET_IP                                                                                     \
	IP_TOS, IP_TTL, IP_PKTINFO, IP_MTU_DISCOVER, IP_RECVERR, IP_RECVTTL, IP_RECVTOS,               \
		IP_BIND_ADDRESS_NO_PORT
#define SET_IPV6                                                                                   \
	IPV6_UNICAST_HOPS, IPV6_V6ONLY, IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_RECVPKTINFO,             \
		IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_TCLASS
#define GET_SOCKET SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_ACCEPTCONN
#define GET_TCP TCP_INFO, TCP_MAXSEG, TCP_CONGESTION
#define GET_IP IP_MTU
#define GET_IPV6 IPV6_MTU

#endif
