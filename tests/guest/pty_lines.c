/* SPDX-License-Identifier: ISC */
/*
 * Pseudo-terminals without sessions: opening, names, the line discipline in both directions and
 * modes, readiness, what each side sees when the other goes.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <asm/ioctls.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

static void show_bytes(const char *what, const char *text, ssize_t n)
{
	char line[600];
	size_t at = 0;

	if (n < 0) {
		say("%s: %s", what, errno_name(errno));
		return;
	}
	for (ssize_t i = 0; i < n && at < sizeof(line) - 8; i++) {
		unsigned char c = (unsigned char)text[i];
		at += (size_t)snprintf(line + at, 8, c < 32 || c > 126 ? "<%02x>" : "%c", c);
	}
	line[at] = '\0';
	say("%s: %zd [%s]", what, n, line);
}

static void show_read(const char *what, int fd, size_t size)
{
	char text[512];

	show_bytes(what, text, read(fd, text, size));
}

/* Everything that has been echoed or written; it is there at once or soon. */
static void show_screen(const char *what)
{
	char text[512];
	ssize_t n = 0;
	struct pollfd p = {master, POLLIN, 0};

	while (n < (ssize_t)sizeof(text) && poll(&p, 1, 100) == 1 && (p.revents & POLLIN)) {
		ssize_t got = read(master, text + n, sizeof(text) - (size_t)n);
		if (got <= 0)
			break;
		n += got;
	}
	show_bytes(what, text, n);
}

static void type(const char *text)
{
	if (write(master, text, strlen(text)) != (ssize_t)strlen(text))
		die("write to master");
}

static void show_poll(const char *what, int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	poll(&p, 1, 0);
	say("%s:%s%s%s%s", what, p.revents & POLLIN ? " IN" : "", p.revents & POLLOUT ? " OUT" : "",
		p.revents & POLLHUP ? " HUP" : "", p.revents & POLLERR ? " ERR" : "");
}

static void open_both(void)
{
	char name[64], *path;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		die("posix_openpt");
	path = ptsname(master);
	okay("open while locked", slave = open(path, O_RDWR | O_NOCTTY));
	result("grantpt", grantpt(master));
	result("unlockpt", unlockpt(master));
	slave = open(path, O_RDWR | O_NOCTTY);
	okay("open", slave);
	check("isatty", isatty(slave) && isatty(master));
	check("ttyname", ttyname_r(slave, name, sizeof(name)) == 0 && !strcmp(name, path));
	int lock = -1;
	result("TIOCGPTLCK", ioctl(master, TIOCGPTLCK, &lock));
	say("lock %d", lock);
	int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	okay("TIOCGPTPEER", peer);
	struct stat a, b;
	check("same node", !fstat(peer, &a) && !fstat(slave, &b) && a.st_rdev == b.st_rdev &&
						   S_ISCHR(a.st_mode) && a.st_rdev >> 8 == 136);
	close(peer);
	result("slave TIOCGPTN", ioctl(slave, TIOCGPTN, &lock));
}

static void settings(void)
{
	static const char characters[] = "\003\034\177\025\004\0\1\0\021\023\032\0\022\017\027\026";
	struct termios t;

	tcgetattr(slave, &t);
	say("flags %o %o %o %o", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
	for (int i = 0; i < 17; i++)
		if (i != VSWTC)
			expect("character", t.c_cc[i] == (cc_t)characters[i]);
	say("speed %d", cfgetospeed(&t) == B38400);
	struct winsize w = {24, 80, 0, 0}, v;
	result("TIOCSWINSZ", ioctl(master, TIOCSWINSZ, &w));
	ioctl(slave, TIOCGWINSZ, &v);
	say("window %d x %d", v.ws_row, v.ws_col);
	cfsetospeed(&t, B115200);
	cfsetispeed(&t, B115200);
	result("tcsetattr", tcsetattr(master, TCSANOW, &t));
	tcgetattr(slave, &t);
	check("speed through the master", cfgetospeed(&t) == B115200);
}

static void canonical(void)
{
	char line[64];
	int n;

	show_poll("slave, nothing typed", slave);
	type("unfinished");
	show_screen("echo");
	show_poll("slave, no line yet", slave);
	ioctl(slave, FIONREAD, &n);
	say("FIONREAD %d", n);
	type(" line\rsecond\n");
	show_screen("echo");
	show_poll("slave, lines", slave);
	ioctl(slave, FIONREAD, &n);
	say("FIONREAD %d", n);
	show_read("first", slave, 512);
	show_read("part", slave, 3);
	show_read("rest", slave, 512);
	type("abc\177\177x\ttab\177\177\177\177y\n");
	show_screen("erase");
	show_read("erased", slave, 512);
	type("one two  \027three\nfour\025five\n\026\003\001\n");
	show_screen("word, line, literal, control");
	show_read("word", slave, 512);
	show_read("line", slave, 512);
	show_read("literal", slave, 512);
	type("eof in a line\004");
	show_read("without newline", slave, 512);
	type("four\004");
	show_read("exactly", slave, 4);
	type("\004");
	show_read("end of file", slave, 512);
	type("re\022print\n");
	show_screen("reprint");
	show_read("reprinted", slave, sizeof(line));
	write(slave, "a\tb\nc\r\n", 7);
	show_screen("output");
}

static void long_line(void)
{
	char text[6000];
	struct termios t;

	tcgetattr(slave, &t);
	t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(slave, TCSANOW, &t);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	result("long line typed", write(master, text, sizeof(text)));
	result("long line read", read(slave, text, sizeof(text)));
	say("ends with newline: %d", text[4095] == '\n');
	t.c_lflag |= ECHO;
	tcsetattr(slave, TCSANOW, &t);
}

static void raw(void)
{
	struct termios t;

	tcgetattr(slave, &t);
	type("left over");
	show_screen("echo");
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	show_read("left over", slave, 512);
	type("\003\r\n\004");
	show_read("raw", slave, 512);
	show_screen("no echo");
	write(slave, "a\nb", 3);
	show_screen("raw output");
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	tcsetattr(slave, TCSANOW, &t);
	show_read("VTIME over", slave, 512);
	t.c_cc[VTIME] = 0;
	tcsetattr(slave, TCSANOW, &t);
	show_read("polling read", slave, 512);
	t.c_cc[VMIN] = 3;
	tcsetattr(slave, TCSANOW, &t);
	type("ab");
	show_poll("two of three", slave);
	type("cd");
	show_poll("four of three", slave);
	show_read("VMIN 3", slave, 512);
	type("gone");
	result("TCFLSH", tcflush(slave, TCIFLUSH));
	int n = -1;
	ioctl(slave, FIONREAD, &n);
	say("after the flush %d", n);
	t.c_iflag |= IXON;
	t.c_cc[VMIN] = 1;
	tcsetattr(slave, TCSANOW, &t);
	struct pollfd room = {slave, POLLOUT, 0};
	type("\023");
	while (poll(&room, 1, 0) == 1) /* what is typed arrives a little later */
		usleep(1000);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	result("write while stopped", write(slave, "z", 1));
	type("\021");
	poll(&room, 1, 5000);
	result("write after start", write(slave, "z", 1));
	show_screen("started");
	result("nonblocking read", read(slave, &n, 1));
	fcntl(slave, F_SETFL, O_RDWR);
}

static void ends(void)
{
	write(slave, "last", 4);
	close(slave);
	show_poll("master, slave closed", master);
	show_read("what it wrote", master, 512);
	show_poll("master, slave closed", master);
	show_read("master", master, 512);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	show_poll("master, slave open again", master);
	char name[64];
	strcpy(name, ptsname(master));
	int path = open(name, O_PATH);
	close(master);
	show_poll("slave, master closed", slave);
	show_read("slave", slave, 512);
	result("slave writes", write(slave, "x", 1));
	struct termios t;
	result("tcgetattr", tcgetattr(slave, &t));
	result("open by name", open(name, O_RDWR | O_NOCTTY));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	result("open by link", open(name, O_RDWR | O_NOCTTY));
	close(slave);
}

int main(void)
{
	open_both();
	settings();
	canonical();
	long_line();
	raw();
	ends();
	return finish();
}
