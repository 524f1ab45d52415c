/* SPDX-License-Identifier: ISC */
/*
 * The handles that this member has of the family's sockets of the host, and what is known of their
 * readiness. Private memory; a clone inherits the table together with the host's descriptors.
 *
 * Readiness. A handle that somebody waits for is put into a set of the host's once (net_watch), and
 * from then on each event comes to this member with its next sleep or look (sockets_news): it is
 * noted here, and wakes the queues of the socket in kin, where programs wait as for any socket.
 * What was not noted is not there. What was noted may have been used up since: then a poll looks at
 * the host, unless nobody else has the socket and no operation came in between. An operation that
 * found nothing, or less than it wanted, takes the note back; an event after it is a new one. So no
 * event is lost, and what waiting costs depends on what is ready, not on what is watched.
 *
 * Letting go. `shared` says that another member may have the same socket: then the last descriptor
 * in this member closes the handle (sockets_closed), else the last one at all does.
 */
#include "kernel/net/host_socket.h"

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/net/host_share.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/keeper.h"
#include "kernel/vfs/vfs_hooks.h"

#define READING (EPOLLIN | EPOLLPRI | EPOLLRDHUP)
#define ENDS (EPOLLHUP | EPOLLERR)
#define HOST_EVENTS (READING | EPOLLOUT | ENDS)
#define HANDLE_BITS 16
#define PUBLISHED_ID (1ull << 40) /* and up: of published ports */

struct host_handle {
	u64 id;                     /* 0: free */
	struct inet_socket *socket; /* NULL: a published port */
	u32 ready, sure;            /* noted, EPOLL*; and certain: nothing was used since */
	bool watched, wanted;       /* wanted: was watched before the fork */
	bool told;                  /* the poll that began to watch has said what there is already */
	bool shared;
	u32 sleepers;               /* threads of this member that wait for it: it stays open */
};

static struct host_handle handles[HYP_HANDLES_MAX];
static u32 handles_end; /* entries from here on were never used */
static u32 watched;
static bool rewatch; /* what was watched before the clone is not yet */

bool host_sockets(void)
{
	return KIN->sockets;
}

int host_number(const struct host_handle *h)
{
	return (int)(h - handles);
}

bool host_is_of(const struct host_handle *h, const struct inet_socket *u)
{
	return h->socket == u;
}

/* ---- the table */

static struct host_handle *handle_enter(u64 id, struct inet_socket *u, s64 number)
{
	struct host_handle *h = &handles[number];

	if (h->watched)
		watched--;
	*h = (struct host_handle){.id = id, .socket = u};
	handles_end = MAX(handles_end, (u32)number + 1);
	return h;
}

/* Out of the set first: the host tells of it as long as anybody has it open. */
static void handle_close(struct host_handle *h)
{
	if (h->watched) {
		if (h->shared)
			host_net_watch(host_number(h), 0, false);
		watched--;
	}
	h->id = 0;
	h->watched = h->wanted = false;
	host_fs_close(host_number(h));
}

static struct host_handle *handle_known(const struct inet_socket *u, u64 id)
{
	u32 hint = atomic_load(&u->host_hint);

	if (hint < handles_end && handles[hint].id == id)
		return &handles[hint];
	for (u32 i = 0; i < handles_end; i++)
		if (handles[i].id == id)
			return &handles[i];
	return NULL;
}

s64 host_give(struct inet_socket *u, s64 number)
{
	u64 id;

	if (number < 0)
		return number;
	id = atomic_fetch_add(&net_shared()->next_host, 1) + 1;
	handle_enter(id, u, number);
	atomic_store(&u->host_hint, (u32)number);
	atomic_store(&u->host, id);
	return 0;
}

s64 host_make(struct inet_socket *u)
{
	return host_give(u, host_net_socket(u->e.s.family, u->e.s.type, u->e.s.protocol));
}

/* What is kept for others goes when the keeper sees that the id is not there any more. */
void host_release(struct inet_socket *u)
{
	u64 id = atomic_load(&u->host);
	struct host_handle *h = id ? handle_known(u, id) : NULL;

	if (!id)
		return;
	if (h)
		handle_close(h);
	atomic_store(&u->host, 0);
	if (inet_flag(u, INET_KEPT))
		keeper_stale();
}

struct host_handle *host_find(struct inet_socket *u)
{
	u64 id = atomic_load(&u->host);
	struct host_handle *h = id ? handle_known(u, id) : NULL;
	s64 number;

	if (!id || h)
		return h;
	number = keeper_take(&u->host, id, 0);
	if (number < 0)
		return NULL;
	h = handle_enter(id, u, number);
	h->shared = true;
	return h;
}

struct host_handle *host_published(u32 index)
{
	u32 number = KIN->published[index].handle;
	u64 id = PUBLISHED_ID + index;

	if (number >= HYP_HANDLES_MAX)
		return NULL;
	if (handles[number].id != id)
		handle_enter(id, NULL, number)->shared = true;
	return &handles[number];
}

static bool is_of(struct file *f, void *arg)
{
	return f->type == FILE_SOCKET && file_socket(f) == arg;
}

static bool used_here(struct inet_socket *u)
{
	struct proc *p;

	LIST_FOREACH(p, &member_procs, link)
		if (p->kp->fds && fdtable_any(p->kp->fds, is_of, u))
			return true;
	return false;
}

static void close_unused(struct host_handle *h)
{
	if (h->id && h->socket && h->shared && !h->sleepers &&
		(atomic_load(&h->socket->host) != h->id || !used_here(h->socket)))
		handle_close(h);
}

/* ---- readiness */

s64 host_watch(struct host_handle *h)
{
	s64 err;

	if (h->watched)
		return 0;
	err = host_net_watch(host_number(h), (u64)host_number(h) | h->id << HANDLE_BITS, true);
	if (err < 0)
		return err;
	h->watched = true;
	watched++;
	return 0;
}

static u32 look(struct host_handle *h)
{
	struct hyp_pollfd p = {.handle = host_number(h),
						   .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

	return host_sleep(0, HYP_LOOK, &p, 1, HYP_NO_MEMBER, NULL) > 0 ? (u16)p.revents & HOST_EVENTS
																   : 0;
}

u32 host_poll(struct host_handle *h, u32 events, bool tell)
{
	bool known = h->watched;

	events = (events & HOST_EVENTS) | ENDS;
	if (tell && host_watch(h) < 0)
		return EPOLLERR;
	if (!known || (h->ready & events & ~h->sure)) {
		h->ready = look(h);
		h->sure = h->shared ? 0 : h->ready;
		h->told |= tell && !known && h->ready;
	}
	return h->ready & events;
}

void host_not_ready(struct host_handle *h, u32 events)
{
	h->ready &= ~(events | ENDS);
	h->sure &= h->ready;
	h->told = false;
}

void host_used(struct host_handle *h, u32 events)
{
	h->sure &= ~events;
	h->told = false;
}

/*
 * A stream that gave less than was asked for has nothing more, as epoll(7) says: what comes from
 * then on is a new event. But for an end or urgent data, which a read stops before, and which were
 * noted if they were there when the host was asked last.
 */
void host_drained(struct host_handle *h)
{
	if (h->watched && !(h->ready & (EPOLLPRI | EPOLLRDHUP | ENDS)))
		host_not_ready(h, EPOLLIN);
	else
		host_used(h, EPOLLIN | EPOLLPRI);
}

void host_forget(struct host_handle *h)
{
	h->ready = h->sure = 0;
	h->told = false;
}

void host_sleep_begin(struct host_handle *h)
{
	h->sleepers++;
}

void host_sleep_end(struct host_handle *h)
{
	if (!--h->sleepers)
		close_unused(h);
}

bool host_quiet(const struct host_handle *h, u32 events)
{
	return h->watched && !h->told && !host_hopeful(h, events);
}

bool host_hopeful(const struct host_handle *h, u32 events)
{
	return h->ready & (events | ENDS);
}

/* Who listens there, in whatever member: one of them takes it. */
static void published_tell(const struct kin_published *p, u32 events)
{
	enum port_table table = p->udp ? PORTS_UDP : PORTS_TCP;
	u16 port = p->port;

	net_lock();
	for (struct inet_socket *u = port_first(table, port % PORT_BUCKETS); u; u = u->chain)
		if (u->local.port == port &&
			(p->udp || atomic_load(&u->e.state) == ENDPOINT_LISTENING))
			queue_wake_for(&u->e.in.readable, events | WAKE_NO_OWNER);
	net_unlock();
}

static void tell(struct host_handle *h, u32 events)
{
	struct inet_socket *u = h->socket;

	if (!u) {
		published_tell(&KIN->published[h->id - PUBLISHED_ID], events);
		return;
	}
	if (events & (READING | ENDS))
		queue_wake_for(&u->e.in.readable, events);
	if (events & (EPOLLOUT | ENDS))
		queue_wake_for(&u->e.in.writable, events);
}

void sockets_news(const struct hyp_events *news)
{
	for (u32 i = 0; i < MIN(news->count, (u32)HYP_EVENTS); i++) {
		u64 data = news->event[i].data;
		struct host_handle *h = &handles[data % HYP_HANDLES_MAX];
		u32 events = news->event[i].events & HOST_EVENTS;

		if (h->id != data >> HANDLE_BITS)
			continue;
		/* the host's first word of a handle: nothing has happened since the poll that told it */
		if (h->told && !(events & ~h->ready)) {
			h->told = false;
			continue;
		}
		h->told = false;
		/* the host repeats it with everything that comes until it is read */
		if (events & ~h->ready & EPOLLPRI && h->socket)
			urgent_tell((s32)atomic_load(&h->socket->owner));
		h->ready |= events;
		h->sure |= h->shared ? 0 : events;
		tell(h, events);
	}
}

bool sockets_watched(void)
{
	return watched;
}

void sockets_rewatch(void)
{
	for (u32 i = 0; rewatch && i < handles_end; i++)
		if (handles[i].id && handles[i].wanted)
			host_watch(&handles[i]);
	rewatch = false;
}

/* ---- sharing */

void sockets_fork_prepare(void)
{
	for (u32 i = 0; i < handles_end; i++) {
		handles[i].shared = true;
		handles[i].sure = 0;
	}
}

void sockets_fork_child(void)
{
	for (u32 i = 0; i < handles_end; i++) {
		handles[i].wanted = handles[i].watched || handles[i].wanted;
		handles[i].watched = handles[i].told = false;
		handles[i].sleepers = 0;
		rewatch |= handles[i].wanted;
	}
	watched = 0;
}

static struct inet_socket *host_socket_of(struct file *f)
{
	struct socket *s = f->type == FILE_SOCKET ? file_socket(f) : NULL;

	if (!s || (s->family != AF_INET && s->family != AF_INET6) || !atomic_load(&inet_of(s)->host))
		return NULL;
	return inet_of(s);
}

void socket_pass(struct file *f)
{
	struct inet_socket *u = host_socket_of(f);
	struct host_handle *h = u ? host_find(u) : NULL;

	if (!h)
		return;
	h->shared = true;
	h->sure = 0;
	if (!inet_flag(u, INET_KEPT) && !keeper_keep(host_number(h), &u->host, h->id, 0))
		atomic_fetch_or(&u->flags, INET_KEPT);
}

void sockets_closed(struct file *f)
{
	struct inet_socket *u = handles_end ? host_socket_of(f) : NULL;
	struct host_handle *h = u ? handle_known(u, atomic_load(&u->host)) : NULL;

	if (h)
		close_unused(h);
}

void sockets_sweep(void)
{
	for (u32 i = 0; i < handles_end; i++)
		close_unused(&handles[i]);
}
