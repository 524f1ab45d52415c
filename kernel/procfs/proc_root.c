/* SPDX-License-Identifier: ISC */
/*
 * /proc files about the whole family and about the machine as its members see it: one processor,
 * memory without a fixed size (what is shown as total is a round number), formats as Linux 6
 * prints them.
 */
#include <asm/errno.h>

#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/thread.h"
#include "kernel/time/time.h"
#include "kernel/time/time_hooks.h"
#include "kernel/vfs/vfs_hooks.h"

#define TICK_NS 10000000ul /* USER_HZ 100 */

struct family_sums {
	u64 cpu_ns, rss_kib;
	u32 running, total, last_pid;
};

static int add_process(struct kin_proc *p, void *arg)
{
	struct family_sums *s = arg;

	s->cpu_ns += proc_cpu_ns(p);
	s->rss_kib += p->state == PROC_ZOMBIE ? 0 : p->maxrss_kib;
	s->total++;
	s->running += p->state == PROC_RUNNING && p->member < MEMBERS_MAX &&
				  KIN->members[p->member].doorbell_state == DOORBELL_RUNNING;
	s->last_pid = MAX(s->last_pid, (u32)p->pid);
	return 0;
}

static void family_sums(struct family_sums *s)
{
	memset(s, 0, sizeof(*s));
	tree_lock();
	proc_foreach(add_process, s);
	tree_unlock();
}

s64 show_meminfo(struct text *t, const struct proc_target *p)
{
	u64 shared = kin_pages_used() * (PAGE_SIZE / 1024);
	u64 total = memory_total() >> 10;
	struct family_sums s;

	family_sums(&s);
	u64 used = MIN(shared + s.rss_kib, KIN->memory_limit ? total : total / 2);
	text_add(t, "MemTotal:       %8lu kB\n", total);
	text_add(t, "MemFree:        %8lu kB\n", total - used);
	text_add(t, "MemAvailable:   %8lu kB\n", total - used);
	text_add(t, "Buffers:               0 kB\nCached:         %8lu kB\n", shared);
	text_add(t, "SwapCached:            0 kB\nActive:         %8lu kB\n", used);
	text_add(t, "Inactive:              0 kB\nSwapTotal:             0 kB\n");
	text_add(t, "SwapFree:              0 kB\nDirty:                 0 kB\n");
	text_add(t, "Writeback:             0 kB\nAnonPages:      %8lu kB\n", s.rss_kib);
	text_add(t, "Mapped:                0 kB\nShmem:          %8lu kB\n", shared);
	text_add(t, "Slab:                  0 kB\nCommitLimit:    %8lu kB\n", total);
	text_add(t, "Committed_AS:   %8lu kB\nHugePages_Total:       0\n", used);
	text_add(t, "HugePages_Free:        0\nHugepagesize:       2048 kB\n");
	return 0;
}

/* The counts that vmstat(8) and others insist on; the family has no disk and does not swap. */
s64 show_vmstat(struct text *t, const struct proc_target *p)
{
	u64 shared = kin_pages_used(), total = memory_total() / PAGE_SIZE;
	struct family_sums s;

	family_sums(&s);
	u64 anon = s.rss_kib * 1024 / PAGE_SIZE;
	text_add(t, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_mapped 0\nnr_file_pages %lu\n",
			 total - MIN(total, shared + anon), anon, shared);
	text_add(t, "nr_dirty 0\nnr_writeback 0\nnr_slab_reclaimable 0\nnr_slab_unreclaimable 0\n");
	text_add(t, "nr_page_table_pages 0\nnr_kernel_stack 0\nnr_shmem %lu\n", shared);
	text_add(t, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgalloc_normal 0\npgfree 0\n");
	text_add(t, "pgfault %lu\npgmajfault 0\noom_kill 0\n", (u64)KIN->stats.faults);
	return 0;
}

s64 show_cpuinfo(struct text *t, const struct proc_target *p)
{
	arch_describe_cpu(t, KIN->clock.tsc_khz);
	return 0;
}

s64 show_stat(struct text *t, const struct proc_target *p)
{
	struct family_sums s;
	u64 up = time_boot_ns() / TICK_NS;

	family_sums(&s);
	u64 busy = s.cpu_ns / TICK_NS;
	u64 idle = up > busy ? up - busy : 0;
	text_add(t, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\ncpu0 %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle, busy,
			 idle);
	text_add(t, "intr 0\nctxt 0\nbtime %lu\n",
			 (u64)((time_real_ns() - time_boot_ns()) / NSEC_PER_SEC));
	text_add(t, "processes %lu\nprocs_running %u\nprocs_blocked 0\n",
			 (u64)KIN->stats.forks + KIN->stats.vforks + 1, MAX(s.running, 1u));
	return 0;
}

s64 show_uptime(struct text *t, const struct proc_target *p)
{
	u64 up = time_boot_ns() / TICK_NS;
	struct family_sums s;

	family_sums(&s);
	u64 idle = up - MIN(up, s.cpu_ns / TICK_NS);
	text_add(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

s64 show_loadavg(struct text *t, const struct proc_target *p)
{
	struct family_sums s;

	family_sums(&s);
	text_add(t, "%u.00 %u.00 %u.00 %u/%u %u\n", s.running, s.running, s.running, MAX(s.running, 1u),
			 s.total, s.last_pid);
	return 0;
}

s64 show_version(struct text *t, const struct proc_target *p)
{
	text_add(t, "Linux version " KERNEL_RELEASE " (unifork) #1 SMP\n");
	return 0;
}

s64 show_filesystems(struct text *t, const struct proc_target *p)
{
	text_add(t, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tpipefs\n"
				"nodev\tdevpts\nnodev\toverlay\n");
	return 0;
}

s64 show_devices(struct text *t, const struct proc_target *p)
{
	text_add(t, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
				"136 pts\n\nBlock devices:\n");
	return 0;
}

s64 show_empty(struct text *t, const struct proc_target *p)
{
	return 0;
}

s64 show_sysvipc_shm(struct text *t, const struct proc_target *p)
{
	shm_describe(t);
	return 0;
}

s64 show_sysvipc_sem(struct text *t, const struct proc_target *p)
{
	sem_describe(t);
	return 0;
}

s64 show_sysvipc_msg(struct text *t, const struct proc_target *p)
{
	msg_describe(t);
	return 0;
}

static void add_uuid(struct text *t, const u8 *b)
{
	text_add(t, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", b[0],
			 b[1], b[2], b[3], b[4], b[5], (b[6] & 15) | 0x40, b[7], (b[8] & 63) | 0x80, b[9],
			 b[10], b[11], b[12], b[13], b[14], b[15]);
}

s64 show_uuid(struct text *t, const struct proc_target *p)
{
	u8 bytes[16];
	s64 n = random_fill(bytes, sizeof(bytes));

	if (n < 0)
		return n;
	add_uuid(t, bytes);
	return 0;
}

/* The same for all members of a family: chosen by the first reader, one compare-and-swap. */
s64 show_boot_id(struct text *t, const struct proc_target *p)
{
	struct vfs_shared *v = vfs_shared();
	u64 id[2], none = 0;

	if (!v->boot_id) {
		s64 n = random_fill(id, sizeof(id));
		if (n < 0)
			return n;
		atomic_compare_exchange_strong(&v->boot_id, &none, id[0] | 1);
	}
	id[0] = v->boot_id;
	id[1] = id[0] * 0x9e3779b97f4a7c15ull;
	add_uuid(t, (u8 *)id);
	return 0;
}

s64 link_self(struct text *t, const struct proc_target *p)
{
	text_add(t, "%d", current->proc->kp->pid);
	return 0;
}

s64 link_thread_self(struct text *t, const struct proc_target *p)
{
	text_add(t, "%d/task/%d", current->proc->kp->pid, current->tid);
	return 0;
}

s64 link_net(struct text *t, const struct proc_target *p)
{
	text_add(t, "self/net");
	return 0;
}

s64 link_mounts(struct text *t, const struct proc_target *p)
{
	text_add(t, "self/mounts");
	return 0;
}
