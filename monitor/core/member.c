/* SPDX-License-Identifier: ISC */
/*
 * The monitor's side of its record in kin, its end, and what it says. Kin can be written by every
 * member: nothing read here is used without a check, and names are printed with their control
 * characters replaced.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define CLAIM_TRIES 1000

FORK_PATH struct kin_member *member_record(const struct member *m)
{
	return &m->family->kin->members[m->index];
}

/*
 * Enters pid as the record's host process. The cloning parent and the child both do this, in any
 * order; false means that the supervisor settled the record as dead (-1), or that it lives
 * another life already (generation): the child must then exit. A child that wakes up so late that
 * it enters a later life takes its pid back; the rightful pair waits for that.
 */
FORK_PATH bool member_claim(struct kin_header *kin, u32 index, u32 generation, s32 pid)
{
	struct kin_member *rec = &kin->members[index];

	for (int i = 0; i < CLAIM_TRIES; i++) {
		s32 found = 0;

		if (rec->generation != generation)
			return false;
		if (__atomic_compare_exchange_n((s32 *)&rec->host_pid, &found, pid, false, __ATOMIC_SEQ_CST,
										__ATOMIC_SEQ_CST) ||
			found == pid) {
			if (rec->generation == generation)
				return true;
			found = pid;
			__atomic_compare_exchange_n((s32 *)&rec->host_pid, &found, 0, false, __ATOMIC_SEQ_CST,
										__ATOMIC_SEQ_CST);
			return false;
		}
		if (found == -1)
			return false;
		HOST_CALL(SYS_sched_yield);
	}
	return false;
}

/* The last step before the guest runs. The supervisor may have given the record up meanwhile. */
FORK_PATH void member_live(struct member *m, enum member_state from)
{
	struct kin_member *rec = member_record(m);
	u32 expected = from;

	rec->backend = m->backend->kind;
	rec->first_tsc = host_rdtsc();
	if (!__atomic_compare_exchange_n((u32 *)&rec->state, &expected, MEMBER_LIVE, false,
									 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		HOST_CALL(SYS_exit_group, MEMBER_EXIT_DIED);
}

/*
 * In the PID namespace of which it is init, the supervisor's death ends everything. Without: in
 * each clone again, because fork clears it. The check catches a supervisor that died before: this
 * process is then already somebody else's child.
 */
FORK_PATH void member_follow_supervisor(const struct family *f)
{
	if (f->namespaced)
		return;
	HOST_CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (HOST_CALL(SYS_getppid) != f->supervisor_pid)
		HOST_CALL(SYS_exit_group, MEMBER_EXIT_DIED);
}

/* One line on standard error, in one write so that members' lines do not mix. */
void member_message(const struct member *m, const char *what, const char *text, size_t len)
{
	char line[1024], comm[sizeof(member_record(m)->comm) + 1] = "spawner";

	if (m->index < MEMBERS_MAX)
		guarded_copy(comm, member_record(m)->comm, sizeof(comm) - 1);
	int n = snprintf(line, sizeof(line) - 1, "unifork: member %u%s%s%s: %s", m->index,
					 comm[0] ? " (" : "", comm, comm[0] ? ")" : "", what);
	if (n < 0)
		return;
	size_t used = MIN((size_t)n, sizeof(line) - 2);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == 0))
		len--;
	len = MIN(len, sizeof(line) - 1 - used);
	memcpy(line + used, text, len);
	text_clean(line, used + len);
	line[used + len] = '\n';
	/* Once: where nobody reads, a signal ends the wait, and the member goes on without the line. */
	host_call_once(SYS_write, STDERR_FILENO, (u64)line, used + len + 1, 0, 0, 0);
}

FORK_PATH _Noreturn void member_exit(struct member *m, int status)
{
	for (;;)
		HOST_CALL(SYS_exit_group, status);
}

_Noreturn void member_die(struct member *m, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	member_message(m, "", text, strlen(text));
	member_exit(m, MEMBER_EXIT_DIED);
}
