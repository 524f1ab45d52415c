/* SPDX-License-Identifier: ISC */
/*
 * The title of a process: what it wrote over its arguments. Linux reads the command line from the
 * process's memory whenever somebody asks for /proc/PID/cmdline. Another member cannot, so the
 * process publishes it in kin (procinfo.c) again when it forks and when it names itself.
 */
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_internal.h"

#define CMDLINE_MAX (64u << 10) /* bytes; more is not shown to others */

/* Does kin hold the caller's command line as it is in memory now? Looks at the first page only. */
static bool cmdline_shown(const struct kin_proc *p, const char *addr, size_t len)
{
	const char *known = p->info + p->info_cmdline;
	char piece[256];

	if (len != p->info_cmdline_len)
		return false;
	len = MIN(len, PAGE_SIZE);
	for (size_t at = 0; at < len; at += sizeof(piece)) {
		size_t n = MIN(len - at, sizeof(piece));
		if (copy_in(piece, addr + at, n))
			return true; /* unreadable: keep what was readable before */
		if (memcmp(piece, known + at, n))
			return false;
	}
	return true;
}

void proc_refresh_cmdline(void)
{
	struct kin_proc *p = current->proc->kp;
	u64 start, end;
	size_t len, npages;
	char *copy;

	mm_cmdline(current->proc->mm, &start, &end);
	len = MIN(end - start, CMDLINE_MAX);
	if (!p->info || !len || cmdline_shown(p, (const char *)start, len))
		return;
	npages = (len + PAGE_SIZE - 1) / PAGE_SIZE;
	copy = kpages_alloc(npages);
	if (!copy)
		return;
	if (!copy_in(copy, (const void *)start, len))
		proc_info_set_exec(p, p->info + p->info_exe, copy, len);
	kpages_free(copy, npages);
}
