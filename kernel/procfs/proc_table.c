/* SPDX-License-Identifier: ISC */
/* The entries of /proc. Row 0 is /proc itself; rows with the name "" stand for numbers. */
#include "kernel/event/aio.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/net/inet.h"
#include "kernel/net/inet_proc.h"
#include "kernel/net/net.h"
#include "kernel/net/unix.h"
#include "kernel/pipe/pipe.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"
#include "kernel/tty/pty.h"
#include "kernel/vfs/lease.h"
#include "kernel/vfs/mounts.h"
#include "kernel/vfs/notify.h"

#define FD_COUNT_MAX 1048576
#define DIR(in, self, name) {in, self, name, S_IFDIR | 0555, NULL, NULL, LOOK_FREE, NULL, 0}
#define FILE(in, name, mode, show) LOOK(in, name, mode, show, FREE)
#define LOOK(in, name, mode, show, look) \
	{in, P_NONE, name, S_IFREG | (mode), show, NULL, LOOK_##look, NULL, 0}
#define LINK(in, name, link) {in, P_NONE, name, S_IFLNK | 0777, NULL, link, LOOK_FREE, NULL, 0}
#define LOOK_LINK(in, name, link) \
	{in, P_NONE, name, S_IFLNK | 0777, NULL, link, LOOK_AT_READ, NULL, 0}
#define LINE(in, name, text) {in, P_NONE, name, S_IFREG | 0444, NULL, NULL, LOOK_FREE, text, 0}
#define NUMBER(in, name, value) \
	{in, P_NONE, name, S_IFREG | 0444, NULL, NULL, LOOK_FREE, NULL, value}
#define TUNABLE(in, name, value) \
	{in, P_NONE, name, S_IFREG | 0644, show_tunable, NULL, LOOK_FREE, NULL, TUNE_##value}
#define NAMESPACE(name, kind, number) \
	{P_NS, P_NONE, name, S_IFLNK | 0777, NULL, link_ns, LOOK_AT_READ, kind, number}

const struct proc_entry proc_entries[] = {
	DIR(P_NONE, P_ROOT, "proc"),
	DIR(P_ROOT, P_PID, ""),
	DIR(P_TASK, P_TID, ""),
	{P_FD, P_NONE, "", S_IFLNK | 0700, NULL, link_fd, LOOK_AT_READ, NULL, 0},
	LOOK(P_FDINFO, "", 0444, show_pid_fdinfo, AT_OPEN),

	LINK(P_ROOT, "self", link_self),
	LINK(P_ROOT, "thread-self", link_thread_self),
	LINK(P_ROOT, "mounts", link_mounts),
	LINK(P_ROOT, "net", link_net),
	FILE(P_ROOT, "meminfo", 0444, show_meminfo),
	FILE(P_ROOT, "cpuinfo", 0444, show_cpuinfo),
	FILE(P_ROOT, "stat", 0444, show_stat),
	FILE(P_ROOT, "vmstat", 0444, show_vmstat),
	FILE(P_ROOT, "uptime", 0444, show_uptime),
	FILE(P_ROOT, "loadavg", 0444, show_loadavg),
	FILE(P_ROOT, "version", 0444, show_version),
	FILE(P_ROOT, "filesystems", 0444, show_filesystems),
	FILE(P_ROOT, "locks", 0444, show_locks),
	FILE(P_ROOT, "devices", 0444, show_devices),
	LINE(P_ROOT, "partitions", "major minor  #blocks  name\n"),
	LINE(P_ROOT, "cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled"),
	LINE(P_ROOT, "swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"),
	LINE(P_ROOT, "cmdline", "unifork"),
	FILE(P_ROOT, "diskstats", 0444, show_empty),
	FILE(P_ROOT, "misc", 0444, show_empty),
	FILE(P_ROOT, "modules", 0444, show_empty),
	DIR(P_ROOT, P_SYSVIPC, "sysvipc"),
	FILE(P_SYSVIPC, "shm", 0444, show_sysvipc_shm),
	FILE(P_SYSVIPC, "sem", 0444, show_sysvipc_sem),
	FILE(P_SYSVIPC, "msg", 0444, show_sysvipc_msg),
	DIR(P_ROOT, P_SYS, "sys"),

	DIR(P_SYS, P_SYS_KERNEL, "kernel"),
	DIR(P_SYS, P_SYS_FS, "fs"),
	DIR(P_SYS, P_SYS_VM, "vm"),
	DIR(P_SYS, P_SYS_NET, "net"),

	LINE(P_SYS_KERNEL, "ostype", "Linux"),
	LINE(P_SYS_KERNEL, "osrelease", KERNEL_RELEASE),
	LINE(P_SYS_KERNEL, "version", "#1 SMP unifork"),
	FILE(P_SYS_KERNEL, "hostname", 0644, show_hostname),
	FILE(P_SYS_KERNEL, "domainname", 0644, show_domainname),
	NUMBER(P_SYS_KERNEL, "randomize_va_space", 2), /* everything: kernel/exec/exec_random.c */
	NUMBER(P_SYS_KERNEL, "pid_max", PID_MAX),
	NUMBER(P_SYS_KERNEL, "threads-max", PROCS_MAX),
	NUMBER(P_SYS_KERNEL, "cap_last_cap", 40),
	LINE(P_SYS_KERNEL, "core_pattern", "core"),
	NUMBER(P_SYS_KERNEL, "core_uses_pid", 0),
	NUMBER(P_SYS_KERNEL, "core_pipe_limit", 0),
	NUMBER(P_SYS_KERNEL, "ngroups_max", 65536),
	NUMBER(P_SYS_KERNEL, "overflowuid", 65534),
	NUMBER(P_SYS_KERNEL, "overflowgid", 65534),
	NUMBER(P_SYS_KERNEL, "tainted", 0),
	TUNABLE(P_SYS_KERNEL, "msgmax", MSG_MAX),
	TUNABLE(P_SYS_KERNEL, "msgmnb", MSG_QUEUE_BYTES),
	TUNABLE(P_SYS_KERNEL, "msgmni", MSG_COUNT),
	FILE(P_SYS_KERNEL, "sem", 0644, show_sem),
	TUNABLE(P_SYS_KERNEL, "shmmax", SHM_MAX),
	TUNABLE(P_SYS_KERNEL, "shmall", SHM_ALL),
	TUNABLE(P_SYS_KERNEL, "shmmni", SHM_COUNT),
	DIR(P_SYS_KERNEL, P_SYS_RANDOM, "random"),
	FILE(P_SYS_RANDOM, "uuid", 0444, show_uuid),
	FILE(P_SYS_RANDOM, "boot_id", 0444, show_boot_id),
	NUMBER(P_SYS_RANDOM, "entropy_avail", 256),
	NUMBER(P_SYS_RANDOM, "poolsize", 256),
	DIR(P_SYS_KERNEL, P_SYS_PTY, "pty"),
	NUMBER(P_SYS_PTY, "max", PTY_MAX),

	NUMBER(P_SYS_FS, "lease-break-time", LEASE_BREAK_S),
	NUMBER(P_SYS_FS, "leases-enable", 1),
	TUNABLE(P_SYS_FS, "pipe-max-size", PIPE_SIZE),
	NUMBER(P_SYS_FS, "aio-max-nr", AIO_REQUESTS_MAX),
	NUMBER(P_SYS_FS, "pipe-user-pages-hard", 0),
	NUMBER(P_SYS_FS, "pipe-user-pages-soft", 0),
	NUMBER(P_SYS_FS, "file-max", 9223372036854775807),
	NUMBER(P_SYS_FS, "nr_open", FD_COUNT_MAX),
	NUMBER(P_SYS_FS, "overflowuid", 65534),
	NUMBER(P_SYS_FS, "overflowgid", 65534),
	NUMBER(P_SYS_FS, "protected_hardlinks", 0),
	NUMBER(P_SYS_FS, "protected_symlinks", 0),
	NUMBER(P_SYS_FS, "protected_fifos", 0),
	NUMBER(P_SYS_FS, "protected_regular", 0),
	NUMBER(P_SYS_FS, "suid_dumpable", 0),
	DIR(P_SYS_FS, P_SYS_INOTIFY, "inotify"),
	NUMBER(P_SYS_INOTIFY, "max_queued_events", INOTIFY_RING / sizeof(struct inotify_event)),
	NUMBER(P_SYS_INOTIFY, "max_user_instances", FD_COUNT_MAX), /* as many as descriptors */
	NUMBER(P_SYS_INOTIFY, "max_user_watches", 1048576), /* what kin has room for */
	DIR(P_SYS_FS, P_SYS_MQUEUE, "mqueue"),
	TUNABLE(P_SYS_MQUEUE, "msg_default", MQ_MESSAGES_DEFAULT),
	TUNABLE(P_SYS_MQUEUE, "msg_max", MQ_MESSAGES),
	TUNABLE(P_SYS_MQUEUE, "msgsize_default", MQ_SIZE_DEFAULT),
	TUNABLE(P_SYS_MQUEUE, "msgsize_max", MQ_SIZE),
	TUNABLE(P_SYS_MQUEUE, "queues_max", MQ_QUEUES),

	NUMBER(P_SYS_VM, "overcommit_memory", 1),
	NUMBER(P_SYS_VM, "overcommit_ratio", 50),
	NUMBER(P_SYS_VM, "overcommit_kbytes", 0),
	NUMBER(P_SYS_VM, "max_map_count", MAP_COUNT_MAX),
	NUMBER(P_SYS_VM, "mmap_min_addr", PRIVATE_BASE),
	NUMBER(P_SYS_VM, "legacy_va_layout", 0),
	NUMBER(P_SYS_VM, "nr_hugepages", 0),
	NUMBER(P_SYS_VM, "swappiness", 0),

	DIR(P_SYS_NET, P_SYS_NET_CORE, "core"),
	DIR(P_SYS_NET, P_SYS_NET_UNIX, "unix"),
	NUMBER(P_SYS_NET_CORE, "somaxconn", NET_SOMAXCONN),
	NUMBER(P_SYS_NET_CORE, "rmem_default", NET_BUFFER_DEFAULT),
	NUMBER(P_SYS_NET_CORE, "rmem_max", NET_BUFFER_DEFAULT),
	NUMBER(P_SYS_NET_CORE, "wmem_default", NET_BUFFER_DEFAULT),
	NUMBER(P_SYS_NET_CORE, "wmem_max", NET_BUFFER_DEFAULT),
	NUMBER(P_SYS_NET_UNIX, "max_dgram_qlen", UNIX_DGRAM_QUEUE),
	DIR(P_SYS_NET, P_SYS_NET_IPV4, "ipv4"),
	LINE(P_SYS_NET_IPV4, "ip_local_port_range", "32768\t60999"),
	NUMBER(P_SYS_NET_IPV4, "ip_unprivileged_port_start", INET_UNPRIVILEGED),
	NUMBER(P_SYS_NET_IPV4, "ip_default_ttl", 64),
	NUMBER(P_SYS_NET_IPV4, "ip_forward", 0),
	NUMBER(P_SYS_NET_IPV4, "ip_nonlocal_bind", 0),
	LINE(P_SYS_NET_IPV4, "ping_group_range", "1\t0"),
	LINE(P_SYS_NET_IPV4, "tcp_allowed_congestion_control", "reno cubic"),
	LINE(P_SYS_NET_IPV4, "tcp_available_congestion_control", "reno cubic"),
	LINE(P_SYS_NET_IPV4, "tcp_congestion_control", "cubic"),
	NUMBER(P_SYS_NET_IPV4, "tcp_fastopen", 0),
	NUMBER(P_SYS_NET_IPV4, "tcp_fin_timeout", 60),
	NUMBER(P_SYS_NET_IPV4, "tcp_keepalive_intvl", 75),
	NUMBER(P_SYS_NET_IPV4, "tcp_keepalive_probes", 9),
	NUMBER(P_SYS_NET_IPV4, "tcp_keepalive_time", 7200),
	NUMBER(P_SYS_NET_IPV4, "tcp_max_syn_backlog", NET_SOMAXCONN),
	LINE(P_SYS_NET_IPV4, "tcp_rmem", "4096\t131072\t6291456"),
	LINE(P_SYS_NET_IPV4, "tcp_wmem", "4096\t16384\t4194304"),
	NUMBER(P_SYS_NET_IPV4, "tcp_sack", 1),
	NUMBER(P_SYS_NET_IPV4, "tcp_syn_retries", 6),
	NUMBER(P_SYS_NET_IPV4, "tcp_syncookies", 1),
	NUMBER(P_SYS_NET_IPV4, "tcp_timestamps", 1),
	NUMBER(P_SYS_NET_IPV4, "tcp_tw_reuse", 2),
	NUMBER(P_SYS_NET_IPV4, "tcp_window_scaling", 1),
	DIR(P_SYS_NET, P_SYS_NET_IPV6, "ipv6"),
	NUMBER(P_SYS_NET_IPV6, "bindv6only", 0),
	DIR(P_SYS_NET_IPV6, P_SYS_NET_IPV6_CONF, "conf"),
	DIR(P_SYS_NET_IPV6_CONF, P_SYS_NET_IPV6_ALL, "all"),
	NUMBER(P_SYS_NET_IPV6_ALL, "disable_ipv6", 0),
	NUMBER(P_SYS_NET_IPV6_ALL, "forwarding", 0),

	LOOK_LINK(P_PID, "exe", link_exe),
	LOOK_LINK(P_PID, "cwd", link_cwd),
	LOOK_LINK(P_PID, "root", link_root),
	{P_PID, P_FD, "fd", S_IFDIR | 0500, NULL, NULL, LOOK_FREE, NULL, 0},
	DIR(P_PID, P_FDINFO, "fdinfo"),
	DIR(P_PID, P_TASK, "task"),
	DIR(P_PID, P_NS, "ns"),
	DIR(P_PID, P_NET, "net"),
	FILE(P_NET, "tcp", 0444, show_net_tcp),
	FILE(P_NET, "tcp6", 0444, show_net_tcp6),
	FILE(P_NET, "udp", 0444, show_net_udp),
	FILE(P_NET, "udp6", 0444, show_net_udp6),
	FILE(P_NET, "raw", 0444, show_net_raw),
	FILE(P_NET, "dev", 0444, show_net_dev),
	FILE(P_NET, "route", 0444, show_net_route),
	FILE(P_NET, "arp", 0444, show_net_arp),
	FILE(P_NET, "if_inet6", 0444, show_net_if_inet6),
	FILE(P_NET, "snmp", 0444, show_net_snmp),
	FILE(P_NET, "sockstat", 0444, show_net_sockstat),
	FILE(P_NET, "sockstat6", 0444, show_net_sockstat6),
	FILE(P_NET, "raw6", 0444, show_net_raw),
	FILE(P_NET, "unix", 0444, show_net_unix),
	FILE(P_PID, "stat", 0444, show_pid_stat),
	FILE(P_PID, "status", 0444, show_pid_status),
	FILE(P_PID, "statm", 0444, show_pid_statm),
	FILE(P_PID, "cmdline", 0444, show_pid_cmdline),
	FILE(P_PID, "comm", 0644, show_pid_comm),
	LOOK(P_PID, "environ", 0400, show_pid_environ, AT_OPEN),
	LOOK(P_PID, "auxv", 0400, show_pid_auxv, AT_OPEN),
	LOOK(P_PID, "mem", 0600, show_pid_mem, AT_OPEN),
	LOOK(P_PID, "maps", 0444, show_pid_maps, AT_OPEN),
	LOOK(P_PID, "smaps", 0444, show_pid_smaps, AT_OPEN),
	LOOK(P_PID, "smaps_rollup", 0444, show_pid_smaps_rollup, AT_OPEN),
	FILE(P_PID, "limits", 0444, show_pid_limits),
	LOOK(P_PID, "io", 0400, show_pid_io, AT_READ),
	FILE(P_PID, "schedstat", 0444, show_pid_schedstat),
	LOOK(P_PID, "syscall", 0400, show_pid_syscall, AS_TRACER),
	FILE(P_PID, "wchan", 0444, show_pid_wchan),
	LOOK(P_PID, "personality", 0400, show_pid_personality, AS_TRACER),
	FILE(P_PID, "timerslack_ns", 0666, show_pid_timerslack),
	FILE(P_PID, "mounts", 0444, show_mounts),
	FILE(P_PID, "mountinfo", 0444, show_mountinfo),
	FILE(P_PID, "mountstats", 0400, show_mountstats),
	NUMBER(P_PID, "oom_score", 0),
	FILE(P_PID, "oom_score_adj", 0644, show_pid_oom_adjust),
	LINE(P_PID, "cgroup", "0::/"), /* as in the root of a cgroup namespace */
	LINE(P_PID, "cpuset", "/"),
	FILE(P_PID, "loginuid", 0644, show_pid_loginuid),
	FILE(P_PID, "sessionid", 0444, show_pid_sessionid),
	LINE(P_PID, "setgroups", "allow"),
	LINE(P_PID, "uid_map", "         0          0 4294967295"),
	LINE(P_PID, "gid_map", "         0          0 4294967295"),
	LINE(P_PID, "projid_map", "         0          0 4294967295"),
	LINE(P_PID, "timens_offsets",
		 "monotonic           0         0\nboottime            0         0"),
	FILE(P_TID, "children", 0444, show_tid_children),

	/* Every member is in the initial ones; the numbers are Linux's. */
	NAMESPACE("cgroup", "cgroup", 4026531835),
	NAMESPACE("ipc", "ipc", 4026531839),
	NAMESPACE("mnt", "mnt", 4026531841),
	NAMESPACE("net", "net", 4026531840),
	NAMESPACE("pid", "pid", 4026531836),
	NAMESPACE("pid_for_children", "pid", 4026531836),
	NAMESPACE("time", "time", 4026531834),
	NAMESPACE("time_for_children", "time", 4026531834),
	NAMESPACE("user", "user", 4026531837),
	NAMESPACE("uts", "uts", 4026531838),
};
const u32 proc_entry_count = ARRAY_SIZE(proc_entries);
