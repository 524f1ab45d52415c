/* SPDX-License-Identifier: ISC */
/* What the files of the supervisor share. All of it is private to one process with one thread. */
#ifndef MONITOR_SUPERVISOR_SUPERVISOR_INTERNAL_H
#define MONITOR_SUPERVISOR_SUPERVISOR_INTERNAL_H

#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "monitor/core/grants.h"
#include "monitor/core/kin_access.h"
#include "monitor/core/monitor.h"
#include "monitor/supervisor/cgroup.h"
#include "monitor/supervisor/link.h"
#include "monitor/supervisor/namespaces.h"
#include "monitor/supervisor/supervisor.h"
#include "monitor/supervisor/supervisor_session.h"

#define ROWS_MAX 10000
#define NS_PER_S 1000000000ull
/* How much longer than a family's time to end the supervisor itself may take. */
#define SUPERVISOR_PATIENCE_NS 5000000000ull

/* What --stats says of one member; taken when its monitor was reaped. */
struct member_row {
	int pid, ppid, host_status;
	unsigned member;
	char comm[16];
	u64 clone_us;   /* clone hypercall to the member's first instruction */
	u64 resumed_us; /* clone hypercall until the parent went on */
	u64 direct, trapped, sites, hypercalls, faults, interrupts;
	u64 maxrss_kib, cpu_us;
	bool killed; /* by the host or from outside, while its family lived */
};

/* --memory and --pids: limits.c */
#define VICTIMS_MAX 32 /* at once */
#define ROUNDS_MAX 8   /* of one look */
struct limits {
	struct cgroup cgroup;
	bool counts;      /* the monitors' memory can be counted here */
	bool host_bounds; /* the number of monitors, for this family alone */
	u64 kill_bytes;   /* the supervisor kills above this, before the host would */
	u64 deadline_ns;  /* of the next look at memory or monitors; 0: none */
	u64 memory_ns, monitors_ns; /* the next look at each is not before */
	u64 rested_ns;    /* nobody is stopped again before */
	u64 last_bytes;   /* what the last look gave */
	u64 peak_bytes;   /* the most memory that was seen */
	u64 buried_by_ns; /* the last victim */
	u64 over_since_ns; /* killing does not help; 0: it is not too much */
	pid_t victims[VICTIMS_MAX * ROUNDS_MAX]; /* killed here and not reaped yet; 0 */
	u32 victim_next;
	u32 strangers;    /* of them, that no record named */
	u64 oom_kills;    /* by the host, as far as they were told */
	u32 killed, quiet; /* quiet: looks in a row that saw no change */
	bool death_told;  /* the last death that was reaped was a limit's */
};

/* A monitor at a look: usage.c */
struct usage_counters {
	u64 faults, resident_bytes; /* while these stay, so does the next line */
	u64 swap_bytes, table_bytes;
	u64 object_bytes;           /* mappings and open files */
	u64 counted_ns, ran_ns;     /* when they were counted, and how long it had run then */
};
/* In the order of the host's list, which is that of their birth. */
struct usage_row {
	pid_t pid, own_pid;     /* in the host's /proc; as this process sees it */
	bool exact;             /* is it in exact_bytes? Then it was `then`. */
	struct usage_counters now, then;
};
struct usage {
	u64 exact_bytes, exact_kin_bytes;
	struct usage_row *rows, *next; /* next: while a look is taken */
	u32 row_count, row_room, next_count, next_room;
};
/* Who has most; the family's first process only if it has more than all others together. */
struct usage_largest {
	u32 count;
	struct usage_victim {
		pid_t pid; /* as this process sees it */
		u64 bytes;
	} victims[VICTIMS_MAX];
};

/* An open file without a name, or a socket: shelf.c */
#define SHELF_MAX 512
struct shelf_item {
	u64 word, value;
	u32 access;
	int fd;
};

struct supervisor {
	struct family family;
	const struct run_options *options;
	const struct net_grant *net;
	int link_fd;     /* the front: link.h */
	int signal_fd;   /* SIGCHLD */
	int stats_fd;    /* --stats, opened before the host's files were left; or -1 */
	bool user_namespace; /* of the family's own */
	bool on_terminal;    /* at the start; it may hang up */
	u64 start_tsc;
	bool paused; /* all members are stopped by request, and nothing is done for them */
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
	/* Of the mailbox: taken and not done yet, and the word of the maps that is next. */
	u64 spawn_todo[MEMBERS_MAX / 64], request_todo[MEMBERS_MAX / 64];
	u32 mailbox_word;
	bool mailbox_again; /* there was more than a turn's time */
	u32 row_count, rows_dropped, peak_members, live;
	pid_t spawner_pid;       /* 0: there is none */
	u32 spawns, spawners;    /* served here; started */
	pid_t unclaimed[64]; /* died before their record named them */
	u32 unclaimed_count;
	bool reap_again; /* more may have died than were reaped in this round */
	struct limits limits;
	struct usage usage;
	int uncounted; /* errno of what kept a count from being right; 0 */
	u32 files_max; /* descriptors that this process may have */
	struct shelf_item shelf[SHELF_MAX];
	u32 shelf_count;
	char view[NET_VIEW_MAX]; /* net_look.c: while it is taken */
	u32 view_bytes, view_sequence;
	bool view_full;
	struct sessions sessions;
	u64 events_look_ns; /* the next look at what happened; 0: nobody wants to know */
	u64 events_seen, events_lost;
};

u64 supervisor_now_ns(void);
/* The host ends this process with the front; it forgets that when ids change. */
int supervisor_follow(void) MUST_CHECK;
/* In the front's child. refused: why there are no namespaces, if so. */
struct net_grant;
_Noreturn void supervisor_main(const struct run_options *o, enum namespaces_kind namespaces,
							   const struct error *refused, const struct cgroup *cgroup,
							   const struct net_grant *net, int front_pid, int link_fd);

/* message.c: "unifork: " and a line on standard error, or not if it would have to wait. */
void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* child.c */
int child_open(pid_t claimed);
bool child_signal(pid_t claimed, int sig); /* false: no living child of ours */
void namespace_signal(int sig); /* all processes of the family's PID namespace but this one */

/* turns.c: of this process, on the host's processors; short in front and supervisor */
void turns_short(void);
void turns_usual(void);

/* members.c */
int member_start(struct supervisor *s, u32 index, const int *streams,
				 struct error *err) MUST_CHECK; /* streams: NULL for this process' own */
void member_unborn(struct supervisor *s, u32 index); /* no monitor can be had for that record */
void members_mailbox(struct supervisor *s);
void members_reap(struct supervisor *s);
void members_retry_unclaimed(struct supervisor *s);
void members_end_all(struct supervisor *s);
void inbox_post_signal(struct supervisor *s, int sig, bool foreground);
void inbox_check(struct supervisor *s);
void inbox_again(struct supervisor *s); /* nobody could answer meanwhile */
void inbox_post_session(struct supervisor *s, u32 index);

/* members_list.c: from record `from` on */
void members_list(struct supervisor *s, u32 from, struct link_members *page);

/* family_events.c */
void events_want(struct supervisor *s, bool wanted);
void events_check(struct supervisor *s);
void events_oom(struct supervisor *s, u32 index);
void events_last(struct supervisor *s);

/* shelf.c */
int shelf_open(struct family *f, struct error *err) MUST_CHECK; /* if family_takes_gifts */
void shelf_sweep(struct supervisor *s); /* what is not in use any more goes */
void request_answer(struct supervisor *s, u32 index);

/* watches.c: for each socket that is handed to a member; ends a family that watches too much */
void watches_look(struct supervisor *s);

/* doom.c */
void doom_note(struct supervisor *s, u32 index);
void doom_check(struct supervisor *s);

/* host_proc.c: our children as the host lists them; ids and directories are of its /proc */
FILE *children_open(struct supervisor *s); /* process ids in text; NULL: no such list */
void children_close(struct supervisor *s, FILE *f);
/* What cannot be opened or read though it is there leaves its errno in s->uncounted. */
int proc_open(struct supervisor *s, int dir, const char *name, int flags); /* to read; or -1 */
bool proc_read(struct supervisor *s, int dir, const char *name, char *text, size_t size);
void children_signal(struct supervisor *s, int sig);
/* Is that process confined (confine.c), with no descriptors of this process' own any more? */
bool child_confined(struct supervisor *s, int pid_fd);
/* Do more than so many live? *count: how many there are. */
bool children_exceed(struct supervisor *s, u64 most, u32 *count);

/* usage.c: bytes of the family's memory, at most and exactly */
u64 usage_bound(struct supervisor *s);
u64 usage_exact(struct supervisor *s, struct usage_largest *largest);
/* Can monitors be counted here, and their memory? why: what is missing. */
bool usage_possible(struct supervisor *s, bool memory, const char **why);

/* limits.c: the family's control group, made by the process that the user started */
void limits_cgroup_make(struct cgroup *cg, const struct run_options *o);
/*
 * Then, in the order in which it is called: before the first monitor; in each fresh monitor, as
 * its first act; from the event loop; for each monitor that was reaped, while its record names it;
 * before all are killed.
 */
int limits_begin(struct supervisor *s, struct error *err) MUST_CHECK;
void limits_enter(const struct supervisor *s); /* ends the process if it cannot */
void limits_check(struct supervisor *s); /* does nothing before its deadline */
void limits_reaped(struct supervisor *s, pid_t pid, int host_status, const struct rusage *ru);
void limits_end(const struct supervisor *s);
struct json_t;
void limits_report(const struct supervisor *s, struct json_t *root);

/* report.c */
void report_member(struct supervisor *s, u32 index, int host_status, bool killed,
				   const struct rusage *ru);
void report_unsupported(const struct supervisor *s);
int report_write(struct supervisor *s, struct error *err) MUST_CHECK; /* to stats_fd */

#endif
