/* SPDX-License-Identifier: ISC */
/* How the host's side of --memory and --pids looks at processes, and when it refuses to begin. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

/* For what is static in it. */
#include "monitor/supervisor/cgroup_place.c"

#define MIB (1ull << 20)
#define CHILDREN 5

const struct backend_ops backend_kvm = {.name = "kvm", .kind = BACKEND_KVM};
const struct backend_ops backend_process = {.name = "process", .kind = BACKEND_PROCESS};

static char said[512];

void events_oom(struct supervisor *s, u32 index)
{
}

void message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
}

u64 supervisor_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static struct kin_header *kin;

/* A supervisor without a family. */
static struct supervisor supervisor_make(const struct run_options *o)
{
	struct supervisor s = {.options = o};

	s.family.kin = kin;
	s.family.kin_fd = -1;
	s.family.backend = &backend_process;
	s.family.proc_fd = open("/proc", O_PATH | O_DIRECTORY);
	snprintf(s.limits.cgroup.why_not.text, sizeof(s.limits.cgroup.why_not.text), "not here");
	return s;
}

static void supervisor_free(struct supervisor *s)
{
	close(s->family.proc_fd);
	free(s->usage.rows);
	free(s->usage.next);
}

static int gate[2];

/* A child that does fn and waits until the gate is closed; this returns when fn is done. */
static pid_t child_start(void (*fn)(void))
{
	int done[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		fn();
		if (write(done[1], "", 1) != 1 || read(gate[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
	close(done[1]);
	return pid;
}

static void gate_open(void)
{
	assert_int_equal(pipe(gate), 0);
}

static void gate_close(void)
{
	close(gate[0]);
	close(gate[1]);
	while (wait(NULL) > 0)
		;
}

static void nothing(void)
{
}

static char *area(size_t bytes, int prot)
{
	char *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static void memory_take(void)
{
	memset(area(16 * MIB, PROT_READ | PROT_WRITE), 1, 16 * MIB);
}

/* A page table for each 2 MiB: 8 MiB of them. */
static void tables_take(void)
{
	volatile char *p = area(4096 * MIB, PROT_READ);

	for (u64 at = 0; at < 4096 * MIB; at += 2 * MIB)
		(void)p[at];
}

static void mappings_take(void)
{
	char *p = area(16 * MIB, PROT_READ | PROT_WRITE);

	for (u64 at = 0; at < 16 * MIB; at += 8192)
		mprotect(p + at, 4096, PROT_READ);
}

/* What the family has more of once a child has done fn: exactly, and at most. */
static void taken(void (*fn)(void), u64 *exact, u64 *bound)
{
	struct run_options o = {0};
	struct supervisor s = supervisor_make(&o);
	struct usage_largest largest;
	u64 before;
	pid_t pid;

	gate_open();
	child_start(nothing);
	before = usage_exact(&s, &largest);
	assert_true(before > 0);
	pid = child_start(fn);
	*bound = usage_bound(&s) - before;
	*exact = usage_exact(&s, &largest) - before;
	assert_int_equal(largest.victims[0].pid, pid);
	gate_close();
	supervisor_free(&s);
}

static void counts_memory(void **state)
{
	u64 exact, bound;

	taken(memory_take, &exact, &bound);
	assert_in_range(exact, 16 * MIB, 22 * MIB);
	assert_true(bound >= exact);
}

static void counts_page_tables(void **state)
{
	u64 exact, bound;

	taken(tables_take, &exact, &bound);
	assert_in_range(exact, 8 * MIB, 14 * MIB);
	assert_true(bound >= exact);
}

static void counts_mappings(void **state)
{
	u64 exact, bound, nothing_exact, nothing_bound;

	taken(nothing, &nothing_exact, &nothing_bound);
	taken(mappings_take, &exact, &bound);
	/* 4096 of them, at 200 bytes each on the host */
	assert_in_range(exact - nothing_exact, 800 << 10, 2 * MIB);
}

static void growth_after_a_look_is_seen(void **state)
{
	struct run_options o = {0};
	struct supervisor s = supervisor_make(&o);
	struct usage_largest largest;
	char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int go[2];
	char byte;
	u64 before;

	gate_open();
	assert_int_equal(pipe(go), 0);
	madvise(p, 16 * MIB, MADV_NOHUGEPAGE);
	pid_t pid = fork();
	if (pid == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		memset(p, 1, 16 * MIB);
		if (write(go[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	before = usage_exact(&s, &largest);
	assert_int_equal(write(go[1], "", 1), 1);
	for (int i = 0; i < 1000 && usage_bound(&s) < before + 16 * MIB; i++)
		usleep(1000);
	assert_true(usage_bound(&s) >= before + 16 * MIB);
	kill(pid, SIGKILL);
	gate_close();
	supervisor_free(&s);
	munmap(p, 16 * MIB);
}

static void children_are_counted(void **state)
{
	struct run_options o = {0};
	struct supervisor s = supervisor_make(&o);
	pid_t pid = 0;
	u32 count;

	gate_open();
	for (int i = 0; i < CHILDREN; i++)
		pid = child_start(nothing);
	assert_false(children_exceed(&s, CHILDREN, &count));
	assert_int_equal(count, CHILDREN);
	assert_true(children_exceed(&s, CHILDREN - 1, &count));
	/* The dead are listed, and do not count. */
	children_signal(&s, SIGSTOP);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	assert_false(children_exceed(&s, CHILDREN - 1, &count));
	assert_int_equal(count, CHILDREN - 1);
	children_signal(&s, SIGCONT);
	gate_close();
	supervisor_free(&s);
}

static void what_cannot_be_kept_is_refused(void **state)
{
	struct run_options memory = {.memory_bytes = 64 * MIB}, pids = {.tasks_max = 8};
	struct supervisor s = supervisor_make(&memory);
	struct error err;

	close(s.family.proc_fd);
	s.family.proc_fd = -1;
	assert_int_equal(limits_begin(&s, &err), -1);
	assert_non_null(strstr(err.text, "--memory cannot be kept on this host: it needs "));
	assert_non_null(strstr(err.text, "not here"));
	s.options = &pids;
	assert_int_equal(limits_begin(&s, &err), 0); /* the default: as far as it can be kept */
	pids.tasks_asked = true;
	assert_int_equal(limits_begin(&s, &err), -1);
	assert_non_null(strstr(err.text, "--pids cannot be kept on this host: it needs "));
	pids.tasks_max = 0;
	assert_int_equal(limits_begin(&s, &err), 0);
	supervisor_free(&s);
}

static void mounts_are_read(void **state)
{
	static const struct {
		const char *line, *controller, *root, *point;
	} lines[] = {
		{"32 31 0:28 / /cgroup/memory rw,relatime - cgroup cgroup rw,memory\n", "memory", "/",
		 "/cgroup/memory"},
		{"32 31 0:28 /docker/1 /c rw shared:9 master:1 - cgroup x rw,cpu,memory\n", "memory",
		 "/docker/1", "/c"},
		{"32 31 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", NULL, "/",
		 "/sys/fs/cgroup"},
		{"32 31 0:28 / /a\\040b\\134 rw - cgroup2 cgroup2 rw\n", NULL, "/", "/a b\\"},
		{"32 31 0:28 / /c rw - cgroup cgroup rw,memory2\n", "memory", NULL, NULL},
		{"32 31 0:28 / /c rw - cgroup2 cgroup rw,memory\n", "memory", NULL, NULL},
		{"32 31 0:28 / /c rw - tmpfs memory rw\n", NULL, NULL, NULL},
		{"32 31 0:28 / - cgroup2\n", NULL, NULL, NULL},
		{"\n", NULL, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char text[256], *root, *point;
		bool good;

		snprintf(text, sizeof(text), "%s", lines[i].line);
		good = mount_parse(text, lines[i].controller, &root, &point);
		assert_int_equal(good, lines[i].root != NULL);
		if (!good)
			continue;
		assert_string_equal(root, lines[i].root);
		assert_string_equal(point, lines[i].point);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_memory),
		cmocka_unit_test(counts_page_tables),
		cmocka_unit_test(counts_mappings),
		cmocka_unit_test(growth_after_a_look_is_seen),
		cmocka_unit_test(children_are_counted),
		cmocka_unit_test(what_cannot_be_kept_is_refused),
		cmocka_unit_test(mounts_are_read),
	};

	kin = mmap(NULL, sizeof(*kin), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
