/* SPDX-License-Identifier: ISC */
/*
 * Sessions: programs that are brought into the running family (unifork exec). The request comes
 * from the front, with the descriptors that become standard input, output and error. A record for
 * the program's member is given by a kernel of the family (abi/kin.h), because a record is not only
 * what lies in kin_header; the monitor is started here, as a child of this process like all others,
 * and what it exits with is the program's status, from wait(2) and not from kin.
 *
 * The descriptors are kept while a record that is not free names the session: a member of it that
 * execs after vfork gets a monitor from here, never from the spawner, which has the descriptors of
 * `unifork run`. Which session a member has is what its record says: a hostile member can name that
 * of another one. They are of one family. It can name none that has ended: numbers are not used
 * again.
 *
 * Who may die at each moment: the client, which the descriptors tell the program and nobody tells
 * us; the kernel that is asked, then it is asked again; the monitor, which is reaped like any; this
 * process or the front, and all is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/supervisor/supervisor_internal.h"

#define GIVE_UP_NS (10 * NS_PER_S)
#define ASK_AGAIN_NS NS_PER_S
#define LOOK_AGAIN_NS 100000000ull

static struct kin_session *session_kin(struct supervisor *s, const struct session *e)
{
	return &s->family.kin->sessions[e - s->sessions.all];
}

/* ---- to the front, which is never waited for */

static bool front_tell(struct supervisor *s, const struct link_result *said)
{
	return send(s->link_fd, said, sizeof(*said), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*said) ||
		   errno != EAGAIN;
}

static void refuse(struct supervisor *s, int exec, const struct error *why)
{
	struct link_result said = {
		.end = LINK_EXEC_ENDED, .exec = exec, .failed = true, .error = *why};

	front_tell(s, &said);
}

static void look_by(struct supervisor *s, u64 ns)
{
	if (!s->sessions.look_ns || ns < s->sessions.look_ns)
		s->sessions.look_ns = ns;
}

static void end_tell(struct supervisor *s, struct session *e)
{
	struct link_result said = {.end = LINK_EXEC_ENDED, .exec = e->exec, .status = e->status};

	e->tell = !front_tell(s, &said);
}

/* ---- from the request to the monitor */

static void fds_close(const int *fds)
{
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* What a client makes for this: a pipe, or /dev/null. Never a file, and no directory at all. */
static bool may_be_stream(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 &&
		   (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)));
}

/* Strings one after the other; to NULL: counted only. */
struct packing {
	char *to;
	size_t used;
};

static void pack(struct packing *p, const char *text)
{
	size_t n = strlen(text) + 1;

	if (p->to)
		memcpy(p->to + p->used, text, n);
	p->used += n;
}

static const char *next(const char *text)
{
	return text + strlen(text) + 1;
}

/* Is the variable of that setting among these? */
static bool is_set(const char *setting, const char *settings, u32 count)
{
	size_t n = strcspn(setting, "=") + 1;

	for (; count--; settings = next(settings))
		if (!strncmp(setting, settings, n))
			return true;
	return false;
}

/* The program's environment is that of the first one, with what the client sets: how many. */
static u32 strings_pack(struct supervisor *s, const struct link_exec *x, struct packing *p)
{
	const struct run_options *o = s->options;
	const char *argv = next(x->strings), *env = argv;
	u32 envc = x->envc;

	for (u32 i = 0; i < x->argc; i++)
		env = next(env);
	pack(p, argv);
	pack(p, x->strings[0] ? x->strings : o->workdir);
	for (u32 i = 0; i < x->argc; i++, argv = next(argv))
		pack(p, argv);
	for (int i = 0; i < o->envc; i++) {
		if (is_set(o->envp[i], env, x->envc))
			continue;
		pack(p, o->envp[i]);
		envc++;
	}
	for (u32 i = 0; i < x->envc; i++, env = next(env))
		pack(p, env);
	return envc;
}

/*
 * The first place behind the first program's that no session has; a program that begins reads it in
 * place. false: there is none.
 */
static bool args_find(const struct supervisor *s, struct session *e, size_t size)
{
	size_t at = s->sessions.args;
	bool moved = true;

	while (moved) {
		moved = false;
		for (u32 i = 0; i < SESSIONS_MAX; i++) {
			const struct session *other = &s->sessions.all[i];

			if (other->state == SESSION_FREE || at >= other->args + other->args_size ||
				at + size <= other->args)
				continue;
			at = other->args + other->args_size;
			moved = true;
		}
	}
	if (at > KIN_ARGS_SIZE || size > KIN_ARGS_SIZE - at)
		return false;
	e->args = (u32)at;
	e->args_size = (u32)size;
	return true;
}

static int args_pack(struct supervisor *s, const struct link_exec *x, struct session *e,
					 struct error *err)
{
	struct packing p = {NULL, 0};
	struct kin_exec *k;

	strings_pack(s, x, &p);
	if (!args_find(s, e, ALIGN_UP(sizeof(*k) + p.used, 16)))
		return error_set(err, 0, "there is no room for the program's arguments and environment");
	k = (struct kin_exec *)&s->family.kin->args[e->args];
	p = (struct packing){k->strings, 0};
	k->envc = strings_pack(s, x, &p);
	k->argc = x->argc;
	k->bytes = (u32)p.used;
	k->init = 0;
	k->workdir = x->strings[0] || s->options->workdir_given;
	k->ignored = 0;
	return 0;
}

/* Do the strings fill what was sent, and are there as many as it says? The front is our own. */
static bool exec_whole(const struct link_exec *x, size_t size)
{
	u32 count = 0;

	if (size < offsetof(struct link_exec, strings) || !x->argc || x->bytes > LINK_EXEC_MAX ||
		size != offsetof(struct link_exec, strings) + x->bytes || x->argc > x->bytes ||
		x->envc > x->bytes)
		return false;
	for (u32 i = 0; i < x->bytes; i++)
		count += !x->strings[i];
	return count == 1 + x->argc + x->envc && !x->strings[x->bytes - 1];
}

static struct session *session_free_one(struct supervisor *s)
{
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		if (s->sessions.all[i].state == SESSION_FREE)
			return &s->sessions.all[i];
	return NULL;
}

static int session_begin(struct supervisor *s, const struct link_exec *x, size_t size,
						 const int *fds, struct error *err)
{
	struct session *e = session_free_one(s);
	struct kin_session *k;
	u32 index;

	if (!exec_whole(x, size) || !may_be_stream(fds[0]) || !may_be_stream(fds[1]) ||
		!may_be_stream(fds[2]))
		return error_set(err, 0, "the request came without three pipes; raise the limit of open "
						 "files if it was 'unifork exec' that sent it");
	if (s->paused)
		return error_set(err, 0, "the family is paused; 'unifork unpause' lets it go on");
	if (!e)
		return error_set(err, 0, "%d programs were brought into the family already, and they or "
						 "what they started run", SESSIONS_MAX);
	if (args_pack(s, x, e, err) < 0)
		return -1;
	index = (u32)(e - s->sessions.all);
	k = &s->family.kin->sessions[index];
	k->args = e->args;
	k->uid = x->uid;
	k->gid = x->gid;
	k->own_user = x->own_user;
	k->terminal = x->terminal;
	*e = (struct session){
		.state = SESSION_ASKED,
		.number = s->sessions.serial++ % (UINT32_MAX / SESSIONS_MAX) * SESSIONS_MAX + index + 1,
		.exec = x->head.value,
		.fds = {fds[0], fds[1], fds[2]},
		.args = e->args,
		.args_size = e->args_size,
		.deadline_ns = supervisor_now_ns() + GIVE_UP_NS,
		.again_ns = supervisor_now_ns() + ASK_AGAIN_NS,
	};
	s->sessions.count++;
	atomic_store(&k->record, (u64)e->number << 32);
	inbox_post_session(s, index);
	look_by(s, e->again_ns);
	return 0;
}

void session_make(struct supervisor *s, const struct link_exec *x, size_t size, const int *fds)
{
	struct error err;

	if (session_begin(s, x, size, fds, &err) == 0)
		return;
	refuse(s, x->head.value, &err);
	fds_close(fds);
}

static void session_free(struct supervisor *s, struct session *e)
{
	atomic_store(&session_kin(s, e)->record, 0);
	fds_close(e->fds);
	*e = (struct session){.state = SESSION_FREE};
	s->sessions.count--;
}

static void session_fail(struct supervisor *s, struct session *e, const struct error *why)
{
	refuse(s, e->exec, why);
	session_free(s, e);
}

/* A record that a kernel says is this session's. */
static void session_start(struct supervisor *s, struct session *e, u32 index)
{
	struct link_result said = {.end = LINK_EXEC_BEGUN, .exec = e->exec};
	struct kin_member *m = &s->family.kin->members[index % MEMBERS_MAX];
	struct error err;
	int pid;

	if (index >= MEMBERS_MAX || KIN_READ(m->state) != MEMBER_SPAWNING || KIN_READ(m->host_pid)) {
		error_set(&err, 0, "a kernel of the family answered nonsense");
		session_fail(s, e, &err);
		return;
	}
	pid = member_start(s, index, e->fds, &err);
	if (pid < 0) {
		member_unborn(s, index);
		session_fail(s, e, &err);
		return;
	}
	e->state = SESSION_RUNNING;
	e->pid = pid;
	front_tell(s, &said);
}

/* Has a kernel answered? */
static void session_look(struct supervisor *s, struct session *e, u64 now_ns)
{
	struct kin_session *k = session_kin(s, e);
	u64 asked = (u64)e->number << 32, word = KIN_READ(k->record);
	u32 said = (u32)word;
	struct error err;

	if (word == asked && now_ns >= e->deadline_ns &&
		atomic_compare_exchange_strong(&k->record, &word, 0)) {
		error_set(&err, 0, "no member of the family answers");
		session_fail(s, e, &err);
	} else if (word == asked) {
		if (now_ns >= e->again_ns) {
			inbox_post_session(s, (u32)(e - s->sessions.all));
			e->again_ns = now_ns + ASK_AGAIN_NS;
		}
		look_by(s, e->again_ns);
	} else if (word >> 32 == e->number && said & SESSION_REFUSED) {
		error_set(&err, said & 0xfff, "the family has no room for another process");
		session_fail(s, e, &err);
	} else {
		session_start(s, e, word >> 32 == e->number ? said - 1 : MEMBERS_MAX);
	}
}

/* ---- the end */

/*
 * Which sessions have members? A record that is neither free nor void names one, and so do those
 * that its member makes from now on: it is reaped after that, by this process.
 */
static void sessions_sweep(struct supervisor *s)
{
	bool used[SESSIONS_MAX] = {false};

	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		const struct kin_member *m = &s->family.kin->members[i];
		u32 state = KIN_READ(m->state), number = KIN_READ(m->session);

		if (state == MEMBER_FREE && KIN_READ(m->generation) == 0)
			break;
		if (state != MEMBER_FREE && number &&
			s->sessions.all[(number - 1) % SESSIONS_MAX].number == number)
			used[(number - 1) % SESSIONS_MAX] = true;
	}
	for (u32 i = 0; i < SESSIONS_MAX; i++)
		if (s->sessions.all[i].state == SESSION_LEFT && !used[i] && !s->sessions.all[i].tell)
			session_free(s, &s->sessions.all[i]);
}

void sessions_check(struct supervisor *s)
{
	u64 now_ns = supervisor_now_ns();
	bool left = false, due = s->sessions.look_ns && now_ns >= s->sessions.look_ns;

	if (due)
		s->sessions.look_ns = 0;
	if (!s->sessions.count)
		return;
	for (u32 i = 0; i < SESSIONS_MAX && !s->ended; i++) {
		struct session *e = &s->sessions.all[i];

		if (e->state == SESSION_ASKED)
			session_look(s, e, now_ns);
		if (e->tell)
			end_tell(s, e);
		if (e->tell)
			look_by(s, now_ns + LOOK_AGAIN_NS);
		left |= e->state == SESSION_LEFT;
	}
	if (due && left)
		sessions_sweep(s);
}

/* A death may have been a session's last. */
void sessions_reaped(struct supervisor *s, pid_t pid, int host_status)
{
	u64 now_ns = s->sessions.count ? supervisor_now_ns() : 0;

	for (u32 i = 0; s->sessions.count && i < SESSIONS_MAX; i++) {
		struct session *e = &s->sessions.all[i];

		if (e->state == SESSION_LEFT)
			look_by(s, now_ns + LOOK_AGAIN_NS);
		if (e->state != SESSION_RUNNING || e->pid != pid)
			continue;
		e->state = SESSION_LEFT;
		e->pid = 0;
		e->status = WIFSIGNALED(host_status) ? 128 + WTERMSIG(host_status)
											 : WEXITSTATUS(host_status);
		end_tell(s, e);
		look_by(s, now_ns);
	}
}

bool session_streams(struct supervisor *s, u32 index, const int **fds)
{
	u32 number = KIN_READ(s->family.kin->members[index].session);
	const struct session *e = &s->sessions.all[(number - 1) % SESSIONS_MAX];

	*fds = number ? e->fds : NULL;
	return !number || (e->state != SESSION_FREE && e->number == number);
}
