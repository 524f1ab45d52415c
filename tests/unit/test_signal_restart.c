/* SPDX-License-Identifier: ISC */
/* What becomes of an interrupted system call, with and without a handler: the whole table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/task/signal_queue.h"

enum { NR = 35, NR_RESTART = 219 };
enum outcome { KEPT, FAILED, AGAIN, CONTINUED };

static const struct {
	long rax;
	enum outcome handler, handler_restart, none;
} table[] = {
	{ -ERESTARTSYS, FAILED, AGAIN, AGAIN },
	{ -ERESTARTNOINTR, AGAIN, AGAIN, AGAIN },
	{ -ERESTARTNOHAND, FAILED, FAILED, AGAIN },
	{ -ERESTART_RESTARTBLOCK, FAILED, FAILED, CONTINUED },
	{ -EINTR, KEPT, KEPT, KEPT },
	{ 42, KEPT, KEPT, KEPT },
};

static struct trapframe interrupted(long rax)
{
	return (struct trapframe){ .rax = (u64)rax, .orig_rax = NR, .rip = 0x401002 };
}

static void check(const struct trapframe *f, long rax, enum outcome outcome)
{
	switch (outcome) {
	case KEPT: assert_int_equal(f->rax, rax); break;
	case FAILED: assert_int_equal((long)f->rax, -EINTR); break;
	case AGAIN: assert_int_equal(f->rax, NR); break;
	case CONTINUED: assert_int_equal(f->rax, NR_RESTART); break;
	}
	assert_int_equal(f->rip, outcome == AGAIN || outcome == CONTINUED ? 0x401000 : 0x401002);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct trapframe f = interrupted(table[i].rax);

		signal_restart_handler(&f, 0);
		check(&f, table[i].rax, table[i].handler);
		assert_true(f.orig_rax == ~0ull);
		f = interrupted(table[i].rax);
		signal_restart_handler(&f, SA_RESTART);
		check(&f, table[i].rax, table[i].handler_restart);
		f = interrupted(table[i].rax);
		signal_restart_none(&f);
		check(&f, table[i].rax, table[i].none);
		/* Once is enough. */
		signal_restart_none(&f);
		check(&f, table[i].rax, table[i].none);
	}
}

static void test_nothing_to_restart(void **state)
{
	struct trapframe f = interrupted(-ERESTARTSYS);

	(void)state;
	f.orig_rax = ~0ull;
	signal_restart_none(&f);
	signal_restart_handler(&f, SA_RESTART);
	assert_int_equal((long)f.rax, -ERESTARTSYS);
	assert_int_equal(f.rip, 0x401002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nothing_to_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
