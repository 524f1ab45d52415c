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
#include "cli/named.h"
#include "cli/options.h"
#include "monitor/core/monitor.h"
#include "monitor/supervisor/supervisor.h"

#define TASKS_DEFAULT 2048 /* Podman's; a family has at most MEMBERS_MAX monitors, dying ones too */
#define ARGUMENTS_MAX (2u << 20) /* a quarter of the stack that a program has: execve(2) */
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
		"  -u, --user USER[:GROUP]\n"
		"                    names or numbers (default: who runs unifork). An ordinary user's\n"
		"                    files are shown as USER's: -u root is root inside, not on the host\n"
		"  -e, --env N=V     set an environment variable; -e N passes the caller's value on\n"
		"      --env-file F  the same from a file, one in a line\n"
		"  -w, --workdir D   working directory (default: the current one if the root is /, else "
		"/)\n"
		"      --hostname N  the name of the family's host (default unifork)\n"
		"      --init        PID 1 is a reaper of the kernel's, PROGRAM is its child\n"
		"  -v, --volume HOST:PATH[:ro]\n"
		"                    share the host's directory or file HOST at PATH, read-write unless\n"
		"                    :ro; :z and :Z are accepted\n"
		"      --net MODE    none (default): loopback of its own; host: the host's network;\n"
		"                    user: a network of its own, connected by pasta; ns:PATH: a network\n"
		"                    namespace\n"
		"  -p, --publish [ADDR:]HOSTPORT:PORT[/tcp]\n"
		"                    what connects to the host's HOSTPORT reaches who listens on PORT\n"
		"      --tmpfs PATH[:size=S,mode=M,uid=U]\n"
		"                    an empty directory in memory at PATH\n"
		"      --read-only   the layer over the root directory takes no changes\n"
		"  -m, --memory SIZE the family's memory (512M, 1.5G, 64MB; default: no limit): above it\n"
		"                    the largest member is killed\n"
		"      --pids N      how many processes and threads it may have (also --pids-limit;\n"
		"                    default 2048; 0 or -1: no limit but that of 4096 processes)\n"
		"      --ulimit NAME=SOFT[:HARD]\n"
		"                    a resource limit of the program, as setrlimit(2) counts it; -1: none\n"
		"      --verbose     tell on standard error how the family grows\n"
		"  -s, --stats FILE  write counts and times as JSON when the family has ended; - is\n"
		"                    standard output\n"
		"      --name NAME   the family is kept under that name: see 'unifork ps --help'\n"
		"  -d, --detach      run it in the background and print its name; 'unifork logs' has its\n"
		"                    output\n"
		"      --rm          do not keep it when it has ended\n"
		"      --log-size SIZE  of a detached family's log at most (default 8M)\n"
		"      --state-dir DIR  where families are kept (/run/unifork, for ordinary users\n"
		"                    $XDG_RUNTIME_DIR/unifork)\n"
		"  -i, -t            accepted: standard input and the terminal are as other engines'\n"
		"                    users expect, without asking\n"
		"      --stop-timeout S  seconds from SIGTERM until the family is ended (10; -1: never)\n"
		"      --without LAYER   go on where the host refuses a layer of the confinement:\n"
		"                    namespaces or landlock\n"
		"  -h, --help        this text\n\n"
		"The environment is PATH, HOME, and TERM if standard output is a terminal; add to it with "
		"-e.\n");
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

/* A name as hosts(5) and resolvers take it; it becomes a word of /etc/hosts. */
static int parse_hostname(struct run_options *o, const char *text, struct error *err)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '.' && text[i] != '_')
			n = 0;
	if (!n || n > HOSTNAME_MAX - 1 || text[0] == '-' || text[0] == '.')
		return error_set(err, 0, "--hostname '%.100s' is not a name: at most %d letters, digits, "
						 "-, _ and .", text, HOSTNAME_MAX - 1);
	o->hostname = text;
	return 0;
}

/* ---- all options */

/* What parse fills; user: checked when the root directory is known. */
struct parsed {
	struct run_options o;
	struct environment env;
	const char *user;
	struct naming naming;
};

static const struct option long_options[] = {
	{"backend", required_argument, NULL, 'b'},
	{"env", required_argument, NULL, 'e'},
	{"env-file", required_argument, NULL, 'E'},
	{"help", no_argument, NULL, 'h'},
	{"hostname", required_argument, NULL, 'H'},
	{"init", no_argument, NULL, 'I'},
	{"interactive", no_argument, NULL, 'i'},
	{"memory", required_argument, NULL, 'm'},
	{"net", required_argument, NULL, 'N'},
	{"network", required_argument, NULL, 'N'},
	{"pids", required_argument, NULL, 'P'},
	{"pids-limit", required_argument, NULL, 'P'},
	{"publish", required_argument, NULL, 'p'},
	{"read-only", no_argument, NULL, 'R'},
	{"rm", no_argument, NULL, 'M'},
	{"root", required_argument, NULL, 'r'},
	{"stats", required_argument, NULL, 's'},
	{"stop-timeout", required_argument, NULL, 'T'},
	{"tmpfs", required_argument, NULL, 'F'},
	{"tty", no_argument, NULL, 't'},
	{"ulimit", required_argument, NULL, 'L'},
	{"user", required_argument, NULL, 'u'},
	{"verbose", no_argument, NULL, 'O'},
	{"volume", required_argument, NULL, 'v'},
	{"without", required_argument, NULL, 'W'},
	{"workdir", required_argument, NULL, 'w'},
	{"detach", no_argument, NULL, 'd'},
	{"name", required_argument, NULL, 'A'},
	{"state-dir", required_argument, NULL, 'S'},
	{"log-size", required_argument, NULL, 'Z'},
	{NULL, 0, NULL, 0},
};

/* Options whose value is checked at once. */
static int parse_value(struct parsed *p, int option, const char *text, struct error *err)
{
	switch (option) {
	case 'e': return environment_add(&p->env, text, err);
	case 'E': return environment_file(&p->env, text, err);
	case 'F': return tmpfs_add(&p->o, text, err);
	case 'H': return parse_hostname(&p->o, text, err);
	case 'L': return ulimit_parse(&p->o, text, err);
	case 'm': return memory_parse(&p->o, text, err);
	case 'N': return net_parse(&p->o, text, err);
	case 'p': return publish_add(&p->o, text, err);
	case 'P': return pids_parse(&p->o, text, err);
	case 'T': return stop_timeout_parse(&p->o, text, err);
	case 'v': return volume_add(&p->o, text, err);
	case 'Z': return log_size_parse(&p->naming, text, err);
	default: return parse_without(&p->o, text, err);
	}
}

/* How many letters must be changed, added or left out to make b of a (Levenshtein). */
static unsigned distance(const char *a, size_t a_len, const char *b)
{
	unsigned row[64];
	size_t b_len = strlen(b);

	if (b_len >= sizeof(row) / sizeof(row[0]))
		return ~0u;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = corner + (a[i - 1] != b[j - 1]), above = row[j] + 1;

			corner = row[j];
			above = above < row[j - 1] + 1 ? above : row[j - 1] + 1;
			row[j] = change < above ? change : above;
		}
	}
	return row[b_len];
}

static void unknown_option(const char *given, struct error *err)
{
	const char *near = NULL;
	size_t n = strcspn(given, "=");
	unsigned best = n > 2 ? (unsigned)(n - 2) / 3 + 1 : 0, d; /* a third may differ, and no more */

	for (const struct option *o = long_options; !strncmp(given, "--", 2) && o->name; o++) {
		d = distance(given + 2, n - 2, o->name);
		if (d < best) {
			best = d;
			near = o->name;
		}
	}
	if (near)
		error_set(err, 0, "unknown option '%.100s'; did you mean --%s?", given, near);
	else
		error_set(err, 0, "unknown option '%.100s'; see 'unifork run --help'", given);
}

/* getopt found fault with an option: its '?' or ':'. */
static void complain(int c, const char *given, struct error *err)
{
	char letter[3] = {'-', (char)optopt, 0};
	bool is_long = !strncmp(given, "--", 2);

	if (c == ':')
		error_set(err, 0, "option '%.100s' needs a value; see 'unifork run --help'",
				  is_long ? given : letter);
	else if (is_long && optopt)
		error_set(err, 0, "option '%.100s' takes no value; see 'unifork run --help'", given);
	else
		unknown_option(is_long || !optopt ? given : letter, err);
}

static int parse(int argc, char **argv, struct parsed *p, struct error *err)
{
	struct run_options *o = &p->o;
	int c, at;

	opterr = 0;
	for (;;) {
		at = optind ? optind : 1;
		c = getopt_long(argc, argv, "+:b:de:hip:r:s:tm:u:v:w:", long_options, NULL);
		if (c == -1)
			break;
		switch (c) {
		case 'b': o->backend = optarg; break;
		case 'h':
			help_run();
			exit(0);
		case 'r': o->root = optarg; break;
		case 'u': p->user = optarg; break;
		case 'w':
			o->workdir = optarg;
			o->workdir_given = true;
			break;
		case 'I': o->init = true; break;
		case 'O': o->verbose = true; break;
		case 'R': o->read_only = true; break;
		case 'M': p->naming.remove = true; break;
		case 'd': p->naming.detach = true; break;
		case 'A': p->naming.name = optarg; break;
		case 'S': p->naming.state_dir = optarg; break;
		case 'i':
		case 't': break; /* what is a terminal is one inside, too */
		case 's': o->stats = optarg; break;
		case '?':
		case ':':
			complain(c, argv[at], err);
			return -EXIT_USAGE;
		default:
			if (parse_value(p, c, optarg, err) < 0)
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
	struct stat st;

	if (strcmp(o->backend, "auto") && strcmp(o->backend, "kvm") && strcmp(o->backend, "process")) {
		error_set(err, 0, "unknown backend '%.100s'; choose auto, kvm or process", o->backend);
		return -EXIT_USAGE;
	}
	if (!realpath(o->root, root) || stat(root, &st) < 0) {
		error_set(err, errno,
				  "cannot use '%.200s' as the root directory; give an existing one to --root",
				  o->root);
		return -EXIT_USAGE;
	}
	if (!S_ISDIR(st.st_mode)) {
		error_set(err, ENOTDIR, "cannot use '%.200s' as the root directory", o->root);
		return -EXIT_USAGE;
	}
	o->root = root;
	if (!o->workdir && strcmp(root, "/") == 0 && !getcwd(cwd, sizeof(cwd))) {
		error_set(err, errno,
				  "cannot start in the current directory; give another one to --workdir");
		return -EXIT_USAGE;
	}
	if (!o->workdir)
		o->workdir = strcmp(root, "/") == 0 ? cwd : "/";
	if (o->workdir[0] != '/') {
		error_set(err, 0, "-w '%.200s' is not absolute; give a path that begins with /",
				  o->workdir);
		return -EXIT_USAGE;
	}
	return 0;
}

/* Before the options, which may change it; HOME, which depends on the user, is set after them. */
static int environment_begin(struct environment *env, struct error *err)
{
	if (environment_add(env, "PATH=" DEFAULT_PATH, err) < 0)
		return -1;
	return isatty(STDOUT_FILENO) ? environment_add(env, "TERM", err) : 0;
}

static int user_take(struct parsed *p, struct error *err)
{
	const char *home;
	char *setting;

	if (user_find(&p->o, p->user, &home, err) < 0)
		return -EXIT_USAGE;
	if (environment_get(&p->env, "HOME"))
		return 0;
	if (asprintf(&setting, "HOME=%s", home) < 0)
		return -EXIT_SYSTEM;
	int r = environment_add(&p->env, setting, err);
	free(setting);
	return r < 0 ? -EXIT_SYSTEM : 0;
}

/* argv and envp as an exec counts them: strings and their pointers. */
static int check_arguments(const struct run_options *o, struct error *err)
{
	size_t bytes = 0;

	for (int i = 0; i < o->argc; i++)
		bytes += strlen(o->argv[i]) + 1 + sizeof(char *);
	for (int i = 0; i < o->envc; i++)
		bytes += strlen(o->envp[i]) + 1 + sizeof(char *);
	if (bytes <= ARGUMENTS_MAX)
		return 0;
	error_set(err, E2BIG, "'%.100s' cannot be executed: arguments and environment have %zu KiB, "
			  "%u may be", o->argv[0], bytes >> 10, ARGUMENTS_MAX >> 10);
	return -EXIT_CANNOT_EXEC;
}

static pid_t parent_of(pid_t pid)
{
	char path[40], text[512], *end;
	int parent = 0, fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	end = strrchr(text, ')'); /* a name may hold anything */
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* Can somebody stop and continue this process group, in the same session but outside of it? */
static bool is_job(void)
{
	for (pid_t pid = getppid(); pid > 1 && getsid(pid) == getsid(0); pid = parent_of(pid))
		if (getpgid(pid) != getpgrp())
			return true;
	return false;
}

/* The kernel lays the arguments out one after the other. */
static void title_find(struct run_options *o, char *program, char **argv)
{
	char *end = program + strlen(program) + 1;

	for (; *argv == end; argv++)
		end += strlen(end) + 1;
	o->title = program;
	o->title_size = (size_t)(end - program);
}

int verb_run(int argc, char **argv, struct error *err)
{
	struct parsed p = {.o = {.backend = "auto", .root = "/", .stop_timeout_s = 10,
							  .tasks_max = TASKS_DEFAULT, .hostname = "unifork"}};
	struct run_options *o = &p.o;
	int status;

	title_find(o, argv[-1], argv); /* the verb has a name before it */
	if (environment_begin(&p.env, err) < 0)
		return -EXIT_SYSTEM;
	status = parse(argc, argv, &p, err);
	if (!status)
		status = check_options(o, err);
	if (!status && naming_check(&p.naming, err) < 0)
		status = -EXIT_USAGE;
	if (!status)
		status = user_take(&p, err);
	if (status)
		return status;
	o->envc = p.env.count;
	o->envp = p.env.list;
	status = check_arguments(o, err);
	if (status)
		return status;
	if (limits_leave(o, err) < 0)
		return -EXIT_SYSTEM;
	o->job = is_job();
	const char *search = environment_get(&p.env, "PATH");
	status = find_program(o, search ? search : DEFAULT_PATH, err);
	if (status)
		return status;
	if (p.naming.name || p.naming.detach)
		return named_run(&p.naming, o, err);
	if (supervisor_run(o, &status, err) < 0)
		return -EXIT_SYSTEM;
	return WIFSIGNALED(status) ? VERB_SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
}
