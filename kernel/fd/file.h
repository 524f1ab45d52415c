/* SPDX-License-Identifier: ISC */
/*
 * Open file descriptions and descriptor tables, both in kin. A struct file is what POSIX calls an
 * open file description: shared by dup and fork, it holds offset and status flags. Its type selects
 * a const table of operations.
 */
#ifndef KERNEL_FD_FILE_H
#define KERNEL_FD_FILE_H

#include "kernel/kin/kin_core.h"
#include "kernel/mm/mm_hooks.h"

struct pipe;
struct hyp_stat;
struct poll_table;

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
	_Atomic u32 refs;      /* descriptor-table entries, calls in progress, and file_get (kept) */
	u16 type;
	_Atomic u16 counted;   /* enum file_counted: in inode->writers; kernel/vfs/file_map.c */
	u32 magic;
	_Atomic u32 kept;      /* references taken by file_get */
	_Atomic u32 flags;     /* O_ACCMODE and status flags */
	struct kin_lock lock;  /* pos of a seekable file in use; may be held across copy_in/out */
	s64 pos;
	struct inode *inode;   /* or NULL */
	struct pipe *pipe;     /* or NULL */
	u64 priv[4];           /* by type */
	char *path;            /* kin string for /proc/PID/fd, or NULL */
	u32 path_len, owner_pid;
	struct epoll_item *epoll_items; /* interest in this file: kernel/event/epoll.c */
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
	bool seekable;
};
extern const struct file_ops *const file_ops[FILE_TYPES]; /* kernel/boot/file_types.c */

struct file *file_alloc(enum file_type type, u32 flags);  /* refs 1; NULL: ENFILE */
/*
 * One more reference, for the time of this call or until fd_install takes it over; burial drops it.
 * fd_get, file_get, file_put: kernel/mm/mm_hooks.h.
 */
void file_hold(struct file *f);
#define ANON_INODE_DEV 13
s64 anon_stat(struct file *f, struct kstat *st);

/* Descriptor tables. lock: entries. Order: fdtable lock before a file's lock. */
struct fd_entry {
	struct file *file;
	u32 flags; /* FD_CLOEXEC */
	u32 pad;
};
struct fdtable {
	struct kin_lock lock;
	u32 size, next_hint;
	_Atomic u32 refs;
	u32 magic;
	struct fd_entry *entries;
	struct fdtable *next, **prev; /* all tables: kernel/fd/fdtable.c */
};
struct fdtable *fdtable_create(void);
struct fdtable *fdtable_clone(struct fdtable *t);      /* fork */
/*
 * The same for a child already visible to burial: *slot (in its kin_proc) is set first, then
 * filled. 0 or -ENOMEM.
 */
int fdtable_clone_to(struct fdtable **slot, struct fdtable *t);
/*
 * Exit, burial: closes all; file locks of pid go first. May be called again after a death in
 * it.
 */
void fdtable_release(struct fdtable *t);
/* The same, and *slot becomes NULL such that no death can release the table twice. */
void fdtable_drop(struct fdtable **slot);
void fdtable_close_on_exec(struct fdtable *t);
/* Of any process (the caller holds tree_lock for t's sake): a counted reference. */
struct file *fdtable_get(struct fdtable *t, int fd);
int fdtable_next(struct fdtable *t, int fd);           /* first open descriptor >= fd, or -1 */
/* Takes over the reference, also when it fails; descriptor or -EMFILE. */
int fd_install(struct file *f, int lowest, u32 flags);
int fd_install_at(struct file *f, int fd, u32 flags);  /* dup2: closes what was there */
int fd_close(int fd);

/* poll/select/epoll: kernel/fd/poll.c */
void poll_wait(struct poll_table *pt, struct kin_queue *q);
void poll_wait_host(struct poll_table *pt, int handle, u32 events);

#endif
