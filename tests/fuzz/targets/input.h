/* SPDX-License-Identifier: ISC */
/*
 * The bytes of one fuzz input, taken from the front. Behind the end everything is 0, so that each
 * prefix of an input means something.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <string.h>

#include "common/types.h"

struct input {
	const u8 *at, *end;
};

static inline size_t input_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

static inline void input_bytes(struct input *in, void *to, size_t n)
{
	size_t have = MIN(n, input_left(in));

	if (have)
		memcpy(to, in->at, have);
	memset((char *)to + have, 0, n - have);
	in->at += have;
}

static inline u8 input_u8(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline u16 input_u16(struct input *in)
{
	u16 v;

	input_bytes(in, &v, sizeof(v));
	return v;
}

static inline u64 input_u64(struct input *in)
{
	u64 v;

	input_bytes(in, &v, sizeof(v));
	return v;
}

/* A length, then so many bytes of the input: for what is consumed elsewhere. */
static inline struct input input_part(struct input *in, size_t n)
{
	struct input part = {in->at, in->at + MIN(n, input_left(in))};

	in->at = part.end;
	return part;
}

/* What a harness has found: says so, with the input's name by libFuzzer or replay.c, and aborts. */
_Noreturn void finding(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
