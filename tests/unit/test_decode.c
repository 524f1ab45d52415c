/* SPDX-License-Identifier: ISC */
/*
 * The instruction-length decoder against instructions whose lengths are known from the assembler
 * (Intel SDM).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/arch/x86_64/decode.h"

struct sample {
	const char *bytes;
	u8 length;
	u64 target; /* of a branch at 0x1000, or 0 */
};

#define S(bytes, target)                 \
	{                                    \
		bytes, sizeof(bytes) - 1, target \
	}

static const struct sample samples[] = {
	S("\x90", 0),
	S("\x0f\x05", 0),
	S("\x31\xc0", 0),
	S("\xb8\x27\0\0\0", 0),
	S("\x41\xb8\x05\0\0\0", 0),
	S("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 0),
	S("\x48\x3d\0\xf0\xff\xff", 0),
	S("\x48\xc7\xc0\x01\0\0\0", 0),
	S("\xc7\x44\x24\xb8\x01\0\0\0", 0),
	S("\x66\xc7\x44\x24\x08\x01\0", 0),
	S("\x80\x3d\x01\0\0\0\0", 0),
	S("\x8b\x04\x25\0\0\x0f\x05", 0),
	S("\xff\x24\x25\x08\0\x0f\x05", 0),
	S("\x8b\x84\x8b\x01\0\0\0", 0),
	S("\x74\x10", 0x1012),
	S("\xeb\xfe", 0x1000),
	S("\xe8\0\x01\0\0", 0x1105),
	S("\x0f\x84\xfa\xff\xff\xff", 0x1000),
	S("\xf6\xc1\x01", 0),
	S("\xf6\xd1", 0),
	S("\xf7\xc1\x01\0\0\0", 0),
	S("\x66\xf7\xc1\x01\0", 0),
	S("\xc8\x10\0\0", 0),
	S("\xc2\x08\0", 0),
	S("\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0),
	S("\xf3\x0f\x1e\xfa", 0),
	S("\x66\x0f\x3a\x0f\xc1\x08", 0),
	S("\xc5\xf9\x6f\x05\0\0\0\0", 0),
	S("\xc4\xe2\x7d\x18\x05\0\0\0\0", 0),
	S("\xc4\xe3\x7d\x39\xc1\x01", 0),
	S("\x62\xf1\xfe\x48\x6f\x06", 0),
	S("\x62\xf1\xfe\x48\x6f\x46\x01", 0),
	S("\x64\x48\x8b\x04\x25\x28\0\0\0", 0),
	S("\xa1\x01\x02\x03\x04\x05\x06\x07\x08", 0),
};

static void lengths_and_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		struct insn in;

		assert_int_equal(insn_decode(&in, (const u8 *)s->bytes, s->length, 0x1000), 0);
		assert_int_equal(in.length, s->length);
		assert_int_equal(in.branch, s->target != 0);
		assert_int_equal(in.target, s->target);
	}
}

/*
 * Every proper prefix of an instruction is refused and nothing beyond the given size is read (ASan
 * watches).
 */
static void truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		for (size_t n = 0; n < samples[i].length; n++) {
			u8 exact[16];
			struct insn in;

			memcpy(exact, samples[i].bytes, n);
			assert_true(insn_decode(&in, exact, n, 0) < 0 || in.length <= n);
		}
	}
}

static void not_in_long_mode(void **state)
{
	static const char *const bad[] = {"\x06", "\x27", "\x60", "\xea", "\x9a", "\xd4"};
	struct insn in;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(insn_decode(&in, (const u8 *)bad[i], 1, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_and_targets),
		cmocka_unit_test(truncated),
		cmocka_unit_test(not_in_long_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
