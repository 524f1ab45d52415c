/* SPDX-License-Identifier: ISC */
/*
 * For the terminal test: isatty, the window's size, then a child in the foreground group waits
 * for Ctrl-C.
 * @test timeout=60 members=2
 */
#include "guest.h"
#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t got;

static void handler(int number)
{
	got = number;
}

int main(void)
{
	struct winsize size;

	say("isatty: %d %d %d", isatty(0), isatty(1), isatty(2));
	result("TIOCGWINSZ", ioctl(0, TIOCGWINSZ, &size));
	say("size: %d x %d", size.ws_col, size.ws_row);
	on_signal(SIGINT, handler, 0);
	signals_block(SIGINT, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signals_unblock(SIGINT, 0);
		say("ready");
		for (int i = 0; i < 1000; i++)
			pause();
		_exit(1);
	}
	child_report("child", pid);
	signals_unblock(SIGINT, 0);
	say("parent: %s", got == SIGINT ? "SIGINT" : "nothing");
	return finish();
}
