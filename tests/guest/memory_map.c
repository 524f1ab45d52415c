/* SPDX-License-Identifier: ISC */
/*
 * mmap, munmap, mprotect and their errors: partial unmapping, fixed addresses, MAP_FIXED_NOREPLACE,
 * faults seen as EFAULT, MADV_DONTNEED, mremap, brk.
 * @test timeout=30 members=1
 */
#include "guest.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static int probe_fd[2];

/* Whether the page can be read, without a signal: the kernel looks at it for write(2). */
static const char *readable(const void *address)
{
	char byte;

	if (write(probe_fd[1], address, 1) == 1)
		return read(probe_fd[0], &byte, 1) == 1 ? "readable" : "?";
	return errno_name(errno);
}

static long map_rc(void *address)
{
	return address == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	if (pipe(probe_fd) < 0)
		die("pipe");
	char *area = private_memory(8 * 4096);
	say("zeroed: %d", area[0] == 0 && area[8 * 4096 - 1] == 0);
	memset(area, 'x', 8 * 4096);
	result("unmap the middle", munmap(area + 2 * 4096, 2 * 4096));
	say("before: %s, hole: %s, behind: %s", readable(area + 4096), readable(area + 2 * 4096),
		readable(area + 4 * 4096));
	result("unmap nothing again", munmap(area + 2 * 4096, 2 * 4096));
	result("unmap unaligned", munmap(area + 1, 4096));
	result("unmap of length 0", munmap(area, 0));
	result("mprotect over the hole", mprotect(area, 8 * 4096, PROT_READ));
	result("mprotect unaligned", mprotect(area + 1, 4096, PROT_READ));
	result("mprotect, wrong bits", mprotect(area, 4096, 0x1000000));
	result("PROT_NONE", mprotect(area, 4096, PROT_NONE));
	say("PROT_NONE: %s", readable(area));
	result("back", mprotect(area, 4096, PROT_READ | PROT_WRITE));
	say("content kept: %c", area[5]);
	result("length 0", map_rc(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	result("neither private nor shared", map_rc(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0)));
	result("wrong descriptor", map_rc(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0)));
	result("unaligned fixed",
		   map_rc(mmap(area + 1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
	result("unaligned offset", map_rc(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 1)));
	result("huge", map_rc(mmap(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	result("NOREPLACE on a mapping",
		   map_rc(mmap(area, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
					   0)));
	say("NOREPLACE in the hole: %d",
		mmap(area + 2 * 4096, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == area + 2 * 4096);
	say("fixed over a mapping: %d",
		mmap(area + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == area + 4096);
	say("fresh: %d", area[4096]);

	char *block = private_memory(4 * 4096);
	memset(block, 'y', 4 * 4096);
	result("MADV_DONTNEED", madvise(block + 4096, 2 * 4096, MADV_DONTNEED));
	say("first %c second %d fourth %c", block[0], block[4096], block[3 * 4096]);
	result("madvise unaligned", madvise(block + 1, 4096, MADV_DONTNEED));
	result("madvise, wrong advice", madvise(block, 4096, 12345));
	result("madvise of a hole", madvise(area + 3 * 4096, 4096, MADV_DONTNEED));

	char *moved = mremap(block, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE);
	say("grown: %c %c %d", moved[0], moved[3 * 4096], moved[63 * 4096]);
	say("shrunk: %d", mremap(moved, 64 * 4096, 2 * 4096, 0) == moved);
	say("tail: %s", readable(moved + 2 * 4096));
	char *target = private_memory(2 * 4096);
	say("moved to a place: %d",
		mremap(moved, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	say("there: %c, before: %s", target[0], readable(moved));
	result("mremap of nothing", map_rc(mremap(moved, 4096, 8192, MREMAP_MAYMOVE)));
	result("mremap, wrong flags", map_rc(mremap(target, 4096, 8192, 0x100)));

	char *end = (char *)syscall(SYS_brk, 0);
	char *grown = (char *)syscall(SYS_brk, end + 100000);
	say("brk grew: %d", grown == end + 100000);
	memset(end, 'b', 100000);
	say("brk shrank: %d", (char *)syscall(SYS_brk, end) == end);
	syscall(SYS_brk, end + 100000);
	say("zeroed again: %d", end[50000]);
	say("absurd brk refused: %d", (char *)syscall(SYS_brk, (char *)1) == end + 100000);
	return finish();
}
