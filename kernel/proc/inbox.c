/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor wants done inside the family: signals for the foreground group and for PID 1,
 * burials, records for sessions. Any member does it, the one that is kicked or the first that
 * looks.
 *
 * Who may run at the same time: all members. The bits of signals are taken by atomic exchange.
 * Deaths go from the inbox into bury_todo under bury_lock and stay there until the burial is
 * complete, so that nothing is forgotten when the burier itself is killed: its own death makes the
 * supervisor fill the inbox again.
 */
#include <stdatomic.h>

#include <asm/signal.h>

#include "kernel/arch/arch.h"
#include "kernel/host/host.h"
#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/remote.h"
#include "kernel/sched/sched_hooks.h"
#include "kernel/task/table.h"

bool inbox_waiting(void)
{
	return atomic_load(&member_self()->kicked) || atomic_load(&KIN->inbox_pending);
}

static void signal_init(int sig)
{
	struct kin_proc *init = proc_find(1);

	if (init)
		tree_signal(init, sig, NULL);
}

/* Its foreground group has SIGHUP already; so has the session's leader, and both go on. */
static void terminal_gone(s32 pgid)
{
	struct kin_proc *init = proc_find(1);

	if (init && pgid && init->pgid != pgid) {
		signal_init(SIGHUP);
		signal_init(SIGCONT);
	}
	group_signal(pgid ? pgid : 1, SIGCONT, NULL);
}

/*
 * Typed on the terminal, or its end. Without a foreground group PID 1 gets it: Ctrl-C always
 * reaches somebody.
 */
static void signal_foreground(int sig)
{
	s32 pgid = console_get()->foreground_pgid;

	if (!pgid || !group_signal(pgid, sig, NULL))
		signal_init(sig);
	if (sig == SIGHUP)
		terminal_gone(pgid);
}

/* Taken under the lock: what another member takes after that it sends after that. */
static void send_each(_Atomic u64 *inbox, void (*send)(int sig))
{
	if (!atomic_load(inbox))
		return;
	tree_lock();
	u64 bits = atomic_exchange(inbox, 0);
	for (int sig = 1; sig <= NSIG; sig++)
		if (bits & SIGBIT(sig))
			send(sig);
	tree_unlock();
}

static bool dead_in_inbox(void)
{
	for (u32 i = 0; i < MEMBERS_MAX / 64; i++)
		if (atomic_load(&KIN->inbox_dead[i]))
			return true;
	return false;
}

static void bury_one(u32 member)
{
	if (atomic_load(&KIN->members[member].state) == MEMBER_DEAD) {
		proc_bury(member);
		member_free(member);
	}
}

static void bury_all(void)
{
	struct proc_table *t = proc_table;

	kin_lock_recover(&t->bury_lock, kin_recover_whole, NULL);
	for (u32 i = 0; i < MEMBERS_MAX / 64; i++) {
		u64 bits = atomic_load(&KIN->inbox_dead[i]);

		if (bits) {
			t->bury_todo[i] |= bits;
			atomic_fetch_and(&KIN->inbox_dead[i], ~bits);
		}
		bits = t->bury_todo[i];
		while (bits) {
			u32 bit = (u32)__builtin_ctzll(bits);

			bits &= bits - 1;
			bury_one(i * 64 + bit);
			t->bury_todo[i] &= ~(1ull << bit);
		}
	}
	kin_unlock(&t->bury_lock);
}

/*
 * A record for a session (abi/kin.h). A death before the swap leaves a record that the burial
 * finds, and the supervisor asks again.
 */
static void session_place(u32 i)
{
	struct kin_session *s = &KIN->sessions[i];
	u64 asked = atomic_load(&s->record), said;
	int index;

	if (!asked || (u32)asked)
		return;
	index = member_alloc(MEMBER_SPAWNING);
	if (index >= 0) {
		KIN->members[index].session = (u32)(asked >> 32);
		KIN->members[index].session_program = i + 1;
		KIN->members[index].clone_tsc = arch_cycles();
	}
	said = asked | (index < 0 ? SESSION_REFUSED + (u32)-index : (u32)index + 1);
	if (!atomic_compare_exchange_strong(&s->record, &asked, said)) {
		if (index >= 0)
			member_free((u32)index);
		return;
	}
	host_notify();
}

static void sessions_place(void)
{
	for (u32 i = 0; i < SESSIONS_MAX / 64; i++) {
		u64 bits = atomic_load(&KIN->inbox_sessions[i]);

		if (bits)
			bits = atomic_exchange(&KIN->inbox_sessions[i], 0);
		for (; bits; bits &= bits - 1)
			session_place(i * 64 + (u32)__builtin_ctzll(bits));
	}
}

void inbox_run(void)
{
	atomic_store(&member_self()->kicked, 0);
	mm_cuts_look();
	remote_look();
	if (!atomic_exchange(&KIN->inbox_pending, 0))
		return;
	send_each(&KIN->inbox_foreground, signal_foreground);
	send_each(&KIN->inbox_init, signal_init);
	if (dead_in_inbox())
		bury_all();
	sessions_place();
}
