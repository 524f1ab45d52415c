/* SPDX-License-Identifier: ISC */
/*
 * The family's calibration: from TSC to the host's CLOCK_MONOTONIC. The supervisor fills it
 * before the first member; afterwards whoever finds it old refreshes it, because the host trims
 * the rate of its clock all the time (NTP).
 *
 * Writers exclude each other through `owner`, which names a member and its generation: a writer
 * that was killed is recognised by its member record and replaced. Readers exclude nobody: a
 * sequence that stays odd sends them to the hypercall, which repairs it.
 *
 * Continuity: a refresh computes the error at this moment and spreads it over the next interval
 * as a change of rate, so that time neither jumps nor goes back; only a calibration older than any
 * reader may use (CLOCK_MAX_AGE_MS) is set outright.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/platform/x86.h>
#include <time.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define SHIFT 32 /* mult of a 1 GHz TSC is 2^32 */
#define PAIR_TRIES 4
#define REFRESH_AGE_NS (200 * NS_PER_MS) /* younger ones are left alone */
#define SLEW_NS (1000 * NS_PER_MS)       /* an error is worked off in this time */
#define SLEW_LIMIT 500                   /* ... but by at most 1/500 of the rate */
#define SAMPLE_NS (NS_PER_MS / 2)        /* least length of a measurement of the rate */
#define RATE_AGE_NS (50 * NS_PER_MS)     /* a shorter interval says too little about the rate */
#define OFFSET_NOISE_NS 1000             /* offsets change by steps; this is noise */
#define READ_TRIES 1000

typedef unsigned __int128 u128;

u64 host_clock_ns(int clock)
{
	struct timespec ts = {0};

	HOST_CALL(SYS_clock_gettime, clock, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

static u64 tsc_ordered(void)
{
	__asm__ volatile("lfence" ::: "memory");
	u64 tsc = host_rdtsc();
	__asm__ volatile("lfence" ::: "memory");
	return tsc;
}

/* The TSC at the moment of the clock's reading: the tightest of several brackets. */
struct clock_pair clock_pair_read(void)
{
	struct clock_pair best = {0};
	u64 width = ~0ull;

	for (int i = 0; i < PAIR_TRIES; i++) {
		u64 before = tsc_ordered();
		u64 ns = host_clock_ns(CLOCK_MONOTONIC);
		u64 after = tsc_ordered();

		if (after - before < width) {
			width = after - before;
			best = (struct clock_pair){.tsc = before + width / 2, .ns = ns};
		}
	}
	return best;
}

static s64 offset_read(int clock)
{
	s64 best = 0;
	u64 width = ~0ull;

	for (int i = 0; i < PAIR_TRIES; i++) {
		u64 before = host_clock_ns(CLOCK_MONOTONIC);
		u64 ns = host_clock_ns(clock);
		u64 after = host_clock_ns(CLOCK_MONOTONIC);

		if (after - before < width) {
			width = after - before;
			best = (s64)(ns - (before + width / 2));
		}
	}
	return best;
}

static u64 ns_of(u64 ticks, u64 mult)
{
	return (u64)((u128)ticks * mult >> SHIFT);
}

static u64 mult_of(u64 ns, u64 ticks)
{
	return ticks ? (u64)(((u128)ns << SHIFT) / ticks) : 0;
}

/* Intel leaf 0x15: TSC = crystal * ebx / eax. */
static u64 mult_from_cpuid(void)
{
	u32 a = 0, b = 0, c = 0, d = 0;

	if (!__get_cpuid(0x15, &a, &b, &c, &d) || !a || !b || !c)
		return 0;
	return mult_of((u64)a * NS_PER_S, (u64)c * b);
}

/*
 * The rate since an earlier reading. A pair is good for some 30 ns, so half a millisecond gives
 * 100 ppm; clock_refresh finds the rest from longer intervals.
 */
static u64 mult_since(const struct clock_pair *first)
{
	struct clock_pair now;

	do
		now = clock_pair_read();
	while (now.ns - first->ns < SAMPLE_NS);
	return mult_of(now.ns - first->ns, now.tsc - first->tsc);
}

/* kvm-clock and Hyper-V's page are the TSC with a factor, if it is invariant. */
bool clock_source_usable(void)
{
	char name[32] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
				  O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return CPU_FEATURE_PRESENT(INVARIANT_TSC);
	ssize_t n = read(fd, name, sizeof(name) - 1);
	close(fd);
	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
	if (!strcmp(name, "tsc"))
		return true;
	return CPU_FEATURE_PRESENT(INVARIANT_TSC) &&
		   (!strcmp(name, "kvm-clock") || !strcmp(name, "hyperv_clocksource_tsc_page"));
}

void clock_calibrate(struct kin_clock *c, const struct clock_pair *first, bool usable)
{
	u64 mult = mult_from_cpuid();

	if (!mult)
		mult = mult_since(first);
	if (!mult)
		usable = false;
	struct clock_pair now = clock_pair_read();
	c->shift = SHIFT;
	c->mult = mult;
	c->tsc_base = c->host_tsc = now.tsc;
	c->mono_base_ns = c->host_ns = now.ns;
	c->realtime_offset_ns = offset_read(CLOCK_REALTIME);
	c->boottime_offset_ns = offset_read(CLOCK_BOOTTIME);
	c->tsc_khz = mult ? mult_of(NS_PER_MS, mult) : 0;
	c->usable = usable;
	__atomic_store_n((u32 *)&c->seq, 2, __ATOMIC_RELEASE);
}

static bool owner_gone(const struct kin_header *kin, u32 owner)
{
	u32 index = (owner & 0x1fff) - 1;

	if (owner == CLOCK_OWNER_SUPERVISOR)
		return false;
	if (index >= MEMBERS_MAX)
		return true;
	return kin->members[index].state != MEMBER_LIVE ||
		   CLOCK_OWNER(index, kin->members[index].generation) != owner;
}

static bool clock_own(struct kin_header *kin, u32 owner)
{
	u32 *word = (u32 *)&kin->clock.owner;
	u32 found = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	if (found && found != owner && !owner_gone(kin, found))
		return false;
	return __atomic_compare_exchange_n(word, &found, owner, false, __ATOMIC_ACQ_REL,
									   __ATOMIC_ACQUIRE);
}

/* What the calibration says for this moment; 0 if its factors are nonsense. */
static u64 clock_at(const struct kin_clock *c, u64 tsc)
{
	return tsc < c->tsc_base ? 0 : c->mono_base_ns + ns_of(tsc - c->tsc_base, c->mult);
}

/*
 * The next line: starts at this moment, where the old one is (or on the host's clock), and runs
 * towards the host's clock.
 */
static void clock_next(const struct kin_clock *c, bool torn, struct kin_clock *next)
{
	struct clock_pair now = clock_pair_read();
	u64 guess = clock_at(c, now.tsc);
	u64 rate = c->mult;
	bool fresh = torn || guess == 0 ||
				 guess - c->mono_base_ns > CLOCK_MAX_AGE_MS * NS_PER_MS + REFRESH_AGE_NS;

	if (torn)
		rate = mult_of(NS_PER_MS, c->tsc_khz);
	else if (now.tsc > c->host_tsc && now.ns > c->host_ns + RATE_AGE_NS)
		rate = mult_of(now.ns - c->host_ns, now.tsc - c->host_tsc);
	next->mono_base_ns = fresh ? now.ns : guess;
	next->mult = rate;
	if (!fresh) {
		s64 error_ns = (s64)(now.ns - guess);
		s64 limit = SLEW_NS / SLEW_LIMIT;
		s64 slew = error_ns > limit ? limit : error_ns < -limit ? -limit : error_ns;
		next->mult = rate + (u64)((__int128)rate * slew / (s64)SLEW_NS);
	}
	next->tsc_base = next->host_tsc = now.tsc;
	next->host_ns = now.ns;
	next->realtime_offset_ns = offset_read(CLOCK_REALTIME);
	next->boottime_offset_ns = offset_read(CLOCK_BOOTTIME);
}

/* old is the family's to write: any number. */
static s64 offset_settle(s64 old, s64 new)
{
	u64 diff = (u64)new - (u64)old;

	return diff + OFFSET_NOISE_NS > 2 * OFFSET_NOISE_NS ? new : old;
}

static void clock_store(struct kin_clock *c, u32 odd, const struct kin_clock *next)
{
	__atomic_store_n((u32 *)&c->seq, odd, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	c->mult = next->mult;
	c->tsc_base = next->tsc_base;
	c->mono_base_ns = next->mono_base_ns;
	c->host_tsc = next->host_tsc;
	c->host_ns = next->host_ns;
	c->realtime_offset_ns = offset_settle(c->realtime_offset_ns, next->realtime_offset_ns);
	c->boottime_offset_ns = offset_settle(c->boottime_offset_ns, next->boottime_offset_ns);
	__atomic_store_n((u32 *)&c->seq, odd + 1, __ATOMIC_RELEASE);
}

void clock_refresh(struct kin_header *kin, u32 owner)
{
	struct kin_clock *c = &kin->clock;
	struct kin_clock next = {0};
	u32 seq = c->seq;
	bool torn = seq & 1;

	if (!c->usable)
		return;
	if (!torn && ns_of(host_rdtsc() - c->tsc_base, c->mult) < REFRESH_AGE_NS)
		return;
	if (!clock_own(kin, owner))
		return;
	torn = c->seq & 1;
	seq = c->seq | 1;
	clock_next(c, torn, &next);
	clock_store(c, seq, &next);
	__atomic_store_n((u32 *)&c->owner, 0, __ATOMIC_RELEASE);
}

/* CLOCK_MONOTONIC as the guests compute it; 0 if the calibration cannot be used at this moment. */
static u64 calibration_ns(const struct kin_clock *c, s64 *realtime, s64 *boottime)
{
	for (int i = 0; i < READ_TRIES; i++) {
		u32 seq = __atomic_load_n((const u32 *)&c->seq, __ATOMIC_ACQUIRE);
		u64 ns = clock_at(c, host_rdtsc());

		*realtime = c->realtime_offset_ns;
		*boottime = c->boottime_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && seq == __atomic_load_n((const u32 *)&c->seq, __ATOMIC_RELAXED))
			return ns;
	}
	return 0;
}

u64 clock_guest_ns(struct kin_header *kin, u32 owner, int clock)
{
	s64 realtime = 0, boottime = 0;
	u64 ns = 0;

	if (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME) {
		clock_refresh(kin, owner);
		if (kin->clock.usable)
			ns = calibration_ns(&kin->clock, &realtime, &boottime);
	}
	if (ns == 0)
		return host_clock_ns(clock);
	return ns + (u64)(clock == CLOCK_REALTIME ? realtime : clock == CLOCK_BOOTTIME ? boottime : 0);
}
