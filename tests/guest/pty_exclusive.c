/* SPDX-License-Identifier: ISC */
/*
 * A terminal that may not be opened again (TIOCEXCL), settings that may not be changed
 * (TIOCSLCKTRMIOS), and a terminal that is not one's own: O_NOCTTY is kept, and it does not say
 * whose it is.
 * @test timeout=20 members=6
 */
#include "guest.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

/* The kernel's struct termios, which is shorter than the C library's. */
struct kernel_termios {
	unsigned int c_iflag, c_oflag, c_cflag, c_lflag;
	unsigned char c_line, c_cc[19];
};

static char name[64];

static int reopen(void)
{
	int fd = open(name, O_RDWR | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd;
}

static void as_nobody(void (*body)(int), int fd)
{
	int status;

	if (fork() == 0) {
		if (getuid() == 0 && setresuid(65534, 65534, 65534))
			die("setresuid");
		body(fd);
		_exit(0);
	}
	wait(&status);
}

static void try_open(int slave)
{
	(void)slave;
	okay("open by another user", reopen());
	okay("/dev/tty", open("/dev/tty", O_RDWR));
}

static void exclusive(int master, int slave)
{
	int is = -1;

	result("TIOCGEXCL", ioctl(slave, TIOCGEXCL, &is));
	say("exclusive: %d", is);
	fchmod(slave, 0666);
	as_nobody(try_open, slave);
	result("TIOCEXCL", ioctl(slave, TIOCEXCL));
	ioctl(slave, TIOCGEXCL, &is);
	say("exclusive: %d", is);
	ioctl(master, TIOCGEXCL, &is);
	say("of the master: %d", is);
	as_nobody(try_open, slave);
	result("TIOCNXCL", ioctl(slave, TIOCNXCL));
	as_nobody(try_open, slave);
	result("TIOCEXCL of the master", ioctl(master, TIOCEXCL));
	ioctl(slave, TIOCGEXCL, &is);
	say("of the slave: %d", is);
	result("TIOCGEXCL, bad pointer", ioctl(slave, TIOCGEXCL, 8));
}

static void may_not_lock(int slave)
{
	struct kernel_termios locked = {.c_lflag = ECHO};

	result("TIOCSLCKTRMIOS by another user", ioctl(slave, TIOCSLCKTRMIOS, &locked));
	result("TIOCGLCKTRMIOS by another user", ioctl(slave, TIOCGLCKTRMIOS, &locked));
}

static void locked(int slave)
{
	struct kernel_termios lock = {0}, t;

	result("TIOCGLCKTRMIOS", ioctl(slave, TIOCGLCKTRMIOS, &lock));
	say("locked: %o %o %o %o %d", lock.c_iflag, lock.c_oflag, lock.c_cflag, lock.c_lflag,
		lock.c_cc[VINTR]);
	as_nobody(may_not_lock, slave);
	lock.c_lflag = ECHO;
	lock.c_cc[VINTR] = 1;
	if (geteuid() == 0) {
		result("TIOCSLCKTRMIOS", ioctl(slave, TIOCSLCKTRMIOS, &lock));
		memset(&lock, 0, sizeof(lock));
		ioctl(slave, TIOCGLCKTRMIOS, &lock);
		say("locked: %d %d", lock.c_lflag == ECHO, lock.c_cc[VINTR]);
	}
	if (ioctl(slave, TCGETS, &t))
		die("TCGETS");
	t.c_lflag &= ~(unsigned)(ECHO | ICANON);
	t.c_cc[VINTR] = 7;
	t.c_cc[VQUIT] = 8;
	result("TCSETS", ioctl(slave, TCSETS, &t));
	ioctl(slave, TCGETS, &t);
	say("ECHO %d ICANON %d keys %d %d", !!(t.c_lflag & ECHO), !!(t.c_lflag & ICANON),
		t.c_cc[VINTR], t.c_cc[VQUIT]);
}

static void foreign(void)
{
	int status, id, t;

	if (fork() == 0) {
		setsid();
		t = open(name, O_RDWR | O_NOCTTY);
		check("O_NOCTTY is not shown", !(fcntl(t, F_GETFL) & O_NOCTTY));
		result("TIOCGPGRP", ioctl(t, TIOCGPGRP, &id));
		result("TIOCGSID", ioctl(t, TIOCGSID, &id));
		result("TIOCSPGRP", ioctl(t, TIOCSPGRP, &(int){getpid()}));
		okay("/dev/tty", open("/dev/tty", O_RDWR));
		close(t);
		okay("open without O_NOCTTY", t = open(name, O_RDWR));
		okay("TIOCGPGRP", ioctl(t, TIOCGPGRP, &id));
		check("its own", id == getpid());
		okay("/dev/tty", open("/dev/tty", O_RDWR));
		_exit(0);
	}
	wait(&status);
}

int main(void)
{
	int master, slave;

	if (openpty(&master, &slave, name, NULL, NULL))
		die("openpty");
	setsid();
	foreign();
	exclusive(master, slave);
	locked(slave);
	return finish();
}
