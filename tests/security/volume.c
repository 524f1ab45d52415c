/* SPDX-License-Identifier: ISC */
/*
 * A guest that has taken over its kernel: it makes hypercalls of its own, and in the process
 * backend, where it shares the monitor's address space, it enters the host through a `syscall`
 * instruction of the monitor's text, past all of the monitor's checks. What is left to hold it is
 * the private root directory, the allowlist and Landlock. Argument: a directory of the host below
 * --root, outside of the volume at /v. Nothing in it may change, and on the volume, where the guest
 * may write what there is, nothing may come to be that runs with another's rights.
 * @test timeout=60 members=30 nosvm
 */
#include "gadget.h"
#include <linux/openat2.h>

static char path[6][256];

static long host_open(const char *name, long flags)
{
	struct open_how how = {.flags = (unsigned long)flags, .mode = flags & O_CREAT ? 0600 : 0};

	return host(SYS_openat2, 9, (long)name, (long)&how, sizeof(how), 0);
}

static int writing(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		if (host_open(path[i], O_WRONLY) >= 0 || host_open(path[i], O_RDWR | O_TRUNC) >= 0 ||
			host_open(path[i], O_RDONLY | O_TRUNC) >= 0)
			return 1;
	return host_open(path[2], O_WRONLY | O_CREAT) >= 0;
}

static int making(void *unused)
{
	(void)unused;
	return host(SYS_mkdirat, 9, (long)path[2], 0700, 0, 0) >= 0 ||
		   host(SYS_symlinkat, (long)"x", 9, (long)path[2], 0, 0) >= 0 ||
		   host(SYS_mknodat, 9, (long)path[2], S_IFIFO | 0600, 0, 0) >= 0;
}

static int removing(void *unused)
{
	(void)unused;
	return host(SYS_unlinkat, 9, (long)path[1], 0, 0, 0) >= 0 ||
		   host(SYS_unlinkat, 9, (long)path[3], AT_REMOVEDIR, 0, 0) >= 0;
}

static int moving(void *unused)
{
	(void)unused;
	return host(SYS_renameat2, 9, (long)path[1], 9, (long)path[2], 0) >= 0 ||
		   host(SYS_linkat, 9, (long)path[1], 9, (long)path[2], 0) >= 0;
}

static int device(void *unused)
{
	(void)unused;
	return host(SYS_mknodat, 9, (long)path[2], S_IFBLK | 0600, 0x801, 0) >= 0;
}

static int attributes(void *nr)
{
	long fd = host_open(path[1], O_RDONLY);

	switch ((long)(intptr_t)nr) {
	case SYS_fchmod: return host(SYS_fchmod, fd, 0777, 0, 0, 0) >= 0;
	case SYS_fchmodat: return host(SYS_fchmodat, AT_FDCWD, (long)path[1], 0777, 0, 0) >= 0;
	case SYS_fchownat: return host(SYS_fchownat, AT_FDCWD, (long)path[1], 1, 1, 0) >= 0;
	case SYS_utimensat: return host(SYS_utimensat, AT_FDCWD, (long)path[1], 0, 0, 0) >= 0;
	default: return host(SYS_truncate, (long)path[1], 0, 0, 0, 0) >= 0;
	}
}

/* Files that its kernel asks the supervisor for have no such mode; these would. */
static int set_user_id(void *unused)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 06755};

	(void)unused;
	return host(SYS_openat2, 9, (long)path[5], (long)&how, sizeof(how), 0) >= 0;
}

static void direct(const struct boot_info *boot)
{
	static const long calls[] = {SYS_fchmod, SYS_fchmodat, SYS_fchownat, SYS_utimensat,
								 SYS_truncate};

	if (!gadget_find(boot))
		return;
	say("it enters the host: %s", host(SYS_getpid, 0, 0, 0, 0, 0) > 0 ? "yes" : "BROKEN");
	say("on the volume it writes: %s", host_open(path[4], O_WRONLY) >= 0 ? "yes" : "BROKEN");
	attempt("write", writing, NULL);
	attempt("make", making, NULL);
	attempt("remove", removing, NULL);
	attempt("move", moving, NULL);
	attempt("device", device, NULL);
	attempt("set-user-ID", set_user_id, NULL);
	for (size_t i = 0; i < COUNT(calls); i++)
		attempt("attribute", attributes, (void *)(intptr_t)calls[i]);
}

int main(int argc, char **argv)
{
	const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;

	if (argc != 2 || close(open("/v/own", O_WRONLY | O_CREAT, 0600)) < 0)
		die("arguments");
	/* As the host names them, if it could be named, and as the private root does. */
	snprintf(path[0], sizeof(path[0]), "%s/file", argv[1]);
	snprintf(path[1], sizeof(path[1]), "/root%s/file", argv[1]);
	snprintf(path[2], sizeof(path[2]), "/root%s/new", argv[1]);
	snprintf(path[3], sizeof(path[3]), "/root%s/empty", argv[1]);
	snprintf(path[4], sizeof(path[4]), "/volumes/1/own");
	snprintf(path[5], sizeof(path[5]), "/volumes/1/evil");
	if (boot->backend == BACKEND_PROCESS)
		direct(boot);
	else
		say("the monitor is in another address space");
	return finish();
}
