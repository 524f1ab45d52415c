/* SPDX-License-Identifier: ISC */
/*
 * What exec reads from untrusted bytes besides ELF: the first line of scripts, and the block of
 * arguments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <asm/errno.h>

#include "mm_env.h"

#include "kernel/exec/exec.h"

/* Fills to EXEC_HEAD_SIZE bytes as read_head does. */
static int parse(const char *text, size_t len, const char **name, const char **argument)
{
	static char head[EXEC_HEAD_SIZE];

	memset(head, 0, sizeof(head));
	memcpy(head, text, len);
	return script_parse(head, name, argument);
}

static void script(const char *text, const char *want_name, const char *want_argument)
{
	const char *name = NULL, *argument = NULL;
	int err = parse(text, strlen(text), &name, &argument);

	assert_int_equal(err, want_name ? 0 : -ENOEXEC);
	if (want_name)
		assert_string_equal(name, want_name);
	if (want_argument)
		assert_string_equal(argument, want_argument);
	else
		assert_null(argument);
}

static void test_script_lines(void **state)
{
	char line[EXEC_HEAD_SIZE + 1];

	script("#!/bin/sh\n", "/bin/sh", NULL);
	script("#! \t/bin/sh  \t\nx", "/bin/sh", NULL);
	script("#!/bin/sh -e  -x \n", "/bin/sh", "-e  -x");
	script("#!/bin/sh", "/bin/sh", NULL); /* a short file without a newline */
	script("#!/usr/bin/env a b", "/usr/bin/env", "a b");
	script("#!\n", NULL, NULL);
	script("#!   \t \n", NULL, NULL);
	{
		const char *name, *argument;

		assert_int_equal(parse("#!", 2, &name, &argument), -EACCES);
	}

	memset(line, 'a', sizeof(line));
	memcpy(line, "#!/", 3);
	line[EXEC_HEAD_SIZE] = '\0';
	script(line, NULL, NULL);             /* the path may be cut off */
	line[20] = ' ';
	line[EXEC_HEAD_SIZE - 1] = 'a';
	{
		const char *name, *argument;

		assert_int_equal(parse(line, EXEC_HEAD_SIZE, &name, &argument), 0);
		assert_int_equal(strlen(name), 18);
		assert_int_equal(strlen(argument), EXEC_HEAD_SIZE - 1 - 21); /* cut, as on Linux */
	}
}

static void test_arguments(void **state)
{
	static const char *const with[] = {"/bin/interp", "-x", "/the/script"};
	struct exec_args a = {.argc = 2, .envc = 1, .strings = "argv0\0one\0A=b", .bytes = 14};
	struct arg_block b;

	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_exec(&b, &a), 0);
	assert_int_equal(arg_block_interpreter(&b, with, 3), 0);
	assert_int_equal(b.argc, 4);
	assert_memory_equal(b.strings, "/bin/interp\0-x\0/the/script\0one\0A=b", b.bytes);
	assert_int_equal(b.bytes, 35);
	arg_block_free(&b);

	a = (struct exec_args){.envc = 1, .strings = "A=b", .bytes = 4};
	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_exec(&b, &a), 0);
	assert_int_equal(b.argc, 1);
	assert_memory_equal(b.strings, "\0A=b", 5);
	arg_block_free(&b);
}

/* From the application: many strings, one that is too long, too many in all. */
static void test_limits(void **state)
{
	static char text[ARG_STRING_MAX + 1];
	static u64 list[3000];
	struct arg_block b;

	memset(text, 'x', sizeof(text) - 1);
	list[0] = (u64)text;
	list[1] = 0;
	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_user(&b, (u64)list, 0), -E2BIG);
	arg_block_free(&b);

	text[ARG_STRING_MAX - 1] = '\0';
	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_user(&b, (u64)list, (u64)list), 0);
	assert_int_equal(b.bytes, 2 * ARG_STRING_MAX);
	arg_block_free(&b);

	current->proc->kp->inherited.rlimit_cur[3] = 8 << 20; /* RLIMIT_STACK: a quarter of it */
	for (int i = 0; i < 2999; i++)
		list[i] = (u64)(text + ARG_STRING_MAX - 1 - 1000);
	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_user(&b, (u64)list, 0), -E2BIG);
	arg_block_free(&b);

	assert_int_equal(arg_block_init(&b), 0);
	assert_int_equal(arg_block_from_user(&b, 0, 0), 0);
	assert_int_equal(b.argc, 1);
	arg_block_free(&b);
}

static int setup(void **state)
{
	env_start(BACKEND_KVM);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script_lines), cmocka_unit_test(test_arguments),
			cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
