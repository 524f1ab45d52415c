/* SPDX-License-Identifier: ISC */
/*
 * In the process backend a guest shares the monitor's address space: a `syscall` instruction of the
 * monitor's text enters the host past all of the monitor's checks. What is left to hold the guest
 * is what the host enforces on the process.
 */
#ifndef UNIFORK_TESTS_GADGET_H
#define UNIFORK_TESTS_GADGET_H

#include "hostile.h"

#include "abi/boot.h"
#include "abi/hypercall.h"

/* `syscall; cmp $-4095,%rax; jae +1; ret`: libc's own function, called with the number in rax. */
static const unsigned char gadget_bytes[] = {0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73};
static const unsigned char *gadget;

static UNUSED long host(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret = nr;

	__asm__ volatile("call *%[gadget]"
					 : "+a"(ret)
					 : [gadget] "r"(gadget), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
					 : "rcx", "r11", "r9", "memory");
	return ret;
}

/* libc lies behind the monitor in its executable. */
static UNUSED bool gadget_find(const struct boot_info *boot)
{
	const unsigned char *from = (const unsigned char *)boot->hypercall_entry;

	for (size_t i = 0; i < 640 << 10 && !gadget; i++)
		if (!memcmp(from + i, gadget_bytes, sizeof(gadget_bytes)) && from[i + 10] == 0xc3)
			gadget = from + i;
	say("a syscall instruction: %s", gadget ? "found" : "BROKEN: none found");
	return gadget;
}

#endif
