/* SPDX-License-Identifier: ISC */
/* The network that a family is given: --net and --publish. */
#ifndef MONITOR_SUPERVISOR_NET_GRANT_H
#define MONITOR_SUPERVISOR_NET_GRANT_H

#include "monitor/core/monitor.h"
#include "monitor/supervisor/supervisor.h"

struct net_grant {
	unsigned count;
	int published[PUBLISHED_MAX]; /* what members get */
	struct {
		int host_fd, relay_fd;
	} relayed[PUBLISHED_MAX];     /* UDP: the port, and the other end of published */
	int relay_fd;                 /* net_relay.c: that process ends when this is closed; or -1 */
	int relay;
	int namespace_fd, own_fd; /* ns:PATH: that one, and where the front is; else -1 */
	char pasta[512];          /* user: where it is */
	int minder_fd;            /* user: that process ends when this is closed; or -1 */
	int minder;
};

/* In the front, before anything of the family is there. */
int net_grant_open(struct net_grant *g, const struct run_options *o, struct error *err) MUST_CHECK;
/* net_relay.c: in the front, for published UDP ports; and at the end. */
int net_relay_start(struct net_grant *g, const struct run_options *o, struct error *err) MUST_CHECK;
void net_relay_end(struct net_grant *g);
/* Around the fork of the supervisor, which stays there with all that it starts. */
int net_grant_enter(const struct net_grant *g, struct error *err) MUST_CHECK;
int net_grant_leave(const struct net_grant *g, struct error *err) MUST_CHECK;
/*
 * user: in the supervisor, which has that namespace for itself: nobody needs rights to bind any
 * port there. Where the host does not let it, they are refused as elsewhere.
 */
void net_grant_open_ports(const struct run_options *o);
struct supervisor;
/* In the supervisor's loop: a member wants to know what is in the network (net_look.c). */
void net_look_check(struct supervisor *s);
/* In the supervisor, when kin is there. */
int net_grant_take(const struct net_grant *g, const struct run_options *o, struct family *f,
				   struct error *err) MUST_CHECK;

/*
 * net_user.c: in the front; is there a pasta for --net user? Then, when the process has its network
 * namespace and its ids, but does nothing yet; and at the end.
 */
int net_user_check(struct net_grant *g, struct error *err) MUST_CHECK;
int net_user_start(struct net_grant *g, int target, struct error *err) MUST_CHECK;
void net_user_end(struct net_grant *g);

#endif
