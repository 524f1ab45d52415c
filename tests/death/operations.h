/* SPDX-License-Identifier: ISC */
/*
 * The operations in which members die: a table of them in each op_*.c. PID 1 calls prepare and
 * forks the victim, which calls ready, says that it is, and, let go, act; when it is dead or has
 * exited PID 1 calls check. Whatever one round makes it takes away again, so that every round
 * leaves kin as it was before.
 */
#ifndef TESTS_DEATH_OPERATIONS_H
#define TESTS_DEATH_OPERATIONS_H

#include "../guest/guest.h"

struct operation {
	const char *name;
	void (*prepare)(void);
	void (*ready)(void);
	void (*act)(void);
	void (*check)(void);
	int flags;
};
enum {
	DIES_CHILD = 1, /* it is the process that act makes that is to die */
	GROWS = 2,      /* what it makes cannot be taken away: every round leaves as much */
};
extern const struct operation fd_operations[], process_operations[], socket_operations[],
	file_operations[], event_operations[], ipc_operations[], inet_operations[],
	trace_operations[];

/* In act, where a child is to die: it has come to the end of its part. */
__attribute__((noreturn)) void operation_end(void);
/* In check: the family is not as it should be. Only the first is told. */
__attribute__((format(printf, 1, 2))) void wrong(const char *format, ...);
void expect_result(const char *what, long result, long expected);
bool ready_soon(int fd, short event);
/* fd's other end was the victim's and is gone: what it sent comes, then the end or a reset. */
void see_end(int fd);
/* Two ends of a connection of the victim and PID 1; PID 1 closes both. */
void see_pair_end(const int pair[2]);
/* The victim was reading from reader, which is ours, too: no byte is counted that is not there. */
void see_drained(int reader);
/* A child of PID 1 that waits for something in a system call. */
pid_t sleeper_start(void (*body)(void));
/* It has come to the end of its body. */
void sleeper_end(pid_t pid, const char *what);
bool sleeper_ended(pid_t pid);
/* A folder of the family's own, empty before every round. */
#define FOLDER "/tmp/folder"
/* Children that the victim may have left behind end, and are reaped. */
void reap_orphans(void);
/* A number that is another one in every round. */
extern int round_number;
extern const char *host_folder;
extern int victim_status; /* as waitpid gave it, in check */

#endif
