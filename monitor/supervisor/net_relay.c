/* SPDX-License-Identifier: ISC */
/*
 * Published UDP ports. Who answers a datagram names whom to send to, and no filter sees an address:
 * members that had the port's socket could send anywhere in the host's network. So they have one
 * end of a pair of AF_UNIX sockets for each port, and this process, which the front starts with the
 * user's rights, has the other and the port. A datagram goes through the pair with the address of
 * its client before it (RELAY_HEAD bytes), and back only to clients that have sent one: the last
 * RELAY_CLIENTS of each port. What finds no room is lost, as datagrams are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/relay.h"
#include "monitor/supervisor/net_grant.h"

#define CLIENTS 1024      /* of each port; a power of two */
#define TURN 64           /* datagrams of one port before the next is looked at */
#define FRONT_FDS 256     /* it has fewer */
#define ROOM (RELAY_HEAD + 65536)

struct client {
	socklen_t len;
	struct sockaddr_in6 address; /* or a struct sockaddr_in */
};

struct port {
	int host_fd, members_fd;
	bool six;
	struct client clients[CLIENTS]; /* by hash: a client replaces another */
};

static struct client *client_slot(struct port *p, const void *address, socklen_t len)
{
	const unsigned char *bytes = address;
	u32 hash = 2166136261u;

	for (socklen_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return &p->clients[hash % CLIENTS];
}

/* What names a client, and nothing else: flow labels and scopes may differ. */
static socklen_t client_name(const struct sockaddr_in6 *from, bool six, struct sockaddr_in6 *name)
{
	struct sockaddr_in *four = (struct sockaddr_in *)name;

	memset(name, 0, sizeof(*name));
	if (six) {
		name->sin6_family = AF_INET6;
		name->sin6_port = from->sin6_port;
		name->sin6_addr = from->sin6_addr;
		name->sin6_scope_id = from->sin6_scope_id;
		return sizeof(*name);
	}
	four->sin_family = AF_INET;
	four->sin_port = ((const struct sockaddr_in *)from)->sin_port;
	four->sin_addr = ((const struct sockaddr_in *)from)->sin_addr;
	return sizeof(*four);
}

static bool to_members(struct port *p, char *room)
{
	struct sockaddr_in6 from = {0}, name;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(p->host_fd, room + RELAY_HEAD, ROOM - RELAY_HEAD, MSG_DONTWAIT,
						 (struct sockaddr *)&from, &len);
	struct client *c;

	if (n < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
	len = client_name(&from, p->six, &name);
	c = client_slot(p, &name, len);
	c->len = len;
	c->address = name;
	memset(room, 0, RELAY_HEAD);
	memcpy(room, &name, len);
	send(p->members_fd, room, RELAY_HEAD + (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

/* The head is a member's word: an address of this port's kind, of a client, or it goes nowhere. */
static bool to_client(struct port *p, char *room)
{
	ssize_t n = recv(p->members_fd, room, ROOM, MSG_DONTWAIT);
	struct sockaddr_in6 given, name;
	struct client *c;
	socklen_t len;

	if (n < 0)
		return false;
	if (n < RELAY_HEAD)
		return true;
	memcpy(&given, room, sizeof(given));
	len = client_name(&given, p->six, &name);
	/* of a scope nothing is known inside: link-local clients are those of the port's link */
	c = client_slot(p, &name, len);
	if (c->len == len && memcmp(&c->address, &name, len) == 0)
		sendto(p->host_fd, room + RELAY_HEAD, (size_t)n - RELAY_HEAD, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (struct sockaddr *)&name, len);
	return true;
}

static void port_serve(struct port *p, short host, short members, char *room)
{
	for (u32 i = 0; host && i < TURN && to_members(p, room); i++)
		;
	for (u32 i = 0; members && i < TURN && to_client(p, room); i++)
		;
}

/* Until the front has gone. */
static _Noreturn void serve(struct port *ports, u32 count, int front_fd)
{
	struct pollfd fds[1 + 2 * PUBLISHED_MAX];
	char *room = malloc(ROOM);

	if (!room)
		_exit(1);
	for (u32 i = 0; i < count; i++) {
		fds[2 * i] = (struct pollfd){ports[i].host_fd, POLLIN, 0};
		fds[2 * i + 1] = (struct pollfd){ports[i].members_fd, POLLIN, 0};
	}
	fds[2 * count] = (struct pollfd){front_fd, 0, 0};
	for (;;) {
		if (poll(fds, 2 * count + 1, -1) < 0 && errno != EINTR)
			break;
		if (fds[2 * count].revents)
			break;
		for (u32 i = 0; i < count; i++)
			port_serve(&ports[i], fds[2 * i].revents, fds[2 * i + 1].revents, room);
	}
	_exit(0);
}

static bool kept(const struct port *ports, u32 count, int fd)
{
	for (u32 i = 0; i < count; i++)
		if (fd == ports[i].host_fd || fd == ports[i].members_fd)
			return true;
	return false;
}

static _Noreturn void relay_run(struct port *ports, u32 count, int front_fd)
{
	/* what the terminal sends to the job is the front's business */
	setsid();
	signal(SIGPIPE, SIG_IGN);
	for (int fd = STDERR_FILENO + 1; fd < FRONT_FDS; fd++)
		if (fd != front_fd && !kept(ports, count, fd))
			close(fd);
	serve(ports, count, front_fd);
}

int net_relay_start(struct net_grant *g, const struct run_options *o, struct error *err)
{
	struct port *ports = calloc(PUBLISHED_MAX, sizeof(*ports));
	int front[2];
	u32 count = 0;

	if (!ports || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, front) < 0)
		return error_set(err, errno, "cannot relay published UDP ports");
	for (u32 i = 0; i < g->count; i++)
		if (o->publish[i].udp)
			ports[count++] = (struct port){.host_fd = g->relayed[i].host_fd,
										   .members_fd = g->relayed[i].relay_fd,
										   .six = o->publish[i].six};
	g->relay = count ? fork() : 0;
	if (count && g->relay == 0) {
		close(front[0]);
		relay_run(ports, count, front[1]);
	}
	for (u32 i = 0; i < count; i++) {
		close(ports[i].host_fd);
		close(ports[i].members_fd);
	}
	free(ports);
	close(front[1]);
	g->relay_fd = front[0];
	return g->relay < 0 ? error_set(err, errno, "cannot relay published UDP ports") : 0;
}

void net_relay_end(struct net_grant *g)
{
	if (g->relay_fd >= 0)
		close(g->relay_fd);
	if (g->relay > 0)
		waitpid(g->relay, NULL, 0);
	g->relay_fd = -1;
	g->relay = 0;
}
