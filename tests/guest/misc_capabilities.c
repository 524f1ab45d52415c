/* SPDX-License-Identifier: ISC */
/*
 * capget, capset and how changes of user ids change the sets: kept with PR_SET_KEEPCAPS, lost
 * without, raised again, and enough to change group ids as another user. What fork, vfork and exec
 * hand on, and what another process sees of it.
 * @test timeout=20 members=8 root
 */
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <spawn.h>
#include <sys/prctl.h>

#define SETGID (1u << CAP_SETGID)
#define SETUID (1u << CAP_SETUID)

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

static void show(const char *name)
{
	struct __user_cap_data_struct set[2];

	if (syscall(SYS_capget, &header, set))
		die("capget");
	say("%s: effective %u, permitted %u, inheritable %u", name,
	    !!(set[0].effective & SETGID) + !!(set[0].effective & SETUID),
	    !!(set[0].permitted & SETGID) + !!(set[0].permitted & SETUID), set[0].inheritable);
}

static void capset_to(const char *name, unsigned effective, unsigned permitted)
{
	struct __user_cap_data_struct set[2] = {{effective, permitted, 0}, {0, 0, 0}};

	result(name, syscall(SYS_capset, &header, set));
}

static int keeps(void *unused UNUSED)
{
	prctl(PR_SET_KEEPCAPS, 1);
	okay("setresuid", setresuid(65534, 65534, 65534));
	show("kept");
	result("setgroups without", setgroups(0, NULL));
	capset_to("raise", SETGID, SETGID | SETUID);
	show("raised");
	okay("setgroups", setgroups(0, NULL));
	okay("setresgid", setresgid(65534, 65534, 65534));
	capset_to("raise more", SETGID | SETUID, ~0u);
	capset_to("drop", 0, 0);
	result("setresgid without", setresgid(0, 0, 0));
	show("dropped");
	return 0;
}

static int loses(void *unused UNUSED)
{
	okay("seteuid", seteuid(65534));
	show("other effective user");
	okay("seteuid", seteuid(0));
	show("back");
	okay("setuid", setuid(65534));
	show("other user");
	capset_to("raise", SETGID, SETGID);
	result("setuid", setuid(0));
	return 0;
}

static int drops(void *unused UNUSED)
{
	capset_to("keep one", SETGID, SETGID);
	show("one is left");
	result("setuid without", setresuid(5, 5, 5));
	okay("setgid", setgid(5));
	return 0;
}

static void inheritable_to(unsigned set)
{
	struct __user_cap_data_struct own[2];

	if (syscall(SYS_capget, &header, own))
		die("capget");
	own[0].inheritable = set;
	own[1].inheritable = 0;
	okay("inheritable", syscall(SYS_capset, &header, own));
}

static int hands_on(void *program)
{
	extern char **environ;
	char *argv[] = {program, "spawned", NULL};
	pid_t pid;

	inheritable_to(SETGID);
	if (posix_spawn(&pid, program, NULL, NULL, argv, environ))
		die("posix_spawn");
	child_report("spawned", pid);
	execv(program, argv);
	return 1;
}

static int is_looked_at(void *unused UNUSED)
{
	int told[2], stop[2];
	char byte;
	pid_t pid;

	if (pipe(told) || pipe(stop))
		die("pipe");
	pid = fork_or_die();
	if (pid == 0) {
		capset_to("less", 0, SETGID);
		if (write(told[1], "", 1) != 1 || read(stop[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(told[0], &byte, 1) != 1)
		die("read");
	header.pid = pid;
	show("child");
	header.pid = 0;
	if (write(stop[1], "", 1) != 1)
		die("write");
	child_report("looked at", pid);
	return 0;
}

int main(int argc, char **argv)
{
	show(argc > 1 ? argv[1] : "root");
	if (argc > 1)
		return 0;
	child_report("hands on", child_start(hands_on, argv[0]));
	child_report("is looked at", child_start(is_looked_at, NULL));
	child_report("keeps", child_start(keeps, NULL));
	child_report("loses", child_start(loses, NULL));
	child_report("drops", child_start(drops, NULL));
	header.pid = -1;
	result("bad pid", syscall(SYS_capget, &header, (struct __user_cap_data_struct[2]){{0}}));
	return finish();
}
