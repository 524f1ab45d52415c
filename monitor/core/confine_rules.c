/* SPDX-License-Identifier: ISC */
/*
 * The seccomp allowlist. Which host system calls: the HOST() column of abi/hypercalls.def, plus
 * what the monitor needs for itself (the list `own`). With which arguments: the table `rules`
 * here, with the reason for each. Everything else kills. What a filter cannot look at (structures
 * behind pointers, ranges of addresses) is checked by the handlers, and for a guest that jumps
 * past them bounded by Landlock and by the descriptors that are open.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/internal.h"
#include "monitor/core/tty_ioctls.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define LOW32 0xffffffffull
#define OPEN_HOW_SIZE 24

_Static_assert(sizeof(struct open_how) == OPEN_HOW_SIZE, "openat2's first version");

struct rules_context {
	scmp_filter_ctx filter;
	const struct family *family;
};

struct host_rule {
	const char *name;
	int (*add)(struct rules_context *c, int nr);
	const char *why; /* of the argument checks */
};

#define ALLOW(c, nr, ...) \
	allow((c), (nr), COUNT_ARGS(__VA_ARGS__), (struct scmp_arg_cmp[]){__VA_ARGS__})
#define COUNT_ARGS(...) (sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) / sizeof(struct scmp_arg_cmp))

static int allow(struct rules_context *c, int nr, size_t n, const struct scmp_arg_cmp *args)
{
	return seccomp_rule_add_array(c->filter, SCMP_ACT_ALLOW, nr, (unsigned)n, args);
}

/* An int argument: the host kernel ignores the upper half, so the filter must as well. */
#define ARG_INT(i, value) SCMP_CMP(i, SCMP_CMP_MASKED_EQ, LOW32, (u32)(value))
#define ARG_ONLY_BITS(i, mask) SCMP_CMP(i, SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(mask), 0)

static int add_any(struct rules_context *c, int nr)
{
	return seccomp_rule_add(c->filter, SCMP_ACT_ALLOW, nr, 0);
}

/* Changing files: only where the family has a volume to change; Landlock says which files. */
static int add_writing(struct rules_context *c, int nr)
{
	return family_writes(c->family) ? add_any(c, nr) : 0;
}

static int add_read(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LE, 2));
}

static int add_write(struct rules_context *c, int nr)
{
	int r = ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LE, 2));

	return r ? r : ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)c->family->notify_fd));
}

static int add_clone(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_EQ, CLONE_PARENT), SCMP_CMP(1, SCMP_CMP_EQ, 0));
}

/* With a PID namespace the supervisor's death needs no such care. */
static int add_getppid(struct rules_context *c, int nr)
{
	return c->family->namespaced ? 0 : add_any(c, nr);
}

static int add_prctl(struct rules_context *c, int nr)
{
	return c->family->namespaced
			   ? 0
			   : ALLOW(c, nr, ARG_INT(0, PR_SET_PDEATHSIG), SCMP_CMP(1, SCMP_CMP_EQ, SIGKILL));
}

/* In the family's PID namespace there is nobody else, and this number only makes members look. */
static int add_kill(struct rules_context *c, int nr)
{
	return c->family->namespaced ? ALLOW(c, nr, ARG_INT(1, MONITOR_SIGNAL)) : 0;
}

static scmp_datum_t prot_mask(const struct rules_context *c)
{
	return PROT_READ | PROT_WRITE | (c->family->backend->runs_on_host ? PROT_EXEC : 0);
}

static int add_mmap(struct rules_context *c, int nr)
{
	scmp_datum_t flags = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE |
						 MAP_STACK | MAP_POPULATE;

	return ALLOW(c, nr, ARG_ONLY_BITS(2, prot_mask(c)), ARG_ONLY_BITS(3, flags));
}

static int add_mprotect(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, ARG_ONLY_BITS(2, prot_mask(c)));
}

static int add_madvise(struct rules_context *c, int nr)
{
	static const int advice[] = {MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(advice) && r == 0; i++)
		r = ALLOW(c, nr, ARG_INT(2, advice[i]));
	return r;
}

static int add_ioctl(struct rules_context *c, int nr)
{
	const unsigned long *backend = c->family->backend->ioctls;
	int r = 0;

	for (const struct tty_ioctl *t = tty_ioctls; t->size && r == 0; t++)
		r = ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LE, 2), ARG_INT(1, t->request));
	for (; backend && *backend && r == 0; backend++)
		r = ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_GT, 2), ARG_INT(1, *backend));
	return r;
}

static int add_futex(struct rules_context *c, int nr)
{
	static const int ops[] = {FUTEX_WAKE, FUTEX_WAIT_BITSET};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ops) && r == 0; i++)
		r = ALLOW(c, nr, ARG_INT(1, ops[i]));
	return r;
}

static int add_timer_create(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, ARG_INT(0, CLOCK_MONOTONIC));
}

static int add_fallocate(struct rules_context *c, int nr)
{
	if (family_writes(c->family))
		return add_any(c, nr);
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)c->family->kin_fd),
				 SCMP_CMP(1, SCMP_CMP_EQ, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
}

/* Below HANDLES_MAX excludes AT_FDCWD in both spellings. */
static int add_openat2(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LT, HANDLES_MAX),
				 SCMP_CMP(3, SCMP_CMP_EQ, OPEN_HOW_SIZE));
}

static int add_statx(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LT, HANDLES_MAX), ARG_INT(2, AT_EMPTY_PATH));
}

static int add_readlinkat(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_LT, HANDLES_MAX));
}

static int add_dup3(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, SCMP_CMP(0, SCMP_CMP_GT, 2), SCMP_CMP(1, SCMP_CMP_GT, 2),
				 ARG_INT(2, O_CLOEXEC));
}

/* What the supervisor gives, and nobody else can send there. */
static int add_recvmsg(struct rules_context *c, int nr)
{
	u32 fd = (u32)c->family->gift_fds[1];

	return c->family->volume_count
			   ? ALLOW(c, nr, ARG_INT(0, fd), ARG_INT(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))
			   : 0;
}

static int add_getrandom(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, ARG_INT(2, 0));
}

static int add_getrusage(struct rules_context *c, int nr)
{
	return ALLOW(c, nr, ARG_INT(0, RUSAGE_SELF));
}

/* arch_prctl(2) has no header of its own for these. */
#define ARCH_SET_FS_CODE 0x1002
#define ARCH_GET_FS_CODE 0x1003

static int add_arch_prctl(struct rules_context *c, int nr)
{
	int r = ALLOW(c, nr, ARG_INT(0, ARCH_SET_FS_CODE));

	return r ? r : ALLOW(c, nr, ARG_INT(0, ARCH_GET_FS_CODE));
}

static const struct host_rule rules[] = {
	{"arch_prctl", add_arch_prctl, "FS base of hosts without FSGSBASE"},
	{"brk", add_any, "libc's heap"},
	{"clock_gettime", add_any, "reads a clock"},
	{"clone", add_clone, "a process like this one, the supervisor's child; no threads"},
	{"close", add_any, "gives up a descriptor"},
	{"dup3", add_dup3, "never over standard input, output and error"},
	{"exit_group", add_any, "ends this process"},
	{"fallocate", add_fallocate, "punching holes into kin alone, or files of a volume"},
	{"fdatasync", add_writing, "an open file"},
	{"fsync", add_writing, "an open file"},
	{"fstatfs", add_any, "kind of file system of an open descriptor"},
	{"ftruncate", add_writing, "a file that is open for writing"},
	{"futex", add_futex, "waking and waiting; no requeue, no priority inheritance"},
	{"getdents64", add_any, "reads an open directory"},
	{"getpid", add_any, "own id"},
	{"getppid", add_getppid, "without namespaces: is the supervisor alive?"},
	{"getrandom", add_getrandom, "no flags"},
	{"getrusage", add_getrusage, "own usage"},
	{"ioctl", add_ioctl, "terminal settings of 0, 1 and 2; the backend's requests on its own"},
	{"kill", add_kill, "in the family's PID namespace: the signal that interrupts a member"},
	{"lseek", add_any, "position of an open descriptor"},
	{"madvise", add_madvise, "the advices of discard and advise"},
	{"mmap", add_mmap, "executable only where the guest runs on the host; plain flags"},
	{"mprotect", add_mprotect, "as mmap; a JIT compiler asks for write with execute"},
	{"munmap", add_any, "gives memory back"},
	{"openat2", add_openat2, "from a directory descriptor; what is granted is Landlock's business"},
	{"ppoll", add_any, "waits for open descriptors"},
	{"prctl", add_prctl, "without namespaces: PR_SET_PDEATHSIG SIGKILL"},
	{"pread64", add_any, "reads an open file"},
	{"pwritev2", add_writing, "a file that is open for writing"},
	{"read", add_read, "standard input, output and error"},
	{"readlinkat", add_readlinkat, "of a descriptor"},
	{"recvmsg", add_recvmsg, "from the supervisor alone: files of a volume"},
	{"restart_syscall", add_any, "the host continues a wait after a stop"},
	{"rt_sigprocmask", add_any, "blocks own signals"},
	{"rt_sigreturn", add_any, "returns from own signal handlers"},
	{"sched_yield", add_any, "gives up the CPU"},
	{"statx", add_statx, "of a descriptor"},
	{"syncfs", add_writing, "the file system of an open file"},
	{"timer_create", add_timer_create, "signals the own process only"},
	{"timer_settime", add_any, "own timers"},
	{"write", add_write, "standard input, output and error; the supervisor's eventfd"},
};

/* What every monitor needs besides its hypercalls. */
static const char own[] = "brk, exit_group, getpid, restart_syscall, rt_sigprocmask, rt_sigreturn";
static const char own_without_fsgsbase[] = "arch_prctl";

static const struct host_rule *rule_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strlen(rules[i].name) == len && memcmp(rules[i].name, name, len) == 0)
			return &rules[i];
	return NULL;
}

/*
 * Marks the rules that a list "mmap, madvise" names; false if there is no rule for one, which
 * *missing then starts with.
 */
static bool list_mark(const char *list, bool *marked, const char **missing)
{
	while (*list) {
		size_t len = strcspn(list, ", ");
		const struct host_rule *rule = rule_find(list, len);

		if (!rule) {
			*missing = list;
			return false;
		}
		marked[rule - rules] = true;
		list += len;
		list += strspn(list, ", ");
	}
	return true;
}

static bool rules_mark(bool *marked, bool fsgsbase, const char **missing)
{
	for (size_t i = 0; i < HYPERCALL_COUNT; i++)
		if (!list_mark(hypercall_table[i].host, marked, missing))
			return false;
	return list_mark(own, marked, missing) &&
		   (fsgsbase || list_mark(own_without_fsgsbase, marked, missing));
}

bool confine_rules_complete(const char **missing)
{
	bool marked[ARRAY_SIZE(rules)] = {false};

	if (!rules_mark(marked, false, missing))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		*missing = rules[i].name;
		if (!marked[i])
			return false;
	}
	return true;
}

int confine_rules_add(void *filter, const struct family *f, bool fsgsbase, const char **what)
{
	struct rules_context c = {.filter = filter, .family = f};
	bool marked[ARRAY_SIZE(rules)] = {false};

	if (!rules_mark(marked, fsgsbase, what))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		*what = rules[i].name;
		int nr = seccomp_syscall_resolve_name(rules[i].name);
		int r = !marked[i] ? 0 : nr < 0 ? -ENOSYS : rules[i].add(&c, nr);
		if (r < 0)
			return r;
	}
	return 0;
}
