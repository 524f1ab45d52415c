/* SPDX-License-Identifier: ISC */
/* Reading and writing of family.json and end.json. */
#include "monitor/families/family_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_MAX (8u << 20) /* arguments and environment of 2 MiB, escaped */

const char *const family_state_names[] = {
	[FAMILY_STARTING] = "starting",
	[FAMILY_RUNNING] = "running",
	[FAMILY_PAUSED] = "paused",
	[FAMILY_EXITED] = "exited",
	[FAMILY_DEAD] = "dead",
};

void time_text(time_t when, char *text, size_t size)
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, size, "?");
}

void text_escape(char *out, size_t size, const char *in, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + 5 < size; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c == '\\')
			at += (size_t)sprintf(out + at, "\\\\");
		else if (c < ' ' || c > '~')
			at += (size_t)sprintf(out + at, "\\x%02x", c);
		else
			out[at++] = (char)c;
	}
	out[at] = 0;
}

json_t *text_json(const char *in)
{
	size_t len = strlen(in), size = len * 4 + 6;
	char *out = malloc(size);
	json_t *text;

	if (!out)
		return NULL;
	text_escape(out, size, in, len);
	text = json_string(out);
	free(out);
	return text;
}

/* ---- reading */

static char *file_read(int dir_fd, const char *name, size_t *len)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n;

	*len = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= RECORD_MAX)
		text = malloc((size_t)st.st_size + 1);
	while (text && *len < (size_t)st.st_size) {
		n = read(fd, text + *len, (size_t)st.st_size - *len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	close(fd);
	return text;
}

static json_t *record_load(int dir_fd, const char *name)
{
	size_t len;
	char *text = file_read(dir_fd, name, &len);
	json_t *record = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	free(text);
	if (record && (!json_is_object(record) ||
				   json_integer_value(json_object_get(record, "version")) != RECORD_VERSION)) {
		json_decref(record);
		return NULL;
	}
	return record;
}

static json_int_t number_of(const json_t *record, const char *key)
{
	return json_integer_value(json_object_get(record, key));
}

/* Alive is asked first: who dies after that is shown as it was then, and its end is not read. */
void family_record_read(const struct family_dir *dir, struct family_record *record)
{
	bool lives = family_lives(dir);

	*record = (struct family_record){.start = record_load(dir->fd, "family.json")};
	record->detached = json_is_true(json_object_get(record->start, "detached"));
	record->created = (time_t)number_of(record->start, "created");
	if (lives) {
		record->state = !record->start                                    ? FAMILY_STARTING
						: faccessat(dir->fd, FAMILY_PAUSED_FILE, F_OK, 0) == 0 ? FAMILY_PAUSED
																			  : FAMILY_RUNNING;
		return;
	}
	record->end = record_load(dir->fd, "end.json");
	record->ended = (time_t)number_of(record->end, "ended");
	record->state = FAMILY_DEAD;
	record->exit_status = 128 + SIGKILL; /* with the front the host kills all of it */
	if (record->end) {
		record->exit_status = (int)number_of(record->end, "exit_status");
		if (!json_object_get(record->end, "error"))
			record->state = FAMILY_EXITED;
	}
}

void family_record_free(struct family_record *record)
{
	json_decref(record->start);
	json_decref(record->end);
}

/* ---- writing */

static int text_write(int fd, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return ftruncate(fd, (off_t)len);
}

/* tmp may be there already, with room of its own. Takes `record` over. */
static int record_save(const struct family_dir *dir, const char *tmp, const char *name,
					   json_t *record, struct error *err)
{
	char *text = record ? json_dumps(record, JSON_INDENT(2)) : NULL;
	int fd = openat(dir->fd, tmp, FAMILY_FILE_FLAGS | O_WRONLY, 0600), r = -1;

	json_decref(record);
	errno = text ? errno : ENOMEM;
	if (text && fd >= 0) {
		r = text_write(fd, text, strlen(text));
		if (r == 0)
			r = renameat(dir->fd, tmp, dir->fd, name);
	}
	if (r < 0)
		error_set(err, errno, "cannot write %s of the family '%s'", name, dir->name);
	if (fd >= 0)
		close(fd);
	free(text);
	return r;
}

int family_start_write(const struct family_dir *dir, json_t *start, struct error *err)
{
	return record_save(dir, "family.tmp", "family.json", start, err);
}

int family_end_write(const struct family_dir *dir, int wait_status, const struct error *failed,
					 struct error *err)
{
	bool signaled = !failed && WIFSIGNALED(wait_status);
	int status = failed ? 128 + SIGKILL : signaled ? 128 + WTERMSIG(wait_status)
												   : WEXITSTATUS(wait_status);
	json_t *end = json_pack("{s:i, s:I, s:i}", "version", RECORD_VERSION, "ended",
							(json_int_t)time(NULL), "exit_status", status);

	if (end && signaled)
		json_object_set_new(end, "signal", json_integer(WTERMSIG(wait_status)));
	if (end && failed)
		json_object_set_new(end, "error", text_json(failed->text));
	return record_save(dir, "end.tmp", "end.json", end, err);
}
