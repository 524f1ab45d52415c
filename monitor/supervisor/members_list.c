/* SPDX-License-Identifier: ISC */
/*
 * A page of the family's processes for its front. Ids and names are what members wrote into kin:
 * each is copied once and bounded. Processor time and memory are the host's own counts of the
 * monitor, which must be a living child of ours. A page costs a bounded number of host calls,
 * whatever stands in kin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define US_PER_S 1000000ull

/* Of what this descriptor names, in the host's /proc; 0: not known. */
static s32 host_pid_of(struct supervisor *s, int pid_fd)
{
	char name[40], text[512];
	const char *pid;

	snprintf(name, sizeof(name), "thread-self/fdinfo/%d", pid_fd);
	if (!proc_read(s, s->family.proc_fd, name, text, sizeof(text)))
		return 0;
	pid = strstr(text, "\nPid:");
	return pid ? atoi(pid + 5) : 0;
}

static void usage_of(struct supervisor *s, struct link_member *row)
{
	unsigned long long user = 0, system = 0, resident = 0, shared = 0;
	char name[32], text[1024];
	const char *end;

	snprintf(name, sizeof(name), "%d/stat", row->host_pid);
	if (proc_read(s, s->family.proc_fd, name, text, sizeof(text)) && (end = strrchr(text, ')')) &&
		sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			   &row->state, &user, &system) == 3)
		row->cpu_us = (user + system) * (US_PER_S / (u64)sysconf(_SC_CLK_TCK));
	snprintf(name, sizeof(name), "%d/statm", row->host_pid);
	if (proc_read(s, s->family.proc_fd, name, text, sizeof(text)) &&
		sscanf(text, "%*u %llu %llu", &resident, &shared) == 2 && resident > shared)
		row->memory_bytes = (resident - shared) * (u64)sysconf(_SC_PAGESIZE);
}

/* false: nobody lives there. */
static bool row_fill(struct supervisor *s, const struct kin_member *m, struct link_member *row)
{
	int fd = child_open(KIN_READ(m->host_pid));

	if (fd < 0)
		return false;
	*row = (struct link_member){.state = '?', .pid = KIN_READ(m->pid), .ppid = KIN_READ(m->ppid)};
	memcpy(row->name, m->comm, sizeof(row->name));
	row->name[sizeof(row->name) - 1] = 0;
	row->host_pid = host_pid_of(s, fd);
	if (row->host_pid > 0)
		usage_of(s, row);
	close(fd);
	return true;
}

/* What the host counts for the family as a whole. */
static void page_sums(struct supervisor *s, struct link_members *page)
{
	struct rusage ended;
	struct stat kin;

	if (getrusage(RUSAGE_CHILDREN, &ended) == 0)
		page->ended_cpu_us =
			(u64)(ended.ru_utime.tv_sec + ended.ru_stime.tv_sec) * US_PER_S +
			(u64)(ended.ru_utime.tv_usec + ended.ru_stime.tv_usec);
	if (fstat(s->family.kin_fd, &kin) == 0)
		page->shared_bytes = (u64)kin.st_blocks * 512;
}

void members_list(struct supervisor *s, u32 from, struct link_members *page)
{
	const struct kin_header *kin = s->family.kin;
	int uncounted = s->uncounted;
	u32 looks = 0, i;

	memset(page, 0, sizeof(*page));
	page_sums(s, page);
	for (i = from; i < MEMBERS_MAX && looks < LINK_MEMBERS_MAX; i++) {
		u32 state = KIN_READ(kin->members[i].state);

		if (state == MEMBER_FREE && KIN_READ(kin->members[i].generation) == 0)
			break; /* records are taken lowest first: none was used from here on */
		if (state != MEMBER_LIVE && state != MEMBER_EXITING)
			continue;
		looks++;
		if (row_fill(s, &kin->members[i], &page->members[page->count]))
			page->count++;
	}
	page->next = looks == LINK_MEMBERS_MAX && i < MEMBERS_MAX ? i : 0;
	s->uncounted = uncounted; /* what this look could not see is no reason to end the family */
}
