/* SPDX-License-Identifier: ISC */
/*
 * A pipe holds 64 KiB unless told otherwise; F_SETPIPE_SZ rounds up and refuses to drop data.
 * @test timeout=20 members=1
 */
#include "guest.h"

static long filled(int fd)
{
	static char block[4096];
	long total = 0;
	ssize_t done;

	while ((done = write(fd, block, sizeof(block))) > 0)
		total += done;
	expect("full pipe says EAGAIN", done == -1 && errno == EAGAIN);
	return total;
}

int main(void)
{
	int ends[2];
	char text[4096];

	result("pipe2", pipe2(ends, O_NONBLOCK));
	result("F_GETPIPE_SZ", fcntl(ends[1], F_GETPIPE_SZ));
	say("filled: %ld", filled(ends[1]));
	result("shrink below the content", fcntl(ends[1], F_SETPIPE_SZ, 4096));
	result("grow", fcntl(ends[0], F_SETPIPE_SZ, 200000));
	result("F_GETPIPE_SZ", fcntl(ends[0], F_GETPIPE_SZ));
	say("filled further: %ld", filled(ends[1]));
	long drained = 0;
	ssize_t got;
	while ((got = read(ends[0], text, sizeof(text))) > 0)
		drained += got;
	say("drained: %ld then %s", drained, errno_name(errno));
	result("shrink", fcntl(ends[0], F_SETPIPE_SZ, 1));
	say("filled: %ld", filled(ends[1]));
	result("F_SETPIPE_SZ on a file", fcntl(open("/dev/null", O_RDONLY), F_SETPIPE_SZ, 4096));
	return finish();
}
