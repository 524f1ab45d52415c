/* SPDX-License-Identifier: ISC */
/*
 * The supervisor's eyes on kin, which every member writes as it likes while they look: mailbox,
 * deaths, inbox, doomed members, limits, reports. The host's processes are played here: a signal
 * for a process that is not a child, or has been reaped, is a finding, and so is whatever would
 * block the supervisor or leave a monitor alive at the end.
 *
 * An input is the family's grants and limits, a schedule of what kin turns into between two loads
 * (hostile.c), then a list of steps. A family with sockets of the host has real ones, in a network
 * namespace of the target's own. With UNIFORK_FUZZ_THREAD set, a thread writes the input's bytes
 * all over kin as well, as fast as it can; then an input does not always do the same again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"
#include "monitor/supervisor/link.h"
#include "monitor/supervisor/supervisor_internal.h"
#include "net_world.h"

#define STEPS_MAX 64
#define CHILDREN_MAX 64
#define FIRST_PID 1000001
#define EXTRA (1u << 16) /* of kin behind its header that is hostile, too: volume requests */
#define FDS_MAX 1024
#define MEMORY_LIMIT (16ull << 20)
#define FILES_FEW 64 /* of what the supervisor may have open: the shelf is soon full */

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "protect_shadow_gap=0:detect_leaks=0:handle_abort=1:allocator_may_return_null=1";
}

/* ---- the host: our children */
struct child {
	pid_t pid;
	enum { GONE, RUNNING, ZOMBIE } state;
	bool stopped;
	int status;
};

static struct child children[CHILDREN_MAX];
static u32 child_count;
static pid_t fd_pid[FDS_MAX]; /* of a descriptor of a process: whose it is */
static u32 fds_open;          /* of all that was opened here */
static u64 now_ns;
static bool host_full; /* no process, no descriptor */
static u32 fail_in;    /* the host refuses the process or descriptor so many from now; 0: none */
static struct supervisor s;
static int kin_fd, null_fd;
static bool network; /* of this process' own: families may have sockets */

static struct child *child_of(pid_t pid)
{
	for (u32 i = 0; i < child_count; i++)
		if (children[i].state != GONE && children[i].pid == pid)
			return &children[i];
	return NULL;
}

static pid_t child_new(void)
{
	if (child_count == CHILDREN_MAX)
		return -1;
	children[child_count] = (struct child){.pid = FIRST_PID + (pid_t)child_count, .state = RUNNING};
	return children[child_count++].pid;
}

static void child_end(struct child *c, int status)
{
	if (c->state != RUNNING)
		return;
	c->state = ZOMBIE;
	c->status = status;
}

static int failed(int error)
{
	errno = error;
	return -1;
}

static bool refused(void)
{
	return host_full || (fail_in && --fail_in == 0);
}

static int signal_child(pid_t pid, int sig)
{
	struct child *c = pid > 0 ? child_of(pid) : NULL;

	if (!c)
		finding("signal %d for process %d, which is no child", sig, (int)pid);
	if (sig != MONITOR_SIGNAL && sig != SIGKILL && sig != SIGSTOP && sig != SIGCONT && sig != 0)
		finding("signal %d for a monitor", sig);
	if (sig == SIGSTOP || sig == SIGCONT)
		c->stopped = sig == SIGSTOP;
	if (sig == SIGKILL)
		child_end(c, SIGKILL);
	return 0;
}

/* As init of the family's PID namespace it may mean everybody else in there. */
int mailbox_kill(pid_t pid, int sig)
{
	hostile_moment();
	if (pid != -1 || !s.family.namespaced)
		return signal_child(pid, sig);
	for (u32 i = 0; i < child_count; i++)
		if (children[i].state != GONE)
			signal_child(children[i].pid, sig);
	return 0;
}

pid_t mailbox_fork(void)
{
	pid_t pid = refused() ? -1 : child_new();

	hostile_moment();
	return pid < 0 ? failed(EAGAIN) : pid;
}

pid_t mailbox_wait4(pid_t pid, int *status, int options, struct rusage *ru)
{
	bool any = false;

	hostile_moment();
	if (ru)
		memset(ru, 0, sizeof(*ru));
	for (u32 i = 0; i < child_count; i++) {
		struct child *c = &children[i];

		if (pid > 0 && c->pid != pid)
			continue;
		if (c->state == ZOMBIE) {
			c->state = GONE;
			*status = c->status;
			return c->pid;
		}
		any |= c->state == RUNNING;
	}
	if (any && !(options & WNOHANG))
		finding("the supervisor waits for a monitor that nobody has ended");
	return any ? 0 : failed(ECHILD);
}

pid_t mailbox_waitpid(pid_t pid, int *status, int options)
{
	return mailbox_wait4(pid, status, options, NULL);
}

static pid_t pid_of_fd(int fd)
{
	return fd >= 0 && fd < FDS_MAX ? fd_pid[fd] : 0;
}

int mailbox_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	pid_t pid = type == P_PIDFD ? pid_of_fd((int)id) : (pid_t)id;
	struct child *c = child_of(pid);

	hostile_moment();
	if (!c)
		return failed(ECHILD);
	if (!(options & WNOHANG) && c->state == RUNNING)
		finding("the supervisor waits for a monitor");
	info->si_pid = c->state == ZOMBIE ? c->pid : 0;
	if (c->state == ZOMBIE && !(options & WNOWAIT))
		c->state = GONE;
	return 0;
}

static int fd_new(int fd)
{
	if (fd >= FDS_MAX)
		finding("too many descriptors are open");
	fds_open += fd >= 0;
	return fd;
}

int mailbox_close(int fd)
{
	if (fd < 0)
		finding("descriptor %d is closed", fd);
	if (fd < FDS_MAX)
		fd_pid[fd] = 0;
	fds_open--;
	return close(fd);
}

int mailbox_fcntl(int fd, int command, ...)
{
	if (command != F_DUPFD_CLOEXEC)
		finding("fcntl %d", command);
	return refused() ? failed(EMFILE) : fd_new(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

int mailbox_pidfd_open(pid_t pid, unsigned flags)
{
	int fd;

	hostile_moment();
	if (pid <= 0)
		finding("a descriptor of process %d", (int)pid);
	if (refused())
		return failed(EMFILE);
	/* Any process of the namespace: what may be done with the descriptor is looked at then. */
	fd = fd_new(eventfd(0, EFD_CLOEXEC));
	if (fd >= 0)
		fd_pid[fd] = pid;
	return fd;
}

/* What a monitor of a family with sockets has under that number: some of it is the monitor's. */
static int socket_or_other(int number)
{
	switch (number % 8) {
	case 0: return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	case 1: return eventfd(0, EFD_CLOEXEC);
	case 2: return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	case 3: return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	case 4: return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	case 5: return memfd_create("file", MFD_CLOEXEC);
	case 6: return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); /* as the shelf's */
	default: return epoll_create1(EPOLL_CLOEXEC);
	}
}

/* A file of a monitor: what a member has open, or said so. */
static int mailbox_pidfd_getfd(int fd, int number)
{
	hostile_moment();
	if (!child_of(pid_of_fd(fd)))
		finding("a file of process %d, which is no child", (int)pid_of_fd(fd));
	if (number <= STDERR_FILENO)
		finding("a monitor's descriptor %d", number);
	if (refused() || number > 64)
		return failed(EBADF);
	if (family_has_sockets(&s.family))
		return fd_new(socket_or_other(number));
	return fd_new(number % 2 ? memfd_create("file", MFD_CLOEXEC) : eventfd(0, EFD_CLOEXEC));
}

/* Members get files and sockets of the network, and nothing that is the monitors' own. */
static void gift_look(const struct msghdr *msg)
{
	const struct cmsghdr *h = CMSG_FIRSTHDR(msg);
	int domain = AF_UNSPEC, fd = -1;
	socklen_t len = sizeof(domain);
	struct stat st;

	if (h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	if (fstat(fd, &st) < 0)
		finding("a gift of descriptor %d", fd);
	if (S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		finding("a gift of a socket without a domain");
	if (!S_ISREG(st.st_mode) && domain != AF_INET && domain != AF_INET6)
		finding("a gift of mode %o, domain %d", st.st_mode, domain);
}

ssize_t mailbox_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	hostile_moment();
	if (fd != s.family.gift_fds[0] || !(flags & MSG_DONTWAIT) || msg->msg_name)
		finding("a message to %d with flags %#x", fd, flags);
	gift_look(msg);
	return refused() ? failed(EAGAIN) : (ssize_t)msg->msg_iov->iov_len;
}

int mailbox_pidfd_send_signal(int fd, int sig, siginfo_t *info, unsigned flags)
{
	pid_t pid = pid_of_fd(fd);

	hostile_moment();
	for (u32 i = 0; i < child_count; i++)
		if (children[i].pid == pid && children[i].state == GONE)
			return failed(ESRCH); /* reaped since the descriptor was made: the host knows */
	return signal_child(pid, sig);
}

int mailbox_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (timeout < 0)
		finding("poll without an end");
	now_ns += (u64)timeout * 1000000;
	return 0;
}

int mailbox_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set)
{
	if (!timeout)
		finding("ppoll without an end");
	return 0;
}

long mailbox_syscall(long nr, ...)
{
	va_list ap;
	u64 a[5];

	va_start(ap, nr);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, u64);
	va_end(ap);
	switch (nr) {
	case SYS_futex:
		hostile_moment();
		if ((int)a[1] != FUTEX_WAKE || a[0] < KIN_BASE || a[0] > KIN_END - 4 || a[0] % 4)
			finding("futex(%#llx, %d)", (unsigned long long)a[0], (int)a[1]);
		return 0;
	case SYS_pidfd_open: return mailbox_pidfd_open((pid_t)a[0], 0);
	case SYS_pidfd_send_signal: return mailbox_pidfd_send_signal((int)a[0], (int)a[1], NULL, 0);
	case SYS_pidfd_getfd: return mailbox_pidfd_getfd((int)a[0], (int)a[1]);
	}
	finding("host call %ld: tests/fuzz/targets/fuzz_mailbox.c does not know it", nr);
}

/* ---- what the host says of our children: host_proc.c, usage.c, cgroup.c */
bool child_confined(struct supervisor *of, int pid_fd)
{
	hostile_moment();
	return true;
}

void watches_look(struct supervisor *of)
{
	hostile_moment();
}

void children_signal(struct supervisor *of, int sig)
{
	hostile_moment();
	if (of->family.namespaced)
		namespace_signal(sig);
	for (u32 i = 0; i < child_count && !of->family.namespaced; i++)
		if (children[i].state != GONE)
			signal_child(children[i].pid, sig);
}

bool children_exceed(struct supervisor *of, u64 most, u32 *count)
{
	*count = 0;
	for (u32 i = 0; i < child_count; i++)
		*count += children[i].state != GONE;
	return *count > most;
}

/* From nothing to twice the limit, by the time. */
static u64 bytes_now(void)
{
	return now_ns / 7 % (2 * MEMORY_LIMIT);
}

u64 usage_bound(struct supervisor *of)
{
	hostile_moment();
	return bytes_now();
}

u64 usage_exact(struct supervisor *of, struct usage_largest *largest)
{
	u32 at = (u32)(now_ns / 11 % (child_count + 1));

	hostile_moment();
	largest->count = 0;
	for (; at < child_count && largest->count < VICTIMS_MAX; at++)
		if (children[at].state == RUNNING)
			largest->victims[largest->count++] =
				(struct usage_victim){children[at].pid, bytes_now() >> largest->count};
	of->usage.exact_kin_bytes = now_ns / 13 % MEMORY_LIMIT;
	return bytes_now();
}

bool usage_possible(struct supervisor *of, bool memory, const char **why)
{
	*why = "";
	return true;
}

void cgroup_make(struct cgroup *cg, u64 memory_bytes, u64 tasks_max)
{
	finding("a cgroup was made");
}

int cgroup_enter(const struct cgroup *cg, struct error *err)
{
	finding("the supervisor became a monitor");
}

void cgroup_kill(const struct cgroup *cg)
{
}

bool cgroup_memory(const struct cgroup *cg, u64 *bytes)
{
	return false;
}

u64 cgroup_memory_peak(const struct cgroup *cg)
{
	return 0;
}

u64 cgroup_oom_kills(const struct cgroup *cg)
{
	return 0;
}

/* ---- */

/* Written, so that what it is told is looked at, and thrown away. */
static void line_look(const char *format, va_list ap)
{
	char line[2048];

	vsnprintf(line, sizeof(line), format, ap);
	for (const char *c = line; *c; c++)
		if ((u8)*c < ' ' && *c != '\n')
			finding("a control character for the terminal: %#x in %s", *c, format);
}

void message(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line_look(format, ap);
	va_end(ap);
}

/* ---- what the supervisor's other files would do */
int supervisor_follow(void)
{
	return 0;
}

u64 supervisor_now_ns(void)
{
	return now_ns;
}

void turns_usual(void)
{
	finding("the supervisor became a monitor");
}

_Noreturn void monitor_start(struct family *f, u32 index)
{
	finding("the supervisor became a monitor");
}

_Noreturn void monitor_start_spawner(struct family *f)
{
	finding("the supervisor became the spawner");
}

/* The volume target looks at what it does; here, what it is given. */
s64 volume_request_run(const struct family *f, struct volume_request *req, int handle, int *gift)
{
	if ((u64)req >= KIN_BASE && (u64)req < KIN_END)
		finding("a request is used in kin, where it changes");
	hostile_moment();
	if (req->kind == VOLUME_MAKE && !refused())
		*gift = fd_new(memfd_create("gift", MFD_CLOEXEC));
	return *gift >= 0 ? 0 : -(s64)(req->kind % 64);
}

const struct backend_ops backend_kvm = {.name = "kvm"}, backend_process = {.name = "process"};

/* ---- kin */
static u64 choose(struct input *in)
{
	static const u64 some[] = {
		0,
		1,
		2,
		3,
		4,
		5,
		~0ull,
		0xffffffff,
		1ull << 32,
		MEMBERS_MAX,
		MEMBERS_MAX - 1,
		KIN_BASE,
		KIN_END,
		KIN_END - sizeof(struct volume_request),
		KIN_BASE + sizeof(struct kin_header),
		1ull << 63,
		0x7fffffff,
		0x80000000,
	};
	u8 how = input_u8(in);

	if (how < 90)
		return some[how % ARRAY_SIZE(some)];
	if (how < 150)
		return FIRST_PID + (u64)(how % 16);
	if (how < 160)
		return (u64)getpid();
	if (how < 200)
		return KIN_BASE + ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE) + input_u16(in) % EXTRA;
	return how < 225 ? how % 32u : how < 240 ? 1ull << (how % 64) : input_u64(in);
}

static void poke(struct input *in)
{
	struct kin_member *m = &KIN->members[input_u8(in) % 8];
	u64 v = choose(in);

	switch (input_u8(in) % 16) {
	case 0: KIN->kick_map[0] |= v; break;
	case 1: KIN->spawn_map[0] |= v; break;
	case 2: KIN->doom_map[0] |= v; break;
	case 3: KIN->request_map[0] |= v; break;
	case 4: KIN->kick_map[MEMBERS_MAX / 64 - 1] |= v; break;
	case 5: m->state = (u32)v; break;
	case 6: m->generation = (u32)v; break;
	case 7: m->host_pid = (s32)v; break;
	case 8: m->doomed = (u32)v; break;
	case 9: m->request = v; break;
	case 10: m->parent = (u32)v; break;
	case 11: KIN->inbox_pending = (u32)v; break;
	case 12: KIN->spawner_ready = (u32)v; break;
	case 13: KIN->spawner_serves = v; break;
	case 14: KIN->memory_wanted = (u32)v; break;
	case 15: memcpy((char *)KIN + input_u64(in) % (sizeof(struct kin_header) - 8), &v, sizeof(v));
	}
}

/* A member as it would be: on its way, or alive with a monitor of ours. */
static void member_make(struct input *in)
{
	u32 index = input_u8(in) % 8;
	struct kin_member *m = &KIN->members[index];
	pid_t pid = input_u8(in) & 1 ? child_new() : 0;

	m->state = input_u8(in) % 6;
	m->parent = input_u8(in) % 8;
	m->generation++;
	m->host_pid = pid > 0 ? pid : 0;
	KIN->spawn_map[0] |= (u64)(m->state == MEMBER_SPAWNING) << index;
	m->request = KIN_BASE + ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE);
	*(struct volume_request *)m->request =
		(struct volume_request){.state = VOLUME_REQUEST_ASKED,
								.kind = input_u8(in) % 16,
								.tree = 1,
								.handle = input_u8(in) % 8,
								.access = input_u8(in) % 4,
								/* something in kin that has a value, or not */
								.word = KIN_BASE + input_u8(in) % 4 * 8,
								.value = input_u8(in) % 2 ? KIN_MAGIC : KIN_SIZE};
	KIN->request_map[0] |= 1ull << index;
	if (input_u8(in) & 1) { /* somebody has sent it SIGKILL */
		m->doomed = m->generation;
		KIN->doom_map[0] |= 1ull << index;
	}
}

/* A client's request; then perhaps a record for it, as a kernel of the family would give it. */
static void session_ask(struct input *in)
{
	static struct link_exec x = {.argc = 1, .bytes = 6, .strings = "\0true"};
	u8 index = input_u8(in) % 8, how = input_u8(in);
	u32 count = s.sessions.count;
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = fd_new(dup(how & 1 << i ? kin_fd : null_fd)); /* a file is refused */
	session_make(&s, &x, offsetof(struct link_exec, strings) + x.bytes, fds);
	if (s.sessions.count == count || how & 8)
		return;
	for (u32 i = 0; i < SESSIONS_MAX; i++) {
		if (s.sessions.all[i].state != SESSION_ASKED)
			continue;
		KIN->members[index] = (struct kin_member){.state = MEMBER_SPAWNING, .generation = 1,
												  .session = s.sessions.all[i].number};
		KIN->sessions[i].record = (u64)s.sessions.all[i].number << 32 | (index + 1);
		return;
	}
}

static u32 session_fds(void)
{
	u32 n = 0;

	for (u32 i = 0; i < SESSIONS_MAX; i++)
		n += s.sessions.all[i].state != SESSION_FREE ? 3 : 0;
	return n;
}

static void kin_reset(void)
{
	if (fallocate(kin_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, KIN_SIZE) < 0)
		finding("cannot empty kin");
	KIN->magic = KIN_MAGIC;
	KIN->size = KIN_SIZE;
	KIN->clock.tsc_khz = 2000000;
	KIN->members[0] = (struct kin_member){.state = MEMBER_LIVE, .generation = 1};
}

/* ---- a thread that never rests */
static struct {
	const u8 *volatile data;
	volatile size_t size;
	_Atomic bool active, busy;
} storm;

static void *storm_run(void *unused)
{
	u64 seed = 1;

	for (;;) {
		if (!storm.active) {
			usleep(1);
			continue;
		}
		storm.busy = true;
		for (u32 i = 0; i < 256 && storm.active && storm.size >= 8; i++) {
			u64 v, hot = offsetof(struct kin_header, members) + 8 * sizeof(struct kin_member);

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			memcpy(&v, storm.data + (seed >> 33) % (storm.size - 7), sizeof(v));
			if (seed >> 60 < 8)
				v = (seed >> 40) & 1 ? FIRST_PID + (seed >> 50) % 16 : (seed >> 50) % 6;
			*(volatile u32 *)(KIN_BASE + (seed >> 20) % hot / 4 * 4) = (u32)v;
		}
		storm.busy = false;
	}
	return NULL;
}

static void storm_set(const u8 *data, size_t size)
{
	storm.active = false;
	while (storm.busy)
		;
	storm.data = data;
	storm.size = size;
	storm.active = size > 0;
}

/* ---- steps */
static void supervisor_reset(struct run_options *o, u8 grants)
{
	free(s.rows);
	free(s.doomed_ns);
	for (u32 i = 0; i < s.shelf_count; i++)
		close(s.shelf[i].fd);
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		for (u32 fd = 0; fd < 3 && s.sessions.all[i].state != SESSION_FREE; fd++)
			close(s.sessions.all[i].fds[fd]);
	memset(&s, 0, sizeof(s));
	s.files_max = 1u << 20;
	s.options = o;
	s.signal_fd = -1;
	s.family = (struct family){.kin = KIN,
							   .kin_fd = kin_fd,
							   .backend = &backend_process,
							   .gift_fds = {FDS_MAX + 1, FDS_MAX + 2},
							   .volume_count = 1};
	s.stats_fd = null_fd;
	if (network && grants) { /* no volume: what is kept and taken are sockets alone */
		s.family.volume_count = 0;
		s.family.sockets = grants & NET_SOCKETS;
		s.family.published_count = grants & NET_PUBLISH ? 1 : 0;
		s.family.published[0] = (struct published){null_fd, 80};
	}
	child_count = fds_open = 0;
	memset(fd_pid, 0, sizeof(fd_pid));
	host_full = false;
	fail_in = 0;
	now_ns = 1000000000;
}

/* It stops the monitors, and what it has not ended has to go on. */
static void limits_look(void)
{
	limits_check(&s);
	for (u32 i = 0; i < child_count && !s.ended; i++)
		if (children[i].state == RUNNING && children[i].stopped)
			finding("process %d was stopped and does not go on", (int)children[i].pid);
}

static void step(struct input *in)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH};
	u8 op = input_u8(in), n;

	switch (op % 16) {
	case 0:
		events_want(&s, true);
		sessions_check(&s);
		events_check(&s);
		break;
	case 1: members_mailbox(&s); break;
	case 2: members_reap(&s); break;
	case 3: members_retry_unclaimed(&s); break;
	case 4: inbox_check(&s); break;
	case 5: doom_check(&s); break;
	case 6: limits_look(); break;
	case 7:
		n = input_u8(in);
		inbox_post_signal(&s, signals[n % ARRAY_SIZE(signals)], n & 128);
		break;
	case 8:
	case 9:
		n = input_u8(in);
		if (child_count)
			child_end(&children[n % child_count], n & 128 ? SIGKILL : n << 8 & 0xff00);
		break;
	case 10: child_new(); break; /* a monitor has cloned itself */
	case 11: now_ns += input_u8(in) * 100000000ull; break;
	case 12:
		n = input_u8(in);
		fail_in = n % 32;
		host_full = n >= 240;
		break;
	case 13:
		hostile_off();
		member_make(in);
		hostile_on();
		break;
	case 14:
		hostile_off();
		session_ask(in);
		hostile_on();
		break;
	default:
		hostile_off();
		poke(in);
		hostile_on();
	}
}

static void end(u8 how)
{
	struct error err;

	if (how & 1) {
		report_unsupported(&s);
		if (report_write(&s, &err) < 0 && !err.text[0])
			finding("no report, and no word why");
	}
	host_full = false;
	fail_in = 0;
	members_end_all(&s);
	for (u32 i = 0; i < child_count; i++)
		if (children[i].state != GONE)
			finding("the family has ended, and process %d lives", (int)children[i].pid);
	if (fds_open != s.shelf_count + session_fds())
		finding("%u descriptors are open, %u files are kept, %u streams", fds_open, s.shelf_count,
				session_fds());
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pthread_t thread;

	network = net_namespace_enter();
	kin_fd = memfd_create("kin", MFD_CLOEXEC);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (kin_fd < 0 || null_fd < 0 || ftruncate(kin_fd, KIN_SIZE) < 0 ||
		mmap((void *)KIN_BASE, KIN_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, kin_fd, 0) != (void *)KIN_BASE)
		finding("cannot map kin");
	if (getenv("UNIFORK_FUZZ_THREAD") && pthread_create(&thread, NULL, storm_run, NULL))
		finding("cannot make a thread");
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct run_options options;
	struct input in = {data, data + size};
	struct error err;
	u8 flags = input_u8(&in), schedule = input_u8(&in);

	kin_reset();
	options = (struct run_options){.stats = "/dev/null",
								   .workdir = "/",
								   .memory_bytes = flags & 2 ? MEMORY_LIMIT : 0,
								   .tasks_max = flags & 4 ? 8 : 0};
	supervisor_reset(&options, flags >> 4 & (NET_SOCKETS | NET_PUBLISH));
	if (flags & 64)
		s.files_max = FILES_FEW;
	s.family.namespaced = flags & 8;
	if (limits_begin(&s, &err) < 0)
		finding("%s", err.text);
	KIN->members[0].host_pid = child_new();
	hostile_begin(KIN_BASE, KIN_BASE + sizeof(struct kin_header) + EXTRA, input_part(&in, schedule),
				  choose);
	storm_set(data, size);
	for (u32 i = 0; i < STEPS_MAX && input_left(&in) && !s.ended; i++)
		step(&in);
	end(flags);
	storm_set(NULL, 0);
	hostile_end();
	return 0;
}
