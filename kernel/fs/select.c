/* SPDX-License-Identifier: ISC */
/* select and pselect6, on top of poll.c. Source: select(2). */
#include <asm/errno.h>
#include <linux/eventpoll.h>

#include "kernel/arch/x86_64/arch.h"
#include "kernel/fs/poll.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc.h"
#include "kernel/syscall/syscall.h"

#define SETS 3
#define FD_WORD 64

static const u32 set_wants[SETS] = {
	EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR,
	EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR,
	EPOLLPRI,
};

struct select {
	u32 n, words;
	u64 user[SETS];
	u64 *sets[SETS];          /* what is asked, words of each */
	struct poll_item *items;  /* one for each descriptor below n */
	void *memory;
};

static bool set_has(struct select *s, u32 set, u32 fd)
{
	return s->sets[set][fd / FD_WORD] >> fd % FD_WORD & 1;
}

/* The application's sets hold whole longs, as its libc and Linux agree. */
static s64 select_in(struct select *s)
{
	for (u32 i = 0; i < SETS; i++)
		if (s->user[i] && copy_in(s->sets[i], (void *)s->user[i], s->words * 8))
			return -EFAULT;
	return 0;
}

static void select_close(struct select *s)
{
	for (u32 fd = s->n; fd-- > 0;)
		if (s->items[fd].file)
			file_put(s->items[fd].file);
}

static s64 select_open(struct select *s)
{
	for (u32 fd = 0; fd < s->n; fd++) {
		u32 want = 0;

		for (u32 i = 0; i < SETS; i++)
			if (set_has(s, i, fd))
				want |= set_wants[i];
		if (!want)
			continue;
		s->items[fd].want = want;
		s->items[fd].strict = true;
		s->items[fd].file = fd_get(fd);
		if (!s->items[fd].file)
			return -EBADF;
	}
	return 0;
}

/* What is asked and ready; the number of bits. */
static s64 select_out(struct select *s)
{
	s64 count = 0;

	for (u32 i = 0; i < SETS; i++) {
		for (u32 fd = 0; fd < s->n; fd++) {
			if (!set_has(s, i, fd))
				continue;
			if (s->items[fd].got & set_wants[i])
				count++;
			else
				s->sets[i][fd / FD_WORD] &= ~(1ull << fd % FD_WORD);
		}
		if (s->user[i] && copy_out((void *)s->user[i], s->sets[i], s->words * 8))
			return -EFAULT;
	}
	return count;
}

static s64 select_wait(struct select *s, u64 deadline_ns)
{
	s64 r = poll_items(s->items, s->n, deadline_ns);

	return r < 0 ? r : select_out(s);
}

static s64 do_select(s32 n, const u64 user[SETS], u64 deadline_ns)
{
	struct select s = {.n = MIN((u32)n, current->proc->kp->fds->size)};
	size_t set_bytes, bytes;
	s64 r;

	if (n < 0)
		return -EINVAL;
	s.words = (s.n + FD_WORD - 1) / FD_WORD;
	set_bytes = s.words * 8;
	bytes = SETS * set_bytes + s.n * sizeof(*s.items);
	s.memory = kmalloc(bytes + 1);
	if (!s.memory)
		return -ENOMEM;
	for (u32 i = 0; i < SETS; i++) {
		s.user[i] = user[i];
		s.sets[i] = (u64 *)((char *)s.memory + i * set_bytes);
	}
	s.items = (struct poll_item *)((char *)s.memory + SETS * set_bytes);
	r = select_in(&s);
	if (!r)
		r = select_open(&s);
	if (!r)
		r = select_wait(&s, deadline_ns);
	select_close(&s);
	kfree(s.memory);
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
