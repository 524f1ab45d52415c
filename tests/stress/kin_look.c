/* SPDX-License-Identifier: ISC */
/*
 * A host program: what a running family's kin says, read from outside through the supervisor's
 * descriptor. One line `MEMBER STATE HOST_PID PID PPID NAME` for each member record in use
 * (HOST_PID is the monitor's number in the family's PID namespace), then `records N`, as many as
 * ever lived at a time, `kept N`, the pages that stay with records that have asked for something
 * on a volume, and `pages N`, all pages of kin in use. Reads with pread, which gives kin's holes no
 * memory.
 * @test timeout=5 members=1
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/kin.h"

#define PAGE 4096

/* A descriptor of kin of our own; -1: that process has none. */
static int kin_open(const char *supervisor)
{
	char path[300], name[64];
	struct dirent *entry;
	int found = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", supervisor);
	dir = opendir(path);
	while (dir && found < 0 && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", supervisor, entry->d_name);
		n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (!strncmp(name, "/memfd:unifork-kin", 18))
			found = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return found;
}

int main(int argc, char **argv)
{
	static const char *const states[] = {"free", "cloning", "spawning", "live", "exiting", "dead"};
	int fd = argc == 2 ? kin_open(argv[1]) : -1;
	struct kin_member m;
	uint64_t pages = 0, request = (sizeof(struct volume_request) + PAGE - 1) / PAGE, kept = 0;
	int records;

	if (fd < 0) {
		fprintf(stderr, "usage: kin_look PID-OF-A-SUPERVISOR\n");
		return 1;
	}
	for (records = 0; records < MEMBERS_MAX; records++) {
		int i = records;
		off_t at = (off_t)(offsetof(struct kin_header, members) + (size_t)i * sizeof(m));

		if (pread(fd, &m, sizeof(m), at) != sizeof(m) || (!m.generation && m.state == MEMBER_FREE))
			break;
		kept += m.request ? request : 0;
		if (m.state != MEMBER_FREE && m.state < sizeof(states) / sizeof(states[0]))
			printf("%d %s %d %d %d %.16s\n", i, states[m.state], m.host_pid, m.pid, m.ppid, m.comm);
	}
	pread(fd, &pages, sizeof(pages),
		  (off_t)(offsetof(struct kin_header, stats) + offsetof(struct kin_stats, kin_pages)));
	printf("records %d\nkept %lu\n", records, (unsigned long)kept);
	printf("pages %lu\n", (unsigned long)pages);
	return 0;
}
