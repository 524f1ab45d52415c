/* SPDX-License-Identifier: ISC */
/*
 * Private file mappings: content, copy-on-write, zeros behind the end, after close and unlink, in
 * a child; read-only descriptors.
 * @test timeout=30 members=2
 */
#include "guest.h"

int main(void)
{
	char text[16] = "";

	work_dir();
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	for (int i = 0; i < 3; i++) {
		char block[4096];

		memset(block, 'a' + i, sizeof(block));
		write_all(fd, block, sizeof(block));
	}
	write_all(fd, "tail", 4);
	char *map = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *second = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	if (map == MAP_FAILED || second == MAP_FAILED)
		die("mmap");
	say("%c %c %c %.4s %d", map[0], map[4096], map[8192], map + 12288, map[12288 + 4]);
	say("at an offset: %c", second[0]);
	map[4096] = 'X';
	pread(fd, text, 1, 4096);
	say("file unchanged: %s, other mapping: %c", text, second[0]);
	close(fd);
	unlink("file");
	say("after unlink: %c %c", map[0], map[4096]);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		map[0] = 'C';
		_exit(map[4096] == 'X' && map[8192] == 'c' ? 0 : 1);
	}
	child_report("child", pid);
	say("not the child's: %c", map[0]);
	file_write("readonly", "r");
	fd = open("readonly", O_RDONLY);
	void *wrong = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	result("shared writing of a reader", wrong == MAP_FAILED ? -1 : 0);
	fd = open("readonly", O_WRONLY);
	wrong = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	result("reading of a writer", wrong == MAP_FAILED ? -1 : 0);
	return finish();
}
