/* SPDX-License-Identifier: ISC */
/*
 * The monitor runs one member. monitor_start is called in a process of its own that the
 * supervisor has forked; it confines itself, builds the VM through the backend and never returns.
 * The supervisor (monitor/supervisor/) uses this header only.
 */
#ifndef MONITOR_CORE_MONITOR_H
#define MONITOR_CORE_MONITOR_H

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/image.h"
#include "abi/kin.h"
#include "monitor/core/error.h"

/* Exit status of a monitor that cannot go on; it has said why. */
#define MEMBER_EXIT_DIED 111

/* Layers of the confinement that the user gives up. */
enum without_layer { WITHOUT_NAMESPACES = 1, WITHOUT_LANDLOCK = 2 };

/*
 * What the host keeps for monitors and shows nobody: they say it themselves, where no guest can
 * write (kvm; in the process backend it means nothing). One row for each member record, and the
 * spawner's. A row is its owner's until the supervisor has reaped that process.
 */
struct ledger {
	_Atomic u32 used; /* rows: none from here on has ever had an owner */
	struct ledger_row {
		_Atomic s32 owner; /* process id; 0: free */
		_Atomic u64 slot_bytes;
	} rows[MEMBERS_MAX + 1];
};

/* What a family was granted. Made by the supervisor, inherited by every monitor. */
struct family {
	struct kin_header *kin;  /* mapped shared at KIN_BASE in supervisor and monitors */
	int kin_fd;
	int root_fd;             /* O_PATH of --root */
	u32 volume_count;
	struct volume {
		int fd;              /* O_PATH of the host's directory */
		bool read_only, is_file; /* is_file: alone in a directory of the private root */
	} volumes[VOLUMES_MAX];  /* tree 1 and up of the hypercalls */
	int gift_fds[2];         /* family_takes_gifts: the supervisor's and the monitors' end */
	bool sockets;            /* --net: members may make sockets */
	u32 published_count;     /* --publish: sockets that listen since before the start */
	struct published {
		int fd;
		u16 port;            /* inside */
		bool udp;            /* a pair with the relay (abi/relay.h), not the port's own socket */
	} published[PUBLISHED_MAX];
	int watch_fd;            /* sockets: the number of each monitor's set of them; -1 (net_watch) */
	int proc_fd;             /* the supervisor's: O_PATH of the host's /proc; or -1 */
	int notify_fd;           /* eventfd: monitors write, the supervisor reads */
	int kvm_fd;              /* /dev/kvm, or -1 */
	int vm_fd, vcpu_fd;      /* kvm: the numbers that these have in every monitor */
	int image_fd;            /* this executable, which holds the kernel; -1: cannot be mapped */
	u64 image_offset;        /* of the kernel's ELF file in it */
	int supervisor_pid;
	/*
	 * An ordinary user's family sees what is that user's and that group's as its first program's;
	 * shown.ordinary 0: all ids are what they are.
	 */
	struct shown_ids {
		u32 ordinary, unmapped; /* unmapped: the host does not tell other ids, but one for all */
		u32 host_uid, host_gid, uid, gid;
	} shown;
	char *title;             /* this executable's arguments, for monitors to write; or NULL */
	size_t title_size;
	int front_pid;           /* as the host has it: `unifork run` */
	u32 monitor_id;          /* user and group of the monitors, nobody else's; 0: as they are */
	unsigned without;        /* enum without_layer */
	bool namespaced;         /* PID namespace, private root: see supervisor/private_root.c */
	bool verbose;
	u32 zone_count;          /* process: addresses that guests may have as well (zones.c) */
	struct boot_range zones[BOOT_ZONES];
	u64 memory_limit;        /* --memory, where no guest can write it; 0: none */
	struct ledger *ledger;   /* shared by all monitors; NULL: nobody counts */
	const struct backend_ops *backend;
	struct confinement *confinement; /* confinement_prepare's, or NULL: made by each monitor */
};

struct member;
struct confinement;

#define HANDLES_MAX HYP_HANDLES_MAX
#define HANDLES_OF_FILES 1024 /* in a family without sockets of the host */
/* kvm: where a monitor maps its vCPU's page, above all that a guest's memory can be at. */
#define VCPU_RUN_ADDR (1ull << 39)
#define VCPU_RUN_SIZE_MAX (64u << 10)
#define MONITOR_STACK_SIZE (256u << 10)

/* A request that a confined monitor may make, and the descriptor it is for. */
struct backend_ioctl {
	u32 request;
	enum { IOCTL_ON_KVM, IOCTL_ON_VM, IOCTL_ON_VCPU } on;
};

/* A backend carries members. One const struct each: backend_kvm, backend_process. */
struct backend_ops {
	const char *name;
	enum backend_kind kind;
	const struct backend_ioctl *ioctls; /* what its allowlist contains, ended by 0; or NULL */
	bool runs_on_host;           /* the guest's `syscall` instructions reach the host: trap them */
	/* Can it work here? Opens what it needs into the family (kvm_fd). Cheap. */
	int (*probe)(struct family *f, struct error *err) MUST_CHECK;
	/*
	 * Fill in boot_info's backend-dependent fields and processor tables before the first run
	 * (memory exists already).
	 */
	int (*boot)(struct member *m, struct error *err) MUST_CHECK;
	/* Create the VM (fresh, or in the child after a clone) so that run() can enter it. */
	int (*create)(struct member *m, bool clone, struct error *err) MUST_CHECK;
	/*
	 * In the parent before and after the host fork of a clone (merge slots, collect state).
	 * Either may be NULL.
	 */
	void (*clone_prepare)(struct member *m);
	void (*clone_parent)(struct member *m);
	/* In the child of a clone, before create: let go of what belongs to the parent's VM. */
	void (*clone_child)(struct member *m);
	/* Enter at image.entry or image.clone_entry; dispatches hypercalls; never returns. */
	void (*run)(struct member *m, bool clone);
	/* Memory: called by hypercall handlers with checked, page-aligned ranges. 0 or -errno. */
	s64 (*populate)(struct member *m, u64 addr, u64 len);
	s64 (*map_anon)(struct member *m, u64 addr, u64 len, int prot);
	s64 (*map_file)(struct member *m, u64 addr, u64 len, int prot, int fd, u64 offset, int flags);
	s64 (*map_kin)(struct member *m, u64 addr, u64 len, u64 kin_offset, int prot);
	s64 (*protect)(struct member *m, u64 addr, u64 len, int prot);
	s64 (*unmap)(struct member *m, u64 addr, u64 len);
};
extern const struct backend_ops backend_kvm, backend_process;

/* One member's host side. Owned by the monitor process; a clone has its own copy. */
struct member {
	struct family *family;
	const struct backend_ops *backend;
	const struct kernel_image *image;
	u32 index, generation;
	u64 counts[HYPERCALL_COUNT];   /* of this process; the kernel publishes its own */
	void *backend_state;      /* the backend's own */
	void *stack_top;          /* the monitor's stack: run() starts here, in clones too */
	u64 timer_ns;             /* what the timer was set to last */
	bool watches;             /* of net_watch: the epoll at family.watch_fd is this process' own */
	s32 title_pid;            /* what the host's ps shows: ps_title.c */
	char title_name[16];
	/*
	 * Set by the interrupts' handler, which must also call interruptible_fix
	 * (monitor/core/interrupt.h): a blocking hypercall returns -EINTR while it is set. The
	 * backend clears it when it has passed the interrupt on.
	 */
	volatile int interrupted;
	/* Behind what every clone touches: start_through puts that on the page of its first frames. */
	u64 handles[HANDLES_MAX / 64]; /* host descriptors that the guest may name */
	u64 shared[HANDLES_MAX / 64];  /* those whose file position a clone shares (fs_getdents) */
};

/*
 * The signals that interrupt a member: the supervisor's (a kick), and that of the member's own
 * timer (hyp_timer).
 */
#define MONITOR_SIGNAL 36 /* SIGRTMIN + 2; libc has 32 and 33 for itself */
#define TIMER_SIGNAL SIGALRM

/*
 * In a forked child of the supervisor. index: a record in state SPAWNING or CLONING with host_pid
 * set to this process.
 */
_Noreturn void monitor_start(struct family *f, u32 index);

/* The same for the family's spawner (monitor/core/spawner.c), which is no member. */
_Noreturn void monitor_start_spawner(struct family *f);
#define MEMBER_NONE MEMBERS_MAX

/*
 * Copies the frame at HYPERCALL_ADDR, checks it, acts, stores the result. Called by backends at
 * each exit.
 */
void hypercall_dispatch(struct member *m);

/* What of the address space guests may have: before confinement_prepare, once f->backend is set. */
int zones_find(struct family *f, struct error *err) MUST_CHECK;

/*
 * Builds the seccomp program and the Landlock ruleset of a family once, into f->confinement; the
 * monitors it forks only install them. Called by the supervisor when backend, root_fd, notify_fd
 * and kin_fd are set.
 */
int confinement_prepare(struct family *f, struct error *err) MUST_CHECK;

/* Does the host's directory hold mounts that a guest must not see (/proc, /sys, /dev)? */
bool tree_is_mixed(int dir_fd);
/*
 * Carries out what a member asks of the supervisor (abi/kin.h): 0 or -errno. req: a copy. handle:
 * what the member has open, for VOLUME_NAME. *gift: a descriptor for the member, or untouched.
 */
s64 volume_request_run(const struct family *f, struct volume_request *req, int handle, int *gift);
/* What goes with a descriptor over gift_fds: for whom it is. */
struct gift {
	u32 index, generation;
};

/*
 * Finds the kernel in the file of this executable, so that monitors map it from there; without that
 * (no /proc) they copy it. Called by the supervisor.
 */
void image_open(struct family *f);

/*
 * The family's clock (abi/kin.h). calibrate: before the first member, by the supervisor; the rate
 * is measured from first, a reading taken as early as possible. refresh: by anyone at any time;
 * does nothing unless the calibration is old. owner: CLOCK_OWNER(member index,
 * generation), or the supervisor's.
 */
#define CLOCK_OWNER(index, generation) ((index) + 1 + ((generation) << 13))
#define CLOCK_OWNER_SUPERVISOR (~0u)
struct clock_pair {
	u64 tsc, ns; /* CLOCK_MONOTONIC */
};
struct clock_pair clock_pair_read(void);
bool clock_source_usable(void); /* is the host's clock the TSC? Reads /sys */
void clock_calibrate(struct kin_clock *c, const struct clock_pair *first, bool usable);
void clock_refresh(struct kin_header *kin, u32 owner);
/* A clock as guests compute it, the calibration refreshed first; others are the host's. */
u64 clock_guest_ns(struct kin_header *kin, u32 owner, int clock);
u64 host_clock_ns(int clock); /* a real system call: the host's vDSO lies outside the allowlist */

/* Calls fn(arg) on a stack of its own that starts at top; fn must not return. */
/*
 * Of functions that each fork runs: they lie together, because the clone finds none of the
 * monitor's text mapped, and the host maps 64 KiB around what it touches.
 */
#define FORK_PATH __attribute__((section(".text.hot")))

_Noreturn void stack_call(void *top, void (*fn)(void *), void *arg);

/* End this monitor with a reason that the user sees ("unifork: member 3 (sh): ..."). */
_Noreturn void member_die(struct member *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
