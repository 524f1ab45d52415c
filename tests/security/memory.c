/* SPDX-License-Identifier: ISC */
/*
 * Odd addresses: jumps and writes over the whole address space, the kernel's own memory and the
 * shared segment included. A member may ruin itself; the parent and the host must not notice. Not
 * compared with Linux.
 * @test timeout=120 members=80
 */
#include "hostile.h"

/* Powers of two and their neighbours from 64 KiB to the top, as pages. */
static uintptr_t odd_address(int index)
{
	uintptr_t base = 1UL << (16 + index / 2);

	return index % 2 ? base + base / 2 : base;
}

static int write_at(void *address)
{
	volatile uint64_t *words = address;

	for (int i = 0; i < 512; i++)
		words[i] = 0x0f0b0f0b0f0b0f0b;
	return 0;
}

static int jump_to(void *address)
{
	((void (*)(void))address)();
	return 0;
}

static int unmap_everything(void *unused)
{
	(void)unused;
	for (int i = 0; i < 62; i++)
		munmap((void *)odd_address(i), 64 * KIB);
	return 0;
}

static int map_over_everything(void *unused)
{
	(void)unused;
	for (int i = 0; i < 62; i++)
		mmap((void *)odd_address(i), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return 0;
}

int main(void)
{
	volatile int *canary = shared_memory(4096);
	int survived = 0;

	*canary = 4711;
	for (int i = 0; i < 62; i += 2) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			alarm(3);
			_exit(i % 4 ? write_at((void *)odd_address(i)) : jump_to((void *)odd_address(i)));
		}
		child_wait(pid);
		survived++;
	}
	say("survived: %d", survived);
	attempt("unmapping", unmap_everything, NULL);
	attempt("mapping", map_over_everything, NULL);
	say("canary: %d", *canary);
	return finish();
}
