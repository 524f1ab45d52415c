/* SPDX-License-Identifier: ISC */
/*
 * Thread-local storage and the FS base: kept by fork, by a signal handler and by a blocking read;
 * GS is the application's too.
 * @test timeout=20 members=2 also=pie,musl
 */
#include "guest.h"

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };

static __thread int local = 5;
static __thread char text[100] = "initial";
static volatile int seen_by_handler;

static void handler(int number)
{
	(void)number;
	seen_by_handler = local;
}

int main(void)
{
	unsigned long fs = 0, fs_child = 0, gs = 0;
	static unsigned long gs_block[4] = {0, 77, 0, 0};
	struct gate gate;

	gate_make(&gate);
	result("ARCH_GET_FS", syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	result("ARCH_SET_GS", syscall(SYS_arch_prctl, ARCH_SET_GS, gs_block));
	local = 9;
	strcpy(text, "changed");
	on_signal(SIGUSR1, handler, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		unsigned long through_gs;

		syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_child);
		syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
		__asm__ volatile("mov %%gs:8, %0" : "=r"(through_gs));
		int right = local == 9 && !strcmp(text, "changed") && fs == fs_child &&
					gs == (unsigned long)gs_block && through_gs == 77;
		local = 10;
		raise(SIGUSR1);
		gate_open(&gate);
		_exit(right && seen_by_handler == 10 ? 0 : 1);
	}
	gate_wait(&gate);
	child_report("child", pid);
	say("local: %d %s", local, text);
	raise(SIGUSR1);
	say("seen by the handler: %d", seen_by_handler);
	result("ARCH_SET_FS above the top", syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 63));
	result("unknown arch_prctl", syscall(SYS_arch_prctl, 0x9999, 0));
	return finish();
}
