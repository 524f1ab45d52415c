/* SPDX-License-Identifier: ISC */
/*
 * The allowlist and the table of hypercalls belong together: each host system call that a
 * hypercall names has a rule, no rule is without a user, and libseccomp accepts all of them for
 * both kinds of backend.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <seccomp.h>
#include <stdlib.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/internal.h"
#include "monitor/core/tty_ioctls.h"

const struct tty_ioctl tty_ioctls[] = {{0x5401, 36, TTY_OUT, false}, {0, 0, TTY_VALUE, false}};

#define HYPERCALL(name, kinds, host, why) [HYP_##name] = {#name, kinds, host, why, NULL},
const struct hypercall_info hypercall_table[HYPERCALL_COUNT] = {
#include "abi/hypercalls.def"
};
#undef HYPERCALL

static void test_complete(void **state)
{
	const char *missing = "";

	if (!confine_rules_complete(&missing))
		fail_msg("the allowlist and abi/hypercalls.def disagree about: %.24s", missing);
}

static void test_compiles(void **state)
{
	static const unsigned long ioctls[] = {0xae80, 0};
	struct backend_ops host = {.runs_on_host = true}, vm = {.ioctls = ioctls};
	const struct backend_ops *both[] = {&host, &vm};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		struct family f = {.kin_fd = 5, .notify_fd = 6, .root_fd = 7, .backend = both[i]};
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
		const char *what = "";

		assert_non_null(filter);
		if (confine_rules_add(filter, &f, i == 0, &what) < 0)
			fail_msg("rule refused: %.24s", what);
		seccomp_release(filter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_complete),
									   cmocka_unit_test(test_compiles)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
