/* SPDX-License-Identifier: ISC */
/*
 * SIGIO: who owns an open file hears when something can be done with it, and with F_SETSIG of which
 * and what. Pipes, sockets, pseudo-terminals and inotify; processes, groups and threads as owners;
 * who may not be told.
 * @test timeout=30 members=8
 */
#include "guest.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

static int rt;

static const char *reason_name(int code)
{
	static const char *const names[] = {"0", "IN", "OUT", "MSG", "ERR", "PRI", "HUP"};

	return code >= 0 && code < 7 ? names[code] : code == SI_SIGIO ? "SI_SIGIO" : "KERNEL";
}

/* All signals that are pending now; of those of F_SETSIG what they tell. */
static void drain(const char *what, int fd)
{
	struct timespec none = {0, 0};
	char line[256];
	siginfo_t info;
	sigset_t set;
	int n = 0, len = 0, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, rt);
	line[0] = 0;
	while ((sig = sigtimedwait(&set, &info, &none)) > 0) {
		if (sig == SIGIO)
			len += snprintf(line + len, sizeof(line) - len, " SIGIO(%s)",
							info.si_code == SI_KERNEL ? "kernel" : "other");
		else
			len += snprintf(line + len, sizeof(line) - len, " %s%s:%#lx",
							reason_name(info.si_code), info.si_fd == fd ? "" : "(other fd)",
							(unsigned long)info.si_band);
		if (++n == 8)
			break;
	}
	say("%s:%s", what, n ? line : " nothing");
}

/* Linux's terminals do their work later: the first signal may take a while. */
static void drain_soon(const char *what, int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	expect("readable", poll(&p, 1, 5000) == 1);
	usleep(20000); /* between being readable and the signal */
	drain(what, fd);
}

/* Of signals that say the same: Linux tells the end of a TCP connection twice. */
static void drain_first(const char *what, int fd)
{
	struct timespec none = {0, 0}, soon = {5, 0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, rt);
	if (sigtimedwait(&set, &info, &soon) < 0)
		die("sigtimedwait");
	say("%s: %s, its descriptor %d", what, reason_name(info.si_code), info.si_fd == fd);
	usleep(20000);
	while (sigtimedwait(&set, &info, &none) > 0)
		;
}

static void own(int fd, int sig)
{
	expect("F_SETOWN", fcntl(fd, F_SETOWN, getpid()) == 0);
	expect("F_SETSIG", fcntl(fd, F_SETSIG, sig) == 0);
	expect("O_ASYNC", fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0);
}

static void calls(void)
{
	struct f_owner_ex ex = {F_OWNER_TID, gettid()}, got = {9, 9};
	int p[2], plain = open("/tmp", O_RDONLY), child, status;

	if (pipe(p))
		die("pipe");
	result("no owner", fcntl(p[0], F_GETOWN));
	result("no signal", fcntl(p[0], F_GETSIG));
	result("F_SETOWN_EX", fcntl(p[0], F_SETOWN_EX, &ex));
	result("F_GETOWN_EX", fcntl(p[0], F_GETOWN_EX, &got));
	say("a thread: %d %d", got.type == F_OWNER_TID, got.pid == gettid());
	check("F_GETOWN of a thread", fcntl(p[0], F_GETOWN) == gettid());
	ex = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
	result("of a group", fcntl(p[0], F_SETOWN_EX, &ex));
	got.pid = 0;
	fcntl(p[0], F_GETOWN_EX, &got);
	say("a group: %d %d", got.type == F_OWNER_PGRP, got.pid == getpgrp());
	result("-group", fcntl(p[0], F_SETOWN, -getpgrp()));
	ex.type = 7;
	result("no such type", fcntl(p[0], F_SETOWN_EX, &ex));
	result("bad pointer", fcntl(p[0], F_SETOWN_EX, 8));
	result("no such process", fcntl(p[0], F_SETOWN, 30000));
	result("no such group", fcntl(p[0], F_SETOWN, -30000));
	result("least number", fcntl(p[0], F_SETOWN, (int)0x80000000));
	result("signal 65", fcntl(p[0], F_SETSIG, 65));
	result("signal -1", fcntl(p[0], F_SETSIG, -1));
	result("signal 40", fcntl(p[0], F_SETSIG, 40));
	result("F_GETSIG", fcntl(p[0], F_GETSIG));
	result("nobody", fcntl(p[0], F_SETOWN, 0));
	result("F_GETOWN", fcntl(p[0], F_GETOWN));
	child = fork();
	if (child == 0)
		_exit(0);
	result("a child", fcntl(p[0], F_SETOWN, child));
	waitpid(child, &status, 0);
	result("that has ended", fcntl(p[0], F_GETOWN));
	result("a directory", fcntl(plain, F_SETOWN, getpid()));
	check("has one", fcntl(plain, F_GETOWN) == getpid());
	result("O_ASYNC of a directory", fcntl(plain, F_SETFL, O_ASYNC));
	check("without effect", !(fcntl(plain, F_GETFL) & O_ASYNC));
	int on = 1;
	result("FIOASYNC of a directory", ioctl(plain, FIOASYNC, &on));
	result("FIOASYNC of a pipe", ioctl(p[0], FIOASYNC, &on));
	check("with effect", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
	close(p[0]);
	close(p[1]);
	close(plain);
}

static void pipes(void)
{
	int p[2];
	char c[8];

	if (pipe2(p, O_NONBLOCK))
		die("pipe");
	own(p[0], rt);
	own(p[1], rt);
	drain("pipe, before", p[0]);
	expect("write", write(p[1], "x", 1) == 1);
	drain("pipe, written", p[0]);
	expect("write", write(p[1], "x", 1) == 1);
	drain("pipe, written again", p[0]);
	expect("read", read(p[0], c, 1) == 1);
	drain("pipe, read", p[1]);
	fcntl(p[1], F_SETSIG, 0);
	expect("read", read(p[0], c, 1) == 1);
	drain("pipe, without F_SETSIG", p[1]);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	expect("write", write(p[1], "x", 1) == 1);
	drain("pipe, O_ASYNC off", p[0]);
	fcntl(p[0], F_SETFL, O_NONBLOCK | O_ASYNC);
	close(p[1]);
	drain("pipe, end of the writer", p[0]);
	close(p[0]);
}

static void sockets(int type, const char *name)
{
	char what[64], buf[4096] = {0};
	int s[2], n = 0;

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s))
		die("socketpair");
	own(s[0], rt);
#define WHAT(text) (snprintf(what, sizeof(what), "%s, %s", name, text), what)
	expect("send", send(s[1], "x", 1, 0) == 1);
	drain(WHAT("sent"), s[0]);
	expect("receive", recv(s[0], buf, 1, 0) == 1);
	drain(WHAT("received"), s[0]);
	expect("send", send(s[0], "x", 1, 0) == 1 && recv(s[1], buf, 1, 0) == 1);
	drain(WHAT("the other received"), s[0]);
	while (send(s[0], buf, sizeof(buf), 0) > 0)
		n++;
	drain(WHAT("full"), s[0]);
	while (n-- && recv(s[1], buf, sizeof(buf), 0) > 0)
		;
	drain(WHAT("room"), s[0]);
	shutdown(s[1], SHUT_WR);
	drain(WHAT("shut"), s[0]);
	close(s[1]);
	drain(WHAT("closed"), s[0]);
	close(s[0]);
}

static void listener(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0signal_io"};
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	own(l, rt);
	own(c, rt);
	if (bind(l, (void *)&name, sizeof(name)) || listen(l, 3))
		die("listen");
	expect("connect", connect(c, (void *)&name, sizeof(name)) == 0);
	drain("listener, connected", l);
	int a = accept(l, NULL, NULL);
	expect("send", send(a, "x", 1, 0) == 1);
	drain("connected, sent", c);
	int pid = -getpgrp();
	result("SIOCSPGRP", ioctl(a, FIOSETOWN, &pid));
	pid = 0;
	result("SIOCGPGRP", ioctl(a, FIOGETOWN, &pid));
	check("the group", pid == -getpgrp());
	close(a);
	drain("connected, closed", c);
	close(c);
	close(l);
}

static void internet(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	int udp = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0), conn;
	socklen_t size = sizeof(a);

	own(listening, rt);
	expect("bind", bind(listening, (void *)&a, size) == 0 && listen(listening, 4) == 0);
	expect("name", getsockname(listening, (void *)&a, &size) == 0);
	expect("connect", connect(client, (void *)&a, size) == 0);
	drain_soon("tcp listener", listening);
	conn = accept(listening, NULL, NULL);
	own(conn, rt);
	expect("write", write(client, "x", 1) == 1);
	drain_soon("tcp data", conn);
	close(client);
	drain_first("tcp end", conn);
	a.sin_port = 0;
	expect("bind", bind(udp, (void *)&a, size) == 0);
	expect("name", getsockname(udp, (void *)&a, &size) == 0);
	own(udp, rt);
	expect("sendto", sendto(sender, "x", 1, 0, (void *)&a, size) == 1);
	drain_soon("udp", udp);
	close(conn);
	close(listening);
	close(udp);
	close(sender);
}

static void terminals(void)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s;
	struct termios t;
	char c[16];

	grantpt(m);
	unlockpt(m);
	s = open(ptsname(m), O_RDWR | O_NOCTTY);
	if (s < 0)
		die("pty");
	tcgetattr(s, &t);
	t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(s, TCSANOW, &t);
	fcntl(s, F_SETSIG, rt);
	fcntl(s, F_SETFL, O_RDWR | O_ASYNC);
	check("a terminal's owner at first", fcntl(s, F_GETOWN) == getpid());
	expect("type", write(m, "ab", 2) == 2);
	drain("terminal, part of a line", s);
	expect("type", write(m, "\n", 1) == 1);
	drain_soon("terminal, a line", s);
	expect("line", read(s, c, sizeof(c)) == 3);
	own(m, rt);
	expect("write", write(s, "xy", 2) == 2);
	drain_soon("terminal, written", m);
	t.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(s, TCSANOW, &t);
	drain("terminal, settings", s);
	expect("type", write(m, "c", 1) == 1);
	drain_soon("terminal, a key", s);
	close(m);
	drain("terminal, hung up", s);
	close(s);
}

static void inotify(void)
{
	int in = inotify_init1(IN_NONBLOCK), other = inotify_init1(IN_NONBLOCK);
	char dir[] = "/tmp/signal_ioXXXXXX", file[64];

	if (!mkdtemp(dir))
		die("mkdtemp");
	snprintf(file, sizeof(file), "%s/f", dir);
	inotify_add_watch(in, dir, IN_CREATE);
	inotify_add_watch(other, "/", IN_CREATE);
	own(in, rt);
	own(other, rt);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	drain("inotify", in);
	unlink(file);
	rmdir(dir);
	drain("inotify, its watch has ended", in);
	close(in);
	close(other);
}

/* The owner is a child, or its group, and another process makes the event. */
static void others(void)
{
	int p[2], ready[2], child, status;

	if (pipe(p) || pipe(ready))
		die("pipe");
	child = fork();
	if (child == 0) {
		siginfo_t info;
		sigset_t set;

		setpgid(0, 0);
		sigemptyset(&set);
		sigaddset(&set, rt);
		expect("ready", write(ready[1], "r", 1) == 1);
		for (int i = 0; i < 2; i++)
			if (sigwaitinfo(&set, &info) == rt)
				say("child: %s fd %d", reason_name(info.si_code), info.si_fd == p[0]);
		_exit(0);
	}
	char c;
	expect("ready", read(ready[0], &c, 1) == 1);
	own(p[0], rt);
	fcntl(p[0], F_SETOWN, child);
	expect("write", write(p[1], "x", 1) == 1);
	fcntl(p[0], F_SETOWN, -child);
	if (fork() == 0) {
		expect("write", write(p[1], "x", 1) == 1);
		_exit(0);
	}
	wait(&status);
	wait(&status);
	drain("the parent", p[0]);

	/* Who set the owner had no right to signal it. */
	if (geteuid() == 0) {
		child = fork();
		if (child == 0) {
			if (setresuid(1, 1, 1))
				die("setresuid");
			fcntl(p[0], F_SETOWN, getppid());
			_exit(0);
		}
		waitpid(child, &status, 0);
		expect("write", write(p[1], "x", 1) == 1);
	}
	drain("set by nobody", p[0]);
	close(p[0]);
	close(p[1]);
}

static void full_queue(void)
{
	struct rlimit was, none;
	int p[2];

	if (pipe(p))
		die("pipe");
	own(p[0], rt);
	getrlimit(RLIMIT_SIGPENDING, &was);
	none = (struct rlimit){0, was.rlim_max};
	setrlimit(RLIMIT_SIGPENDING, &none);
	expect("write", write(p[1], "x", 1) == 1);
	setrlimit(RLIMIT_SIGPENDING, &was);
	drain("no room in the queue", p[0]);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	sigset_t set;

	rt = SIGRTMIN + 3;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, rt);
	sigprocmask(SIG_BLOCK, &set, NULL);
	calls();
	pipes();
	sockets(SOCK_STREAM, "stream");
	sockets(SOCK_DGRAM, "datagrams");
	sockets(SOCK_SEQPACKET, "packets");
	listener();
	internet();
	terminals();
	inotify();
	others();
	full_queue();
	return finish();
}
