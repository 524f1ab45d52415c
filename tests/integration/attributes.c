/* SPDX-License-Identifier: ISC */
/*
 * For the test of volumes: extended attributes, which a volume has not. The argument is a directory
 * on it.
 * @test timeout=20 members=1
 */
#include "guest.h"
#include <sys/xattr.h>

int main(int argc, char **argv)
{
	char text[8];

	if (argc != 2 || chdir(argv[1]))
		die("the directory");
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	result("set", setxattr("file", "user.test", "x", 1, 0));
	result("set by descriptor", fsetxattr(fd, "user.test", "x", 1, 0));
	result("get", getxattr("file", "user.test", text, sizeof(text)));
	result("list", listxattr("file", text, sizeof(text)));
	result("remove", fremovexattr(fd, "user.test"));
	return finish();
}
