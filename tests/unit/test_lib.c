/* SPDX-License-Identifier: ISC */
/* kernel/lib's printing and strings against the host's, under other names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define memchr kernel_memchr
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define strrchr kernel_strrchr
#define strlcpy kernel_strlcpy
#define strlcat kernel_strlcat
#include "kernel/lib/printf.c"
#include "kernel/arch/x86_64/block_copy.c"
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#define SAME(...)                                                                                  \
	do {                                                                                           \
		char want_[200], got_[200];                                                                \
		int w_ = snprintf(want_, sizeof(want_), __VA_ARGS__);                                      \
		assert_int_equal(ksnprintf(got_, sizeof(got_), __VA_ARGS__), w_);                          \
		assert_string_equal(got_, want_);                                                          \
	} while (0)

static void test_printf(void **state)
{
	SAME("plain %% text");
	SAME("%d %i %u %x %o", -5, INT_MIN, UINT_MAX, 0xbeefu, 0755u);
	SAME("%ld %lu %lx %lld %llx %zu", LONG_MIN, ULONG_MAX, ULONG_MAX, LLONG_MIN, 1ull << 63,
	     (size_t)7);
	SAME("[%5d] [%-5d] [%05d] [%5s] [%-5s] [%c]", -42, -42, -42, "ab", "ab", 'x');
	SAME("[%.3s] [%8.2s] [%*d] [%-*d] [%.*s]", "abcdef", "abcdef", 6, 1, 6, 2, 2, "xyz");
	SAME("[%08x] [%.5u] [%8.5u] [%p]", 0x1234u, 42u, 42u, (void *)0x1000);
}

static void test_printf_size(void **state)
{
	char buf[4] = "zzz";

	assert_int_equal(ksnprintf(buf, 0, "%d", 12345), 5);
	assert_string_equal(buf, "zzz");
	assert_int_equal(ksnprintf(buf, sizeof(buf), "%d", 12345), 5);
	assert_string_equal(buf, "123");
	assert_int_equal(ksnprintf(buf, 1, "%s", "abc"), 3);
	assert_string_equal(buf, "");
}

static void test_memmove(void **state)
{
	char a[64], b[64];

	for (int from = 0; from < 20; from++) {
		for (int to = 0; to < 20; to++) {
			for (size_t n = 0; n < 40; n++) {
				for (int i = 0; i < 64; i++)
					a[i] = b[i] = (char)i;
				memmove(a + to, a + from, n);
				assert_ptr_equal(kernel_memmove(b + to, b + from, n), b + to);
				assert_memory_equal(a, b, sizeof(a));
			}
		}
	}
}

static void test_strings(void **state)
{
	static const char *words[] = {"", "a", "ab", "abc", "b", "\xff", "abd"};
	char buf[8];

	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			assert_int_equal(kernel_strcmp(words[i], words[j]) > 0, strcmp(words[i], words[j]) > 0);
			assert_int_equal(kernel_strncmp(words[i], words[j], 2) < 0,
					 strncmp(words[i], words[j], 2) < 0);
		}
		assert_ptr_equal(kernel_strchr(words[i], 'b'), strchr(words[i], 'b'));
		assert_ptr_equal(kernel_strrchr(words[i], 0), strrchr(words[i], 0));
		assert_int_equal(kernel_strnlen(words[i], 2), strnlen(words[i], 2));
	}
	assert_int_equal(kernel_strlcpy(buf, "0123456789", sizeof(buf)), 10);
	assert_string_equal(buf, "0123456");
	assert_int_equal(kernel_strlcpy(buf, "ab", sizeof(buf)), 2);
	assert_int_equal(kernel_strlcat(buf, "cdefghij", sizeof(buf)), 10);
	assert_string_equal(buf, "abcdefg");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_printf_size),
		cmocka_unit_test(test_memmove),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
