/* SPDX-License-Identifier: ISC */
/*
 * unifork attach: what a detached family writes from now on, signals for it, and its exit status.
 * What is written is read from its log by a child, as `unifork logs -f` does it, so that this
 * process has only signals to wait for.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/verb_options.h"
#include "monitor/families/request.h"

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/* One that cannot be passed on has no family any more, or says why. */
static void signal_pass_on(const struct family_dir *dir, int sig)
{
	struct error err = {0};
	int fd = control_connect(dir, &err);
	json_t *answer = NULL;

	if (fd >= 0) {
		answer = control_ask(fd, REQUEST_signal, json_pack("{s:i}", "signal", sig), &err);
		close(fd);
	}
	if (!answer && err.code != ECONNREFUSED && err.code != ECONNRESET)
		fprintf(stderr, "unifork: %s\n", err.text);
	json_decref(answer);
}

_Noreturn static void follow(const char *state_dir, const char *name)
{
	const char *words[] = {"logs", "-f", "-n", "0", name, "--state-dir", state_dir, NULL};
	struct error err = {0};
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	optind = 0;
	status = verb_logs(state_dir ? 7 : 5, (char **)words, &err);
	if (status < 0)
		fprintf(stderr, "unifork: %s\n", err.text);
	fflush(stdout);
	_exit(status < 0 ? -status : status);
}

/* Until the child has ended: its status as a shell shows it. */
static int signals_serve(const struct family_dir *dir, pid_t child, const sigset_t *set, bool proxy)
{
	int status = 0, sig;

	for (;;) {
		if (waitpid(child, &status, WNOHANG) != 0)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (sigwait(set, &sig) == 0 && sig != SIGCHLD && proxy)
			signal_pass_on(dir, sig);
	}
}

static int attach(struct family_dir *dir, const char *state_dir, bool proxy, struct error *err)
{
	struct family_record record;
	sigset_t set, before;
	pid_t child;
	int status;

	if (!family_lives(dir)) {
		error_set(err, 0, "the family '%s' is not running", dir->name);
		return -EXIT_NOT_SO;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; proxy && i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_BLOCK, &set, &before);
	fflush(NULL);
	child = fork();
	if (child < 0) {
		error_set(err, errno, "cannot start what reads the log");
		return -EXIT_SYSTEM;
	}
	if (child == 0) {
		/* The terminal's signals are for the family; this ends with it, or with its parent. */
		if (!proxy)
			sigprocmask(SIG_SETMASK, &before, NULL);
		follow(state_dir, dir->name);
	}
	status = signals_serve(dir, child, &set, proxy);
	if (status == 0 && !family_lives(dir)) {
		family_record_read(dir, &record);
		status = record.exit_status;
		family_record_free(&record);
	}
	return status;
}

void help_attach(void)
{
	printf("Usage: unifork attach [OPTIONS] NAME\n\n"
		   "Prints what a family that was started with -d writes from now on, until it ends, and\n"
		   "exits with its status. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to\n"
		   "its first process. A detached family has no input: see 'unifork exec -it'.\n\n"
		   "      --no-stdin       as it is without\n"
		   "      --sig-proxy B    false: signals end this command alone\n"
		   HELP_STATE_DIR);
}

int verb_attach(int argc, char **argv, struct error *err)
{
	const char *state_dir = NULL, *proxy = "true";
	bool no_stdin = false;
	const struct verb_option table[] = {{"no-stdin", 0, .flag = &no_stdin},
										{"sig-proxy", 0, .text = &proxy},
										OPTION_STATE_DIR(state_dir),
										{0}};
	struct family_dir dir;
	int first, families_fd, status;

	if (verb_options(argc, argv, table, false, &first, err) < 0)
		return -EXIT_USAGE;
	if (argc - first != 1) {
		error_set(err, 0, "attach takes one family; see 'unifork attach --help'");
		return -EXIT_USAGE;
	}
	if (strcmp(proxy, "true") != 0 && strcmp(proxy, "false") != 0) {
		error_set(err, 0, "--sig-proxy '%.60s': choose true or false", proxy);
		return -EXIT_USAGE;
	}
	if (families_open(state_dir, false, &families_fd, err) < 0)
		return -EXIT_SYSTEM;
	if (family_open(families_fd, argv[first], &dir, err) < 0)
		return -EXIT_NOT_SO;
	status = attach(&dir, state_dir, !strcmp(proxy, "true"), err);
	family_close(&dir);
	return status;
}
