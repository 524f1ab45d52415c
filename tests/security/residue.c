/* SPDX-License-Identifier: ISC */
/*
 * All that a guest of the process backend can read of its monitor's process, on standard output:
 * nothing of its caller's may be in it. The host says what is mapped, and kin is the family's own.
 * @test timeout=60 members=1 nosvm
 */
#include "gadget.h"

static void range_put(uint64_t start, uint64_t end)
{
	for (uint64_t page = start; page < end; page += 4096)
		if (page < KIN_BASE || page >= KIN_END)
			host(SYS_write, STDOUT_FILENO, (long)page, 4096, 0, 0);
		else
			page = KIN_END - 4096;
}

int main(void)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;
	uint64_t at = PRIVATE_END;

	if (boot->backend != BACKEND_PROCESS) {
		say("the monitor is in another address space");
		return 0;
	}
	if (!gadget_find(boot))
		return 1;
	for (uint32_t i = 0; i < boot->zone_count; i++) {
		if (boot->zones[i].start > at)
			range_put(at, boot->zones[i].start);
		at = boot->zones[i].end;
	}
	range_put(at, USER_ADDRESS_END);
	say("\nall of it");
	return 0;
}
