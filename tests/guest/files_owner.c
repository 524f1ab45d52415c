/* SPDX-License-Identifier: ISC */
/*
 * chown as user 0; ownership as stat shows it.
 * @test timeout=30 members=1 root
 */
#include "guest.h"

int main(void)
{
	struct stat info;

	work_dir();
	file_write("f", "x");
	symlink("f", "l");
	result("chown", chown("f", 12, 34));
	stat("f", &info);
	say("owner: %d %d", (int)info.st_uid, (int)info.st_gid);
	result("group only", chown("f", (uid_t)-1, 56));
	stat("f", &info);
	say("owner: %d %d", (int)info.st_uid, (int)info.st_gid);
	result("lchown", lchown("l", 7, 7));
	stat("f", &info);
	say("target: %d", (int)info.st_uid);
	lstat("l", &info);
	say("link: %d", (int)info.st_uid);
	result("chown", chown("f", 1, 1));
	stat("f", &info);
	say("mode: %o", info.st_mode);
	result("chown missing", chown("missing", 1, 1));
	result("fchownat", fchownat(AT_FDCWD, "l", 9, 9, AT_SYMLINK_NOFOLLOW));
	lstat("l", &info);
	say("link: %d", (int)info.st_uid);
	say("ids: %d %d %d %d", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
	return finish();
}
