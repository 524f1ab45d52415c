/* SPDX-License-Identifier: ISC */
/*
 * A host program: kills members of a family one after the other, each after one event more of the
 * same operation (trace.h), and looks after every death whether the family works, whether anybody
 * hangs, and whether anything of the dead is left in kin (audit.h).
 *
 *   step [-n COUNT [-s SEED] | -a | -k EVENT] [-l] [-v] OPERATION -- UNIFORK run ... -- PROGRAM
 *
 * -n: deaths spread over the operation, at places chosen by -s; -a: after every event, most without
 * stepping all the way (TRACE_SKIP); -l: memory that the dead leave is counted, but no failure. The
 * program (operations.c) is told `round OPERATION` and answers: `victim FLAGS PID GO END`
 * once the victim waits, then `done` or `wrong: TEXT` when it is dead and the family was tried.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "family.h"
#include "trace.h"

#define ANSWER_MS 10000
#define REST_MS 5000
#define WARM_UPS 3
/* operations.h */
#define DIES_CHILD 1
#define GROWS 2

struct options {
	const char *operation;
	char **command;
	uint32_t count, at, seed;
	bool all, verbose, may_leave;
};

struct state {
	const struct options *options;
	struct family family;
	bool running;
	struct audit before;
	struct audit_growth grows; /* what a round without a death adds, where it has to */
	uint32_t deaths, strayed, failures, leaks;
};

/* "" or what went wrong in this round. */
struct verdict {
	char text[1000];
	bool over; /* the family cannot be used any more */
};

static void say_wrong(struct verdict *v, bool over, const char *text, const char *more)
{
	size_t n = strlen(v->text);

	snprintf(v->text + n, sizeof(v->text) - n, "%s%s%s", n ? "; " : "", text, more);
	v->over |= over;
}

static void say_silent(struct state *s, struct verdict *v, const char *when)
{
	char errors[400];

	family_errors(&s->family, errors, sizeof(errors));
	say_wrong(v, true, when, errors[0] ? ": " : ": nobody answers");
	say_wrong(v, true, errors, "");
}

static bool rest(void)
{
	struct timespec wait = {.tv_nsec = 200000};

	for (int i = 0; i < REST_MS * 5; i++) {
		if (audit_at_rest(1))
			return true;
		nanosleep(&wait, NULL);
	}
	return false;
}

static bool begin(struct state *s, struct victim *v, int *flags, struct verdict *verdict)
{
	char line[300];
	unsigned long go, end;
	int pid;

	snprintf(line, sizeof(line), "round %s\n", s->options->operation);
	if (!family_tell(&s->family, line) ||
		!family_hear(&s->family, line, sizeof(line), ANSWER_MS)) {
		say_silent(s, verdict, "before the victim was ready");
		return false;
	}
	if (sscanf(line, "victim %d %d %lx %lx", flags, &pid, &go, &end) != 4) {
		say_wrong(verdict, true, "instead of a victim: ", line);
		return false;
	}
	*v = (struct victim){.go = go, .end = end};
	for (int i = 0; i < 1000 && !v->host_pid; i++) {
		v->host_pid = family_monitor(&s->family, audit_monitor(pid));
		if (!v->host_pid)
			usleep(1000);
	}
	if (!v->host_pid)
		say_wrong(verdict, true, "kin names no host process of the victim", "");
	return v->host_pid != 0;
}

/* After the death: the program's own look, then ours. */
static void look(struct state *s, struct audit *now, struct verdict *v)
{
	char line[300];

	if (!family_hear(&s->family, line, sizeof(line), ANSWER_MS)) {
		say_silent(s, v, "after the death");
		return;
	}
	if (strcmp(line, "done"))
		say_wrong(v, false, line, "");
	if (!rest()) {
		audit_members(line, sizeof(line));
		say_wrong(v, true, "no rest: a member is left, or the first goes on: ", line);
	}
	audit_kin(now);
	if (now->wrong[0])
		say_wrong(v, true, now->wrong, "");
}

static void start(struct state *s)
{
	struct audit last = {0}, now;
	struct verdict verdict = {{0}, false};
	struct victim v;
	int flags;
	char line[300];

	family_start(&s->family, s->options->command);
	if (!family_hear(&s->family, line, sizeof(line), ANSWER_MS) || strcmp(line, "ready")) {
		say_silent(s, &verdict, "at the start");
		fprintf(stderr, "step: %s\n", verdict.text);
		exit(111);
	}
	family_map(&s->family);
	s->running = true;
	/* What the first rounds leave is kept for reuse: caches, tables, a spawner's page. */
	for (int i = 0; i < WARM_UPS && !verdict.text[0]; i++) {
		if (begin(s, &v, &flags, &verdict) && trace_let_go(&v))
			look(s, &now, &verdict);
		if (i < WARM_UPS - 1)
			last = now;
	}
	audit_growth(&last, &now, flags & GROWS ? &s->grows : NULL);
	if (!verdict.text[0] && audit_differs(&last, &now, &s->grows, line, sizeof(line)))
		say_wrong(&verdict, false, "without any death there is more in kin: ", line);
	if (verdict.text[0]) {
		printf("%s: without any death: %s\n", s->options->operation, verdict.text);
		exit(1);
	}
	s->before = now;
}

/* One death. The events counted; *ended: the operation has no such event. */
static uint32_t round_of(struct state *s, uint32_t kill_at, enum trace_way way, bool *ended)
{
	struct verdict verdict = {{0}, false};
	struct trace_result result = {0};
	enum trace_outcome outcome = TRACE_FAILED;
	struct audit now;
	struct victim v;
	char text[300];
	int flags;

	if (!s->running)
		start(s);
	if (begin(s, &v, &flags, &verdict)) {
		outcome = trace_victim(&v, kill_at, flags & DIES_CHILD, way, &result);
		s->deaths++;
		if (outcome == TRACE_FAILED)
			say_wrong(&verdict, true, result.text, "");
		if (outcome == TRACE_STUCK)
			say_wrong(&verdict, false, "the victim itself hangs", "");
		look(s, &now, &verdict);
	}
	*ended = outcome != TRACE_KILLED;
	s->strayed += way == TRACE_SKIP && (*ended || trace_strayed(&result));
	if (!verdict.over && audit_differs(&s->before, &now, &s->grows, text, sizeof(text))) {
		s->leaks++;
		if (!s->options->may_leave || verdict.text[0])
			say_wrong(&verdict, false, "left in kin: ", text);
	}
	if (!verdict.over)
		s->before = now;
	if (verdict.text[0])
		s->failures++;
	if (verdict.text[0] || s->options->verbose)
		printf("%s: %s event %u (code %lx, kin %lx): %s\n", s->options->operation,
			   *ended ? "at the end," : "after", result.events, result.rip, result.stored,
			   verdict.text[0] ? verdict.text : "fine");
	fflush(stdout);
	if (verdict.over) {
		family_end(&s->family, 200);
		s->running = false;
	}
	return result.events;
}

static void all_rounds(struct state *s)
{
	bool ended;
	uint32_t noted = round_of(s, ~0u, TRACE_RECORD, &ended), at;

	for (at = 1; at <= noted; at++) {
		uint32_t strayed = s->strayed;

		round_of(s, at, TRACE_SKIP, &ended);
		if (s->strayed != strayed)
			round_of(s, at, TRACE_STEP, &ended);
	}
	for (ended = false; !ended; at++) /* the way may have become longer */
		round_of(s, at, TRACE_STEP, &ended);
}

/* The first counts the events; the others are spread over them. */
static void some_rounds(struct state *s, uint32_t count)
{
	bool ended;
	uint32_t events = round_of(s, ~0u, TRACE_STEP, &ended);

	for (uint32_t i = 0; i < count && events; i++)
		round_of(s, 1 + (uint32_t)(((uint64_t)events * i + s->options->seed % events) / count),
				 TRACE_STEP, &ended);
}

static void parse(struct options *o, int argc, char **argv)
{
	int option;

	o->count = 6;
	while ((option = getopt(argc, argv, "+n:s:k:alv")) != -1) {
		switch (option) {
		case 'n': o->count = (uint32_t)atoi(optarg); break;
		case 's': o->seed = (uint32_t)atoi(optarg); break;
		case 'k': o->at = (uint32_t)atoi(optarg); break;
		case 'a': o->all = true; break;
		case 'l': o->may_leave = true; break;
		case 'v': o->verbose = true; break;
		default: exit(100);
		}
	}
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--")) {
		fprintf(stderr,
				"usage: step [-n COUNT [-s SEED] | -a | -k EVENT] [-l] [-v] OPERATION -- "
				"COMMAND...\n");
		exit(100);
	}
	o->operation = argv[optind];
	o->command = argv + optind + 2;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct state s = {.options = &options};
	bool ended;

	parse(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (options.at)
		round_of(&s, options.at, TRACE_STEP, &ended);
	else if (options.all)
		all_rounds(&s);
	else
		some_rounds(&s, options.count);
	if (s.running && family_tell(&s.family, "end\n")) {
		int status = family_end(&s.family, ANSWER_MS);

		if (status) {
			printf("%s: the family ended with status %d\n", options.operation, status);
			s.failures++;
		}
	}
	printf("%s: %u deaths, %u strayed, %u left memory, %u failures\n", options.operation, s.deaths,
		   s.strayed, s.leaks, s.failures);
	return s.failures != 0;
}
