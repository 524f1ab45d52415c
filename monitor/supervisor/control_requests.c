/* SPDX-License-Identifier: ISC */
/* One function for each request of requests.def, by whose name it is found. */
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/families/family_record.h"
#include "monitor/supervisor/control.h"
#include "monitor/supervisor/supervisor_internal.h"

#define ANSWER_VERSION "version", REQUEST_VERSION

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

	return json_pack("{s:i, s:s, s:b, s:s, s:i, s:i, s:b}", ANSWER_VERSION, "state",
					 c->paused ? "paused" : "running", "detached", n->detached, "backend",
					 n->backend ? n->backend : "", "front", (int)getpid(), "supervisor",
					 (int)c->supervisor, "started", n->started);
}

static json_t *answer_members(struct control *c, struct control_client *client,
							  const json_t *packet)
{
	client->from = (int)request_number(packet, "from", 0);
	return NULL;
}

static json_t *answer_signal(struct control *c, struct control_client *client, const json_t *packet)
{
	int sig = (int)request_number(packet, "signal", 0);

	if (sig == SIGKILL)
		kill_by(c, 0);
	return told(tell(c, LINK_KILL, sig));
}

static json_t *answer_stop(struct control *c, struct control_client *client, const json_t *packet)
{
	int timeout_s = (int)request_number(packet, "timeout", c->options->stop_timeout_s);

	if (timeout_s >= 0)
		kill_by(c, (u64)timeout_s);
	control_paused(c, false); /* the supervisor lets it go on, so that it can end */
	return told(tell(c, LINK_STOP, timeout_s));
}

static json_t *pause_answer(struct control *c, bool pause)
{
	if (c->paused == pause)
		return control_refusal(pause ? "the family is paused already" : "the family is not paused");
	if (pause && *c->kill_ns)
		return control_refusal("the family is ending");
	if (!tell(c, LINK_PAUSE, pause))
		return told(false);
	control_paused(c, pause);
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
