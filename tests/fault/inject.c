/* SPDX-License-Identifier: ISC */
/*
 * A host program: runs a command and makes one host call of one of its processes fail. Calls are
 * counted for each process and kind on its own, so that which one fails does not depend on how the
 * processes take turns. Only calls from the text of the executable that was started count: the
 * guest's own `syscall` instructions, which the process backend catches, are not host calls.
 *
 *   inject [-s SECONDS] -o REPORT -- COMMAND...                             name the calls only
 *   inject [-s SECONDS] -o REPORT -f PROC,NR,SUB,N,ERRNO[,late] -- COMMAND...
 *
 * PROC: 0 is the command, others follow in the order of their birth. SUB: the request of ioctl, the
 * command of fcntl and futex, the option of prctl, madvise's advice; of read and write 0 for the
 * standard descriptors, 1 for others; else 0. The Nth such call (from 1) is replaced
 * by sched_yield, which every filter of a monitor admits, and returns -ERRNO; with `late` it is
 * made and returns -ERRNO all the same (close). ERRNO 0: brk gives nothing.
 *
 * The report: `call PROC NR SUB` for each call in order, `hit` for the one that failed, `ended
 * PROC wait-status [raised]` (raised: by a signal of its own), `hang` if the time was over (then
 * everybody was killed). `state PROC TEXT` says how a monitor is confined when it has gone through
 * all steps, of which seccomp(2) is the last: a fault must not have taken anything from that.
 * Monitors are the processes that the command's children make. Exit status: the command's, 128+N
 * for signal N; 125 if this program failed.
 * @test timeout=5 members=1
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCS_MAX 4096
#define RANGES_MAX 8
#define KINDS_MAX 512
#define OWN_FAILURE 125
#define OPTIONS                                                                               \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

/* A kind of call of one process, and how often it was made. */
struct kind {
	long nr;
	unsigned sub, count;
};

static struct proc {
	pid_t pid;
	bool monitor;
	bool raised;                /* the last signal came from itself */
	bool confining, confined;   /* seccomp(2), the last step, is under way; was the last call */
	bool alive, failing;        /* failing: the result of the call under way is ours */
	bool told;                  /* its maker has told of it */
	unsigned long break_wanted; /* the argument of a brk that fails, until its end */
	struct kind kinds[KINDS_MAX];
	unsigned kind_count;
} * procs[PROCS_MAX];
static unsigned proc_count;

static struct fault {
	bool wanted, late, done;
	unsigned proc, sub, count;
	long nr;
	int error;
} fault;

static struct {
	unsigned long start, end;
} text[RANGES_MAX]; /* of the command's executable */
static unsigned text_count;
static FILE *report;
static volatile sig_atomic_t time_over;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(OWN_FAILURE);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	long parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %ld", &parent) == 1)
			break;
	if (f)
		fclose(f);
	return (pid_t)parent;
}

/* A child may have stopped, and gone on, before its maker tells of it: it is asked itself. */
static struct proc *proc_of(pid_t pid)
{
	for (unsigned i = proc_count; i-- > 0;)
		if (procs[i]->alive && procs[i]->pid == pid)
			return procs[i];
	if (proc_count == PROCS_MAX)
		fail("too many processes");
	struct proc *p = calloc(1, sizeof(*p));
	if (!p)
		fail("memory");
	p->pid = pid;
	p->alive = true;
	p->monitor = proc_count > 0 && parent_of(pid) != procs[0]->pid;
	return procs[proc_count++] = p;
}

/* Its maker tells of it: it may have stopped before, and even have ended. */
static void born(pid_t pid)
{
	for (unsigned i = proc_count; i-- > 0;)
		if (procs[i]->pid == pid && !procs[i]->told) {
			procs[i]->told = true;
			return;
		}
	proc_of(pid)->told = true;
}

static unsigned number_of(const struct proc *p)
{
	unsigned i = 0;

	while (procs[i] != p)
		i++;
	return i;
}

static bool any_alive(void)
{
	for (unsigned i = 0; i < proc_count; i++)
		if (procs[i]->alive)
			return true;
	return false;
}

/* Where the executable's own text lies; parts that it maps later hold the guest's kernel. */
static void text_find(pid_t pid)
{
	char path[64], exe[PATH_MAX], line[PATH_MAX + 128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		fail("readlink");
	exe[n] = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		fail(path);
	text_count = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char prot[8] = "";
		int at = 0;

		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &start, &end, prot, &at) < 3 ||
			!strchr(prot, 'x') || !at || strcmp(line + at, exe) || text_count == RANGES_MAX)
			continue;
		text[text_count].start = start;
		text[text_count++].end = end;
	}
	fclose(maps);
}

static bool in_text(uint64_t rip)
{
	for (unsigned i = 0; i < text_count; i++)
		if (rip >= text[i].start && rip <= text[i].end)
			return true;
	return false;
}

static unsigned sub_of(long nr, const uint64_t *args)
{
	switch (nr) {
	case SYS_ioctl:
	case SYS_fcntl: return (unsigned)args[1];
	case SYS_futex: return (unsigned)args[1] & (unsigned)FUTEX_CMD_MASK;
	case SYS_prctl: return (unsigned)args[0];
	case SYS_madvise: return (unsigned)args[2];
	case SYS_read:
	case SYS_write: return args[0] > STDERR_FILENO;
	default: return 0;
	}
}

static unsigned count_up(struct proc *p, long nr, unsigned sub)
{
	for (unsigned i = 0; i < p->kind_count; i++)
		if (p->kinds[i].nr == nr && p->kinds[i].sub == sub)
			return ++p->kinds[i].count;
	if (p->kind_count == KINDS_MAX)
		fail("too many kinds of calls");
	p->kinds[p->kind_count++] = (struct kind){nr, sub, 1};
	return 1;
}

/* ---- how a monitor is confined */

/* Ids that are made up for each run, and numbers of namespaces, are not the same on every run. */
#define MADE_UP_IDS 0x70000000u

static void state_status(FILE *out, pid_t pid)
{
	static const char *const names[] = {
		"Uid:", "Gid:", "Groups:", "NoNewPrivs:", "Seccomp:", "Cap"};
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (strncmp(line, names[i], strlen(names[i])))
				continue;
			bool cap = !strcmp(names[i], "Cap");
			for (char *word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n"))
				if (!cap && strtoul(word, NULL, 10) >= MADE_UP_IDS)
					fputs(" nobody", out);
				else
					fprintf(out, " %s", word);
			break;
		}
	if (f)
		fclose(f);
}

/* Has it mounts of its own? */
static bool state_namespaces(FILE *out, pid_t pid)
{
	static const char *const names[] = {"user", "pid", "mnt", "ipc", "uts", "cgroup", "net"};
	char path[64], its[64], own[64];
	bool mounts = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, names[i]);
		ssize_t n = readlink(path, its, sizeof(its));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		bool same = n > 0 && readlink(path, own, sizeof(own)) == n && !memcmp(its, own, (size_t)n);
		fprintf(out, " %s:%s", names[i], same ? "host" : "own");
		mounts |= !same && !strcmp(names[i], "mnt");
	}
	return mounts;
}

/* Without the numbers of mounts and devices. */
static void state_mounts(FILE *out, pid_t pid)
{
	char path[64], line[4096], root[1024], place[1024], options[512], type[64];

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *end = strstr(line, " - ");

		if (end && sscanf(line, "%*s %*s %*s %1023s %1023s %511s", root, place, options) == 3 &&
			sscanf(end, " - %63s", type) == 1)
			fprintf(out, " [%s %s %s %s]", root, place, options, type);
	}
	if (f)
		fclose(f);
}

static void state_report(const struct proc *p)
{
	char path[64], line[256];

	fprintf(report, "state %u", number_of(p));
	state_status(report, p->pid);
	bool mounts = state_namespaces(report, p->pid);
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)p->pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Max core file size", 18))
			fprintf(report, " core:%.10s", line + 26);
	if (f)
		fclose(f);
	if (mounts)
		state_mounts(report, p->pid);
	fputc('\n', report);
}

/* ---- calls */

static void register_set(const struct proc *p, size_t offset, unsigned long value)
{
	if (ptrace(PTRACE_POKEUSER, p->pid, offset, value) < 0 && errno != ESRCH)
		fail("PTRACE_POKEUSER");
}

static void call_entered(struct proc *p, const struct __ptrace_syscall_info *info)
{
	long nr = (long)info->entry.nr;
	unsigned sub, count;

	if (!in_text(info->instruction_pointer))
		return;
	if (p->confined)
		state_report(p);
	p->confined = false;
	p->confining = nr == SYS_seccomp && p->monitor;
	sub = sub_of(nr, (const uint64_t *)info->entry.args);
	count = count_up(p, nr, sub);
	if (!fault.wanted) {
		fprintf(report, "call %u %ld %u\n", number_of(p), nr, sub);
		return;
	}
	if (fault.done || number_of(p) != fault.proc || nr != fault.nr || sub != fault.sub ||
		count != fault.count)
		return;
	fault.done = true;
	fprintf(report, "hit\n");
	if (fault.error == 0) { /* brk(0) returns where the break is, as one that fails does */
		p->break_wanted = (unsigned long)info->entry.args[0];
		register_set(p, offsetof(struct user_regs_struct, rdi), 0);
		return;
	}
	p->failing = true;
	if (!fault.late)
		register_set(p, offsetof(struct user_regs_struct, orig_rax), SYS_sched_yield);
}

static void call_stop(struct proc *p)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) < 0) {
		if (errno == ESRCH) /* killed meanwhile */
			return;
		fail("PTRACE_GET_SYSCALL_INFO");
	}
	if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		p->confined = p->confining && !p->failing && info.exit.rval == 0;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		call_entered(p, &info);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->break_wanted) {
		register_set(p, offsetof(struct user_regs_struct, rdi), p->break_wanted);
		p->break_wanted = 0;
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->failing) {
		p->failing = false;
		register_set(p, offsetof(struct user_regs_struct, rax), (unsigned long)-(long)fault.error);
	}
}

static void go_on(const struct proc *p, long how, int sig)
{
	if (ptrace(how, p->pid, 0, (long)sig) < 0 && errno != ESRCH)
		fail("ptrace");
}

static void stopped(struct proc *p, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;
	unsigned long child;

	if (sig == (SIGTRAP | 0x80)) {
		call_stop(p);
		go_on(p, PTRACE_SYSCALL, 0);
	} else if (event == PTRACE_EVENT_STOP) {
		bool group = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
		go_on(p, group ? PTRACE_LISTEN : PTRACE_SYSCALL, 0);
	} else if (event) {
		if (event == PTRACE_EVENT_EXEC && p == procs[0])
			text_find(p->pid);
		else if (event != PTRACE_EVENT_EXEC && ptrace(PTRACE_GETEVENTMSG, p->pid, 0, &child) == 0)
			born((pid_t)child);
		go_on(p, PTRACE_SYSCALL, 0);
	} else {
		siginfo_t info = {0};

		p->raised = ptrace(PTRACE_GETSIGINFO, p->pid, 0, &info) == 0 && info.si_code == SI_TKILL;
		go_on(p, PTRACE_SYSCALL, sig);
	}
}

static void on_alarm(int sig)
{
	(void)sig;
	time_over = 1;
}

static void kill_everybody(void)
{
	for (unsigned i = 0; i < proc_count; i++)
		if (procs[i]->alive)
			kill(procs[i]->pid, SIGKILL);
}

static pid_t start(char **command)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		raise(SIGSTOP);
		execv(command[0], command);
		fail(command[0]);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		fail("waitpid");
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0)
		fail("PTRACE_SEIZE");
	proc_of(pid);
	kill(pid, SIGCONT);
	return pid;
}

static int follow(pid_t first)
{
	int status, own = 0;

	while (any_alive()) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR && time_over) {
			fprintf(report, "hang\n");
			kill_everybody();
			time_over = 0;
			continue;
		}
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			fail("waitpid");
		struct proc *p = proc_of(pid);
		if (WIFSTOPPED(status)) {
			stopped(p, status);
			continue;
		}
		p->alive = false;
		fprintf(report, "ended %u %d %s\n", number_of(p), status, p->raised ? "raised" : "");
		if (pid == first)
			own = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return own;
}

static bool fault_parse(const char *text_given)
{
	char word[8] = "";
	int n = sscanf(text_given, "%u,%ld,%u,%u,%d,%7s", &fault.proc, &fault.nr, &fault.sub,
				   &fault.count, &fault.error, word);

	fault.wanted = true;
	fault.late = n == 6 && !strcmp(word, "late");
	return n == 5 || fault.late;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	unsigned seconds = 20;
	int option;

	while ((option = getopt(argc, argv, "+s:o:f:")) >= 0) {
		if (option == 's')
			seconds = (unsigned)atoi(optarg);
		else if (option == 'o')
			report = fopen(optarg, "we");
		else if (option != 'f' || !fault_parse(optarg))
			optind = argc;
	}
	if (optind >= argc || !report) {
		fprintf(stderr, "usage: inject [-s SECONDS] -o REPORT [-f PROC,NR,SUB,N,ERRNO[,late]] -- "
						"COMMAND...\n");
		return OWN_FAILURE;
	}
	sigaction(SIGALRM, &sa, NULL);
	alarm(seconds);
	int status = follow(start(argv + optind));
	return fclose(report) ? OWN_FAILURE : status;
}
