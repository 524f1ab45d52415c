/* SPDX-License-Identifier: ISC */
/* System calls about the system as a whole: names, and what a family never grants. */
#include <asm/errno.h>
#include <linux/utsname.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"

s64 sys_uname(u64 buf)
{
	struct new_utsname u = { 0 };

	strlcpy(u.sysname, "Linux", sizeof(u.sysname));
	strlcpy(u.nodename, "unifork", sizeof(u.nodename));
	strlcpy(u.release, "6.1.0-unifork", sizeof(u.release));
	strlcpy(u.version, "#1 SMP unifork", sizeof(u.version));
	strlcpy(u.machine, ARCH_NAME, sizeof(u.machine));
	strlcpy(u.domainname, "(none)", sizeof(u.domainname));
	return copy_out((void *)buf, &u, sizeof(u));
}

s64 sys_syslog(u64 type, u64 buf, u64 len)
{
	return -EPERM;
}
