/* SPDX-License-Identifier: ISC */
/*
 * openat2: structures of other sizes, flags that open(2) ignores, RESOLVE_NO_XDEV; and readlink of
 * an empty name.
 * @test timeout=20 members=1 nosvm
 */
#include "guest.h"

#include <linux/openat2.h>

struct longer {
	struct open_how how;
	uint64_t more;
};

static int directory = AT_FDCWD;

static void open_how(const char *name, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .resolve = resolve};
	int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));

	okay(name, fd);
	if (fd >= 0)
		close(fd);
}

static void sizes(void)
{
	struct longer how = {.how.flags = O_RDONLY};

	okay("longer", syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)));
	how.more = 1;
	result("longer, and used", syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how)));
	result("shorter", syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how.how) - 1));
	result("beyond a page", syscall(SYS_openat2, AT_FDCWD, ".", &how, 8192));
	result("not there", syscall(SYS_openat2, AT_FDCWD, ".", 8, sizeof(how)));
}

static void flags(void)
{
	open_how("unknown flag", ".", 0x20, 0);
	open_how("flag above", ".", 1ull << 40, 0);
	open_how("O_PATH | O_RDWR", ".", O_PATH | O_RDWR, 0);
	open_how("O_PATH | O_CREAT", "x", O_PATH | O_CREAT, 0);
	open_how("O_PATH | O_NOFOLLOW", ".", O_PATH | O_NOFOLLOW, 0);
	open_how("O_LARGEFILE", ".", 0100000, 0);
	open_how("unknown rule", ".", 0, 1ull << 20);
	open_how("two rules", ".", 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT);
}

static void mounts(void)
{
	open_how("same", "/etc/passwd", 0, RESOLVE_NO_XDEV);
	open_how("same, up and down", "../../etc/passwd", 0, RESOLVE_NO_XDEV);
	open_how("/proc", "/proc", 0, RESOLVE_NO_XDEV);
	open_how("in /proc", "/proc/version", 0, RESOLVE_NO_XDEV);
	open_how("by a link", "away", 0, RESOLVE_NO_XDEV);
	open_how("by a link, allowed", "away", 0, 0);
	directory = open("/proc", O_PATH);
	open_how("from /proc", "version", 0, RESOLVE_NO_XDEV);
	open_how("from /proc upwards", "..", 0, RESOLVE_NO_XDEV);
	open_how("from /proc by a descriptor", "self/fd/0", 0, RESOLVE_NO_XDEV);
	open_how("from /proc to the root", "/", 0, RESOLVE_NO_XDEV);
	directory = AT_FDCWD;
}

int main(void)
{
	char text[64];

	work_dir();
	symlink("/proc/version", "away");
	sizes();
	flags();
	mounts();
	result("readlink of nothing", readlink("", text, sizeof(text)));
	result("of a directory's descriptor", readlinkat(open(".", O_PATH), "", text, sizeof(text)));
	result("of a link's", readlinkat(open("away", O_PATH | O_NOFOLLOW), "", text, sizeof(text)));
	result("of a directory", readlink(".", text, sizeof(text)));
	return finish();
}
