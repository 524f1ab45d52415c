/* SPDX-License-Identifier: ISC */
/*
 * Waiting and waking. A doorbell is a sequence word in kin: the sleeper passes the sequence that
 * it has seen, stores that it is about to sleep, and compares again (the waker increments, then
 * reads the state), so no ring is lost. Host descriptors cannot be waited for together with a
 * futex: such a sleeper is woken by an interrupt alone (MONITOR_SIGNAL of hyp_kick, or its timer),
 * which interruptible_syscall closes the last gap for.
 *
 * Sockets that a member watches (hyp_net.c) are in a set of the host's that is kept between sleeps:
 * what waiting costs does not depend on how many they are. The set is one more descriptor of the
 * sleep, or is slept in if it is the only one; what came to it is told to the guest, each event
 * once.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

#include "monitor/core/core_internal.h"

#define SLEEP_FDS_MAX 1024
#define NS_PER_S 1000000000ull

static struct timespec timespec_of(u64 ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Kin is mapped shared: never FUTEX_PRIVATE_FLAG. */
static s64 futex_wake(_Atomic u32 *word, u64 n)
{
	return HOST_CALL(SYS_futex, word, FUTEX_WAKE, MIN(n, (u64)INT_MAX));
}

/* Until the word differs from seen, the deadline (CLOCK_MONOTONIC), or an interrupt. */
static s64 futex_sleep(struct member *m, _Atomic u32 *word, u32 seen, u64 deadline_ns)
{
	struct timespec ts = timespec_of(deadline_ns);
	s64 r = interruptible_syscall(&m->interrupted, SYS_futex, (u64)word, FUTEX_WAIT_BITSET, seen,
								  deadline_ns == HYP_NO_DEADLINE ? 0 : (u64)&ts, 0,
								  FUTEX_BITSET_MATCH_ANY);

	return r == -EAGAIN ? 0 : r;
}

/*
 * The host's view of the array; an invalid handle is POLLNVAL's business, and never another
 * descriptor's.
 */
static s64 poll_load(struct member *m, u64 addr, u32 n, struct pollfd *fds)
{
	struct hyp_pollfd h;

	for (u32 i = 0; i < n; i++) {
		if (guest_read(&h, addr + i * sizeof(h), sizeof(h)) < 0)
			return -EFAULT;
		bool valid = h.handle < 0 || handle_valid(m, (u64)h.handle);
		fds[i] = (struct pollfd){.fd = valid ? h.handle : INT_MAX, .events = h.events};
	}
	return 0;
}

static s64 poll_store(u64 addr, u32 n, const struct pollfd *fds)
{
	for (u32 i = 0; i < n; i++) {
		s16 revents = fds[i].revents;
		u64 at = addr + i * sizeof(struct hyp_pollfd) + offsetof(struct hyp_pollfd, revents);
		if (guest_write(at, &revents, sizeof(revents)) < 0)
			return -EFAULT;
	}
	return 0;
}

/* From now on, of a deadline that there is; NULL: there is none. */
static struct timespec *time_left(u64 deadline_ns, struct timespec *ts)
{
	if (deadline_ns == HYP_NO_DEADLINE)
		return NULL;
	u64 now = host_clock_ns(CLOCK_MONOTONIC);
	*ts = timespec_of(deadline_ns > now ? deadline_ns - now : 0);
	return ts;
}

static s64 poll_sleep(struct member *m, struct pollfd *fds, u32 n, u64 deadline_ns)
{
	struct timespec ts;
	s64 r = interruptible_syscall(&m->interrupted, SYS_ppoll, (u64)fds, n,
								  (u64)time_left(deadline_ns, &ts), 0, 0, 0);
	return r == 0 ? -ETIMEDOUT : r;
}

/* Which handles are ready at this moment: no wait, so neither the doorbell nor a signal ends it. */
static s64 look_fds(u64 addr, u32 n, struct pollfd *fds)
{
	struct timespec ts = {0};
	s64 r = HOST_CALL(SYS_ppoll, fds, n, &ts, NULL, 0);

	if (r > 0 && poll_store(addr, n, fds) < 0)
		return -EFAULT;
	return r == 0 ? -ETIMEDOUT : r;
}

static s64 events_store(u64 addr, const struct epoll_event *list, s64 n)
{
	struct hyp_events told = {0}; /* what is between the fields, too: the guest sees it */

	for (s64 i = 0; i < n; i++) {
		told.event[i].data = list[i].data.u64;
		told.event[i].events = list[i].events;
	}
	told.count = n > 0 ? (u32)n : 0;
	return guest_write(addr, &told, offsetof(struct hyp_events, event) +
										told.count * sizeof(told.event[0]));
}

/* What came to watched sockets, at most HYP_EVENTS: the others come first the next time. */
static s64 events_take(struct member *m, u64 addr)
{
	struct epoll_event list[HYP_EVENTS];

	s64 n = HOST_CALL(SYS_epoll_pwait, m->family->watch_fd, list, HYP_EVENTS, 0, NULL, 0);

	return events_store(addr, list, n);
}

/*
 * A sleep that only sockets end: one call waits for them and takes what came, which an interrupt
 * after it leaves alone. Before Linux 5.11 there is none with a time so fine.
 */
static s64 events_sleep(struct member *m, u64 deadline_ns, u64 addr)
{
	struct epoll_event list[HYP_EVENTS];
	struct timespec ts;
	int fd = m->family->watch_fd;
	s64 n = interruptible_syscall(&m->interrupted, SYS_epoll_pwait2, (u64)fd, (u64)list, HYP_EVENTS,
								  (u64)time_left(deadline_ns, &ts), 0, 0);

	if (n == -ENOSYS) {
		struct pollfd set = {.fd = fd, .events = POLLIN};

		n = poll_sleep(m, &set, 1, deadline_ns);
		return n > 0 ? events_take(m, addr) : n;
	}
	if (n > 0)
		return events_store(addr, list, n);
	return n == 0 ? -ETIMEDOUT : n;
}

/* events: where the guest wants to hear of what it watches, or 0. */
static s64 sleep_fds(struct member *m, u32 seen, u64 deadline_ns, u64 addr, u32 n, u64 events)
{
	struct kin_member *rec = member_record(m);
	struct pollfd fds[SLEEP_FDS_MAX + 1];
	u32 all = n + (events != 0);
	bool only_events = events && !n;
	s64 r = poll_load(m, addr, n, fds);

	if (r < 0)
		return r;
	if (deadline_ns == HYP_LOOK) {
		r = events ? events_take(m, events) : 0;
		return r < 0 ? r : n ? look_fds(addr, n, fds) : -ETIMEDOUT;
	}
	if (events)
		fds[n] = (struct pollfd){.fd = m->family->watch_fd, .events = POLLIN};
	__atomic_store_n((u32 *)&rec->doorbell_state, DOORBELL_ASLEEP_POLL, __ATOMIC_SEQ_CST);
	if (__atomic_load_n((u32 *)&rec->doorbell, __ATOMIC_SEQ_CST) == seen)
		r = only_events ? events_sleep(m, deadline_ns, events)
						: poll_sleep(m, fds, all, deadline_ns);
	__atomic_store_n((u32 *)&rec->doorbell_state, DOORBELL_RUNNING, __ATOMIC_SEQ_CST);
	if (r > 0 && events && fds[n].revents) {
		if (events_take(m, events) < 0)
			return -EFAULT;
		r--;
	}
	if (r > 0 && poll_store(addr, n, fds) < 0)
		return -EFAULT;
	if (r <= 0 && __atomic_load_n((u32 *)&rec->doorbell, __ATOMIC_SEQ_CST) != seen)
		return 0;
	return r;
}

static s64 sleep_futex(struct member *m, u32 seen, u64 deadline_ns)
{
	struct kin_member *rec = member_record(m);
	s64 r = 0;

	__atomic_store_n((u32 *)&rec->doorbell_state, DOORBELL_ASLEEP_FUTEX, __ATOMIC_SEQ_CST);
	if (__atomic_load_n((u32 *)&rec->doorbell, __ATOMIC_SEQ_CST) == seen)
		r = futex_sleep(m, &rec->doorbell, seen, deadline_ns);
	__atomic_store_n((u32 *)&rec->doorbell_state, DOORBELL_RUNNING, __ATOMIC_SEQ_CST);
	return r;
}

FORK_PATH s64 hyp_sleep(struct member *m, struct hypercall_call *call)
{
	u32 seen = (u32)call->arg[0];
	u64 bytes = call->arg[3];
	u64 wake = call->arg[4], events = call->arg[5];

	if (bytes % sizeof(struct hyp_pollfd) || bytes / sizeof(struct hyp_pollfd) > SLEEP_FDS_MAX)
		return -EINVAL;
	if (wake != HYP_NO_MEMBER) {
		if (wake >= MEMBERS_MAX)
			return -EINVAL;
		futex_wake(&m->family->kin->members[wake].doorbell, 1);
	}
	if (events && !guest_range_valid(m->family, events, sizeof(struct hyp_events)))
		return -EFAULT;
	if (!m->watches)
		events = 0;
	if (bytes || events || call->arg[1] == HYP_LOOK)
		return sleep_fds(m, seen, call->arg[1], call->arg[2],
						 (u32)(bytes / sizeof(struct hyp_pollfd)), events);
	return sleep_futex(m, seen, call->arg[1]);
}

/* One monitor sleeps on a doorbell; kicks of the supervisor and wakes may come together. */
FORK_PATH s64 hyp_wake(struct member *m, struct hypercall_call *call)
{
	return futex_wake(&m->family->kin->members[call->arg[0]].doorbell, 1);
}

/*
 * Only members of the family can be meant: the process id is kin's word, but in the PID namespace
 * nobody else has one, the supervisor hears no such signal, and whoever does, takes it as a reason
 * to look. Without the namespace the supervisor does it, which looks whom it signals.
 */
s64 hyp_kick(struct member *m, struct hypercall_call *call)
{
	struct kin_header *kin = m->family->kin;
	u32 index = (u32)call->arg[0];
	s32 pid = KIN_READ(kin->members[index].host_pid);
	u64 one = 1;

	if (m->family->namespaced && pid > 1 && HOST_CALL(SYS_kill, pid, MONITOR_SIGNAL) == 0)
		return 0;
	kin_map_set(kin->kick_map, index);
	return HOST_CALL(SYS_write, m->family->notify_fd, &one, sizeof(one)) < 0 ? -EIO : 0;
}

s64 hyp_futex_wait(struct member *m, struct hypercall_call *call)
{
	u64 timeout_ns = call->arg[2];
	u64 deadline_ns = HYP_NO_DEADLINE;

	if (timeout_ns != HYP_NO_DEADLINE &&
		__builtin_add_overflow(host_clock_ns(CLOCK_MONOTONIC), timeout_ns, &deadline_ns))
		deadline_ns = HYP_NO_DEADLINE;
	return futex_sleep(m, (_Atomic u32 *)call->arg[0], (u32)call->arg[1], deadline_ns);
}

s64 hyp_futex_wake(struct member *m, struct hypercall_call *call)
{
	return futex_wake((_Atomic u32 *)call->arg[0], call->arg[1]);
}

/*
 * The host's ITIMER_REAL is used because it costs nothing that processes share: POSIX timers and
 * their queued signals count against a limit of the host's user (RLIMIT_SIGPENDING), so one family
 * could take them from another. It takes a time from now on, in microseconds. That is rounded up,
 * so that the guest, which looks at its own clock, does not find the timer early; a deadline that
 * has passed is one microsecond away. If this process stood still between looking at the clock and
 * arming the timer, that is late by as long: then it is armed again.
 *
 * No wake-up is lost: the timer is armed before the guest goes on, its signal is not blocked then,
 * and what it does is what a kick does (interrupts are remembered wherever they meet the monitor,
 * see interrupt.h); should it come while it is still being armed, it comes once more. It is one
 * shot. A clone starts without it: fork clears interval timers (fork(2)).
 */
#define NS_PER_US 1000ull
#define TIMER_STALLED_TICKS (1u << 20)
#define TIMER_TRIES 4
#define TIMER_MAX_US (1ull << 50)

static struct itimerval timer_value(u64 deadline_ns)
{
	u64 now = host_clock_ns(CLOCK_MONOTONIC);
	u64 left_us = deadline_ns > now ? (deadline_ns - now - 1) / NS_PER_US + 1 : 1;

	left_us = MIN(left_us, TIMER_MAX_US);
	return (struct itimerval){.it_value = {.tv_sec = (time_t)(left_us / 1000000),
										   .tv_usec = (suseconds_t)(left_us % 1000000)}};
}

static s64 timer_set(struct member *m, u64 deadline_ns)
{
	struct itimerval value = {0};
	u64 begin;
	s64 r;

	m->timer_ns = deadline_ns;
	for (int i = 0; i < TIMER_TRIES; i++) {
		begin = host_rdtsc();
		if (deadline_ns)
			value = timer_value(deadline_ns);
		r = HOST_CALL(SYS_setitimer, ITIMER_REAL, &value, NULL);
		if (r < 0 || !deadline_ns || host_rdtsc() - begin < TIMER_STALLED_TICKS)
			break;
	}
	return r;
}

s64 hyp_timer(struct member *m, struct hypercall_call *call)
{
	return timer_set(m, call->arg[0]);
}

void timer_bound(struct member *m, u64 deadline_ns)
{
	if (m->timer_ns <= host_clock_ns(CLOCK_MONOTONIC) || m->timer_ns > deadline_ns)
		timer_set(m, deadline_ns);
}

s64 hyp_yield(struct member *m, struct hypercall_call *call)
{
	return HOST_CALL(SYS_sched_yield);
}
