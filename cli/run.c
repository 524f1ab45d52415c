/* SPDX-License-Identifier: ISC */
/* unifork run: options, the program's path and environment, then the supervisor. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "monitor/core/monitor.h"
#include "monitor/supervisor/supervisor.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void help_run(void)
{
	printf(
		"Usage: unifork run [OPTIONS] -- PROGRAM [ARGS...]\n\n"
		"Runs PROGRAM, an ordinary Linux x86-64 executable, so that each of its processes is a\n"
		"unikernel of its own. The root directory is seen read-only under a layer in memory: the\n"
		"host's files never change, except on volumes.\n\n"
		"  -b, --backend B   auto (default), kvm, or process\n"
		"  -r, --root DIR    the family's root directory (default /)\n"
		"  -e, --env N=V     set an environment variable; -e N passes the caller's value on\n"
		"  -w, --workdir D   working directory (default: the current one if the root is /, else "
		"/)\n"
		"      --init        PID 1 is a reaper of the kernel's, PROGRAM is its child\n"
		"  -v, --volume HOSTDIR:DIR[:ro]\n"
		"                    share the host's directory HOSTDIR at DIR, read-write unless :ro\n"
		"  -m, --memory SIZE the family's memory, with a suffix K, M or G: above it the largest\n"
		"                    member is killed\n"
		"      --pids N      how many processes and threads it may have (also --pids-limit;\n"
		"                    default 2048; 0 or -1: no limit but that of 4096 processes)\n"
		"      --verbose     tell on standard error how the family grows\n"
		"  -s, --stats FILE  write counts and times as JSON when the family has ended; - is\n"
		"                    standard output\n"
		"  -i, -t, --rm      accepted: standard input, the terminal and removal at the end are as\n"
		"                    other engines' users expect, without asking\n"
		"      --stop-timeout S  seconds from SIGTERM until the family is ended (10; -1: never)\n"
		"      --without LAYER   go on where the host refuses a layer of the confinement:\n"
		"                    namespaces or landlock\n"
		"  -h, --help        this text\n\n"
		"The environment is PATH, HOME, and TERM if standard output is a terminal; add to it with "
		"-e.\n");
}

struct environment {
	char **list;
	int count;
};

static int env_add(struct environment *env, const char *setting, struct error *err)
{
	size_t name_len = strcspn(setting, "=");
	char *text;

	if (name_len == 0)
		return error_set(err, 0, "-e '%s' has no name; write -e NAME=VALUE", setting);
	if (setting[name_len] == '=') {
		text = strdup(setting);
	} else {
		const char *value = getenv(setting);
		if (!value)
			return 0; /* not set here: not set there */
		if (asprintf(&text, "%s=%s", setting, value) < 0)
			text = NULL;
	}
	if (!text)
		return error_set(err, ENOMEM, "cannot keep the environment");
	for (int i = 0; i < env->count; i++) {
		if (!strncmp(env->list[i], text, name_len + 1)) {
			free(env->list[i]);
			env->list[i] = text;
			return 0;
		}
	}
	char **list = realloc(env->list, (env->count + 2) * sizeof(*list));
	if (!list) {
		free(text);
		return error_set(err, ENOMEM, "cannot keep the environment");
	}
	list[env->count++] = text;
	list[env->count] = NULL;
	env->list = list;
	return 0;
}

/* 0 if path below root is a regular file with an x bit, else an errno. */
static int executable_below(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	struct stat st;
	int fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	if (fd < 0)
		return errno;
	int e = fstat(fd, &st) < 0 ? errno : 0;
	close(fd);
	if (e)
		return e;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? 0 : EACCES;
}

/* A name without a slash is looked for along the family's PATH, below its root. */
static int find_program(struct run_options *o, const char *search, struct error *err)
{
	static char found[PATH_MAX];
	const char *name = o->argv[0];
	int seen = ENOENT;

	o->program = name;
	if (strchr(name, '/'))
		return 0;
	int root_fd = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0) {
		error_set(err, errno, "cannot open the root directory '%s'; give an existing one to --root",
				  o->root);
		return -EXIT_SYSTEM;
	}
	for (const char *p = search; *p;) {
		size_t n = strcspn(p, ":");
		snprintf(found, sizeof(found), "%.*s/%s", (int)n, p, name);
		int e = executable_below(root_fd, found);
		if (!e) {
			o->program = found;
			close(root_fd);
			return 0;
		}
		if (e == EACCES)
			seen = e;
		p += n + (p[n] == ':');
	}
	close(root_fd);
	error_set(err, 0,
			  seen == EACCES ? "'%s' is not executable"
							 : "'%s' was not found along PATH (%s) below %s",
			  name, search, o->root);
	return seen == EACCES ? -EXIT_CANNOT_EXEC : -EXIT_NOT_FOUND;
}

#define MEMORY_MIN (16ull << 20)
#define TASKS_DEFAULT 2048 /* Podman's; a family has at most MEMBERS_MAX monitors, dying ones too */

/* SIZE: a number and K, M, G or nothing. */
static int parse_memory(struct run_options *o, const char *text, struct error *err)
{
	static const char suffixes[] = "KMG";
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	const char *suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
	unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
	if (errno || end == text || *text < '0' || *text > '9' || (*end && (!suffix || end[1])) ||
		n > ULLONG_MAX >> shift)
		return error_set(err, 0, "--memory '%.100s' is not a size; write 512M or 2G", text);
	o->memory_bytes = n << shift;
	if (o->memory_bytes < MEMORY_MIN)
		return error_set(err, 0, "--memory '%.100s' is too small: a family needs 16M at least",
						 text);
	return 0;
}

static int parse_pids(struct run_options *o, const char *text, struct error *err)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < -1 || n > 1 << 22 || isspace((unsigned char)*text))
		return error_set(err, 0, "--pids '%.100s' is not a number of processes (0, -1: no limit)",
						 text);
	o->tasks_max = n > 0 ? (unsigned)n : 0;
	o->tasks_asked = true;
	return 0;
}

#define STOP_TIMEOUT_MAX 1000000 /* seconds */

static int parse_stop_timeout(struct run_options *o, const char *text, struct error *err)
{
	char *end;

	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < -1 || n > STOP_TIMEOUT_MAX)
		return error_set(err, 0, "--stop-timeout '%.100s' is not a number of seconds, or -1", text);
	o->stop_timeout_s = (int)n;
	return 0;
}

static int parse_without(struct run_options *o, const char *text, struct error *err)
{
	if (!strcmp(text, "namespaces"))
		o->without |= WITHOUT_NAMESPACES;
	else if (!strcmp(text, "landlock"))
		o->without |= WITHOUT_LANDLOCK;
	else
		return error_set(err, 0, "--without '%.100s': choose namespaces or landlock", text);
	return 0;
}

static int parse_resource(struct run_options *o, int option, const char *text, struct error *err)
{
	switch (option) {
	case 'm': return parse_memory(o, text, err);
	case 'P': return parse_pids(o, text, err);
	case 'T': return parse_stop_timeout(o, text, err);
	case 'W': return parse_without(o, text, err);
	default: return volume_add(o, text, err);
	}
}

static int parse(int argc, char **argv, struct run_options *o, struct environment *env,
				 struct error *err)
{
	static const struct option options[] = {
		{"backend", required_argument, NULL, 'b'}, {"root", required_argument, NULL, 'r'},
		{"env", required_argument, NULL, 'e'},     {"workdir", required_argument, NULL, 'w'},
		{"volume", required_argument, NULL, 'v'},
		{"memory", required_argument, NULL, 'm'},  {"pids", required_argument, NULL, 'P'},
		{"pids-limit", required_argument, NULL, 'P'},
		{"stop-timeout", required_argument, NULL, 'T'},
		{"without", required_argument, NULL, 'W'},
		{"init", no_argument, NULL, 'I'},          {"verbose", no_argument, NULL, 'O'},
		{"interactive", no_argument, NULL, 'i'},   {"tty", no_argument, NULL, 't'},
		{"rm", no_argument, NULL, 'i'},
		{"stats", required_argument, NULL, 's'},   {NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:b:r:e:w:itv:s:m:", options, NULL)) != -1) {
		switch (c) {
		case 'b': o->backend = optarg; break;
		case 'r': o->root = optarg; break;
		case 'w':
			o->workdir = optarg;
			o->workdir_given = true;
			break;
		case 'I': o->init = true; break;
		case 'O': o->verbose = true; break;
		case 'i':
		case 't': break; /* what is a terminal is one inside, too; nothing is kept to be removed */
		case 'm':
		case 'P':
		case 'T':
		case 'v':
		case 'W':
			if (parse_resource(o, c, optarg, err) < 0)
				return -EXIT_USAGE;
			break;
		case 's': o->stats = optarg; break;
		case 'e':
			if (env_add(env, optarg, err) < 0)
				return -EXIT_USAGE;
			break;
		case ':':
			error_set(err, 0, "option '%s' needs a value; see 'unifork run --help'",
					  argv[optind - 1]);
			return -EXIT_USAGE;
		default:
			error_set(err, 0, "unknown option '%s'; see 'unifork run --help'", argv[optind - 1]);
			return -EXIT_USAGE;
		}
	}
	if (optind >= argc) {
		error_set(err, 0, "run needs a program: unifork run [OPTIONS] -- PROGRAM [ARGS...]");
		return -EXIT_USAGE;
	}
	o->argc = argc - optind;
	o->argv = argv + optind;
	return 0;
}

static int check_options(struct run_options *o, struct error *err)
{
	static char cwd[PATH_MAX], root[PATH_MAX];

	if (strcmp(o->backend, "auto") && strcmp(o->backend, "kvm") && strcmp(o->backend, "process")) {
		error_set(err, 0, "unknown backend '%s'; choose auto, kvm or process", o->backend);
		return -EXIT_USAGE;
	}
	if (!realpath(o->root, root)) {
		error_set(err, errno,
				  "cannot use '%s' as the root directory; give an existing one to --root", o->root);
		return -EXIT_USAGE;
	}
	o->root = root;
	if (!o->workdir)
		o->workdir = strcmp(root, "/") == 0 && getcwd(cwd, sizeof(cwd)) ? cwd : "/";
	if (o->workdir[0] != '/') {
		error_set(err, 0, "-w '%s' is not absolute; give a path that begins with /", o->workdir);
		return -EXIT_USAGE;
	}
	return 0;
}

static int default_environment(struct environment *env, struct error *err)
{
	if (env_add(env, "PATH=" DEFAULT_PATH, err) < 0 || env_add(env, "HOME=/root", err) < 0)
		return -1;
	return isatty(STDOUT_FILENO) ? env_add(env, "TERM", err) : 0;
}

int verb_run(int argc, char **argv, struct error *err)
{
	struct run_options o = {.backend = "auto", .root = "/", .stop_timeout_s = 10,
							 .tasks_max = TASKS_DEFAULT};
	struct environment env = {0};
	const char *search = DEFAULT_PATH;
	int status;

	if (default_environment(&env, err) < 0)
		return -EXIT_SYSTEM;
	status = parse(argc, argv, &o, &env, err);
	if (!status)
		status = check_options(&o, err);
	if (status)
		return status;
	o.envc = env.count;
	o.envp = env.list;
	for (int i = 0; i < env.count; i++)
		if (!strncmp(env.list[i], "PATH=", 5))
			search = env.list[i] + 5;
	o.job = getpgid(getppid()) != getpgrp() && getsid(getppid()) == getsid(0);
	status = find_program(&o, search, err);
	if (status)
		return status;
	if (supervisor_run(&o, &status, err) < 0)
		return -EXIT_SYSTEM;
	return WIFSIGNALED(status) ? VERB_SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
}
