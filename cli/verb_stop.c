/* SPDX-License-Identifier: ISC */
/* unifork stop, kill, pause, unpause, wait, rm: what is done to families. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/family_members.h"
#include "cli/verb_options.h"
#include "monitor/families/request.h"

/* What a front takes at most after its family's time is over, and then some. */
#define END_PATIENCE_MS 15000
#define STOP_TIMEOUT_MAX 1000000
#define PAUSE_PATIENCE_MS 10000
#define PAUSE_LOOK_MS 10

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
	int fd = control_connect(dir, &unused), front = fd < 0 ? -1 : control_front(dir, fd);

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
		timeout_s = MAX(-1l, MIN(timeout_s, (long)STOP_TIMEOUT_MAX));
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
	const struct verb_option table[] = {{"time", 't', .text = &with.timeout},
										{"timeout", 0, .text = &with.timeout},
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
		{"signal", 's', .text = &name}, OPTION_STATE_DIR(state_dir), {0}};
	int first, sig;

	if (verb_options(argc, argv, table, false, &first, err) < 0 ||
		signal_parse(name, &sig, err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, state_dir, &sig, family_signal, err);
}

/* ---- pause, unpause */

static bool all_stopped(const json_t *members)
{
	const char *state;
	const json_t *m;
	size_t i;

	json_array_foreach((json_t *)members, i, m) {
		state = json_string_value(json_object_get(m, "state"));
		if (state && *state != 'T' && *state != 'Z')
			return false;
	}
	return true;
}

/* Each has been told; where many compute it takes the host a while until the last one hears it. */
static int stop_await(const struct family_dir *dir, struct error *err)
{
	bool stopped = false;

	for (int ms = 0; ms < PAUSE_PATIENCE_MS && !stopped; ms += PAUSE_LOOK_MS) {
		json_t *all = json_object();

		if (family_members(dir, all, err) < 0) {
			json_decref(all);
			return -1;
		}
		stopped = all_stopped(json_object_get(all, "members"));
		json_decref(all);
		if (!stopped)
			poll(NULL, 0, PAUSE_LOOK_MS);
	}
	return stopped ? 0 : error_set(err, 0, "the family '%s' was told to stop, but some of it has "
								   "not heard it yet", dir->name);
}

static int family_pause(struct family_act *a, struct family_dir *dir, struct error *err)
{
	enum request which = *(const enum request *)a->with;

	if (!family_lives(dir))
		return not_running(dir, err);
	if (ask(dir, which, NULL, err) < 0 ||
		(which == REQUEST_pause && stop_await(dir, err) < 0))
		return family_lives(dir) ? -1 : not_running(dir, err);
	puts(dir->name);
	return 0;
}

static int pause_run(int argc, char **argv, enum request which, struct error *err)
{
	const char *state_dir = NULL;
	const struct verb_option table[] = {OPTION_STATE_DIR(state_dir), {0}};
	int first;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	return each_family(argc - first, argv + first, state_dir, &which, family_pause, err);
}

void help_pause(void)
{
	printf("Usage: unifork pause [OPTIONS] NAME...\n\n"
		   "Stops all processes of the families where they are, until 'unifork unpause', and\n"
		   "prints the names. Clocks go on. 'unifork stop' lets them go on, too.\n\n"
		   HELP_STATE_DIR);
}

int verb_pause(int argc, char **argv, struct error *err)
{
	return pause_run(argc, argv, REQUEST_pause, err);
}

void help_unpause(void)
{
	printf("Usage: unifork unpause [OPTIONS] NAME...\n\n"
		   "Lets families go on that were paused, and prints the names.\n\n"
		   HELP_STATE_DIR);
}

int verb_unpause(int argc, char **argv, struct error *err)
{
	return pause_run(argc, argv, REQUEST_unpause, err);
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
		{"force", 'f', .flag = &force}, OPTION_STATE_DIR(state_dir), {0}};
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
