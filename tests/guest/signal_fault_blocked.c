/* SPDX-License-Identifier: ISC */
/*
 * A fault whose signal is blocked or ignored ends the process all the same; a stack overflow is
 * handled on the alternate stack.
 * @test timeout=30 members=4
 */
#include "guest.h"

static int blocked(void *unused)
{
	(void)unused;
	signals_block(SIGSEGV, 0);
	*(volatile char *)8;
	return 0;
}

static int ignored(void *unused)
{
	(void)unused;
	signal(SIGSEGV, SIG_IGN);
	*(volatile char *)8;
	return 0;
}

static void overflowed(int number)
{
	(void)number;
	_exit(12);
}

static volatile int sink;

static __attribute__((noinline)) int recurse(int level)
{
	volatile char block[8192];

	block[0] = (char)level;
	block[8191] = (char)(level + 1);
	if (level < 100000)
		sink += recurse(level + 1);
	return block[0] + block[8191];
}

static int overflow(void *unused)
{
	static char stack[64 * KIB];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct rlimit limit = {1 * MIB, 1 * MIB};

	(void)unused;
	setrlimit(RLIMIT_STACK, &limit);
	sigaltstack(&alternate, NULL);
	on_signal(SIGSEGV, overflowed, SA_ONSTACK);
	return recurse(0);
}

int main(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	child_report("blocked", child_start(blocked, NULL));
	child_report("ignored", child_start(ignored, NULL));
	child_report("stack overflow", child_start(overflow, NULL));
	return finish();
}
