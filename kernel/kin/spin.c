/* SPDX-License-Identifier: ISC */
/*
 * Spinning before sleeping. A wake-up across CPUs costs 20 us and more; a peer that runs on
 * another CPU often acts sooner. Where both share one CPU it never does, nor where the peer
 * computes for long: a score of the last attempts gives up soon, and each failed new attempt
 * doubles the number of sleeps before the next.
 */
#include "kernel/kin/spin.h"

#include "kernel/arch/arch.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"

#define SPIN_NS 20000        /* for a peer that runs: what a wake-up across CPUs costs */
#define SPIN_WAKING_NS 60000 /* for one that is being woken */
#define SCORE_MAX 8
#define PROBE_MIN 32         /* after this many sleeps, try again whether spinning pays */
#define PROBE_MAX 4096
#define LOOK_EVERY 16        /* pauses between two looks at the other's cache line */
#define LOOK_MEMBERS 32

/* Private: does spinning pay for this member? Learnt for each kind of waiting by itself. */
struct patience {
	s32 score;
	u32 skipped, probe_after;
};

static struct patience for_data = {.score = SCORE_MAX / 2, .probe_after = PROBE_MIN};
static struct patience for_doorbell = {.score = SCORE_MAX / 2, .probe_after = PROBE_MIN};
static bool in_vain; /* something was waited for since the last sleep */

static bool member_running(u32 index)
{
	struct kin_member *m = &KIN->members[index];

	return atomic_load(&m->state) == MEMBER_LIVE &&
	       atomic_load(&m->doorbell_state) == DOORBELL_RUNNING;
}

/*
 * This member, the peer and the others that do not sleep: with more of them than CPUs, spinning
 * takes time from one that has work, perhaps from the peer itself. Of a large family only the
 * first are asked.
 */
static bool cpu_to_spare(u32 peer)
{
	u32 cpus = KIN->cpus, running = 2;

	for (u32 i = 0; cpus && i < LOOK_MEMBERS && running <= cpus && member_used(i); i++)
		running += i != peer && i != BOOT_INFO->member && member_running(i);
	return cpus == 0 || running <= cpus;
}

static u64 spin_tsc(u64 ns)
{
	return (KIN->clock.tsc_khz ? KIN->clock.tsc_khz : 2000000) * ns / 1000000;
}

static void learn(struct patience *p, bool paid)
{
	if (paid) {
		p->score = MIN(p->score + 1, SCORE_MAX);
		p->probe_after = PROBE_MIN;
	} else if (p->score > 0) {
		p->score--;
	} else {
		p->probe_after = MIN(p->probe_after * 2, PROBE_MAX);
	}
}

static bool spin(struct patience *p, bool (*ready)(void *arg), void *arg, u32 peer)
{
	u64 begin = arch_cycles(), waking = spin_tsc(SPIN_WAKING_NS), limit = spin_tsc(SPIN_NS);

	if (peer >= MEMBERS_MAX || peer == BOOT_INFO->member)
		return false;
	if (doorbell_woken_since(peer, begin - waking))
		limit = waking;
	else if (!member_running(peer))
		return false;
	if (p->score <= 0 && ++p->skipped < p->probe_after)
		return false;
	if (!cpu_to_spare(peer))
		return false;
	p->skipped = 0;
	do {
		for (u32 i = 0; i < LOOK_EVERY; i++)
			cpu_relax();
		if (ready(arg)) {
			learn(p, true);
			return true;
		}
	} while (arch_cycles() - begin < limit && !cpu_exit_work_asked());
	learn(p, false);
	return false;
}

bool spin_for(bool (*ready)(void *arg), void *arg, u32 peer)
{
	bool paid = spin(&for_data, ready, arg, peer);

	in_vain = !paid && peer != NO_PEER;
	return paid;
}

static bool doorbell_rang(void *arg)
{
	return atomic_load_explicit(&member_self()->doorbell, memory_order_relaxed) != *(u32 *)arg;
}

bool spin_for_doorbell(u32 seen)
{
	bool rang = !in_vain &&
				spin(&for_doorbell, doorbell_rang, &seen, atomic_load(&member_self()->rung_by));

	in_vain = false;
	return rang;
}
