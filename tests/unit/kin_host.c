/* SPDX-License-Identifier: ISC */
/* See kin_host.h. */
#include "kin_host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>

static int kin_fd;

/* Kin's fixed address lies in what ASan keeps free. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "protect_shadow_gap=0:detect_leaks=0";
}

static void map_at(uint64_t addr, uint64_t len, int flags, int fd)
{
	void *p = mmap((void *)addr, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, fd,
		       0);

	if (p != (void *)addr) {
		perror("mmap");
		exit(1);
	}
}

void kin_host_map(uint64_t kin, uint64_t kin_size, uint64_t private, uint64_t private_size)
{
	kin_fd = memfd_create("kin", 0);
	if (kin_fd < 0 || ftruncate(kin_fd, (off_t)kin_size) < 0) {
		perror("memfd");
		exit(1);
	}
	map_at(kin, kin_size, MAP_SHARED, kin_fd);
	map_at(private, private_size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

int kin_host_punch(uint64_t offset, uint64_t len)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(kin_fd, mode, (off_t)offset, (off_t)len) ? -errno : 0;
}

long kin_host_futex(void *word, bool wake, uint32_t value, uint64_t timeout_ns)
{
	struct timespec t = {(time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
	long r = syscall(SYS_futex, word, wake ? FUTEX_WAKE : FUTEX_WAIT, value,
			 timeout_ns == KIN_HOST_FOREVER ? NULL : &t, NULL, 0);

	return r < 0 ? -errno : r;
}

uint64_t kin_host_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int kin_host_fork(void)
{
	int pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
	return pid;
}

int kin_host_reap(int pid, bool kill_it)
{
	int status = 0;

	if (kill_it)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) != pid)
		;
	return status;
}

void kin_host_pause_us(unsigned us)
{
	usleep(us);
}

_Noreturn void kin_host_die(int status, const char *text)
{
	if (text)
		fprintf(stderr, "%s\n", text);
	_exit(status);
}
