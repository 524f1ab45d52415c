/* SPDX-License-Identifier: ISC */
/*
 * A guest that tells its supervisor itself how the family has ended. Argument: the wait status.
 * @test timeout=20 members=1 nosvm
 */
#include "hostile.h"

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

int main(int argc, char **argv)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	if (argc != 2)
		die("arguments");
	KIN->ended_status = (unsigned)atoi(argv[1]);
	KIN->ended = 1;
	frame->number = HYP_notify;
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	for (;;)
		pause();
}
