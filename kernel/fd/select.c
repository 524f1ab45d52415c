/* SPDX-License-Identifier: ISC */
/* select and pselect6, on top of poll.c. Source: select(2). */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/poll.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"

#define SETS 3
#define FD_WORD 64
#define RESOURCE_NOFILE 7

static const u32 set_wants[SETS] = {
	EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR,
	EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR,
	EPOLLPRI,
};

struct select {
	u32 words;
	u64 user[SETS];
	u64 *asked[SETS], *ready[SETS]; /* words of each */
	struct poll_item *items;        /* one for each descriptor in any set, in order */
	u32 *fds;
	u32 n;
	void *sets_memory, *items_memory;
};

/* The application's sets hold whole longs, as its libc and Linux agree. */
static s64 sets_in(struct select *s, u32 nfds)
{
	size_t bytes;

	s->words = (nfds + FD_WORD - 1) / FD_WORD;
	bytes = s->words * 8;
	s->sets_memory = kmalloc(2 * SETS * bytes + 1);
	if (!s->sets_memory)
		return -ENOMEM;
	for (u32 i = 0; i < SETS; i++) {
		s->asked[i] = (u64 *)((char *)s->sets_memory + i * bytes);
		s->ready[i] = (u64 *)((char *)s->sets_memory + (SETS + i) * bytes);
		if (s->user[i] && copy_in(s->asked[i], (void *)s->user[i], bytes))
			return -EFAULT;
		if (nfds % FD_WORD)
			s->asked[i][s->words - 1] &= (1ull << nfds % FD_WORD) - 1;
	}
	return 0;
}

static u64 asked_word(struct select *s, u32 word)
{
	return s->asked[0][word] | s->asked[1][word] | s->asked[2][word];
}

static s64 item_open(struct select *s, u32 fd)
{
	struct poll_item *item = &s->items[s->n];

	for (u32 i = 0; i < SETS; i++)
		if (s->asked[i][fd / FD_WORD] >> fd % FD_WORD & 1)
			item->want |= set_wants[i];
	item->strict = true;
	item->file = fd_get(fd);
	if (!item->file)
		return -EBADF;
	s->fds[s->n++] = fd;
	return 0;
}

static s64 items_open(struct select *s)
{
	u32 count = 0;
	s64 err = 0;

	for (u32 word = 0; word < s->words; word++)
		count += __builtin_popcountll(asked_word(s, word));
	s->items_memory = kmalloc(count * (sizeof(*s->items) + sizeof(*s->fds)) + 1);
	if (!s->items_memory)
		return -ENOMEM;
	s->items = s->items_memory;
	s->fds = (u32 *)(s->items + count);
	for (u32 word = 0; word < s->words; word++)
		for (u64 bits = asked_word(s, word); bits && !err; bits &= bits - 1)
			err = item_open(s, word * FD_WORD + __builtin_ctzll(bits));
	return err;
}

/* What is asked and ready; the number of bits. */
static s64 sets_out(struct select *s)
{
	s64 count = 0;

	for (u32 i = 0; i < SETS; i++) {
		for (u32 k = 0; k < s->n; k++) {
			u32 word = s->fds[k] / FD_WORD;
			u64 bit = 1ull << s->fds[k] % FD_WORD;

			if (s->asked[i][word] & bit && s->items[k].got & set_wants[i]) {
				s->ready[i][word] |= bit;
				count++;
			}
		}
		if (s->user[i] && copy_out((void *)s->user[i], s->ready[i], s->words * 8))
			return -EFAULT;
	}
	return count;
}

static void select_end(struct select *s)
{
	for (u32 k = s->n; k-- > 0;)
		file_put(s->items[k].file);
	if (s->items_memory)
		kfree(s->items_memory);
	if (s->sets_memory)
		kfree(s->sets_memory);
}

static s64 do_select(s32 n, const u64 user[SETS], u64 deadline_ns)
{
	struct select s = {.user = {user[0], user[1], user[2]}};
	s64 r;

	if (n < 0)
		return -EINVAL;
	r = sets_in(&s, MIN((u64)n, current->proc->kp->inherited.rlimit_cur[RESOURCE_NOFILE]));
	if (!r)
		r = items_open(&s);
	if (!r)
		r = poll_items(s.items, s.n, deadline_ns);
	if (r >= 0)
		r = sets_out(&s);
	select_end(&s);
	return r;
}

s64 sys_select(u64 n, u64 in, u64 out, u64 except, u64 timeout)
{
	u64 deadline, sets[SETS] = {in, out, except};
	s64 r = poll_deadline(timeout, true, &deadline);

	if (r)
		return r;
	r = do_select(n, sets, deadline);
	poll_time_left(timeout, true, deadline);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

s64 sys_pselect6(u64 n, u64 in, u64 out, u64 except, u64 timeout, u64 user_mask)
{
	u64 deadline, sets[SETS] = {in, out, except}, mask[2] = {0, 0};
	s64 r = poll_deadline(timeout, false, &deadline);

	if (!r && user_mask && copy_in(mask, (void *)user_mask, sizeof(mask)))
		r = -EFAULT;
	if (!r)
		r = poll_mask_begin(mask[0], mask[1]);
	if (r)
		return r;
	r = do_select(n, sets, deadline);
	poll_mask_end(mask[0], r == -EINTR);
	poll_time_left(timeout, false, deadline);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}
