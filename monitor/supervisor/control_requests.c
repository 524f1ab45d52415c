/* SPDX-License-Identifier: ISC */
/* One function for each request of requests.def, by whose name it is found. */
#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/families/family_record.h"
#include "monitor/supervisor/control.h"
#include "monitor/supervisor/supervisor_internal.h"

#define ANSWER_VERSION "version", REQUEST_VERSION
#define LATER "the family does not run, but is about to be started again"

json_t *control_refusal(const char *text)
{
	return json_pack("{s:i, s:s}", ANSWER_VERSION, "error", text);
}

static bool tell(const struct control *c, enum link_kind kind, int value)
{
	struct link_request request = {kind, value};

	return send(c->link_fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) ==
		   sizeof(request);
}

/* Between two lives of a family that is started again. */
static bool between(const struct control *c)
{
	return c->link_fd < 0;
}

/* What needs no answer; if its socket is full it hangs. */
void control_tell(const struct control *c, enum link_kind kind, int value)
{
	if (!between(c) && !tell(c, kind, value))
		message("the supervisor does not listen");
}

/* The supervisor turns at once: if its socket is full, it hangs. */
static json_t *told(bool it_was)
{
	return it_was ? json_pack("{s:i}", ANSWER_VERSION)
				  : control_refusal("the supervisor does not listen; 'unifork rm -f' ends it");
}

static void kill_by(const struct control *c, u64 timeout_s)
{
	u64 by = supervisor_now_ns() + timeout_s * NS_PER_S + SUPERVISOR_PATIENCE_NS;

	*c->kill_ns = *c->kill_ns ? MIN(*c->kill_ns, by) : by;
}

static json_t *answer_status(struct control *c, struct control_client *client, const json_t *packet)
{
	const struct run_named *n = c->named;

	return json_pack("{s:i, s:s, s:b, s:s, s:i, s:i, s:b, s:i}", ANSWER_VERSION, "state",
					 between(c)  ? "restarting"
					 : c->paused ? "paused"
								 : "running",
					 "detached", n->detached, "backend", n->backend ? n->backend : "", "front",
					 (int)getpid(), "supervisor", between(c) ? 0 : (int)c->supervisor, "started",
					 n->started, "restarts", (int)n->restarts);
}

static json_t *answer_members(struct control *c, struct control_client *client,
							  const json_t *packet)
{
	static const struct link_members none;

	if (between(c))
		return control_page(&none);
	client->from = (int)request_number(packet, "from", 0);
	return NULL;
}

static json_t *answer_signal(struct control *c, struct control_client *client, const json_t *packet)
{
	int sig = (int)request_number(packet, "signal", 0);

	if (sig == SIGKILL || sig == SIGTERM)
		c->ending = true;
	if (between(c))
		return c->ending ? told(true) : control_refusal(LATER);
	if (sig == SIGKILL)
		kill_by(c, 0);
	return told(tell(c, LINK_KILL, sig));
}

static json_t *answer_stop(struct control *c, struct control_client *client, const json_t *packet)
{
	int timeout_s = (int)request_number(packet, "timeout", c->options->stop_timeout_s);

	c->ending = true;
	if (between(c))
		return told(true);
	if (timeout_s >= 0)
		kill_by(c, (u64)timeout_s);
	control_paused(c, false); /* the supervisor lets it go on, so that it can end */
	return told(tell(c, LINK_STOP, timeout_s));
}

static json_t *pause_answer(struct control *c, bool pause)
{
	if (c->paused == pause)
		return control_refusal(pause ? "the family is paused already" : "the family is not paused");
	if (between(c))
		return control_refusal(LATER);
	if (pause && *c->kill_ns)
		return control_refusal("the family is ending");
	if (!tell(c, LINK_PAUSE, pause))
		return told(false);
	control_paused(c, pause);
	control_event(c, pause ? "pause" : "unpause", -1);
	return told(true);
}

static json_t *answer_pause(struct control *c, struct control_client *client, const json_t *packet)
{
	return pause_answer(c, true);
}

static json_t *answer_unpause(struct control *c, struct control_client *client,
							  const json_t *packet)
{
	return pause_answer(c, false);
}

static json_t *answer_events(struct control *c, struct control_client *client, const json_t *packet)
{
	control_watch(c, client);
	return client->fd >= 0 ? control_refusal("too many clients watch the family") : NULL;
}

/* ---- exec */

static bool text_put(struct link_exec *x, const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > sizeof(x->strings) - x->bytes)
		return false;
	memcpy(x->strings + x->bytes, text, n);
	x->bytes += (u32)n;
	return true;
}

static bool texts_put(struct link_exec *x, const json_t *texts, u32 *count)
{
	json_t *text;
	size_t i;
	bool room = true;

	json_array_foreach((json_t *)texts, i, text)
		room = room && text_put(x, json_string_value(text));
	*count = (u32)json_array_size(texts);
	return room;
}

static bool exec_send(const struct control *c, struct link_exec *x, int *fds)
{
	union {
		char room[CMSG_SPACE(REQUEST_FDS * sizeof(int))];
		struct cmsghdr align;
	} rights = {{0}};
	struct iovec iov = {x, offsetof(struct link_exec, strings) + x->bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.room,
						 .msg_controllen = sizeof(rights.room)};

	*CMSG_FIRSTHDR(&msg) =
		(struct cmsghdr){CMSG_LEN(REQUEST_FDS * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, REQUEST_FDS * sizeof(int));
	return sendmsg(c->link_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

/* The client waits in a place of its own from then on. */
static void exec_await(struct control *c, struct control_client *client, struct control_exec *exec,
					   bool detach)
{
	*exec = (struct control_exec){client->fd, c->exec_number, detach};
	client->fd = -1;
}

static json_t *answer_exec(struct control *c, struct control_client *client, const json_t *packet)
{
	static struct link_exec x;
	struct control_exec *exec = NULL;
	const char *workdir = json_string_value(json_object_get(packet, "workdir"));

	for (u32 i = 0; i < CONTROL_EXECS_MAX && !exec; i++)
		if (c->execs[i].fd < 0)
			exec = &c->execs[i];
	if (between(c))
		return control_refusal(LATER);
	if (c->paused)
		return control_refusal("the family is paused; 'unifork unpause' lets it go on");
	if (!exec)
		return control_refusal("too many clients wait for the end of their programs");
	for (int i = 0; i < REQUEST_FDS; i++)
		if (client->fds[i] < 0)
			return control_refusal("the request came without three descriptors");
	c->exec_number = c->exec_number == INT_MAX ? 1 : c->exec_number + 1;
	x.head = (struct link_request){LINK_EXEC, c->exec_number};
	x.own_user = json_object_get(packet, "uid") != NULL;
	x.uid = (u32)request_number(packet, "uid", 0);
	x.gid = (u32)request_number(packet, "gid", 0);
	x.terminal = (u32)request_number(packet, "terminal", 0);
	x.bytes = 0;
	if (!text_put(&x, workdir ? workdir : "") ||
		!texts_put(&x, json_object_get(packet, "command"), &x.argc) ||
		!texts_put(&x, json_object_get(packet, "env"), &x.envc))
		return control_refusal("arguments and environment are too long");
	if (!exec_send(c, &x, client->fds))
		return told(false);
	exec_await(c, client, exec, request_number(packet, "detach", 0));
	return NULL;
}

json_t *control_exec_end(const struct link_result *said)
{
	if (said->failed)
		return control_refusal(said->error.text);
	if (said->end == LINK_EXEC_BEGUN)
		return json_pack("{s:i}", ANSWER_VERSION);
	return json_pack("{s:i, s:i}", ANSWER_VERSION, "exit_status", said->status);
}

typedef json_t *answer_fn(struct control *c, struct control_client *client, const json_t *packet);

static answer_fn *const answers[REQUEST_COUNT] = {
#define REQUEST(name, ...) [REQUEST_##name] = answer_##name,
#include "monitor/families/requests.def"
#undef REQUEST
};

json_t *control_answer(struct control *c, struct control_client *client, const json_t *packet)
{
	enum request which;
	struct error err;

	if (request_check(packet, &which, &err) < 0)
		return control_refusal(err.text);
	return answers[which](c, client, packet);
}

bool control_page_ask(struct control *c, int from)
{
	return tell(c, LINK_MEMBERS, from);
}

static json_t *member_json(const struct link_member *m)
{
	char name[4 * sizeof(m->name) + 6];
	char state[2] = {isalpha((unsigned char)m->state) ? m->state : '?'};

	text_escape(name, sizeof(name), m->name, strnlen(m->name, sizeof(m->name)));
	return json_pack("{s:i, s:i, s:s, s:s, s:i, s:I, s:I}", "pid", m->pid, "ppid", m->ppid, "name",
					 name, "state", state, "host_pid", m->host_pid, "cpu_us",
					 (json_int_t)m->cpu_us, "memory_bytes", (json_int_t)m->memory_bytes);
}

json_t *control_page(const struct link_members *page)
{
	json_t *list = json_array(), *answer;

	for (u32 i = 0; i < MIN(page->count, (u32)LINK_MEMBERS_MAX); i++)
		if (json_array_append_new(list, member_json(&page->members[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	answer = json_pack("{s:i, s:o, s:I, s:I}", ANSWER_VERSION, "members", list, "ended_cpu_us",
					   (json_int_t)page->ended_cpu_us, "shared_bytes",
					   (json_int_t)page->shared_bytes);
	if (answer && page->next)
		json_object_set_new(answer, "next", json_integer(page->next));
	return answer;
}
