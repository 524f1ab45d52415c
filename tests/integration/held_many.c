/* SPDX-License-Identifier: ISC */
/*
 * For the test of volumes: more open files without names than the kernel's table of handles has
 * room for. As many as can be made keep their contents; the rest is refused, not lost. The argument
 * is a directory on the volume.
 * @test timeout=30 members=2
 */
#include "guest.h"

#define FILES 900

int main(int argc, char **argv)
{
	static int fds[FILES];
	int made = 0, wrong = 0, named = 0, number;
	char name[32];

	if (argc != 2 || chdir(argv[1]))
		die("the directory");
	for (; made < FILES; made++) {
		snprintf(name, sizeof(name), "held-%d", made);
		fds[made] = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (fds[made] < 0)
			break;
		if (write(fds[made], &made, sizeof(made)) != sizeof(made) || unlink(name))
			die("a file");
	}
	check("refused", made == FILES || errno == ENFILE);
	check("enough", made >= 600);
	for (int i = 0; i < made; i++)
		wrong += pread(fds[i], &number, sizeof(number), 0) != sizeof(number) || number != i;
	say("%d wrong", wrong);
	for (int i = 0; i < made; i += 2)
		close(fds[i]);
	/* Files with names take turns in what is left: they are opened again. */
	for (int i = 0; i < made; i += 2) {
		snprintf(name, sizeof(name), "named-%d", i);
		fds[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		named += fds[i] >= 0 && write(fds[i], &i, sizeof(i)) == sizeof(i);
	}
	check("named", named == (made + 1) / 2);
	pid_t pid = fork_or_die();
	for (int i = 0; i < made; i++)
		wrong += pread(fds[i], &number, sizeof(number), 0) != sizeof(number) || number != i;
	if (pid == 0)
		_exit(wrong != 0);
	say("%d wrong", wrong);
	if (waitpid(pid, &number, 0) != pid)
		die("waitpid");
	say("child: %d", number);
	return finish();
}
