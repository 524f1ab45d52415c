/* SPDX-License-Identifier: ISC */
/*
 * What the guest programs share: one line of output per fact, written with one write(2) so that a
 * fork never duplicates buffered text, and names instead of numbers wherever a number could
 * differ.
 *
 *   say("name: %d", n)       one line
 *   result("name", rc)       rc, or the name of errno when rc is -1
 *   okay("name", rc)         "ok", or the name of errno when rc is negative: pids, descriptors
 *   check("name", truth)     "yes" or "NO"; a NO makes finish() return 1
 *   die("what")              something a test relies on failed: prints it and leaves with 99
 *
 * Every program ends with `return finish();`. A program's output must be the same on every run:
 * no pids, addresses or times in it, and whatever races is collected and sorted by one process.
 */
#ifndef UNIFORK_TESTS_GUEST_H
#define UNIFORK_TESTS_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB 1024L
#define MIB (1024L * 1024L)

static int guest_failures UNUSED;

struct guest_name {
	int number;
	const char *name;
};

static const char *guest_lookup(const struct guest_name *names, size_t count, int number)
{
	static char unknown[32];

	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			return names[i].name;
	snprintf(unknown, sizeof(unknown), "number %d", number);
	return unknown;
}

/* glibc has strerrorname_np, musl has not. */
static UNUSED const char *errno_name(int number)
{
#define E(name)     \
	{               \
		name, #name \
	}
	static const struct guest_name names[] = {
		E(EPERM),      E(ENOENT),     E(ESRCH),           E(EINTR),     E(EIO),
		E(ENXIO),      E(E2BIG),      E(ENOEXEC),         E(EBADF),     E(ECHILD),
		E(EAGAIN),     E(ENOMEM),     E(EACCES),          E(EFAULT),    E(EBUSY),
		E(EEXIST),     E(EXDEV),      E(ENODEV),          E(ENOTDIR),   E(EISDIR),
		E(EINVAL),     E(ENFILE),     E(EMFILE),          E(ENOTTY),    E(ETXTBSY),
		E(EFBIG),      E(ENOSPC),     E(ESPIPE),          E(EROFS),     E(EMLINK),
		E(EPIPE),      E(EDOM),       E(ERANGE),          E(EDEADLK),   E(ENAMETOOLONG),
		E(ENOLCK),     E(ENOSYS),     E(ENOTEMPTY),       E(ELOOP),     E(EOVERFLOW),
		E(EOPNOTSUPP), E(EOWNERDEAD), E(ENOTRECOVERABLE), E(ETIMEDOUT), E(EAFNOSUPPORT),
		E(ENOTSOCK),   E(ENODATA),    E(ELIBBAD),         E(ELIBMAX),   E(EISCONN),
	};
#undef E
	return guest_lookup(names, COUNT(names), number);
}

static UNUSED const char *signal_name(int number)
{
#define S(name)     \
	{               \
		name, #name \
	}
	static const struct guest_name names[] = {
		S(SIGHUP),  S(SIGINT),    S(SIGQUIT), S(SIGILL),   S(SIGTRAP), S(SIGABRT), S(SIGBUS),
		S(SIGFPE),  S(SIGKILL),   S(SIGUSR1), S(SIGSEGV),  S(SIGUSR2), S(SIGPIPE), S(SIGALRM),
		S(SIGTERM), S(SIGCHLD),   S(SIGCONT), S(SIGSTOP),  S(SIGTSTP), S(SIGTTIN), S(SIGTTOU),
		S(SIGURG),  S(SIGVTALRM), S(SIGPROF), S(SIGWINCH), S(SIGSYS),  S(SIGXFSZ),
	};
#undef S
	return guest_lookup(names, COUNT(names), number);
}

/* One line in one write; keeps errno, so it may stand between a call and a look at errno. */
static UNUSED __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	int saved_errno = errno;
	char line[1024];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(98);
	errno = saved_errno;
}

static UNUSED __attribute__((noreturn)) void die(const char *what)
{
	say("die: %s: %s", what, errno_name(errno));
	_exit(99);
}

static UNUSED void result(const char *name, long rc)
{
	if (rc == -1)
		say("%s: %s", name, errno_name(errno));
	else
		say("%s: %ld", name, rc);
}

static UNUSED void okay(const char *name, long rc)
{
	say("%s: %s", name, rc < 0 ? errno_name(errno) : "ok");
}

static UNUSED void check(const char *name, bool truth)
{
	say("%s: %s", name, truth ? "yes" : "NO");
	if (!truth)
		guest_failures++;
}

/* Like check, but silent when true: for facts that are looked at many times. */
static UNUSED void expect(const char *name, bool truth)
{
	if (!truth)
		check(name, false);
}

static UNUSED int finish(void)
{
	return guest_failures ? 1 : 0;
}

#include "guest_process.h"
#include "guest_files.h"

#endif
