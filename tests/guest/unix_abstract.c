/* SPDX-License-Identifier: ISC */
/*
 * Abstract names: no file, exact bytes, free again after the last close, autobind.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX}, got;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(got);

	memcpy(name.sun_path, "\0guest\0abstract", 15);
	okay("bind", bind(s, (struct sockaddr *)&name, 2 + 15));
	check("taken", bind(t, (struct sockaddr *)&name, 2 + 15) == -1 && errno == EADDRINUSE);
	okay("a prefix is another name", bind(t, (struct sockaddr *)&name, 2 + 6));
	okay("getsockname", getsockname(s, (struct sockaddr *)&got, &len));
	say("%d bytes, the same: %d", (int)len, !memcmp(&got, &name, len));
	okay("listen", listen(s, 1));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(s);
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		okay("connect", connect(c, (struct sockaddr *)&name, 2 + 15));
		_exit(write(c, "hello", 5) == 5 ? 0 : 1);
	}
	char text[8];
	int c = accept(s, NULL, NULL);
	result("read", read(c, text, sizeof(text)));
	child_report("client", pid);
	close(s);
	int again = socket(AF_UNIX, SOCK_STREAM, 0);
	check("gone", connect(again, (struct sockaddr *)&name, 2 + 15) == -1 && errno == ECONNREFUSED);
	okay("free again", bind(again, (struct sockaddr *)&name, 2 + 15));

	int a = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un none = {.sun_family = AF_UNIX};
	okay("autobind", bind(a, (struct sockaddr *)&none, sizeof(sa_family_t)));
	len = sizeof(got);
	getsockname(a, (struct sockaddr *)&got, &len);
	say("%d bytes, abstract: %d", (int)len, got.sun_path[0] == 0);
	check("bad family",
		  bind(socket(AF_UNIX, SOCK_DGRAM, 0),
			   (struct sockaddr *)&(struct sockaddr_un){.sun_family = 77, .sun_path = "x"},
			   5) == -1 &&
			  errno == EINVAL);
	return finish();
}
