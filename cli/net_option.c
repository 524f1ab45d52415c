/* SPDX-License-Identifier: ISC */
/* --net MODE and --publish [ADDR:]HOSTPORT:PORT[/tcp|/udp], checked before anything starts. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "abi/kin.h"
#include "cli/options.h"

int net_parse(struct run_options *o, const char *text, struct error *err)
{
	o->net_path = NULL;
	if (!strcmp(text, "none"))
		o->net = RUN_NET_NONE;
	else if (!strcmp(text, "host"))
		o->net = RUN_NET_HOST;
	else if (!strcmp(text, "user"))
		o->net = RUN_NET_USER;
	else if (!strncmp(text, "ns:", 3) && text[3])
		o->net = RUN_NET_PATH;
	else
		return error_set(err, 0, "--net '%.100s': choose none, host, user or ns:PATH", text);
	if (o->net == RUN_NET_PATH)
		o->net_path = text + 3;
	return 0;
}

/* A decimal number of 1 to 65535 that fills the text; 0: it is none. */
static unsigned port_parse(const char *text)
{
	unsigned n = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 5)
		return 0;
	for (; *text; text++)
		n = n * 10 + (unsigned)(*text - '0');
	return n <= 65535 ? n : 0;
}

/* ADDR is of IPv4, or of IPv6 in brackets. */
static int address_parse(struct run_publish *p, char *text)
{
	size_t n = strlen(text);

	if (text[0] == '[' && n > 2 && text[n - 1] == ']') {
		text[n - 1] = 0;
		p->six = true;
		return inet_pton(AF_INET6, text + 1, p->address) == 1 ? 0 : -1;
	}
	return inet_pton(AF_INET, text, p->address) == 1 ? 0 : -1;
}

static int publish_parse(struct run_publish *p, char *text, struct error *err)
{
	char *slash = strchr(text, '/'), *port = NULL, *host_port = NULL;

	p->udp = slash && !strcmp(slash, "/udp");
	if (slash && !p->udp && strcmp(slash, "/tcp") != 0)
		return error_set(err, 0, "--publish '%.100s': '%.40s' is no protocol; choose tcp or udp",
						 p->given, slash + 1);
	if (slash)
		*slash = 0;
	port = strrchr(text, ':');
	if (port) {
		*port++ = 0;
		host_port = strrchr(text, ':');
		if (host_port && strchr(host_port, ']'))
			host_port = NULL; /* that one is in an address */
	}
	if (host_port)
		*host_port++ = 0;
	if (!port || (host_port && address_parse(p, text) < 0))
		return error_set(err, 0, "--publish '%.100s': write [ADDR:]HOSTPORT:PORT[/tcp|/udp], an "
						 "address of IPv6 in brackets", p->given);
	p->host_port = port_parse(host_port ? host_port : text);
	p->port = port_parse(port);
	if (!p->host_port || !p->port)
		return error_set(err, 0, "--publish '%.100s': a port is a number of 1 to 65535", p->given);
	return 0;
}

int publish_add(struct run_options *o, const char *given, struct error *err)
{
	struct run_publish p = {.given = given};
	char *text = strdup(given);
	int r;

	if (!text)
		return error_set(err, 0, "no memory for the options");
	r = publish_parse(&p, text, err);
	free(text);
	if (r < 0)
		return -1;
	if (o->publish_count == PUBLISHED_MAX)
		return error_set(err, 0, "--publish '%.100s': a family has %d published ports at most",
						 given, PUBLISHED_MAX);
	o->publish[o->publish_count++] = p;
	return 0;
}
