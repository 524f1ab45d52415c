/* SPDX-License-Identifier: ISC */
/*
 * prctl(PR_SET_MM): a longer title, the auxiliary vector and what is refused, by the map as a
 * whole, which needs no privilege; and one by one, where the privilege is there, by what the manual
 * says.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <linux/prctl.h>
#include <sys/prctl.h>

static char text[4096];

static size_t get(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = fd < 0 ? 0 : read_all(fd, text, sizeof(text) - 1);

	text[n] = '\0';
	if (fd >= 0)
		close(fd);
	return n;
}

static long set(unsigned long which, const void *address, unsigned long size)
{
	return prctl(PR_SET_MM, which, address, size, 0L);
}

/* Field number n of stat, from 1, after the name. */
static unsigned long stat_field(int n)
{
	get("/proc/self/stat");
	char *at = strrchr(text, ')') + 1;

	for (int i = 3; i < n && at; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoul(at, NULL, 10) : 0;
}

/* What Linux answers those who have CAP_SYS_RESOURCE; the others get EPERM. */
static void privileged(const char *name, long rc, int error)
{
	static int has = -1;
	int got = rc < 0 ? errno : 0;

	if (has < 0) {
		get("/proc/self/status");
		const char *line = strstr(text, "CapEff:");
		has = line && strtoull(line + 7, NULL, 16) >> 24 & 1;
	}
	check(name, got == (has ? error : EPERM));
}

static void map_now(struct prctl_mm_map *map)
{
	*map = (struct prctl_mm_map){.exe_fd = (unsigned)-1};
	map->start_code = stat_field(26);
	map->end_code = stat_field(27);
	map->start_stack = stat_field(28);
	map->start_data = stat_field(45);
	map->end_data = stat_field(46);
	map->start_brk = stat_field(47);
	map->brk = (unsigned long)sbrk(0);
	map->arg_start = stat_field(48);
	map->arg_end = stat_field(49);
	map->env_start = stat_field(50);
	map->env_end = stat_field(51);
}

static void titles(void)
{
	static const char title[] =
		"a title that is longer than the arguments that the program was given";
	char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct prctl_mm_map map;
	struct gate ready, go;
	char path[64];

	map_now(&map);
	memcpy(area, title, sizeof(title));
	map.arg_start = (unsigned long)area;
	map.arg_end = map.arg_start + sizeof(title);
	result("title", set(PR_SET_MM_MAP, &map, sizeof(map)));
	size_t n = get("/proc/self/cmdline");
	say("%zu: %s", n, text);
	check("stat says so", stat_field(48) == map.arg_start && stat_field(49) == map.arg_end);
	gate_make(&ready);
	gate_make(&go);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		gate_open(&ready);
		gate_wait(&go);
		_exit(0);
	}
	gate_wait(&ready);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	get(path);
	say("child: %s", text);
	gate_open(&go);
	child_report("child", pid);
	privileged("shorter", set(PR_SET_MM_ARG_END, area + 8, 0), 0);
	privileged("ends before its start", set(PR_SET_MM_ARG_END, area - 8, 0), EINVAL);
	privileged("not mapped", set(PR_SET_MM_ENV_END, (char *)0x7fffffffe000, 0), EFAULT);
}

static void auxiliary(void)
{
	unsigned long vector[6] = {6, 4096, 17, 99, 0, 0};
	struct prctl_mm_map map;

	map_now(&map);
	map.auxv = (void *)vector;
	map.auxv_size = sizeof(vector);
	result("vector", set(PR_SET_MM_MAP, &map, sizeof(map)));
	size_t n = get("/proc/self/auxv");
	say("it is in /proc: %d", n >= sizeof(vector) && !memcmp(text, vector, sizeof(vector)));
	map.auxv_size = 4096;
	result("too long", set(PR_SET_MM_MAP, &map, sizeof(map)));
	map.auxv_size = 16;
	map.auxv = NULL;
	result("none", set(PR_SET_MM_MAP, &map, sizeof(map)));
	map.auxv = (void *)8;
	result("bad address", set(PR_SET_MM_MAP, &map, sizeof(map)));
	privileged("too long", set(PR_SET_MM_AUXV, vector, 4096), EINVAL);
	privileged("bad address", set(PR_SET_MM_AUXV, (void *)8, 16), EFAULT);
	vector[3] = 98;
	privileged("vector", set(PR_SET_MM_AUXV, vector, sizeof(vector)), 0);
}

static void refused(void)
{
	int fd = open("/bin/sh", O_RDONLY), data = open("/etc/passwd", O_RDONLY);

	result("rest", prctl(PR_SET_MM, PR_SET_MM_BRK, 4096L, 0L, 1L));
	result("size", set(PR_SET_MM_BRK, (void *)4096, 8));
	privileged("which", set(77, text, 0), EINVAL);
	privileged("NULL", set(PR_SET_MM_START_STACK, NULL, 0), EINVAL);
	privileged("kernel's", set(PR_SET_MM_START_STACK, (void *)-1L, 0), EINVAL);
	privileged("code ends before its start", set(PR_SET_MM_END_CODE, (void *)65536, 0), EINVAL);
	privileged("brk below its start", set(PR_SET_MM_BRK, (void *)65536, 0), EINVAL);
	privileged("executable", set(PR_SET_MM_EXE_FILE, (void *)(long)fd, 0), EBUSY);
	privileged("no executable", set(PR_SET_MM_EXE_FILE, (void *)(long)data, 0), EACCES);
	privileged("no descriptor", set(PR_SET_MM_EXE_FILE, (void *)99L, 0), EBADF);
	privileged("stack", set(PR_SET_MM_START_STACK, &fd, 0), 0);
}

static void whole(void)
{
	struct prctl_mm_map map, wrong;
	struct rlimit limit, old;
	unsigned size = 0;

	result("size", set(PR_SET_MM_MAP_SIZE, &size, 0));
	result("its address", set(PR_SET_MM_MAP_SIZE, (void *)8, 0));
	say("%u, expected %zu", size, sizeof(map));
	map_now(&map);
	result("as it is", set(PR_SET_MM_MAP, &map, sizeof(map)));
	result("its size", set(PR_SET_MM_MAP, &map, sizeof(map) - 8));
	result("its address", set(PR_SET_MM_MAP, (void *)8, sizeof(map)));
	wrong = map;
	wrong.env_end = map.env_start - 1;
	result("order", set(PR_SET_MM_MAP, &wrong, sizeof(map)));
	wrong = map;
	wrong.start_data = 8;
	result("too low", set(PR_SET_MM_MAP, &wrong, sizeof(map)));
	wrong = map;
	wrong.end_data = wrong.start_data + MIB;
	getrlimit(RLIMIT_DATA, &old);
	limit = old;
	limit.rlim_cur = MIB / 2;
	setrlimit(RLIMIT_DATA, &limit);
	result("more than RLIMIT_DATA", set(PR_SET_MM_MAP, &wrong, sizeof(map)));
	setrlimit(RLIMIT_DATA, &old);
	check("nothing of it was taken",
		  stat_field(46) == map.end_data && stat_field(51) == map.env_end);
	check("the heap still grows", sbrk(4096) != (void *)-1);
}

int main(void)
{
	whole();
	titles();
	auxiliary();
	refused();
	return finish();
}
