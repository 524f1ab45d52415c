/* SPDX-License-Identifier: ISC */
/*
 * The process that writes a family's log. Lines are put together in memory and written when nothing
 * more is there to be read, or much is. What the disk does not take stays in memory, the newest
 * part of it, and is tried again; for its sake the older part of the log is given up.
 */
#include "monitor/families/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define HELD_BYTES (1u << 20)  /* of text that is not written yet */
#define WRITE_BYTES (256u << 10) /* so much is written at once */
#define TRY_AGAIN_MS 500
#define PART_PATIENCE_MS 50 /* a line may be written in pieces */
#define FINISH_PATIENCE_MS 10000

struct stream {
	int fd; /* -1: it has ended */
	const char *name;
	char part[JOURNAL_TEXT_MAX]; /* of a line */
	size_t part_len;
	bool inside; /* what was put last was not the end of a line */
};

struct journal {
	int dir_fd, log_fd;
	u64 log_bytes, half;
	struct stream streams[2];
	char held[HELD_BYTES]; /* whole lines of the log */
	size_t held_len;
	u64 lost;              /* bytes that there was no room for since it was last said */
	bool failing, begins_inside; /* the text held begins inside of a line */
	char time[40]; /* of what was read last */
};

/* ---- the files */

static void log_open(struct journal *j, int flags)
{
	if (j->log_fd >= 0)
		close(j->log_fd);
	j->log_fd = openat(j->dir_fd, "log", FAMILY_FILE_FLAGS | O_RDWR | O_APPEND | flags, 0600);
	j->log_bytes = 0;
	fcntl(j->log_fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET});
}

static void log_rotate(struct journal *j)
{
	renameat(j->dir_fd, "log", j->dir_fd, "log.1");
	log_open(j, O_TRUNC);
}

/* All of it or nothing: a part that was written is taken back. */
static bool log_write(struct journal *j, const char *text, size_t len)
{
	ssize_t n = j->log_fd < 0 ? -1 : write(j->log_fd, text, len);

	if (n == (ssize_t)len) {
		j->log_bytes += len;
		return true;
	}
	if (n > 0 && ftruncate(j->log_fd, (off_t)j->log_bytes) < 0)
		j->log_bytes += (u64)n; /* half a line stays; its rest comes again */
	return false;
}

/* The newest is worth more than what is older: first log.1 goes, then what is in the log. */
static bool log_write_hard(struct journal *j, const char *text, size_t len)
{
	if (log_write(j, text, len))
		return true;
	if (j->log_fd < 0)
		log_open(j, 0);
	unlinkat(j->dir_fd, "log.1", 0);
	if (log_write(j, text, len))
		return true;
	if (!j->log_bytes || j->log_fd < 0 || ftruncate(j->log_fd, 0) < 0)
		return false;
	j->lost += j->log_bytes;
	j->log_bytes = 0;
	return log_write(j, text, len);
}

static void lost_say(struct journal *j)
{
	char text[160];
	int n;

	if (!j->lost)
		return;
	n = snprintf(text, sizeof(text),
				 "%s stderr F unifork: %llu bytes of this log were lost, because there was no "
				 "room for them\n", j->time, (unsigned long long)j->lost);
	if (log_write(j, text, (size_t)n))
		j->lost = 0;
}

static void held_write(struct journal *j)
{
	if (!j->held_len)
		return;
	/* Between lines, so that what is kept begins with a whole one; but not for ever. */
	if (j->log_bytes && j->log_bytes + j->held_len > (j->begins_inside ? j->half / 4 * 5 : j->half))
		log_rotate(j);
	j->failing = !log_write_hard(j, j->held, j->held_len);
	if (j->failing)
		return;
	j->held_len = 0;
	lost_say(j);
}

/* ---- lines */

/* Makes room by forgetting the oldest lines that the disk did not take. */
static void held_forget(struct journal *j, size_t needed)
{
	size_t at = needed > HELD_BYTES / 4 ? needed : HELD_BYTES / 4;
	char *end = at < j->held_len ? memchr(j->held + at, '\n', j->held_len - at) : NULL;

	at = end ? (size_t)(end - j->held) + 1 : j->held_len;
	j->lost += at;
	j->held_len -= at;
	memmove(j->held, j->held + at, j->held_len);
}

static void line_put(struct journal *j, struct stream *s, char tag, const char *text,
					 size_t len)
{
	size_t most = len + sizeof(j->time) + 16;
	char *at;

	if (j->held_len + most > WRITE_BYTES && !j->failing)
		held_write(j);
	if (j->held_len + most > HELD_BYTES)
		held_forget(j, most);
	if (!j->held_len)
		j->begins_inside = j->streams[0].inside || j->streams[1].inside;
	s->inside = tag == 'P';
	at = stpcpy(j->held + j->held_len, j->time);
	*at++ = ' ';
	at = stpcpy(at, s->name);
	*at++ = ' ';
	*at++ = tag;
	*at++ = ' ';
	at = mempcpy(at, text, len);
	*at++ = '\n';
	j->held_len = (size_t)(at - j->held);
}

/* What has no end yet waits for it until nothing more is there. */
static void part_flush(struct journal *j, struct stream *s)
{
	if (s->part_len)
		line_put(j, s, 'P', s->part, s->part_len);
	s->part_len = 0;
}

static void text_take(struct journal *j, struct stream *s, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (n > sizeof(s->part) - s->part_len) {
			n = sizeof(s->part) - s->part_len;
			end = NULL;
		}
		if (end && !s->part_len) {
			line_put(j, s, 'F', text, n);
		} else {
			memcpy(s->part + s->part_len, text, n);
			s->part_len += n;
			if (end)
				line_put(j, s, 'F', s->part, s->part_len);
			if (end)
				s->part_len = 0;
			else if (s->part_len == sizeof(s->part))
				part_flush(j, s);
		}
		text += n + (end != NULL);
		len -= n + (end != NULL);
	}
}

static void time_take(struct journal *j)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(j->time + strftime(j->time, sizeof(j->time), "%Y-%m-%dT%H:%M:%S", &tm), 16,
			 ".%09ldZ", now.tv_nsec);
}

static bool stream_read(struct journal *j, struct stream *s)
{
	static char text[READ_BYTES];
	ssize_t n = read(s->fd, text, sizeof(text));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	time_take(j);
	if (n > 0) {
		text_take(j, s, text, (size_t)n);
		return true;
	}
	part_flush(j, s);
	close(s->fd);
	s->fd = -1;
	return false;
}

_Noreturn static void journal_run(struct journal *j)
{
	log_open(j, 0);
	while (j->streams[0].fd >= 0 || j->streams[1].fd >= 0) {
		struct pollfd fds[2] = {{j->streams[0].fd, POLLIN, 0}, {j->streams[1].fd, POLLIN, 0}};

		bool parts = j->streams[0].part_len || j->streams[1].part_len;
		int ready = poll(fds, 2, 0);

		if (ready == 0) {
			held_write(j);
			ready = poll(fds, 2, parts ? PART_PATIENCE_MS : j->failing ? TRY_AGAIN_MS : -1);
		}
		if (ready == 0 && parts) {
			part_flush(j, &j->streams[0]);
			part_flush(j, &j->streams[1]);
			held_write(j);
		}
		for (int i = 0; i < 2; i++)
			if (j->streams[i].fd >= 0 && fds[i].revents)
				stream_read(j, &j->streams[i]);
	}
	held_write(j);
	_exit(0);
}

/* ---- around it */

/* It ends when all writers are gone, and by nothing else that reaches its group or session. */
static void journal_begin(const struct family_dir *dir, u64 bytes, int out, int err)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE,
								  SIGTSTP, SIGUSR1, SIGUSR2, SIGXFSZ};
	static struct journal j;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), highest = MAX(dir->fd, MAX(out, err));

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	for (int fd = 3; fd <= highest; fd++)
		if (fd != dir->fd && fd != out && fd != err)
			close(fd);
	syscall(SYS_close_range, highest + 1, ~0u, 0);
	j = (struct journal){.dir_fd = dir->fd, .log_fd = -1, .half = bytes / 2};
	j.streams[0] = (struct stream){.fd = out, .name = "stdout"};
	j.streams[1] = (struct stream){.fd = err, .name = "stderr"};
	journal_run(&j);
}

pid_t journal_start(const struct family_dir *dir, unsigned long long bytes, struct error *err)
{
	int out[2] = {-1, -1}, errors[2] = {-1, -1};
	pid_t pid = -1;

	if (pipe2(out, O_CLOEXEC) == 0 && pipe2(errors, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		journal_begin(dir, bytes, out[0], errors[0]);
	if (pid < 0 || dup2(out[1], STDOUT_FILENO) < 0 || dup2(errors[1], STDERR_FILENO) < 0)
		error_set(err, errno, "cannot start the process that writes the family's log");
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(errors[i]);
	}
	return pid;
}

bool journal_lives(const struct family_dir *dir)
{
	int fd = openat(dir->fd, "log", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	bool lives = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return lives;
}

void journal_finish(pid_t journal)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	for (int ms = 0; ms < FINISH_PATIENCE_MS && waitpid(journal, NULL, WNOHANG) == 0; ms++)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
}
