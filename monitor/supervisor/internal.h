/* SPDX-License-Identifier: ISC */
/* What the files of the supervisor share. All of it is private to one process with one thread. */
#ifndef MONITOR_SUPERVISOR_INTERNAL_H
#define MONITOR_SUPERVISOR_INTERNAL_H

#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "monitor/core/kin_access.h"
#include "monitor/core/monitor.h"
#include "monitor/supervisor/link.h"
#include "monitor/supervisor/namespaces.h"
#include "monitor/supervisor/supervisor.h"

#define ROWS_MAX 10000
#define NS_PER_S 1000000000ull

/* What --stats says of one member; taken when its monitor was reaped. */
struct member_row {
	int pid, ppid, host_status;
	unsigned member;
	char comm[16];
	u64 clone_us;   /* clone hypercall to the member's first instruction */
	u64 resumed_us; /* clone hypercall until the parent went on */
	u64 direct, trapped, sites, hypercalls, faults, interrupts;
	u64 maxrss_kib, cpu_us;
	bool unexpected;
};

/* --memory and --pids: limits.c */
struct limits {
	u64 deadline_ns; /* of the next look */
	u64 rested_ns;   /* nobody is stopped again before */
	u64 last_bytes;  /* what the last look gave */
	u64 peak_bytes;  /* the most memory that was seen */
	u64 buried_by_ns; /* the last victim */
	u32 killed;
};

/* The monitors at the last exact look, in the order of the host's list: usage.c */
struct usage_row {
	pid_t pid;
	u64 faults, resident_bytes;
};
struct usage {
	u64 exact_bytes, exact_kin_bytes;
	struct usage_row *rows;
	u32 row_count, row_room;
};
struct usage_largest { /* the family's first process only if it has more than all others */
	pid_t pid; /* 0: nobody has anything */
	u64 bytes;
};

/* An open file without a name: shelf.c */
#define SHELF_MAX 512
struct shelf_item {
	u64 word, value;
	u32 access;
	int fd;
};

struct supervisor {
	struct family family;
	const struct run_options *options;
	int link_fd;     /* the front: link.h */
	int signal_fd;   /* SIGCHLD */
	int stats_fd;    /* --stats, opened before the host's files were left; or -1 */
	u64 start_tsc;
	bool ended; /* PID 1's status is final */
	int status;
	enum link_end end;
	struct error failure;  /* code or text set: the system failed */
	u64 term_first_ns;     /* SIGTERM was passed on; 0: not yet */
	u64 term_deadline_ns;  /* the family ends by then; 0: none */
	u64 inbox_deadline_ns; /* the steward must have emptied the inbox by then; 0: inbox empty */
	u32 steward_tries;
	u64 doom_deadline_ns;     /* the earliest of doomed_ns; 0: none */
	u64 *doomed_ns;           /* MEMBERS_MAX: a member that was sent SIGKILL ends by then; 0 */
	struct member_row *rows;
	u32 row_count, rows_dropped, peak_members, live;
	pid_t spawner_pid;       /* 0: there is none */
	u32 spawns, spawners;    /* served here; started */
	pid_t unclaimed[64]; /* died before their record named them */
	u32 unclaimed_count;
	struct limits limits;
	struct usage usage;
	struct shelf_item shelf[SHELF_MAX];
	u32 shelf_count;
};

u64 supervisor_now_ns(void);
/* In the front's child. refused: why there are no namespaces, if so. */
_Noreturn void supervisor_main(const struct run_options *o, enum namespaces_kind namespaces,
							   const struct error *refused, int link_fd);

/* message.c: "unifork: " and a line on standard error, or not if it would have to wait. */
void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* child.c */
int child_open(pid_t claimed);
bool child_signal(pid_t claimed, int sig); /* false: no living child of ours */
void namespace_kill(void); /* all processes of the family's PID namespace but this one */

/* members.c */
int member_start(struct supervisor *s, u32 index, struct error *err) MUST_CHECK;
void members_mailbox(struct supervisor *s);
void members_reap(struct supervisor *s);
void members_retry_unclaimed(struct supervisor *s);
void members_end_all(struct supervisor *s);
void inbox_post_signal(struct supervisor *s, int sig, bool foreground);
void inbox_check(struct supervisor *s);

/* shelf.c */
int shelf_open(struct family *f, struct error *err) MUST_CHECK; /* for a family with volumes */
void request_answer(struct supervisor *s, u32 index);

/* doom.c */
void doom_note(struct supervisor *s, u32 index);
void doom_check(struct supervisor *s);

/* usage.c: bytes of the family's memory, at most and exactly */
u64 usage_bound(struct supervisor *s, u32 *monitors);
u64 usage_exact(struct supervisor *s, struct usage_largest *largest);
FILE *children_open(void); /* the host's list of our children: process ids in text */
void children_signal(int sig);

/* limits.c */
bool limits_set(const struct supervisor *s);
void limits_check(struct supervisor *s); /* does nothing before its deadline */

/* report.c */
void report_member(struct supervisor *s, u32 index, int host_status, bool unexpected,
				   const struct rusage *ru);
void report_unsupported(const struct supervisor *s);
int report_write(struct supervisor *s, struct error *err) MUST_CHECK; /* to stats_fd */

#endif
