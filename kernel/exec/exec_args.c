/* SPDX-License-Identifier: ISC */
/*
 * argv and envp between two programs: a block of kernel pages that grows by doubling, limited as on
 * Linux.
 */
#include "kernel/exec/exec.h"

#include <asm-generic/resource.h>
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"

#define FIRST_PAGES 2
#define ARG_BYTES_MIN (128ul << 10) /* ARG_MAX: always allowed */

int arg_block_init(struct arg_block *b)
{
	*b = (struct arg_block){.npages = FIRST_PAGES};
	b->limit = MIN(MAX(mm_rlimit(RLIMIT_STACK) / 4, ARG_BYTES_MIN), ARG_BYTES_MAX);
	b->strings = kpages_alloc(b->npages);
	return b->strings ? 0 : -ENOMEM;
}

void arg_block_free(struct arg_block *b)
{
	if (b->strings)
		kpages_free(b->strings, b->npages);
	b->strings = NULL;
}

/* Room for more bytes after those in use. */
static int block_grow(struct arg_block *b, size_t more)
{
	size_t npages = b->npages;
	char *bigger;

	if (b->bytes + more <= npages * PAGE_SIZE)
		return 0;
	while (npages * PAGE_SIZE < b->bytes + more)
		npages *= 2;
	bigger = kpages_alloc(npages);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger, b->strings, b->bytes);
	kpages_free(b->strings, b->npages);
	b->strings = bigger;
	b->npages = npages;
	return 0;
}

static bool over_limit(const struct arg_block *b)
{
	return b->bytes + ((size_t)b->argc + b->envc) * sizeof(u64) > b->limit;
}

int arg_block_add(struct arg_block *b, const char *s)
{
	size_t len = strlen(s) + 1;
	int err;

	if (len > ARG_STRING_MAX)
		return -E2BIG;
	err = block_grow(b, len);
	if (err)
		return err;
	memcpy(b->strings + b->bytes, s, len);
	b->bytes += len;
	return over_limit(b) ? -E2BIG : 0;
}

/* One string of the application. Most are short: room is made in steps. */
static int add_from_user(struct arg_block *b, u64 addr)
{
	size_t room = PAGE_SIZE;

	for (;;) {
		s64 len;
		int err = block_grow(b, room);

		if (err)
			return err;
		len = string_in(b->strings + b->bytes, (const void *)addr, room);
		if (len >= 0) {
			b->bytes += (size_t)len + 1;
			return over_limit(b) ? -E2BIG : 0;
		}
		if (len != -ENAMETOOLONG)
			return (int)len;
		if (room == ARG_STRING_MAX || b->bytes + room > b->limit)
			return -E2BIG;
		room = MIN(room * 4, ARG_STRING_MAX);
	}
}

static int add_list(struct arg_block *b, u64 list, u32 *count)
{
	for (u64 addr; list; list += sizeof(addr)) {
		int err;

		if (copy_in(&addr, (const void *)list, sizeof(addr)))
			return -EFAULT;
		if (!addr)
			break;
		err = add_from_user(b, addr);
		if (err)
			return err;
		++*count;
		if (over_limit(b))
			return -E2BIG;
	}
	return 0;
}

int arg_block_from_user(struct arg_block *b, u64 argv, u64 envp)
{
	int err = add_list(b, argv, &b->argc);

	/* A program always has an argv[0] (Linux since 5.18). */
	if (!err && b->argc == 0) {
		b->argc = 1;
		err = arg_block_add(b, "");
	}
	return err ? err : add_list(b, envp, &b->envc);
}

int arg_block_from_exec(struct arg_block *b, const struct exec_args *a)
{
	int err = block_grow(b, a->bytes);

	if (err)
		return err;
	memcpy(b->strings, a->strings, a->bytes);
	b->bytes = a->bytes;
	b->argc = a->argc;
	b->envc = a->envc;
	if (b->argc == 0) {
		err = block_grow(b, 1);
		if (err)
			return err;
		memmove(b->strings + 1, b->strings, b->bytes);
		b->strings[0] = '\0';
		b->bytes++;
		b->argc = 1;
	}
	return over_limit(b) ? -E2BIG : 0;
}

int arg_block_interpreter(struct arg_block *b, const char *const *strings, u32 n)
{
	size_t old = strlen(b->strings) + 1, new = 0;
	char *p;
	int err;

	for (u32 i = 0; i < n; i++)
		new += strlen(strings[i]) + 1;
	err = block_grow(b, new);
	if (err)
		return err;
	memmove(b->strings + new, b->strings + old, b->bytes - old);
	p = b->strings;
	for (u32 i = 0; i < n; i++) {
		size_t len = strlen(strings[i]) + 1;

		memcpy(p, strings[i], len);
		p += len;
	}
	b->bytes += new - old;
	b->argc += n - 1;
	return over_limit(b) ? -E2BIG : 0;
}
