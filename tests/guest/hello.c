/* SPDX-License-Identifier: ISC */
/*
 * The first program a backend has to run: one write and an exit status, without libc's stdio.
 * @test timeout=10 members=1 status=7 svm also=pie,musl,musl-pie
 */
#include <unistd.h>

int main(void)
{
	static const char text[] = "hello from a member\n";

	return write(1, text, sizeof(text) - 1) == sizeof(text) - 1 ? 7 : 1;
}
