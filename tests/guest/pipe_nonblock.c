/* SPDX-License-Identifier: ISC */
/*
 * O_NONBLOCK on pipes: EAGAIN, partial writes above PIPE_BUF, none at or below, flags by pipe2
 * and fcntl.
 * @test timeout=20 members=1
 */
#include "guest.h"

int main(void)
{
	static char block[70000];
	int ends[2];
	int pending;

	result("pipe2", pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	say("flags: %d %d", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0, fcntl(ends[1], F_GETFD));
	say("access: %d %d", fcntl(ends[0], F_GETFL) & O_ACCMODE, fcntl(ends[1], F_GETFL) & O_ACCMODE);
	result("read from empty", read(ends[0], block, 1));
	result("big write", write(ends[1], block, sizeof(block)));
	result("write into full", write(ends[1], block, 1));
	result("read", read(ends[0], block, 4095));
	result("write of 4096 into 4095", write(ends[1], block, 4096));
	result("read", read(ends[0], block, 1));
	result("write of 4096 into 4096", write(ends[1], block, 4096));
	result("read", read(ends[0], block, 8192));
	result("partial write above PIPE_BUF", write(ends[1], block, 9000));
	say("off: %d", fcntl(ends[0], F_SETFL, 0));
	result("read all", (long)read_all(ends[0], block, 65536));
	result("zero bytes", write(ends[1], block, 0));
	write_all(ends[1], "abc", 3);
	say("FIONREAD-like read: %zd", read(ends[0], &pending, 2));
	result("lseek", lseek(ends[0], 0, SEEK_SET));
	result("pread", pread(ends[0], block, 1, 0));
	result("write to the reading end", write(ends[0], block, 1));
	result("read from the writing end", read(ends[1], block, 1));
	result("pipe2 with a wrong flag", pipe2(ends, O_APPEND));
	result("pipe at a bad address", syscall(SYS_pipe, (void *)8));
	return finish();
}
