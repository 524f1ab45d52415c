/* SPDX-License-Identifier: ISC */
/*
 * Large sparse memory: a 64 GiB PROT_NONE reservation, parts of it opened and used, forked, given
 * back.
 * @test timeout=30 members=2
 */
#include "guest.h"

int main(void)
{
	size_t size = 64UL << 30;
	char *area = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	result("reserve", area == MAP_FAILED ? -1 : 0);
	result("open a part", mprotect(area + (16UL << 30), 2 * MIB, PROT_READ | PROT_WRITE));
	result("open another", mprotect(area + size - MIB, MIB, PROT_READ | PROT_WRITE));
	area[16UL << 30] = 'a';
	area[size - 1] = 'z';
	pid_t pid = fork_or_die();
	if (pid == 0) {
		area[size - 1] = 'c';
		result("open in the child", mprotect(area, MIB, PROT_READ | PROT_WRITE));
		area[0] = '0';
		_exit(area[16UL << 30] == 'a' ? 0 : 1);
	}
	child_report("child", pid);
	say("%c %c", area[16UL << 30], area[size - 1]);
	result("give back", munmap(area, size));
	char *large = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t at = 0; at < 1UL << 30; at += 64 * MIB)
		large[at] = (char)(at >> 26);
	int right = 0;
	for (size_t at = 0; at < 1UL << 30; at += 64 * MIB)
		right += large[at] == (char)(at >> 26);
	say("sparse touches: %d", right);
	return finish();
}
