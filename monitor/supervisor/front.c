/* SPDX-License-Identifier: ISC */
/*
 * The front is the process that the user started, in the host's namespaces: it forks the
 * supervisor into the family's, passes signals on to it, and reports the end. It takes nothing from
 * kin and opens nothing of the family's. When it dies, however that may be, the supervisor is
 * killed by the host, and with it, as init of its PID namespace, everything.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"
#include "monitor/supervisor/control.h"
#include "monitor/supervisor/link.h"
#include "monitor/supervisor/namespaces.h"
#include "monitor/supervisor/net_grant.h"

/* What the user and the terminal send to `unifork run`. */
static const int passed_on[] = {SIGTERM,  SIGINT,  SIGQUIT, SIGHUP, SIGTSTP,
								SIGWINCH, SIGCONT, SIGUSR1, SIGUSR2};
/* Whose dispositions the front changes for itself. */
static const int taken[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,  SIGTSTP, SIGWINCH,
							SIGCONT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTTIN, SIGTTOU};

/* --restart: how long it waits before the next life, and after which life it begins anew. */
#define RESTART_FIRST_NS 100000000ull
#define RESTART_MOST_NS (60 * NS_PER_S)
#define RESTART_WELL_NS (10 * NS_PER_S)

struct front {
	const struct run_options *options;
	enum namespaces_kind namespaces;
	struct error refused; /* why there are none */
	struct cgroup cgroup;
	struct net_grant net;
	pid_t supervisor;
	int link_fd, signal_fd;
	sigset_t mask_before;
	struct sigaction before[ARRAY_SIZE(taken)];
	bool stop_sent, continued; /* SIGTSTP was passed on; then SIGCONT, before PID 1 had stopped */
	u64 kill_ns; /* SIGTERM came: the supervisor itself is killed then; 0: none */
	struct control control;
};

static int signals_block(struct front *f, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &set, &f->mask_before) < 0)
		return error_set(err, errno, "cannot block signals");
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaction(taken[i], NULL, &f->before[i]);
	f->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return f->signal_fd < 0 ? error_set(err, errno, "cannot make a signalfd") : 0;
}

/* After the fork: the supervisor wants to know what was ignored, as an exec passes it on. */
static void signals_take(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		signal(passed_on[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
}

static pid_t fork_supervisor(struct front *f, struct error *err)
{
	pid_t pid = -1;

	f->namespaces = NAMESPACES_NONE;
	if (f->options->without & WITHOUT_NAMESPACES)
		error_set(&f->refused, 0, "--without namespaces");
	if (!f->refused.text[0]) {
		pid = namespaces_fork(&f->namespaces, f->options->net == RUN_NET_USER, &f->refused);
		if (pid >= 0)
			return pid;
	}
	if (f->options->net == RUN_NET_USER)
		return error_set(err, 0, "--net user needs namespaces: %.200s", f->refused.text);
	pid = fork();
	if (pid < 0)
		error_set(err, errno, "cannot start the supervisor; raise the limit of processes");
	return pid;
}

/* Maps the ids, then lets the supervisor go on. */
static int supervisor_release(struct front *f, struct error *err)
{
	struct link_request go = {LINK_GO, 0};

	if (namespaces_map(f->supervisor, f->namespaces, err) < 0)
		return -1;
	if (f->options->net == RUN_NET_USER && net_user_start(&f->net, f->supervisor, err) < 0)
		return -1;
	return send(f->link_fd, &go, sizeof(go), MSG_NOSIGNAL) == sizeof(go)
			   ? 0
			   : error_set(err, errno, "cannot talk to the supervisor");
}

/* In the supervisor, which keeps the lock and nothing that leads to the host's files. */
static void directories_close(const struct run_named *named)
{
	if (!named)
		return;
	close(named->families_fd);
	close(named->dir.fd);
}

static int supervisor_start(struct front *f, struct error *err)
{
	int fds[2], front_pid = (int)getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_set(err, errno, "cannot make the supervisor's sockets");
	fflush(NULL);
	f->supervisor = -1;
	if (net_grant_enter(&f->net, err) == 0)
		f->supervisor = fork_supervisor(f, err);
	if (f->supervisor == 0) {
		close(fds[0]);
		close(f->signal_fd);
		control_close(&f->control);
		directories_close(f->options->named);
		/* They are changed if this is not the first life. */
		for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
			sigaction(taken[i], &f->before[i], NULL);
		sigprocmask(SIG_SETMASK, &f->mask_before, NULL);
		supervisor_main(f->options, f->namespaces, &f->refused, &f->cgroup, &f->net, front_pid,
						fds[1]);
	}
	close(fds[1]);
	f->link_fd = f->control.link_fd = fds[0];
	f->control.supervisor = f->supervisor;
	f->control.kill_ns = &f->kill_ns;
	if (f->supervisor > 0 && net_grant_leave(&f->net, err) < 0) {
		close(fds[0]); /* which ends it */
		waitpid(f->supervisor, NULL, 0);
		return -1;
	}
	if (f->supervisor < 0) {
		close(fds[0]);
		return -1;
	}
	return 0;
}

/* The supervisor reads its socket at every turn: if it is full, it does not turn any more. */
static void signal_pass_on(struct front *f, int sig)
{
	struct link_request s = {LINK_SIGNAL, sig};

	if (f->control.link_fd < 0) /* there is no supervisor */
		return;
	send(f->link_fd, &s, sizeof(s), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void signals_pass_on(struct front *f)
{
	struct signalfd_siginfo info;
	int timeout_s = f->options->stop_timeout_s;

	while (read(f->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int sig = (int)info.ssi_signo;

		signal_pass_on(f, sig);
		f->continued = sig == SIGTSTP ? false : f->continued || (f->stop_sent && sig == SIGCONT);
		f->stop_sent |= sig == SIGTSTP;
		if (sig == SIGTERM) {
			f->control.ending = true;
			control_paused(&f->control, false);
		}
		if (sig == SIGTERM && !f->kill_ns && timeout_s >= 0)
			f->kill_ns = supervisor_now_ns() + (u64)timeout_s * NS_PER_S + SUPERVISOR_PATIENCE_NS;
	}
}

static int patience_ms(const struct front *f)
{
	u64 now = supervisor_now_ns();

	if (!f->kill_ns)
		return -1;
	return now >= f->kill_ns ? 0 : (int)MIN((f->kill_ns - now) / 1000000 + 1, 1000000000ull);
}

/* Of the terminal that the family has: the host's, and it may be used only in the foreground. */
static bool in_background(void)
{
	pid_t foreground = tcgetpgrp(isatty(STDIN_FILENO) ? STDIN_FILENO : STDOUT_FILENO);

	return foreground > 0 && foreground != getpgrp();
}

static volatile sig_atomic_t continued_now;

static void on_continue(int sig)
{
	continued_now = 1;
}

static void signal_mask(int how, int sig)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(how, &one, NULL);
}

/*
 * Stops until SIGCONT, unless that has come since the family was told to stop: a shell sends it
 * once, and a stop that is made afterwards would last. Making a stop signal discards a SIGCONT that
 * is pending, so that one has a handler meanwhile; and SIGCONT discards a stop signal that is
 * pending, so this one is blocked until the handler has been asked.
 */
static void stop_until_continued(struct front *f)
{
	struct sigaction tell = {.sa_handler = on_continue}, before;

	continued_now = 0;
	sigaction(SIGCONT, &tell, &before);
	signal_mask(SIG_UNBLOCK, SIGCONT);
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	if (continued_now)
		signal(SIGTSTP, SIG_IGN); /* which discards it */
	else
		signal_mask(SIG_UNBLOCK, SIGTSTP); /* it stops here */
	signal_mask(SIG_BLOCK, SIGTSTP);
	signal(SIGTSTP, SIG_DFL);
	signal_mask(SIG_BLOCK, SIGCONT);
	sigaction(SIGCONT, &before, NULL);
	/* Also where nothing has stopped it: the host stops no orphaned job for a terminal. */
	signal_pass_on(f, SIGCONT);
}

/*
 * Who runs this as a job sees it stopped: by the terminal, if that is why, and then all of the job
 * is, as when one of its programs reads; not any more after SIGTERM, whose deadline a family could
 * put off for ever by stopping again and again.
 */
static void job_stop(struct front *f, int sig)
{
	bool tty = sig == SIGTTIN || sig == SIGTTOU, late = f->continued || (tty && !in_background());
	sigset_t pending;

	f->stop_sent = f->continued = false;
	if (f->kill_ns)
		return;
	if (late) { /* its shell has let the job go on already, and will not do so again */
		signal_pass_on(f, SIGCONT);
		return;
	}
	if (tty) {
		kill(0, sig);
		/* Else the job was orphaned meanwhile, and the host does not stop it for a terminal. */
		if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT))
			return;
	}
	stop_until_continued(f);
}

union link_answer {
	struct link_result result;
	struct link_members members;
	struct link_events events;
};

/* What the supervisor says; true: there is nothing more to come. */
static bool link_hear(struct front *f, struct link_result *result, bool *said)
{
	union link_answer answer;
	ssize_t n = recv(f->link_fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n == sizeof(answer.members)) {
		control_members(&f->control, &answer.members);
		return false;
	}
	if (n == sizeof(answer.events)) {
		control_events(&f->control, &answer.events);
		return false;
	}
	if (n != sizeof(answer.result))
		return n >= 0;
	switch (answer.result.end) {
	case LINK_STOPPED: job_stop(f, answer.result.status); return false;
	case LINK_EXEC_BEGUN:
	case LINK_EXEC_ENDED: control_exec(&f->control, &answer.result); return false;
	case LINK_STARTED: control_started(&f->control, answer.result.status); return false;
	default:
		*result = answer.result;
		*said = true;
		return true;
	}
}

/* Until the supervisor has said how it ended; false: it ended without a word. */
static bool supervisor_wait(struct front *f, struct link_result *result)
{
	struct pollfd fds[2 + CONTROL_POLLS] = {{f->signal_fd, POLLIN, 0}, {f->link_fd, POLLIN, 0}};
	bool said = false, over = false;

	while (!over) {
		u32 asking = control_polls(&f->control, fds + 2);
		int r = poll(fds, 2 + asking, patience_ms(f));

		if (r < 0 && errno != EINTR)
			break;
		if (patience_ms(f) == 0) /* however busy clients keep this process */
			kill(f->supervisor, SIGKILL); /* our own child, not reaped */
		if (r > 0 && fds[0].revents)
			signals_pass_on(f);
		if (r > 0 && fds[1].revents)
			over = link_hear(f, result, &said);
		if (r > 0 && !over)
			control_serve(&f->control, fds + 2, asking);
	}
	close(f->link_fd);
	return said;
}

static int supervise(struct front *f, struct link_result *result, struct error *err)
{
	int status = 0;
	bool said;

	if (supervisor_start(f, err) < 0)
		return -1;
	signals_take();
	turns_short();
	if (supervisor_release(f, err) < 0) {
		/* It may have failed already, and have said why. */
		if (recv(f->link_fd, result, sizeof(*result), MSG_DONTWAIT) == sizeof(*result)) {
			close(f->link_fd);
			waitpid(f->supervisor, NULL, 0);
			return 0;
		}
		close(f->link_fd); /* which ends it */
		waitpid(f->supervisor, NULL, 0);
		f->refused = *err;
		memset(result, 0, sizeof(*result));
		result->end = LINK_NO_NAMESPACES;
		result->error = *err;
		return f->namespaces == NAMESPACES_NONE || f->options->net == RUN_NET_USER ? -1 : 0;
	}
	said = supervisor_wait(f, result);
	while (waitpid(f->supervisor, &status, 0) < 0 && errno == EINTR)
		;
	if (said)
		return 0;
	return error_set(err, 0, "the supervisor was killed%s; the family ended with it",
					 f->kill_ns ? " because it did not answer" : " from outside");
}

static int life(struct front *f, struct link_result *result, struct error *err)
{
	int r = supervise(f, result, err);

	if (r == 0 && result->end == LINK_NO_NAMESPACES && f->namespaces != NAMESPACES_NONE) {
		f->refused = result->error;
		r = supervise(f, result, err);
	}
	return r;
}

/* ---- --restart */

/* A family that could not go on is not one whose program failed. */
static bool restart_due(const struct front *f, const struct link_result *result)
{
	const struct run_named *n = f->options->named;

	return n && n->restart && !result->failed && result->status && !f->control.ending &&
		   (!n->restarts_max || n->restarts < n->restarts_max);
}

/* Clients are served meanwhile, and may ask for the end: false. */
static bool restart_wait(struct front *f, u64 wait_ns)
{
	u64 until = supervisor_now_ns() + wait_ns, now;

	while (!f->control.ending && (now = supervisor_now_ns()) < until) {
		struct pollfd fds[1 + CONTROL_POLLS] = {{f->signal_fd, POLLIN, 0}};
		u32 asking = control_polls(&f->control, fds + 1);

		if (poll(fds, 1 + asking, (int)((until - now) / 1000000 + 1)) <= 0)
			continue;
		if (fds[0].revents)
			signals_pass_on(f);
		control_serve(&f->control, fds + 1, asking);
	}
	return !f->control.ending;
}

/* One life after the other. */
static int lives(struct front *f, struct link_result *result, struct error *err)
{
	u64 wait_ns = RESTART_FIRST_NS, born_ns;
	int r;

	for (;;) {
		born_ns = supervisor_now_ns();
		memset(result, 0, sizeof(*result));
		r = life(f, result, err);
		if (r == 0 && !result->failed)
			control_event(&f->control, "end",
						  WIFSIGNALED(result->status) ? 128 + WTERMSIG(result->status)
													  : WEXITSTATUS(result->status));
		control_reset(&f->control);
		if (r < 0 || !restart_due(f, result))
			return r;
		if (supervisor_now_ns() - born_ns >= RESTART_WELL_NS)
			wait_ns = RESTART_FIRST_NS;
		if (!restart_wait(f, wait_ns))
			return 0;
		wait_ns = MIN(2 * wait_ns, RESTART_MOST_NS);
		net_user_end(&f->net);
		f->stop_sent = f->continued = false;
		f->kill_ns = 0;
		f->options->named->restarts++;
	}
}

int supervisor_run(const struct run_options *o, int *wait_status, struct error *err)
{
	struct front f = {.options = o, .link_fd = -1, .signal_fd = -1, .net.minder_fd = -1,
					  .net.relay_fd = -1};
	struct link_result result = {0};
	int r = control_open(&f.control, o, err);

	if (r == 0)
		r = signals_block(&f, err);
	if (r == 0)
		r = net_grant_open(&f.net, o, err);
	if (r == 0) {
		limits_cgroup_make(&f.cgroup, o);
		r = lives(&f, &result, err);
	}
	net_user_end(&f.net);
	net_relay_end(&f.net);
	cgroup_remove(&f.cgroup);
	control_close(&f.control);
	/* From here on the user's signals end this process, which may have to wait for its terminal. */
	if (f.signal_fd >= 0)
		sigprocmask(SIG_SETMASK, &f.mask_before, NULL);
	if (r < 0)
		return -1;
	*wait_status = result.status;
	if (result.failed)
		*err = result.error;
	return result.failed ? -1 : 0;
}
