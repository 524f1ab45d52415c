/* SPDX-License-Identifier: ISC */
/*
 * A session with a terminal (unifork exec -t): the program gets a pseudo-terminal of the family's,
 * with job control, a name in /dev/pts and window sizes as any, and this kernel plays who sits in
 * front of it. It forks before the exec, as --init does: the child has the slave, leads a session
 * and runs the program; the parent, the relay, has the master and carries between it and the
 * streams that came with the session: what is typed, what is shown, and the window's sizes, each a
 * struct winsize. It never runs application code.
 *
 * Who may die: the client, then the relay reads the end of what is typed and hangs up, so that the
 * program gets SIGHUP; the relay, whose burial closes the master: the same; the program, then the
 * relay says what is left to show and ends with its status.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/poll.h>

#include "kernel/boot/session_terminal.h"
#include "kernel/dev/dev.h"
#include "kernel/fd/poll.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/sched/sched.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/table.h"

enum { TYPED, SHOWN, SIZES }; /* the handles */

/* Private, and of the parent: files are NULL when nothing more is carried. */
struct relay {
	struct pty *terminal;
	struct file *typed, *shown, *sizes, *master;
	s32 program;
	size_t in_at, in_len, out_at, out_len;
	char in[1024], out[HYP_IO_READY]; /* so much goes out without waiting */
};
static struct relay relay;

static void drop(struct file **f)
{
	if (*f)
		file_put(*f);
	*f = NULL;
}

/* Nobody sits there any more. The descriptor of the master is the only one there is. */
static void hang_up(struct relay *r)
{
	drop(&r->typed);
	drop(&r->shown);
	drop(&r->sizes);
	drop(&r->master);
	fd_close(0);
	r->in_len = r->out_len = 0;
}

static void sizes_read(struct relay *r)
{
	struct winsize w;
	s64 n = host_io_read(SIZES, &w, sizeof(w), HYP_IO_NOWAIT);

	if (n == sizeof(w))
		pty_window(r->terminal, &w);
	else if (n != -EAGAIN && n != -EINTR)
		drop(&r->sizes);
}

static void typed_read(struct relay *r)
{
	s64 n = host_io_read(TYPED, r->in, sizeof(r->in), HYP_IO_NOWAIT);

	r->in_at = 0;
	r->in_len = n > 0 ? (size_t)n : 0;
	if (n <= 0 && n != -EAGAIN && n != -EINTR)
		hang_up(r);
}

static void typed_pass(struct relay *r)
{
	r->in_at += pty_typed(r->terminal, r->in + r->in_at, r->in_len - r->in_at);
	if (r->in_at == r->in_len)
		r->in_len = 0;
}

static void shown_pass(struct relay *r, enum hyp_io wait)
{
	s64 n = host_io_write(SHOWN, r->out + r->out_at, r->out_len - r->out_at, wait);

	if (n > 0)
		r->out_at += (size_t)n;
	else if (n != -EAGAIN && n != -EINTR)
		hang_up(r);
	if (r->out_at == r->out_len)
		r->out_len = 0;
}

static void shown_take(struct relay *r)
{
	r->out_at = 0;
	r->out_len = pty_shown(r->terminal, r->out, sizeof(r->out));
}

/* The terminal's side. A program that has closed it has nobody to be shown any more. */
static bool master_serve(struct relay *r, struct poll_table *pt)
{
	u32 want = (r->in_len ? POLLOUT : 0u) | (r->out_len ? 0u : POLLIN);
	u32 got = r->master && want ? file_poll(r->master, want, pt) : 0;

	if (got & POLLOUT)
		typed_pass(r);
	if (got & POLLIN)
		shown_take(r);
	else if (got & POLLHUP)
		drop(&r->master);
	return got != 0;
}

/* Does what can be done without waiting; false: nothing could, and pt knows what to wait for. */
static bool serve(struct relay *r, struct poll_table *pt)
{
	bool did = master_serve(r, pt);

	if (r->sizes && file_poll(r->sizes, POLLIN, pt)) {
		sizes_read(r);
		did = true;
	}
	if (r->shown && r->out_len && file_poll(r->shown, POLLOUT, pt)) {
		shown_pass(r, HYP_IO_NOWAIT);
		did = true;
	}
	if (r->typed && !r->in_len && file_poll(r->typed, POLLIN, pt)) {
		typed_read(r);
		did = true;
	}
	return did;
}

/*
 * The program has ended. What it wrote is shown to the last byte, if somebody takes it; what others
 * write there meanwhile is not, who may never stop.
 */
static _Noreturn void relay_end(struct relay *r, u32 status)
{
	for (size_t left = PTY_RING + r->out_len; r->shown && left;) {
		if (!r->out_len)
			shown_take(r);
		if (!r->out_len)
			break;
		size_t before = r->out_len - r->out_at;
		shown_pass(r, HYP_IO_WAIT);
		left -= MIN(left, before - (r->out_len ? r->out_len - r->out_at : 0));
	}
	proc_exit(status);
}

/* One look at everything, and a sleep if there was nothing to do. */
static void relay_turn(struct relay *r)
{
	struct poll_table pt;
	struct ksiginfo info;
	u32 status;
	int sig, err = 0;

	poll_table_init(&pt);
	pt.want = POLLIN;
	poll_wait(&pt, &current->proc->kp->wait_queue);
	bool ended = wait_reap_any(&status) == r->program;
	if (!ended && !serve(r, &pt))
		err = pt.failed ? -ENOMEM : poll_table_sleep(&pt, HYP_NO_DEADLINE);
	poll_table_done(&pt);
	if (ended)
		relay_end(r, status);
	while (err == -EINTR && (sig = signal_take(current, ~0ull, &info)) != 0)
		if (sig == SIGKILL)
			proc_exit(SIGKILL);
}

static _Noreturn void relay_loop(struct relay *r)
{
	struct thread *t = current;

	t->sig.blocked = ~0ull & ~SIGSET_NEVER_BLOCKED;
	signals_mirror(t->proc);
	r->typed = host_io_file(TYPED);
	r->shown = host_io_file(SHOWN);
	r->sizes = host_io_file(SIZES);
	r->master = fd_get(0);
	for (;;)
		relay_turn(r);
}

/* In the child: its session, with the terminal as 0, 1 and 2. */
static s64 slave_take(struct pty *terminal)
{
	struct kin_proc *kp = current->proc->kp;
	struct file *f;
	s64 err;

	tree_lock();
	kp->sid = kp->pgid = kp->pid;
	tree_unlock();
	err = pty_peer_open(terminal, O_RDWR, &f);
	if (!err)
		err = MIN(fd_install_at(f, 0, 0), 0);
	if (!err)
		err = MIN(sys_dup2(0, 1), 0);
	return err ? err : MIN(sys_dup2(0, 2), 0);
}

/* Which leaves the master at 0: where nobody forks its slave is never opened. */
struct pty *session_terminal(s64 *err)
{
	struct file *f;
	s64 pid;

	*err = pty_pair_open(O_RDWR, &f);
	if (*err)
		return NULL;
	relay.terminal = pty_of(f);
	*err = MIN(fd_install_at(f, 0, 0), 0);
	if (*err)
		return NULL;
	sizes_read(&relay);
	pid = proc_fork(0, 0, 0, 0, 0, SIGCHLD);
	if (pid > 0) {
		relay.program = (s32)pid;
		relay_loop(&relay);
	}
	*err = pid < 0 ? pid : slave_take(relay.terminal);
	return *err ? NULL : relay.terminal;
}
