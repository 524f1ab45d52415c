/* SPDX-License-Identifier: ISC */
/* Packets, and what the table says about them. */
#include "monitor/families/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "abi/kin.h"
#include "monitor/families/family_record.h"

#define ARGUMENTS_PER_REQUEST 4

struct argument {
	const char *name;
	bool optional;
	long long least, most;
};

const char *const request_names[REQUEST_COUNT] = {
#define REQUEST(name, ...) [REQUEST_##name] = #name,
#include "monitor/families/requests.def"
#undef REQUEST
};

static const struct argument arguments[REQUEST_COUNT][ARGUMENTS_PER_REQUEST] = {
#define NUMBER(name, least, most, text) {#name, false, least, most}
#define OPTIONAL_NUMBER(name, least, most, text) {#name, true, least, most}
#define REQUEST(name, answer, text, ...) [REQUEST_##name] = {__VA_ARGS__},
#include "monitor/families/requests.def"
#undef REQUEST
};

static const struct argument *argument_find(enum request which, const char *name)
{
	for (int i = 0; i < ARGUMENTS_PER_REQUEST && arguments[which][i].name; i++)
		if (!strcmp(arguments[which][i].name, name))
			return &arguments[which][i];
	return NULL;
}

static int argument_check(const struct argument *a, const json_t *value, struct error *err)
{
	if (!json_is_integer(value))
		return error_set(err, 0, "argument '%s' is not a whole number", a->name);
	if (json_integer_value(value) < a->least || json_integer_value(value) > a->most)
		return error_set(err, 0, "argument '%s' is not between %lld and %lld", a->name, a->least,
						 a->most);
	return 0;
}

static int request_find(const json_t *packet, enum request *which, struct error *err)
{
	const char *name = json_string_value(json_object_get(packet, "request"));
	char shown[64];

	if (json_integer_value(json_object_get(packet, "version")) != REQUEST_VERSION)
		return error_set(err, 0, "version %d is spoken here", REQUEST_VERSION);
	if (!name)
		return error_set(err, 0, "there is no request in the packet");
	for (*which = 0; *which < REQUEST_COUNT; (*which)++)
		if (!strcmp(request_names[*which], name))
			return 0;
	text_escape(shown, sizeof(shown), name, strlen(name));
	return error_set(err, 0, "request '%s' is not known", shown);
}

int request_check(const json_t *packet, enum request *which, struct error *err)
{
	const char *key;
	json_t *value;

	if (request_find(packet, which, err) < 0)
		return -1;
	json_object_foreach((json_t *)packet, key, value) {
		const struct argument *a = argument_find(*which, key);

		if (!strcmp(key, "version") || !strcmp(key, "request"))
			continue;
		if (!a)
			return error_set(err, 0, "request '%s' has no such argument", request_names[*which]);
		if (argument_check(a, value, err) < 0)
			return -1;
	}
	for (int i = 0; i < ARGUMENTS_PER_REQUEST && arguments[*which][i].name; i++)
		if (!arguments[*which][i].optional && !json_object_get(packet, arguments[*which][i].name))
			return error_set(err, 0, "request '%s' needs '%s'", request_names[*which],
							 arguments[*which][i].name);
	return 0;
}

long long request_number(const json_t *packet, const char *name, long long missing)
{
	const json_t *value = json_object_get(packet, name);

	return value ? json_integer_value(value) : missing;
}

int packet_send(int fd, const json_t *packet)
{
	char *text = json_dumps(packet, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	ssize_t n = -1;

	errno = !text ? ENOMEM : EMSGSIZE;
	if (text && len <= REQUEST_MAX)
		n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	return n < 0 ? -1 : 0;
}

json_t *packet_receive(int fd)
{
	static char text[REQUEST_MAX]; /* each process has one thread */
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
	json_t *packet;

	if (n < 0)
		return NULL;
	errno = n == 0 ? 0 : EBADMSG;
	if (n == 0 || (size_t)n > sizeof(text))
		return NULL;
	packet = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (packet && !json_is_object(packet)) {
		json_decref(packet);
		packet = NULL;
	}
	errno = EBADMSG;
	return packet;
}
