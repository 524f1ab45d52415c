/* SPDX-License-Identifier: ISC */
/*
 * For the statistics: sixty thousand system calls in one process, from libc's own sites.
 * @test timeout=60 members=1
 */
#include "guest.h"

int main(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	long sum = 0;
	char byte;

	for (int i = 0; i < 20000; i++) {
		sum += read(fd, &byte, 1);
		sum += lseek(fd, 0, SEEK_CUR) >= 0;
		sum += getppid() >= 0;
	}
	say("calls: %ld", sum);
	return finish();
}
