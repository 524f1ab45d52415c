/* SPDX-License-Identifier: ISC */
/*
 * In the process backend a guest shares the monitor's address space: a `syscall` instruction of the
 * monitor's text enters the host past all of the monitor's checks. What is left to hold the guest
 * is what the host enforces on the process.
 */
#ifndef UNIFORK_TESTS_GADGET_H
#define UNIFORK_TESTS_GADGET_H

#include "hostile.h"
#include <linux/openat2.h>

#include "abi/boot.h"
#include "abi/hypercall.h"

/* `syscall; cmp $-4095,%rax; jae +1; ret`: libc's own function, called with the number in rax. */
static const unsigned char gadget_bytes[] = {0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73};
static const unsigned char *gadget;

static UNUSED long host(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long ret = nr;

	__asm__ volatile("call *%[gadget]"
					 : "+a"(ret)
					 : [gadget] "r"(gadget), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
					 : "rcx", "r11", "memory");
	return ret;
}

/*
 * The ways of opening files that the monitor has in its read-only memory, which is behind its text;
 * of another structure the allowlist wants nothing to know. NULL: it has none with these flags.
 */
static UNUSED const struct open_how *monitor_how(const struct boot_info *boot, uint64_t flags,
												 uint64_t mode)
{
	const uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	const struct open_how *how = (const struct open_how *)(boot->hypercall_entry & -32ULL);
	size_t places = (4 << 20) / 32, none_for = 0;

	/* They stand together, 32 bytes from one to the next. */
	for (size_t i = 0; i < places && none_for < 64; i++, how = (const void *)((char *)how + 32)) {
		bool one = how->resolve == resolve && how->flags & O_CLOEXEC && how->mode < 01000;

		if (one && how->flags == (flags | O_CLOEXEC) && how->mode == mode)
			return how;
		none_for = one ? 1 : none_for ? none_for + 1 : 0;
	}
	return NULL;
}

/* Opens a path of the host from the family's root, or from another directory of it. */
static UNUSED long monitor_open(const struct boot_info *boot, int dir, const char *name, long flags,
								long mode)
{
	const struct open_how *how = monitor_how(boot, (uint64_t)flags, (uint64_t)mode);

	return how ? host(SYS_openat2, dir, (long)name, (long)how, sizeof(*how), 0) : -EINVAL;
}

/* The lowest descriptor that is a directory: the family's root. */
static UNUSED int monitor_root(const struct boot_info *boot)
{
	for (int fd = 3; fd < 64; fd++) {
		long found = monitor_open(boot, fd, ".", O_PATH | O_DIRECTORY, 0);

		if (found >= 0) {
			host(SYS_close, found, 0, 0, 0, 0);
			return fd;
		}
	}
	return -1;
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
