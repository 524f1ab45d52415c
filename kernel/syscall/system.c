/* SPDX-License-Identifier: ISC */
/* System calls about the system as a whole: names, and what a family never grants. */
#include <asm/errno.h>
#include <linux/utsname.h>

#include "abi/kin.h"
#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

s64 sys_uname(u64 buf)
{
	struct new_utsname u = { 0 };

	strlcpy(u.sysname, "Linux", sizeof(u.sysname));
	strlcpy(u.nodename, KIN->start.hostname, sizeof(u.nodename));
	strlcpy(u.release, "6.1.0-unifork", sizeof(u.release));
	strlcpy(u.version, "#1 SMP unifork", sizeof(u.version));
	strlcpy(u.machine, ARCH_NAME, sizeof(u.machine));
	strlcpy(u.domainname, KIN->start.domainname, sizeof(u.domainname));
	return copy_out((void *)buf, &u, sizeof(u));
}

/* The family is one UTS namespace. The last byte of the text is always 0. */
static s64 name_set(char *text, u64 name, u64 len)
{
	char fresh[HOSTNAME_MAX + 1] = {0};

	if (current->proc->kp->inherited.euid != 0)
		return -EPERM;
	if ((s32)len < 0 || (u32)len > HOSTNAME_MAX)
		return -EINVAL;
	if (copy_in(fresh, (void *)name, (u32)len))
		return -EFAULT;
	tree_lock();
	memcpy(text, fresh, HOSTNAME_MAX);
	tree_unlock();
	return 0;
}

s64 sys_sethostname(u64 name, u64 len)
{
	return name_set(KIN->start.hostname, name, len);
}

s64 sys_setdomainname(u64 name, u64 len)
{
	return name_set(KIN->start.domainname, name, len);
}

s64 sys_syslog(u64 type, u64 buf, u64 len)
{
	return -EPERM;
}
