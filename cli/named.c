/* SPDX-License-Identifier: ISC */
/*
 * A family with a name: its directory, what is written there at the start and at the end, and the
 * way into the background. The process that holds its lock is the front: this one, or with -d a
 * child in a session of its own, for whose start this one waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/named.h"
#include "cli/options.h"
#include "cli/verb_options.h"
#include "monitor/families/family_record.h"
#include "monitor/families/journal.h"

int log_size_parse(struct naming *n, const char *text, struct error *err)
{
	if (size_parse(text, &n->log_bytes) == 0 && n->log_bytes >= JOURNAL_BYTES_MIN)
		return 0;
	return error_set(err, 0, "--log-size '%.100s' is not a size of 64K at least; write 8M", text);
}

/* no, on-failure, on-failure:N */
int restart_parse(struct naming *n, const char *text, struct error *err)
{
	static const char what[] = "on-failure";
	const char *times = text + sizeof(what) - 1;
	struct error unused;
	long most = 0;

	n->restart = !strncmp(text, what, sizeof(what) - 1);
	if (!strcmp(text, "no"))
		return 0;
	if (!n->restart || (*times && (*times != ':' || number_parse("", times + 1, 1, 1000000, &most,
																  &unused) < 0)))
		return error_set(err, 0, "--restart '%.60s': choose no, on-failure or on-failure:TIMES",
						 text);
	n->restarts_max = (unsigned)most;
	return 0;
}

/* Kept as it is shown: what is not printable ASCII as \xNN. The last value of a key holds. */
int label_add(struct naming *n, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");
	char *key = strndup(text, len);
	json_t *shown = key && len ? text_json(key) : NULL;
	int r = -1;

	if (!n->labels)
		n->labels = json_object();
	if (shown)
		r = json_object_set_new(n->labels, json_string_value(shown),
								text_json(text[len] ? text + len + 1 : ""));
	json_decref(shown);
	free(key);
	return r == 0 ? 0 : error_set(err, 0, "--label '%.100s' has no key; write KEY=VALUE", text);
}

int naming_check(const struct naming *n, struct error *err)
{
	if (n->name && family_name_check(n->name, err) < 0)
		return -1;
	if (n->labels && !n->name && !n->detach)
		return error_set(err, 0, "--label is for --name or -d: of another family nothing is kept");
	if (n->restart && !n->name && !n->detach)
		return error_set(err, 0, "--restart is for --name or -d: nobody could end another family");
	if (n->restart && n->remove)
		return error_set(err, 0, "--restart and --rm exclude each other");
	if (n->log_bytes && !n->detach)
		return error_set(err, 0, "--log-size is for -d: only a detached family has a log");
	return 0;
}

/* ---- family.json */

/* Without values: they may be secrets, and a family may be shown this directory as part of `/`. */
static json_t *env_names_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (int i = 0; i < o->envc; i++) {
		char *name = strndup(o->envp[i], strcspn(o->envp[i], "="));

		if (name)
			json_array_append_new(list, text_json(name));
		free(name);
	}
	return list;
}

static json_t *texts_json(int count, char *const *texts)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list, text_json(texts[i]));
	return list;
}

static json_t *volumes_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < o->volume_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "host",
											  text_json(o->volumes[i].host), "path",
											  text_json(o->volumes[i].path), "read_only",
											  o->volumes[i].read_only));
	return list;
}

static json_t *ports_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < o->publish_count; i++) {
		const struct run_publish *p = &o->publish[i];
		char address[INET6_ADDRSTRLEN] = "";

		inet_ntop(p->six ? AF_INET6 : AF_INET, p->address, address, sizeof(address));
		json_array_append_new(list, json_pack("{s:s, s:i, s:i}", "address", address, "host_port",
											  (int)p->host_port, "port", (int)p->port));
	}
	return list;
}

static json_t *options_json(const struct run_options *o)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:i, s:i, s:I, s:i, s:b, s:o, s:o, s:o}", "backend",
					 o->backend, "root", text_json(o->root), "workdir", text_json(o->workdir),
					 "hostname", o->hostname, "uid", (int)o->uid, "gid", (int)o->gid,
					 "memory_bytes", (json_int_t)o->memory_bytes, "pids", (int)o->tasks_max,
					 "read_only", o->read_only, "volumes", volumes_json(o), "ports", ports_json(o),
					 "env", env_names_json(o));
}

static json_t *start_json(const struct naming *n, const struct run_options *o, const char *name)
{
	return json_pack("{s:i, s:s, s:I, s:b, s:b, s:o, s:o, s:o, s:i, s:o}", "version",
					 RECORD_VERSION, "name", name, "created", (json_int_t)time(NULL), "detached",
					 n->detach, "remove", n->remove, "labels",
					 n->labels ? json_incref(n->labels) : json_object(), "program",
					 text_json(o->program), "command", texts_json(o->argc, o->argv),
					 "stop_timeout", o->stop_timeout_s, "options", options_json(o));
}

/* ---- the front */

/* The family from its start to its end. */
static int family_run(const struct naming *n, struct run_options *o, struct error *err)
{
	struct run_named *named = o->named;
	struct error unwritten;
	int wait_status = 0, r;

	r = family_start_write(&named->dir, start_json(n, o, named->dir.name), err);
	if (r == 0)
		r = supervisor_run(o, &wait_status, err);
	if (n->remove || !named->started)
		family_remove_own(named->families_fd, &named->dir);
	else if (family_end_write(&named->dir, wait_status, r < 0 ? err : NULL, &unwritten) < 0)
		fprintf(stderr, "unifork: %s\n", unwritten.text);
	if (r < 0)
		return -EXIT_SYSTEM;
	return WIFSIGNALED(wait_status) ? VERB_SIGNALED + WTERMSIG(wait_status)
									: WEXITSTATUS(wait_status);
}

/* What the caller had open is not for a process that outlives it. */
static void others_close(const struct run_named *named)
{
	int kept[] = {named->dir.fd, named->dir.lock_fd, named->started_fd, named->families_fd};
	int highest = 2;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		highest = MAX(highest, kept[i]);
	for (int fd = 3; fd < highest; fd++)
		if (fd != kept[0] && fd != kept[1] && fd != kept[2] && fd != kept[3])
			close(fd);
	syscall(SYS_close_range, highest + 1, ~0u, 0);
}

/* The child: a front without a terminal, whose words go to the log. */
_Noreturn static void detached_run(const struct naming *n, struct run_options *o)
{
	struct run_named *named = o->named;
	struct error err = {0};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t journal = -1;

	setsid();
	others_close(named);
	dup2(null, STDIN_FILENO);
	o->job = false;
	if (null >= 0)
		journal = journal_start(&named->dir, n->log_bytes ? n->log_bytes : JOURNAL_BYTES_DEFAULT,
								&err);
	else
		error_set(&err, errno, "cannot open /dev/null");
	if (journal < 0)
		family_remove_own(named->families_fd, &named->dir);
	else if (family_run(n, o, &err) < 0)
		fprintf(stderr, "unifork: %s\n", err.text);
	/* It did not start: the text is for who waits. */
	if (named->started_fd >= 0 && write(named->started_fd, err.text, strlen(err.text)) < 0)
		_exit(EXIT_SYSTEM);
	if (journal > 0)
		journal_finish(journal);
	_exit(0);
}

/* ---- who started it */

static int start_await(int fd, const char *name, struct error *err)
{
	char text[sizeof(err->text)];
	ssize_t n;

	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n == 1 && !text[0]) {
		puts(name);
		return 0;
	}
	text[n > 0 ? n : 0] = 0;
	error_set(err, 0, "%s", n > 0 ? text : "the family's front was killed before it had started");
	return -EXIT_SYSTEM;
}

static int detach(const struct naming *n, struct run_options *o, struct error *err)
{
	int started[2];
	pid_t pid = -1;

	if (pipe2(started, O_CLOEXEC) < 0 || (fflush(NULL), pid = fork()) < 0) {
		error_set(err, errno, "cannot start the family's front");
		family_remove_own(o->named->families_fd, &o->named->dir);
		return -EXIT_SYSTEM;
	}
	if (pid == 0) {
		o->named->started_fd = started[1];
		detached_run(n, o);
	}
	close(started[1]);
	family_close(&o->named->dir);
	return start_await(started[0], o->named->dir.name, err);
}

int named_run(const struct naming *n, struct run_options *o, struct error *err)
{
	static struct run_named named;

	named = (struct run_named){.detached = n->detach, .started_fd = -1, .restart = n->restart,
							   .restarts_max = n->restarts_max};
	if (families_open(n->state_dir, true, &named.families_fd, err) < 0 ||
		family_create(named.families_fd, n->name, o->argv[0], &named.dir, err) < 0)
		return -EXIT_SYSTEM;
	o->named = &named;
	return n->detach ? detach(n, o, err) : family_run(n, o, err);
}
