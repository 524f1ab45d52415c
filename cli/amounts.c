/* SPDX-License-Identifier: ISC */
/* Options whose value is an amount: --memory, --pids, --ulimit, --stop-timeout. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "cli/options.h"

#define MEMORY_MIN (16ull << 20)
#define STOP_TIMEOUT_MAX 1000000 /* seconds */
#define NOFILE_MAX 1048576
#define ADDRESSES_NEEDED (400ull << 30) /* a member's private memory, kin, and the monitor */

/*
 * A size as people write it: 512M, 64MB, 64MiB, 1.5G, 1000000, 4096k, 100b. Units are powers of
 * 1024, as other engines have them. -1: it is none, or too large.
 */
int size_parse(const char *text, unsigned long long *bytes)
{
	static const char units[] = "kmgt";
	unsigned long long whole, part = 0, scale = 1;
	const char *unit;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	whole = strtoull(text, &end, 10);
	if (*end == '.') {
		for (end++; isdigit((unsigned char)*end); end++) {
			if (scale > 100000000)
				continue; /* finer than a byte of a gigabyte */
			part = part * 10 + (unsigned)(*end - '0');
			scale *= 10;
		}
	}
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (tolower((unsigned char)*end) == 'i')
			end += tolower((unsigned char)end[1]) == 'b';
	}
	if (tolower((unsigned char)*end) == 'b')
		end++;
	if (errno || *end || whole > ULLONG_MAX >> shift >> 1)
		return -1;
	*bytes = (whole << shift) +
			 (unsigned long long)((unsigned __int128)part * (1ull << shift) / scale);
	return 0;
}

int memory_parse(struct run_options *o, const char *text, struct error *err)
{
	if (size_parse(text, &o->memory_bytes) < 0)
		return error_set(err, 0, "--memory '%.100s' is not a size; write 512M, 1.5G or 64MB", text);
	if (o->memory_bytes < MEMORY_MIN)
		return error_set(err, 0, "--memory '%.100s' is too small: a family needs 16M at least",
						 text);
	return 0;
}

int pids_parse(struct run_options *o, const char *text, struct error *err)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < -1 || n > 1 << 22 || isspace((unsigned char)*text))
		return error_set(err, 0, "--pids '%.100s' is not a number of processes (0, -1: no limit)",
						 text);
	o->tasks_max = n > 0 ? (unsigned)n : 0;
	o->tasks_asked = true;
	return 0;
}

int stop_timeout_parse(struct run_options *o, const char *text, struct error *err)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < -1 || n > STOP_TIMEOUT_MAX)
		return error_set(err, 0, "--stop-timeout '%.100s' is not a number of seconds, or -1", text);
	o->stop_timeout_s = (int)n;
	return 0;
}

/* ---- --ulimit NAME=SOFT[:HARD] */

static const struct {
	const char *name;
	int which;
} limit_names[] = {
	{"as", RLIMIT_AS},           {"core", RLIMIT_CORE},       {"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},   {"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

/* text up to end. -1 and "unlimited" are no limit. */
static int limit_value(const char *text, const char *end, unsigned long long *value)
{
	size_t n = (size_t)(end - text);
	char *after;

	*value = RLIM_INFINITY;
	if ((n == 2 && !strncmp(text, "-1", n)) || (n == 9 && !strncmp(text, "unlimited", n)))
		return 0;
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &after, 10);
	return errno || after != end ? -1 : 0;
}

int ulimit_parse(struct run_options *o, const char *text, struct error *err)
{
	const char *equals = strchr(text, '='), *end = text + strlen(text), *colon;
	struct run_limit limit = {.set = true};
	size_t n = (size_t)((equals ? equals : end) - text);

	for (size_t i = 0; equals && i < sizeof(limit_names) / sizeof(limit_names[0]); i++) {
		if (strlen(limit_names[i].name) != n || strncmp(text, limit_names[i].name, n) != 0)
			continue;
		colon = strchr(equals, ':');
		if (limit_value(equals + 1, colon ? colon : end, &limit.soft) < 0 ||
			limit_value(colon ? colon + 1 : equals + 1, end, &limit.hard) < 0)
			break;
		if (limit.soft > limit.hard)
			return error_set(err, 0, "--ulimit '%.100s': the soft limit is above the hard one",
							 text);
		if (limit_names[i].which == RLIMIT_NOFILE && limit.hard > NOFILE_MAX)
			return error_set(err, 0, "--ulimit '%.100s': at most %d files", text, NOFILE_MAX);
		o->limits[limit_names[i].which] = limit;
		return 0;
	}
	return error_set(err, 0,
					 "--ulimit '%.100s' is not NAME=SOFT[:HARD]; NAME is one of as, core, cpu, "
					 "data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, "
					 "rttime, sigpending, stack", text);
}

/* ---- the limits of unifork's own processes */

static int limit_leave(int which, unsigned long long needed, struct rlimit *was)
{
	struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY}, most;

	if (getrlimit(which, was) < 0 || was->rlim_cur >= needed)
		return 0;
	most = (struct rlimit){was->rlim_max, was->rlim_max};
	if (setrlimit(which, &none) == 0 || (most.rlim_cur >= needed && setrlimit(which, &most) == 0))
		return 1;
	return -1;
}

int limits_leave(struct run_options *o, struct error *err)
{
	struct rlimit was;
	int r = limit_leave(RLIMIT_FSIZE, KIN_SIZE, &was);

	if (r < 0)
		return error_set(err, 0,
						 "the limit of file sizes (ulimit -f, %llu KiB) cannot be raised; a "
						 "family's shared memory is a file of %u GiB, though without content",
						 (unsigned long long)was.rlim_cur >> 10, (unsigned)(KIN_SIZE >> 30));
	if (r && !o->limits[RLIMIT_FSIZE].set)
		o->limits[RLIMIT_FSIZE] = (struct run_limit){true, was.rlim_cur, was.rlim_max};
	r = limit_leave(RLIMIT_AS, ADDRESSES_NEEDED, &was);
	if (r < 0)
		return error_set(err, 0,
						 "the limit of addresses (ulimit -v, %llu KiB) cannot be raised; a family "
						 "needs %llu GiB of them, though not of memory",
						 (unsigned long long)was.rlim_cur >> 10, ADDRESSES_NEEDED >> 30);
	return 0;
}
