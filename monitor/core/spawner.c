/* SPDX-License-Identifier: ISC */
/*
 * The spawner: a monitor without a member. It is made ready and confined as every fresh monitor is,
 * and then stays; a fresh member is a host fork of it, which takes as long as a small fork instead
 * of a whole start. It runs no guest code and holds nothing of any member.
 *
 * Who wants a fresh member sets its bit in kin's spawn_map and wakes the spawner, or tells the
 * supervisor if there is none. Whoever clears the bit serves it. The spawner notes in
 * spawner_serves what it has taken until the new process is named in the record: if it is killed
 * in between, the supervisor sets the bit again, and of two processes the record takes one
 * (member_claim).
 */
#include <linux/futex.h>
#include <sched.h>

#include "monitor/core/core_internal.h"

static void child_run(void *arg)
{
	struct member *m = arg;

	member_live(m, MEMBER_SPAWNING);
	m->backend->run(m, false);
}

static _Noreturn void child_start(struct member *m, u32 index, u32 generation)
{
	struct boot_info *boot = (struct boot_info *)BOOT_INFO_ADDR;
	struct error err;

	clone_become(m, index, generation);
	boot->start_tsc = host_rdtsc();
	if (m->backend->create(m, false, &err) < 0)
		member_die(m, "%s", err.text);
	stack_call(m->stack_top, child_run, m);
}

static u64 serves(u32 index, u32 generation)
{
	return (u64)generation << 32 | (index + 1);
}

/* The supervisor serves what this process cannot. */
static void give_back(struct member *m, u32 index)
{
	struct kin_header *kin = m->family->kin;
	u64 one = 1;

	kin->spawner_ready = 0;
	kin->spawn_map[index / 64] |= 1ull << (index % 64);
	HOST_CALL(SYS_write, m->family->notify_fd, &one, sizeof(one));
}

static void spawn_one(struct member *m, u32 index)
{
	struct kin_header *kin = m->family->kin;
	struct kin_member *rec = &kin->members[index];
	u32 generation = rec->generation;
	u64 bit = 1ull << (index % 64);
	s64 pid = 0;

	kin->spawner_serves = serves(index, generation);
	if (__atomic_fetch_and((u64 *)&kin->spawn_map[index / 64], ~bit, __ATOMIC_SEQ_CST) & bit &&
		rec->state == MEMBER_SPAWNING && rec->host_pid == 0) {
		pid = HOST_CALL(SYS_clone, CLONE_PARENT);
		if (pid == 0)
			child_start(m, index, generation);
		if (pid > 0)
			member_claim(kin, index, generation, (s32)pid);
	}
	kin->spawner_serves = 0;
	if (pid < 0)
		give_back(m, index);
}

static void spawn_all(struct member *m)
{
	struct kin_header *kin = m->family->kin;

	for (u32 w = 0; w < MEMBERS_MAX / 64; w++)
		for (u64 bits = kin->spawn_map[w]; bits; bits &= bits - 1)
			spawn_one(m, w * 64 + (u32)__builtin_ctzll(bits));
}

_Noreturn void spawner_run(void *arg)
{
	struct member *m = arg;
	struct kin_header *kin = m->family->kin;

	kin->spawner_ready = 1;
	for (;;) {
		u32 seen = kin->spawn_word;

		if (kin->spawner_ready)
			spawn_all(m);
		HOST_CALL(SYS_futex, &kin->spawn_word, FUTEX_WAIT_BITSET, seen, NULL, 0,
				  FUTEX_BITSET_MATCH_ANY);
	}
}
