/* SPDX-License-Identifier: ISC */
/*
 * The head of kin: what the kernel, the monitors and the supervisor all read. The rest of kin
 * belongs to the kernel. The monitors and the supervisor treat all of it as hostile input.
 */
#ifndef ABI_KIN_H
#define ABI_KIN_H

#include "abi/events.h"
#include "abi/kin_clock.h"
#include "abi/layout.h"
#include "abi/net_view.h"
#include "abi/session.h"
#include "abi/start.h"
#include "common/types.h"

#define KIN_MAGIC 0x6e696b2d6b726675ull
#define MEMBERS_MAX 4096
#define KIN_ARGS_SIZE (2304u << 10) /* what an exec may have with a stack of 8 MiB, and a path */
#define VOLUMES_MAX 64
#define PUBLISHED_MAX 32

/*
 * Life of a member record. The monitor that clones sets nothing itself: the kernel takes a FREE
 * record to CLONING (or SPAWNING and the mailbox), the monitors compare-and-swap host_pid from 0,
 * and whoever loses that race to the supervisor (which swaps in -1 when the cloning parent died)
 * exits. EXITING is stored by the kernel after the exit was published. The supervisor alone makes
 * EXITING -> FREE and, for a monitor that died otherwise, anything -> DEAD; the kernel of another
 * member then buries the dead (inbox) and makes DEAD -> FREE.
 */
enum member_state {
	MEMBER_FREE,
	MEMBER_CLONING,
	MEMBER_SPAWNING,
	MEMBER_LIVE,
	MEMBER_EXITING,
	MEMBER_DEAD,
};

/* Doorbell: see DESIGN decision 7. Waker: ++doorbell, full barrier, read doorbell_state. */
enum doorbell_state {
	DOORBELL_RUNNING,
	DOORBELL_ASLEEP_FUTEX, /* hypercall wake() reaches it */
	DOORBELL_ASLEEP_POLL,  /* waits for host handles too: only hypercall kick reaches it */
};

struct kin_member {
	/* one cache line that others write */
	_Atomic u32 doorbell;       /* futex word */
	_Atomic u32 doorbell_state; /* stored by the owner's monitor around blocking */
	_Atomic u32 kicked;         /* set before hypercall kick; the owner's kernel clears it */
	_Atomic u32 doomed;         /* the generation that was sent SIGKILL; under tree_lock */
	_Atomic u32 rung_by;        /* whose kernel rang last: a hint, or no index at all */
	u32 pad0[11];
	/*
	 * One that seldom changes. The allocator stores state and parent as one word, so that whoever
	 * finds a CLONING or SPAWNING record knows on whose life it depends.
	 */
	union {
		struct {
			_Atomic u32 state; /* enum member_state */
			u32 parent;        /* index of the cloning member */
		};
		_Atomic u64 state_parent;
	};
	_Atomic u32 generation; /* +1 when the record becomes CLONING or SPAWNING, and DEAD -> FREE */
	_Atomic s32 host_pid;
	s32 pid, ppid;          /* of its process, for -v and --stats */
	u32 backend;
	u32 exec_offset;        /* SPAWNING: offset of struct kin_exec from KIN_BASE in pages */
	u32 session;            /* abi/session.h; inherited by whatever it makes */
	u32 session_program;    /* index + 1 of the kin_session whose program it begins; 0: none */
	_Atomic u64 proc;       /* address of its main struct kin_proc; the kernel's own */
	u64 request;            /* address of struct volume_request; stays with the record */
	u64 clone_tsc;          /* TSC at the clone hypercall in the parent */
	u64 resumed_tsc;        /* TSC when the parent went on */
	u64 first_tsc;          /* TSC of the child's first instruction */
	u64 exit_tsc;
	/* counts, stored by the owner when it exits and now and then */
	u64 syscalls_direct, syscalls_trapped, sites, hypercalls, faults, interrupts;
	char comm[16];
	/*
	 * Processor time as others see it, stored by the owner: it ran from cpu_base_tsc, less its
	 * sleeps, to now, or to cpu_stop_tsc while it sleeps (else 0). Base 0: it has not begun.
	 */
	_Atomic u64 cpu_base_tsc, cpu_stop_tsc;
} __attribute__((aligned(64)));

/* A volume, as the supervisor tells the first kernel: its path inside the family, normalised. */
#define VOLUME_FILE_NAME "file"
struct kin_volume {
	u32 read_only, is_file; /* is_file: one regular file, and that name of it in its tree */
	char path[VOLUME_PATH_MAX];
};

/*
 * What changes names and attributes on volumes is done by the supervisor for a member that asks:
 * what confines a member lets it read and write files, not make them, because no filter can see the
 * mode of a file that is made (set-user-ID), and attributes of any file that can be named. One
 * request for each member record, at kin_member.request (0: none yet), for the kernel to fill and
 * the supervisor to answer: IDLE or DONE -> ASKED and the mailbox; DONE by the supervisor, which
 * wakes the state's futex. Results are 0 or -errno.
 *
 * Those marked + also give the member a descriptor, which it fetches with hypercall vol_receive
 * (result 1; one member at a time, the kernel's shelf_lock). Kept are files without a name and
 * sockets, for members that have to use them and cannot open them, while the word of kin at `word`
 * is `value`; shelf_stale and a notify tell that such a word has changed.
 */
enum volume_request_state { VOLUME_REQUEST_IDLE, VOLUME_REQUEST_ASKED, VOLUME_REQUEST_DONE };
enum volume_request_kind {
	VOLUME_SET_MODE,  /* mode */
	VOLUME_SET_OWNER, /* uid, gid */
	VOLUME_SET_TIMES, /* times */
	VOLUME_MAKE,      /* a file of type and mode, owned by uid and gid; regular: + open O_RDWR */
	VOLUME_TMPFILE,   /* + a file without a name in the directory path; flags O_EXCL or 0 */
	VOLUME_SYMLINK,   /* to the text `other` */
	VOLUME_LINK,      /* other: the new name */
	VOLUME_NAME,      /* path becomes the first name of what the member has open as handle */
	VOLUME_UNLINK,    /* flags AT_REMOVEDIR or 0 */
	VOLUME_RENAME,    /* to other; flags RENAME_NOREPLACE, RENAME_EXCHANGE or 0 */
	VOLUME_KEEP,      /* handle, open for `access`, under word and value */
	VOLUME_TAKE,      /* + what is kept under word and value, open for access at least */
};
struct volume_request {
	_Atomic u32 state;
	s32 result;
	u32 kind, tree;
	u32 mode, uid, gid, flags;
	s32 handle;
	u32 access; /* O_RDONLY, O_WRONLY, O_RDWR */
	u64 word, value;
	struct {
		s64 sec, nsec; /* nsec also UTIME_NOW, UTIME_OMIT */
	} times[2];
	char path[4096];  /* below the volume, NUL-terminated; its last component is not followed */
	char other[4096]; /* the same, or the text of a symbolic link */
};

/* A socket of the host that listens since before the start: for who listens on `port` inside. */
struct kin_published {
	u32 handle; /* in every member */
	u16 port;
	u16 udp;     /* datagrams, each with its client's address before it (abi/relay.h) */
};

/* The program to run; strings, NUL-terminated. */
struct kin_exec {
	u32 argc, envc, bytes;
	u32 init;    /* --init: PID 1 is the kernel's own reaper */
	u32 workdir, pad; /* --workdir: the directory must be there; else / serves as well */
	u64 ignored; /* signals, bit N-1 for signal N, that `unifork run` inherited as ignored */
	char strings[]; /* path, cwd, argv..., envp... */
};

/* Family-wide sums; members add what they counted when they exit. */
#define STATS_SYSCALLS 512
#define STATS_HYPERCALLS 64
struct kin_stats {
	_Atomic u64 direct[STATS_SYSCALLS];
	_Atomic u64 trapped[STATS_SYSCALLS];  /* later executions that still trapped */
	_Atomic u64 first[STATS_SYSCALLS];    /* first execution of a site */
	_Atomic u64 unsupported[STATS_SYSCALLS];
	_Atomic u64 hypercalls[STATS_HYPERCALLS];
	_Atomic u64 forks, vforks, execs, faults, interrupts;
	_Atomic u64 kin_pages, kin_pages_peak;
};

struct kin_header {
	u64 magic, size;
	_Atomic u32 ready;         /* the first kernel has initialised the rest of kin */
	u32 verbose;

	/* Mailbox to the supervisor: set the bit, then hypercall notify. */
	_Atomic u64 kick_map[MEMBERS_MAX / 64];  /* interrupt that member */
	_Atomic u64 spawn_map[MEMBERS_MAX / 64]; /* start a fresh monitor for that SPAWNING record */
	_Atomic u64 doom_map[MEMBERS_MAX / 64];  /* end that doomed member if it does not end itself */
	_Atomic u64 request_map[MEMBERS_MAX / 64]; /* that member has filled its volume_request */
	_Atomic u64 session_spawn_map[MEMBERS_MAX / 64]; /* one of a session: never the spawner's */
	_Atomic u32 shelf_stale; /* what is kept may not be in use any more */
	/*
	 * If spawner_ready, a bit of spawn_map is told to the spawner instead: ++spawn_word, wake.
	 * spawner_serves: generation << 32 | index + 1 of what it has taken, 0: nothing.
	 */
	_Atomic u32 spawner_ready, spawn_word;
	_Atomic u64 spawner_serves;

	/*
	 * Inbox from the supervisor: it sets bits, then inbox_pending, then kicks a member (the
	 * steward, PID 1's by choice).
	 */
	_Atomic u32 inbox_pending;
	_Atomic u64 inbox_foreground;          /* bit N-1: signal N for the foreground process group */
	_Atomic u64 inbox_init;                  /* bit N-1: signal N for PID 1 */
	_Atomic u64 inbox_dead[MEMBERS_MAX / 64]; /* these members died without publishing an exit */
	_Atomic u64 inbox_sessions[SESSIONS_MAX / 64]; /* these need a record */

	/* The end. status is a wait status. */
	_Atomic u32 ended;         /* PID 1 has exited: the supervisor ends everything */
	_Atomic u32 ended_status;
	_Atomic u32 stopped;       /* the signal that stopped PID 1: cleared when the front was told */
	_Atomic u32 fatal;         /* the family cannot go on, because: */
	char fatal_text[256];

	struct kin_clock clock;
	struct kin_stats stats;
	struct kin_member members[MEMBERS_MAX];
	char args[KIN_ARGS_SIZE];  /* struct kin_exec of the first program; then those of sessions */
	u32 volume_count;
	u32 job;                    /* unifork is a job of a shell, which can continue it */
	u64 host_memory;            /* memory and swap of the host in bytes; 0: not known */
	u64 memory_limit;           /* --memory in bytes, 0: none; the supervisor enforces it */
	/*
	 * What members may make accessible before the supervisor has looked again; who finds too
	 * little sets memory_wanted, notifies, and waits for memory_looks to change.
	 */
	_Atomic s64 memory_credit;
	_Atomic u32 memory_wanted, memory_looks;
	u32 cpus;                   /* that the family may run on; 0: not known */
	u32 tasks_limit;            /* --pids: processes and threads, 0: none */
	struct kin_volume volumes[VOLUMES_MAX];
	u32 sockets;                /* members may make sockets of the host */
	u32 published_count;
	struct kin_published published[PUBLISHED_MAX];
	struct kin_net_view net_view;
	struct kin_start start;
	struct kin_session sessions[SESSIONS_MAX];
	struct kin_events events;
	u64 kernel_area;           /* the kernel's own begins behind this struct, page-aligned */
};

#define KIN ((struct kin_header *)KIN_BASE)

#endif
