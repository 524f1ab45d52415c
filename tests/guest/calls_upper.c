/* SPDX-License-Identifier: ISC */
/*
 * Arguments that Linux takes as int: what stands in the upper half of their registers does not
 * matter. Those that it takes as long are not used here.
 * @test timeout=30 members=3
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

/* A value with garbage above its 32 bits. */
#define U(x) ((uint32_t)(x) | 0xdeadbeef00000000UL)

static int fd, ends[2];

static void descriptors(void)
{
	char c = 'x';
	struct iovec part = {&c, 1};

	result("pipe2", syscall(SYS_pipe2, ends, U(O_NONBLOCK)));
	result("write", syscall(SYS_write, U(ends[1]), &c, 1));
	result("writev", syscall(SYS_writev, U(ends[1]), &part, 1));
	result("read", syscall(SYS_read, U(ends[0]), &c, 1));
	result("readv", syscall(SYS_readv, U(ends[0]), &part, 1));
	okay("openat", fd = (int)syscall(SYS_openat, U(AT_FDCWD), "f", U(O_RDWR | O_CREAT), 0600));
	result("pwrite", syscall(SYS_pwrite64, U(fd), "hello", 5, 0));
	result("pread", syscall(SYS_pread64, U(fd), &c, 1, 1));
	say("read %c", c);
	result("lseek", syscall(SYS_lseek, U(fd), 2, U(SEEK_SET)));
	result("fcntl", syscall(SYS_fcntl, U(fd), U(F_GETFD), 0));
	okay("fcntl dup", syscall(SYS_fcntl, U(fd), U(F_DUPFD_CLOEXEC), 50));
	result("dup2", syscall(SYS_dup2, U(fd), U(60)));
	result("dup3", syscall(SYS_dup3, U(fd), U(61), U(O_CLOEXEC)));
	result("close", syscall(SYS_close, U(61)));
	result("close_range", syscall(SYS_close_range, U(55), U(70), U(0)));
	result("close again", close(60));
	result("flock", syscall(SYS_flock, U(fd), U(1)));
	result("fsync", syscall(SYS_fsync, U(fd)));
	result("ftruncate", syscall(SYS_ftruncate, U(fd), 3));
	result("fchmod", syscall(SYS_fchmod, U(fd), U(0640)));
	result("fallocate", syscall(SYS_fallocate, U(fd), U(0), 0, 10));
	result("ioctl", syscall(SYS_ioctl, U(ends[0]), U(0x541b), &(int){0}));
	result("getdents", syscall(SYS_getdents64, U(fd), &c, U(1)));
}

static void names(void)
{
	struct stat st;

	result("mkdirat", syscall(SYS_mkdirat, U(AT_FDCWD), "d", U(0700)));
	result("newfstatat", syscall(SYS_newfstatat, U(AT_FDCWD), "d", &st, U(AT_SYMLINK_NOFOLLOW)));
	result("faccessat2", syscall(SYS_faccessat2, U(AT_FDCWD), "f", U(R_OK), U(AT_EACCESS)));
	result("linkat", syscall(SYS_linkat, U(AT_FDCWD), "f", U(AT_FDCWD), "g", U(0)));
	result("renameat2", syscall(SYS_renameat2, U(AT_FDCWD), "g", U(AT_FDCWD), "h", U(1)));
	result("unlinkat", syscall(SYS_unlinkat, U(AT_FDCWD), "h", U(0)));
	result("unlinkat d", syscall(SYS_unlinkat, U(AT_FDCWD), "d", U(AT_REMOVEDIR)));
	result("utimensat", syscall(SYS_utimensat, U(AT_FDCWD), "f", NULL, U(0)));
	result("access", syscall(SYS_access, "f", U(W_OK)));
	result("chmod", syscall(SYS_chmod, "f", U(0600)));
	result("umask", syscall(SYS_umask, U(022)));
	result("mknod", syscall(SYS_mknodat, U(AT_FDCWD), "p", U(S_IFIFO | 0600), U(0)));
}

static void waiting(void)
{
	struct pollfd poll_one = {ends[1], POLLOUT, 0};
	struct epoll_event event = {.events = EPOLLOUT};
	struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
	int epoll, timer, pair[2];
	uint64_t count;

	result("poll", syscall(SYS_poll, &poll_one, U(1), U(-1)));
	okay("epoll_create1", epoll = (int)syscall(SYS_epoll_create1, U(0)));
	result("epoll_ctl", syscall(SYS_epoll_ctl, U(epoll), U(EPOLL_CTL_ADD), U(ends[1]), &event));
	result("epoll_wait", syscall(SYS_epoll_wait, U(epoll), &event, U(1), U(-1)));
	okay("eventfd2", (int)syscall(SYS_eventfd2, U(3), U(0)));
	okay("timerfd", timer = (int)syscall(SYS_timerfd_create, U(CLOCK_MONOTONIC), U(0)));
	result("timerfd_settime", syscall(SYS_timerfd_settime, U(timer), U(0), &soon, NULL));
	result("timerfd read", read(timer, &count, sizeof(count)));
	result("socketpair", syscall(SYS_socketpair, U(AF_UNIX), U(SOCK_STREAM), U(0), pair));
	result("sendto", syscall(SYS_sendto, U(pair[0]), "ab", 2, U(0), NULL, 0));
	result("recvfrom", syscall(SYS_recvfrom, U(pair[1]), &count, 1, U(MSG_PEEK), NULL, NULL));
	result("shutdown", syscall(SYS_shutdown, U(pair[0]), U(SHUT_WR)));
	result("clock_gettime", syscall(SYS_clock_gettime, U(CLOCK_REALTIME), &soon));
	result("getitimer", syscall(SYS_getitimer, U(ITIMER_REAL), &soon));
}

static void processes(void)
{
	struct rlimit limit[2] = {{0}};
	siginfo_t info;
	int status;

	result("prlimit64", syscall(SYS_prlimit64, U(0), U(RLIMIT_STACK), NULL, &limit[0]));
	getrlimit(RLIMIT_STACK, &limit[1]);
	check("the same", limit[0].rlim_cur == limit[1].rlim_cur);
	result("getrlimit", syscall(SYS_getrlimit, U(RLIMIT_STACK), &limit[0]));
	result("getrlimit beyond", syscall(SYS_getrlimit, U(16), &limit[0]));
	result("getrusage", syscall(SYS_getrusage, U(RUSAGE_SELF), (char[256]){0}));
	result("getpgid", syscall(SYS_getpgid, U(0)) == getpgid(0));
	result("getpriority", syscall(SYS_getpriority, U(PRIO_PROCESS), U(0)) > 0);
	result("kill", syscall(SYS_kill, U(getpid()), U(0)));
	result("tgkill", syscall(SYS_tgkill, U(getpid()), U(getpid()), U(0)));
	result("sched_getscheduler", syscall(SYS_sched_getscheduler, U(0)));
	result("prctl", syscall(SYS_prctl, U(15 /* PR_SET_NAME */), "name"));
	result("sigaction", syscall(SYS_rt_sigaction, U(SIGUSR1), NULL, NULL, 8));
	pid_t pid = fork_or_die();
	if (pid == 0)
		syscall(SYS_exit_group, U(7));
	result("wait4", syscall(SYS_wait4, U(pid), &status, U(0), NULL) == pid);
	say("status %s", status_text(status));
	pid = fork_or_die();
	if (pid == 0)
		syscall(SYS_exit, U(8));
	result("waitid", syscall(SYS_waitid, U(P_PID), U(pid), &info, U(WEXITED), NULL));
	say("status %d", info.si_status);
	result("setuid", syscall(SYS_setresuid, U(-1), U(-1), U(-1)));
	result("madvise", syscall(SYS_madvise, (unsigned long)&info & ~4095UL, 4096, U(0)));
}

int main(void)
{
	work_dir();
	descriptors();
	names();
	waiting();
	processes();
	return finish();
}
