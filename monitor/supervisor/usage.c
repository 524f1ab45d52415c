/* SPDX-License-Identifier: ISC */
/*
 * What the host says of the monitors' memory, in two ways. The exact one reads a table of each
 * monitor (Pss: pages that several share are divided among them) and takes about a millisecond
 * for 64 MiB. The bound reads a few lines of each and is never below the truth: a family has at
 * most what it had at the last exact look, and what its monitors can have got since. A page that
 * is got is a page fault, and a huge page is one fault but grows the resident size.
 *
 * Both also count what the host keeps for a monitor and gives no page for. It shows page tables
 * itself; mappings and open files are counted, again when the monitor has computed in between; the
 * records of a virtual machine's memory slots are in the ledger; the rest is a fixed sum that was
 * measured (with a memory cgroup's count of kernel memory).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define MONITOR_BYTES (40ull << 10) /* task, stack, signals, descriptors: an idle monitor */
#define VM_BYTES (512ull << 10)     /* a virtual machine with one processor */
#define MAPPING_BYTES 256
#define FILE_BYTES 1024 /* and its inode */
#define FILES_FEW 64    /* they are in MONITOR_BYTES */
#define COUNT_EVERY_NS 100000000ull

static bool is_kvm(const struct supervisor *s)
{
	return s->family.backend->kind == BACKEND_KVM;
}

/* The value of "Name: VALUE kB" in a table; names are asked for with the newline before. */
static u64 field(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

static u64 mappings_count(struct supervisor *s, int dir)
{
	static char text[16384];
	int fd = proc_open(s, dir, "maps", 0);
	u64 lines = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + n - p))); p++)
			lines++;
	if (fd >= 0)
		close(fd);
	return lines;
}

static u64 files_count(struct supervisor *s, int dir)
{
	int fd = proc_open(s, dir, "fd", O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	u64 files = 0;

	if (!d && fd >= 0) {
		s->uncounted = errno;
		close(fd);
	}
	while (d && readdir(d))
		files++;
	if (d)
		closedir(d);
	return files;
}

static u64 objects_bytes(struct supervisor *s, int dir, u64 fd_size)
{
	u64 files = fd_size > FILES_FEW ? files_count(s, dir) : 0;

	return mappings_count(s, dir) * MAPPING_BYTES +
		   (files > FILES_FEW ? files - FILES_FEW : 0) * FILE_BYTES;
}

/* Only where no guest can write it: in the process backend there are no slots. */
static u64 slots_bytes(const struct supervisor *s, pid_t own_pid)
{
	const struct ledger *l = s->family.ledger;

	for (u32 i = 0; l && i < ARRAY_SIZE(l->rows) && i < l->used; i++)
		if (l->rows[i].owner == own_pid)
			return l->rows[i].slot_bytes;
	return 0;
}

static int child_dir(struct supervisor *s, int pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return proc_open(s, s->family.proc_fd, name, O_DIRECTORY);
}

/* false: it is dead or gone. */
static bool stat_read(struct supervisor *s, int pid, struct usage_counters *now)
{
	char name[24], text[1024], state, *p;
	unsigned long minor, major;
	long resident;

	snprintf(name, sizeof(name), "%d/stat", pid);
	if (!proc_read(s, s->family.proc_fd, name, text, sizeof(text)))
		return false;
	p = strrchr(text, ')'); /* behind the name, which may hold anything */
	if (!p || sscanf(p + 1,
					 " %c %*d %*d %*d %*d %*d %*u %lu %*u %lu %*u %*u %*u %*d %*d %*d %*d %*d %*d "
					 "%*u %*u %ld",
					 &state, &minor, &major, &resident) != 4)
		return false;
	now->faults = minor + major;
	now->resident_bytes = (u64)MAX(resident, 0l) * PAGE_SIZE;
	return state != 'Z' && state != 'X';
}

/* The id in the innermost namespace is the last. */
static pid_t own_pid(const char *status, pid_t pid)
{
	const char *p = strstr(status, "\nNSpid:");
	char *end;

	for (p = p ? p + strlen("\nNSpid:") : NULL; p; p = end) {
		long id = strtol(p, &end, 10);

		if (end == p)
			break;
		pid = (pid_t)id;
	}
	return pid;
}

/* Counts what it has unless that was done a moment ago, or it has not run since. */
static void objects_count(struct supervisor *s, int dir, u64 fd_size, u64 time_ns,
						  struct usage_counters *now)
{
	char text[128];
	u64 ran = proc_read(s, dir, "schedstat", text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;

	if (!now->counted_ns || !ran || ran != now->ran_ns)
		now->object_bytes = objects_bytes(s, dir, fd_size);
	now->ran_ns = ran;
	now->counted_ns = time_ns;
}

/*
 * One monitor's counters; false: it is dead or gone. row->now may be those of an earlier look.
 * Page tables grow with faults.
 */
static bool row_read(struct supervisor *s, struct usage_row *row)
{
	struct usage_counters *now = &row->now, before = *now;
	u64 time_ns = supervisor_now_ns();
	char text[4096];
	bool same, read;
	int dir;

	if (!stat_read(s, row->pid, now))
		return false;
	same = now->counted_ns && now->faults == before.faults &&
		   now->resident_bytes == before.resident_bytes;
	if (same && time_ns - now->counted_ns < COUNT_EVERY_NS)
		return true;
	dir = child_dir(s, row->pid);
	read = dir >= 0 && proc_read(s, dir, "status", text, sizeof(text));
	if (read) {
		row->own_pid = own_pid(text, row->pid);
		now->swap_bytes = field(text, "\nVmSwap:") << 10;
		now->table_bytes = field(text, "\nVmPTE:") << 10;
		if (time_ns - now->counted_ns >= COUNT_EVERY_NS)
			objects_count(s, dir, field(text, "\nFDSize:"), time_ns, now);
	}
	if (dir >= 0)
		close(dir);
	return read;
}

/* What the host keeps for it. A virtual machine's second level of page tables is like the first. */
static u64 kernel_bytes(const struct supervisor *s, const struct usage_row *row,
						const struct usage_counters *at)
{
	return at->table_bytes * (is_kvm(s) ? 2 : 1) + at->object_bytes + MONITOR_BYTES +
		   (is_kvm(s) ? VM_BYTES + slots_bytes(s, row->own_pid) : 0);
}

/* Its part of anonymous and of shared memory, each page divided among those who have it. */
static u64 proportional_bytes(struct supervisor *s, const struct usage_row *row,
							  u64 *shared_bytes)
{
	char name[32], text[4096];

	*shared_bytes = 0;
	snprintf(name, sizeof(name), "%d/smaps_rollup", (int)row->pid);
	/* Else it is going, or cannot be looked at. */
	if (!proc_read(s, s->family.proc_fd, name, text, sizeof(text)))
		return row->now.resident_bytes + row->now.swap_bytes;
	*shared_bytes = field(text, "\nPss_Shmem:") << 10;
	return (field(text, "\nPss_Anon:") + field(text, "\nSwapPss:")) << 10;
}

static u64 kin_bytes(const struct supervisor *s)
{
	struct stat kin;

	return fstat(s->family.kin_fd, &kin) == 0 ? (u64)kin.st_blocks * 512 : 0;
}

/* The row of a child is not before that of an older one. new: not seen before. */
static struct usage_row row_of(const struct usage *u, int pid, u32 *from)
{
	for (u32 i = *from; i < u->row_count; i++) {
		if (u->rows[i].pid == pid) {
			*from = i + 1;
			return u->rows[i];
		}
	}
	return (struct usage_row){.pid = pid, .own_pid = pid};
}

/* Without room for one more row the monitor counts as new in the bound. */
static void row_keep(struct usage *u, const struct usage_row *row)
{
	u32 room = u->next_room ? u->next_room * 2 : 64;
	struct usage_row *rows;

	if (u->next_count == u->next_room) {
		rows = realloc(u->next, room * sizeof(*rows));
		if (!rows)
			return;
		u->next = rows;
		u->next_room = room;
	}
	u->next[u->next_count++] = *row;
}

static void rows_begin(struct usage *u)
{
	u->next_count = 0;
}

static void rows_end(struct usage *u)
{
	struct usage_row *rows = u->rows;
	u32 room = u->row_room;

	u->rows = u->next;
	u->row_count = u->next_count;
	u->row_room = u->next_room;
	u->next = rows;
	u->next_room = room;
}

static u64 growth(u64 then, u64 now)
{
	return now > then ? now - then : 0;
}

u64 usage_bound(struct supervisor *s)
{
	struct usage *u = &s->usage;
	u64 kin = kin_bytes(s), resident = kin;
	u64 grown = u->exact_bytes + growth(u->exact_kin_bytes, kin);
	FILE *f = children_open(s);
	u32 from = 0;
	int pid;

	rows_begin(u);
	while (f && fscanf(f, "%d", &pid) == 1) {
		struct usage_row row = row_of(u, pid, &from);
		const struct usage_counters *now = &row.now, *then = &row.then;
		u64 kernel, all;

		if (!row_read(s, &row))
			continue;
		kernel = kernel_bytes(s, &row, now);
		all = now->resident_bytes + now->swap_bytes + kernel;
		resident += all;
		grown += !row.exact ? all
							: (now->faults - then->faults) * PAGE_SIZE +
								  growth(then->resident_bytes, now->resident_bytes) +
								  growth(then->swap_bytes, now->swap_bytes) +
								  growth(kernel_bytes(s, &row, then), kernel);
		row_keep(u, &row);
	}
	children_close(s, f);
	rows_end(u);
	return MIN(resident, grown);
}

static void largest_add(struct usage_largest *largest, struct usage_victim v)
{
	for (u32 i = 0; i < largest->count; i++) {
		struct usage_victim less = largest->victims[i];

		if (v.bytes <= less.bytes)
			continue;
		largest->victims[i] = v;
		v = less;
	}
	if (largest->count < VICTIMS_MAX)
		largest->victims[largest->count++] = v;
}

/* The counters first: what is got between the two readings is then counted twice, never missed. */
u64 usage_exact(struct supervisor *s, struct usage_largest *largest)
{
	struct usage *u = &s->usage;
	u64 private_bytes = 0, shared_bytes = 0;
	struct usage_victim first = {0};
	FILE *f = children_open(s);
	u32 from = 0, listed = 0;
	int pid;

	largest->count = 0;
	rows_begin(u);
	u->exact_kin_bytes = kin_bytes(s);
	for (; f && fscanf(f, "%d", &pid) == 1; listed++) {
		struct usage_row row = row_of(u, pid, &from);
		u64 shared, own;

		if (!row_read(s, &row))
			continue;
		own = proportional_bytes(s, &row, &shared) + kernel_bytes(s, &row, &row.now);
		row.exact = true;
		row.then = row.now;
		row_keep(u, &row);
		shared_bytes += shared;
		private_bytes += own;
		own += growth(u->exact_kin_bytes, shared); /* what cannot be kin */
		if (listed == 0) /* the oldest child is the family's first process */
			first = (struct usage_victim){row.own_pid, own};
		else
			largest_add(largest, (struct usage_victim){row.own_pid, own});
	}
	children_close(s, f);
	rows_end(u);
	if (first.pid && (!largest->count || first.bytes > private_bytes / 2)) {
		largest->count = 1;
		largest->victims[0] = first;
	}
	/* Shared memory is kin; what a hostile guest has made besides is in the monitors' parts. */
	u->exact_bytes = MAX(u->exact_kin_bytes, shared_bytes) + private_bytes;
	return u->exact_bytes;
}

bool usage_possible(struct supervisor *s, bool memory, const char **why)
{
	char text[4096];
	FILE *f = children_open(s);
	int dir;

	*why = "/proc/thread-self/children (CONFIG_PROC_CHILDREN)";
	if (!f)
		return false;
	children_close(s, f);
	*why = NULL;
	if (!memory)
		return true;
	dir = proc_open(s, s->family.proc_fd, "self", O_DIRECTORY);
	*why = "Pss_Anon in /proc/self/smaps_rollup (Linux 5.4)";
	if (dir >= 0 && proc_read(s, dir, "smaps_rollup", text, sizeof(text)) &&
		strstr(text, "\nPss_Anon:"))
		*why = NULL;
	if (dir >= 0)
		close(dir);
	return !*why;
}
