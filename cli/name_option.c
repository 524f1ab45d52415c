/* SPDX-License-Identifier: ISC */
/*
 * --hostname, --add-host and --dns: what names mean inside. The kernel makes files of it in the
 * writable layer before the first program (kernel/boot/start_tree.c). Sources: hosts(5),
 * resolv.conf(5), docker-run(1).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

#define DNS_MAX 3 /* MAXNS: resolvers ask no more */

/* As hosts(5) and resolvers take it. */
static bool name_valid(const char *text, size_t n, size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '.' && text[i] != '_')
			return false;
	return n && n <= max && text[0] != '-' && text[0] != '.';
}

int hostname_parse(struct run_options *o, const char *text, struct error *err)
{
	if (!name_valid(text, strlen(text), HOSTNAME_MAX - 1))
		return error_set(err, 0, "--hostname '%.100s' is not a name: at most %d letters, digits, "
						 "-, _ and .", text, HOSTNAME_MAX - 1);
	o->hostname = text;
	return 0;
}

static bool address_valid(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* out has START_TEXT_MAX bytes. */
static int line_add(char *out, const char *option, const char *line, struct error *err)
{
	size_t at = strlen(out), n = strlen(line);

	if (at + n >= START_TEXT_MAX)
		return error_set(err, 0, "%s: all of them are longer than %d bytes", option,
						 START_TEXT_MAX - 1);
	memcpy(out + at, line, n + 1);
	return 0;
}

/* NAME:ADDR or NAME=ADDR; an address of IPv6 may stand in brackets. */
int host_add(struct run_options *o, const char *text, struct error *err)
{
	size_t n = strcspn(text, ":="), len;
	char address[INET6_ADDRSTRLEN] = "", line[256 + INET6_ADDRSTRLEN];
	const char *from = text[n] ? text + n + 1 : "";

	len = strlen(from);
	if (from[0] == '[' && from[len - 1] == ']') {
		from++;
		len -= 2;
	}
	if (!strcmp(from, "host-gateway"))
		return error_set(err, 0, "--add-host '%.100s': families have no gateway to their host; "
						 "give an address", text);
	if (len < sizeof(address))
		memcpy(address, from, len);
	if (!name_valid(text, n, 253) || !address_valid(address))
		return error_set(err, 0, "--add-host '%.100s': write NAME:ADDR, an address of IPv4 or IPv6",
						 text);
	snprintf(line, sizeof(line), "%s\t%.*s\n", address, (int)n, text);
	return line_add(o->hosts, "--add-host", line, err);
}

int dns_add(struct run_options *o, const char *text, struct error *err)
{
	char line[INET6_ADDRSTRLEN + sizeof("nameserver \n")];
	unsigned lines = 0;

	if (!address_valid(text))
		return error_set(err, 0, "--dns '%.100s' is not an address of IPv4 or IPv6", text);
	for (const char *p = o->resolv; *p; p++)
		lines += *p == '\n';
	if (lines == DNS_MAX)
		return error_set(err, 0, "--dns '%.100s': resolvers ask %d servers at most", text, DNS_MAX);
	snprintf(line, sizeof(line), "nameserver %s\n", text);
	return line_add(o->resolv, "--dns", line, err);
}
