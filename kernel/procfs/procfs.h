/* SPDX-License-Identifier: ISC */
/*
 * /proc: one flat table of entries says what exists; each has a function that writes its text, or
 * its link. Inodes of /proc are made at lookup and freed with their last user; they hold a row of
 * the table, a pid and a number.
 */
#ifndef KERNEL_PROCFS_PROCFS_H
#define KERNEL_PROCFS_PROCFS_H

#include "kernel/lib/text.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode.h"

/* Directories of /proc, the dir of their entries. P_NONE: not a directory. */
enum proc_dir {
	P_NONE,
	P_ROOT,
	P_PID,
	P_FD,
	P_FDINFO,
	P_TASK,
	P_TID, /* a thread: has what P_PID has but tasks, and more */
	P_NS,
	P_NET,
	P_SYSVIPC,
	P_SYS,
	P_SYS_KERNEL,
	P_SYS_RANDOM,
	P_SYS_PTY,
	P_SYS_FS,
	P_SYS_MQUEUE,
	P_SYS_INOTIFY,
	P_SYS_VM,
	P_SYS_NET,
	P_SYS_NET_CORE,
	P_SYS_NET_UNIX,
	P_SYS_NET_IPV4,
	P_SYS_NET_IPV6,
	P_SYS_NET_IPV6_CONF,
	P_SYS_NET_IPV6_ALL
};

#define KERNEL_RELEASE "6.1.0-unifork"

/*
 * What is shown: a process (0: none), of it a thread (0: the whole) and, for fd and fdinfo, a
 * descriptor.
 */
struct proc_entry;
struct proc_target {
	const struct proc_entry *entry;
	s32 pid, tid;
	u32 number;
};

/* Who may not look into the process (cred.h) is refused: */
enum proc_look {
	LOOK_FREE,     /* nothing */
	LOOK_AT_OPEN,  /* EACCES from open */
	LOOK_AT_READ,  /* EACCES from read */
	LOOK_AS_TRACER /* EPERM from read */
};

struct proc_entry {
	u8 dir, self; /* enum proc_dir: where it lies, and what it is */
	const char *name;
	u32 mode;
	s64 (*show)(struct text *t, const struct proc_target *p); /* files; 0 or -errno */
	s64 (*link)(struct text *t, const struct proc_target *p); /* symbolic links: the target */
	enum proc_look look;
	const char *line; /* files without show: this line, or */
	u64 value;        /* if that is NULL this number */
};
extern const struct proc_entry proc_entries[];
extern const u32 proc_entry_count;

struct inode *proc_root_inode(struct inode *parent);

/* The process, as of now; false: gone. Takes tree_lock. */
struct proc_view {
	s32 pid, ppid, pgid, sid, nthreads;
	u32 state, member, exit_signal;
	bool may_look; /* into its memory and at what it has open: cred.h */
	struct proc_inherited in;
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns, start_ns, maxrss_kib, pending, quiet;
	u64 vm_pages, present_pages;
	struct proc_io io;
	s32 tracer;         /* 0: none; trace_stopped: it stands in a stop for it */
	bool trace_stopped;
	char comm[16];
};
bool proc_view(s32 pid, struct proc_view *v);
bool proc_is_self(s32 pid);              /* its memory can be looked at from here */
struct proc *proc_here(s32 pid);         /* of this member: itself, or who shares its memory */
/*
 * The same for what p names. *thread: the one whose private state can be shown (of the whole
 * process its first; NULL: that is in another member, or has ended). 0 or -ESRCH.
 */
s64 proc_view_target(const struct proc_target *p, struct proc_view *v, struct thread **thread);
struct file *proc_file(s32 pid, u32 fd); /* a reference, or NULL */
struct file *proc_file_flags(s32 pid, u32 fd, u32 *flags); /* FD_CLOEXEC, too */
struct file *proc_exe_file(s32 pid);     /* a reference to the program's, or NULL */
s32 proc_next_fd(s32 pid, s32 fd);       /* -1: none */

/* proc_root.c */
s64 show_meminfo(struct text *t, const struct proc_target *p);
s64 show_cpuinfo(struct text *t, const struct proc_target *p);
s64 show_stat(struct text *t, const struct proc_target *p);
s64 show_uptime(struct text *t, const struct proc_target *p);
s64 show_loadavg(struct text *t, const struct proc_target *p);
s64 show_version(struct text *t, const struct proc_target *p);
s64 show_filesystems(struct text *t, const struct proc_target *p);
s64 show_empty(struct text *t, const struct proc_target *p);
s64 show_vmstat(struct text *t, const struct proc_target *p);
s64 show_devices(struct text *t, const struct proc_target *p);
s64 show_sysvipc_shm(struct text *t, const struct proc_target *p);
s64 show_sysvipc_sem(struct text *t, const struct proc_target *p);
s64 show_sysvipc_msg(struct text *t, const struct proc_target *p);
s64 show_uuid(struct text *t, const struct proc_target *p);
s64 show_hostname(struct text *t, const struct proc_target *p);
s64 show_domainname(struct text *t, const struct proc_target *p);
s64 show_boot_id(struct text *t, const struct proc_target *p);
s64 link_self(struct text *t, const struct proc_target *p);
s64 link_thread_self(struct text *t, const struct proc_target *p);
s64 link_mounts(struct text *t, const struct proc_target *p);
s64 link_net(struct text *t, const struct proc_target *p);

/* proc_tune.c: /proc/sys, as far as it can be written. entry.value: enum tunable. */
s64 show_tunable(struct text *t, const struct proc_target *p);
s64 show_sem(struct text *t, const struct proc_target *p);
s64 set_tunable(const struct proc_target *p, const char *text);
s64 set_sem(const struct proc_target *p, const char *text);
s64 set_name(const struct proc_target *p, const char *text);

/* proc_pid.c */
s64 show_pid_stat(struct text *t, const struct proc_target *p);
s64 show_pid_status(struct text *t, const struct proc_target *p);
s64 show_pid_statm(struct text *t, const struct proc_target *p);
s64 show_pid_cmdline(struct text *t, const struct proc_target *p);
s64 show_pid_comm(struct text *t, const struct proc_target *p);
s64 show_pid_mem(struct text *t, const struct proc_target *p);

/* proc_remote.c: what only the process's own kernel can tell. */
s64 proc_text_remote(struct text *t, const struct proc_target *p); /* 0 or -errno */
/* The other side: bytes of the text of an entry about a process of this member, or -errno. */
s64 proc_text_piece(u32 entry, s32 pid, s32 tid, u64 offset, char *data, u64 size);
/* Its memory, whatever its rights are: bytes, or -EIO. buf: in the application. */
s64 proc_mem(const struct proc_target *p, u64 buf, size_t len, u64 at, bool write);
s32 proc_next_thread(s32 pid, s32 from); /* the lowest number >= from, or -1 */

s64 show_pid_environ(struct text *t, const struct proc_target *p);
s64 show_pid_auxv(struct text *t, const struct proc_target *p);
s64 show_pid_limits(struct text *t, const struct proc_target *p);
s64 show_pid_fdinfo(struct text *t, const struct proc_target *p);
s64 link_exe(struct text *t, const struct proc_target *p);
s64 link_cwd(struct text *t, const struct proc_target *p);
s64 link_root(struct text *t, const struct proc_target *p);
s64 link_fd(struct text *t, const struct proc_target *p);

/* proc_account.c */
s64 show_pid_maps(struct text *t, const struct proc_target *p);
s64 show_pid_smaps(struct text *t, const struct proc_target *p);
s64 show_pid_smaps_rollup(struct text *t, const struct proc_target *p);
s64 show_pid_io(struct text *t, const struct proc_target *p);
s64 show_pid_schedstat(struct text *t, const struct proc_target *p);
s64 show_pid_syscall(struct text *t, const struct proc_target *p);
s64 show_pid_wchan(struct text *t, const struct proc_target *p);
s64 show_pid_personality(struct text *t, const struct proc_target *p);
s64 show_pid_timerslack(struct text *t, const struct proc_target *p);
s64 show_pid_oom_adjust(struct text *t, const struct proc_target *p);
s64 show_pid_loginuid(struct text *t, const struct proc_target *p);
s64 show_pid_sessionid(struct text *t, const struct proc_target *p);
s64 show_tid_children(struct text *t, const struct proc_target *p);
s64 link_ns(struct text *t, const struct proc_target *p);
/* What may be written: one number, or a name, NUL-terminated. 0 or -errno. */
s64 proc_set(const struct proc_target *p, const char *text);

#endif
