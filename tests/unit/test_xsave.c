/* SPDX-License-Identifier: ISC */
/* Which state applications may use and how much room it needs, for many processors and this one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cpuid.h>

#include "monitor/backend/process/process.h"
#include "tests/unit/xsave_models.h"

static void test_models(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsave_models); i++) {
		const struct xsave_model *m = &xsave_models[i];

		print_message("%s\n", m->name);
		assert_int_equal(xsave_usable(m->xcr0, m->permitted), m->usable);
		assert_int_equal(xsave_size(m->usable, m->components), m->size);
		assert_int_equal(xsave_size(m->xcr0, m->components), m->size_xcr0);
	}
}

/* Whatever a process may use without asking fits into what the process backend has for it. */
static void test_room(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsave_models); i++)
		if (!(xsave_models[i].permitted >> 18 & 1))
			assert_true(xsave_models[i].size <= PROCESS_XSAVE_SIZE);
}

/* The processor itself says how much all that is switched on needs. */
static void test_this_processor(void **state)
{
	struct xsave_component components[XSAVE_COMPONENTS] = {{0}};
	u32 a, b, c, d, low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	for (u32 i = 2; i < XSAVE_COMPONENTS; i++)
		__cpuid_count(0xd, i, components[i].size, components[i].offset, c, d);
	__cpuid_count(0xd, 0, a, b, c, d);
	assert_int_equal(xsave_size((u64)high << 32 | low, components), b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_this_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
