/* SPDX-License-Identifier: ISC */
/*
 * unifork logs: what a detached family has written, byte by byte, to the stream that it wrote it
 * to. It reads the files of the log (monitor/families/journal.h) and asks nobody.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/verb_options.h"
#include "monitor/families/journal.h"

#define LINE_MAX_BYTES (JOURNAL_TEXT_MAX + 100)
#define LOOK_AGAIN_MS 200 /* for the family's end and a new file; text is told of at once */
#define JOURNAL_PATIENCE_MS 3000

struct logs {
	const char *tail, *since, *state_dir;
	bool follow, timestamps;
	long lines;       /* of --tail; -1: all */
	char from[32];    /* --since as the log writes times; "": all */
};

/* One file as far as it was read. */
struct log_file {
	int fd; /* -1: there is none */
	char text[256u << 10];
	size_t len;
};

/* What is done with lines: counted, or written. */
struct output {
	const struct logs *logs;
	bool count_only;
	unsigned long long count, skip; /* lines that have begun; of those, not to be written */
	bool inside[2];                 /* in a line of that stream whose end has not come */
};

/* ---- lines */

static void text_put(const struct output *o, const char *line, int stream, char tag,
					 const char *text, size_t len, bool begins)
{
	FILE *to = stream ? stderr : stdout;

	if (o->logs->timestamps && begins)
		fprintf(to, "%.*s ", (int)strcspn(line, " "), line);
	fwrite(text, 1, len, to);
	if (tag == 'F')
		putc('\n', to);
}

/* TIME STREAM TAG TEXT; what is not so is left out: the disk may have been full. */
static void line_take(struct output *o, const char *line, size_t len)
{
	static const char *const streams[] = {" stdout ", " stderr "};
	const char *after = memchr(line, ' ', len);
	size_t head = after ? (size_t)(after - line) + 10 : len;
	bool begins;
	int stream;

	if (head > len || (line[head - 2] != 'F' && line[head - 2] != 'P') || line[head - 1] != ' ')
		return;
	for (stream = 0; stream < 2 && strncmp(after, streams[stream], 8) != 0; stream++)
		;
	if (stream == 2 || (o->logs->from[0] && strncmp(line, o->logs->from, 20) < 0))
		return;
	begins = !o->inside[stream];
	o->count += begins;
	o->inside[stream] = line[head - 2] == 'P';
	if (!o->count_only && o->count > o->skip)
		text_put(o, line, stream, line[head - 2], line + head, len - head, begins);
}

/* What is there now, as far as lines are whole. Returns whether there was anything. */
static bool file_take(struct log_file *f, struct output *o)
{
	bool any = false;
	ssize_t n;

	while (f->fd >= 0 && (n = read(f->fd, f->text + f->len, sizeof(f->text) - f->len)) > 0) {
		char *at = f->text, *end;

		any = true;
		f->len += (size_t)n;
		while ((end = memchr(at, '\n', f->len - (size_t)(at - f->text)))) {
			line_take(o, at, (size_t)(end - at));
			at = end + 1;
		}
		f->len -= (size_t)(at - f->text);
		memmove(f->text, at, f->len);
		if (f->len == sizeof(f->text)) /* no log of ours */
			f->len = 0;
	}
	return any;
}

/* ---- files */

static void file_open(struct log_file *f, const struct family_dir *dir, const char *name)
{
	if (f->fd >= 0)
		close(f->fd);
	f->len = 0;
	f->fd = openat(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* Does that name still lead to what is open as f? */
static bool file_is(const struct log_file *f, const struct family_dir *dir, const char *name)
{
	struct stat open_one, named;

	return f->fd >= 0 && fstat(f->fd, &open_one) == 0 &&
		   fstatat(dir->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		   open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

/* A log that was emptied for want of room goes on at its beginning. */
static void file_rewind(struct log_file *f)
{
	struct stat st;

	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_size < lseek(f->fd, 0, SEEK_CUR)) {
		lseek(f->fd, 0, SEEK_SET);
		f->len = 0;
	}
}

/* Behind the end of f: to the file that follows it, if there is one. */
static bool file_next(struct log_file *f, const struct family_dir *dir, struct output *o)
{
	struct stat st;

	file_rewind(f);
	if (file_is(f, dir, "log") || fstatat(dir->fd, "log", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	file_take(f, o); /* what came before it was renamed */
	/* Of two new ones the older first; what was between is gone. */
	file_open(f, dir, f->fd < 0 || file_is(f, dir, "log.1") ? "log" : "log.1");
	return f->fd >= 0;
}

static void follow(struct log_file *f, const struct family_dir *dir, struct output *o)
{
	char path[40], events[4096];
	struct pollfd changed = {inotify_init1(IN_CLOEXEC | IN_NONBLOCK), POLLIN, 0};
	bool lives;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir->fd);
	inotify_add_watch(changed.fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	do {
		lives = family_lives(dir) || journal_lives(dir);
		while (file_take(f, o) || file_next(f, dir, o))
			;
		fflush(stdout);
		fflush(stderr);
		if (lives && poll(&changed, 1, LOOK_AGAIN_MS) > 0)
			while (read(changed.fd, events, sizeof(events)) > 0)
				;
	} while (lives && !ferror(stdout));
	close(changed.fd);
}

/* ---- the verb */

/* Both files, counted first for --tail; what is read then is what was counted. */
static void logs_show(const struct logs *l, const struct family_dir *dir)
{
	static struct log_file files[2];
	struct output o = {.logs = l, .count_only = true};

	/* If it is renamed in between, it is read twice rather than not at all; so look again. */
	do {
		files[0].fd = files[1].fd = -1;
		file_open(&files[0], dir, "log.1");
		file_open(&files[1], dir, "log");
	} while (files[1].fd >= 0 && file_is(&files[1], dir, "log.1"));
	if (l->lines >= 0) {
		file_take(&files[0], &o);
		file_take(&files[1], &o);
		for (int i = 0; i < 2; i++) {
			if (files[i].fd >= 0)
				lseek(files[i].fd, 0, SEEK_SET);
			files[i].len = 0;
		}
		o = (struct output){.logs = l,
							.skip = o.count > (unsigned long long)l->lines
										? o.count - (unsigned long long)l->lines : 0};
	}
	o.count_only = false;
	file_take(&files[0], &o);
	if (l->follow)
		follow(&files[1], dir, &o);
	else
		file_take(&files[1], &o);
	fflush(stderr);
	for (int i = 0; i < 2; i++)
		if (files[i].fd >= 0)
			close(files[i].fd);
}

static int family_logs(struct family_act *a, struct family_dir *dir, struct error *err)
{
	const struct logs *l = a->with;
	struct family_record record;
	bool detached;

	family_record_read(dir, &record);
	detached = record.detached || record.state == FAMILY_STARTING;
	family_record_free(&record);
	if (!detached)
		return error_set(err, 0, "the family '%s' has no log: it was not started with -d",
						 dir->name);
	/* The front was killed: what was in the pipe is still on its way. */
	for (int ms = 0; !family_lives(dir) && journal_lives(dir) && ms < JOURNAL_PATIENCE_MS; ms++)
		poll(NULL, 0, 1);
	logs_show(l, dir);
	return ferror(stdout) ? error_set(err, 0, "cannot write to standard output") : 0;
}

/* 90, 10m, 1h30m; or seconds since 1970 if that many. false: it is none. */
static bool since_duration(const char *text, time_t *from)
{
	static const struct {
		char letter;
		long seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	long long sum = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	while (*text) {
		long long n = strtoll(text, &end, 10);
		size_t unit = 0;

		if (end == text || n > 100000000000ll)
			return false;
		if (!*end && sum == 0 && n > 100000000) {
			*from = (time_t)n;
			return true;
		}
		while (*end && unit < ARRAY_SIZE(units) && units[unit].letter != *end)
			unit++;
		if (unit == ARRAY_SIZE(units))
			return false;
		sum += n * units[*end ? unit : 0].seconds;
		text = *end ? end + 1 : end;
	}
	*from = time(NULL) - (time_t)sum;
	return true;
}

/* 2026-11-27, 2026-11-27T10:00:00, with Z or without: then the local time. */
static bool since_date(const char *text, time_t *from)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &tm);

	if (end && (*end == 'T' || *end == ' '))
		end = strptime(end + 1, "%H:%M:%S", &tm);
	if (!end || (*end && strcmp(end, "Z") != 0))
		return false;
	*from = *end ? timegm(&tm) : mktime(&tm);
	return true;
}

static int since_parse(struct logs *l, struct error *err)
{
	time_t from;
	struct tm tm;

	if (!l->since)
		return 0;
	if ((!since_duration(l->since, &from) && !since_date(l->since, &from)) ||
		!gmtime_r(&from, &tm) || !strftime(l->from, sizeof(l->from), "%Y-%m-%dT%H:%M:%S", &tm))
		return error_set(err, 0, "--since '%.60s' is no time; write 10m, 1h30m or "
						 "2026-11-27T10:00:00Z", l->since);
	return 0;
}

void help_logs(void)
{
	printf("Usage: unifork logs [OPTIONS] NAME\n\n"
		   "Prints what a family that was started with -d has written, also after its end. The\n"
		   "log is bounded (run's --log-size): what is older than its last part is gone.\n\n"
		   "  -f, --follow         go on until the family has ended\n"
		   "  -n, --tail N         the last N lines only (all: all of them)\n"
		   "      --since TIME     what was written since then: 10m ago, 1h30m ago, or a date as\n"
		   "                       2026-11-27T10:00:00Z\n"
		   "  -t, --timestamps     each line with its time\n"
		   HELP_STATE_DIR);
}

int verb_logs(int argc, char **argv, struct error *err)
{
	struct logs l = {.lines = -1};
	const struct verb_option table[] = {{"follow", 'f', .flag = &l.follow},
										{"tail", 'n', .text = &l.tail},
										{"since", 0, .text = &l.since},
										{"timestamps", 't', .flag = &l.timestamps},
										OPTION_STATE_DIR(l.state_dir),
										{0}};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0 || since_parse(&l, err) < 0)
		return -EXIT_USAGE;
	if (l.tail && strcmp(l.tail, "all") != 0 &&
		number_parse("--tail", l.tail, 0, 1000000000, &l.lines, err) < 0)
		return -EXIT_USAGE;
	if (argc - first > 1) {
		error_set(err, 0, "logs takes one family; see 'unifork logs --help'");
		return -EXIT_USAGE;
	}
	return each_family(argc - first, argv + first, l.state_dir, &l, family_logs, err);
}
