/* SPDX-License-Identifier: ISC */
/*
 * Calls that take no file: what each answers to arguments that are wrong, one at a time and two at
 * once, which shows the order in which they are looked at. One line per call.
 * @test timeout=60 members=6 nosvm
 */
#include "guest.h"
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/utsname.h>

static char *bad, *page, *read_only, *free_range;
static pid_t zombie, other;
static int shm, sem, msg, ends[2];

#define KERNEL ((void *)-4096L)
#define LOW ((void *)16L)
#define BUFFER (page + 96)
#define NOBODY 3999999 /* a process that does not exist */

#define OP(call)                                  \
	{                                             \
		memset(page, 0, 4096);                    \
		errno = 0;                                \
		show(#call, (long)(call));                \
	}

static void show(const char *text, long rc)
{
	if (rc == -1)
		say("%s: %s", text, errno_name(errno));
	else
		say("%s: %s", text, rc > 0 ? "more" : rc < 0 ? "less" : "0");
}

static void prepare(void)
{
	page = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad = page + 4096;
	read_only = page + 8192;
	free_range = page + 3 * 4096;
	mprotect(bad, 4096, PROT_NONE);
	mprotect(read_only, 4096, PROT_READ);
	munmap(free_range, 4096);
	zombie = fork_or_die();
	if (zombie == 0)
		_exit(3);
	waitid(P_PID, (id_t)zombie, &(siginfo_t){0}, WEXITED | WNOWAIT);
	other = fork_or_die();
	if (other == 0)
		for (;;)
			pause();
	shm = shmget(IPC_PRIVATE, 4096, 0600);
	sem = semget(IPC_PRIVATE, 2, 0600);
	msg = msgget(IPC_PRIVATE, 0600);
	if (shm < 0 || sem < 0 || msg < 0 || pipe(ends) < 0)
		die("objects");
}

static void clean_up(void)
{
	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
	kill(other, SIGKILL);
	child_wait(other);
	child_wait(zombie);
}

static void memory(void)
{
#include "errors_memory.def"
}

static void signals(void)
{
#include "errors_signals.def"
}

static void processes(void)
{
#include "errors_processes.def"
}

static void times_and_waiting(void)
{
#include "errors_times.def"
}

static void objects(void)
{
#include "errors_objects.def"
}

int main(void)
{
	work_dir();
	signal(SIGPIPE, SIG_IGN);
	prepare();
	memory();
	signals();
	processes();
	times_and_waiting();
	objects();
	clean_up();
	return finish();
}
