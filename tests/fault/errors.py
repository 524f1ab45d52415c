# SPDX-License-Identifier: ISC
"""Which errors a host call may plausibly give, for fault injection.

The errors are those of the manual pages that a busy, full or restrictive host gives to a caller
that made no mistake; EFAULT, EBADF and the like would be bugs of the caller. A call that is not in
ERRORS and not in CANNOT_FAIL fails the tests, so that whoever adds one has to say.
"""

import errno

# What ioctl, fcntl, futex and others are asked for: the SUB of inject.c.
KVM = 0xAE
KVM_CREATE_VM, KVM_RUN = 0xAE01, 0xAE80
FUTEX_WAKE, FUTEX_WAIT_BITSET = 1, 9

NO_MEMORY = ("ENOMEM",)
NO_DESCRIPTOR = ("EMFILE", "ENFILE", "ENOMEM")
NO_SPACE = ("ENOSPC", "EDQUOT", "EIO")
LOOKUP = ("EMFILE", "ENFILE", "ENOMEM", "EIO", "EACCES", "EINTR")

ERRORS = {
    # memory
    "brk": ("0",),  # gives nothing: brk returns where the break is
    "mmap": ("ENOMEM", "EAGAIN"),
    "munmap": NO_MEMORY,
    "mprotect": ("ENOMEM", "EACCES"),
    "memfd_create": NO_DESCRIPTOR,
    # processes and signals
    "clone": ("EAGAIN", "ENOMEM", "EPERM"),
    "clone3": ("EAGAIN", "ENOMEM", "EPERM", "ENOSPC", "ENOSYS"),
    "fork": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"),
    "wait4": ("EINTR",),
    "waitid": ("EINTR",),
    "rt_sigaction": ("EINVAL",),
    "sigaltstack": ("ENOMEM",),
    "signalfd4": NO_DESCRIPTOR,
    "timer_create": ("EAGAIN", "ENOMEM"),
    "pidfd_open": NO_DESCRIPTOR,
    "pidfd_send_signal": ("ENOMEM",),
    "futex": ("EINTR",),
    "ppoll": ("EINTR", "ENOMEM"),
    "poll": ("EINTR", "ENOMEM"),
    "epoll_create1": NO_DESCRIPTOR,
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_pwait": ("EINTR",),
    "epoll_pwait2": ("EINTR",),
    "eventfd2": NO_DESCRIPTOR,
    "sched_getaffinity": ("EINVAL",),
    "timerfd_create": NO_DESCRIPTOR,
    "clock_nanosleep": ("EINTR",),
    "nanosleep": ("EINTR",),
    "membarrier": ("ENOSYS", "EPERM"),
    "mlock": ("ENOMEM", "EPERM"),
    "mremap": NO_MEMORY,
    "setpgid": ("EPERM", "EACCES"),
    "setsid": ("EPERM",),
    "sched_setaffinity": ("EINVAL", "EPERM"),
    "sched_getattr": ("EINVAL", "E2BIG", "EPERM", "ENOSYS"),
    "sched_setattr": ("EINVAL", "E2BIG", "EPERM", "EBUSY", "ENOSYS"),
    # authority
    "seccomp": ("ENOMEM", "EINVAL", "EACCES"),
    "prctl": ("EINVAL", "EPERM"),
    "capget": ("EPERM",),
    "getgroups": ("EINVAL",),
    "capset": ("EPERM",),
    "chroot": ("EPERM", "ENOMEM"),
    "fchdir": ("EACCES",),
    "chdir": ("EACCES",),
    "prlimit64": ("EPERM",),
    "setrlimit": ("EPERM",),
    "landlock_create_ruleset": ("EOPNOTSUPP", "ENOSYS", "ENOMEM", "EMFILE"),
    "landlock_add_rule": ("ENOMEM",),
    "landlock_restrict_self": ("E2BIG", "ENOMEM"),
    "unshare": ("EPERM", "ENOSPC", "ENOMEM", "EINVAL"),
    "setns": ("EPERM", "ENOMEM"),
    "mount": ("EPERM", "ENOMEM", "EACCES"),
    "umount2": ("EPERM", "EBUSY"),
    "pivot_root": ("EPERM", "EBUSY", "EINVAL"),
    "open_tree": ("EPERM", "ENOMEM", "EMFILE", "ENOSYS"),
    "move_mount": ("EPERM", "ENOMEM", "ENOSYS"),
    "mount_setattr": ("EPERM", "ENOMEM", "ENOSYS", "EINVAL"),
    "fsopen": ("EPERM", "ENOMEM", "EMFILE", "ENOSYS"),
    "fsconfig": ("EPERM", "ENOMEM"),
    "fsmount": ("EPERM", "ENOMEM", "EMFILE"),
    "setgroups": ("EPERM",),
    "setresuid": ("EAGAIN", "EPERM"),
    "setresgid": ("EPERM",),
    "sethostname": ("EPERM",),
    # files
    "open": LOOKUP,
    "openat": LOOKUP,
    "openat2": LOOKUP + ("EAGAIN", "ENOSYS"),
    "close": ("EIO", "EINTR"),  # made all the same
    "close_range": ("ENOSYS",),
    "dup3": ("EMFILE", "EBUSY"),
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "write": NO_SPACE + ("EINTR", "EAGAIN", "EPIPE"),
    "writev": NO_SPACE + ("EINTR", "EAGAIN", "EPIPE"),
    "pwritev2": NO_SPACE + ("EINTR",),
    "lseek": ("EINVAL",),
    "statx": ("ENOMEM", "EIO", "EACCES"),
    "fstat": ("ENOMEM", "EIO"),
    "newfstatat": ("ENOMEM", "EIO", "EACCES"),
    "fstatfs": ("EIO", "ENOSYS", "EINTR"),
    "getdents64": ("EIO", "ENOMEM"),
    "readlink": ("EACCES", "EIO"),
    "readlinkat": ("EACCES", "EIO"),
    "getcwd": ("ENOENT", "ERANGE"),
    "ftruncate": ("EIO", "EINTR", "ENOSPC"),
    "fallocate": NO_SPACE + ("EINTR", "EOPNOTSUPP"),
    "fsync": NO_SPACE + ("EINTR",),
    "fdatasync": NO_SPACE + ("EINTR",),
    "syncfs": ("EIO", "ENOSPC"),
    "mkdirat": NO_SPACE + ("EACCES", "ENOMEM"),
    "mknodat": NO_SPACE + ("EACCES", "EPERM"),
    "symlinkat": NO_SPACE + ("EACCES", "EPERM"),
    "linkat": NO_SPACE + ("EACCES", "EPERM", "EMLINK"),
    "unlinkat": ("EIO", "EACCES", "EPERM", "EBUSY"),
    "renameat": NO_SPACE + ("EACCES", "EPERM", "EBUSY"),
    "renameat2": NO_SPACE + ("EACCES", "EPERM", "EBUSY"),
    "fchmodat2": ("ENOSYS", "EPERM", "EIO"),
    "chmod": ("EPERM", "EIO"),
    "fchownat": ("EPERM", "EIO"),
    "utimensat": ("EPERM", "EIO", "EACCES"),
    "access": ("EACCES", "EIO", "ENOMEM"),
    "faccessat2": ("EACCES", "EIO", "ENOMEM", "ENOSYS"),
    "statfs": ("EIO", "ENOSYS", "ENOMEM"),
    "stat": ("ENOMEM", "EIO", "EACCES"),
    "lstat": ("ENOMEM", "EIO", "EACCES"),
    "unlink": ("EIO", "EACCES", "EPERM", "EBUSY"),
    "mkdir": NO_SPACE + ("EACCES", "ENOMEM"),
    "rmdir": ("EIO", "EACCES", "EPERM", "EBUSY"),
    "dup": ("EMFILE",),
    "flock": ("EINTR", "ENOLCK"),
    "pipe2": NO_DESCRIPTOR,
    # sockets
    "socket": NO_DESCRIPTOR,
    "bind": ("EACCES", "ENOMEM", "EADDRINUSE"),
    "listen": ("EADDRINUSE",),
    "accept4": NO_DESCRIPTOR + ("EINTR",),
    "connect": ("EAGAIN", "ENOMEM", "EACCES", "EINTR"),
    "socketpair": NO_DESCRIPTOR,
    "sendmsg": ("EAGAIN", "ENOMEM", "ETOOMANYREFS", "EINTR"),
    "recvmsg": ("EAGAIN", "ENOMEM", "EINTR"),
    "sendto": ("EAGAIN", "ENOMEM", "EINTR"),
    "recvfrom": ("EAGAIN", "ENOMEM", "EINTR"),
    "setsockopt": ("ENOMEM",),
    "pidfd_getfd": ("EMFILE", "EPERM", "ESRCH"),
    "getrandom": ("EINTR", "EAGAIN", "ENOSYS"),
}

CANNOT_FAIL = {
    "arch_prctl", "clock_gettime", "execve", "exit_group", "getegid", "geteuid", "getgid",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid",
    "gettid", "getuid", "kill", "rseq", "rt_sigprocmask", "rt_sigreturn", "sched_yield",
    "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setitimer", "shutdown",
    "sysinfo", "times", "timer_settime", "umask", "uname",
}

IOCTLS = {
    KVM_RUN: ("EINTR", "EAGAIN"),
    KVM_CREATE_VM: ("ENOMEM", "EMFILE", "EINTR"),
}
FCNTLS = ("EPERM", "ENOMEM")
READS = {1: ("ESRCH",)}  # of /proc; a signalfd and an eventfd cannot fail
WRITES = {1: ()}  # an eventfd only has to become non-zero
FUTEXES = {FUTEX_WAIT_BITSET: ("EINTR", "EAGAIN")}
MADVISE = {4: ()}  # MADV_DONTNEED of what is mapped
LATE = {"close"}


def errors_of(name, sub):
    """Names of errors; None: the tables do not know this call."""
    if name == "ioctl":
        kvm = ("ENOMEM", "EINTR") if sub >> 8 & 0xFF == KVM else ("ENOTTY", "EIO")
        return IOCTLS.get(sub, kvm)
    if name == "fcntl":
        return FCNTLS
    if name == "futex":
        return FUTEXES.get(sub, ())
    if name == "madvise":
        return MADVISE.get(sub, ("ENOMEM", "EAGAIN"))
    if name == "write" and sub in WRITES:
        return WRITES[sub]
    if name == "read" and sub in READS:
        return READS[sub]
    return () if name in CANNOT_FAIL else ERRORS.get(name)


def number(name):
    return int(name) if name.isdigit() else getattr(errno, name)
