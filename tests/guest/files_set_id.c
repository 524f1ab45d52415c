/* SPDX-License-Identifier: ISC */
/*
 * Set-user-ID and set-group-ID bits: chmod sets them, chown clears them. (Not on volumes, which
 * refuse them for files.)
 * @test timeout=30 members=1 root
 */
#include "guest.h"

int main(void)
{
	struct stat info;
	int file;

	work_dir();
	file_write("f", "x");
	file = open("f", O_RDWR);
	result("fchmod", fchmod(file, 04711));
	stat("f", &info);
	say("mode: %o", info.st_mode);
	result("chmod", chmod("f", 06755));
	stat("f", &info);
	say("mode: %o", info.st_mode);
	result("chown clears set-id", chown("f", 1, 1));
	stat("f", &info);
	say("mode: %o", info.st_mode);
	result("mkdir", mkdir("d", 0755));
	result("chmod of a directory", chmod("d", 02755));
	stat("d", &info);
	say("mode: %o", info.st_mode);
	return finish();
}
