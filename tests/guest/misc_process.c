/* SPDX-License-Identifier: ISC */
/*
 * uname, limits, prctl names, getpriority, sched calls, credentials, and calls nobody has.
 * @test timeout=30 members=2
 */
#include "guest.h"
#include <sys/prctl.h>
#include <sys/utsname.h>

int main(void)
{
	struct utsname name;
	struct rlimit limit;
	char text[32] = "";
	cpu_set_t cpus;

	result("uname", uname(&name));
	say("%s %s, release has dots: %d", name.sysname, name.machine,
		strchr(name.release, '.') != NULL);
	result("prctl name", prctl(PR_SET_NAME, "0123456789abcdefgh"));
	prctl(PR_GET_NAME, text);
	say("name: %s", text);
	result("prctl, unknown", prctl(0x7654321, 0, 0, 0, 0));
	result("RLIMIT_NOFILE", setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 20}));
	getrlimit(RLIMIT_NOFILE, &limit);
	say("limits: %d %d", (int)limit.rlim_cur, (int)limit.rlim_max);
	int opened = 0;
	while (opened < 30 && open("/dev/null", O_RDONLY) >= 0)
		opened++;
	say("opened: %d then %s", opened, errno_name(errno));
	result("soft above hard", setrlimit(RLIMIT_NOFILE, &(struct rlimit){30, 20}));
	result("wrong resource", getrlimit(99, &limit));
	check("stack limit", getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= MIB);
	result("sched_yield", sched_yield());
	CPU_ZERO(&cpus);
	check("affinity", sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) >= 1);
	check("pid and tid", getpid() == syscall(SYS_gettid));
	result("no such call", syscall(999));
	result("ioctl on nothing", fcntl(77, F_GETFD));
	result("wrong fcntl", fcntl(1, 9999));
	umask(077);
	say("umask: %03o", umask(022));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		prctl(PR_GET_NAME, text);
		_exit(strcmp(text, "0123456789abcde") ? 1 : 0);
	}
	child_report("name in the child", pid);
	result("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGUSR1));
	result("set_tid_address", syscall(SYS_set_tid_address, text) == getpid() ? 0 : -1);
	return finish();
}
