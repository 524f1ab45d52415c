/* SPDX-License-Identifier: ISC */
/* The socket and its clients: who comes, who goes, who waits for a page of members. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "monitor/core/monitor.h"
#include "monitor/supervisor/control.h"

int control_open(struct control *c, const struct run_options *o, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	c->named = o->named;
	c->options = o;
	c->listen_fd = c->spare_fd = -1;
	if (!c->named)
		return 0;
	for (u32 i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->clients[i] = (struct control_client){.fd = -1, .from = -1};
	for (u32 i = 0; i < CONTROL_EXECS_MAX; i++)
		c->execs[i].fd = -1;
	for (u32 i = 0; i < CONTROL_WATCHERS_MAX; i++)
		c->watchers[i].fd = -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control",
			 c->named->dir.fd);
	c->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	mask = umask(0077);
	r = c->listen_fd < 0 ? -1 : bind(c->listen_fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (r < 0 || listen(c->listen_fd, CONTROL_CLIENTS_MAX) < 0)
		return error_set(err, errno, "cannot make the control socket of '%s'", c->named->dir.name);
	return 0;
}

static void exec_drop(struct control_exec *exec)
{
	if (exec->fd >= 0)
		close(exec->fd);
	exec->fd = -1;
}

static void client_drop(struct control_client *client)
{
	close(client->fd);
	*client = (struct control_client){.fd = -1, .from = -1};
}

void control_close(struct control *c)
{
	if (!c->named)
		return;
	for (u32 i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i].fd >= 0)
			client_drop(&c->clients[i]);
	for (u32 i = 0; i < CONTROL_EXECS_MAX; i++)
		exec_drop(&c->execs[i]);
	for (u32 i = 0; i < CONTROL_WATCHERS_MAX; i++)
		if (c->watchers[i].fd >= 0)
			close(c->watchers[i].fd);
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	if (c->spare_fd >= 0)
		close(c->spare_fd);
	c->listen_fd = c->spare_fd = -1;
}

u32 control_polls(const struct control *c, struct pollfd *fds)
{
	u32 n = 0;

	if (!c->named)
		return 0;
	fds[n++] = (struct pollfd){c->listen_fd, POLLIN, 0};
	for (u32 i = 0; i < CONTROL_CLIENTS_MAX; i++) /* who waits is looked at for its end alone */
		fds[n++] = (struct pollfd){c->clients[i].fd, c->clients[i].from < 0 ? POLLIN : 0, 0};
	for (u32 i = 0; i < CONTROL_EXECS_MAX; i++)
		fds[n++] = (struct pollfd){c->execs[i].fd, 0, 0};
	for (u32 i = 0; i < CONTROL_WATCHERS_MAX; i++)
		fds[n++] = (struct pollfd){c->watchers[i].fd, 0, 0};
	return n;
}

/* A place; of those that wait for nothing, who was heard least lately makes room. NULL: none. */
static struct control_client *place_find(struct control *c)
{
	struct control_client *oldest = NULL;

	for (u32 i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd < 0)
			return client;
		if (client->from < 0 && (!oldest || client->heard < oldest->heard))
			oldest = client;
	}
	if (oldest)
		client_drop(oldest);
	return oldest;
}

/* The directory lets nobody else in; this is for the day on which somebody has changed its mode. */
static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
		   (who.uid == geteuid() || who.uid == 0);
}

/* No descriptor is left: the spare one makes room for turning the client away. */
static void turn_away(struct control *c)
{
	int fd;

	if (c->spare_fd >= 0)
		close(c->spare_fd);
	fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void client_come(struct control *c)
{
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_client *place;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(c);
		return;
	}
	place = may_ask(fd) ? place_find(c) : NULL;
	if (place)
		*place = (struct control_client){.fd = fd, .from = -1, .heard = ++c->hearings};
	else
		close(fd);
}

/* One packet at most is under way to it: if there is no room for it, it does not read. */
static void client_answer(struct control_client *client, json_t *answer)
{
	if (!answer || packet_send(client->fd, answer, NULL) < 0)
		client_drop(client);
	json_decref(answer);
}

static void fds_close(const int *fds)
{
	for (int i = 0; i < REQUEST_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* One request at a time: the next one is read when the answer is out. */
static void client_hear(struct control *c, struct control_client *client)
{
	json_t *packet = packet_receive(client->fd, client->fds), *answer;

	if (!packet) {
		fds_close(client->fds);
		if (errno == EBADMSG)
			client_answer(client, control_refusal("this is no JSON object of at most 64 KiB"));
		else if (errno != EAGAIN && errno != EINTR)
			client_drop(client);
		return;
	}
	client->heard = ++c->hearings;
	answer = control_answer(c, client, packet);
	json_decref(packet);
	fds_close(client->fds);
	if (client->fd >= 0 && client->from < 0)
		client_answer(client, answer);
}

/* The supervisor is asked for one page at a time. */
static void pages_ask(struct control *c)
{
	for (u32 i = 0; i < CONTROL_CLIENTS_MAX && !c->page_asked; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd < 0 || client->from < 0)
			continue;
		c->page_asked = client->asked = control_page_ask(c, client->from);
		if (!c->page_asked) {
			client->from = -1;
			client_answer(client, control_refusal("the supervisor does not listen"));
		}
	}
}

void control_serve(struct control *c, const struct pollfd *fds, u32 count)
{
	const struct pollfd *execs = fds + 1 + CONTROL_CLIENTS_MAX;
	const struct pollfd *watchers = execs + CONTROL_EXECS_MAX;

	for (u32 i = 0; count && i < CONTROL_EXECS_MAX; i++)
		if (execs[i].fd >= 0 && execs[i].revents)
			exec_drop(&c->execs[i]);
	for (u32 i = 0; count && i < CONTROL_WATCHERS_MAX; i++)
		if (watchers[i].fd >= 0 && watchers[i].revents)
			watcher_drop(c, &c->watchers[i]);
	for (u32 i = 1; i < count && i <= CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &c->clients[i - 1];

		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		if (client->from < 0)
			client_hear(c, client);
		else
			client_drop(client);
	}
	/* After the others, whose places it might take while fds still speaks of them. */
	if (count && fds[0].revents)
		client_come(c);
	if (count)
		pages_ask(c);
}

void control_paused(struct control *c, bool paused)
{
	int fd;

	if (!c->named || c->paused == paused)
		return;
	c->paused = paused;
	if (!paused) {
		unlinkat(c->named->dir.fd, FAMILY_PAUSED_FILE, 0);
		return;
	}
	fd = openat(c->named->dir.fd, FAMILY_PAUSED_FILE, FAMILY_FILE_FLAGS | O_WRONLY, 0600);
	if (fd >= 0)
		close(fd);
}

void control_started(struct control *c, int backend)
{
	if (!c->named)
		return;
	c->named->backend = backend == BACKEND_KVM ? "kvm" : "process";
	c->named->started = true;
	control_event(c, "start", -1);
	for (u32 i = 0; i < CONTROL_WATCHERS_MAX; i++)
		if (c->watchers[i].fd >= 0)
			control_tell(c, LINK_EVENTS, 1);
	/* One byte; whoever reads it may have gone. */
	if (c->named->started_fd >= 0 && write(c->named->started_fd, "", 1) < 0)
		c->named->started_fd = -1;
	if (c->named->started_fd >= 0)
		close(c->named->started_fd);
	c->named->started_fd = -1;
}

void control_members(struct control *c, const struct link_members *page)
{
	c->page_asked = false;
	for (u32 i = 0; c->named && i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd < 0 || !client->asked)
			continue;
		client->asked = false;
		client->from = -1;
		client_answer(client, control_page(page));
	}
	pages_ask(c);
}

void control_reset(struct control *c)
{
	static const struct link_members none;

	c->link_fd = -1;
	c->page_asked = false;
	control_paused(c, false);
	for (u32 i = 0; c->named && i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd < 0 || client->from < 0)
			continue;
		client->from = -1;
		client->asked = false;
		client_answer(client, control_page(&none)); /* nobody is there at this moment */
	}
	for (u32 i = 0; c->named && i < CONTROL_EXECS_MAX; i++)
		exec_drop(&c->execs[i]);
}

void control_exec(struct control *c, const struct link_result *said)
{
	struct control_exec *exec = NULL;
	struct control_client client = {.from = -1};

	for (u32 i = 0; c->named && i < CONTROL_EXECS_MAX; i++)
		if (c->execs[i].fd >= 0 && c->execs[i].number == said->exec)
			exec = &c->execs[i];
	if (!exec || (said->end == LINK_EXEC_BEGUN && !exec->detach))
		return;
	client.fd = exec->fd; /* as any other, for this one answer */
	exec->fd = -1;
	client_answer(&client, control_exec_end(said));
	if (client.fd >= 0)
		client_drop(&client);
}
