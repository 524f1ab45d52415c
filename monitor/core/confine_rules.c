/* SPDX-License-Identifier: ISC */
/*
 * The table of allowed host calls, host_calls.def, and what is known of it without a program:
 * which rules a family gets, and that it fits the table of hypercalls.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/core_internal.h"
#include "monitor/core/net_options.h"

/* What an older libc's headers lack; and what arch_prctl(2) has no header for. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

#define TEST(k, i, ...) {.kind = TEST_##k, .arg = (i), ##__VA_ARGS__}
#define FD(i) TEST(FD, i)
#define ANY_FD(i) TEST(ANY_FD, i)
#define STANDARD_FD(i) TEST(STANDARD_FD, i)
#define OWN_FD(i) TEST(OWN_FD, i)
#define FAMILY_FD(i, which) TEST(FAMILY_FD, i, .value = (which))
#define PUBLISHED_FD(i) TEST(PUBLISHED_FD, i)
#define PROCESS(i) TEST(PROCESS, i)
#define INT(i, v) TEST(INT, i, .value = (u32)(v))
#define INT_BITS(i, bits) TEST(INT_BITS, i, .mask = (bits))
#define INT_MASKED(i, m, v) TEST(INT_MASKED, i, .mask = (m), .value = (v))
#define UP_TO(i, v) TEST(UP_TO, i, .value = (v))
#define ONE_OF(i, ...)                                           \
	TEST(ONE_OF, i, .list = (const u32[]){__VA_ARGS__},          \
		 .list_len = sizeof((const u32[]){__VA_ARGS__}) / sizeof(u32))
#define REQUEST(i, on) TEST(REQUEST, i, .value = (on))
#define WORD(i, v) TEST(WORD, i, .value = (v))
#define PROTECTION(i) TEST(PROTECTION, i)
#define POINTS_TO(i, what) TEST(POINTS_TO, i, .value = (what))
#define KIN_WORD(i) TEST(KIN_WORD, i)
#define PRIVATE_RANGE(i, length) TEST(PRIVATE_RANGE, i, .other = (length))

#define RULE(condition, ...) \
	{.when = (condition), .tests = (const struct arg_test[]){__VA_ARGS__ __VA_OPT__(, ){0}}}
#define RULE_COUNT(...) (sizeof((struct host_rule[]){__VA_ARGS__}) / sizeof(struct host_rule))

#define CALL(name, why, ...) \
	_Static_assert(RULE_COUNT(__VA_ARGS__) <= CALL_RULES_MAX, #name " has too many rules");
#include "monitor/core/host_calls.def"
#undef CALL
#define CALL(name, why, ...) \
	{#name, __NR_##name, RULE_COUNT(__VA_ARGS__), (const struct host_rule[]){__VA_ARGS__}},
const struct host_call host_calls[] = {
#include "monitor/core/host_calls.def"
};
const u32 host_call_count = ARRAY_SIZE(host_calls);
_Static_assert(ARRAY_SIZE(host_calls) <= HOST_CALLS_MAX, "room for them");

/* What every monitor needs besides its hypercalls. */
static const char own[] = "exit_group, restart_syscall, rt_sigreturn";
static const char own_without_fsgsbase[] = "arch_prctl";

u32 confine_conditions(const struct family *f, bool fsgsbase)
{
	return (f->backend->runs_on_host ? WHEN_HOST : WHEN_VM) |
		   (f->volume_count ? WHEN_VOLUMES : 0) | (family_writes(f) ? WHEN_WRITES : 0) |
		   (fsgsbase ? 0 : WHEN_NO_FSGSBASE) | (f->namespaced ? WHEN_NAMESPACED : WHEN_PLAIN) |
		   (family_takes_gifts(f) ? WHEN_GIFTS : 0) |
		   (family_has_sockets(f) ? WHEN_SOCKETS : 0) | (f->sockets ? WHEN_NET : 0) |
		   (f->published_count ? WHEN_PUBLISHED : 0);
}

s64 family_fd(const struct family *f, enum family_fd which)
{
	switch (which) {
	case KIN_FD: return f->kin_fd;
	case NOTIFY_FD: return f->notify_fd;
	case KVM_FD: return f->kvm_fd;
	case VM_FD: return f->vm_fd;
	case VCPU_FD: return f->vcpu_fd;
	case WATCH_FD: return family_has_sockets(f) ? f->watch_fd : -1;
	case GIFT_FD: return family_takes_gifts(f) ? f->gift_fds[1] : -1;
	default: return -1;
	}
}

static const struct host_call *call_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_calls); i++)
		if (strlen(host_calls[i].name) == len && memcmp(host_calls[i].name, name, len) == 0)
			return &host_calls[i];
	return NULL;
}

/*
 * Marks the rows that a list "mmap, madvise" names; false if there is none for one, which *missing
 * then starts with.
 */
static bool list_mark(const char *list, bool *marked, const char **missing)
{
	while (*list) {
		size_t len = strcspn(list, ", ");
		const struct host_call *call = call_find(list, len);

		if (!call) {
			*missing = list;
			return false;
		}
		marked[call - host_calls] = true;
		list += len;
		list += strspn(list, ", ");
	}
	return true;
}

bool confine_rules_complete(const char **missing)
{
	bool marked[ARRAY_SIZE(host_calls)] = {false};

	for (size_t i = 0; i < HYPERCALL_COUNT; i++)
		if (!list_mark(hypercall_table[i].host, marked, missing))
			return false;
	if (!list_mark(own, marked, missing) || !list_mark(own_without_fsgsbase, marked, missing))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(host_calls); i++) {
		*missing = host_calls[i].name;
		if (!marked[i])
			return false;
	}
	return true;
}
