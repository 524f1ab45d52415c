/* SPDX-License-Identifier: ISC */
/*
 * One victim, single-stepped through one operation and killed after its Nth event. An event is an
 * instruction that changed kin, or a call of the host: between two of them the family cannot tell
 * the difference.
 */
#ifndef TESTS_DEATH_TRACE_H
#define TESTS_DEATH_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the victim has printed: where it waits for being let go, and the end of its operation. */
struct victim {
	pid_t host_pid;
	uint64_t go, end;
};

enum trace_outcome {
	TRACE_KILLED, /* after the event asked for */
	TRACE_ENDED,  /* it came to the end of the operation first, and was killed there */
	TRACE_EXITED, /* it was gone before */
	TRACE_STUCK,  /* no progress for TRACE_SECONDS; killed */
	TRACE_FAILED, /* ptrace: text says what */
};
#define TRACE_SECONDS 10

/*
 * How the victim comes to its last event. Single steps are exact and slow: an exec has a million of
 * them. TRACE_RECORD takes them, and notes each event: its instruction, and how often that had been
 * executed. TRACE_SKIP lets the victim run to the noted event before the one asked for, by a
 * breakpoint, and steps from there: where the way has changed it dies at another event, and
 * trace_strayed tells.
 */
enum trace_way { TRACE_STEP, TRACE_RECORD, TRACE_SKIP };

struct trace_result {
	uint32_t events; /* counted */
	uint64_t rip;    /* of the last event's instruction */
	uint64_t stored; /* and the address in kin; 0: a call of the host */
	char text[200];
};

/*
 * kill_at: the event after which it dies; ~0u: none. child: what is stepped and dies is the
 * process that the victim makes first; the victim itself goes on by itself.
 */
enum trace_outcome trace_victim(const struct victim *v, uint32_t kill_at, bool child,
								enum trace_way way, struct trace_result *r);
/* The last event was not the one that was noted under its number. */
bool trace_strayed(const struct trace_result *r);
/* Lets it go without looking; false: it is gone. */
bool trace_let_go(const struct victim *v);

#endif
