/* SPDX-License-Identifier: ISC */
/*
 * sethostname and setdomainname: what uname, /proc and a child see, lengths, and who may. On Linux
 * in a namespace of its own; a family is one.
 * @test timeout=20 members=4 root
 */
#include "guest.h"
#include <sys/utsname.h>

static char long_name[65];

static void show(const char *what)
{
	struct utsname u;
	char text[128] = "";
	int fd = open("/proc/sys/kernel/hostname", O_RDONLY);

	uname(&u);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die("/proc/sys/kernel/hostname");
	close(fd);
	text[strcspn(text, "\n")] = 0;
	say("%s: %s %s, %s", what, u.nodename, u.domainname, text);
}

int main(void)
{
	struct utsname u;

	uname(&u);
	if (!strstr(u.release, "unifork") && unshare(CLONE_NEWUTS))
		die("a namespace for the names");
	okay("sethostname", sethostname("first", 5));
	okay("setdomainname", setdomainname("domain", 6));
	show("both set");
	memset(long_name, 'x', sizeof(long_name));
	result("65 bytes", sethostname(long_name, 65));
	result("a negative length", syscall(SYS_sethostname, long_name, -1));
	result("64 bytes", sethostname(long_name, 64));
	uname(&u);
	say("%zu", strlen(u.nodename));
	result("a bad address", syscall(SYS_sethostname, 8L, 4));
	result("a bad address of a domain", syscall(SYS_setdomainname, 8L, 4));
	result("a part of a text", sethostname("second-part", 6));
	show("shorter");
	pid_t child = fork();
	if (child == 0) {
		result("the child's", sethostname("child", 5));
		if (setuid(1000))
			die("setuid");
		result("as another user", sethostname("other", 5));
		result("setdomainname as another user", setdomainname("other", 5));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	show("after the child");
	result("nothing", sethostname("", 0));
	show("empty");
	return finish();
}
