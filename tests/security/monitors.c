/* SPDX-License-Identifier: ISC */
/*
 * A guest that doubles its monitors without asking its kernel, which would keep to --pids: in the
 * process backend it makes the host's clone call itself. The family is to be ended by the
 * supervisor; if it is not, this says so, and all of it ends by itself after a while.
 * @test timeout=60 members=1 nosvm
 */
#include "gadget.h"
#include <sched.h>

#define DOUBLINGS 8 /* 255 clones: more than 2N + 64 of a small --pids N */
#define CLONES_LIVE_S 10
#define ENDED_BY_MS 5000

int main(void)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;
	struct timespec life = {CLONES_LIVE_S, 0};
	bool clone = false;

	if (boot->backend != BACKEND_PROCESS) {
		say("the monitor is in another address space");
		return 0;
	}
	if (!gadget_find(boot))
		return 1;
	for (int i = 0; i < DOUBLINGS; i++) {
		long pid = host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);

		if (pid < 0 && !clone)
			say("no more clones (%ld)", pid);
		clone |= pid == 0;
	}
	if (clone) {
		host(SYS_ppoll, 0, 0, (long)&life, 0, 0);
		host(SYS_exit_group, 0, 0, 0, 0, 0);
	}
	pause_ms(ENDED_BY_MS);
	say("BROKEN: the family goes on with all its monitors");
	return 1;
}
