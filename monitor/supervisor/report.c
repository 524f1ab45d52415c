/* SPDX-License-Identifier: ISC */
/* --stats: what each member was and cost, and the family's sums, as JSON (jansson). */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/arch/syscall_numbers.h"
#include "monitor/supervisor/supervisor_internal.h"

static const char *const syscall_names[STATS_SYSCALLS] = {
#define SYSCALL(name, arity, types, level, note) [SYSCALL_##name] = #name,
#include "kernel/syscall/syscalls.def"
#undef SYSCALL
};

static const char *const hypercall_names[HYPERCALL_COUNT] = {
#define HYPERCALL(name, ...) #name,
#include "abi/hypercalls.def"
#undef HYPERCALL
};

static u64 tsc_to_us(const struct supervisor *s, u64 from, u64 to)
{
	u64 khz = KIN_READ(s->family.kin->clock.tsc_khz);

	return khz && to > from ? (to - from) * 1000 / khz : 0;
}

/*
 * The record is the family's to write: copied here, shown as numbers and a bounded name, trusted
 * for nothing.
 */
void report_member(struct supervisor *s, u32 index, int host_status, bool killed,
				   const struct rusage *ru)
{
	const struct kin_member *m = &s->family.kin->members[index];

	if (s->row_count >= ROWS_MAX) {
		s->rows_dropped++;
		return;
	}
	if (!(s->row_count & (s->row_count - 1))) {
		struct member_row *rows =
			realloc(s->rows, (s->row_count ? s->row_count * 2 : 1) * sizeof(*rows));
		if (!rows) {
			s->rows_dropped++;
			return;
		}
		s->rows = rows;
	}
	struct member_row *r = &s->rows[s->row_count++];
	*r = (struct member_row){
		.pid = KIN_READ(m->pid),
		.ppid = KIN_READ(m->ppid),
		.host_status = host_status,
		.member = index,
		.clone_us = tsc_to_us(s, KIN_READ(m->clone_tsc), KIN_READ(m->first_tsc)),
		.resumed_us = tsc_to_us(s, KIN_READ(m->clone_tsc), KIN_READ(m->resumed_tsc)),
		.direct = KIN_READ(m->syscalls_direct),
		.trapped = KIN_READ(m->syscalls_trapped),
		.sites = KIN_READ(m->sites),
		.hypercalls = KIN_READ(m->hypercalls),
		.faults = ru->ru_minflt + ru->ru_majflt,
		.interrupts = KIN_READ(m->interrupts),
		.maxrss_kib = ru->ru_maxrss,
		.killed = killed,
		.cpu_us = (ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) * 1000000ull + ru->ru_utime.tv_usec +
				  ru->ru_stime.tv_usec,
	};
	memcpy(r->comm, m->comm, sizeof(r->comm));
	r->comm[sizeof(r->comm) - 1] = 0;
	text_clean(r->comm, strlen(r->comm));
}

/* When memory has run out, *whole becomes false, and the report is not written. */
static void put(json_t *object, const char *key, json_t *value, bool *whole)
{
	if (json_object_set_new(object, key, value) < 0)
		*whole = false;
}

static json_t *members_json(const struct supervisor *s, bool *whole)
{
	json_t *list = json_array();

	for (u32 i = 0; i < s->row_count; i++) {
		const struct member_row *r = &s->rows[i];
		json_t *row =
			json_pack("{s:i, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
					  "pid", r->pid, "ppid", r->ppid, "member", (int)r->member, "comm", r->comm,
					  "clone_us", (json_int_t)r->clone_us, "parent_resumed_us",
					  (json_int_t)r->resumed_us, "syscalls_direct", (json_int_t)r->direct,
					  "syscalls_trapped", (json_int_t)r->trapped, "sites", (json_int_t)r->sites,
					  "hypercalls", (json_int_t)r->hypercalls, "page_faults", (json_int_t)r->faults,
					  "interrupts", (json_int_t)r->interrupts, "peak_private_kib",
					  (json_int_t)r->maxrss_kib, "cpu_us", (json_int_t)r->cpu_us, "killed",
					  r->killed);
		if (json_array_append_new(list, row) < 0)
			*whole = false;
	}
	return list;
}

/* A name, or the number of a call that the table does not know; valid until the next call. */
static const char *syscall_name(u32 nr)
{
	static char number[16];

	if (syscall_names[nr])
		return syscall_names[nr];
	snprintf(number, sizeof(number), "%u", nr);
	return number;
}

/* --verbose: one line with every call that was answered ENOSYS, if there was one. */
void report_unsupported(const struct supervisor *s)
{
	const struct kin_stats *st = &s->family.kin->stats;
	char text[2048];
	size_t at = 0;

	for (u32 i = 0; i < STATS_SYSCALLS; i++) {
		u64 count = KIN_READ(st->unsupported[i]);
		int n = count ? snprintf(text + at, sizeof(text) - at, "%s%s (%llu)", at ? ", " : "",
								 syscall_name(i), (unsigned long long)count)
					  : 0;

		if (n < 0 || (size_t)n >= sizeof(text) - at)
			break;
		at += (size_t)n;
	}
	text[at] = 0;
	if (at)
		message("system calls answered ENOSYS: %s", text);
}

static json_t *syscalls_json(const struct kin_stats *st, json_t *unsupported, bool *whole)
{
	json_t *all = json_object();

	for (u32 i = 0; i < STATS_SYSCALLS; i++) {
		const char *name = syscall_name(i);

		if (KIN_READ(st->direct[i]) || KIN_READ(st->trapped[i]) || KIN_READ(st->first[i]))
			put(all, name,
				json_pack("{s:I, s:I, s:I}", "direct", (json_int_t)KIN_READ(st->direct[i]),
						  "trapped", (json_int_t)KIN_READ(st->trapped[i]), "first",
						  (json_int_t)KIN_READ(st->first[i])),
				whole);
		if (KIN_READ(st->unsupported[i]))
			put(unsupported, name, json_integer((json_int_t)KIN_READ(st->unsupported[i])), whole);
	}
	return all;
}

static json_t *hypercalls_json(const struct kin_stats *st, bool *whole)
{
	json_t *all = json_object();

	for (u32 i = 0; i < HYPERCALL_COUNT; i++)
		if (KIN_READ(st->hypercalls[i]))
			put(all, hypercall_names[i], json_integer((json_int_t)KIN_READ(st->hypercalls[i])),
				whole);
	return all;
}

static json_t *report_json(struct supervisor *s, bool *whole)
{
	const struct kin_header *kin = s->family.kin;
	const struct kin_stats *st = &kin->stats;
	json_int_t private_kib = 0, direct = 0, trapped = 0, first = 0, faults = 0, kin_kib;
	json_t *unsupported = json_object(), *syscalls = syscalls_json(st, unsupported, whole);
	struct stat kin_stat = {0};
	u64 boot_us = 0;

	for (u32 i = 0; i < s->row_count; i++) {
		private_kib += s->rows[i].maxrss_kib;
		faults += s->rows[i].faults;
		if (s->rows[i].member == 0)
			boot_us = s->rows[i].clone_us;
	}
	for (u32 i = 0; i < STATS_SYSCALLS; i++) {
		direct += KIN_READ(st->direct[i]);
		trapped += KIN_READ(st->trapped[i]);
		first += KIN_READ(st->first[i]);
	}
	fstat(s->family.kin_fd, &kin_stat);
	kin_kib = KIN_READ(st->kin_pages_peak) * (PAGE_SIZE / 1024); /* without what is always there */
	return json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:{s:I, s:I, s:I}, s:o, s:o, "
		"s:o, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:i}",
		"backend", s->family.backend->name, "boot_us", (json_int_t)boot_us, "members",
		(json_int_t)(s->row_count + s->rows_dropped), "forks", (json_int_t)KIN_READ(st->forks),
		"vforks", (json_int_t)KIN_READ(st->vforks), "execs", (json_int_t)KIN_READ(st->execs),
		"wait_status", s->status, "page_faults", faults, "interrupts",
		(json_int_t)KIN_READ(st->interrupts), "syscalls_total", "direct", direct, "trapped",
		trapped, "first", first, "syscalls", syscalls, "unsupported", unsupported, "hypercalls",
		hypercalls_json(st, whole), "peak_kin_kib",
		MAX(kin_kib, (json_int_t)kin_stat.st_blocks / 2), "kin_kib_at_end",
		(json_int_t)kin_stat.st_blocks / 2, "peak_private_kib_sum", private_kib, "memory_limit_kib",
		(json_int_t)(s->options->memory_bytes >> 10), "memory_peak_kib",
		(json_int_t)(s->limits.peak_bytes >> 10), "memory_kills", (int)s->limits.killed,
		"member_list", members_json(s, whole), "members_not_listed", (int)s->rows_dropped);
}

/* NULL: no memory. json_dumps forgets keys for which it has none, and says nothing. */
static char *text_of(const json_t *root)
{
	size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER, size = json_dumpb(root, NULL, 0, flags);
	char *text = size ? malloc(size + 1) : NULL;

	if (!text)
		return NULL;
	text[size] = 0;
	if (json_dumpb(root, text, size, flags) == size)
		return text;
	free(text);
	return NULL;
}

static bool text_write(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return false;
		text += MAX(n, 0);
		left -= (size_t)MAX(n, 0);
	}
	return true;
}

int report_write(struct supervisor *s, struct error *err)
{
	bool whole = true;
	json_t *root = report_json(s, &whole);
	char *text = NULL;
	bool failed;

	if (root && whole) {
		limits_report(s, root);
		text = text_of(root);
	}
	json_decref(root);
	if (!text)
		return error_set(err, ENOMEM, "cannot put the statistics together");
	/* A file of its own is written anew; standard output goes on, a pipe has no size. */
	if (strcmp(s->options->stats, "-") != 0 && ftruncate(s->stats_fd, 0) < 0)
		errno = 0;
	failed = !text_write(s->stats_fd, text);
	free(text);
	return failed ? error_set(err, errno, "cannot write the statistics to '%s'", s->options->stats)
				  : 0;
}
