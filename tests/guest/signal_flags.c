/* SPDX-License-Identifier: ISC */
/*
 * SA_NODEFER, SA_RESETHAND, sa_mask, SA_ONSTACK with nesting, and the errors of sigaltstack.
 * @test timeout=30 members=3
 */
#include "guest.h"

static volatile int depth, deepest, on_stack, blocked_inside;
static char *stack_low;
static size_t stack_size;

static void nest(int number)
{
	char here;
	sigset_t set;

	if (++depth > deepest)
		deepest = depth;
	sigprocmask(SIG_BLOCK, NULL, &set);
	blocked_inside = sigismember(&set, SIGUSR2);
	on_stack = stack_low && &here >= stack_low && &here < stack_low + stack_size;
	if (depth < 3)
		raise(number);
	depth--;
}

static void run(const char *name, int flags)
{
	struct sigaction action = {.sa_handler = nest, .sa_flags = flags};

	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	depth = deepest = 0;
	raise(SIGUSR1);
	say("%s: deepest %d, SIGUSR2 blocked inside %d, on the alternate stack %d", name, deepest,
		blocked_inside, on_stack);
}

int main(void)
{
	stack_t stack = {0}, old;

	run("SA_NODEFER", SA_NODEFER);
	stack_size = 64 * KIB;
	stack_low = stack.ss_sp = malloc(stack_size);
	stack.ss_size = stack_size;
	result("sigaltstack", sigaltstack(&stack, &old));
	say("was disabled: %d", old.ss_flags == SS_DISABLE);
	run("SA_ONSTACK", SA_ONSTACK | SA_NODEFER);
	run("without", SA_NODEFER);
	stack.ss_size = 100;
	result("too small", sigaltstack(&stack, NULL));
	stack.ss_size = stack_size;
	stack.ss_flags = 0x100;
	result("wrong flags", sigaltstack(&stack, NULL));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		sigaltstack(NULL, &old);
		_exit(old.ss_sp == stack_low ? 0 : 1);
	}
	child_report("kept by fork", pid);
	stack.ss_flags = SS_DISABLE;
	result("disable", sigaltstack(&stack, NULL));

	pid = fork_or_die();
	if (pid == 0) {
		struct sigaction action = {.sa_handler = nest, .sa_flags = (int)SA_RESETHAND};

		sigaction(SIGUSR1, &action, NULL);
		depth = 5;
		raise(SIGUSR1);
		sigaction(SIGUSR1, NULL, &action);
		if (action.sa_handler != SIG_DFL)
			_exit(1);
		raise(SIGUSR1);
		_exit(2);
	}
	child_report("SA_RESETHAND", pid);
	return finish();
}
