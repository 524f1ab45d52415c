/* SPDX-License-Identifier: ISC */
/* Hypercalls about the member itself: its end, its messages, entropy, clocks, accounting. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"

#define TEXT_MAX 512

static size_t text_load(struct hypercall_call *call, char *text, size_t size)
{
	size_t len = MIN(call->arg[1], size);

	return guest_read(text, call->arg[0], len) < 0 ? 0 : len;
}

s64 hyp_panic(struct member *m, struct hypercall_call *call)
{
	char text[TEXT_MAX];
	size_t len = text_load(call, text, sizeof(text));

	member_message(m, "", text, len);
	member_exit(m, MEMBER_EXIT_DIED);
}

s64 hyp_log(struct member *m, struct hypercall_call *call)
{
	char text[TEXT_MAX];

	if (m->family->verbose) {
		size_t len = text_load(call, text, sizeof(text));
		member_message(m, "", text, len);
	}
	return 0;
}

FORK_PATH s64 hyp_exit(struct member *m, struct hypercall_call *call)
{
	member_exit(m, (int)(call->arg[0] & 0xff));
}

/* The count of an eventfd only has to become non-zero: a full one (EAGAIN) is as good. */
s64 hyp_notify(struct member *m, struct hypercall_call *call)
{
	u64 one = 1;
	s64 r = HOST_CALL(SYS_write, m->family->notify_fd, &one, sizeof(one));

	return r < 0 && r != -EAGAIN ? r : 0;
}

s64 hyp_random(struct member *m, struct hypercall_call *call)
{
	u64 done = 0;

	/* A signal makes the host stop early. */
	while (done < call->arg[1]) {
		s64 r = HOST_CALL(SYS_getrandom, call->arg[0] + done, call->arg[1] - done, 0);
		if (r < 0)
			return r;
		done += (u64)r;
	}
	return (s64)done;
}

s64 hyp_clock(struct member *m, struct hypercall_call *call)
{
	static const clockid_t known[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC, CLOCK_BOOTTIME,
									  CLOCK_PROCESS_CPUTIME_ID, CLOCK_TAI,
									  CLOCK_THREAD_CPUTIME_ID};
	bool found = false;

	/* The others would end the monitor: negative ids are other processes' clocks. */
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		found |= call->arg[0] == (u64)known[i];
	if (!found)
		return -EINVAL;
	return (s64)clock_guest_ns(m->family->kin, CLOCK_OWNER(m->index, m->generation),
							   (int)call->arg[0]);
}

static u64 timeval_ns(const struct timeval *tv)
{
	return (u64)tv->tv_sec * 1000000000ull + (u64)tv->tv_usec * 1000ull;
}

s64 hyp_usage(struct member *m, struct hypercall_call *call)
{
	struct rusage ru;
	struct hyp_usage usage;
	s64 r = HOST_CALL(SYS_getrusage, RUSAGE_SELF, &ru);

	if (r < 0)
		return r;
	if (call->arg[1] < sizeof(usage))
		return -EINVAL;
	usage = (struct hyp_usage){
		.utime_ns = timeval_ns(&ru.ru_utime),
		.stime_ns = timeval_ns(&ru.ru_stime),
		.maxrss_kib = (u64)ru.ru_maxrss,
		.minflt = (u64)ru.ru_minflt,
		.majflt = (u64)ru.ru_majflt,
		.nvcsw = (u64)ru.ru_nvcsw,
		.nivcsw = (u64)ru.ru_nivcsw,
	};
	return guest_write(call->arg[0], &usage, sizeof(usage));
}
