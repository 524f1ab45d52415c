/* SPDX-License-Identifier: ISC */
/*
 * What happens to the family's processes, for the front's clients: read out of kin (abi/events.h)
 * while somebody wants it. Everything there is a member's word: each event is copied once, and the
 * count of events before and after says whether it was written over meanwhile. A turn tells a
 * bounded number, so a family that floods the ring loses its own events and nothing else.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "monitor/supervisor/supervisor_internal.h"

#define LOOK_NS 20000000ull
#define AGE_MAX_NS (10 * NS_PER_S)

void events_want(struct supervisor *s, bool wanted)
{
	struct kin_events *e = &s->family.kin->events;

	if (wanted && !s->events_look_ns) {
		s->events_seen = KIN_READ(e->head);
		s->events_lost = 0;
	}
	s->events_look_ns = wanted ? supervisor_now_ns() + LOOK_NS : 0;
	KIN_WRITE(e->wanted, wanted);
}

static u64 real_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

/* When was that cycle? Now, if it makes no sense. */
static u64 time_of(struct supervisor *s, u64 tsc)
{
	u64 khz = KIN_READ(s->family.kin->clock.tsc_khz), cycles = __builtin_ia32_rdtsc() - tsc;

	if (!khz || cycles / khz > AGE_MAX_NS / 1000000)
		return real_now_ns();
	return real_now_ns() - cycles * 1000000 / khz;
}

static void event_copy(struct supervisor *s, u64 number, struct link_event *to)
{
	struct kin_event e;

	memcpy(&e, &s->family.kin->events.ring[number % EVENTS_MAX], sizeof(e));
	*to = (struct link_event){.time_ns = time_of(s, e.tsc), .kind = e.kind, .status = e.status,
							  .pid = e.pid, .ppid = e.ppid};
	memcpy(to->name, e.name, sizeof(to->name));
	to->name[sizeof(to->name) - 1] = 0;
}

/* Some of them; false: there is no more, or the front does not take it now. */
static bool events_tell(struct supervisor *s)
{
	static struct link_events said;
	_Atomic u64 *head = &s->family.kin->events.head;
	u64 now = KIN_READ(*head), from = s->events_seen, lost = s->events_lost;

	if (now < from) /* a member has set it back */
		from = now;
	if (now - from > EVENTS_MAX) {
		lost += now - from - EVENTS_MAX;
		from = now - EVENTS_MAX;
	}
	said.count = 0;
	while (from < now && said.count < LINK_EVENTS_MAX) {
		event_copy(s, from, &said.events[said.count]);
		if (KIN_READ(*head) - from++ >= EVENTS_MAX)
			lost++; /* written over meanwhile, perhaps */
		else
			said.count++;
	}
	said.lost = lost;
	if (!said.count && !lost) {
		s->events_seen = from;
		return false;
	}
	if (send(s->link_fd, &said, sizeof(said), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN)
		return false;
	s->events_seen = from;
	s->events_lost = 0;
	return from < now;
}

void events_check(struct supervisor *s)
{
	if (!s->events_look_ns || supervisor_now_ns() < s->events_look_ns)
		return;
	for (int i = 0; i < EVENTS_MAX / LINK_EVENTS_MAX && events_tell(s); i++)
		;
	s->events_look_ns = supervisor_now_ns() + LOOK_NS;
}

/* The supervisor's own: it has killed that monitor, whose memory is too much. */
void events_oom(struct supervisor *s, u32 index)
{
	const struct kin_member *m = &s->family.kin->members[index];
	struct link_events said = {.count = 1};
	struct link_event *e = &said.events[0];

	if (!s->events_look_ns)
		return;
	*e = (struct link_event){.time_ns = real_now_ns(), .kind = EVENT_OOM,
							 .pid = KIN_READ(m->pid), .ppid = KIN_READ(m->ppid)};
	memcpy(e->name, m->comm, sizeof(e->name));
	e->name[sizeof(e->name) - 1] = 0;
	if (send(s->link_fd, &said, sizeof(said), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		s->events_lost++;
}

/* Before the end is told: what is left in the ring. */
void events_last(struct supervisor *s)
{
	if (s->events_look_ns)
		while (events_tell(s))
			;
}
