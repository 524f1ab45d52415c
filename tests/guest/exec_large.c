/* SPDX-License-Identifier: ISC */
/*
 * A program at fixed addresses that is larger than most, as Node.js is: its memory reaches from
 * 4 MiB to beyond 104 MiB and is its own everywhere, also after fork and exec; what it executes
 * is an ordinary program again.
 * @test timeout=60 members=8 nosvm
 */
#include "guest.h"

#define STEP (1 << 16)

static char large[100 << 20];

static int bad_pages(char tag)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof(large); i += STEP)
		bad += large[i] != (char)(tag + i / STEP) || large[i + STEP - 1] != 0;
	return bad;
}

static void fill(char tag)
{
	for (size_t i = 0; i < sizeof(large); i += STEP)
		large[i] = (char)(tag + i / STEP);
}

/* System calls of all the shapes that libc has, many times, with the results checked. */
static int calls_bad(void)
{
	char byte = 'x', back = 0;
	int ends[2], bad = pipe(ends) != 0;

	for (int i = 0; i < 1000; i++) {
		bad += getpid() <= 0;
		bad += write(ends[1], &byte, 1) != 1 || read(ends[0], &back, 1) != 1 || back != byte;
	}
	close(ends[0]);
	close(ends[1]);
	return bad;
}

static int end_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	char *self[] = {argv[0], "again", NULL};
	char *shell[] = {"sh", "-c", "echo shell $(echo inner)", NULL};
	bool again = argc > 1;
	pid_t pid;

	say("%s", again ? "executed" : "started");
	check("the image is large", (unsigned long)large + sizeof(large) > 104ul << 20);
	say("calls: %d bad", calls_bad());
	fill('a');
	pid = fork();
	if (pid == 0) {
		int bad = bad_pages('a');

		fill('b');
		say("child: inherited %d, own %d, calls %d bad", bad, bad_pages('b'), calls_bad());
		if (again)
			execv("/bin/sh", shell);
		else
			execv("/proc/self/exe", self);
		_exit(1);
	}
	say("status %d", end_of(pid));
	say("parent: %d, calls %d bad", bad_pages('a'), calls_bad());
	return finish();
}
