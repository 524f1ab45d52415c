/* SPDX-License-Identifier: ISC */
/*
 * /proc/net/unix: kinds, states and names of sockets that listen, are connected, accepted, bound to
 * an abstract name, or gone.
 * @test timeout=20 members=2
 */
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>

/* What the line of that socket says after its references, without its number; "none". */
static const char *line_of(ino_t ino)
{
	static char shown[512];
	FILE *file = fopen("/proc/net/unix", "r");
	unsigned protocol, flags, type, state;
	unsigned long number;
	char line[512], name[256];

	strcpy(shown, "none");
	while (file && fgets(line, sizeof(line), file)) {
		name[0] = '\0';
		if (sscanf(line, "%*[^:]: %*x %x %x %x %x %lu %255[^\n]", &protocol, &flags, &type, &state,
				   &number, name) >= 5 &&
			number == ino)
			snprintf(shown, sizeof(shown), "protocol %x flags %x type %x state %x %s", protocol,
					 flags, type, state, name);
	}
	if (file)
		fclose(file);
	return shown;
}

static const char *of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return line_of(st.st_ino);
}

static int bound(int type, const char *name, size_t len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	int fd = socket(AF_UNIX, type, 0);

	memcpy(address.sun_path, name, len);
	if (fd < 0 || bind(fd, (void *)&address, size))
		die("bind");
	return fd;
}

int main(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "stream"};
	struct stat st;
	char text[64], abstract[64];
	int pair[2];

	work_dir();
	FILE *file = fopen("/proc/net/unix", "r");
	if (!file || !fgets(text, sizeof(text), file))
		die("/proc/net/unix");
	say("%s", strtok(text, "\n"));
	fclose(file);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	say("fresh: %s", of(fd));
	int server = bound(SOCK_STREAM, "stream", 7);
	say("bound: %s", of(server));
	listen(server, 3);
	say("listens: %s", of(server));
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(client, (void *)&address, sizeof(address)))
		die("connect");
	say("client: %s", of(client));
	int accepted = accept(server, NULL, NULL);
	say("accepted: %s", of(accepted));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		die("socketpair");
	say("pair: %s", of(pair[0]));
	/* No other program may have that name. */
	snprintf(abstract, sizeof(abstract), "%cname-%d", 0, getpid());
	size_t len = 1 + strlen(abstract + 1);
	abstract[5] = '\0';
	int dgram = bound(SOCK_DGRAM, abstract, len);
	snprintf(text, sizeof(text), "protocol 0 flags 0 type 2 state 1 @name@%d", getpid());
	check("abstract", !strcmp(of(dgram), text));
	pid_t pid = fork_or_die();
	if (pid == 0)
		_exit(strcmp(of(dgram), text) ? 1 : 0);
	child_report("child sees the same", pid);
	fstat(dgram, &st);
	close(dgram);
	say("closed: %s", line_of(st.st_ino));
	return finish();
}
