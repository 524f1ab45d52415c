/* SPDX-License-Identifier: ISC */
/*
 * Two thousand random mmap, munmap, mprotect, mremap and touches, checked against a model of the
 * content; then the same in a child.
 * @test timeout=60 members=2
 */
#include "guest.h"

#define SLOTS 24

static struct {
	unsigned char *memory;
	size_t pages;
	unsigned char value;
} slots[SLOTS];
static unsigned state = 1;

static unsigned next(unsigned limit)
{
	state = state * 1103515245 + 12345;
	return (state >> 16) % limit;
}

static int churn(int rounds)
{
	int wrong = 0;

	for (int i = 0; i < rounds; i++) {
		unsigned s = next(SLOTS);

		if (!slots[s].memory) {
			slots[s].pages = 1 + next(40);
			slots[s].value = (unsigned char)(1 + next(255));
			slots[s].memory = private_memory(slots[s].pages * 4096);
			for (size_t p = 0; p < slots[s].pages; p++)
				wrong += slots[s].memory[p * 4096 + 9] != 0;
			for (size_t p = 0; p < slots[s].pages; p++)
				slots[s].memory[p * 4096 + 9] = (unsigned char)(slots[s].value + p);
			continue;
		}
		for (size_t p = 0; p < slots[s].pages; p++)
			wrong += slots[s].memory[p * 4096 + 9] != (unsigned char)(slots[s].value + p);
		switch (next(3)) {
		case 0:
			munmap(slots[s].memory, slots[s].pages * 4096);
			slots[s].memory = NULL;
			break;
		case 1: {
			size_t pages = 1 + next((unsigned)slots[s].pages);
			void *memory =
				mremap(slots[s].memory, slots[s].pages * 4096, pages * 4096, MREMAP_MAYMOVE);
			if (memory == MAP_FAILED)
				die("mremap");
			slots[s].memory = memory;
			slots[s].pages = pages;
			break;
		}
		case 2:
			mprotect(slots[s].memory, 4096, PROT_READ);
			mprotect(slots[s].memory, 4096, PROT_READ | PROT_WRITE);
			break;
		}
	}
	return wrong;
}

static int in_child(void *unused)
{
	(void)unused;
	return churn(1000) ? 1 : 0;
}

int main(void)
{
	say("wrong bytes: %d", churn(1500));
	pid_t pid = child_start(in_child, NULL);
	say("wrong bytes: %d", churn(500));
	child_report("child", pid);
	return finish();
}
