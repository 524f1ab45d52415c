/* SPDX-License-Identifier: ISC */
/*
 * Carrying between the user's standard streams and the pipes to a family. No stream waits for
 * another one: each has a buffer of its own, is read when that is empty and written when the other
 * side takes something. The user's own descriptors may be shared with others, so their mode is left
 * alone: what is written there at once fits into a pipe that has room at all.
 */
#include "cli/exec_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define BUFFER 65536
#define PIECE 4096 /* PIPE_BUF: what poll(2) promises that a pipe takes */

struct stream {
	int from, to;   /* -1: nothing more comes; nobody takes it any more */
	bool to_user;   /* `to` may block, and is not ours to close */
	size_t len, at;
	char bytes[BUFFER];
};

/* ---- the user's terminal */

static struct termios before;
static volatile sig_atomic_t raw, resized;

static void terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	raw = 0;
}

static void on_end(int sig)
{
	terminal_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_resize(int sig)
{
	resized = 1;
}

static void terminal_raw(void)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &(struct sigaction){.sa_handler = on_end}, NULL);
	t = before;
	cfmakeraw(&t);
	raw = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

/* A size is one write: whole, or not at all if nobody reads. */
static void size_tell(int fd)
{
	struct winsize size;

	for (int tty = STDIN_FILENO; tty <= STDERR_FILENO; tty++)
		if (ioctl(tty, TIOCGWINSZ, &size) == 0) {
			if (write(fd, &size, sizeof(size)) < 0 && errno == EINTR)
				resized = 1;
			return;
		}
}

/* ---- pipes */

/* ours: which end is ours. */
static int pipe_make(int *family, int *ours, int our_end, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, errno, "cannot make a pipe to the family");
	fcntl(fds[our_end], F_SETFL, O_NONBLOCK);
	*ours = fds[our_end];
	*family = fds[!our_end];
	return 0;
}

int exec_client_open(struct exec_client *c, bool interactive, bool terminal, bool detach,
					 struct error *err)
{
	*c = (struct exec_client){interactive, terminal, {-1, -1, -1}, -1, -1, -1};
	for (int i = 0; i < 3; i++)
		if ((detach || (i == 0 && !interactive && !terminal)) &&
			(c->family[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
			return error_set(err, errno, "cannot open /dev/null");
	if (detach)
		return 0;
	if ((c->family[0] < 0 && pipe_make(&c->family[0], &c->in, 1, err) < 0) ||
		pipe_make(&c->family[1], &c->out, 0, err) < 0 ||
		pipe_make(&c->family[2], &c->err, terminal, err) < 0)
		return -1;
	if (terminal)
		size_tell(c->err); /* it is there when the terminal is made */
	return 0;
}

void exec_client_sent(struct exec_client *c)
{
	for (int i = 0; i < 3; i++)
		close(c->family[i]);
}

/* ---- carrying */

static void stream_end(struct stream *s)
{
	if (s->from >= 0 && s->from != STDIN_FILENO)
		close(s->from); /* who writes there sees that nobody reads */
	if (s->to >= 0 && !s->to_user)
		close(s->to);
	s->from = s->to = -1;
	s->len = s->at = 0;
}

static void stream_read(struct stream *s)
{
	ssize_t n = read(s->from, s->bytes, sizeof(s->bytes));

	if (n > 0) {
		s->len = (size_t)n;
		s->at = 0;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		stream_end(s);
	}
}

static void stream_write(struct stream *s)
{
	size_t left = s->len - s->at;
	ssize_t n = write(s->to, s->bytes + s->at, s->to_user && left > PIECE ? PIECE : left);

	if (n > 0)
		s->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		stream_end(s);
	if (s->at == s->len)
		s->at = s->len = 0;
}

/* What it waits for; -1 in fd: nothing. A side that has gone is seen as an error of it. */
static struct pollfd stream_poll(const struct stream *s)
{
	if (s->from < 0)
		return (struct pollfd){-1, 0, 0};
	return s->len ? (struct pollfd){s->to, POLLOUT, 0} : (struct pollfd){s->from, POLLIN, 0};
}

static void stream_serve(struct stream *s, const struct pollfd *p)
{
	if (p->fd < 0 || !p->revents)
		return;
	if (s->len)
		stream_write(s);
	else
		stream_read(s);
}

/*
 * What is in a pipe when the program has ended. What others write there later is nobody's, and they
 * may never stop.
 */
static void stream_drain(struct stream *s)
{
	int left = 0;

	if (s->from >= 0 && ioctl(s->from, FIONREAD, &left) < 0)
		left = 0;
	while (s->from >= 0 && (s->len || left > 0)) {
		struct pollfd p = {s->to, POLLOUT, 0};

		if (!s->len) {
			stream_read(s);
			left -= s->len ? (int)s->len : left;
		} else if (poll(&p, 1, -1) > 0) {
			stream_write(s);
		}
	}
}

void exec_client_carry(struct exec_client *c, int control_fd)
{
	static struct stream in, out, err;
	struct pollfd fds[4];

	signal(SIGPIPE, SIG_IGN);
	in = (struct stream){.from = c->interactive ? STDIN_FILENO : -1, .to = c->in};
	out = (struct stream){.from = c->out, .to = STDOUT_FILENO, .to_user = true};
	err = (struct stream){.from = c->terminal ? -1 : c->err, .to = STDERR_FILENO, .to_user = true};
	if (c->terminal)
		sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_resize}, NULL);
	if (c->terminal && c->interactive)
		terminal_raw();
	resized = c->terminal;
	do {
		if (resized) {
			resized = 0;
			size_tell(c->err);
		}
		fds[0] = (struct pollfd){control_fd, POLLIN, 0};
		fds[1] = stream_poll(&in);
		fds[2] = stream_poll(&out);
		fds[3] = stream_poll(&err);
		if (poll(fds, 4, -1) < 0)
			continue;
		stream_serve(&in, &fds[1]);
		stream_serve(&out, &fds[2]);
		stream_serve(&err, &fds[3]);
	} while (!fds[0].revents);
	stream_drain(&out);
	stream_drain(&err);
	terminal_restore();
}
