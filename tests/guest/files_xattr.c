/* SPDX-License-Identifier: ISC */
/*
 * Extended attributes of files, directories and links: set, replace, get, list, remove, by path
 * and descriptor; sizes, flags, name spaces, errors; what rename and copies by link keep.
 * @test timeout=20 members=1 root nosvm
 */
#include "guest.h"
#include <sys/xattr.h>

static void *volatile nowhere = (void *)8;
static char dir[64], file[128], link_path[128];

static void show(const char *what, const char *path, const char *name)
{
	char value[64] = "";
	ssize_t n = lgetxattr(path, name, value, sizeof(value) - 1);

	if (n < 0)
		result(what, n);
	else
		say("%s: %zd [%s]", what, n, value);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *what, const char *path)
{
	char names[1024], *name[32];
	ssize_t n = llistxattr(path, names, sizeof(names));
	size_t count = 0;

	result(what, n);
	for (ssize_t at = 0; at < n && count < COUNT(name); at += (ssize_t)strlen(names + at) + 1)
		name[count++] = names + at;
	qsort(name, count, sizeof(*name), by_name);
	for (size_t i = 0; i < count; i++)
		say("  %s", name[i]);
}

static void values(void)
{
	char value[8];
	int fd = open(file, O_RDWR);

	list("none", file);
	show("get none", file, "user.a");
	result("set", setxattr(file, "user.a", "one", 3, 0));
	show("get", file, "user.a");
	result("replace", setxattr(file, "user.a", "two!", 4, XATTR_REPLACE));
	result("create what exists", setxattr(file, "user.a", "x", 1, XATTR_CREATE));
	result("replace what does not", setxattr(file, "user.b", "x", 1, XATTR_REPLACE));
	result("create", fsetxattr(fd, "user.b", "", 0, XATTR_CREATE));
	result("size", fgetxattr(fd, "user.a", NULL, 0));
	result("empty", fgetxattr(fd, "user.b", value, sizeof(value)));
	result("too small", fgetxattr(fd, "user.a", value, 3));
	result("list size", flistxattr(fd, NULL, 0));
	result("list too small", flistxattr(fd, value, 3));
	list("two", file);
	result("trusted", setxattr(file, "trusted.t", "t", 1, 0));
	result("security", setxattr(file, "security.test", "s", 1, 0));
	list("four", file);
	rename(file, link_path);
	show("renamed", link_path, "user.a");
	rename(link_path, file);
	result("remove", fremovexattr(fd, "user.b"));
	result("remove again", removexattr(file, "user.b"));
	result("remove trusted", removexattr(file, "trusted.t"));
	list("two left", file);
	close(fd);
}

static void errors(void)
{
	static char big[70000], name[300];
	int fd = open(file, O_RDONLY), path = open(file, O_PATH);

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "user.", 5);
	result("flags", setxattr(file, "user.a", "x", 1, 4));
	result("long name", setxattr(file, name, "x", 1, 0));
	result("empty name", setxattr(file, "", "x", 1, 0));
	result("no suffix", setxattr(file, "user.", "x", 1, 0));
	result("unknown name space", setxattr(file, "other.a", "x", 1, 0));
	result("no name space", getxattr(file, "a", big, 1));
	result("too large", setxattr(file, "user.big", big, sizeof(big), 0));
	result("bad address", setxattr(file, "user.c", nowhere, 1, 0));
	result("bad name", setxattr(file, nowhere, "x", 1, 0));
	result("missing", setxattr("/tmp/missing/x", "user.a", "x", 1, 0));
	result("read-only descriptor", fsetxattr(fd, "user.ro", "x", 1, 0));
	result("O_PATH", fgetxattr(path, "user.a", big, 10));
	result("closed", fgetxattr(-1, "user.a", big, 10));
	result("acl", getxattr(file, "system.posix_acl_access", big, 100));
	result("capability", getxattr(file, "security.capability", big, 100));
	result("selinux", lgetxattr(file, "security.selinux", big, 100));
	close(fd);
	close(path);
}

static void kinds(void)
{
	char fifo[160], sub[160];

	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	mkfifo(fifo, 0600);
	mkdir(sub, 0700);
	symlink(file, link_path);
	result("directory", setxattr(sub, "user.d", "dir", 3, 0));
	show("directory", sub, "user.d");
	result("fifo", setxattr(fifo, "user.f", "x", 1, 0));
	result("get of a fifo", getxattr(fifo, "user.f", NULL, 0));
	result("through a link", setxattr(link_path, "user.l", "x", 1, 0));
	result("on a link", lsetxattr(link_path, "user.l", "x", 1, 0));
	result("remove on a link", lremovexattr(link_path, "user.l"));
	result("list through a link", listxattr(link_path, NULL, 0));
	result("trusted on a link", lsetxattr(link_path, "trusted.l", "x", 1, 0));
	list("the link", link_path);
	unlink(link_path);
	unlink(fifo);
	rmdir(sub);
}

static void as_nobody(void)
{
	result("seteuid", seteuid(65534));
	result("set", setxattr(file, "user.n", "x", 1, 0));
	result("get", getxattr(file, "user.a", NULL, 0));
	result("trusted", setxattr(file, "trusted.n", "x", 1, 0));
	result("get trusted", getxattr(file, "trusted.n", NULL, 0));
	result("security", setxattr(file, "security.n", "x", 1, 0));
	result("get security", getxattr(file, "security.test", NULL, 0));
	seteuid(0);
}

int main(void)
{
	snprintf(dir, sizeof(dir), "/tmp/guest_xattr_XXXXXX");
	if (!mkdtemp(dir))
		die("mkdtemp");
	chmod(dir, 0755);
	snprintf(file, sizeof(file), "%s/file", dir);
	snprintf(link_path, sizeof(link_path), "%s/link", dir);
	close(open(file, O_CREAT | O_RDWR, 0644));
	values();
	errors();
	kinds();
	as_nobody();
	unlink(file);
	rmdir(dir);
	return finish();
}
