/* SPDX-License-Identifier: ISC */
/* Packets, and what the table says about them. */
#include "monitor/families/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "abi/kin.h"
#include "monitor/families/family_record.h"

#define ARGUMENTS_PER_REQUEST 8

struct argument {
	const char *name;
	bool optional;
	enum { ARGUMENT_NUMBER, ARGUMENT_TEXT, ARGUMENT_TEXTS } kind;
	long long least, most; /* of a number, of a text's bytes, of how many texts */
};

const char *const request_names[REQUEST_COUNT] = {
#define REQUEST(name, ...) [REQUEST_##name] = #name,
#include "monitor/families/requests.def"
#undef REQUEST
};

static const struct argument arguments[REQUEST_COUNT][ARGUMENTS_PER_REQUEST] = {
#define NUMBER(name, least, most, text) {#name, false, ARGUMENT_NUMBER, least, most}
#define OPTIONAL_NUMBER(name, least, most, text) {#name, true, ARGUMENT_NUMBER, least, most}
#define OPTIONAL_TEXT(name, least, most, text) {#name, true, ARGUMENT_TEXT, least, most}
#define TEXTS(name, least, most, text) {#name, false, ARGUMENT_TEXTS, least, most}
#define OPTIONAL_TEXTS(name, least, most, text) {#name, true, ARGUMENT_TEXTS, least, most}
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

static int size_check(const struct argument *a, const char *what, size_t size, struct error *err)
{
	if ((long long)size >= a->least && (long long)size <= a->most)
		return 0;
	return error_set(err, 0, "argument '%s' has not %lld to %lld %s", a->name, a->least, a->most,
					 what);
}

static int texts_check(const struct argument *a, const json_t *value, struct error *err)
{
	size_t i;
	json_t *text;

	if (!json_is_array(value))
		return error_set(err, 0, "argument '%s' is not a list of texts", a->name);
	json_array_foreach((json_t *)value, i, text)
		if (!json_is_string(text))
			return error_set(err, 0, "argument '%s' is not a list of texts", a->name);
	return size_check(a, "texts", json_array_size(value), err);
}

static int argument_check(const struct argument *a, const json_t *value, struct error *err)
{
	if (a->kind == ARGUMENT_TEXTS)
		return texts_check(a, value, err);
	if (a->kind == ARGUMENT_TEXT && json_is_string(value))
		return size_check(a, "bytes", json_string_length(value), err);
	if (a->kind == ARGUMENT_TEXT)
		return error_set(err, 0, "argument '%s' is not a text", a->name);
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

union rights {
	char room[CMSG_SPACE(REQUEST_FDS * sizeof(int))];
	struct cmsghdr align;
};

int packet_send(int fd, const json_t *packet, const int *fds)
{
	char *text = json_dumps(packet, JSON_COMPACT);
	struct iovec iov = {text, text ? strlen(text) : 0};
	union rights rights = {{0}};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = -1;

	if (fds) {
		msg.msg_control = rights.room;
		msg.msg_controllen = sizeof(rights.room);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){
			CMSG_LEN(REQUEST_FDS * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, REQUEST_FDS * sizeof(int));
	}
	errno = !text ? ENOMEM : EMSGSIZE;
	if (text && iov.iov_len <= REQUEST_MAX)
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	return n < 0 ? -1 : 0;
}

/* Without fds the host closes what comes. */
static ssize_t text_receive(int fd, char *text, size_t size, int *fds)
{
	struct iovec iov = {text, size};
	union rights rights;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;
	ssize_t n;

	if (fds) {
		msg.msg_control = rights.room;
		msg.msg_controllen = CMSG_LEN(REQUEST_FDS * sizeof(int)); /* no room for one more */
		for (int i = 0; i < REQUEST_FDS; i++)
			fds[i] = -1;
	}
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	h = n > 0 && fds ? CMSG_FIRSTHDR(&msg) : NULL;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	return n;
}

json_t *packet_receive(int fd, int *fds)
{
	static char text[REQUEST_MAX]; /* each process has one thread */
	ssize_t n = text_receive(fd, text, sizeof(text), fds);
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
