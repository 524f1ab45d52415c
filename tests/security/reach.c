/* SPDX-License-Identifier: ISC */
/*
 * What of the host's files can be reached by a guest that enters the host past its monitor. The
 * arguments are paths of the host that were not granted for writing: `-` in front of one says that
 * it was not granted for reading either, `=` that nobody in the family can even tell that it is
 * there. Each is tried as it is, below the private root's /root, and by .. from every directory
 * that is open. Prints BROKEN for everything that works.
 * @test timeout=60 members=60 nosvm
 */
#include "gadget.h"
#include <linux/stat.h>

#define FDS 64

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;

#define FILE_FLAGS (O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)

/* With the monitor's own structure where it has one with these flags: others end the caller. */
static long host_open(int dir, const char *name, long flags)
{
	struct open_how own = {.flags = (unsigned long)flags, .mode = flags & O_CREAT ? 04755 : 0};
	const struct open_how *how = monitor_how(boot, (uint64_t)flags, 0);

	return host(SYS_openat2, dir, (long)name, (long)(how ? how : &own), sizeof(own), 0);
}

struct target {
	const char *path;
	bool readable, hidden;
};

/* Every spelling of the path from a descriptor; true if one of them works. */
static bool opens(const struct target *t, const char *suffix, long flags)
{
	static const char *const before[] = {"", "/root", "../../../../../../..", "/proc/1/root",
										 "/proc/self/root"};
	char name[600];

	for (int fd = 3; fd < FDS; fd++)
		for (size_t i = 0; i < COUNT(before); i++) {
			snprintf(name, sizeof(name), "%s%s%s", before[i], t->path, suffix);
			if (host_open(fd, name, flags) >= 0)
				return true;
		}
	return false;
}

static int reading(void *arg)
{
	const struct target *t = arg;

	return (!t->readable && opens(t, "", O_RDONLY | FILE_FLAGS)) ||
		   (t->hidden && opens(t, "", O_PATH | O_NOFOLLOW));
}

static int writing(void *arg)
{
	return opens(arg, "", O_WRONLY | FILE_FLAGS) || opens(arg, "", O_RDWR | FILE_FLAGS) ||
		   opens(arg, "", O_WRONLY | O_APPEND);
}

static int truncating(void *arg)
{
	return opens(arg, "", O_RDONLY | O_TRUNC) || opens(arg, "", O_WRONLY | O_TRUNC);
}

static int making(void *arg)
{
	return opens(arg, ".made", O_WRONLY | O_CREAT);
}

static int mapping(void *arg)
{
	const struct target *t = arg;
	long fd;

	for (int dir = 3; dir < FDS; dir++) {
		char name[600];

		snprintf(name, sizeof(name), "/root%s", t->path);
		fd = host_open(dir, name, O_RDONLY | FILE_FLAGS);
		if (fd < 0)
			fd = host_open(dir, t->path, O_RDONLY | FILE_FLAGS);
		if (fd < 0)
			continue;
		long p = host(SYS_mmap, 0x30000000, 4096, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd);
		if (p > 0)
			return 1;
	}
	return 0;
}

/* The host's processes and devices, from below the root directory and beside it. */
static int pseudo(void *unused)
{
	(void)unused;
	static const char *const names[] = {
		"/proc/self/status", "/root/proc/self/status", "/proc/1/status", "/root/proc/1/status",
		"/root/proc/sys/kernel/hostname", "/root/sys/kernel", "/root/dev/null", "/dev/null",
		"/root/dev/zero", "/proc/self/exe",
	};

	for (int fd = 3; fd < FDS; fd++)
		for (size_t i = 0; i < COUNT(names); i++)
			if (host_open(fd, names[i], O_PATH | O_NOFOLLOW) >= 0)
				return 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (boot->backend != BACKEND_PROCESS) {
		say("the monitor is in another address space");
		return finish();
	}
	if (!gadget_find(boot))
		return finish();
	attempt("pseudo file systems", pseudo, NULL);
	for (int i = 1; i < argc; i++) {
		bool hidden = argv[i][0] == '=', readable = !hidden && argv[i][0] != '-';
		struct target t = {argv[i] + !readable, readable, hidden};

		attempt("read", reading, &t);
		attempt("write", writing, &t);
		attempt("truncate", truncating, &t);
		attempt("make", making, &t);
		attempt("map", mapping, &t);
	}
	return finish();
}
