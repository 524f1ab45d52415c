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

/* Of the host: a file and a name outside of the volume, a directory there. */
static char path[3][256];
static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;
static int root;

/*
 * From whichever directory is open, as the monitor opens files itself; what else there could be
 * asked for, see filter.c.
 */
static bool opens(const char *name, long access)
{
	for (int fd = 3; fd < 64; fd++)
		if (monitor_open(boot, fd, name, access | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0) >= 0)
			return true;
	return false;
}

static int writing(void *unused)
{
	(void)unused;
	return opens(path[0], O_WRONLY) || opens(path[0], O_RDWR);
}

static int truncating(void *unused)
{
	struct open_how how = {.flags = O_RDONLY | O_TRUNC};

	(void)unused;
	return monitor_how(boot, O_RDONLY | O_TRUNC, 0) ||
		   host(SYS_openat2, root, (long)path[0], (long)&how, sizeof(how), 0) >= 0;
}

static int making(void *unused)
{
	(void)unused;
	return host(SYS_mkdirat, root, (long)path[1], 0700, 0, 0) >= 0 ||
		   host(SYS_symlinkat, (long)"x", root, (long)path[1], 0, 0) >= 0 ||
		   host(SYS_mknodat, root, (long)path[1], S_IFIFO | 0600, 0, 0) >= 0;
}

static int removing(void *unused)
{
	(void)unused;
	return host(SYS_unlinkat, root, (long)path[0], 0, 0, 0) >= 0 ||
		   host(SYS_unlinkat, root, (long)path[2], AT_REMOVEDIR, 0, 0) >= 0;
}

static int moving(void *unused)
{
	(void)unused;
	return host(SYS_renameat2, root, (long)path[0], root, (long)path[1], 0) >= 0 ||
		   host(SYS_linkat, root, (long)path[0], root, (long)path[1], 0) >= 0;
}

static int device(void *unused)
{
	(void)unused;
	return host(SYS_mknodat, root, (long)path[1], S_IFBLK | 0600, 0x801, 0) >= 0;
}

/* Files that its kernel asks the supervisor for have no such mode; these would. */
static int set_user_id(void *unused)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 06755};

	(void)unused;
	for (int fd = 3; fd < 64; fd++)
		if (host(SYS_openat2, fd, (long)"evil", (long)&how, sizeof(how), 0) >= 0)
			return 1;
	return 0;
}

static int attributes(void *nr)
{
	long fd = monitor_open(boot, root, path[0], O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0);

	switch ((long)(intptr_t)nr) {
	case SYS_fchmod: return host(SYS_fchmod, fd, 0777, 0, 0, 0) >= 0;
	case SYS_fchmodat: return host(SYS_fchmodat, AT_FDCWD, (long)path[1], 0777, 0, 0) >= 0;
	case SYS_fchownat: return host(SYS_fchownat, AT_FDCWD, (long)path[1], 1, 1, 0) >= 0;
	case SYS_utimensat: return host(SYS_utimensat, AT_FDCWD, (long)path[1], 0, 0, 0) >= 0;
	default: return host(SYS_truncate, (long)path[1], 0, 0, 0, 0) >= 0;
	}
}

static void direct(void)
{
	static const long calls[] = {SYS_fchmod, SYS_fchmodat, SYS_fchownat, SYS_utimensat,
								 SYS_truncate};

	if (!gadget_find(boot))
		return;
	root = monitor_root(boot);
	say("it enters the host: %s", host(SYS_getpid, 0, 0, 0, 0, 0) > 0 ? "yes" : "BROKEN");
	say("on the volume it writes: %s", opens("own", O_WRONLY) ? "yes" : "BROKEN");
	attempt("write", writing, NULL);
	attempt("truncate", truncating, NULL);
	attempt("make", making, NULL);
	attempt("remove", removing, NULL);
	attempt("move", moving, NULL);
	attempt("device", device, NULL);
	attempt("set-user-ID", set_user_id, NULL);
	attempt("set-user-ID", set_user_id, NULL);
	for (size_t i = 0; i < COUNT(calls); i++)
		attempt("attribute", attributes, (void *)(intptr_t)calls[i]);
}

int main(int argc, char **argv)
{
	if (argc != 2 || close(open("/v/own", O_WRONLY | O_CREAT, 0600)) < 0)
		die("arguments");
	snprintf(path[0], sizeof(path[0]), "%s/file", argv[1]);
	snprintf(path[1], sizeof(path[1]), "%s/new", argv[1]);
	snprintf(path[2], sizeof(path[2]), "%s/empty", argv[1]);
	if (boot->backend == BACKEND_PROCESS)
		direct();
	else
		say("the monitor is in another address space");
	return finish();
}
