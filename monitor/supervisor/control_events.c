/* SPDX-License-Identifier: ISC */
/* Clients of the front that are told of events: what the supervisor read, and the front's own. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/events.h"
#include "monitor/families/family_record.h"
#include "monitor/supervisor/control.h"
#include "monitor/supervisor/supervisor_internal.h"

static bool watched(const struct control *c)
{
	for (u32 i = 0; c->named && i < CONTROL_WATCHERS_MAX; i++)
		if (c->watchers[i].fd >= 0)
			return true;
	return false;
}

void watcher_drop(struct control *c, struct control_watcher *watcher)
{
	close(watcher->fd);
	watcher->fd = -1;
	if (!watched(c))
		control_tell(c, LINK_EVENTS, 0);
}

static void watchers_tell(struct control *c, json_t *list, u64 lost)
{
	for (u32 i = 0; list && i < CONTROL_WATCHERS_MAX; i++) {
		struct control_watcher *w = &c->watchers[i];
		json_t *packet;

		if (w->fd < 0)
			continue;
		packet = json_pack("{s:i, s:O, s:I}", "version", REQUEST_VERSION, "events", list, "lost",
						   (json_int_t)(w->lost + lost));
		if (packet && packet_send(w->fd, packet, NULL) == 0)
			w->lost = 0;
		else if (packet && errno != EAGAIN)
			watcher_drop(c, w);
		else
			w->lost += lost + json_array_size(list);
		json_decref(packet);
	}
	json_decref(list);
}

static void time_put(json_t *event, u64 ns)
{
	char text[40];

	time_text((time_t)(ns / NS_PER_S), text, sizeof(text)); /* ends in Z */
	snprintf(text + strlen(text) - 1, 16, ".%09uZ", (unsigned)(ns % NS_PER_S));
	json_object_set_new(event, "time", json_string(text));
}

static json_t *event_json(const struct link_event *e)
{
	static const char *const names[] = {
		[EVENT_FORK] = "fork", [EVENT_EXEC] = "exec", [EVENT_EXIT] = "exit", [EVENT_OOM] = "oom"};
	const char *what = e->kind < ARRAY_SIZE(names) && names[e->kind] ? names[e->kind] : "?";
	int status = (int)(e->status & 0xffff);
	char name[4 * sizeof(e->name) + 6];
	json_t *event;

	text_escape(name, sizeof(name), e->name, strnlen(e->name, sizeof(e->name)));
	event = json_pack("{s:s, s:i, s:i, s:s}", "event", what, "pid", e->pid, "ppid", e->ppid, "name",
					  name);
	if (event)
		time_put(event, e->time_ns);
	if (event && e->kind == EVENT_EXIT)
		json_object_set_new(event, "status", json_integer(WIFSIGNALED(status)
															  ? 128 + WTERMSIG(status)
															  : WEXITSTATUS(status)));
	return event;
}

void control_events(struct control *c, const struct link_events *said)
{
	json_t *list = json_array();

	for (u32 i = 0; i < MIN(said->count, (u32)LINK_EVENTS_MAX); i++)
		json_array_append_new(list, event_json(&said->events[i]));
	if (watched(c))
		watchers_tell(c, list, said->lost);
	else
		json_decref(list);
}

void control_event(struct control *c, const char *what, int status)
{
	struct timespec now;
	json_t *event;

	if (!watched(c))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	event = json_pack("{s:s}", "event", what);
	time_put(event, (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec);
	if (status >= 0)
		json_object_set_new(event, "status", json_integer(status));
	watchers_tell(c, json_pack("[o]", event), 0);
}

void control_watch(struct control *c, struct control_client *client)
{
	bool first = !watched(c);

	for (u32 i = 0; i < CONTROL_WATCHERS_MAX; i++) {
		struct control_watcher *w = &c->watchers[i];
		json_t *begun;

		if (w->fd >= 0)
			continue;
		begun = json_pack("{s:i}", "version", REQUEST_VERSION);
		if (first)
			control_tell(c, LINK_EVENTS, 1);
		*w = (struct control_watcher){.fd = client->fd};
		client->fd = -1;
		if (!begun || packet_send(w->fd, begun, NULL) < 0)
			watcher_drop(c, w);
		json_decref(begun);
		return;
	}
}
