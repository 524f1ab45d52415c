/* SPDX-License-Identifier: ISC */
/*
 * --memory and --pids. Three parties keep them: the members' kernels, which answer with the errors
 * that Linux has (files in memory ENOSPC, fork EAGAIN); the supervisor, from outside, which counts
 * what the host says of the monitors, so that a member that ignores its kernel is counted all the
 * same; and the host, by a control group where one can be made (cgroup.h) and by RLIMIT_NPROC where
 * the monitors are the only processes that are counted with them.
 *
 * Memory. Members draw on a credit before fresh memory becomes accessible (kernel/mm/charge.c),
 * which is what makes the limit exact for them; but copies of shared pages are made by the host
 * without a word to any kernel, and a hostile one does not ask. While the cheap bound (the control
 * group's count, else usage.c) is below the limit, nobody is disturbed; it is looked at again
 * before the members could touch what is left at the speed of TOUCH_BYTES_PER_NS. When it is above,
 * all monitors are stopped, so that the exact sum is of one moment and nothing is touched while it
 * is taken: one that ran would hold the host's locks, too, and the look took a hundred times as
 * long. Is the sum above the limit, the largest member is killed, as Linux does (several, if it
 * takes so many), and the others go on when its memory is free. Where there is a control group this
 * begins a little below the limit: the host, if it must kill, takes whoever has most mapped, shared
 * memory included.
 *
 * Monitors. A family has at most one for each member record, and members' kernels keep to --pids;
 * more than twice as many as there may be tasks live only in a family that clones them itself. It
 * is ended when that is seen, and the host refuses still more.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define CREDIT_MIN (256ull << 10)
#define TOUCH_BYTES_PER_NS 8 /* of one processor: huge pages */
#define CPUS_COUNTED 4       /* more share the speed of these */
#define INTERVAL_MIN_NS 200000ull
#define INTERVAL_MAX_NS 1000000000ull
/* Looking takes one part in so many of the time: near the limit while it grows, and otherwise. */
#define SHARE_GROWING 2
#define SHARE_IDLE 20
#define QUIET_MAX 8 /* doublings, while nothing changes */
#define PEAK_STEPS 8
#define STOPPED_SHARE 2 /* after a stop the members run for half as long at least */
#define VICTIMS_PATIENCE_NS 2000000000ull
#define BURIAL_PATIENCE_NS 1000000000ull
#define OVER_PATIENCE_NS 1000000000ull
#define STRANGERS_MAX 3
#define KILLS_TOLD 20 /* a hostile family could have one killed after the other */
/* With a control group the supervisor kills that part of the limit before the host does. */
#define MARGIN_SHARE 32
#define MARGIN_MAX (16ull << 20)

/* Members that have ended and still take themselves down have monitors, too. */
#define MONITORS_SLACK 32       /* more live in no honest family */
#define MONITORS_SLACK_HOST 64  /* more are refused */
#define OTHERS 3                /* supervisor, spawner, one that starts */
#define MONITORS_WATCH_NS 50000000ull /* where nobody refuses */
#define MONITORS_LOOK_NS 1000000000ull

#define EXIT_UNLIMITED 111

static void fail(struct supervisor *s, const char *text)
{
	error_set(&s->failure, 0, "%s; it was ended", text);
	s->ended = true;
}

static u64 monitors_max(const struct run_options *o)
{
	return MIN(o->tasks_max ? 2ull * o->tasks_max : MEMBERS_MAX, (u64)MEMBERS_MAX);
}

/* What the host may give: KVM has a task of its own for each virtual machine, which counts, too. */
static u64 tasks_max(const struct run_options *o, bool kvm)
{
	return (monitors_max(o) + MONITORS_SLACK_HOST) * (kvm ? 2 : 1);
}

/* Before the backend is known. */
void limits_cgroup_make(struct cgroup *cg, const struct run_options *o)
{
	bool kvm = strcmp(o->backend, backend_process.name) != 0;

	cgroup_make(cg, o->memory_bytes, o->tasks_asked || o->memory_bytes ? tasks_max(o, kvm) : 0);
}

static bool has_cgroup(const struct supervisor *s, enum cgroup_controller controller)
{
	return s->limits.cgroup.controllers & controller;
}

static bool is_kvm(const struct supervisor *s)
{
	return s->family.backend == &backend_kvm;
}

/* Linux counts a user's processes separately for each user namespace since 5.14. */
static bool counts_by_namespace(void)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
		   (major > 5 || (major == 5 && minor >= 14));
}

/*
 * The monitors have a user of their own, or that user's processes in this namespace are all that is
 * counted. Elsewhere a limit would hit others.
 */
static int nproc_bound(struct supervisor *s, struct error *err)
{
	struct rlimit most;

	if (!s->family.monitor_id && !(s->user_namespace && counts_by_namespace()))
		return 0;
	if (getrlimit(RLIMIT_NPROC, &most) < 0)
		return error_set(err, errno, "cannot read the limit of processes");
	most.rlim_max = MIN(most.rlim_max, tasks_max(s->options, is_kvm(s)) + OTHERS);
	most.rlim_cur = most.rlim_max;
	if (setrlimit(RLIMIT_NPROC, &most) < 0)
		return error_set(err, errno, "cannot limit the number of processes");
	s->limits.host_bounds = true;
	return 0;
}

static int memory_begin(struct supervisor *s, const char *why, struct error *err)
{
	struct kin_header *kin = s->family.kin;
	u64 limit = s->options->memory_bytes;

	if (!has_cgroup(s, CGROUP_MEMORY) && !s->limits.counts)
		return error_set(err, 0, "--memory cannot be kept on this host: it needs %s, or a memory "
								 "cgroup (%.200s)", why, s->limits.cgroup.why_not.text);
	s->limits.kill_bytes = limit;
	if (has_cgroup(s, CGROUP_MEMORY))
		s->limits.kill_bytes -= MIN(limit / MARGIN_SHARE, MARGIN_MAX);
	/* Where nothing is counted nobody needs to ask: the host says no. */
	kin->memory_credit = s->limits.counts ? (s64)s->limits.kill_bytes : INT64_MAX / 2;
	s->family.memory_limit = limit;
	if (is_kvm(s)) {
		s->family.ledger = mmap(NULL, sizeof(*s->family.ledger), PROT_READ | PROT_WRITE,
								MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (s->family.ledger == MAP_FAILED)
			return error_set(err, errno, "cannot make the ledger of memory slots");
	}
	return 0;
}

/* --verbose: who keeps what, and why not the host. */
static void keepers_tell(const struct supervisor *s)
{
	const struct run_options *o = s->options;
	const char *why = s->limits.cgroup.why_not.text;

	if (!s->family.verbose)
		return;
	if (o->memory_bytes)
		message("--memory is kept by %s%s%s",
				has_cgroup(s, CGROUP_MEMORY) ? "a cgroup" : "the supervisor, which counts",
				has_cgroup(s, CGROUP_MEMORY) ? "" : ": ",
				has_cgroup(s, CGROUP_MEMORY) ? "" : why);
	if (o->tasks_asked)
		message("the number of monitors is kept by %s",
				has_cgroup(s, CGROUP_PIDS) ? "a cgroup"
				: s->limits.host_bounds    ? "the host's limit of processes"
										   : "the supervisor, which counts");
}

int limits_begin(struct supervisor *s, struct error *err)
{
	const struct run_options *o = s->options;
	const char *why;

	s->limits.counts = usage_possible(s, o->memory_bytes, &why);
	if (nproc_bound(s, err) < 0)
		return -1;
	s->limits.host_bounds |= has_cgroup(s, CGROUP_PIDS);
	if (o->tasks_asked && o->tasks_max && !s->limits.host_bounds && !s->limits.counts)
		return error_set(err, 0, "--pids cannot be kept on this host: it needs %s, a user "
								 "namespace, or a pids cgroup (%.200s)", why,
						 s->limits.cgroup.why_not.text);
	if (o->memory_bytes && memory_begin(s, why, err) < 0)
		return -1;
	keepers_tell(s);
	s->uncounted = 0; /* what cannot be counted at all is known now */
	s->limits.deadline_ns = supervisor_now_ns();
	return 0;
}

static int monitor_limit(const struct supervisor *s, struct error *err)
{
	struct rlimit files;

	if (cgroup_enter(&s->limits.cgroup, err) < 0)
		return -1;
	/* A monitor names no more; each open file is memory of the host's. */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return error_set(err, errno, "cannot read the limit of open files");
	files.rlim_cur = files.rlim_max = MIN(files.rlim_max, (rlim_t)family_handles_max(&s->family));
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return error_set(err, errno, "cannot limit the number of open files");
	return 0;
}

void limits_enter(const struct supervisor *s)
{
	struct error err;

	if (monitor_limit(s, &err) == 0)
		return;
	message("%s", err.text);
	_exit(EXIT_UNLIMITED);
}

void limits_end(const struct supervisor *s)
{
	cgroup_kill(&s->limits.cgroup);
}

/* false: it is neither the spawner, nor does a record name it. */
static bool member_name(struct supervisor *s, pid_t pid, char *text, size_t size)
{
	struct kin_header *kin = s->family.kin;
	char comm[sizeof(kin->members[0].comm) + 1] = "";

	if (pid == s->spawner_pid) {
		snprintf(text, size, "the spawner");
		return true;
	}
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		if (KIN_READ(kin->members[i].host_pid) != pid)
			continue;
		memcpy(comm, kin->members[i].comm, sizeof(comm) - 1);
		text_clean(comm, strlen(comm));
		snprintf(text, size, "member %u (%s)", i, comm);
		events_oom(s, i);
		return true;
	}
	snprintf(text, size, "a process that is no member");
	return false;
}

/* A few that are no members may be clones that no record names yet: no family has more of them. */
static void kill_tell(struct supervisor *s, pid_t pid, u64 bytes, u64 sum_bytes)
{
	char name[64];

	if (!member_name(s, pid, name, sizeof(name)) && ++s->limits.strangers >= STRANGERS_MAX) {
		if (!s->ended)
			fail(s, "the family has processes that none of its kernels made, and more memory than "
					"--memory allows");
		return;
	}
	if (s->limits.killed++ >= KILLS_TOLD) {
		if (s->limits.killed == KILLS_TOLD + 1)
			message("further members that are killed for their memory are not named");
		return;
	}
	message("%s was killed: out of memory (it has %llu MiB, the family %llu of %llu MiB)", name,
			(unsigned long long)bytes >> 20, (unsigned long long)sum_bytes >> 20,
			(unsigned long long)s->options->memory_bytes >> 20);
}

/* A descriptor that tells when its memory is free, which may be long before it can be reaped. */
static int victim_kill(struct supervisor *s, const struct usage_victim *v, u64 sum_bytes)
{
	int fd = (int)syscall(SYS_pidfd_open, v->pid, 0);

	if (fd < 0)
		return -1;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0) {
		s->limits.victims[s->limits.victim_next++ % ARRAY_SIZE(s->limits.victims)] = v->pid;
		kill_tell(s, v->pid, v->bytes, sum_bytes);
		return fd;
	}
	close(fd);
	return -1;
}

/*
 * As many as must be, if what each has is all free then: what it shares with others is not, so
 * these are never too many.
 */
static void victims_kill(struct supervisor *s, const struct usage_largest *largest, u32 most,
						 u64 sum_bytes)
{
	u64 left = sum_bytes, until = supervisor_now_ns() + VICTIMS_PATIENCE_NS;
	struct pollfd gone[VICTIMS_MAX];
	u32 count = 0;

	for (u32 i = 0; i < MIN(largest->count, most) && left > s->limits.kill_bytes; i++) {
		left -= MIN(left, largest->victims[i].bytes);
		gone[count].fd = victim_kill(s, &largest->victims[i], sum_bytes);
		gone[count].events = POLLIN;
		count += gone[count].fd >= 0;
	}
	for (u32 i = 0; i < count; i++) {
		u64 now = supervisor_now_ns();

		while (poll(&gone[i], 1, now < until ? (int)((until - now) / 1000000) : 0) < 0 &&
			   errno == EINTR)
			;
		close(gone[i].fd);
	}
}

static bool victim_forget(struct supervisor *s, pid_t pid)
{
	for (u32 i = 0; i < ARRAY_SIZE(s->limits.victims); i++) {
		if (s->limits.victims[i] != pid)
			continue;
		s->limits.victims[i] = 0;
		return true;
	}
	return false;
}

static void ledger_clear(struct ledger *l, pid_t pid)
{
	for (u32 i = 0; l && i < ARRAY_SIZE(l->rows) && i < l->used; i++) {
		if (l->rows[i].owner != pid)
			continue;
		l->rows[i].slot_bytes = 0;
		l->rows[i].owner = 0;
	}
}

void limits_reaped(struct supervisor *s, pid_t pid, int host_status, const struct rusage *ru)
{
	u64 kills;

	ledger_clear(s->family.ledger, pid);
	s->limits.death_told = false;
	if (!s->options->memory_bytes || !WIFSIGNALED(host_status) || WTERMSIG(host_status) != SIGKILL)
		return;
	if (victim_forget(s, pid)) {
		s->limits.death_told = true;
		return;
	}
	kills = has_cgroup(s, CGROUP_MEMORY) ? cgroup_oom_kills(&s->limits.cgroup) : 0;
	if (kills <= s->limits.oom_kills)
		return;
	s->limits.oom_kills++;
	s->limits.death_told = true;
	kill_tell(s, pid, (u64)ru->ru_maxrss << 10, s->options->memory_bytes);
}

/*
 * Shared memory that a dead member held is free when another one has buried it: until then it is
 * not known whether the next one must die.
 */
static bool burial_awaited(const struct supervisor *s)
{
	return KIN_READ(s->family.kin->inbox_pending) && supervisor_now_ns() < s->limits.buried_by_ns;
}

/* The least that is left while nothing is too much yet: without it each page would be asked for. */
static void credit_set(struct supervisor *s, u64 bytes)
{
	struct kin_header *kin = s->family.kin;
	u64 limit = s->limits.kill_bytes;

	kin->memory_credit = bytes > limit ? 0 : (s64)MAX(limit - bytes, CREDIT_MIN);
	kin->memory_looks++;
	syscall(SYS_futex, &kin->memory_looks, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Many small ones that are made faster than they are killed: only the end of all ends that. */
static void over_check(struct supervisor *s, u64 bytes)
{
	u64 now = supervisor_now_ns();

	if (bytes <= s->limits.kill_bytes || burial_awaited(s)) {
		s->limits.over_since_ns = 0;
		return;
	}
	if (!s->limits.over_since_ns)
		s->limits.over_since_ns = now;
	if (now - s->limits.over_since_ns > OVER_PATIENCE_NS)
		fail(s, "the family has more memory than --memory allows, whoever is killed");
}

/* The host's count is exact, but for page cache: whichever is less is nearer to the truth. */
static u64 host_count_min(const struct supervisor *s, u64 bytes)
{
	u64 host;

	return has_cgroup(s, CGROUP_MEMORY) && cgroup_memory(&s->limits.cgroup, &host)
			   ? MIN(bytes, host)
			   : bytes;
}

/* The exact sum, of one moment; and what is above the limit is ended. */
static u64 settle(struct supervisor *s)
{
	u64 bytes = 0, limit = s->limits.kill_bytes, kin;
	struct usage_largest largest;

	children_signal(s, SIGSTOP);
	for (u32 i = 0; i < ROUNDS_MAX && !s->ended; i++) {
		bytes = host_count_min(s, usage_exact(s, &largest));
		kin = s->usage.exact_kin_bytes;
		s->limits.peak_bytes = MAX(s->limits.peak_bytes, bytes);
		if (bytes <= limit || !largest.count || (burial_awaited(s) && bytes <= limit + kin))
			break;
		victims_kill(s, &largest, kin > limit / 4 ? 1 : VICTIMS_MAX, bytes);
		s->limits.buried_by_ns = supervisor_now_ns() + BURIAL_PATIENCE_NS;
		if (kin > limit / 4)
			break;
	}
	over_check(s, bytes);
	credit_set(s, bytes);
	children_signal(s, SIGCONT);
	return bytes;
}

/* What a look costs; the clock would count what others run meanwhile. */
static u64 cpu_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static u64 interval_ns(const struct supervisor *s, u64 bytes, u64 cpu_ns, bool grows)
{
	u64 limit = s->limits.kill_bytes, left = limit > bytes ? limit - bytes : 0;
	u32 cpus = KIN_READ(s->family.kin->cpus);
	u64 speed = TOUCH_BYTES_PER_NS * MIN(MAX(cpus, 1u), CPUS_COUNTED);
	u64 ns = left / speed;

	ns = MAX(ns, cpu_ns * (grows ? SHARE_GROWING : SHARE_IDLE));
	return MIN(MAX(ns, INTERVAL_MIN_NS), INTERVAL_MAX_NS);
}

/*
 * For --stats: is it worth a stop to learn of a higher peak? By a step, or when it has come to
 * rest.
 */
static bool peak_rises(const struct supervisor *s, u64 bytes)
{
	u64 peak = s->limits.peak_bytes;

	return s->options->stats && !has_cgroup(s, CGROUP_MEMORY) &&
		   (bytes > peak + s->options->memory_bytes / PEAK_STEPS ||
			(bytes > peak && bytes == s->limits.last_bytes));
}

/* A member waits for a look: it gets one when the family has run for a while since the last. */
static bool look_wanted(const struct supervisor *s, u64 now)
{
	return KIN_READ(s->family.kin->memory_wanted) && now >= s->limits.rested_ns;
}

/* The host counts, and nothing needs to be done. */
static bool cgroup_suffices(struct supervisor *s, bool wanted, u64 *bytes)
{
	if (!has_cgroup(s, CGROUP_MEMORY))
		return false;
	if (!cgroup_memory(&s->limits.cgroup, bytes)) {
		/* Somebody has taken the controller away. */
		s->limits.cgroup.controllers &= ~(unsigned)CGROUP_MEMORY;
		if (!s->limits.counts)
			fail(s, "the family's memory cgroup is gone, and nothing else keeps --memory");
		return false;
	}
	s->limits.peak_bytes = MAX(s->limits.peak_bytes, *bytes);
	if (s->limits.counts && *bytes > s->limits.kill_bytes)
		return false;
	if (wanted && s->limits.counts) {
		s->family.kin->memory_wanted = 0;
		credit_set(s, *bytes);
	}
	return true;
}

static void memory_check(struct supervisor *s, u64 now)
{
	u64 bytes, start = cpu_now_ns(), cpu, rest = 0, wait;
	bool wanted = look_wanted(s, now);

	if (!cgroup_suffices(s, wanted, &bytes) && !s->ended) {
		bytes = host_count_min(s, usage_bound(s));
		cpu = cpu_now_ns() - start;
		if (wanted || bytes > s->limits.kill_bytes || peak_rises(s, bytes)) {
			s->family.kin->memory_wanted = 0;
			bytes = settle(s);
			rest = MAX((cpu_now_ns() - start) / STOPPED_SHARE, INTERVAL_MIN_NS);
		}
	} else {
		cpu = cpu_now_ns() - start;
	}
	now = supervisor_now_ns();
	s->limits.rested_ns = MAX(s->limits.rested_ns, now + rest);
	s->limits.quiet = bytes == s->limits.last_bytes ? MIN(s->limits.quiet + 1, QUIET_MAX) : 0;
	wait = interval_ns(s, bytes, cpu, bytes > s->limits.last_bytes);
	if (has_cgroup(s, CGROUP_MEMORY)) /* the host keeps the limit if this is too late */
		wait = s->limits.counts ? MIN(wait << s->limits.quiet, INTERVAL_MAX_NS) : INTERVAL_MAX_NS;
	s->limits.memory_ns = now + MAX(rest, wait);
	s->limits.last_bytes = bytes;
}

static void monitors_check(struct supervisor *s, u64 now)
{
	u32 count;

	s->limits.monitors_ns =
		now + (s->limits.host_bounds ? MONITORS_LOOK_NS : MONITORS_WATCH_NS);
	if (!children_exceed(s, monitors_max(s->options) + MONITORS_SLACK, &count))
		return;
	error_set(&s->failure, 0, "the family has %u monitors, more than --pids allows; it was ended",
			  count);
	s->ended = true;
}

/* Is a look at the monitors worth waking up for? Else it is taken when there is something to do. */
static bool monitors_watched(const struct supervisor *s)
{
	return !s->limits.host_bounds || (s->options->tasks_asked && s->options->tasks_max);
}

/* A family that cannot be counted could have anything. */
static void uncounted_check(struct supervisor *s)
{
	if (s->uncounted && !s->ended && (s->options->memory_bytes || monitors_watched(s))) {
		error_set(&s->failure, s->uncounted,
				  "cannot count the family for --memory and --pids; it was ended");
		s->ended = true;
	}
	s->uncounted = 0;
}

void limits_check(struct supervisor *s)
{
	u64 now = supervisor_now_ns(), memory = s->options->memory_bytes;

	if (s->ended)
		return;
	if (s->limits.counts && now >= s->limits.monitors_ns)
		monitors_check(s, now);
	if (memory && (now >= s->limits.memory_ns || look_wanted(s, now)) && !s->ended)
		memory_check(s, now);
	uncounted_check(s);
	s->limits.deadline_ns = memory ? s->limits.memory_ns : 0;
	if (memory && KIN_READ(s->family.kin->memory_wanted))
		s->limits.deadline_ns = MIN(s->limits.deadline_ns, s->limits.rested_ns);
	if (s->limits.counts && monitors_watched(s))
		s->limits.deadline_ns =
			memory ? MIN(s->limits.deadline_ns, s->limits.monitors_ns) : s->limits.monitors_ns;
}

void limits_report(const struct supervisor *s, struct json_t *root)
{
	bool host = has_cgroup(s, CGROUP_MEMORY);
	u64 peak = host ? cgroup_memory_peak(&s->limits.cgroup) : 0;

	if (!s->options->memory_bytes) { /* nobody has looked */
		json_object_del(root, "memory_peak_kib");
		return;
	}
	if (!peak) /* a host that does not keep it (before Linux 5.19) */
		peak = s->limits.oom_kills ? s->options->memory_bytes : s->limits.peak_bytes;
	json_object_set_new(root, "memory_peak_kib", json_integer((json_int_t)(peak >> 10)));
	json_object_set_new(root, "memory_limit_by", json_string(host ? "cgroup" : "supervisor"));
}
