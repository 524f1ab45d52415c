/* SPDX-License-Identifier: ISC */
/*
 * Forged member records: host_pid changes between a child of the supervisor's and the argument, a
 * process id that is none of the family's, while the supervisor is asked to end the record's
 * member. Ordinary stores to kin and one hypercall; the kernel knows nothing of it.
 * @test timeout=60 members=30 nosvm
 */
#include "hostile.h"

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

enum { CHILDREN = 8, FIRST = 1000, RECORDS = 12 };

static void notify(const struct boot_info *boot)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	frame->number = HYP_notify;
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
}

static void flip_for_ever(const pid_t *children, int count, pid_t victim)
{
	for (;;) {
		for (int i = 0; i < RECORDS; i++)
			KIN->members[FIRST + i].host_pid = children[i % count];
		for (int i = 0; i < RECORDS; i++)
			KIN->members[FIRST + i].host_pid = victim;
	}
}

int main(int argc, char **argv)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;
	pid_t child[CHILDREN], host[64], flipper;
	int count = 0;

	if (argc != 2)
		die("arguments");
	for (int i = 0; i < CHILDREN; i++)
		if ((child[i] = fork_or_die()) == 0)
			for (;;)
				pause();
	pause_ms(200);
	for (int i = 1; i < 64; i++)
		if (KIN->members[i].state == MEMBER_LIVE && KIN->members[i].host_pid > 0)
			host[count++] = KIN->members[i].host_pid;
	if (!count)
		die("no members in kin");
	if ((flipper = fork_or_die()) == 0)
		flip_for_ever(host, count, atoi(argv[1]));
	for (int i = 0; i < RECORDS; i++) { /* the supervisor's patience is 3 s */
		struct kin_member *m = &KIN->members[FIRST + i];

		m->generation = 1;
		m->doomed = 1;
		m->state = MEMBER_LIVE;
		KIN->doom_map[(FIRST + i) / 64] |= 1ull << (FIRST + i) % 64;
		notify(boot);
		pause_ms(50);
	}
	pause_ms(3200);
	kill(flipper, SIGKILL);
	for (int i = 0; i < CHILDREN; i++)
		kill(child[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	say("done");
	return finish();
}
