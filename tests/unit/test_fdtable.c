/* SPDX-License-Identifier: ISC */
/*
 * Descriptor tables and the counts of open file descriptions, also after members died in the
 * middle.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>

#include "kin_env.h"
#include "kin_host.h"
#include "kernel/arch/arch.h"
#include "kernel/fd/file.h"
#include "kernel/kin/root.h"
#include "kernel/task/task_hooks.h"
#include "kernel/syscall/syscall.h"

static void lowest_free_descriptor(void **state)
{
	s32 fd[2];

	assert_int_equal(sys_pipe((u64)fd), 0);
	assert_int_equal(fd[0], 0);
	assert_int_equal(fd[1], 1);
	assert_int_equal(sys_dup(0), 2);
	assert_int_equal(sys_fcntl(0, F_DUPFD, 10), 10);
	assert_int_equal(sys_dup(0), 3);
	assert_int_equal(sys_close(2), 0);
	assert_int_equal(sys_fcntl(1, F_DUPFD_CLOEXEC, 2), 2);
	assert_int_equal(sys_fcntl(2, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(sys_dup2(0, 200), 200);
	assert_int_equal(sys_dup2(0, 0), 0);
	assert_int_equal(sys_dup2(77, 77), -EBADF);
	assert_int_equal(sys_dup2(0, 5000), -EBADF);
	assert_int_equal(sys_dup3(0, 0, 0), -EINVAL);
	assert_int_equal(sys_dup3(0, 100, O_CLOEXEC), 100);
	assert_int_equal(sys_fcntl(100, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(sys_ioctl(100, FIONCLEX, 0), 0);
	assert_int_equal(sys_fcntl(100, F_GETFD, 0), 0);
	assert_int_equal(sys_fcntl(0, F_DUPFD, 1024), -EINVAL);
	fdtable_close_on_exec(current->proc->kp->fds);
	assert_int_equal(sys_close(2), -EBADF);
	assert_int_equal(sys_close_range(0, 50, 0), 0);
	assert_int_equal(sys_close(10), -EBADF);
	assert_int_equal(sys_close_range(51, ~0u, CLOSE_RANGE_CLOEXEC), 0);
	assert_int_equal(sys_fcntl(200, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(sys_close_range(10, ~0u, 0), 0);
	assert_int_equal(sys_dup(0), -EBADF);
}

static void limit_is_emfile(void **state)
{
	s32 fd[2];

	sys_pipe((u64)fd);
	for (s64 n = 2; n < 1024; n++)
		assert_int_equal(sys_dup(0), n);
	assert_int_equal(sys_dup(0), -EMFILE);
	assert_int_equal(sys_pipe((u64)fd), -EMFILE);
	assert_int_equal(sys_close(1023), 0);
	assert_int_equal(sys_pipe((u64)fd), -EMFILE);
	assert_int_equal(sys_dup(0), 1023);
	sys_close_range(0, ~0u, 0);
}

static void flags_are_of_the_description(void **state)
{
	s32 fd[2], on = 1, bytes;

	sys_pipe2((u64)fd, O_CLOEXEC);
	sys_dup(fd[0]);
	assert_int_equal(sys_fcntl(2, F_GETFL, 0), O_RDONLY);
	assert_int_equal(sys_ioctl(fd[0], FIONBIO, (u64)&on), 0);
	assert_int_equal(sys_fcntl(2, F_GETFL, 0), O_RDONLY | O_NONBLOCK);
	assert_int_equal(sys_fcntl(2, F_SETFL, 0), 0);
	assert_int_equal(sys_fcntl(fd[0], F_GETFL, 0), O_RDONLY);
	assert_int_equal(sys_write(fd[1], (u64) "abc", 3), 3);
	assert_int_equal(sys_ioctl(2, FIONREAD, (u64)&bytes), 0);
	assert_int_equal(bytes, 3);
	assert_int_equal(sys_ioctl(2, TCGETS, 0), -ENOTTY);
	assert_int_equal(sys_fcntl(2, 9999, 0), -EINVAL);
	sys_close_range(0, ~0u, 0);
}

/* A clone holds what its parent has open; the description lives until both have closed it. */
static void hold_and_wait(void *arg)
{
	_Atomic u32 *go = arg;

	while (!atomic_load(go))
		kin_host_pause_us(100);
}

static void clones_count(void **state)
{
	_Atomic u32 *go = kin_alloc(16);
	u32 member;
	s32 fd[2];
	char c;

	sys_pipe2((u64)fd, O_NONBLOCK);
	int pid = env_fork(hold_and_wait, (void *)go, &member);
	sys_close(fd[1]);
	assert_int_equal(sys_read(fd[0], (u64)&c, 1), -EAGAIN);
	atomic_store(go, 1);
	assert_int_equal(env_reap(pid, member, false), 0);
	assert_int_equal(sys_read(fd[0], (u64)&c, 1), 0);
	sys_close(fd[0]);
	kin_free((void *)go);
}

/* Changes counts and tables all the time, to be killed in the middle of it. arg: a slot in kin. */
static void juggle(void *arg)
{
	struct fdtable **copy = arg;

	for (;;) {
		s32 fd[2];

		fdtable_clone(current->proc->kp->fds, copy);

		sys_dup2(0, 5);
		sys_dup2(1, 6);
		sys_pipe((u64)fd);
		sys_fcntl(0, F_DUPFD, 40);
		fdtable_drop(copy);
		sys_close(40);
		sys_close(fd[0]);
		sys_close(fd[1]);
		struct file *f = fdtable_get(current->proc->kp->fds, 1);
		file_hold(f);
		file_put(f);
		file_put(f);
	}
}

static void killed_jugglers_leave_counts_right(void **state)
{
	struct fdtable **copy = kin_alloc(2 * sizeof(*copy));
	u32 member[2];
	int pid[2];
	s32 fd[2];
	char c;

	for (u32 i = 0; i < 200; i++) {
		assert_int_equal(sys_pipe2((u64)fd, O_NONBLOCK), 0);
		for (u32 k = 0; k < 2; k++)
			pid[k] = env_fork(juggle, &copy[k], &member[k]);
		kin_host_pause_us(env_random(1000));
		for (u32 k = 0; k < 2; k++)
			env_reap(pid[k], member[k], true);
		for (u32 k = 0; k < 2; k++)
			fdtable_drop(&copy[k]);
		assert_int_equal(sys_write(fd[1], (u64) "x", 1), 1);
		sys_close(fd[1]);
		assert_int_equal(sys_read(fd[0], (u64)&c, 1), 1);
		/* Only if all references of the dead are gone is this the end. */
		assert_int_equal(sys_read(fd[0], (u64)&c, 1), 0);
		sys_close(fd[0]);
	}
	assert_int_equal(ref_count(&current->proc->kp->fds->ref), 1);
	kin_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowest_free_descriptor),
		cmocka_unit_test(limit_is_emfile),
		cmocka_unit_test(flags_are_of_the_description),
		cmocka_unit_test(clones_count),
		cmocka_unit_test(killed_jugglers_leave_counts_right),
	};

	env_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
