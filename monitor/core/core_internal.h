/* SPDX-License-Identifier: ISC */
/*
 * What the files of monitor/core share: the table of hypercalls, access to guest memory, start
 * and confinement.
 */
#ifndef MONITOR_CORE_CORE_INTERNAL_H
#define MONITOR_CORE_CORE_INTERNAL_H

#include "monitor/core/grants.h"
#include "monitor/core/host_call.h"
#include "monitor/core/interrupt.h"
#include "monitor/core/kin_access.h"
#include "monitor/core/monitor.h"

#define HYPERCALL_BUFFER_MAX (16u << 20)
#define HYPERCALL_PATH_MAX 4096

/*
 * One call: the frame was copied once and each argument was checked by its kind before a handler
 * sees this.
 */
struct hypercall_call {
	u64 number;
	u64 arg[HYPERCALL_ARGS];
	char *path;  /* the ARG_PATH, NUL-terminated; until the next call */
	char *other; /* the same of the ARG_PATH_OTHER */
};

/* A row of abi/hypercalls.def with its handler. */
struct hypercall_info {
	const char *name;
	enum hypercall_arg kinds[HYPERCALL_ARGS];
	const char *host; /* host system calls it needs: "mmap, madvise" */
	const char *why;
	s64 (*handler)(struct member *m, struct hypercall_call *call);
};
extern const struct hypercall_info hypercall_table[HYPERCALL_COUNT];

#define HYPERCALL(name, ...) s64 hyp_##name(struct member *m, struct hypercall_call *call);
#include "abi/hypercalls.def"
#undef HYPERCALL

/* 0, or -errno if an argument of call is not of its declared kind. Fills call->path. */
s64 hypercall_check(const struct member *m, struct hypercall_call *call);

/* Address ranges, in guest.c. */
/* Wholly in private memory, a zone, or kin. */
bool guest_range_valid(const struct family *f, u64 addr, u64 len);
/* Pages of private memory outside the kernel's window, or of a zone. */
bool guest_app_range_valid(const struct family *f, u64 addr, u64 len);
bool guest_kin_pages_valid(u64 offset, u64 len); /* pages of kin behind its header */
/* Copies that survive unmapped guest memory: 0 or -EFAULT. The range must have been checked. */
s64 guest_read(void *dst, u64 addr, size_t len);
s64 guest_write(u64 addr, const void *src, size_t len);
/* Length without the NUL; -EFAULT, -ENAMETOOLONG. */
s64 guest_string(const struct family *f, char *dst, u64 addr, size_t size);

/* Handles, in fs.c. */
bool handle_valid(const struct member *m, u64 handle);
bool handle_published(const struct member *m, u64 handle); /* a listener of --publish */
/* The guest may name fd from now on: fd, -EMFILE (then it is closed), or the error that fd is. */
s64 handle_admit(struct member *m, s64 fd);
void handles_mark_shared(struct member *m); /* around a clone: both sides use the same open files */
bool fs_magic_refused(u64 magic);           /* a pseudo file system of the host */
/*
 * Resolves path below dirfd without leaving it and without following a symbolic link: a
 * descriptor or -errno. flags: as host_constants.c lists them.
 */
s64 tree_resolve(int dirfd, const char *path, u64 flags);
/* Fills stx from an O_PATH descriptor; -EACCES inside a pseudo file system of the host. */
struct statx;
s64 fd_examine(s64 fd, struct statx *stx);

/*
 * sleep.c: MONITOR_SIGNAL comes by then. The guest's own timer may so come too early, never too
 * late.
 */
void timer_bound(struct member *m, u64 deadline_ns);

/* ps_title.c: the host's ps shows what the member runs */
void title_update(struct member *m);

/* owners.c: an owner of the host's as the family sees it, and the other way round. */
u32 uid_shown(const struct family *f, bool below_root, u32 host_uid);
u32 gid_shown(const struct family *f, u32 host_gid);
u32 uid_on_host(const struct family *f, u32 uid);
u32 gid_on_host(const struct family *f, u32 gid);

/* hyp_volume.c */
int tree_fd(const struct family *f, u64 tree); /* an ARG_TREE */
/*
 * clone.c: a process that was just cloned becomes the member of that record, or exits if the
 * record is not its any more.
 */
void clone_become(struct member *m, u32 index, u32 generation);
_Noreturn void spawner_run(void *member); /* spawner.c */

/* member.c */
struct kin_member *member_record(const struct member *m);
bool member_claim(struct kin_header *kin, u32 index, u32 generation, s32 pid);
void member_live(struct member *m, enum member_state from);
void member_message(const struct member *m, const char *what, const char *text, size_t len);
void member_follow_supervisor(const struct family *f); /* die with it; at once if it is gone */
_Noreturn void member_exit(struct member *m, int status);

/* private_memory.c */
int memory_reserve(const struct family *f, struct error *err) MUST_CHECK;
int memory_stack(void **top, struct error *err) MUST_CHECK;
int image_load(struct member *m, struct error *err) MUST_CHECK;
/* Calls fn for each segment of the kernel with its final protection; 0, or -1 if fn failed. */
int image_protect(int (*fn)(u64 addr, u64 len, int prot)) MUST_CHECK;

/* confine*.c */
struct confinement {
	int ruleset_fd; /* Landlock, or -1: the host has none */
	int landlock_abi;
	struct sock_filter *filter;
	unsigned short filter_len;
};
int confine(struct family *f, struct error *err) MUST_CHECK;
int confine_ruleset(const struct family *f, struct confinement *c, struct error *err) MUST_CHECK;
int confine_filter(const struct family *f, struct confinement *c, struct error *err) MUST_CHECK;

#endif
