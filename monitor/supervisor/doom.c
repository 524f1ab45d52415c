/* SPDX-License-Identifier: ISC */
/*
 * SIGKILL for members that cannot carry it out. A process of the family dies of SIGKILL in its own
 * kernel, like of any other signal; but application and kernel share their memory, and an
 * application that has overwritten its kernel hears nothing. So whoever sends SIGKILL also names
 * the member here, and what still lives after DOOM_PATIENCE_NS is killed on the host. To the family
 * that is the same death: the burial gives the parent the wait status of SIGKILL.
 */
#include <signal.h>
#include <stdlib.h>

#include "monitor/supervisor/supervisor_internal.h"

#define DOOM_PATIENCE_NS 3000000000ull

/* Is the life that was sent SIGKILL still the one in this record? */
static bool doomed(const struct supervisor *s, u32 index)
{
	const struct kin_member *m = &s->family.kin->members[index];
	u32 state = KIN_READ(m->state);

	return (state == MEMBER_LIVE || state == MEMBER_CLONING) &&
		   KIN_READ(m->doomed) == KIN_READ(m->generation);
}

void doom_note(struct supervisor *s, u32 index)
{
	if (!s->doomed_ns)
		s->doomed_ns = calloc(MEMBERS_MAX, sizeof(*s->doomed_ns));
	if (!s->doomed_ns || s->doomed_ns[index] || !doomed(s, index))
		return;
	s->doomed_ns[index] = supervisor_now_ns() + DOOM_PATIENCE_NS;
	if (!s->doom_deadline_ns)
		s->doom_deadline_ns = s->doomed_ns[index];
}

void doom_check(struct supervisor *s)
{
	u64 now, next = 0;

	if (!s->doom_deadline_ns)
		return;
	now = supervisor_now_ns();
	if (now < s->doom_deadline_ns)
		return;
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		u64 due = s->doomed_ns[i];

		if (due && due <= now) {
			if (doomed(s, i))
				child_signal(KIN_READ(s->family.kin->members[i].host_pid), SIGKILL);
			s->doomed_ns[i] = 0;
		} else if (due && (!next || due < next)) {
			next = due;
		}
	}
	s->doom_deadline_ns = next;
}
