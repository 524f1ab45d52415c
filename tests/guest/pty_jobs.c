/* SPDX-License-Identifier: ISC */
/*
 * A pseudo-terminal as controlling terminal: signals that are typed, background reads, writes and
 * settings, the window's size, hanging up, /dev/tty.
 * @test timeout=30 members=10
 */
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static struct gate gate, back;
static volatile sig_atomic_t seen[65];

static void note(int sig)
{
	seen[sig]++;
}

static void catch(int sig)
{
	struct sigaction a = {.sa_handler = note};

	sigaction(sig, &a, NULL);
}

static void wait_for(int sig)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, &old);
	while (!seen[sig])
		sigsuspend(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	seen[sig] = 0;
}

/* A child in a session of its own whose terminal is the slave; *master for the parent. */
static pid_t start(int *master, void (*body)(void))
{
	int out = dup(1);
	pid_t pid = forkpty(master, NULL, NULL, NULL);

	if (pid < 0)
		die("forkpty");
	if (pid == 0) {
		dup2(out, 1);
		body();
		_exit(0);
	}
	close(out);
	return pid;
}

static void typed(void)
{
	int tty = open("/dev/tty", O_RDWR), pgid = 0;

	okay("/dev/tty", tty);
	check("tcgetpgrp", tcgetpgrp(0) == getpgrp() && tcgetsid(0) == getpid());
	result("TIOCGPGRP on /dev/tty", ioctl(tty, TIOCGPGRP, &pgid));
	catch(SIGINT);
	catch(SIGQUIT);
	catch(SIGWINCH);
	gate_open(&back);
	wait_for(SIGINT);
	say("interrupted");
	gate_open(&back);
	wait_for(SIGQUIT);
	say("quit");
	gate_open(&back);
	wait_for(SIGWINCH);
	struct winsize w;
	ioctl(0, TIOCGWINSZ, &w);
	say("window %d", w.ws_col);
}

static void test_typed(void)
{
	int master, pgid = 0;
	pid_t pid = start(&master, typed);
	struct winsize w = {10, 42, 0, 0};

	gate_wait(&back);
	result("TIOCGPGRP on the master", ioctl(master, TIOCGPGRP, &pgid));
	check("the child's group", pgid == pid);
	write(master, "lost\003", 5);
	gate_wait(&back);
	write(master, "\034", 1);
	gate_wait(&back);
	ioctl(master, TIOCSWINSZ, &w);
	child_report("typed", pid);
	close(master);
}

/* The stops of a background child, one by one; it never comes to the foreground. */
static void stops(void)
{
	struct termios t;
	char c;
	int status;
	pid_t pid = fork_or_die();

	if (pid == 0) {
		setpgid(0, 0);
		sigset_t block;
		sigemptyset(&block);
		sigaddset(&block, SIGTTIN);
		sigprocmask(SIG_BLOCK, &block, NULL);
		result("read, SIGTTIN blocked", read(0, &c, 1));
		sigprocmask(SIG_UNBLOCK, &block, NULL);
		signal(SIGTTOU, SIG_IGN);
		tcgetattr(0, &t);
		t.c_lflag |= TOSTOP;
		result("set, SIGTTOU ignored", tcsetattr(0, TCSANOW, &t));
		result("write, SIGTTOU ignored", write(0, "w", 1));
		signal(SIGTTOU, SIG_DFL);
		write(0, "w", 1);
		_exit(1);
	}
	setpgid(pid, pid);
	waitpid(pid, &status, WUNTRACED);
	say("write under TOSTOP: %s", status_text(status));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pid = fork_or_die();
	if (pid == 0) {
		setpgid(0, 0);
		read(0, &c, 1);
		_exit(1);
	}
	setpgid(pid, pid);
	waitpid(pid, &status, WUNTRACED);
	say("read: %s", status_text(status));
	result("tcsetpgrp", tcsetpgrp(0, pid));
	kill(pid, SIGCONT);
	waitpid(pid, &status, WCONTINUED);
	gate_open(&back);
	waitpid(pid, &status, WUNTRACED);
	say("Ctrl-Z: %s", status_text(status));
	signal(SIGTTOU, SIG_IGN);
	result("tcsetpgrp from the background", tcsetpgrp(0, getpgrp()));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	result("tcsetpgrp to nobody's group", tcsetpgrp(0, pid));
}

static void test_background(void)
{
	int master;
	pid_t pid = start(&master, stops);

	gate_wait(&back);
	write(master, "\032", 1);
	child_report("background", pid);
	close(master);
}

static void hang_up_leader(void)
{
	char c;

	catch(SIGHUP);
	catch(SIGCONT);
	gate_open(&back);
	wait_for(SIGHUP);
	wait_for(SIGCONT);
	say("hung up");
	result("read", read(0, &c, 1));
	result("write", write(0, "x", 1));
	result("/dev/tty", open("/dev/tty", O_RDWR));
	result("tcgetpgrp", tcgetpgrp(0));
}

static void leader_exits(void)
{
	pid_t pid = fork_or_die();

	if (pid == 0) {
		setpgid(0, 0);
		catch(SIGHUP);
		gate_open(&back);
		wait_for(SIGHUP);
		say("foreground group hung up");
		result("/dev/tty", open("/dev/tty", O_RDWR));
		gate_open(&back);
		_exit(0);
	}
	setpgid(pid, pid);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(0, pid);
	gate_wait(&gate);
}

static void acquire(void)
{
	int master, other, slave, again;

	signal(SIGHUP, SIG_IGN);
	openpty(&other, &slave, NULL, NULL, NULL);
	result("second terminal", ioctl(slave, TIOCSCTTY, 0));
	result("TIOCNOTTY", ioctl(0, TIOCNOTTY));
	result("/dev/tty", open("/dev/tty", O_RDWR));
	result("TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
	result("TIOCSCTTY again", ioctl(slave, TIOCSCTTY, 0));
	check("tcgetsid", tcgetsid(slave) == getpid());
	result("the first", tcgetpgrp(0));
	ioctl(slave, TIOCNOTTY);
	master = posix_openpt(O_RDWR);
	unlockpt(master);
	result("no terminal from a master", open("/dev/tty", O_RDWR));
	again = open(ptsname(master), O_RDWR);
	check("open takes it", tcgetsid(again) == getpid());
}

/* O_NOCTTY: a session without a terminal stays without, until it opens one otherwise. */
static void test_no_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), id, tty;
	pid_t pid;

	if (master < 0 || grantpt(master) || unlockpt(master))
		die("posix_openpt");
	pid = fork_or_die();
	if (pid == 0) {
		setsid();
		tty = open(ptsname(master), O_RDWR | O_NOCTTY);
		result("TIOCGPGRP of another's", ioctl(tty, TIOCGPGRP, &id));
		result("TIOCGSID", ioctl(tty, TIOCGSID, &id));
		check("no flag of it", !(fcntl(tty, F_GETFL) & O_NOCTTY));
		okay("/dev/tty", open("/dev/tty", O_RDWR));
		close(open(ptsname(master), O_RDWR));
		okay("/dev/tty", open("/dev/tty", O_RDWR));
		_exit(0);
	}
	child_report("no terminal", pid);
	close(master);
}

int main(void)
{
	int master;

	gate_make(&gate);
	gate_make(&back);
	test_no_terminal();
	test_typed();
	test_background();

	pid_t pid = start(&master, hang_up_leader);
	gate_wait(&back);
	close(master);
	child_report("hang up", pid);

	pid = start(&master, leader_exits);
	gate_wait(&back);
	gate_open(&gate);
	gate_wait(&back);
	child_report("leader", pid);
	close(master);

	pid = start(&master, acquire);
	child_report("acquire", pid);
	close(master);
	return finish();
}
