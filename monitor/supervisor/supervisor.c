/* SPDX-License-Identifier: ISC */
/*
 * A family from its first to its last moment: grant, kin, private root, first monitor, the event
 * loop (signals, mailbox, deaths), the end. The loop blocks in poll(2) without a time-out unless a
 * deadline is running: an idle family costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/supervisor/net_grant.h"
#include "monitor/supervisor/supervisor_internal.h"

#define EXIT_LOST 111 /* nobody is left who could read it */

/* SIGTERMs within this time are one: timeout(1) sends it to a process and to its group. */
#define TERM_GRACE_NS NS_PER_S
#define UNCLAIMED_RETRY_NS 10000000ull

u64 supervisor_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static u64 tsc_now(void)
{
	return __builtin_ia32_rdtsc();
}

static int choose_backend(struct supervisor *s, struct error *err)
{
	struct error why = {0};
	struct family *f = &s->family;
	const char *wanted = s->options->backend;

	f->kvm_fd = -1;
	if (strcmp(wanted, "process") != 0) {
		if (backend_kvm.probe(f, &why) == 0)
			f->backend = &backend_kvm;
		else if (!strcmp(wanted, "kvm"))
			return error_set(err, 0, "backend kvm cannot be used: %.250s; try --backend process",
							 why.text);
	}
	if (!f->backend) {
		if (backend_process.probe(f, err) < 0)
			return -1;
		f->backend = &backend_process;
	}
	if (f->verbose) {
		const char *reason = strcmp(wanted, "auto")       ? "as asked"
							 : f->backend == &backend_kvm ? "/dev/kvm works"
														  : why.text;
		message("backend %s (%s)", f->backend->name, reason);
	}
	return 0;
}

static int make_kin(struct family *f, struct error *err)
{
	struct sysinfo host;

	f->kin_fd = memfd_create("unifork-kin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->kin_fd < 0 || ftruncate(f->kin_fd, KIN_SIZE) < 0 ||
		fcntl(f->kin_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_set(err, errno, "cannot make the family's shared memory");
	void *p = mmap((void *)KIN_BASE, KIN_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, f->kin_fd, 0);
	if (p != (void *)KIN_BASE)
		return error_set(err, errno, errno == EEXIST
							 ? "the addresses of kin are taken, as in a member of a family: one "
							   "cannot run in another"
							 : "cannot map 64 GiB of addresses; raise ulimit -v");
	f->kin = p;
	f->kin->magic = KIN_MAGIC;
	f->kin->size = KIN_SIZE;
	f->kin->verbose = f->verbose;
	if (sysinfo(&host) == 0)
		f->kin->host_memory = (host.totalram + host.totalswap) * host.mem_unit;
	return 0;
}

/* path, cwd, argv, envp one after the other into kin->args. */
static int pack_program(struct supervisor *s, struct error *err)
{
	const struct run_options *o = s->options;
	struct kin_exec *e = (struct kin_exec *)s->family.kin->args;
	size_t at = 0, room = KIN_ARGS_SIZE - sizeof(*e);
	int total = 2 + o->argc + o->envc;

	for (int i = 0; i < total; i++) {
		const char *text = i == 0            ? o->program
						   : i == 1          ? o->workdir
						   : i < 2 + o->argc ? o->argv[i - 2]
											 : o->envp[i - 2 - o->argc];
		size_t n = strlen(text) + 1;
		if (n > room - at)
			return error_set(err, E2BIG, "arguments and environment exceed %u KiB",
							 KIN_ARGS_SIZE >> 10);
		memcpy(e->strings + at, text, n);
		at += n;
	}
	e->argc = o->argc;
	e->envc = o->envc;
	e->bytes = at;
	e->init = o->init;
	e->workdir = o->workdir_given;
	s->sessions.args = (u32)ALIGN_UP(sizeof(*e) + at, 16);
	/* As an exec would: nohup and the like work as on Linux. */
	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction now;

		if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			e->ignored |= 1ull << (sig - 1);
	}
	return 0;
}

/* Who the first program is, and what else the first kernel has to know. */
static void pack_start(struct supervisor *s)
{
	const struct run_options *o = s->options;
	struct kin_start *start = &s->family.kin->start;

	start->uid = o->uid;
	start->gid = o->gid;
	start->group_count = o->group_count;
	memcpy(start->groups, o->groups, sizeof(start->groups));
	start->read_only = o->read_only;
	snprintf(start->hostname, sizeof(start->hostname), "%s", o->hostname);
	snprintf(start->domainname, sizeof(start->domainname), "(none)");
	if (o->home && strlen(o->home) < sizeof(start->home))
		strcpy(start->home, o->home);
	snprintf(start->passwd, sizeof(start->passwd), "%s", o->passwd ? o->passwd : "");
	snprintf(start->group, sizeof(start->group), "%s", o->group ? o->group : "");
	memcpy(start->hosts, o->hosts, sizeof(start->hosts));
	memcpy(start->resolv, o->resolv, sizeof(start->resolv));
	for (u32 i = 0; i < START_LIMITS; i++) {
		start->limits_set |= (u32)o->limits[i].set << i;
		start->limits[i].soft = o->limits[i].soft;
		start->limits[i].hard = o->limits[i].hard;
	}
	for (u32 i = 0; i < o->tmpfs_count; i++) {
		const struct run_tmpfs *t = &o->tmpfs[i];
		struct kin_tmpfs *k = &start->tmpfs[i];

		*k = (struct kin_tmpfs){t->mode, t->uid, t->gid, t->size, ""};
		snprintf(k->path, sizeof(k->path), "%s", t->path);
	}
	start->tmpfs_count = o->tmpfs_count;
}

/* After the ids are mapped: whose the host's files are. */
static void pack_owners(struct supervisor *s)
{
	struct family *f = &s->family;

	f->kin->start.ordinary = geteuid() != 0;
	f->shown = (struct shown_ids){
		.ordinary = geteuid() != 0,
		.unmapped = geteuid() != 0 && s->user_namespace,
		.host_uid = geteuid(),
		.host_gid = getegid(),
		.uid = s->options->uid,
		.gid = s->options->gid,
	};
}

/*
 * The user's signals come through the front. What the terminal sends to the whole process group
 * is not for this process.
 */
static int take_signals(struct supervisor *s, struct error *err)
{
	static const int ignored[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,  SIGTSTP, SIGTTIN,
								  SIGTTOU, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};
	sigset_t set;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return error_set(err, errno, "cannot block signals");
	/* Deaths only: limits.c stops the monitors and lets them go on. */
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}, NULL);
	/*
	 * For the monitors, which inherit it: a kick meant for the record's last life must not end a
	 * fresh monitor that has no handler yet. What the kick is about is in kin, and is read then.
	 */
	signal(MONITOR_SIGNAL, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return error_set(err, errno, "cannot make a signalfd");
	return 0;
}

static int open_volumes(struct supervisor *s, struct error *err)
{
	struct family *f = &s->family;

	for (u32 i = 0; i < s->options->volume_count; i++) {
		const struct run_volume *v = &s->options->volumes[i];
		struct kin_volume *shown = &f->kin->volumes[i];

		f->volumes[i].fd = open(v->host, O_PATH | (v->is_file ? 0 : O_DIRECTORY) | O_CLOEXEC);
		if (f->volumes[i].fd < 0)
			return error_set(err, errno, "cannot open the volume '%.200s'", v->host);
		if (v->is_file && !f->namespaced)
			return error_set(err, 0, "a file can be a volume only in namespaces; share the "
							 "directory of '%.200s'", v->host);
		f->volumes[i].is_file = v->is_file;
		shown->is_file = v->is_file;
		if (!f->namespaced && tree_is_mixed(f->volumes[i].fd))
			return error_set(err, 0,
							 "the volume '%s' holds the host's /proc, /sys or /dev; "
							 "share a directory that does not", v->host);
		f->volumes[i].read_only = v->read_only;
		shown->read_only = v->read_only;
		snprintf(shown->path, sizeof(shown->path), "%s", v->path);
		f->volume_count = f->kin->volume_count = i + 1;
	}
	if (family_takes_gifts(f) && shelf_open(f, err) < 0)
		return -1;
	f->kin->job = s->options->job;
	f->kin->memory_limit = s->options->memory_bytes;
	f->kin->memory_credit = (s64)s->options->memory_bytes;
	f->kin->tasks_limit = s->options->tasks_max;
	return 0;
}

static u32 cpus_allowed(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (u32)CPU_COUNT(&set) : 0;
}

int supervisor_follow(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/*
 * The host ends this process with its front. If that died before, its end of the socket is closed,
 * whatever may still be in the queue.
 */
static int follow_front(struct supervisor *s, struct error *err)
{
	struct pollfd link = {s->link_fd, 0, 0};

	if (supervisor_follow() < 0)
		return error_set(err, errno, "cannot follow the front");
	if (poll(&link, 1, 0) < 0 || link.revents & POLLHUP)
		_exit(EXIT_LOST);
	return 0;
}

/* Until the front has mapped the ids of the namespace. */
static void wait_for_ids(struct supervisor *s)
{
	struct link_request go;

	if (recv(s->link_fd, &go, sizeof(go), 0) != sizeof(go))
		_exit(EXIT_LOST);
}

/* What is opened while the host's files can be named. */
/* A FIFO that nobody reads is refused: waiting here would be deaf to signals. */
static int stats_open(const char *path)
{
	int fd;

	if (!strcmp(path, "-"))
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

static int open_host(struct supervisor *s, struct error *err)
{
	struct family *f = &s->family;
	const struct run_options *o = s->options;

	f->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->root_fd = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->root_fd < 0)
		return error_set(err, errno, "cannot open the root directory '%s'", o->root);
	if (o->stats) {
		s->stats_fd = stats_open(o->stats);
		if (s->stats_fd < 0)
			return error_set(err, errno,
							 "cannot write the statistics to '%s'%s; give --stats a writable path",
							 o->stats, errno == ENXIO ? ", which nobody reads" : "");
	}
	image_open(f);
	if (geteuid() == 0 && namespaces_nobody(&f->monitor_id, err) < 0)
		return -1;
	return choose_backend(s, err);
}

/* A layer is missing that this backend needs: only the user can decide to do without. */
static int check_layers(struct supervisor *s, const struct error *refused, struct error *err)
{
	const struct family *f = &s->family;

	if (f->namespaced)
		return 0;
	if (f->backend->runs_on_host && !(s->options->without & WITHOUT_NAMESPACES))
		return error_set(err, 0,
						 "backend process needs namespaces of its own (%.200s); allow them to this "
						 "user, or give that protection up with --without namespaces",
						 refused->text);
	if (f->verbose)
		message("no namespaces around the family: %s", refused->text);
	return 0;
}

/*
 * What the supervisor itself needs once the family's root directory is its own: to make files for
 * members as their owners, to end and to look at monitors, and to give monitors less. An ordinary
 * user's has nothing to do with files that the user could not.
 */
static int authority_reduce(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	u32 keep = 1u << CAP_SETPCAP | 1u << CAP_SYS_PTRACE;

	umask(0);
	if (geteuid() == 0)
		keep |= 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH |
				1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_KILL | 1u << CAP_SETGID |
				1u << CAP_SETUID | 1u << CAP_SYS_CHROOT;
	if (syscall(SYS_capget, &header, data) < 0)
		return error_set(err, errno, "cannot read the supervisor's capabilities");
	keep &= data[0].permitted;
	/* volume_request.c changes the ids that files get, not what it may do. */
	if (keep & 1u << CAP_SETPCAP && prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return error_set(err, errno, "cannot keep the supervisor's capabilities");
	memset(data, 0, sizeof(data));
	data[0].permitted = data[0].effective = keep;
	if (syscall(SYS_capset, &header, data) < 0)
		return error_set(err, errno, "cannot drop the supervisor's capabilities");
	return 0;
}

/*
 * What is asked of a program that the user starts is not asked of the supervisor, which looks into
 * all of them. The monitors get a limit of their own.
 */
static int files_raise(struct supervisor *s, struct error *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return error_set(err, errno, "cannot read the limit of open files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return error_set(err, errno, "cannot raise the limit of open files");
	s->files_max = (u32)MIN(files.rlim_cur, (rlim_t)INT32_MAX);
	return 0;
}

static int prepare(struct supervisor *s, const struct error *refused, struct error *err)
{
	struct family *f = &s->family;
	struct clock_pair first = clock_pair_read();
	bool usable;

	if (files_raise(s, err) < 0)
		return -1;
	f->verbose = s->options->verbose;
	f->supervisor_pid = getpid();
	f->without = s->options->without;
	f->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->notify_fd < 0)
		return error_set(err, errno, "cannot make an eventfd");
	/* What needs no ids of the host comes first, while the front maps them. */
	if (make_kin(f, err) < 0 || pack_program(s, err) < 0)
		return -1;
	pack_start(s);
	if (net_grant_take(s->net, s->options, f, err) < 0)
		return -1;
	wait_for_ids(s);
	net_grant_open_ports(s->options);
	pack_owners(s);
	if (open_host(s, err) < 0 || check_layers(s, refused, err) < 0 || open_volumes(s, err) < 0)
		return -1;
	if (limits_begin(s, err) < 0)
		return -1;
	f->kin->cpus = cpus_allowed();
	usable = clock_source_usable();
	if (zones_find(f, err) < 0)
		return -1;
	if (f->namespaced && private_root_enter(s, err) < 0)
		return -1;
	if (authority_reduce(err) < 0 || confinement_prepare(f, err) < 0)
		return -1;
	/* Last: the longer after the first reading, the less it has to wait for the second. */
	clock_calibrate(&f->kin->clock, &first, usable);
	return take_signals(s, err);
}

/*
 * A member that is stopped makes no other, so one signal is enough. While they are, no member is
 * expected to answer, and none is started.
 */
static void pause_take(struct supervisor *s, bool pause)
{
	if (s->paused == pause)
		return;
	s->paused = pause;
	children_signal(s, pause ? SIGSTOP : SIGCONT);
	if (!pause) {
		inbox_again(s);
		s->mailbox_again = true;
	}
}

static void term_take(struct supervisor *s)
{
	u64 now = supervisor_now_ns();
	int timeout_s = s->options->stop_timeout_s;

	pause_take(s, false);
	if (!s->term_first_ns) {
		s->term_first_ns = now;
		if (timeout_s >= 0)
			s->term_deadline_ns = now + (u64)timeout_s * NS_PER_S;
		inbox_post_signal(s, SIGTERM, false);
	} else if (now - s->term_first_ns >= TERM_GRACE_NS) {
		s->status = SIGTERM;
		s->ended = true;
	}
}

static void term_check(struct supervisor *s)
{
	if (s->ended || !s->term_deadline_ns || supervisor_now_ns() < s->term_deadline_ns)
		return;
	s->status = SIGTERM;
	s->ended = true;
}

static bool on_terminal(void)
{
	return isatty(STDIN_FILENO) || isatty(STDOUT_FILENO);
}

static void take_signal(struct supervisor *s, int sig)
{
	switch (sig) {
	case SIGTERM: term_take(s); return;
	case SIGHUP: inbox_post_signal(s, sig, s->on_terminal && !on_terminal()); return;
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGCONT:
	case SIGWINCH: inbox_post_signal(s, sig, on_terminal()); return;
	default: inbox_post_signal(s, sig, false);
	}
}

static u64 earlier(u64 a_ns, u64 b_ns)
{
	return !a_ns ? b_ns : !b_ns ? a_ns : MIN(a_ns, b_ns);
}

/* As SIGTERM; but who asks again does not mean to end it at once, only sooner perhaps. */
static void stop_take(struct supervisor *s, int timeout_s)
{
	u64 now = supervisor_now_ns();

	pause_take(s, false);
	if (!s->term_first_ns) {
		s->term_first_ns = now;
		inbox_post_signal(s, SIGTERM, false);
	}
	if (timeout_s >= 0)
		s->term_deadline_ns = earlier(s->term_deadline_ns, now + (u64)timeout_s * NS_PER_S);
}

static void kill_take(struct supervisor *s, int sig)
{
	if (sig == SIGKILL) {
		s->status = SIGKILL;
		s->ended = true;
	} else if (sig > 0 && sig <= 64) {
		inbox_post_signal(s, sig, false);
	}
}

/* The front is never waited for: it reads at every turn, so there is room. */
static void members_tell(struct supervisor *s, int from)
{
	static struct link_members page;

	members_list(s, (u32)MAX(from, 0), &page);
	send(s->link_fd, &page, sizeof(page), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* From the front: a request, which is as long as its kind says. Bytes; fds: -1 or ours. */
static ssize_t link_receive(struct supervisor *s, struct link_exec *to, int *fds)
{
	union {
		char room[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {to, sizeof(*to)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
						 .msg_controllen = CMSG_LEN(3 * sizeof(int))};
	ssize_t n = recvmsg(s->link_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	fds[0] = fds[1] = fds[2] = -1;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	return n;
}

static void take_link(struct supervisor *s)
{
	static struct link_exec from_front;
	int fds[3], value;
	ssize_t n;

	while ((n = link_receive(s, &from_front, fds)) >= (ssize_t)sizeof(from_front.head)) {
		value = from_front.head.value;
		switch (from_front.head.kind) {
		case LINK_GO: break;
		case LINK_SIGNAL: take_signal(s, value); break;
		case LINK_KILL: kill_take(s, value); break;
		case LINK_STOP: stop_take(s, value); break;
		case LINK_PAUSE: pause_take(s, value); break;
		case LINK_MEMBERS: members_tell(s, value); break;
		case LINK_EVENTS: events_want(s, value); break;
		case LINK_EXEC: session_make(s, &from_front, (size_t)n, fds); break;
		}
	}
}

/* How long the loop may block; NULL: until something happens. */
static struct timespec *next_timeout(const struct supervisor *s, struct timespec *t)
{
	u64 now = supervisor_now_ns(), left, deadline = s->term_deadline_ns;

	deadline = earlier(deadline, s->doom_deadline_ns);
	deadline = earlier(deadline, s->events_look_ns);
	if (!s->paused) {
		deadline = earlier(deadline, s->inbox_deadline_ns);
		deadline = earlier(deadline, s->sessions.look_ns);
		deadline = earlier(deadline, s->limits.deadline_ns);
	}
	if (s->unclaimed_count)
		deadline = earlier(deadline, now + UNCLAIMED_RETRY_NS);
	if (s->reap_again || (s->mailbox_again && !s->paused))
		deadline = now;
	if (!deadline)
		return NULL;
	left = deadline > now ? deadline - now : 0;
	*t = (struct timespec){(time_t)(left / 1000000000), (long)(left % 1000000000)};
	return t;
}

static void look_at_kin(struct supervisor *s)
{
	struct kin_header *kin = s->family.kin;

	if (s->ended)
		return;
	if (KIN_READ(kin->stopped)) {
		struct link_result stopped = {.end = LINK_STOPPED, .status = (int)KIN_READ(kin->stopped)};

		KIN_WRITE(kin->stopped, 0);
		/* Else nobody waits for a job to stop, and nobody would continue it. */
		if (s->options->job && on_terminal() && !s->term_first_ns)
			send(s->link_fd, &stopped, sizeof(stopped), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (KIN_READ(kin->fatal)) {
		char text[sizeof(kin->fatal_text)];
		memcpy(text, kin->fatal_text, sizeof(text));
		text[sizeof(text) - 1] = 0;
		text_clean(text, strlen(text));
		error_set(&s->failure, 0, "the family cannot go on: %s", text);
		s->ended = true;
	} else if (KIN_READ(kin->ended)) {
		s->status = (int)KIN_READ(kin->ended_status);
		s->ended = true;
	}
}

static void event_loop(struct supervisor *s)
{
	struct pollfd fds[] = {
		{s->signal_fd, POLLIN, 0}, {s->family.notify_fd, POLLIN, 0}, {s->link_fd, POLLIN, 0}};
	struct signalfd_siginfo info;
	struct timespec timeout;
	u64 count;

	while (!s->ended) {
		if (ppoll(fds, ARRAY_SIZE(fds), next_timeout(s, &timeout), NULL) < 0 && errno != EINTR) {
			error_set(&s->failure, errno, "cannot wait for the family; it was ended");
			break;
		}
		if (fds[1].revents && read(s->family.notify_fd, &count, sizeof(count)) < 0)
			count = 0; /* the bits say it all */
		/* One: children can die faster than this is read. Who died is seen after every round. */
		if (fds[0].revents && read(s->signal_fd, &info, sizeof(info)) < 0)
			count = 0;
		if (fds[2].revents)
			take_link(s);
		if (fds[2].revents & POLLHUP) /* the front is gone, and its signal on the way */
			s->ended = true;
		look_at_kin(s);
		term_check(s);
		if (s->ended) /* what follows takes long where thousands compute */
			break;
		members_reap(s);
		/* After reaping: a member may have died between setting its bit and telling us. */
		if (!s->paused) {
			members_mailbox(s);
			sessions_check(s);
		}
		look_at_kin(s);
		members_retry_unclaimed(s);
		if (!s->paused)
			inbox_check(s);
		doom_check(s);
		events_check(s);
		if (!s->paused)
			limits_check(s);
		net_look_check(s);
	}
}

/* To the front of a family with a name: what can go wrong at the start has not. */
static void started_tell(struct supervisor *s)
{
	struct link_result started = {.end = LINK_STARTED, .status = (int)s->family.backend->kind};

	if (send(s->link_fd, &started, sizeof(started), MSG_NOSIGNAL) < 0)
		s->ended = true; /* the front is gone */
}

static int family_run(struct supervisor *s, const struct error *refused, struct error *err)
{
	struct kin_member *first;

	if (follow_front(s, err) < 0 || prepare(s, refused, err) < 0)
		return -1;
	first = &s->family.kin->members[0];
	first->state = MEMBER_SPAWNING;
	first->generation = 1;
	first->clone_tsc = s->start_tsc;
	if (member_start(s, 0, NULL, err) < 0)
		return -1;
	if (s->options->named)
		started_tell(s);
	event_loop(s);
	members_end_all(s);
	events_last(s);
	if (s->family.verbose)
		report_unsupported(s);
	if (s->failure.text[0]) {
		*err = s->failure;
		return -1;
	}
	/* The program's status is not lost for it. */
	if (s->stats_fd >= 0 && report_write(s, err) < 0)
		message("%s", err->text);
	return 0;
}

/*
 * A guest of the process backend can read all that its monitor's process holds, and the caller's
 * environment is not granted to it. Variables of unifork's own name stay: by one of these whoever
 * started a family finds its processes (/proc/PID/environ).
 */
static void environment_forget(void)
{
	static const char own[] = "UNIFORK_";

	for (char **variable = environ; variable && *variable; variable++)
		if (strncmp(*variable, own, sizeof(own) - 1) != 0)
			explicit_bzero(*variable, strlen(*variable));
	environ = NULL;
}

_Noreturn void supervisor_main(const struct run_options *o, enum namespaces_kind namespaces,
							   const struct error *refused, const struct cgroup *cgroup,
							   const struct net_grant *net, int front_pid, int link_fd)
{
	static struct supervisor s; /* nothing of it is touched before it is needed */
	struct link_result result = {0};

	s.signal_fd = s.stats_fd = s.family.proc_fd = -1;
	s.options = o;
	s.net = net;
	s.start_tsc = tsc_now();
	s.link_fd = link_fd;
	environment_forget();
	turns_short();
	s.on_terminal = on_terminal();
	s.family.title = o->title;
	s.family.title_size = o->title_size;
	s.family.front_pid = front_pid;
	s.family.namespaced = namespaces != NAMESPACES_NONE;
	s.user_namespace = namespaces == NAMESPACES_USER;
	s.limits.cgroup = *cgroup;
	result.failed = family_run(&s, refused, &result.error) < 0;
	result.end = s.end;
	result.status = s.status;
	if (send(link_fd, &result, sizeof(result), MSG_NOSIGNAL) < 0)
		_exit(EXIT_LOST);
	_exit(0);
}
