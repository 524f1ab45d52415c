/* SPDX-License-Identifier: ISC */
/* unifork exec: a further program in a running family. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exec_client.h"
#include "cli/options.h"
#include "cli/verb_options.h"
#include "monitor/families/request.h"

#define EXIT_KILLED 137 /* with its family */

struct exec_options {
	const char *state_dir, *user, *workdir;
	bool detach, interactive, terminal;
	struct environment env;
};

void help_exec(void)
{
	printf("Usage: unifork exec [OPTIONS] NAME PROGRAM [ARGS...]\n\n"
		   "Runs PROGRAM as a further process of the running family NAME, in a VM of its own, and\n"
		   "waits for it. It has the environment, user and directory of the family's first\n"
		   "program. Its standard output and error come here; what is left of it when the family\n"
		   "ends, ends with it.\n\n"
		   "  -i, --interactive    it gets this standard input; without, its own is empty\n"
		   "  -t, --tty            it gets a terminal of the family's\n"
		   "  -d, --detach         do not wait; its output is lost, -i and -t mean nothing\n"
		   "  -e, --env N=V        set an environment variable; -e N passes the caller's on\n"
		   "      --env-file F     the same from a file, one in a line\n"
		   "  -u, --user USER[:GROUP]  who it is: names or numbers\n"
		   "  -w, --workdir DIR    its directory\n"
		   HELP_STATE_DIR
		   "\nExit status: the program's own, or 128 and its signal; 126 it cannot be executed,\n"
		   "127 it was not found, 137 its family ended; 1 the family is not there or does not\n"
		   "run; 100 wrong usage, 111 the system failed.\n");
}

/* ---- the request */

/* By the root directory that the family has, as run does; the record may be another user's. */
static int user_take(const struct family_dir *dir, struct exec_options *x, json_t *request,
					 struct error *err)
{
	struct family_record record;
	struct run_options o = {0};
	const char *home = NULL;
	char *setting;
	int r;

	if (!x->user)
		return 0;
	family_record_read(dir, &record);
	o.root = json_string_value(json_object_get(json_object_get(record.start, "options"), "root"));
	o.root = o.root ? o.root : "/";
	r = user_find(&o, x->user, &home, err);
	family_record_free(&record);
	if (r < 0)
		return -EXIT_USAGE;
	json_object_set_new(request, "uid", json_integer(o.uid));
	json_object_set_new(request, "gid", json_integer(o.gid));
	if (environment_get(&x->env, "HOME"))
		return 0;
	if (asprintf(&setting, "HOME=%s", home) < 0)
		return -EXIT_SYSTEM;
	r = environment_add(&x->env, setting, err);
	free(setting);
	return r < 0 ? -EXIT_SYSTEM : 0;
}

/* NULL: one of them is no text. */
static json_t *texts(int count, char *const *list)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++)
		if (json_array_append_new(array, json_string(list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* 0, or a status and err. */
static int request_make(const struct family_dir *dir, struct exec_options *x, int argc,
						char **argv, json_t **request, struct error *err)
{
	int r;

	*request = json_object();
	r = user_take(dir, x, *request, err);
	if (r < 0)
		return r;
	if (x->terminal && !environment_get(&x->env, "TERM"))
		r = environment_add(&x->env, getenv("TERM") ? "TERM" : "TERM=xterm", err);
	json_object_set_new(*request, "command", texts(argc, argv));
	json_object_set_new(*request, "env", texts(x->env.count, x->env.list));
	if (x->workdir)
		json_object_set_new(*request, "workdir", json_string(x->workdir));
	if (x->terminal)
		json_object_set_new(*request, "terminal", json_integer(1));
	if (x->detach)
		json_object_set_new(*request, "detach", json_integer(1));
	if (r == 0 && json_object_get(*request, "command") && json_object_get(*request, "env") &&
		(!x->workdir || json_object_get(*request, "workdir")))
		return 0;
	error_set(err, 0, "arguments, environment and directory have to be text in UTF-8");
	return -EXIT_USAGE;
}

/* ---- the program */

/*
 * The answer to exec takes as long as the program: a front that hangs would not be noticed. code
 * ECONNRESET: it has ended.
 */
static int front_turns(int control_fd, struct error *err)
{
	json_t *answer = control_ask(control_fd, REQUEST_status, NULL, err);

	json_decref(answer);
	return answer ? 0 : -1;
}

static int run(int control_fd, struct exec_options *x, json_t *request, struct error *err)
{
	struct exec_client client;
	json_t *answer;
	int status;

	if (front_turns(control_fd, err) < 0) {
		json_decref(request);
		return err->code == ECONNRESET ? -EXIT_NOT_SO : -EXIT_SYSTEM;
	}
	if (exec_client_open(&client, x->interactive, x->terminal, x->detach, err) < 0) {
		json_decref(request);
		return -EXIT_SYSTEM;
	}
	if (control_send(control_fd, REQUEST_exec, request, client.family, err) < 0)
		return err->code == ECONNRESET ? -EXIT_NOT_SO : -EXIT_SYSTEM;
	exec_client_sent(&client);
	exec_client_carry(&client, control_fd);
	answer = control_receive(control_fd, err);
	if (!answer && err->code == ECONNRESET) {
		error_set(err, 0, "the family ended, and the program with it");
		return -EXIT_KILLED;
	}
	if (!answer)
		return err->code == EREMOTE ? -EXIT_NOT_SO : -EXIT_SYSTEM;
	status = (int)json_integer_value(json_object_get(answer, "exit_status")) & 0xff;
	json_decref(answer);
	return status;
}

static int exec_in(const struct family_dir *dir, struct exec_options *x, int argc, char **argv,
				   struct error *err)
{
	json_t *request = NULL;
	int fd, status;

	if (!family_lives(dir)) {
		error_set(err, 0, "the family '%s' is not running", dir->name);
		return -EXIT_NOT_SO;
	}
	status = request_make(dir, x, argc, argv, &request, err);
	if (status < 0) {
		json_decref(request);
		return status;
	}
	fd = control_connect(dir, err);
	if (fd < 0) {
		json_decref(request);
		return err->code == ETIMEDOUT ? -EXIT_SYSTEM : -EXIT_NOT_SO;
	}
	status = run(fd, x, request, err);
	close(fd);
	return status;
}

int verb_exec(int argc, char **argv, struct error *err)
{
	struct exec_options x = {0};
	const struct verb_option table[] = {
		{"interactive", 'i', .flag = &x.interactive},
		{"tty", 't', .flag = &x.terminal},
		{"detach", 'd', .flag = &x.detach},
		{"env", 'e', .add = environment_add, .env = &x.env},
		{"env-file", 0, .add = environment_file, .env = &x.env},
		{"user", 'u', .text = &x.user},
		{"workdir", 'w', .text = &x.workdir},
		OPTION_STATE_DIR(x.state_dir),
		{0},
	};
	struct family_dir dir;
	int first, families_fd, status;

	if (verb_options(argc, argv, table, true, &first, err) < 0)
		return -EXIT_USAGE;
	if (x.detach) /* nobody would type or look */
		x.interactive = x.terminal = false;
	if (argc - first < 2) {
		error_set(err, 0, "exec needs a family and a program: unifork exec [OPTIONS] NAME PROGRAM");
		return -EXIT_USAGE;
	}
	if (x.workdir && x.workdir[0] != '/') {
		error_set(err, 0, "-w '%.200s' is not absolute; give a path that begins with /", x.workdir);
		return -EXIT_USAGE;
	}
	if (x.terminal && x.interactive && !isatty(STDIN_FILENO)) {
		error_set(err, 0, "-t with -i needs a terminal as standard input; leave -t away");
		return -EXIT_USAGE;
	}
	if (families_open(x.state_dir, false, &families_fd, err) < 0)
		return -EXIT_SYSTEM;
	if (family_open(families_fd, argv[first], &dir, err) < 0)
		return -EXIT_NOT_SO;
	status = exec_in(&dir, &x, argc - first - 1, argv + first + 1, err);
	family_close(&dir);
	return status;
}
