/* SPDX-License-Identifier: ISC */
/* arch_prctl(2): the application's FS and GS bases. */
#include <asm/errno.h>
#include <asm/prctl.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/syscall/syscall.h"

s64 sys_arch_prctl(u64 code, u64 addr)
{
	u64 base;

	switch ((s32)code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= USER_ADDRESS_END)
			return -EPERM;
		if ((s32)code == ARCH_SET_FS)
			fsbase_set(addr);
		else
			gsbase_set(addr);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		base = (s32)code == ARCH_GET_FS ? fsbase_get() : gsbase_get();
		return copy_out((void *)addr, &base, sizeof(base));
	default: return -EINVAL;
	}
}
