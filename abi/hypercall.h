/* SPDX-License-Identifier: ISC */
/*
 * How the kernel calls the monitor. Numbers, arguments and reasons are in hypercalls.def.
 *
 * The kernel fills the frame at HYPERCALL_ADDR and leaves the VM (kvm: `syscall` at the one known
 * site, whose stub executes `out`) or calls boot_info.hypercall_entry (process). The monitor
 * copies the frame once, checks every argument by its declared kind, acts, and stores ret: >= 0,
 * or a negative Linux errno.
 */
#ifndef ABI_HYPERCALL_H
#define ABI_HYPERCALL_H

#include "abi/layout.h" /* HYPERCALL_PORT */
#include "common/types.h"

#define HYPERCALL_ARGS 6

enum hypercall_number {
#define HYPERCALL(name, ...) HYP_##name,
#include "abi/hypercalls.def"
#undef HYPERCALL
	HYPERCALL_COUNT
};

/* Kinds of arguments. A *_LEN directly follows the address it belongs to. */
enum hypercall_arg {
	ARG_NONE,
	ARG_U64,
	ARG_MEMBER,   /* index of a member record, < MEMBERS_MAX */
	ARG_BUF_IN,   /* guest address that the monitor reads; next argument: length in bytes */
	ARG_BUF_OUT,  /* guest address that the monitor writes; next argument: length in bytes */
	ARG_LEN,      /* length of the preceding buffer, <= 16 MiB unless ARG_LEN_ANY */
	ARG_RANGE,    /* page-aligned, never in the kernel's window; next: its length */
	ARG_RANGE_LEN,
	ARG_KIN_WORD, /* address of an aligned u32 in kin */
	ARG_KIN_RANGE, /* page-aligned offset into kin; length: ARG_RANGE_LEN beside it */
	ARG_TREE,     /* 0: the root; 1 and up: that volume of the family */
	ARG_PATH,     /* NUL-terminated path relative to its tree, at most 4096 bytes with the NUL */
	ARG_PATH_OTHER, /* a second one */
	ARG_HANDLE,   /* a host file handle that this member opened or inherited */
};

struct hypercall_frame {
	u64 number;
	s64 ret;
	u64 arg[HYPERCALL_ARGS];
};

#define HYP_HANDLES_MAX 16384 /* a handle is less */

/* sleep's view of a host descriptor, the layout of struct pollfd. */
struct hyp_pollfd {
	s32 handle;
	s16 events;
	s16 revents;
};

/* fs_stat and fs_fstat fill this; times in nanoseconds since 1970. */
struct hyp_stat {
	u64 dev, ino;
	u32 mode, nlink, uid, gid;
	u64 rdev, size, blocks, blksize;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
};

/*
 * vol_write reads this: count pieces of guest memory for the file at pos; with HYP_WRITE_APPEND at
 * its end, and pos is stored back as the position behind what was written.
 */
#define HYP_WRITE_PIECES 64
#define HYP_WRITE_APPEND 1u
#define HYP_WRITE_DSYNC 2u
#define HYP_WRITE_SYNC 4u
struct hyp_write {
	u64 pos;
	u32 flags, count;
	struct {
		u64 addr, len;
	} piece[HYP_WRITE_PIECES];
};

/*
 * May io_read and io_write wait? -EINTR: one would have to wait (longer) and an interrupt came;
 * -EAGAIN: it would have to and may not.
 */
enum hyp_io { HYP_IO_NOWAIT, HYP_IO_WAIT };
#define HYP_IO_READY 4096 /* bytes that a handle takes without waiting if it is ready for writing */

/*
 * net_send and net_receive read this: pieces of guest memory, an address (struct sockaddr), and
 * ancillary data. net_receive stores back what it got of the last two, and MSG_* in flags.
 */
#define HYP_MESSAGE_PIECES 16
#define HYP_ADDRESS_MAX 128
#define HYP_CONTROL_MAX 256
struct hyp_message {
	u32 flags, count;
	u32 address_len, control_len; /* receive: room for them */
	struct {
		u64 addr, len;
	} piece[HYP_MESSAGE_PIECES];
	u8 address[HYP_ADDRESS_MAX];
	u8 control[HYP_CONTROL_MAX] __attribute__((aligned(8)));
};

/* sleep stores here what came to the watched handles: what net_watch was told, and EPOLL*. */
#define HYP_EVENTS 64
struct hyp_events {
	u32 count, pad;
	struct {
		u64 data;
		u32 events, pad;
	} event[HYP_EVENTS];
};

enum hyp_sync { HYP_SYNC_FILE, HYP_SYNC_DATA, HYP_SYNC_FS };

/* usage() fills this: CPU time of the member's host process and its memory. */
struct hyp_usage {
	u64 utime_ns, stime_ns, maxrss_kib, minflt, majflt, nvcsw, nivcsw;
};

#define HYP_NO_DEADLINE (~0ull)
#define HYP_LOOK 0 /* a deadline of sleep: which handles are ready now, whatever else came */
#define HYP_NO_MEMBER (~0ull)

#endif
