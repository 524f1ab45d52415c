/* SPDX-License-Identifier: ISC */
/*
 * The supervisor's view of the members: starting, interrupting, reaping. The process ids in kin are
 * what members wrote there; child.c signals none that is not a child of ours.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define INBOX_PATIENCE_NS 3000000000ull
#define STEWARD_TRIES_MAX 8
#define REAPED_AT_ONCE 64
#define MAILBOX_TURN_NS 5000000ull
#define SPAWNS_BEFORE_SPAWNER 2
#define SPAWNERS_MAX 4

/*
 * Records are taken lowest first, so the used ones end at the first that is free and never had a
 * life. In this order, because a record that was just taken has no generation yet.
 */
static bool record_used(struct supervisor *s, u32 index)
{
	const struct kin_member *m = &s->family.kin->members[index];

	return index < MEMBERS_MAX &&
		   (KIN_READ(m->state) != MEMBER_FREE || KIN_READ(m->generation) != 0);
}

static void futex_wake_all(_Atomic u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Rings first: a member about to sleep sees the new sequence, one that runs takes the signal. */
static bool member_interrupt(struct supervisor *s, u32 index)
{
	struct kin_member *m = &s->family.kin->members[index];

	m->doorbell++;
	futex_wake_all(&m->doorbell);
	return child_signal(KIN_READ(m->host_pid), MONITOR_SIGNAL);
}

/*
 * The member that carries out what is in the inbox: PID 1's, or another one that lives. Everybody,
 * if that was tried before.
 */
static void steward_kick(struct supervisor *s)
{
	for (u32 i = 0; record_used(s, i); i++) {
		if (KIN_READ(s->family.kin->members[i].state) != MEMBER_LIVE)
			continue;
		if (member_interrupt(s, i) && !s->steward_tries)
			break;
	}
	s->inbox_deadline_ns = supervisor_now_ns() + INBOX_PATIENCE_NS;
}

static void inbox_ring(struct supervisor *s)
{
	s->family.kin->inbox_pending = 1;
	s->steward_tries = 0;
	steward_kick(s);
}

/*
 * The inbox keeps no order, and who empties it sends SIGCONT before SIGTSTP, as they are numbered.
 * So a SIGCONT takes back the SIGTSTP that is still in there, as it would discard it anyway.
 */
void inbox_post_signal(struct supervisor *s, int sig, bool foreground)
{
	struct kin_header *kin = s->family.kin;

	if (sig == SIGCONT) {
		kin_bits_clear(&kin->inbox_foreground, 1ull << (SIGTSTP - 1));
		kin_bits_clear(&kin->inbox_init, 1ull << (SIGTSTP - 1));
	}
	kin_bits_set(foreground ? &kin->inbox_foreground : &kin->inbox_init, 1ull << (sig - 1));
	inbox_ring(s);
}

void inbox_post_session(struct supervisor *s, u32 index)
{
	kin_map_set(s->family.kin->inbox_sessions, index);
	inbox_ring(s);
}

/* If the steward does not answer (it may be dying itself) the others are asked as well. */
void inbox_check(struct supervisor *s)
{
	if (!s->inbox_deadline_ns)
		return;
	if (!KIN_READ(s->family.kin->inbox_pending)) {
		s->inbox_deadline_ns = 0;
		return;
	}
	if (supervisor_now_ns() < s->inbox_deadline_ns)
		return;
	if (++s->steward_tries >= STEWARD_TRIES_MAX) {
		error_set(&s->failure, 0, "no member of the family answers the supervisor; it was ended");
		s->ended = true;
		return;
	}
	steward_kick(s);
}

void inbox_again(struct supervisor *s)
{
	if (KIN_READ(s->family.kin->inbox_pending))
		inbox_ring(s);
}

/* What a terminal or a user sends to the whole process group is for the supervisor to translate. */
static void monitor_dispositions(void)
{
	static const int ignored[] = {SIGINT,  SIGQUIT, SIGHUP,  SIGTSTP,  SIGTTIN, SIGTTOU,
								  SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM, SIGPIPE};
	sigset_t empty;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
}

static void child_begin(const struct supervisor *s, const int *streams)
{
	for (int fd = 0; streams && fd <= STDERR_FILENO; fd++)
		if (dup2(streams[fd], fd) < 0)
			_exit(MEMBER_EXIT_DIED);
	turns_usual();
	monitor_dispositions();
	limits_enter(s);
	close(s->signal_fd);
	close(s->link_fd);
}

int member_start(struct supervisor *s, u32 index, const int *streams, struct error *err)
{
	struct kin_member *m = &s->family.kin->members[index];
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, errno, "cannot start a monitor; raise the limit of processes");
	if (pid == 0) {
		child_begin(s, streams);
		kin_exchange(&m->host_pid, 0, getpid());
		monitor_start(&s->family, index);
	}
	kin_exchange(&m->host_pid, 0, pid);
	return pid;
}

/*
 * Made when it is seen to be of use. One that does not live is not made again for ever: without it
 * every request comes here.
 */
static void spawner_start(struct supervisor *s)
{
	pid_t pid;

	if (s->spawner_pid || s->ended || s->spawns < SPAWNS_BEFORE_SPAWNER ||
		s->spawners >= SPAWNERS_MAX)
		return;
	s->spawners++;
	pid = fork();
	if (pid == 0) {
		child_begin(s, NULL);
		monitor_start_spawner(&s->family);
	}
	if (pid > 0)
		s->spawner_pid = pid;
	if (pid > 0 && s->family.verbose)
		message("the spawner is process %d", (int)pid);
}

/* What it had taken is asked for again; the record tells whether that was served. */
static void spawner_gone(struct supervisor *s)
{
	struct kin_header *kin = s->family.kin;
	u64 served;
	u32 index;

	s->spawner_pid = 0;
	kin->spawner_ready = 0;
	served = kin_bits_take(&kin->spawner_serves);
	index = (u32)served - 1;
	if (served && index < MEMBERS_MAX && KIN_READ(kin->members[index].generation) == served >> 32)
		kin_map_set(kin->spawn_map, index);
}

void member_unborn(struct supervisor *s, u32 index)
{
	s->family.kin->members[index].state = MEMBER_DEAD;
	kin_map_set(s->family.kin->inbox_dead, index);
	inbox_ring(s);
}

static void spawn_requested(struct supervisor *s, u32 index)
{
	struct kin_member *m = &s->family.kin->members[index];
	struct error err = {0};
	const int *streams;

	/* A request that a burier repeats may have been served: then a process is entered. */
	if (KIN_READ(m->state) != MEMBER_SPAWNING || KIN_READ(m->host_pid) != 0 || s->ended)
		return;
	s->spawns++;
	if (!session_streams(s, index, &streams))
		error_set(&err, 0, "a member names a session that there is not");
	if (err.text[0] || member_start(s, index, streams, &err) < 0) {
		message("%s", err.text);
		member_unborn(s, index);
	}
}

/* What takes no time to speak of. */
static void mailbox_quick(struct supervisor *s, u32 w)
{
	struct kin_header *kin = s->family.kin;
	u64 doom = kin_bits_take(&kin->doom_map[w]);
	u64 kick = kin_bits_take(&kin->kick_map[w]);

	for (; doom; doom &= doom - 1)
		doom_note(s, w * 64 + __builtin_ctzll(doom));
	for (; kick; kick &= kick - 1)
		member_interrupt(s, w * 64 + __builtin_ctzll(kick));
}

/*
 * What may: one after the other until the time is over. Who asks again meanwhile waits until all
 * that were taken together are served. false: some are left.
 */
static bool mailbox_slow(struct supervisor *s, u32 w, bool spawner, u64 until_ns)
{
	struct kin_header *kin = s->family.kin;
	u64 *spawn = &s->spawn_todo[w], *request = &s->request_todo[w];

	if (spawner && KIN_READ(kin->spawn_map[w])) { /* its business; it may have been told */
		kin->spawn_word++;
		futex_wake_all(&kin->spawn_word);
	}
	if (!*spawn)
		*spawn = kin_bits_take(&kin->session_spawn_map[w]);
	if (!*spawn && !spawner)
		*spawn = kin_bits_take(&kin->spawn_map[w]);
	if (!*request)
		*request = kin_bits_take(&kin->request_map[w]);
	for (; *spawn; *spawn &= *spawn - 1) {
		if (supervisor_now_ns() >= until_ns)
			return false;
		spawn_requested(s, w * 64 + __builtin_ctzll(*spawn));
	}
	for (; *request; *request &= *request - 1) {
		if (supervisor_now_ns() >= until_ns)
			return false;
		request_answer(s, w * 64 + __builtin_ctzll(*request));
	}
	return true;
}

/* A guest can ask faster than it is answered: in between are signals, deaths and deadlines. */
void members_mailbox(struct supervisor *s)
{
	bool spawner = s->spawner_pid && KIN_READ(s->family.kin->spawner_ready);
	u64 until_ns = supervisor_now_ns() + MAILBOX_TURN_NS;

	for (u32 w = 0; w < MEMBERS_MAX / 64; w++)
		mailbox_quick(s, w);
	s->mailbox_again = false;
	for (u32 i = 0; i < MEMBERS_MAX / 64 && !s->mailbox_again; i++) {
		if (mailbox_slow(s, s->mailbox_word, spawner, until_ns))
			s->mailbox_word = (s->mailbox_word + 1) % (MEMBERS_MAX / 64);
		else
			s->mailbox_again = true;
	}
	if (KIN_READ(s->family.kin->shelf_stale)) {
		KIN_WRITE(s->family.kin->shelf_stale, 0);
		shelf_sweep(s);
	}
	spawner_start(s);
}

/*
 * Has nobody entered the id of a living process? Then -1 is there now. What stands there may be
 * left from the last life of the record: the parent of that one enters it late, when the child was
 * quick.
 */
static bool take_unborn(struct kin_member *m)
{
	pid_t claimed = KIN_READ(m->host_pid);
	int fd = child_open(claimed);

	if (fd >= 0)
		close(fd);
	return fd < 0 && claimed != -1 && kin_exchange(&m->host_pid, claimed, -1);
}

/*
 * The parent died while its clone had not yet entered its process id: whoever wins the swap
 * decides. If it is this process, the clone (if there is one) finds -1 and exits.
 */
static void settle_unborn(struct supervisor *s, u32 parent)
{
	for (u32 i = 0; record_used(s, i); i++) {
		struct kin_member *m = &s->family.kin->members[i];

		if (KIN_READ(m->state) != MEMBER_CLONING || KIN_READ(m->parent) != parent)
			continue;
		if (take_unborn(m)) {
			m->state = MEMBER_DEAD;
			kin_map_set(s->family.kin->inbox_dead, i);
		}
	}
}

/* What the family ends with when the monitor of its first process did not say that it ended. */
static int status_of_first(int host_status)
{
	if (WIFSIGNALED(host_status))
		return WTERMSIG(host_status);
	return WEXITSTATUS(host_status) == MEMBER_EXIT_DIED ? host_status : SIGKILL;
}

static void member_gone(struct supervisor *s, u32 index, int host_status, const struct rusage *ru)
{
	struct kin_header *kin = s->family.kin;
	struct kin_member *m = &kin->members[index];
	bool expected = KIN_READ(m->state) == MEMBER_EXITING;

	report_member(s, index, host_status, !expected && !s->ended, ru);
	m->host_pid = 0;
	if (expected) {
		m->state = MEMBER_FREE;
		return;
	}
	m->state = MEMBER_DEAD;
	if (s->family.verbose)
		message("member %u: its monitor died, wait status %#x", index, (unsigned)host_status);
	if (index == 0) {
		/* PID 1 lives in record 0 from the first to the last. */
		if (!KIN_READ(kin->ended) && !KIN_READ(kin->fatal)) {
			s->status = status_of_first(host_status);
			s->ended = true;
			if (WIFSIGNALED(host_status) && !s->limits.death_told)
				message("the family's first process was killed from outside (signal %d)",
						WTERMSIG(host_status));
		}
		return;
	}
	settle_unborn(s, index);
	kin_map_set(kin->inbox_dead, index);
	inbox_ring(s);
}

static bool member_claim(struct supervisor *s, pid_t pid, int host_status, const struct rusage *ru)
{
	for (u32 i = 0; record_used(s, i); i++) {
		if (KIN_READ(s->family.kin->members[i].host_pid) == pid) {
			member_gone(s, i, host_status, ru);
			return true;
		}
	}
	return false;
}

/* Is a clone under way whose parent may yet enter a process id? */
static bool any_unborn(struct supervisor *s)
{
	for (u32 i = 0; record_used(s, i); i++)
		if (KIN_READ(s->family.kin->members[i].state) == MEMBER_CLONING &&
			KIN_READ(s->family.kin->members[i].host_pid) == 0)
			return true;
	return false;
}

/*
 * A clone that died before anybody had written its id: its parent is about to, or is dead and
 * settle_unborn ran; then nobody will ever name it. The look at the unborn comes first: who enters
 * an id afterwards is found by the search.
 */
void members_retry_unclaimed(struct supervisor *s)
{
	struct rusage none = {0};
	u32 kept = 0;
	bool unborn = s->unclaimed_count && any_unborn(s);

	for (u32 i = 0; i < s->unclaimed_count; i++)
		if (!member_claim(s, s->unclaimed[i], SIGKILL, &none) && unborn)
			s->unclaimed[kept++] = s->unclaimed[i];
	s->unclaimed_count = kept;
}

/* So many at most: a hostile guest can make them faster, and there is more to do than this. */
void members_reap(struct supervisor *s)
{
	struct rusage ru;
	int status;
	pid_t pid;

	s->reap_again = true;
	for (u32 i = 0; i < REAPED_AT_ONCE; i++) {
		pid = wait4(-1, &status, WNOHANG, &ru);
		if (pid <= 0) {
			s->reap_again = false;
			break;
		}
		limits_reaped(s, pid, status, &ru);
		sessions_reaped(s, pid, status);
		if (pid == s->spawner_pid)
			spawner_gone(s);
		else if (!member_claim(s, pid, status, &ru) &&
				 s->unclaimed_count < ARRAY_SIZE(s->unclaimed))
			s->unclaimed[s->unclaimed_count++] = pid;
	}
}

/*
 * As init of the namespace: everybody, however it came to be, by one call. Each look at a record
 * before would be a time in which thousands compute. Elsewhere the members' own, so that --stats
 * knows them; the rest of the children is killed unseen.
 */
static void members_kill(struct supervisor *s)
{
	if (s->family.namespaced) {
		namespace_signal(SIGKILL);
		return;
	}
	for (u32 i = 0; record_used(s, i); i++) {
		struct kin_member *m = &s->family.kin->members[i];

		kin_exchange(&m->host_pid, 0, -1);
		child_signal(KIN_READ(m->host_pid), SIGKILL);
	}
	child_signal(s->spawner_pid, SIGKILL);
}

/*
 * Until none is left. Where there is no PID namespace the host's list of our children is gone
 * through again and again, because a hostile guest may be cloning itself meanwhile.
 */
void members_end_all(struct supervisor *s)
{
	struct rusage ru;
	int status;
	pid_t pid;

	members_kill(s);
	limits_end(s);
	do {
		if (!s->family.namespaced)
			children_signal(s, SIGKILL);
		pid = wait4(-1, &status, 0, &ru);
		for (u32 i = 0; pid > 0 && record_used(s, i); i++) {
			const struct kin_member *m = &s->family.kin->members[i];

			if (KIN_READ(m->host_pid) == pid)
				report_member(s, i, status, false, &ru); /* with its family */
		}
	} while (pid > 0 || (pid < 0 && errno == EINTR));
}
