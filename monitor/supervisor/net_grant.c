/* SPDX-License-Identifier: ISC */
/*
 * What of the network a family is given, by the process that the user started and with that user's
 * authority: sockets that listen on the published ports, and the network namespace. All of it is
 * there, or an error says why not, before the family has any process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/supervisor/net_grant.h"
#include "monitor/supervisor/supervisor_internal.h"

#define BACKLOG 4096
#define FD_MIN 3 /* a monitor's 0, 1 and 2 are the guest's */

static socklen_t address_of(const struct run_publish *p, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (p->six) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((u16)p->host_port);
		memcpy(&six->sin6_addr, p->address, sizeof(six->sin6_addr));
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((u16)p->host_port);
	memcpy(&four->sin_addr, p->address, sizeof(four->sin_addr));
	return sizeof(*four);
}

/*
 * Not shared with other sockets of the port (SO_REUSEPORT), and for IPv6 not with those of IPv4
 * either: what is published is what was asked for.
 */
static int publish(const struct run_publish *p, struct error *err)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(p, &address);
	int type = p->udp ? SOCK_DGRAM : SOCK_STREAM, on = 1, high;
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* of datagrams it would share the port with others */
	if (fd < 0 || (!p->udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
		(p->six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
		bind(fd, (struct sockaddr *)&address, len) < 0 || (!p->udp && listen(fd, BACKLOG) < 0)) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		return error_set(err, code, "cannot publish '%.100s'%s", p->given,
						 code == EADDRINUSE ? "; choose another port of the host's"
						 : code == EACCES   ? "; choose a port from 1024 on"
											: "");
	}
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
	close(fd);
	return high < 0 ? error_set(err, errno, "cannot publish '%.100s'", p->given) : high;
}

/* The port goes to the relay, and members get an end of a pair with it. */
static int relay(struct net_grant *g, unsigned i, const struct run_publish *p, struct error *err)
{
	int pair[2], high;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_set(err, errno, "cannot publish '%.100s'", p->given);
	high = fcntl(pair[0], F_DUPFD_CLOEXEC, FD_MIN);
	close(pair[0]);
	if (high < 0)
		return error_set(err, errno, "cannot publish '%.100s'", p->given);
	g->relayed[i].host_fd = g->published[i];
	g->relayed[i].relay_fd = pair[1];
	g->published[i] = high;
	return 0;
}

/* A file that stands for a network namespace, and which this user may enter. */
static int namespace_open(struct net_grant *g, const char *path, struct error *err)
{
	g->own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	g->namespace_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (g->namespace_fd < 0 || g->own_fd < 0)
		return error_set(err, errno, "cannot open the network namespace '%.200s'", path);
	if (ioctl(g->namespace_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_set(err, 0, "--net ns:'%.200s': this is no network namespace", path);
	if (net_grant_enter(g, err) < 0)
		return -1;
	return net_grant_leave(g, err);
}

int net_grant_open(struct net_grant *g, const struct run_options *o, struct error *err)
{
	*g = (struct net_grant){
		.namespace_fd = -1, .own_fd = -1, .minder_fd = -1, .relay_fd = -1};
	if (o->net == RUN_NET_USER && net_user_check(g, err) < 0)
		return -1;
	for (unsigned i = 0; i < o->publish_count; i++) {
		int fd = publish(&o->publish[i], err);

		if (fd < 0)
			return -1;
		g->published[g->count] = fd;
		if (o->publish[i].udp && relay(g, g->count, &o->publish[i], err) < 0)
			return -1;
		g->count++;
	}
	if (net_relay_start(g, o, err) < 0)
		return -1;
	return o->net == RUN_NET_PATH ? namespace_open(g, o->net_path, err) : 0;
}

int net_grant_enter(const struct net_grant *g, struct error *err)
{
	if (g->namespace_fd >= 0 && setns(g->namespace_fd, CLONE_NEWNET) < 0)
		return error_set(err, errno, "cannot enter the network namespace that --net names%s",
						 errno == EPERM ? "; it is not this user's" : "");
	return 0;
}

int net_grant_leave(const struct net_grant *g, struct error *err)
{
	if (g->namespace_fd >= 0 && setns(g->own_fd, CLONE_NEWNET) < 0)
		return error_set(err, errno, "cannot come back from the family's network namespace");
	return 0;
}

void net_grant_open_ports(const struct run_options *o)
{
	int fd = o->net == RUN_NET_USER
				 ? open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC)
				 : -1;

	if (fd < 0)
		return;
	if (write(fd, "0", 1) < 0 && o->verbose)
		message("ports below 1024 cannot be bound inside: %s", strerror(errno));
	close(fd);
}

int net_grant_take(const struct net_grant *g, const struct run_options *o, struct family *f,
				   struct error *err)
{
	f->sockets = o->net != RUN_NET_NONE;
	f->kin->sockets = f->sockets;
	for (unsigned i = 0; i < g->count; i++) {
		u16 port = (u16)o->publish[i].port;

		f->published[i].fd = g->published[i];
		f->published[i].port = port;
		f->published[i].udp = o->publish[i].udp;
		f->kin->published[i] =
			(struct kin_published){(u32)g->published[i], port, o->publish[i].udp};
	}
	f->published_count = f->kin->published_count = g->count;
	if (g->relay_fd >= 0)
		close(g->relay_fd); /* it is the front whom the relay follows */
	if (g->namespace_fd >= 0) { /* the front has its own; here they only lead out */
		close(g->namespace_fd);
		close(g->own_fd);
	}
	f->watch_fd = -1;
	if (!family_has_sockets(f))
		return 0;
	/* Of what can do nothing: it holds the place of a set that each monitor makes itself. */
	f->watch_fd = open("/dev/null", O_PATH | O_CLOEXEC);
	return f->watch_fd < FD_MIN ? error_set(err, errno, "cannot open /dev/null") : 0;
}
