/* SPDX-License-Identifier: ISC */
/*
 * Leaving a handler by siglongjmp five hundred times: the mask comes back, stacks do not grow.
 * @test timeout=30 members=1
 */
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf out;
static volatile int jumps;

static void handler(int number)
{
	(void)number;
	siglongjmp(out, 1);
}

int main(void)
{
	sigset_t set;
	stack_t stack = {.ss_sp = malloc(64 * KIB), .ss_size = 64 * KIB};

	sigaltstack(&stack, NULL);
	on_signal(SIGUSR1, handler, SA_ONSTACK);
	on_signal(SIGSEGV, handler, SA_ONSTACK);
	for (int i = 0; i < 500; i++) {
		if (sigsetjmp(out, 1) == 0) {
			if (i % 2)
				raise(SIGUSR1);
			else
				*(volatile char *)0;
			say("not reached");
		} else {
			jumps++;
		}
	}
	say("jumps: %d", jumps);
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("blocked: %d %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGSEGV));
	return finish();
}
