/* SPDX-License-Identifier: ISC */
/*
 * System calls from one site many times: the first two trap, the rest are direct; the same numbers
 * come back from getppid, read, lseek and a failing close, in the parent and after a fork.
 * @test timeout=60 members=2 also=pie,musl
 */
#include "guest.h"

static int rounds(int count)
{
	int fd = open("/dev/zero", O_RDONLY), wrong = 0;
	pid_t parent = getppid();
	char byte = 1;

	for (int i = 0; i < count; i++) {
		wrong += getppid() != parent;
		wrong += read(fd, &byte, 1) != 1 || byte != 0;
		wrong += lseek(fd, 0, SEEK_CUR) < 0;
		wrong += close(999) != -1 || errno != EBADF;
	}
	close(fd);
	return wrong;
}

static int child(void *unused)
{
	(void)unused;
	return rounds(3000) ? 1 : 0;
}

int main(void)
{
	say("wrong: %d", rounds(3000));
	child_report("child", child_start(child, NULL));
	say("wrong: %d", rounds(100));
	return finish();
}
