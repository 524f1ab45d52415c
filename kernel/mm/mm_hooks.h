/* SPDX-License-Identifier: ISC */
/*
 * What the address space asks of files, which lie above it: references, attributes, and their
 * pages. struct file is opaque here.
 */
#ifndef KERNEL_MM_MM_HOOKS_H
#define KERNEL_MM_MM_HOOKS_H

#include "kernel/lib/kstat.h"

struct file;
struct inode;
struct kin_object;

/* ---- kernel/fd/fdtable.c, file.c */
/*
 * fd_get: of the current process; NULL: EBADF. The reference is for this system call: drop it with
 * file_put before the call ends (in a process with one thread it is only borrowed from the table);
 * to hand it to something else file_hold it. file_hold: one more, OWN_FILE in a hold of kin/own.h.
 * What O_PATH opened counts as closed, except for fd_get_any: that is for the calls which only
 * name a place or a descriptor.
 */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
void file_hold(struct file *f);
void file_put(struct file *f);
u32 file_open_flags(const struct file *f);      /* O_*; O_PATH: not open for anything */
/*
 * kernel/vfs/shown_path.c: what it is called by now, " (deleted)" if it is: length, or -errno if it
 * has no name. size: FILE_SHOWN_MAX.
 */
#define FILE_SHOWN_MAX (4096 + 16)
s64 file_shown_path(struct file *f, char *buf, size_t size);
s64 file_describe(struct file *f, struct kstat *st); /* 0 or -errno; -ENOSYS: it has none */

/* ---- kernel/vfs/file_map.c */
bool file_mappable(struct file *f);
bool file_is_zero(struct file *f); /* /dev/zero: a mapping of it is anonymous memory */
s64 file_punch(struct file *f, u64 pos, u64 len); /* a hole, the size stays */
/*
 * Map file pages privately at [va, +len) (host file: shared with the host's page cache; tmpfs:
 * copied).
 */
s64 file_map_private(struct file *f, u64 va, u64 len, int prot, u64 offset);
/*
 * The object behind a file in kin: held, as OWN_OBJECT. NULL: a file of the host, not written so
 * far (its pages are the host's).
 */
struct kin_object *file_shared_object(struct file *f);
/*
 * A volume's file: a shared mapping of it is the host's. Its pages at va; the key of a futex in it;
 * what was stored in it goes to the disk.
 */
bool file_maps_host(struct file *f);
s64 file_map_shared(struct file *f, u64 va, u64 len, int prot, u64 offset);
u64 file_shared_key(struct file *f, u64 offset);
s64 file_sync_data(struct file *f);

/* kernel/event/aio.c: exec, or a clone, which gets none of the contexts. */
struct mm;
void aio_forget(struct mm *mm);

/* kernel/tmpfs/memfd.c: may it be mapped shared? 1: yes; 0: but never become writable; -EPERM. */
s64 seals_allow_map(const struct file *f, bool writes);

#endif
