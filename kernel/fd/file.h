/* SPDX-License-Identifier: ISC */
/*
 * Open file descriptions and descriptor tables, both in kin. A struct file is what POSIX calls an
 * open file description: shared by dup and fork, it holds offset and status flags. Its type selects
 * a const table of operations.
 */
#ifndef KERNEL_FD_FILE_H
#define KERNEL_FD_FILE_H

#include "kernel/kin/own.h"
#include "kernel/mm/mm_hooks.h"

struct pipe;
struct hyp_stat;
struct poll_table;
struct text;

enum file_type {
	FILE_NONE,
	FILE_PIPE,
	FILE_INODE,
	FILE_DIR,
	FILE_HOST_IO,
	FILE_DEV,
	FILE_PROC,
	FILE_SOCKET,
	FILE_EVENTFD,
	FILE_EPOLL,
	FILE_SIGNALFD,
	FILE_TIMERFD,
	FILE_PIDFD,
	FILE_PATH,
	FILE_SHM,
	FILE_MQUEUE,
	FILE_PTY,
	FILE_INOTIFY,
	FILE_TYPES
};

struct file {
	struct kin_ref ref;    /* OWN_FILE: descriptor-table entries, calls, messages, mappings */
	u16 type;              /* no lock: constant, and so are inode and owner_pid */
	_Atomic u32 flags;     /* O_ACCMODE and status flags */
	/* no lock: slots of OWN_WRITER, OWN_EXECUTOR, filled by who opens it: kernel/vfs/file_map.c */
	struct inode *writes, *executes;
	KIN_LOCK(lock, POSITION); /* pos of a seekable file in use; may be held across copy_in/out */
	s64 pos;               /* lock, if it is seekable */
	struct inode *inode;   /* or NULL; no lock: constant */
	struct pipe *pipe;     /* or NULL; no lock: a slot, filled by who opens it */
	u64 priv[4];           /* no lock: as the type says */
	char *path;            /* kin string for /proc/PID/fd, or NULL; no lock: stored once */
	u32 owner_pid;         /* no lock: constant */
	KIN_LOCK(epoll_lock, EPOLL_FILE);
	struct epoll_item *epoll_items; /* epoll_lock: interest in this file; kernel/event/epoll.h */
	struct epoll_item *epoll_step;  /* epoll_lock: a slot; on its way into a list, or out of it */
	KIN_LOCK(owner_lock, FILE_OWNED);
	struct fd_owner *owner;         /* slot, owner_lock to fill it; who gets signals: fd_owner.h */
};

/* Buffers are application memory; operations use copy_in/copy_out. Results: bytes or -errno. */
struct iovec;
struct file_ops {
	const char *name;
	s64 (*read)(struct file *f, void *buf, size_t len, s64 *pos);   /* pos NULL: not seekable */
	s64 (*write)(struct file *f, const void *buf, size_t len, s64 *pos);
	/* EPOLL* mask; registers with pt when not NULL. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	s64 (*ioctl)(struct file *f, u32 cmd, u64 arg);
	/* Called with f->lock held; the new position, which the caller stores in f->pos. */
	s64 (*seek)(struct file *f, s64 offset, int whence);
	s64 (*stat)(struct file *f, struct kstat *st);
	s64 (*getdents)(struct file *f, void *buf, size_t len);
	s64 (*truncate)(struct file *f, u64 size);
	void (*release)(struct file *f);                                /* last reference gone */
	/*
	 * Optional: a vector as one operation (the vector is kernel memory, its bases are the
	 * application's), and a number that changes with every event, for edge triggers.
	 */
	s64 (*readv)(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
	s64 (*writev)(struct file *f, const struct iovec *iov, u32 n, s64 *pos);
	u64 (*edges)(struct file *f);
	/* What /proc/PID/fdinfo says beyond position and flags. Of any process of the family. */
	void (*describe)(struct file *f, struct text *t);
	/*
	 * Optional, for splice: bytes without boundaries, of which 64 KiB are taken whole where poll
	 * says writable, unless somebody else writes at the same time? A write of none tells errors.
	 */
	bool (*stream)(struct file *f);
	/* Optional: its owner has changed: a pid, or minus that of a group. */
	void (*owner)(struct file *f, s32 pid);
	bool seekable;
};
extern const struct file_ops *const file_ops[FILE_TYPES]; /* kernel/boot/file_types.c */

struct file *file_alloc(enum file_type type, u32 flags);  /* held; NULL: ENFILE */
/*
 * One more reference, held for the time of this call or until fd_install takes it over; file_put
 * drops it. What goes on owning a file has a slot for it in kin, and uses own.h. fd_get, file_hold,
 * file_put: kernel/mm/mm_hooks.h.
 */
int file_set_path(struct file *f, const char *path); /* once; 0 or -ENOSPC */
#define ANON_INODE_DEV 13
s64 anon_stat(struct file *f, struct kstat *st);
s64 seek_endless(struct file *f, s64 offset, int whence); /* there is no end to seek from */
s64 seek_nowhere(struct file *f, s64 offset, int whence); /* the position stays where it is */

/*
 * Descriptor tables. One that is shared (CLONE_FILES) has several processes as owners: each
 * kin_proc.fds is a slot of OWN_TABLE.
 */
struct fd_entry {
	struct file *file; /* slot of OWN_FILE; lock */
	u32 flags;         /* FD_CLOEXEC; lock */
	u32 pad;           /* no lock: unused */
};
struct fdtable {
	struct kin_ref ref;
	KIN_LOCK(lock, DESCRIPTORS);
	u32 size, next_hint;      /* lock */
	struct fd_entry *entries; /* lock */
};
/* An empty one, or a copy (fork), into *slot, which is NULL and in kin. 0 or -ENOMEM. */
int fdtable_create(struct fdtable **slot);
int fdtable_clone(struct fdtable *t, struct fdtable **slot);
/* The slot's share goes; the last closes all. Also at a burial. */
void fdtable_drop(struct fdtable **slot);
/* *slot gets a copy of its own, if it shares its table. 0 or -ENOMEM. */
int fdtable_unshare(struct fdtable **slot);
void fdtable_close_on_exec(struct fdtable *t);
/* Of any process (the caller holds tree_lock for t's sake): a counted reference. */
struct file *fdtable_get(struct fdtable *t, int fd);
struct file *fdtable_get_flags(struct fdtable *t, int fd, u32 *flags); /* FD_CLOEXEC, too */
int fdtable_next(struct fdtable *t, int fd);           /* first open descriptor >= fd, or -1 */
/* Of any process, too: is there such a file? Under the table's lock. */
bool fdtable_any(struct fdtable *t, bool (*is)(struct file *f, void *arg), void *arg);
/* Takes over the reference, also when it fails; descriptor or -EMFILE. */
int fd_install(struct file *f, int lowest, u32 flags);
int fd_install_at(struct file *f, int fd, u32 flags);  /* dup2: closes what was there */
/*
 * Both, with O_CLOEXEC of flags, and their numbers to the application at fds, as pipe and
 * socketpair do: all or nothing. The references are taken over.
 */
s64 fd_install_pair(struct file *pair[2], u32 flags, u64 fds);
int fd_close(int fd);

/* poll/select/epoll: kernel/fd/poll.c */
/* q is woken whenever any of events (EPOLL*) may have come to the file, or errors. */
void poll_wait_for(struct poll_table *pt, struct kin_queue *q, u32 events);
static inline void poll_wait(struct poll_table *pt, struct kin_queue *q)
{
	poll_wait_for(pt, q, ~0u);
}
void poll_wait_host(struct poll_table *pt, int handle, u32 events);

#endif
