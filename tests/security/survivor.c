/* SPDX-License-Identifier: ISC */
/*
 * A process that the guest's kernel knows nothing of: cloned by the monitor's own `syscall`
 * instruction. It says its number and waits; the end of the supervisor must be its end, too.
 * @test timeout=60 members=1 nosvm
 */
#include "gadget.h"
#include <poll.h>
#include <sched.h>

int main(void)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;
	struct timespec minute = {60, 0};

	if (boot->backend == BACKEND_PROCESS && gadget_find(boot)) {
		long pid = host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);

		if (pid == 0) {
			host(SYS_ppoll, 0, 0, (long)&minute, 0, 0);
			host(SYS_exit_group, 0, 0, 0, 0, 0);
		}
		say("cloned: %s", pid > 0 ? "yes" : "BROKEN");
	}
	say("ready");
	fflush(stdout);
	pause_ms(60000);
	return finish();
}
