/* SPDX-License-Identifier: ISC */
/*
 * System V IPC in kin: what semaphores, message queues and shared memory have in common. Ids are
 * made as on Linux, from a slot and its count of uses, so that a stale id is noticed.
 *
 * One lock per kind, held for short sections; nothing sleeps or copies to application memory under
 * it. Sleepers wait on queues that are never freed, chosen by slot, and look their object up again
 * by id when woken: EIDRM if it is gone.
 */
#ifndef KERNEL_IPC_IPC_H
#define KERNEL_IPC_IPC_H

#include <stdatomic.h>

#include "kernel/kin/kin_core.h"

#define IPC_SLOTS 4096
#define IPC_ID_SHIFT 15
#define IPC_QUEUES 32

/* Of a set, whatever the limits of kernel/task/tunables.h say. */
#define IPC_SEMS_MAX 32000u

struct kin_proc;

/* First in every object. The lock of the kind protects all. */
struct ipc_object {
	s32 key, id;
	u32 uid, gid, cuid, cgid, mode;
	u32 sequence;
	u64 ctime;
};

struct text;
/* /proc/sysvipc */
void shm_describe(struct text *t);
void sem_describe(struct text *t);
void msg_describe(struct text *t);

enum ipc_kind { IPC_SEM, IPC_MSG, IPC_SHM, IPC_KINDS };

struct ipc_table {
	KIN_LOCK(lock, SYSV);
	/* lock: all, and the objects */
	u32 used; /* slots below may be in use */
	struct ipc_object *slot[IPC_SLOTS];
	u16 sequence[IPC_SLOTS]; /* of the next object in it */

	struct kin_queue queue[IPC_QUEUES];
};

#define IPC_STAT_MAX 128

/* What the kinds differ in: each has one constant table. */
struct ipc_ops {
	enum ipc_kind kind;
	size_t stat_size; /* of what *ctl(2) shows, which begins with struct ipc64_perm */

	/* ---- without the lock */
	struct ipc_object *(*make)(u64 size, s64 *err); /* complete but for its id; NULL: *err */
	void (*discard)(struct ipc_object *o);          /* frees what is in no table (any more) */
	/* ---- under the lock */
	bool (*recover)(void *table); /* its last owner died */
	s64 (*room)(struct ipc_table *t, u64 size); /* for one more: 0, or -ENOSPC by its limits */
	s64 (*check)(struct ipc_object *o, u64 size); /* what *get found: 0 or -errno. NULL: right */
	void (*stat)(struct ipc_object *o, void *to); /* all but perm */
	/* IPC_SET: may this be? Then it is done, but for perm and ctime. NULL: there is no more. */
	s64 (*set)(struct ipc_object *o, const void *from);
	/* IPC_RMID: is it off the table? If not, that comes later. */
	bool (*remove)(struct ipc_table *t, struct ipc_object *o);
};

/* The table; NULL: kin is full. Made by the first who creates something. */
struct ipc_table *ipc_table(enum ipc_kind kind);
struct ipc_table *ipc_table_if_any(enum ipc_kind kind);
void ipc_lock(const struct ipc_ops *ops, struct ipc_table *t);

/* ---- under the kind's lock */
/* NULL: EINVAL (EIDRM for who knew it) */
struct ipc_object *ipc_find(struct ipc_table *t, s32 id);
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
/* mode as in open's rwx bits: 0 or -EACCES */
s64 ipc_access(const struct ipc_object *o, u32 mode);
s64 ipc_owner(const struct ipc_object *o); /* 0 or -EPERM */

/* Of all that there are in t, so many more may be made: a TUNE_*_COUNT. */
bool ipc_has_room(const struct ipc_table *t, u64 count);

struct kin_queue *ipc_queue(struct ipc_table *t, s32 id);
u64 ipc_seconds(void);

/* *get(2): finds or makes. */
s64 ipc_get(const struct ipc_ops *ops, u64 key, u64 size, u64 flags);
/* *ctl(2): IPC_STAT (by id), or one by its slot, which answers its id. any: whoever asks */
s64 ipc_stat(const struct ipc_ops *ops, s32 id, bool by_slot, bool any, u64 user);
s64 ipc_change(const struct ipc_ops *ops, s32 id, u32 cmd, u64 user); /* IPC_SET, IPC_RMID */
/* How many there are; *highest: the slot of the last. */
u32 ipc_count(enum ipc_kind kind, s64 *highest);

/*
 * A process ends, or is buried: its undo values are applied. May be done again after a death in the
 * middle. (sysv_sem.c)
 */
void sem_undo_exit(struct kin_proc *p);

#endif
