/* SPDX-License-Identifier: ISC */
/*
 * A stream server and its clients in processes of their own, by a name in the file system: accept,
 * data both ways, half close, end of file, reset, refused connections, a full backlog, time-outs.
 * @test timeout=30 members=6
 */
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name = {AF_UNIX, "/tmp/guest_unix_stream"};
static char block[300000];

static int client(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (s < 0)
		die("socket");
	return s;
}

static int dial(int s)
{
	return connect(s, (struct sockaddr *)&name, sizeof(name));
}

static void talk(int listener)
{
	char text[64] = "";
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);
	pid_t pid = fork_or_die();

	if (pid == 0) {
		int s = client();
		char rest[8];
		int connected = dial(s);
		ssize_t written = write(s, "question", 8);
		int shut = shutdown(s, SHUT_WR);
		ssize_t n = read(s, text, sizeof(text)), end = read(s, rest, sizeof(rest));
		/* The server says nothing more before we exit. */
		say("client: %d, wrote %zd, %d, answer %.*s, end %zd", connected, written, shut, (int)n,
			text, end);
		_exit(3);
	}
	int s = accept(listener, (struct sockaddr *)&peer, &len);
	okay("accept", s);
	say("name of an unnamed client: %d bytes", (int)len);
	ssize_t n = read(s, text, sizeof(text));
	say("server got: %.*s", (int)n, text);
	result("server at the end", read(s, text, sizeof(text)));
	result("server writes", write(s, "forty-two", 9));
	close(s);
	child_report("client", pid);
	len = sizeof(peer);
	int probe = client();
	okay("connect again", dial(probe));
	okay("getpeername", getpeername(probe, (struct sockaddr *)&peer, &len));
	say("peer: %s, %d bytes", peer.sun_path, (int)len);
	okay("accept again", s = accept(listener, NULL, NULL));
	len = sizeof(peer);
	okay("getsockname", getsockname(s, (struct sockaddr *)&peer, &len));
	say("own: %s", peer.sun_path);
	close(probe);
	result("read after the peer is gone", read(s, text, 1));
	result("write after the peer is gone", send(s, "x", 1, MSG_NOSIGNAL));
	close(s);
}

static void bulk(int listener)
{
	pid_t pid = fork_or_die();

	if (pid == 0) {
		int s = client();
		dial(s);
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)(i * 7 + i / 251);
		say("sent: %d", write(s, block, sizeof(block)) == (ssize_t)sizeof(block));
		_exit(0);
	}
	int s = accept(listener, NULL, NULL), bad = 0;
	size_t n = read_all(s, block, sizeof(block));
	for (size_t i = 0; i < n; i++)
		bad += block[i] != (char)(i * 7 + i / 251);
	child_report("writer", pid);
	say("received: %zu, wrong: %d", n, bad);
	close(s);
}

static void flags_and_limits(void)
{
	int pair[2], n = 0;
	char text[16];
	struct timeval soon = {0, 50000};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	result("nothing there", recv(pair[0], text, 1, MSG_DONTWAIT));
	write(pair[1], "abcdef", 6);
	ioctl(pair[0], FIONREAD, &n);
	say("FIONREAD: %d", n);
	result("peek", recv(pair[0], text, 4, MSG_PEEK));
	result("again", recv(pair[0], text, 4, 0));
	write(pair[1], "gh", 2);
	result("waitall", recv(pair[0], text, 4, MSG_WAITALL));
	say("text: %.4s", text);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	result("time-out", recv(pair[0], text, 1, 0));
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	while (write(pair[1], block, 4096) > 0)
		n++;
	result("full", write(pair[1], block, 4096));
	check("several fit", n > 10);
	signal(SIGPIPE, SIG_IGN);
	close(pair[0]);
	result("broken", write(pair[1], "x", 1));
	result("reset", read(pair[1], text, 1));
	result("then the end", read(pair[1], text, 1));
}

int main(void)
{
	unlink(name.sun_path);
	int listener = client();
	struct stat st;

	result("connect to nothing", dial(listener));
	okay("bind", bind(listener, (struct sockaddr *)&name, sizeof(name)));
	result("bind twice",
		   bind(client(), (struct sockaddr *)&name, sizeof(name)) ? -errno == -EADDRINUSE : 0);
	say("stat: %d", stat(name.sun_path, &st) == 0 && S_ISSOCK(st.st_mode));
	check("not listening: refused", dial(client()) == -1 && errno == ECONNREFUSED);
	result("accept without listen", accept(listener, NULL, NULL));
	okay("listen", listen(listener, 1));
	talk(listener);
	bulk(listener);
	flags_and_limits();

	int a = client(), b = client(), c = client();
	fcntl(c, F_SETFL, O_NONBLOCK);
	okay("first waits", dial(a));
	okay("second waits", dial(b));
	result("third finds it full", dial(c));
	close(listener);
	check("those who waited are reset", read(a, block, 1) == -1 && errno == ECONNRESET);
	unlink(name.sun_path);
	return finish();
}
