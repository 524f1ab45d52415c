/* SPDX-License-Identifier: ISC */
/*
 * What a process without privilege may do to root's, and to one that gave up root: the system calls
 * that name a process, and the files and links of its /proc. What /proc/PID/status says of others,
 * and that a process's name cannot forge lines of it.
 * @test timeout=30 members=12 root
 */
#include "guest.h"

#include <grp.h>
#include <linux/kcmp.h>
#include <sys/prctl.h>

#define NOBODY 65534

/* linux/sched/types.h, which does not go with the library's own. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		die("become nobody");
}

static void open_of(pid_t pid, const char *name, int flags)
{
	char path[64], label[64], byte;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, flags);
	snprintf(label, sizeof(label), "open %s", name);
	okay(label, fd);
	if (fd < 0 || flags & O_DIRECTORY)
		return;
	snprintf(label, sizeof(label), "read %s", name);
	okay(label, read(fd, &byte, 1));
	close(fd);
}

static void link_of(pid_t pid, const char *name)
{
	char path[64], label[64], target[256];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	snprintf(label, sizeof(label), "readlink %s", name);
	okay(label, readlink(path, target, sizeof(target)));
}

static void files_of(pid_t pid)
{
	static const char *const files[] = {"maps", "smaps", "environ", "auxv", "io", "syscall",
		"personality", "stat", "status", "statm", "cmdline", "comm", "limits", "wchan",
		"oom_score_adj", "mountinfo", "schedstat"};
	static const char *const links[] = {"exe", "cwd", "root", "fd/1", "ns/uts"};

	for (size_t i = 0; i < COUNT(files); i++)
		open_of(pid, files[i], O_RDONLY);
	open_of(pid, "mem", O_RDWR);
	open_of(pid, "fd", O_RDONLY | O_DIRECTORY);
	open_of(pid, "fdinfo/1", O_RDONLY);
	open_of(pid, "oom_score_adj", O_RDWR);
	for (size_t i = 0; i < COUNT(links); i++)
		link_of(pid, links[i]);
}

static void calls_to(pid_t pid)
{
	struct sched_param param = {0};
	struct attributes attr = {.size = sizeof(attr), .nice = 10};
	struct rlimit limit;
	cpu_set_t cpus;
	void *head;
	size_t size;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	result("sched_setparam", sched_setparam(pid, &param));
	result("sched_setscheduler", sched_setscheduler(pid, SCHED_OTHER, &param));
	result("sched_setscheduler, idle", sched_setscheduler(pid, SCHED_IDLE, &param));
	result("sched_setattr", syscall(SYS_sched_setattr, pid, &attr, 0));
	result("sched_getscheduler", sched_getscheduler(pid) < 0 ? -1 : 0);
	result("sched_setaffinity", sched_setaffinity(pid, sizeof(cpus), &cpus));
	result("setpriority", setpriority(PRIO_PROCESS, (id_t)pid, 15));
	result("ioprio_set", syscall(SYS_ioprio_set, 1, pid, 0x4004));
	result("prlimit, get", prlimit(pid, RLIMIT_NOFILE, NULL, &limit));
	result("kill", kill(pid, SIGUSR1));
	result("get_robust_list", syscall(SYS_get_robust_list, pid, &head, &size) ? -1 : 0);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	okay("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 1, 0));
	close(pidfd);
	okay("kcmp", syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, 1, 1));
}

static void to_itself(void)
{
	struct sched_param real_time = {.sched_priority = 1};
	struct rlimit limit;

	result("PR_CAPBSET_DROP", prctl(PR_CAPBSET_DROP, 1));
	result("PR_SET_SECUREBITS", prctl(PR_SET_SECUREBITS, 0));
	result("lower nice", setpriority(PRIO_PROCESS, 0, -1));
	result("real time", sched_setscheduler(0, SCHED_FIFO, &real_time));
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_max++;
	result("raise a limit", setrlimit(RLIMIT_NOFILE, &limit));
	result("chroot", chroot("/"));
	open_of(getpid(), "environ", O_RDONLY);
	open_of(getpid(), "fd", O_RDONLY | O_DIRECTORY);
	link_of(getpid(), "fd/1");
	result("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
}

static int nobody(void *unused UNUSED)
{
	become_nobody();
	say("-- nobody to root");
	calls_to(getppid());
	files_of(getppid());
	say("-- nobody to itself");
	to_itself();
	return 0;
}

/* One who gave up root cannot be looked into by the user it became, until it execs. */
static void to_fallen(void)
{
	struct gate ready, done;

	gate_make(&ready);
	gate_make(&done);
	pid_t fallen = fork_or_die();
	if (!fallen) {
		become_nobody();
		gate_open(&ready);
		gate_wait(&done);
		_exit(0);
	}
	gate_wait(&ready);
	pid_t looker = fork_or_die();
	if (!looker) {
		become_nobody();
		say("-- nobody to one who was root");
		signal(SIGUSR1, SIG_IGN);
		result("sched_setaffinity", sched_getscheduler(fallen) < 0 ? -1 : 0);
		result("setpriority", setpriority(PRIO_PROCESS, (id_t)fallen, 15));
		open_of(fallen, "maps", O_RDONLY);
		open_of(fallen, "environ", O_RDONLY);
		link_of(fallen, "exe");
		link_of(fallen, "fd/1");
		int pidfd = (int)syscall(SYS_pidfd_open, fallen, 0);
		okay("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 1, 0));
		struct rlimit limit = {64, 64};
		result("prlimit, set", prlimit(fallen, RLIMIT_NOFILE, &limit, NULL));
		limit.rlim_cur = 0;
		result("prlimit, get", prlimit(fallen, RLIMIT_NOFILE, NULL, &limit));
		say("limit %d", (int)limit.rlim_cur);
		limit = (struct rlimit){64, 65};
		result("prlimit, raise", prlimit(fallen, RLIMIT_NOFILE, &limit, NULL));
		_exit(0);
	}
	child_wait(looker);
	say("-- root to nobody");
	link_of(fallen, "exe");
	open_of(fallen, "maps", O_RDONLY);
	gate_open(&done);
	child_wait(fallen);
}

static void show_status(const char *name, pid_t pid)
{
	static const char *const fields[] = {"Name", "Umask", "State", "Uid", "Gid", "Groups",
		"Threads", "CapPrm", "CapEff", "CapInh", "NoNewPrivs"};
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < COUNT(fields); i++)
			if (!strncmp(line, fields[i], strlen(fields[i])) &&
			    line[strlen(fields[i])] == ':')
				say("%s: %s", name, line);
	}
	fclose(f);
}

static void status(void)
{
	gid_t groups[] = {7, 100};
	struct gate ready, done;
	siginfo_t info;

	gate_make(&ready);
	gate_make(&done);
	pid_t child = fork_or_die();
	if (!child) {
		prctl(PR_SET_NAME, "a\\b\nUid:\t0");
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		umask(0137);
		if (setgroups(2, groups) || setresgid(8, 9, 10) || setresuid(1, 2, 3))
			die("ids");
		gate_open(&ready);
		gate_wait(&done);
		_exit(0);
	}
	gate_wait(&ready);
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
	while (!strstr(file_text(path), ") S"))
		sched_yield();
	show_status("child", child);
	gate_open(&done);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	show_status("zombie", child);
	child_wait(child);
}

static void own_memory(void)
{
	static char text[] = "before";
	char copy[8] = "";
	int fd = open("/proc/self/mem", O_RDWR);

	okay("open mem", fd);
	result("pread", pread(fd, copy, sizeof(text), (off_t)(uintptr_t)text));
	say("read %s", copy);
	result("pwrite", pwrite(fd, "after", 6, (off_t)(uintptr_t)text));
	say("now %s", text);
	result("where nothing is", pread(fd, copy, 1, 8));
	close(fd);
}

static int outside(void *unused UNUSED)
{
	char path[256];

	if (chroot("inner") < 0)
		die("chroot");
	long n = syscall(SYS_getcwd, path, sizeof(path));
	check("getcwd outside the root", n > 0 && !strncmp(path, "(unreachable)/tmp/", 18));
	result("into too little", syscall(SYS_getcwd, path, 14));
	check("of the library", !getcwd(path, sizeof(path)));
	okay("chdir", chdir("/"));
	check("inside", getcwd(path, sizeof(path)) && !strcmp(path, "/"));
	return 0;
}

int main(void)
{
	work_dir();
	signal(SIGUSR1, SIG_IGN);
	child_report("nobody", child_start(nobody, NULL));
	to_fallen();
	status();
	own_memory();
	mkdir("inner", 0755);
	child_report("outside", child_start(outside, NULL));
	return finish();
}
