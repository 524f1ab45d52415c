/* SPDX-License-Identifier: ISC */
/*
 * What the host says of the monitors' memory, in two ways. The exact one reads a table of each
 * monitor (Pss_Anon: pages that several share are divided among them) and takes about a millisecond
 * for 64 MiB. The bound reads one line of each and is never below the truth: a family has at most
 * what it had at the last exact look, and what its monitors can have got since. A page that is got
 * is a page fault, and a huge page is one fault but grows the resident size.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/supervisor/internal.h"

/* One monitor's counters, from /proc/PID/stat. */
struct counters {
	u64 faults, resident_bytes;
};

static bool counters_read(pid_t pid, struct counters *c)
{
	unsigned long minor, major;
	char path[64], text[512], state, *p;
	long resident;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')'); /* behind the name, which may hold anything */
	if (!p || sscanf(p + 1,
					 " %c %*d %*d %*d %*d %*d %*u %lu %*u %lu %*u %*u %*u %*d %*d %*d %*d %*d %*d "
					 "%*u %*u %ld",
					 &state, &minor, &major, &resident) != 4)
		return false;
	c->faults = minor + major;
	c->resident_bytes = (u64)MAX(resident, 0l) * PAGE_SIZE;
	return state != 'Z' && state != 'X';
}

/* Anonymous memory with each page divided among those who share it. 0: the process is gone. */
static u64 proportional_bytes(pid_t pid)
{
	char line[128], path[64];
	unsigned long long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Pss_Anon: %llu kB", &kib) != 1)
		;
	if (f)
		fclose(f);
	return (u64)kib << 10;
}

static u64 kin_bytes(const struct supervisor *s)
{
	struct stat kin;

	return fstat(s->family.kin_fd, &kin) == 0 ? (u64)kin.st_blocks * 512 : 0;
}

FILE *children_open(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return fopen(path, "re");
}

void children_signal(int sig)
{
	FILE *f = children_open();
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, sig);
	if (f)
		fclose(f);
}

/*
 * The host lists children in the order of their birth, and so do the rows: the row of a child is
 * not before that of an older one.
 */
static const struct usage_row *row_find(const struct usage *u, pid_t pid, u32 *from)
{
	for (u32 i = *from; i < u->row_count; i++) {
		if (u->rows[i].pid == pid) {
			*from = i + 1;
			return &u->rows[i];
		}
	}
	return NULL;
}

u64 usage_bound(struct supervisor *s, u32 *monitors)
{
	struct usage *u = &s->usage;
	u64 kin = kin_bytes(s), resident = kin;
	u64 grown = u->exact_bytes + (kin > u->exact_kin_bytes ? kin - u->exact_kin_bytes : 0);
	u32 from = 0;
	int pid;

	*monitors = 0;
	FILE *f = children_open();
	while (f && fscanf(f, "%d", &pid) == 1) {
		const struct usage_row *row = row_find(u, pid, &from);
		struct counters now;

		++*monitors;
		if (!counters_read(pid, &now))
			continue;
		resident += now.resident_bytes;
		if (!row) {
			grown += now.resident_bytes;
			continue;
		}
		grown += (now.faults - row->faults) * PAGE_SIZE;
		if (now.resident_bytes > row->resident_bytes)
			grown += now.resident_bytes - row->resident_bytes;
	}
	if (f)
		fclose(f);
	return MIN(resident, grown);
}

/* Room for one more row; false: the monitor goes without, and counts as new in the bound. */
static bool row_room(struct usage *u)
{
	u32 room = u->row_room ? u->row_room * 2 : 64;
	struct usage_row *rows;

	if (u->row_count < u->row_room)
		return true;
	rows = realloc(u->rows, room * sizeof(*rows));
	if (!rows)
		return false;
	u->rows = rows;
	u->row_room = room;
	return true;
}

/* The counters first: what is got between the two readings is then counted twice, never missed. */
u64 usage_exact(struct supervisor *s, struct usage_largest *largest)
{
	struct usage *u = &s->usage;
	u64 first_bytes = 0, private_bytes = 0;
	pid_t first = s->family.kin->members[0].host_pid;
	int pid;

	memset(largest, 0, sizeof(*largest));
	u->row_count = 0;
	u->exact_kin_bytes = kin_bytes(s);
	FILE *f = children_open();
	while (f && fscanf(f, "%d", &pid) == 1) {
		struct counters now;

		if (!counters_read(pid, &now))
			continue;
		if (row_room(u))
			u->rows[u->row_count++] = (struct usage_row){pid, now.faults, now.resident_bytes};
		u64 own = proportional_bytes(pid);
		private_bytes += own;
		if (pid == first)
			first_bytes = own;
		else if (own > largest->bytes)
			*largest = (struct usage_largest){pid, own};
	}
	if (f)
		fclose(f);
	if (!largest->pid || first_bytes > private_bytes / 2)
		*largest = (struct usage_largest){first_bytes ? first : 0, first_bytes};
	u->exact_bytes = u->exact_kin_bytes + private_bytes;
	return u->exact_bytes;
}
