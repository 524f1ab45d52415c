/* SPDX-License-Identifier: ISC */
/*
 * Real, effective, saved and file system ids, and the groups: set as user 0, given up for good.
 * @test timeout=30 members=3 root
 */
#include "guest.h"
#include <grp.h>
#include <sys/fsuid.h>

static void say_ids(const char *what)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	syscall(SYS_getresuid, &r, &e, &s);
	syscall(SYS_getresgid, &gr, &ge, &gs);
	say("%s: uid %d %d %d gid %d %d %d fs %d %d", what, (int)r, (int)e, (int)s, (int)gr, (int)ge,
		(int)gs, setfsuid((uid_t)-1), setfsgid((gid_t)-1));
}

static void temporarily(void)
{
	result("setreuid", syscall(SYS_setreuid, -1, 1000));
	say_ids("effective 1000");
	result("setregid without the right", syscall(SYS_setregid, 5, 5));
	result("back", syscall(SYS_setreuid, -1, 0));
	result("setregid", syscall(SYS_setregid, 20, 30));
	say_ids("groups");
	result("setfsuid", syscall(SYS_setfsuid, 77));
	result("setfsgid", syscall(SYS_setfsgid, 78));
	say_ids("file system");
}

static void for_good(void)
{
	gid_t groups[3] = {7, 8, 9}, found[8];

	result("setgroups", setgroups(3, groups));
	result("getgroups", syscall(SYS_getgroups, 0, NULL));
	result("getgroups short", syscall(SYS_getgroups, 2, found));
	int count = (int)syscall(SYS_getgroups, 8, found);
	for (int i = 0; i < count; i++)
		say("group %d", (int)found[i]);
	result("setregid", syscall(SYS_setregid, 500, 500));
	result("setreuid", syscall(SYS_setreuid, 1000, 1000));
	say_ids("given up");
	result("no way back", syscall(SYS_setreuid, 0, 0));
	result("nor for the group", syscall(SYS_setregid, 0, -1));
	result("nor for files", (syscall(SYS_setfsuid, 0), setfsuid((uid_t)-1)));
	result("setgroups", setgroups(0, NULL));
}

int main(void)
{
	if (setgid(0) || setgroups(0, NULL))
		die("as user 0");
	say_ids("start");
	result("getresuid bad address", syscall(SYS_getresuid, 8, 8, 8));
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			(i ? for_good : temporarily)();
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	say_ids("the parent");
	return finish();
}
