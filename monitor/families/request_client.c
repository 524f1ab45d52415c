/* SPDX-License-Identifier: ISC */
/* The client's side: a connection to a family's front, a question, an answer in bounded time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "monitor/families/family_record.h"
#include "monitor/families/request.h"

/*
 * Root may be in a directory of somebody who put another's socket in the place of his own: it is
 * no link, and who listens is whose directory it is.
 */
static bool socket_trusted(const struct family_dir *dir, int fd)
{
	struct stat owner;
	struct ucred who;
	socklen_t len = sizeof(who);

	return fstat(dir->fd, &owner) == 0 &&
		   getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == owner.st_uid;
}

/* By a descriptor: a path may be longer than an address holds, and lead elsewhere meanwhile. */
static int socket_connect(const struct family_dir *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int place = openat(dir->fd, "control", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	/* Of waiting for a place in the front's queue of connections. */
	struct timeval patience = {ANSWER_PATIENCE_MS / 1000, ANSWER_PATIENCE_MS % 1000 * 1000};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), e;

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	e = place < 0 || fd < 0 ? errno : 0;
	if (!e) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		e = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno
			: !socket_trusted(dir, fd)                                   ? EPERM
																		 : 0;
	}
	if (place >= 0)
		close(place);
	if (!e)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = e == ENOENT ? ECONNREFUSED : e;
	return -1;
}

int control_connect(const struct family_dir *dir, struct error *err)
{
	int fd, e;

	/* One that starts has its lock before its socket; one that ends, for a moment after it. */
	for (int ms = 0;; ms++) {
		fd = socket_connect(dir);
		if (fd >= 0 || errno != ECONNREFUSED || !family_lives(dir) || ms >= ANSWER_PATIENCE_MS)
			break;
		poll(NULL, 0, 1);
	}
	if (fd >= 0)
		return fd;
	e = errno == EAGAIN ? ETIMEDOUT : errno;
	if (e == ETIMEDOUT)
		error_set(err, 0, "the family '%s' does not answer; its front is stopped or hangs",
				  dir->name);
	else
		error_set(err, e, "cannot talk to the family '%s'", dir->name);
	err->code = e;
	return -1;
}

static int answer_await(int fd, struct error *err)
{
	struct pollfd readable = {fd, POLLIN, 0};
	int r;

	do
		r = poll(&readable, 1, ANSWER_PATIENCE_MS);
	while (r < 0 && errno == EINTR);
	if (r != 0)
		return 0;
	error_set(err, 0, "the family does not answer; its front is stopped or hangs");
	err->code = ETIMEDOUT;
	return -1;
}

json_t *control_receive(int fd, struct error *err)
{
	json_t *answer = packet_receive(fd, NULL);
	const char *refused = json_string_value(json_object_get(answer, "error"));
	char shown[300];

	if (!answer && errno == EBADMSG) {
		error_set(err, errno, "the family's answer cannot be read");
	} else if (!answer) {
		error_set(err, 0, "the family ended before it answered");
		err->code = ECONNRESET;
	}
	if (!refused)
		return answer;
	text_escape(shown, sizeof(shown), refused, strlen(refused));
	error_set(err, 0, "%s", shown);
	err->code = EREMOTE;
	json_decref(answer);
	return NULL;
}

int control_send(int fd, enum request which, json_t *arguments, const int *fds, struct error *err)
{
	json_t *packet = arguments ? arguments : json_object();
	int r = -1, e;

	if (!packet || json_object_set_new(packet, "version", json_integer(REQUEST_VERSION)) < 0 ||
		json_object_set_new(packet, "request", json_string(request_names[which])) < 0)
		error_set(err, ENOMEM, "cannot ask the family");
	else if (request_check(packet, &which, err) == 0 && (r = packet_send(fd, packet, fds)) < 0) {
		e = errno;
		error_set(err, e, "cannot ask the family");
		err->code = e == EPIPE ? ECONNRESET : e;
	}
	json_decref(packet);
	return r;
}

json_t *control_ask(int fd, enum request which, json_t *arguments, struct error *err)
{
	if (control_send(fd, which, arguments, NULL, err) < 0 || answer_await(fd, err) < 0)
		return NULL;
	return control_receive(fd, err);
}

/*
 * Who began to listen may be dead and the socket held by another of its processes, so that the id
 * is somebody else's by now. It is a process of whose directory it is: the id was still its own
 * when that was looked at, because it lives afterwards.
 */
static bool owner_is(const struct family_dir *dir, pid_t pid, int pidfd)
{
	struct pollfd ended = {pidfd, POLLIN, 0};
	struct stat owner, process;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return fstat(dir->fd, &owner) == 0 && stat(path, &process) == 0 &&
		   process.st_uid == owner.st_uid && poll(&ended, 1, 0) == 0;
}

/* The socket still stands after the descriptor was made: so an honest front lived then. */
int control_front(const struct family_dir *dir, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	struct pollfd gone = {fd, 0, 0};
	int pidfd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 1)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, who.pid, 0);
	if (pidfd >= 0 && poll(&gone, 1, 0) == 0 && owner_is(dir, who.pid, pidfd))
		return pidfd;
	if (pidfd >= 0)
		close(pidfd);
	return -1;
}
