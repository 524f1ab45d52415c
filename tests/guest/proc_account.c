/* SPDX-License-Identifier: ISC */
/*
 * What /proc/PID counts and keeps: io, smaps and its sum, schedstat, syscall, wchan, personality,
 * timerslack_ns, oom_score_adj, namespaces, and a thread's own directory; /proc/locks and files
 * about the system; how large another process is.
 * @test timeout=30 members=7 nosvm
 */
#include "guest.h"
#include <pthread.h>
#include <sys/file.h>
#include <sys/personality.h>
#include <sys/prctl.h>

static char text[1 << 18], other[1 << 16];

static size_t get_into(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;

	to[0] = '\0';
	if (fd < 0)
		return 0;
	n = read_all(fd, to, size - 1);
	to[n] = '\0';
	close(fd);
	return n;
}

static const char *get(const char *path)
{
	size_t n = get_into(path, text, sizeof(text));

	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return n || access(path, R_OK) == 0 ? text : errno_name(errno);
}

static long field(const char *from, const char *name)
{
	const char *line = strstr(from, name);

	return line ? atol(line + strlen(name)) : -1;
}

static int set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY), rc = -1;

	if (fd >= 0)
		rc = (int)write(fd, value, strlen(value));
	int saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc;
}

static void io(void)
{
	long before[4], after[4];
	static const char *const names[] = {"rchar: ", "wchar: ", "syscr: ", "syscw: "};
	char path[64];
	int zero = open("/dev/zero", O_RDWR), out = open("file", O_RDWR | O_CREAT, 0600);
	struct gate done, go;

	get("/proc/self/io");
	for (int i = 0; i < 4; i++)
		before[i] = field(text, names[i]);
	if (read(zero, other, 1000) != 1000 || write(out, other, 500) != 500 ||
		pread(out, other, 9, 0) != 9)
		die("io");
	struct iovec iov[2] = {{other, 30}, {other, 40}};
	result("writev", writev(out, iov, 2));
	result("at the end", read(out, other, 9));
	get("/proc/self/io");
	for (int i = 0; i < 4; i++)
		after[i] = field(text, names[i]);
	/* The first reading of the file itself is among them: some bytes, two calls. */
	say("written %ld in %ld, read calls %ld", after[1] - before[1], after[3] - before[3],
		after[2] - before[2]);
	check("bytes read", after[0] - before[0] >= 1009);
	check("the others", field(text, "\nread_bytes: ") >= 0 && field(text, "\nwrite_bytes: ") >= 0 &&
							field(text, "\ncancelled_write_bytes: ") >= 0);
	gate_make(&done);
	gate_make(&go);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		write_all(out, other, 12345);
		gate_open(&done);
		gate_wait(&go);
		_exit(0);
	}
	gate_wait(&done);
	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	get(path);
	/* The write that opened the gate may be counted or not yet. */
	check("the child's", field(text, "\nwchar: ") >= 12345 && field(text, "\nsyscw: ") <= 2);
	gate_open(&go);
	child_report("child", pid);
}

/* The part of smaps that is about the mapping with that address in it. */
static const char *part_of(const void *address)
{
	for (char *line = text; line && *line; line = strchr(line, '\n') + 1) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && start <= (unsigned long)address &&
			(unsigned long)address < end)
			return line;
		if (!strchr(line, '\n'))
			break;
	}
	return "";
}

static void smaps(void)
{
	static const char *const names[] = {"\nSize:", "\nKernelPageSize:", "\nMMUPageSize:", "\nRss:",
		"\nPss:", "\nShared_Clean:", "\nShared_Dirty:", "\nPrivate_Clean:", "\nPrivate_Dirty:",
		"\nReferenced:", "\nAnonymous:", "\nSwap:", "\nLocked:", "\nVmFlags: "};
	static const char *const sums[] = {"\nRss:", "\nPss:", "\nPss_Anon:", "\nPss_File:",
		"\nPss_Shmem:", "\nShared_Dirty:", "\nPrivate_Dirty:", "\nLocked:"};
	char *area = mmap(NULL, 128 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int missing = 0, maps = 0, parts = 0;

	/* No neighbour that it could be merged with. */
	mprotect(area + 64 * KIB, 64 * KIB, PROT_NONE);
	memset(area, 1, 64 * KIB);
	memset(shared, 1, 64 * KIB);
	result("mlock", mlock(area, 64 * KIB));
	get("/proc/self/smaps");
	const char *part = part_of(area);
	for (size_t i = 0; i < COUNT(names); i++)
		missing += !strstr(part, names[i]);
	say("missing fields: %d", missing);
	say("private: %ld resident, %ld written, %ld locked", field(part, "\nRss:"),
		field(part, "\nPrivate_Dirty:"), field(part, "\nLocked:"));
	check("flags", strstr(part, "VmFlags: rd wr mr mw me "));
	part = part_of(shared);
	say("shared: %ld of %ld resident", field(part, "\nRss:"), field(part, "\nSize:"));
	check("flags", strstr(part, "VmFlags: rd wr sh mr mw me ms "));
	for (const char *at = text; (at = strstr(at, "\nVmFlags: ")); at++)
		parts++;
	get_into("/proc/self/maps", other, sizeof(other));
	for (const char *at = other; (at = strchr(at, '\n')); at++)
		maps++;
	check("as many parts as maps has lines", maps == parts);
	get("/proc/self/smaps_rollup");
	missing = 0;
	for (size_t i = 0; i < COUNT(sums); i++)
		missing += !strstr(text, sums[i]);
	say("missing sums: %d", missing);
	check("sum", strstr(text, "[rollup]\n") && field(text, "\nRss:") >= 128 &&
					 field(text, "\nPss:") <= field(text, "\nRss:") &&
					 field(text, "\nLocked:") == 64);
}

static void kept(void)
{
	char number[8];
	unsigned long long ran, waited, slices;

	get("/proc/self/schedstat");
	check("schedstat", sscanf(text, "%llu %llu %llu", &ran, &waited, &slices) == 3);
	say("wchan: %s", get("/proc/self/wchan"));
	int fd = open("/proc/self/syscall", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	snprintf(number, sizeof(number), "0 0x%x ", fd);
	check("its own read", !strncmp(text, number, strlen(number)));
	say("personality: %s", get("/proc/self/personality"));
	personality(ADDR_NO_RANDOMIZE);
	say("personality: %s", get("/proc/self/personality"));
	personality(0);

	say("slack: %s", get("/proc/self/timerslack_ns"));
	prctl(PR_SET_TIMERSLACK, 70000L);
	say("slack: %s, %d", get("/proc/self/timerslack_ns"), prctl(PR_GET_TIMERSLACK));
	result("set", set("/proc/self/timerslack_ns", "80000\n"));
	result("read", prctl(PR_GET_TIMERSLACK));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		int inherited = prctl(PR_GET_TIMERSLACK);
		prctl(PR_SET_TIMERSLACK, 1L);
		prctl(PR_SET_TIMERSLACK, 0L);
		_exit(inherited == 80000 && prctl(PR_GET_TIMERSLACK) == 80000);
	}
	child_report("its default is what it inherits", pid);
	prctl(PR_SET_TIMERSLACK, 0L);
	result("the default again", prctl(PR_GET_TIMERSLACK));

	say("score: %s", get("/proc/self/oom_score_adj"));
	result("higher", set("/proc/self/oom_score_adj", "300"));
	result("too high", set("/proc/self/oom_score_adj", "1001"));
	result("too low", set("/proc/self/oom_score_adj", "-1001\n"));
	result("a word", set("/proc/self/oom_score_adj", "high"));
	pid = fork_or_die();
	if (pid == 0)
		_exit(strcmp(get("/proc/self/oom_score_adj"), "300") ? 1 : 0);
	child_report("inherited", pid);
	result("zero", set("/proc/self/oom_score_adj", "0\n"));
}

struct task {
	struct gate ready, go;
	pid_t tid;
};

static void *second(void *arg)
{
	struct task *task = arg;

	task->tid = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, "second");
	say("thread-self: %s", get("/proc/thread-self/comm"));
	gate_open(&task->ready);
	gate_wait(&task->go);
	return NULL;
}

static void tasks(void)
{
	struct task task;
	pthread_t thread;
	char path[64], expected[64];

	prctl(PR_SET_NAME, "first");
	gate_make(&task.ready);
	gate_make(&task.go);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		gate_wait(&task.go);
		_exit(0);
	}
	if (pthread_create(&thread, NULL, second, &task))
		die("pthread_create");
	gate_wait(&task.ready);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", task.tid);
	say("second's comm: %s", get(path));
	say("the process's: %s", get("/proc/self/comm"));
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", task.tid);
	/* It opened the gate before it slept. */
	for (int i = 0; i < 5000 && !strstr(get(path), "\nState:\tS"); i++)
		usleep(1000);
	check("second's status",
		  field(text, "\nPid:\t") == task.tid && field(text, "\nTgid:\t") == getpid());
	check("it sleeps", strstr(text, "\nState:\tS"));
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", task.tid);
	check("second's stat", atol(get(path)) == task.tid && strstr(text, "(second) S "));
	snprintf(path, sizeof(path), "/proc/self/task/%d/task", task.tid);
	result("no tasks in it", access(path, F_OK));
	result("no children above", access("/proc/self/children", F_OK));
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	snprintf(expected, sizeof(expected), "%d ", pid);
	check("children", !strcmp(get(path), expected));
	snprintf(path, sizeof(path), "/proc/self/task/%d/exe", task.tid);
	check("exe", readlink(path, text, sizeof(text)) > 0);
	gate_open(&task.go);
	gate_open(&task.go);
	pthread_join(thread, NULL);
	child_report("child", pid);
}

static void locks(void)
{
	int fd = open("locked", O_RDWR | O_CREAT, 0600), second_fd = open("locked", O_RDWR);
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
	struct stat st;
	char wanted[128];

	fstat(fd, &st);
	result("fcntl", fcntl(fd, F_SETLK, &range));
	result("flock", flock(second_fd, LOCK_SH));
	get("/proc/locks");
	snprintf(wanted, sizeof(wanted), ": POSIX  ADVISORY  WRITE %d %02x:%02x:%lu 10 14", getpid(),
		(unsigned)(st.st_dev >> 8), (unsigned)(st.st_dev & 0xff), (unsigned long)st.st_ino);
	check("record lock", strstr(text, wanted));
	snprintf(wanted, sizeof(wanted), ": FLOCK  ADVISORY  READ %d %02x:%02x:%lu 0 EOF", getpid(),
		(unsigned)(st.st_dev >> 8), (unsigned)(st.st_dev & 0xff), (unsigned long)st.st_ino);
	check("flock", strstr(text, wanted));
}

static void system_wide(void)
{
	static const char *const numbers[] = {"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni",
		"kernel/shmmax", "kernel/shmall", "kernel/shmmni", "kernel/threads-max",
		"kernel/overflowuid",
		"kernel/pty/max", "kernel/random/poolsize", "fs/overflowgid", "fs/mqueue/msg_max",
		"vm/mmap_min_addr", "vm/max_map_count", "net/core/somaxconn", "net/unix/max_dgram_qlen"};
	static const char *const spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children",
		"time", "user", "uts"};
	char path[64];

	for (size_t i = 0; i < COUNT(numbers); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", numbers[i]);
		if (atoll(get(path)) <= 0)
			say("%s: %s", numbers[i], get(path));
	}
	for (size_t i = 0; i < COUNT(spaces); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
		ssize_t n = readlink(path, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		say("%s: %.*s", spaces[i], (int)strcspn(text, "["), text);
	}
	say("setgroups: %s", get("/proc/self/setgroups"));
	check("vmstat", field(get("/proc/vmstat"), "nr_free_pages ") > 0 && strstr(text, "\npgpgin ") &&
						strstr(text, "\npgfault "));
	check("devices", strstr(get("/proc/devices"), "Character devices:\n  1 mem\n") &&
						 strstr(text, "\n136 pts\n") && strstr(text, "\nBlock devices:"));
	check("partitions", !strncmp(get("/proc/partitions"), "major minor  #blocks  name\n", 27));
	check("swaps", !strncmp(get("/proc/swaps"), "Filename\t", 9));
	result("diskstats", access("/proc/diskstats", R_OK));
}

/* Pages of another process, in all or resident. */
static long pages_of(pid_t pid, int resident)
{
	char path[64];
	long size = 0, present = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	sscanf(get(path), "%ld %ld", &size, &present);
	return resident ? present : size;
}

/* What others see of the memory of one that lives: it grows and shrinks with its mappings. */
static void size_of_another(void)
{
	const size_t size = 64 * MIB;
	int there[2], back[2];
	char c = 0, path[64];

	if (pipe(there) || pipe(back))
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, 1, size);
		_exit(write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1 || munmap(p, size) ||
			  write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1);
	}
	if (read(there[0], &c, 1) != 1)
		die("read");
	long pages = size / 4096, grown = pages_of(pid, 0);
	check("another grew", grown >= pages);
	check("another is resident", pages_of(pid, 1) >= pages);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	check("its status agrees", field(get(path), "VmSize:") == grown * 4);
	if (write(back[1], &c, 1) != 1 || read(there[0], &c, 1) != 1)
		die("write");
	check("another shrank", pages_of(pid, 0) <= grown - pages && pages_of(pid, 1) < pages);
	if (write(back[1], &c, 1) != 1)
		die("write");
	int status = -1;
	waitpid(pid, &status, 0);
	say("another: %d", status);
}

/* A signal that a sleeper blocks does not make it run. */
static void quiet_sleeper(void)
{
	char path[64];
	int gate[2], pid, status;

	if (pipe(gate))
		die("pipe");
	signals_block(SIGUSR1, SIGUSR2);
	pid = fork_or_die();
	if (!pid) {
		char c;

		raise(SIGUSR1);
		close(gate[1]);
		_exit(read(gate[0], &c, 1) != 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int i = 0; i < 5000 && !strstr(get(path), "\nState:\tS"); i++)
		usleep(1000);
	for (int i = 0; i < 20; i++)
		check("it sleeps, with a signal", strstr(get(path), "\nState:\tS"));
	kill(pid, SIGUSR2);
	check("and with two", strstr(get(path), "\nState:\tS"));
	close(gate[1]);
	wait(&status);
	signals_unblock(SIGUSR1, SIGUSR2);
}

int main(void)
{
	work_dir();
	size_of_another();
	io();
	smaps();
	kept();
	tasks();
	quiet_sleeper();
	locks();
	system_wide();
	return finish();
}
