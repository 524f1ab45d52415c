/* SPDX-License-Identifier: ISC */
/*
 * --memory and --pids, from outside of the members: what is counted is what the host says of the
 * monitors, so that a member that ignores its kernel is counted all the same. The kernel keeps to
 * the limits by itself where Linux answers with an error (files in memory ENOSPC, fork EAGAIN).
 *
 * The family's memory is the anonymous memory of its monitors, pages that several share counted
 * once (Pss_Anon), and kin. It is looked at again before the members could touch what is left at
 * the speed of TOUCH_BYTES_PER_NS. The sum of the resident sizes, an upper bound that costs one
 * small file for each monitor, decides whether the exact one is needed. Above the limit the largest
 * member is killed, as Linux does; the next is looked for when that one is gone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/supervisor/internal.h"

#define TOUCH_BYTES_PER_NS 4
#define INTERVAL_MIN_NS 2000000ull
#define INTERVAL_MAX_NS 1000000000ull
#define SAMPLE_SHARE 20 /* looking takes no more than one part in so many of the time */
#define MONITORS_SLACK 64

/* One pass over the monitors. */
struct sample {
	u32 monitors;
	u64 bytes;
	pid_t largest;
	u64 largest_bytes;
	bool victim_lives;
};

/* Resident anonymous memory, shared pages in full. 0: the process is gone. */
static u64 resident_bytes(pid_t pid)
{
	unsigned long size, resident = 0, shared = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu %lu", &size, &resident, &shared) != 3 || shared > resident)
		resident = shared = 0;
	fclose(f);
	return (u64)(resident - shared) * PAGE_SIZE;
}

/* Anonymous memory with each page divided among those who share it. */
static u64 proportional_bytes(pid_t pid)
{
	char line[128], path[64];
	u64 kib = 0, found = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "Pss_Anon: %llu kB", (unsigned long long *)&kib) == 1;
	if (f)
		fclose(f);
	return found ? kib << 10 : resident_bytes(pid);
}

static void sample_take(struct supervisor *s, struct sample *sample, u64 (*bytes)(pid_t pid))
{
	char path[64];
	struct stat kin;
	int pid;

	memset(sample, 0, sizeof(*sample));
	if (fstat(s->family.kin_fd, &kin) == 0)
		sample->bytes = (u64)kin.st_blocks * 512;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		u64 own = bytes(pid);
		sample->monitors++;
		sample->bytes += own;
		sample->victim_lives |= pid == s->limits.victim;
		if (own > sample->largest_bytes) {
			sample->largest = pid;
			sample->largest_bytes = own;
		}
	}
	if (f)
		fclose(f);
}

static void victim_name(struct supervisor *s, pid_t pid, char *text, size_t size)
{
	struct kin_header *kin = s->family.kin;
	char comm[sizeof(kin->members[0].comm) + 1] = "";

	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		if (kin->members[i].host_pid != pid)
			continue;
		memcpy(comm, kin->members[i].comm, sizeof(comm) - 1);
		for (char *c = comm; *c; c++)
			if (*c < 32 || *c > 126)
				*c = '?';
		snprintf(text, size, "member %u (%s)", i, comm);
		return;
	}
	snprintf(text, size, "a member");
}

static void kill_largest(struct supervisor *s, const struct sample *sample)
{
	char name[64];

	if (!sample->largest || sample->victim_lives)
		return;
	victim_name(s, sample->largest, name, sizeof(name));
	fprintf(stderr,
			"mitos: %s was killed: out of memory (it has %llu MiB, the family %llu of %llu MiB)\n",
			name, (unsigned long long)sample->largest_bytes >> 20,
			(unsigned long long)sample->bytes >> 20,
			(unsigned long long)s->options->memory_bytes >> 20);
	s->limits.victim = sample->largest;
	s->limits.killed++;
	kill(sample->largest, SIGKILL);
}

/* A hostile guest of the process backend can clone its monitor without asking its kernel. */
static void monitors_check(struct supervisor *s, const struct sample *sample)
{
	u64 bound = MIN(s->options->tasks_max ? s->options->tasks_max : MEMBERS_MAX, MEMBERS_MAX);

	if (sample->monitors <= 2 * bound + MONITORS_SLACK)
		return;
	error_set(&s->failure, 0, "the family has %u monitors, more than --pids allows; it was ended",
			  sample->monitors);
	s->ended = true;
}

static u64 interval_ns(const struct supervisor *s, u64 bytes, u64 took_ns)
{
	u64 limit = s->options->memory_bytes, left = limit > bytes ? limit - bytes : 0;
	u64 ns = limit ? left / TOUCH_BYTES_PER_NS : INTERVAL_MAX_NS / SAMPLE_SHARE;

	ns = MAX(ns, took_ns * SAMPLE_SHARE);
	return MIN(MAX(ns, INTERVAL_MIN_NS), INTERVAL_MAX_NS);
}

bool limits_set(const struct supervisor *s)
{
	return s->options->memory_bytes || s->options->tasks_max;
}

void limits_check(struct supervisor *s)
{
	u64 now = supervisor_now_ns(), limit = s->options->memory_bytes;
	struct sample sample;

	if (!limits_set(s) || s->ended || now < s->limits.deadline_ns)
		return;
	sample_take(s, &sample, resident_bytes);
	monitors_check(s, &sample);
	if (limit && (sample.bytes > limit || sample.bytes > s->limits.peak_bytes)) {
		sample_take(s, &sample, proportional_bytes);
		s->limits.peak_bytes = MAX(s->limits.peak_bytes, sample.bytes);
		if (sample.bytes > limit)
			kill_largest(s, &sample);
	}
	u64 end = supervisor_now_ns();
	s->limits.deadline_ns = end + interval_ns(s, sample.bytes, end - now);
}
