/* SPDX-License-Identifier: ISC */
/*
 * For the terminal test: isatty, the window's size, locked settings, then a child in the
 * foreground group waits for Ctrl-C.
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

/* TIOCSLCKTRMIOS, which root may: what is locked stays when settings change. */
static void locked(void)
{
	struct termios lock = {0}, before, after;

	result("lock", ioctl(0, TIOCGLCKTRMIOS, &lock));
	say("locked: %#x", (unsigned)lock.c_lflag);
	lock.c_lflag = ECHO;
	result("lock ECHO", ioctl(0, TIOCSLCKTRMIOS, &lock));
	tcgetattr(0, &before);
	after = before;
	after.c_lflag ^= ECHO | ECHOK;
	tcsetattr(0, TCSANOW, &after);
	tcgetattr(0, &after);
	say("changed: echo %d echok %d", !!((before.c_lflag ^ after.c_lflag) & ECHO),
		!!((before.c_lflag ^ after.c_lflag) & ECHOK));
	memset(&lock, 0, sizeof(lock));
	ioctl(0, TIOCSLCKTRMIOS, &lock);
	tcsetattr(0, TCSANOW, &before);
}

int main(void)
{
	struct winsize size;

	say("isatty: %d %d %d", isatty(0), isatty(1), isatty(2));
	result("TIOCGWINSZ", ioctl(0, TIOCGWINSZ, &size));
	say("size: %d x %d", size.ws_col, size.ws_row);
	locked();
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
