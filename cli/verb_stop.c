/* SPDX-License-Identifier: ISC */
/* unifork stop, kill, wait, rm: the end of families. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/verb_options.h"
#include "monitor/families/request.h"

/* What a front takes at most after its family's time is over, and then some. */
#define END_PATIENCE_MS 15000
#define STOP_TIMEOUT_MAX 1000000

/* One question to a living family. code ECONNREFUSED, ECONNRESET: it ended meanwhile. */
static int ask(const struct family_dir *dir, enum request which, json_t *arguments,
			   struct error *err)
{
	int fd = control_connect(dir, err);
	json_t *answer;

	if (fd < 0) {
		json_decref(arguments);
		return -1;
	}
	answer = control_ask(fd, which, arguments, err);
	close(fd);
	json_decref(answer);
	return answer ? 0 : -1;
}

/* A front that hears nothing: the host ends the family with it. */
static int front_kill(const struct family_dir *dir, struct error *err)
{
	struct error unused;
	int fd = control_connect(dir, &unused), front = fd < 0 ? -1 : control_front(fd);

	if (front >= 0) {
		syscall(SYS_pidfd_send_signal, front, SIGKILL, NULL, 0);
		close(front);
	}
	if (fd >= 0)
		close(fd);
	if (family_wait(dir, END_PATIENCE_MS))
		return 0;
	return error_set(err, 0, "the family '%s' does not end; see who holds its lock: lsof %s/lock",
					 dir->name, dir->name);
}

int family_end(const struct family_dir *dir, struct error *err)
{
	json_t *signal = json_pack("{s:i}", "signal", SIGKILL);

	if (ask(dir, REQUEST_signal, signal, err) == 0 && family_wait(dir, END_PATIENCE_MS))
		return 0;
	return family_lives(dir) ? front_kill(dir, err) : 0;
}

/* ---- stop */

struct stopping {
	const char *timeout, *state_dir;
	long timeout_s;
};

static int family_stop(struct family_act *a, struct family_dir *dir, struct error *err)
{
	const struct stopping *with = a->with;
	struct family_record record;
	json_t *arguments = with->timeout ? json_pack("{s:i}", "timeout", (int)with->timeout_s) : NULL;
	long timeout_s = with->timeout_s;

	if (family_lives(dir) && ask(dir, REQUEST_stop, arguments, err) < 0 && family_lives(dir)) {
		if (err->code != ETIMEDOUT || family_end(dir, err) < 0)
			return -1;
	}
	if (!with->timeout) {
		family_record_read(dir, &record);
		timeout_s = (long)json_integer_value(json_object_get(record.start, "stop_timeout"));
		family_record_free(&record);
	}
	/* The front keeps the time; this is for one that hangs. */
	if (!family_wait(dir, timeout_s < 0 ? -1 : (int)MIN(timeout_s * 1000, 1000000000l) +
												   END_PATIENCE_MS) &&
		front_kill(dir, err) < 0)
		return -1;
	puts(dir->name);
	return 0;
}

void help_stop(void)
{
	printf("Usage: unifork stop [OPTIONS] NAME...\n\n"
		   "Sends SIGTERM to the families' first processes and waits for their end; what is left\n"
		   "after the time is over is ended. Prints the names. That a family has ended is no\n"
		   "error.\n\n"
		   "  -t, --time SECONDS   instead of run's --stop-timeout; 0: at once, -1: for ever\n"
		   HELP_STATE_DIR);
}

int verb_stop(int argc, char **argv, struct error *err)
{
	struct stopping with = {0};
	const struct verb_option table[] = {{"time", 't', &with.timeout, NULL},
										{"timeout", 0, &with.timeout, NULL},
										OPTION_STATE_DIR(with.state_dir),
										{0}};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (with.timeout && number_parse("--time", with.timeout, -1, STOP_TIMEOUT_MAX, &with.timeout_s,
									 err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, with.state_dir, &with, family_stop, err);
}

/* ---- kill */

static int not_running(const struct family_dir *dir, struct error *err)
{
	return error_set(err, 0, "the family '%s' is not running", dir->name);
}

static int family_signal(struct family_act *a, struct family_dir *dir, struct error *err)
{
	int sig = *(const int *)a->with;

	if (!family_lives(dir))
		return not_running(dir, err);
	if (sig == SIGKILL) {
		if (family_end(dir, err) < 0)
			return -1;
	} else if (ask(dir, REQUEST_signal, json_pack("{s:i}", "signal", sig), err) < 0) {
		return family_lives(dir) ? -1 : not_running(dir, err);
	}
	puts(dir->name);
	return 0;
}

void help_kill(void)
{
	printf("Usage: unifork kill [OPTIONS] NAME...\n\n"
		   "Sends a signal to the families' first processes, and prints the names. KILL ends the\n"
		   "whole family, even one whose own processes on the host do not answer.\n\n"
		   "  -s, --signal SIGNAL  a name or number (default KILL)\n"
		   HELP_STATE_DIR);
}

int verb_kill(int argc, char **argv, struct error *err)
{
	const char *name = "KILL", *state_dir = NULL;
	const struct verb_option table[] = {
		{"signal", 's', &name, NULL}, OPTION_STATE_DIR(state_dir), {0}};
	int first, sig;

	if (verb_options(argc, argv, table, false, &first, err) < 0 ||
		signal_parse(name, &sig, err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, state_dir, &sig, family_signal, err);
}

/* ---- wait */

static int family_await(struct family_act *a, struct family_dir *dir, struct error *err)
{
	struct family_record record;

	family_wait(dir, -1);
	family_record_read(dir, &record);
	printf("%d\n", record.exit_status);
	fflush(stdout);
	family_record_free(&record);
	return 0;
}

void help_wait(void)
{
	printf("Usage: unifork wait [OPTIONS] NAME...\n\n"
		   "Waits until the families have ended and prints the exit status of each: its first\n"
		   "program's own, 128 and its signal, or 137 if all of it was killed from outside.\n\n"
		   HELP_STATE_DIR);
}

int verb_wait(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL;
	const struct verb_option table[] = {OPTION_STATE_DIR(state_dir), {0}};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, state_dir, NULL, family_await, err);
}

/* ---- rm */

static int family_rm(struct family_act *a, struct family_dir *dir, struct error *err)
{
	if (*(const bool *)a->with && family_lives(dir) && family_end(dir, err) < 0)
		return -1;
	if (family_remove(a->families_fd, dir, err) < 0)
		return -1;
	puts(dir->name);
	return 0;
}

/* With -f a name that is not there is gone already. */
static bool is_there(int families_fd, const char *name)
{
	struct family_dir dir;
	struct error err = {0};
	int r = family_open(families_fd, name, &dir, &err);

	family_close(&dir);
	return r == 0 || err.code != ENOENT;
}

void help_rm(void)
{
	printf("Usage: unifork rm [OPTIONS] NAME...\n\n"
		   "Removes families that have ended, with their logs, and prints the names.\n\n"
		   "  -f, --force          running ones are ended first; names that are not there are no\n"
		   "                       error\n"
		   HELP_STATE_DIR);
}

int verb_rm(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL;
	bool force = false;
	const struct verb_option table[] = {
		{"force", 'f', NULL, &force}, OPTION_STATE_DIR(state_dir), {0}};
	int first, kept, families_fd;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	kept = first;
	if (force && families_open(state_dir, false, &families_fd, err) < 0)
		return -EXIT_SYSTEM;
	for (int i = first; force && i < argc; i++)
		if (is_there(families_fd, argv[i]))
			argv[kept++] = argv[i];
	if (force && kept == first && argc > first)
		return 0;
	return each_family((force ? kept : argc) - first, argv + first, state_dir, &force, family_rm,
					   err);
}
