/* SPDX-License-Identifier: ISC */
/*
 * Pipes, FIFOs, poll and futexes of kin, between host processes that act as members and are
 * killed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include <asm/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/uio.h>

#include "kin_env.h"
#include "kin_host.h"
#include "kernel/arch/arch.h"
#include "kernel/fd/poll.h"
#include "kernel/pipe/pipe.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/syscall/syscall.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_hooks.h"

#define KILLED 9

static char block[100000];

static void pipe_open(s32 fd[2], u32 flags)
{
	assert_int_equal(sys_pipe2((u64)fd, flags), 0);
}

static s64 rd(s32 fd, void *buf, u64 n)
{
	return sys_read(fd, (u64)buf, n);
}

static s64 wr(s32 fd, const void *buf, u64 n)
{
	return sys_write(fd, (u64)buf, n);
}

static void nonblocking_semantics(void **state)
{
	s32 fd[2];

	pipe_open(fd, O_NONBLOCK);
	assert_int_equal(rd(fd[0], block, 1), -EAGAIN);
	assert_int_equal(wr(fd[1], block, 70000), 65536);
	assert_int_equal(wr(fd[1], block, 1), -EAGAIN);
	assert_int_equal(rd(fd[0], block, 4095), 4095);
	assert_int_equal(wr(fd[1], block, 4096), -EAGAIN);
	assert_int_equal(rd(fd[0], block, 1), 1);
	assert_int_equal(wr(fd[1], block, 4096), 4096);
	assert_int_equal(rd(fd[0], block, 8192), 8192);
	assert_int_equal(wr(fd[1], block, 9000), 8192);
	assert_int_equal(wr(fd[1], block, 0), 0);
	assert_int_equal(wr(fd[0], block, 1), -EBADF);
	assert_int_equal(rd(fd[1], block, 1), -EBADF);
	assert_int_equal(sys_lseek(fd[0], 0, 0), -ESPIPE);
	assert_int_equal(sys_pread64(fd[0], (u64)block, 1, 0), -ESPIPE);
	assert_int_equal(sys_close(fd[1]), 0);
	assert_int_equal(rd(fd[0], block, 100000), 65536);
	assert_int_equal(rd(fd[0], block, 1), 0);
	assert_int_equal(sys_close(fd[0]), 0);
	assert_int_equal(sys_close(fd[0]), -EBADF);
}

static void broken_pipe(void **state)
{
	u32 before = env_sigpipes;
	s32 fd[2];

	pipe_open(fd, 0);
	sys_close(fd[0]);
	assert_int_equal(wr(fd[1], block, 1), -EPIPE);
	assert_int_equal(env_sigpipes, before + 1);
	sys_close(fd[1]);
}

static void bad_addresses(void **state)
{
	s32 fd[2];

	pipe_open(fd, O_NONBLOCK);
	assert_int_equal(wr(fd[1], (void *)8, 5), -EFAULT);
	assert_int_equal(rd(fd[0], block, 1), -EAGAIN);
	assert_int_equal(wr(fd[1], "hello", 5), 5);
	assert_int_equal(rd(fd[0], (void *)8, 5), -EFAULT);
	assert_int_equal(rd(fd[0], block, 9), 5);
	assert_memory_equal(block, "hello", 5);
	sys_close(fd[0]);
	sys_close(fd[1]);
	assert_int_equal(sys_pipe2(8, 0), -EFAULT);
	assert_int_equal(sys_pipe2((u64)fd, O_APPEND), -EINVAL);
}

static void vectors(void **state)
{
	char a[3], b[4], c[20];
	struct iovec out[] = {{"abc", 3}, {"", 0}, {"defghijkl", 9}};
	struct iovec in[] = {{a, 3}, {NULL, 0}, {b, 4}, {c, 20}};
	s32 fd[2];

	pipe_open(fd, 0);
	assert_int_equal(sys_writev(fd[1], (u64)out, 3), 12);
	assert_int_equal(sys_readv(fd[0], (u64)in, 4), 12);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "defg", 4);
	assert_memory_equal(c, "hijkl", 5);
	assert_int_equal(sys_writev(fd[1], (u64)out, 0), 0);
	assert_int_equal(sys_writev(fd[1], (u64)out, -1), -EINVAL);
	assert_int_equal(sys_writev(fd[1], (u64)out, 1025), -EINVAL);
	sys_close(fd[0]);
	sys_close(fd[1]);
}

static void resize(void **state)
{
	char text[10];
	s32 fd[2];

	pipe_open(fd, O_NONBLOCK);
	assert_int_equal(sys_fcntl(fd[0], F_GETPIPE_SZ, 0), 65536);
	assert_int_equal(wr(fd[1], block, 60000), 60000);
	assert_int_equal(rd(fd[0], block, 60000), 60000);
	assert_int_equal(wr(fd[1], "0123456789", 10), 10);
	assert_int_equal(wr(fd[1], block, 9990), 9990); /* wraps */
	assert_int_equal(sys_fcntl(fd[1], F_SETPIPE_SZ, 8192), -EBUSY);
	assert_int_equal(sys_fcntl(fd[1], F_SETPIPE_SZ, 10000), 16384);
	assert_int_equal(rd(fd[0], text, 10), 10);
	assert_memory_equal(text, "0123456789", 10);
	assert_int_equal(wr(fd[1], block, 16384), 16384 - 9990);
	assert_int_equal(sys_fcntl(fd[0], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	assert_int_equal(wr(fd[1], block, 100000), 100000);
	sys_close(fd[0]);
	sys_close(fd[1]);
}

static void polls(void **state)
{
	struct { s32 fd; s16 events, revents; } p[2];
	s32 fd[2];

	pipe_open(fd, O_NONBLOCK);
	p[0].fd = fd[0];
	p[1].fd = fd[1];
	p[0].events = p[1].events = EPOLLIN | EPOLLOUT;
	assert_int_equal(sys_poll((u64)p, 2, 0), 1);
	assert_int_equal(p[0].revents, 0);
	assert_int_equal(p[1].revents, EPOLLOUT);
	wr(fd[1], block, 65536 - 4095);
	assert_int_equal(sys_poll((u64)p, 2, 0), 1);
	assert_int_equal(p[0].revents, EPOLLIN);
	rd(fd[0], block, 100000);
	u64 begin = env_now_ns();
	assert_int_equal(sys_poll((u64)p, 1, 20), 0);
	assert_true(env_now_ns() - begin >= 20000000);
	sys_close(fd[1]);
	p[1].fd = 77;
	assert_int_equal(sys_poll((u64)p, 2, -1), 2);
	assert_int_equal(p[0].revents, EPOLLHUP);
	assert_int_equal(p[1].revents, 0x20); /* POLLNVAL */
	sys_close(fd[0]);
}

/* ---- between members */

static s32 up[2], down[2];

static u32 sum_add(u32 sum, const char *p, s64 n)
{
	for (s64 i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)p[i]) * 16777619u;
	return sum;
}

#define STREAM 6000000

static void stream_writer(void *arg)
{
	u32 random = 12345, sum = 2166136261u;
	u64 total = 0;

	sys_close(up[0]);
	while (total < STREAM) {
		random = random * 1664525 + 1013904223;
		s64 n = 1 + (random >> 8) % sizeof(block);

		n = MIN(n, (s64)(STREAM - total));
		for (s64 i = 0; i < n; i++)
			block[i] = (char)((total + i) * 31 >> 3);
		if (wr(up[1], block, n) != n)
			kin_host_die(90, "short write");
		sum = sum_add(sum, block, n);
		total += n;
	}
	*(u32 *)arg = sum;
}

static void stream_keeps_its_bytes(void **state)
{
	u32 *sum = kin_alloc(sizeof(*sum)), mine = 2166136261u, random = 1, member;
	u64 total = 0;
	s64 n;

	pipe_open(up, 0);
	int pid = env_fork(stream_writer, sum, &member);
	sys_close(up[1]);
	do {
		random = random * 22695477 + 1;
		n = rd(up[0], block, 1 + (random >> 8) % sizeof(block));
		assert_true(n >= 0);
		mine = sum_add(mine, block, n);
		total += n;
	} while (n);
	assert_int_equal(env_reap(pid, member, false), 0);
	assert_int_equal(total, STREAM);
	assert_int_equal(mine, *sum);
	sys_close(up[0]);
	kin_free(sum);
}

#define RECORDS 300

static void record_writer(void *arg)
{
	static unsigned char record[PIPE_ATOMIC];
	u64 w = (u64)arg;

	sys_close(up[0]);
	memset(record, 'a' + w, sizeof(record));
	for (u32 i = 0; i < RECORDS; i++) {
		record[0] = w;
		if (wr(up[1], record, 4000 + w * 32) != (s64)(4000 + w * 32))
			kin_host_die(90, "torn write");
	}
}

static void records_are_not_torn(void **state)
{
	static unsigned char record[PIPE_ATOMIC];
	u32 member[4], count[4] = {0};
	int pid[4];
	s64 n;

	pipe_open(up, 0);
	for (u64 w = 0; w < 4; w++)
		pid[w] = env_fork(record_writer, (void *)w, &member[w]);
	sys_close(up[1]);
	while (rd(up[0], record, 1) == 1) {
		u32 w = record[0];

		assert_in_range(w, 0, 3);
		for (u64 have = 1; have < 4000 + w * 32; have += n) {
			n = rd(up[0], record + have, 4000 + w * 32 - have);
			assert_true(n > 0);
		}
		for (u64 i = 1; i < 4000 + w * 32; i++)
			assert_int_equal(record[i], 'a' + w);
		count[w]++;
	}
	for (u32 w = 0; w < 4; w++) {
		assert_int_equal(env_reap(pid[w], member[w], false), 0);
		assert_int_equal(count[w], RECORDS);
	}
	sys_close(up[0]);
}

static void echo(void *arg)
{
	char c;

	sys_close(up[1]);
	sys_close(down[0]);
	while (rd(up[0], &c, 1) == 1)
		wr(down[1], &c, 1);
}

static void ping_pong(void **state)
{
	u32 member;
	char c;

	pipe_open(up, 0);
	pipe_open(down, 0);
	int pid = env_fork(echo, NULL, &member);
	sys_close(up[0]);
	sys_close(down[1]);
	for (u32 i = 0; i < 5000; i++) {
		c = i;
		assert_int_equal(wr(up[1], &c, 1), 1);
		assert_int_equal(rd(down[0], &c, 1), 1);
		assert_int_equal(c, (char)i);
	}
	sys_close(up[1]);
	assert_int_equal(rd(down[0], &c, 1), 0);
	assert_int_equal(env_reap(pid, member, false), 0);
	sys_close(down[0]);
}

static void pump(void *arg)
{
	static char bytes[5000];

	sys_close(up[0]);
	for (u64 i = 0;; i++)
		if (wr(up[1], bytes, 1 + i % sizeof(bytes)) < 0)
			return;
}

static void drain(void *arg)
{
	sys_close(up[1]);
	while (rd(up[0], block, 3000) > 0)
		;
}

/*
 * The other end of a killed member sees the end, whatever it was doing, and nothing stays behind.
 */
static void killed_ends(void **state)
{
	u32 member[2];
	int pid[2];
	u64 before = 0;

	for (u32 i = 0; i < 150; i++) {
		pipe_open(up, 0);
		pid[0] = env_fork(pump, NULL, &member[0]);
		pid[1] = env_fork(drain, NULL, &member[1]);
		sys_close(up[0]);
		sys_close(up[1]);
		kin_host_pause_us(env_random(1500));
		u32 victim = i % 2;
		assert_int_equal(env_reap(pid[victim], member[victim], true), KILLED);
		assert_int_equal(env_reap(pid[!victim], member[!victim], false), 0);
		if (i == 20)
			before = env_pages();
	}
	/* A kill between two steps may cost a page or two, not one each time. */
	assert_in_range(env_pages(), 0, before + 40);
}

static void sleeping_reader(void *arg)
{
	char c;

	sys_close(up[1]);
	rd(up[0], &c, 1);
}

static void reader_killed_asleep(void **state)
{
	u32 member;

	pipe_open(up, 0);
	int pid = env_fork(sleeping_reader, NULL, &member);
	sys_close(up[0]);
	kin_host_pause_us(2000);
	env_reap(pid, member, true);
	assert_int_equal(wr(up[1], "x", 1), -EPIPE);
	sys_close(up[1]);
}

/* ---- queues and the dead */

struct meeting {
	struct kin_queue queue;
	_Atomic u32 waiting, open;
};

static void meeting_wait(void *arg)
{
	struct meeting *m = arg;
	struct kin_waiter *w = waiter_get();

	queue_add(&m->queue, w);
	atomic_fetch_add(&m->waiting, 1);
	while (!atomic_load(&m->open))
		thread_sleep_mode(HYP_NO_DEADLINE, SLEEP_UNINTERRUPTIBLE, NULL, 0);
	queue_remove(w);
	waiter_put(w);
}

/* Between the mark and the ring, which is the worst moment. */
static void die_waking(void *arg)
{
	struct meeting *m = arg;

	atomic_store(&m->open, 1);
	queue_lock(&m->queue);
	waiter_mark(TAILQ_FIRST(&m->queue.head));
	kin_unlock(&m->queue.lock);
	kin_host_die(0, NULL);
}

static void die_linking(void *arg)
{
	struct meeting *m = arg;
	struct kin_waiter *w = waiter_get();

	queue_lock(&m->queue);
	queue_link(&m->queue, w);
	m->queue.head.tqh_last = NULL;
	w->link.tqe_prev = &w->link.tqe_next;
	atomic_store(&m->queue.count, 55);
	kin_host_die(0, NULL);
}

static void waker_dies(void **state)
{
	struct meeting *m = kin_alloc(sizeof(*m));
	u32 sleeper_member, member;

	queue_init(&m->queue);
	int sleeper = env_fork(meeting_wait, m, &sleeper_member);
	while (!m->waiting)
		kin_host_pause_us(100);
	kin_host_pause_us(2000);
	int pid = env_fork(die_linking, m, &member);
	env_reap(pid, member, false);
	assert_int_equal(m->queue.count, 1);
	pid = env_fork(die_waking, m, &member);
	env_reap(pid, member, false);
	assert_int_equal(env_reap(sleeper, sleeper_member, false), 0);
	assert_int_equal(m->queue.count, 0);
	kin_free(m);
}

/* ---- FIFOs */

static void fifo_writer(void *arg)
{
	struct file *f;

	if (fifo_open(arg, O_WRONLY, &f))
		kin_host_die(91, "fifo");
	int fd = fd_install(f, 0, 0);
	wr(fd, "through", 7);
	sys_close(fd);
}

static void fifos(void **state)
{
	struct inode *ino = env_fifo();
	struct file *f;
	char text[10];
	u32 member;

	assert_int_equal(fifo_open(ino, O_WRONLY | O_NONBLOCK, &f), -ENXIO);
	int pid = env_fork(fifo_writer, ino, &member);
	assert_int_equal(fifo_open(ino, O_RDONLY, &f), 0);
	int fd = fd_install(f, 0, 0);
	assert_int_equal(rd(fd, text, 10), 7);
	assert_int_equal(rd(fd, text, 10), 0);
	env_reap(pid, member, false);
	sys_close(fd);
	assert_null(*inode_fifo_slot(ino));
	/* No writer yet: not hung up. */
	assert_int_equal(fifo_open(ino, O_RDONLY | O_NONBLOCK, &f), 0);
	assert_int_equal(file_poll(f, EPOLLIN, NULL), 0);
	file_put(f);
	/* A blocked opener that is killed is no reader any more. */
	pid = env_fork(fifo_writer, ino, &member);
	kin_host_pause_us(2000);
	env_reap(pid, member, true);
	assert_null(*inode_fifo_slot(ino));
	env_interrupt = true;
	assert_int_equal(fifo_open(ino, O_RDONLY, &f), -512);
	env_interrupt = false;
	assert_null(*inode_fifo_slot(ino));
	inode_put(ino);
}

/* ---- epoll and eventfd */

static void late_writer(void *arg)
{
	kin_host_pause_us(3000);
	wr(up[1], "x", 1);
}

static void epolls(void **state)
{
	struct epoll_event event = {.events = EPOLLIN, .data = 7}, got[4];
	s64 ep = sys_epoll_create1(0), ev = sys_eventfd2(0, 0);
	u64 one = 1;
	u32 member;

	pipe_open(up, O_NONBLOCK);
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_ADD, up[0], (u64)&event), 0);
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_ADD, up[0], (u64)&event), -EEXIST);
	event.events = EPOLLIN | EPOLLET;
	event.data = 8;
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, (u64)&event), 0);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 0);
	wr(ev, &one, 8);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, -1), 1);
	assert_int_equal(got[0].data, 8);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 0);
	wr(ev, &one, 8);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 1);
	int pid = env_fork(late_writer, NULL, &member);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, -1), 1);
	assert_int_equal(got[0].data, 7);
	assert_int_equal(env_reap(pid, member, false), 0);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 1);
	event.events = EPOLLIN | EPOLLONESHOT;
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_MOD, up[0], (u64)&event), 0);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 1);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 0);
	/* Nested, and not in a circle. */
	s64 outer = sys_epoll_create1(0);
	event.events = EPOLLIN;
	assert_int_equal(sys_epoll_ctl(outer, EPOLL_CTL_ADD, ep, (u64)&event), 0);
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_ADD, outer, (u64)&event), -ELOOP);
	assert_int_equal(sys_epoll_wait(outer, (u64)got, 4, 0), 0);
	assert_int_equal(sys_epoll_ctl(ep, EPOLL_CTL_MOD, up[0], (u64)&event), 0);
	assert_int_equal(sys_epoll_wait(outer, (u64)got, 4, 0), 1);
	/* Closing takes a file off the list. */
	sys_close(up[0]);
	sys_close(up[1]);
	assert_int_equal(sys_epoll_wait(ep, (u64)got, 4, 0), 0);
	sys_close(outer);
	sys_close(ep);
	sys_close(ev);
}

/* ---- futexes */

struct turn {
	_Atomic u32 word, waiters, turns;
};

static void turn_taker(void *arg)
{
	struct turn *t = arg;

	for (u32 i = 0; i < 2000; i++) {
		/* A lock of the classic three states. */
		u32 free = 0;

		if (!atomic_compare_exchange_strong(&t->word, &free, 1))
			while (atomic_exchange(&t->word, 2) != 0)
				sys_futex((u64)&t->word, FUTEX_WAIT, 2, 0, 0, 0);
		u32 turns = atomic_load_explicit(&t->turns, memory_order_relaxed);
		atomic_store_explicit(&t->turns, turns + 1, memory_order_relaxed);
		if (atomic_exchange(&t->word, 0) == 2)
			sys_futex((u64)&t->word, FUTEX_WAKE, 1, 0, 0, 0);
	}
}

static void sleeper(void *arg)
{
	struct turn *t = arg;

	atomic_fetch_add(&t->waiters, 1);
	sys_futex((u64)&t->word, FUTEX_WAIT, 5, 0, 0, 0);
	atomic_fetch_add(&t->turns, 1);
}

static void futexes_between_members(void **state)
{
	struct turn *t = kin_alloc(sizeof(*t));
	u32 member[3], other = 0;
	s64 time[2] = {0, 5000000};
	int pid[3];

	for (u32 i = 0; i < 3; i++)
		pid[i] = env_fork(turn_taker, t, &member[i]);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(env_reap(pid[i], member[i], false), 0);
	assert_int_equal(t->turns, 6000);

	assert_int_equal(sys_futex((u64)&t->word, FUTEX_WAIT, 9, 0, 0, 0), -EAGAIN);
	assert_int_equal(sys_futex((u64)&t->word, FUTEX_WAIT, 0, (u64)time, 0, 0), -ETIMEDOUT);
	assert_int_equal(sys_futex((u64)&other, FUTEX_WAIT_PRIVATE, 0, (u64)time, 0, 0), -ETIMEDOUT);
	assert_int_equal(sys_futex((u64)&t->word + 1, FUTEX_WAIT, 0, 0, 0, 0), -EINVAL);

	t->turns = 0;
	t->word = 5;
	for (u32 i = 0; i < 3; i++)
		pid[i] = env_fork(sleeper, t, &member[i]);
	while (t->waiters < 3)
		kin_host_pause_us(100);
	kin_host_pause_us(5000);
	/* One is woken, one moves to another word, one stays. */
	assert_int_equal(sys_futex((u64)&t->word, FUTEX_CMP_REQUEUE, 1, 1, (u64)&t->turns, 4), -EAGAIN);
	assert_int_equal(sys_futex((u64)&t->word, FUTEX_CMP_REQUEUE, 1, 1, (u64)&t->turns, 5), 2);
	/* The one that waits on turns dies; a wake there finds nobody. */
	assert_int_equal(sys_futex((u64)&t->turns, FUTEX_WAKE, 9, 0, 0, 0), 1);
	assert_int_equal(sys_futex((u64)&t->word, FUTEX_WAKE, 9, 0, 0, 0), 1);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(env_reap(pid[i], member[i], false), 0);
	assert_int_equal(t->turns, 3);
	t->waiters = 0;
	pid[0] = env_fork(sleeper, t, &member[0]);
	while (!t->waiters)
		kin_host_pause_us(100);
	kin_host_pause_us(2000);
	env_reap(pid[0], member[0], true);
	assert_int_equal(sys_futex((u64)&t->word, FUTEX_WAKE, 9, 0, 0, 0), 0);
	kin_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nonblocking_semantics),
		cmocka_unit_test(broken_pipe),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(vectors),
		cmocka_unit_test(resize),
		cmocka_unit_test(polls),
		cmocka_unit_test(stream_keeps_its_bytes),
		cmocka_unit_test(records_are_not_torn),
		cmocka_unit_test(ping_pong),
		cmocka_unit_test(killed_ends),
		cmocka_unit_test(reader_killed_asleep),
		cmocka_unit_test(waker_dies),
		cmocka_unit_test(fifos),
		cmocka_unit_test(epolls),
		cmocka_unit_test(futexes_between_members),
	};

	env_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
