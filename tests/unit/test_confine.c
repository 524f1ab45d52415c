/* SPDX-License-Identifier: ISC */
/*
 * The seccomp program. The compiled instructions are run here by an interpreter of the host's
 * classic BPF, over every call that a monitor makes and hostile variants of each of its arguments:
 * each bit flipped, garbage in the upper half, -1, AT_FDCWD in both spellings, neighbours of every
 * limit, and pairs of such. What must come out says an oracle that is written in the types that
 * the host kernel sees (an int is an int). The numbers of calls, and of those whose arguments are
 * looked at, are found by following every path through the program; they are pinned for each kind
 * of family, and docs/security.md states them (tools/gen_security_md.py compares).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/host_constants.h"
#include "monitor/core/core_internal.h"
#include "monitor/core/tty_ioctls.h"

#define TTY_GET 0x5401
#define TTY_SET 0x5402
const struct tty_ioctl tty_ioctls[] = {
	{TTY_GET, 36, TTY_OUT, false}, {TTY_SET, 36, TTY_IN, true}, {0, 0, TTY_VALUE, false}};

#define RUN 0xae80
#define MAKE_VM 0xae01
#define MAKE_VCPU 0xae41
static const struct backend_ioctl requests[] = {
	{RUN, IOCTL_ON_VCPU}, {MAKE_VM, IOCTL_ON_KVM}, {MAKE_VCPU, IOCTL_ON_VM}, {0, IOCTL_ON_KVM}};

#define HYPERCALL(name, kinds, host, why) [HYP_##name] = {#name, kinds, host, why, NULL},
const struct hypercall_info hypercall_table[HYPERCALL_COUNT] = {
#include "abi/hypercalls.def"
};
#undef HYPERCALL

int error_set(struct error *err, int code, const char *fmt, ...)
{
	fail_msg("%s", fmt);
	return -1;
}

extern const char __executable_start[], etext[];

/* Descriptors of the families below; 20 and 21 are some that a monitor opened. */
enum { KIN_NR = 5, NOTIFY, ROOT, DEVICE, VM, VCPU, VOLUME, GIFT = 13, PUBLISHED };
#define PROGRAM_MAX 2048

enum sockets { NO_SOCKETS, HANDED, MADE }; /* those of published ports, and --net */

struct config {
	const char *name;
	bool on_host;
	u32 volumes;
	bool writes, fsgsbase, plain; /* plain: no namespaces */
	enum sockets sockets;
	u32 calls, checked; /* pinned */
};

/* tools/gen_security_md.py reads these lines. */
static const struct config configs[] = {
	{"kvm", false, 0, false, true, false, NO_SOCKETS, 30, 25},
	{"kvm, no namespaces", false, 0, false, true, true, NO_SOCKETS, 31, 25},
	{"kvm, volume read-only", false, 1, false, true, false, NO_SOCKETS, 31, 26},
	{"kvm, volume writable", false, 2, true, true, false, NO_SOCKETS, 36, 31},
	{"process", true, 0, false, true, false, NO_SOCKETS, 31, 26},
	{"process, no namespaces", true, 0, false, true, true, NO_SOCKETS, 32, 26},
	{"process, no FSGSBASE", true, 0, false, false, false, NO_SOCKETS, 32, 27},
	{"process, volume read-only", true, 1, false, true, false, NO_SOCKETS, 32, 27},
	{"process, volume writable", true, 2, true, true, false, NO_SOCKETS, 37, 32},
	{"kvm, published ports", false, 0, false, true, false, HANDED, 41, 36},
	{"kvm, a network", false, 0, false, true, false, MADE, 46, 41},
	{"process, published ports", true, 0, false, true, false, HANDED, 42, 37},
	{"process, a network", true, 0, false, true, false, MADE, 47, 42},
};

struct program {
	const struct config *config;
	struct family family;
	struct backend_ops backend;
	struct sock_filter code[PROGRAM_MAX];
	size_t len;
};

static const struct boot_range zones[] = {
	{KERNEL_END, 0x6000000000}, {0x100000000000, 0x300000000000},
	{0x3fffffe00000, 0x400000000000}};

static void program_make(struct program *p, const struct config *c)
{
	struct error err;

	memset(p, 0, sizeof(*p));
	p->config = c;
	p->backend = (struct backend_ops){.runs_on_host = c->on_host,
									  .ioctls = c->on_host ? NULL : requests};
	p->family = (struct family){.kin_fd = KIN_NR, .notify_fd = NOTIFY, .root_fd = ROOT,
								.kvm_fd = c->on_host ? -1 : DEVICE,
								.vm_fd = c->on_host ? 0 : VM, .vcpu_fd = c->on_host ? 0 : VCPU,
								.volume_count = c->volumes, .backend = &p->backend};
	for (u32 i = 0; i < c->volumes; i++)
		p->family.volumes[i] = (struct volume){VOLUME + (int)i, !c->writes || i > 0, false};
	p->family.gift_fds[1] = GIFT;
	p->family.sockets = c->sockets == MADE;
	if (c->sockets)
		p->family.published[p->family.published_count++].fd = PUBLISHED;
	p->family.namespaced = !c->plain;
	for (u32 i = 0; c->on_host && i < ARRAY_SIZE(zones); i++)
		p->family.zones[p->family.zone_count++] = zones[i];
	p->len = confine_program(&p->family, confine_conditions(&p->family, c->fsgsbase), p->code,
							 PROGRAM_MAX, &err);
	assert_true(p->len > 0);
}

static u64 text_address(void)
{
	return (u64)__executable_start + 64;
}

/* One instruction on the accumulator and X; jumps move *pc. */
struct machine {
	u32 a, x, memory[BPF_MEMWORDS];
};

static bool compares(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JSET: return a & b;
	default: fail_msg("comparison %#x", op); return false;
	}
}

static u32 computes(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_ADD: return a + b;
	case BPF_LSH: return b < 32 ? a << b : 0;
	case BPF_RSH: return b < 32 ? a >> b : 0;
	default: fail_msg("operation %#x", op); return 0;
	}
}

static u32 word_at(const struct seccomp_data *d, u32 offset)
{
	u32 word;

	assert_true(offset % 4 == 0 && offset <= sizeof(*d) - 4);
	memcpy(&word, (const char *)d + offset, sizeof(word));
	return word;
}

static u32 run(const struct program *p, const struct seccomp_data *d)
{
	struct machine m = {0};

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->code[pc];
		u32 operand = BPF_SRC(f->code) == BPF_X ? m.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD: m.a = BPF_MODE(f->code) == BPF_MEM ? m.memory[f->k] : word_at(d, f->k); break;
		case BPF_LDX: m.x = m.memory[f->k]; break;
		case BPF_ST: m.memory[f->k] = m.a; break;
		case BPF_MISC: m.x = m.a; break;
		case BPF_ALU: m.a = computes(BPF_OP(f->code), m.a, operand); break;
		case BPF_RET: return f->k;
		case BPF_JMP:
			pc += BPF_OP(f->code) == BPF_JA                ? f->k
				  : compares(BPF_OP(f->code), m.a, operand) ? f->jt
															: f->jf;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static bool allowed(const struct program *p, long nr, const u64 *args)
{
	struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64,
							 .instruction_pointer = text_address()};

	memcpy(d.args, args, sizeof(d.args));
	u32 verdict = run(p, &d);
	assert_true(verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_KILL_PROCESS);
	return verdict == SECCOMP_RET_ALLOW;
}

/* The oracle. Arguments have the types of the host kernel's own functions. */

static bool file(int fd)
{
	return fd > 2;
}

/* One that the monitor opened, so nothing that a rule or a tree names by number. */
static bool opened(const struct program *p, int fd)
{
	const struct config *c = p->config;
	bool named = fd == KIN_NR || fd == NOTIFY || fd == ROOT || (!c->on_host && fd == DEVICE) ||
				 (c->volumes > 0 && fd == VOLUME) || (c->sockets && fd == PUBLISHED) ||
				 ((c->volumes > 0 || c->sockets) && fd == GIFT) ||
				 (c->volumes > 1 && fd == VOLUME + 1);

	return fd > 2 && !named;
}

static bool range(const struct program *p, u64 addr, u64 len)
{
	if (addr % 4096 || len % 4096)
		return false;
	for (u32 i = 0; p->config->on_host && i < ARRAY_SIZE(zones); i++)
		if (addr >= zones[i].start && addr <= zones[i].end && len <= zones[i].end - addr)
			return true;
	return addr <= PRIVATE_END && len <= PRIVATE_END - addr;
}

static bool protection(const struct program *p, u64 prot)
{
	return prot <= 7 && (p->config->on_host || !(prot & PROT_EXEC));
}

static bool element(u64 pointer, const void *first, size_t count)
{
	return pointer >= (u64)first && pointer < (u64)first + 32 * count &&
		   (pointer - (u64)first) % 32 == 0;
}

static bool oracle_mmap(const struct program *p, const u64 *a)
{
	int fd = (int)a[4];

	if (!p->config->on_host && a[0] == VCPU_RUN_ADDR && protection(p, a[2]) &&
		a[3] == (MAP_SHARED | MAP_FIXED) && fd == VCPU)
		return true;
	if (!range(p, a[0], a[1]) || !protection(p, a[2]))
		return false;
	switch (a[3]) {
	case MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE | MAP_ANONYMOUS: return true;
	case MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE: return file(fd);
	case MAP_FIXED | MAP_NORESERVE | MAP_SHARED:
		return p->config->volumes ? file(fd) : p->config->on_host && fd == KIN_NR;
	default: return false;
	}
}

static bool oracle_ioctl(const struct program *p, int fd, unsigned request)
{
	if (p->config->sockets && opened(p, fd) &&
		(request == 0x541b || request == 0x5411 || request == 0x8905)) /* FIONREAD, SIOC* */
		return true;
	if (fd >= 0 && fd <= 2)
		return request == TTY_GET || request == TTY_SET;
	return !p->config->on_host &&
		   ((fd == VCPU && request == RUN) || (fd == VM && request == MAKE_VCPU) ||
			(fd == DEVICE && request == MAKE_VM));
}

static bool oracle_clock(int id)
{
	return id == CLOCK_REALTIME || id == CLOCK_MONOTONIC || id == CLOCK_PROCESS_CPUTIME_ID ||
		   id == CLOCK_THREAD_CPUTIME_ID || id == CLOCK_BOOTTIME || id == CLOCK_TAI;
}

static bool oracle_writes(const struct program *p, long nr, const u64 *a)
{
	int fd = (int)a[0];

	if (!p->config->writes)
		return false;
	switch (nr) {
	case SYS_pwritev2: return file(fd) && !((int)a[5] & ~(RWF_APPEND | RWF_DSYNC | RWF_SYNC));
	case SYS_ftruncate: return opened(p, fd);
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_syncfs: return file(fd);
	default: return false;
	}
}

static bool oracle_memory(const struct program *p, long nr, const u64 *a)
{
	bool on_host = p->config->on_host;
	int advice = (int)a[2];

	switch (nr) {
	case SYS_mmap: return oracle_mmap(p, a);
	case SYS_mprotect: return on_host && range(p, a[0], a[1]) && protection(p, a[2]);
	case SYS_munmap:
		return on_host ? range(p, a[0], a[1])
					   : a[0] == VCPU_RUN_ADDR && (u32)a[1] <= VCPU_RUN_SIZE_MAX;
	case SYS_madvise:
		return range(p, a[0], a[1]) && (advice == MADV_DONTNEED || advice == MADV_HUGEPAGE ||
									 advice == MADV_NOHUGEPAGE || advice == 25 /* COLLAPSE */);
	case SYS_mincore: return range(p, a[0], a[1]);
	case SYS_fallocate:
		return ((int)a[0] == KIN_NR && (int)a[1] == 3) ||
			   (p->config->writes && opened(p, (int)a[0]) && !((int)a[1] & ~0x13));
	default: return false;
	}
}

static bool oracle_files(const struct program *p, long nr, const u64 *a)
{
	int fd = (int)a[0];

	switch (nr) {
	case SYS_openat2:
		return file(fd) && a[3] == sizeof(struct open_how) &&
			   element(a[2], host_hows, p->config->writes ? HOST_HOWS : HOST_HOWS_READING);
	case SYS_statx: return fd >= 0 && a[1] == (u64)&host_no_path && (int)a[2] == AT_EMPTY_PATH;
	case SYS_readlinkat: return file(fd) && a[1] == (u64)&host_no_path;
	case SYS_fstatfs:
	case SYS_pread64:
	case SYS_getdents64: return file(fd);
	case SYS_close: return opened(p, fd);
	case SYS_dup3: return file(fd) && opened(p, (int)a[1]) && (int)a[2] == O_CLOEXEC;
	case SYS_lseek: return (unsigned)a[2] <= 4;
	case SYS_recvmsg:
		if (p->config->sockets && opened(p, fd))
			return true;
		return (p->config->volumes || p->config->sockets) && fd == GIFT &&
			   (unsigned)a[2] == 0x40000040;
	default: return oracle_memory(p, nr, a) || oracle_writes(p, nr, a);
	}
}

/* Of the host kernel's numbers; lists end with -1. */
static bool listed(int name, const int *list)
{
	while (*list >= 0 && *list != name)
		list++;
	return *list >= 0;
}

static bool oracle_option(bool set, int level, int name)
{
	static const int set_socket[] = {2, 6, 7, 8, 9, 10, 13, 15, 18, 29, 35, -1};
	static const int set_tcp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 18, 23, 25, -1};
	static const int set_ip[] = {1, 2, 8, 10, 11, 12, 13, 24, -1};
	static const int set_ipv6[] = {16, 23, 25, 26, 49, 51, 66, 67, -1};
	static const int get_socket[] = {4, 7, 8, 30, -1}, get_tcp[] = {2, 11, 13, -1};
	static const int get_ip[] = {14, -1}, get_ipv6[] = {24, -1};

	switch (level) {
	case 1: return listed(name, set ? set_socket : get_socket);
	case 6: return listed(name, set ? set_tcp : get_tcp);
	case 0: return listed(name, set ? set_ip : get_ip);
	case 41: return listed(name, set ? set_ipv6 : get_ipv6);
	default: return false;
	}
}

static bool oracle_socket(int family, int type, int protocol)
{
	if (type == (1 | 0x80800)) /* SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK */
		return (family == 2 || family == 10) && protocol == 6;
	if (type != (2 | 0x80800))
		return false;
	return ((family == 2 || family == 10) && protocol == 17) || (family == 2 && protocol == 1) ||
		   (family == 10 && protocol == 58);
}

static bool oracle_sockets(const struct program *p, long nr, const u64 *a)
{
	bool made = p->config->sockets == MADE;
	int fd = (int)a[0], other = (int)a[2];

	if (!p->config->sockets)
		return false;
	switch (nr) {
	case SYS_socket: return made && oracle_socket((int)a[0], (int)a[1], (int)a[2]);
	case SYS_bind:
	case SYS_listen:
	case SYS_connect:
	case SYS_sendmsg: return made && opened(p, fd);
	case SYS_accept4: return (int)a[3] == 0x80800 && (fd == PUBLISHED || (made && opened(p, fd)));
	case SYS_sendto: /* MSG_DONTWAIT, NOSIGNAL, OOB, MORE */
		return opened(p, fd) && (made || (!a[4] && !((unsigned)a[3] & ~0xc041u)));
	case SYS_shutdown:
	case SYS_getsockname:
	case SYS_getpeername: return opened(p, fd);
	case SYS_setsockopt:
	case SYS_getsockopt:
		return opened(p, fd) && oracle_option(nr == SYS_setsockopt, (int)a[1], (int)a[2]);
	case SYS_epoll_create1: return (int)a[0] == 0x80000;
	case SYS_epoll_ctl:
		return opened(p, fd) && ((int)a[1] == 1 || (int)a[1] == 2) &&
			   (opened(p, other) || other == PUBLISHED);
	case SYS_epoll_pwait: return opened(p, fd) && a[4] == 0;
	default: return false;
	}
}

static bool oracle(const struct program *p, long nr, const u64 *a)
{
	int fd = (int)a[0];

	switch (nr) {
	case SYS_ioctl: return oracle_ioctl(p, fd, (unsigned)a[1]);
	case SYS_futex:
		return a[0] >= KIN_BASE && a[0] < KIN_END && ((int)a[1] == 1 || (int)a[1] == 9);
	case SYS_setitimer: return (int)a[0] == 0 && a[2] == 0;
	case SYS_clock_gettime: return oracle_clock((int)a[0]);
	case SYS_ppoll: return a[3] == 0;
	case SYS_read: return fd >= 0 && fd <= 2;
	case SYS_write: return (fd >= 0 && fd <= 2) || (fd == NOTIFY && a[2] == 8);
	case SYS_clone: return a[0] == 0x8000 && a[1] == 0;
	case SYS_prctl: return p->config->plain && (int)a[0] == 1 && a[1] == 9;
	case SYS_getppid: return p->config->plain;
	case SYS_kill: return !p->config->plain && (int)a[0] > 0 && (int)a[1] == MONITOR_SIGNAL;
	case SYS_arch_prctl:
		return p->config->on_host && !p->config->fsgsbase &&
			   ((int)a[0] == 0x1002 || (int)a[0] == 0x1003);
	case SYS_getrandom: return (unsigned)a[2] == 0;
	case SYS_getrusage: return (int)a[0] == 0;
	case SYS_sched_yield:
	case SYS_rt_sigreturn:
	case SYS_restart_syscall:
	case SYS_getpid:
	case SYS_exit_group: return true;
	default: return oracle_files(p, nr, a) || oracle_sockets(p, nr, a);
	}
}

/* What monitors do, from which the variants are made. */
#define SOME 0x50000000ull /* private memory */
#define WORD (KIN_BASE + 0x100)
#define CWD ((u64)AT_FDCWD)
#define HOW(i) ((u64)&host_hows[i])
#define EMPTY ((u64)&host_no_path)
#define ANON (MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE | MAP_ANONYMOUS)
#define FILE_PRIVATE (MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE)
#define FILE_SHARED (MAP_FIXED | MAP_NORESERVE | MAP_SHARED)

static const struct sample {
	long nr;
	u64 args[6];
} samples[] = {
	{SYS_ioctl, {VCPU, RUN}}, {SYS_ioctl, {VM, MAKE_VCPU}}, {SYS_ioctl, {DEVICE, MAKE_VM}},
	{SYS_ioctl, {0, TTY_GET, SOME}}, {SYS_ioctl, {2, TTY_SET, SOME}},
	{SYS_futex, {WORD, 1, 1}}, {SYS_futex, {WORD, 9, 7, 0, 0, ~0u}},
	{SYS_setitimer, {0, SOME, 0}}, {SYS_clock_gettime, {CLOCK_MONOTONIC, SOME}},
	{SYS_clock_gettime, {CLOCK_TAI, SOME}}, {SYS_ppoll, {SOME, 3, SOME, 0, 0}},
	{SYS_sched_yield, {0}}, {SYS_rt_sigreturn, {0}}, {SYS_restart_syscall, {0}},
	{SYS_getpid, {0}}, {SYS_getppid, {0}}, {SYS_exit_group, {111}},
	{SYS_madvise, {SOME, 0x10000, MADV_DONTNEED}},
	{SYS_madvise, {PRIVATE_END - 4096, 4096, MADV_HUGEPAGE}},
	{SYS_mincore, {SOME, 0x10000, SOME}},
	{SYS_mmap, {SOME, 0x10000, PROT_READ, ANON, ~0ull, 0}},
	{SYS_mmap, {PRIVATE_BASE, PRIVATE_END - PRIVATE_BASE, PROT_WRITE, ANON, 0, 0}},
	{SYS_mmap, {PRIVATE_END - 8192, 8192, PROT_EXEC, FILE_PRIVATE, 20, 4096}},
	{SYS_mmap, {SOME, 4096, PROT_READ | PROT_WRITE, FILE_SHARED, KIN_NR, 4096}},
	{SYS_mmap, {SOME, 4096, PROT_READ, FILE_SHARED, 20, 0}},
	{SYS_mmap, {VCPU_RUN_ADDR, 4096, PROT_WRITE, MAP_SHARED | MAP_FIXED, VCPU, 0}},
	{SYS_mmap, {SOME, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, ~0ull, 0}},
	{SYS_mmap, {0x7fff8000, 0x5000000000, PROT_READ, ANON, ~0ull, 0}},
	{SYS_mmap, {PRIVATE_END, 0x6000000000 - PRIVATE_END, PROT_READ, ANON, ~0ull, 0}},
	{SYS_mmap, {0x100000000000, 0x200000000000, PROT_READ, ANON, ~0ull, 0}},
	{SYS_mmap, {0x100000000000, 0x1000, PROT_READ, ANON, ~0ull, 0}},
	{SYS_mprotect, {0x3fffffe00000, 0x1ff000, PROT_READ}},
	{SYS_mprotect, {0x3fffffe01000, 0x1fe000, PROT_READ}},
	{SYS_mprotect, {SOME, 0x10000, PROT_READ}}, {SYS_munmap, {VCPU_RUN_ADDR, 12288}},
	{SYS_munmap, {0x100000000000, 0x10000}},
	{SYS_fallocate, {KIN_NR, 3, 4096, 4096}}, {SYS_fallocate, {20, 0x10, 0, 4096}},
	{SYS_read, {0, SOME, 99}}, {SYS_write, {1, SOME, 99}}, {SYS_write, {NOTIFY, SOME, 8}},
	{SYS_lseek, {20, 0, SEEK_SET}}, {SYS_lseek, {0, ~0ull, SEEK_END}},
	{SYS_openat2, {ROOT, SOME, HOW(0), 24}}, {SYS_openat2, {20, SOME, HOW(3), 24}},
	{SYS_openat2, {20, SOME, HOW(4), 24}}, {SYS_openat2, {20, SOME, HOW(HOST_HOWS - 1), 24}},
	{SYS_statx, {0, EMPTY, AT_EMPTY_PATH, 0x7ff, SOME}},
	{SYS_statx, {20, EMPTY, AT_EMPTY_PATH, 0x7ff, SOME}}, {SYS_fstatfs, {20, SOME}},
	{SYS_close, {20}}, {SYS_pread64, {20, SOME, 99, 0}}, {SYS_getdents64, {20, SOME, 99}},
	{SYS_readlinkat, {20, EMPTY, SOME, 99}}, {SYS_dup3, {20, 21, O_CLOEXEC}},
	{SYS_clone, {0x8000, 0}}, {SYS_prctl, {1, 9}}, {SYS_arch_prctl, {0x1002, SOME}},
	{SYS_getrandom, {SOME, 16, 0}}, {SYS_getrusage, {0, SOME}},
	{SYS_pwritev2, {20, SOME, 1, 0, 0, RWF_APPEND}}, {SYS_ftruncate, {20, 0}}, {SYS_fsync, {20}},
	{SYS_fdatasync, {20}}, {SYS_syncfs, {20}}, {SYS_recvmsg, {GIFT, SOME, 0x40000040}},
	{SYS_kill, {7, MONITOR_SIGNAL}},
	{SYS_socket, {2, 0x80801, 6}}, {SYS_socket, {10, 0x80802, 17}}, {SYS_socket, {2, 0x80802, 1}},
	{SYS_socket, {10, 0x80802, 58}}, {SYS_bind, {20, SOME, 16}}, {SYS_listen, {20, 5}},
	{SYS_connect, {20, SOME, 16}}, {SYS_accept4, {20, SOME, SOME, 0x80800}},
	{SYS_accept4, {PUBLISHED, SOME, SOME, 0x80800}}, {SYS_sendto, {20, SOME, 9, 0x4040, 0, 0}},
	{SYS_sendto, {20, SOME, 9, 0x4040, SOME, 16}}, {SYS_sendmsg, {20, SOME, 0x4040}},
	{SYS_recvmsg, {20, SOME, 0x40}}, {SYS_shutdown, {20, 1}}, {SYS_getsockname, {20, SOME, SOME}},
	{SYS_getpeername, {20, SOME, SOME}}, {SYS_setsockopt, {20, 1, 2, SOME, 4}},
	{SYS_setsockopt, {20, 6, 1, SOME, 4}}, {SYS_setsockopt, {20, 0, 1, SOME, 4}},
	{SYS_setsockopt, {20, 41, 26, SOME, 4}}, {SYS_getsockopt, {20, 1, 4, SOME, SOME}},
	{SYS_getsockopt, {20, 6, 11, SOME, SOME}}, {SYS_epoll_create1, {0x80000}},
	{SYS_epoll_ctl, {21, 1, 20, SOME}}, {SYS_epoll_ctl, {21, 2, PUBLISHED, SOME}},
	{SYS_epoll_pwait, {21, SOME, 64, ~0ull, 0, 8}}, {SYS_ioctl, {20, 0x541b, SOME}},
	/* Never: others that look harmless or would be useful. */
	{SYS_timer_create, {1, SOME, SOME}}, {SYS_openat, {20, SOME, 0}}, {SYS_socketpair, {1, 1, 0}},
	{SYS_execve, {SOME, 0, 0}}, {SYS_tkill, {1, 9}}, {SYS_unlinkat, {20, SOME, 0}},
	{SYS_mkdirat, {20, SOME, 0755}}, {SYS_linkat, {20, SOME, 21, SOME, 0}},
	{SYS_sendmmsg, {20, SOME, 1, 0x4040}}, {SYS_tgkill, {7, 7, MONITOR_SIGNAL}},
	 {SYS_brk, {0}}, {SYS_mremap, {SOME, 1, 1, 1}},
	{SYS_ptrace, {16, 1}}, {SYS_io_uring_setup, {1, SOME}}, {SYS_fchmod, {20, 04755}},
	{SYS_rt_sigprocmask, {0}}, {SYS_seccomp, {0}}, {SYS_clone3, {SOME, 88}}, {SYS_fcntl, {20, 0}},
};

static void agree(const struct program *p, long nr, const u64 *a)
{
	bool want = oracle(p, nr, a);

	if (allowed(p, nr, a) != want)
		fail_msg("%s: call %ld (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx) must %sbe allowed",
				 p->config->name, nr, a[0], a[1], a[2], a[3], a[4], a[5], want ? "" : "not ");
}

/* What each argument is replaced by: limits, their neighbours, other arguments' good values. */
static const u64 odd[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 32, 64, 88, 0x200, 0x800,
	0x80801, 0x80802, 0x80800, 0x801, 17, 58, 262 /* MPTCP */, 0x20000000 /* MSG_FASTOPEN */,
	0x1000, 0xfff, 0x1001, 0x8000, 0x8011, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffff9c /* CWD */,
	CWD, ~0ull, ~0ull - 7, 1ull << 32, (1ull << 32) + 20, (1ull << 32) + 1, 1ull << 63,
	(1ull << 63) + 20, 5ull << 32, MAP_SHARED | MAP_ANONYMOUS, FILE_SHARED, FILE_PRIVATE, ANON,
	ANON | MAP_SHARED, PRIVATE_END, PRIVATE_END - 4096, PRIVATE_END + 4096, KIN_BASE, KIN_END - 4,
	KIN_END, KIN_END - 4096, 0x6000000000, 0x5fffffe000, 0x100000000000, 0x200000000000,
	0x1ffffffff000, 0x300000000000, 0x3fffffe01000, 0x3fffffe00000, 0x400000000000, 0x3ffffffff000,
	0x7fffffffffff, 0x7ffffffff000, 0x800000000000, VCPU_RUN_ADDR, SOME,
	0xfffffffffffff000, 06777, 0xae80, 0xae41, TTY_GET,
	S_IFIFO | 04666, S_IFBLK | 0600, S_IFCHR, S_IFREG | 0600, 0x11000, S_IFSOCK};

static const u64 odd_pairs[] = {0, 1, 2, 3, 8, 20, 24, NOTIFY, VCPU, 0x800, 0x1000, 0xfff, CWD,
								~0ull, 0xffffffff, (1ull << 32) + 20, 5ull << 32, FILE_SHARED,
								FILE_PRIVATE, PRIVATE_END, PRIVATE_END - 4096, KIN_BASE, SOME};

static void variants(const struct program *p, const struct sample *s)
{
	const u64 near[] = {HOW(0) - 32, HOW(0) + 8, HOW(3) + 32, HOW(HOST_HOWS), HOW(HOST_HOWS) - 32,
						EMPTY, EMPTY + 1, EMPTY + 32};
	u64 a[6], b[6];

	for (int i = 0; i < 6; i++) {
		memcpy(a, s->args, sizeof(a));
		for (int bit = 0; bit < 64; bit++) {
			a[i] = s->args[i] ^ 1ull << bit;
			agree(p, s->nr, a);
		}
		for (size_t k = 0; k < ARRAY_SIZE(near); k++) {
			a[i] = near[k];
			agree(p, s->nr, a);
		}
		for (size_t k = 0; k < ARRAY_SIZE(odd); k++) {
			a[i] = odd[k];
			agree(p, s->nr, a);
		}
		for (size_t k = 0; k < ARRAY_SIZE(odd_pairs); k++) {
			a[i] = odd_pairs[k];
			memcpy(b, a, sizeof(b));
			for (int j = i + 1; j < 6; j++, memcpy(b, a, sizeof(b)))
				for (size_t l = 0; l < ARRAY_SIZE(odd_pairs); l++) {
					b[j] = odd_pairs[l];
					agree(p, s->nr, b);
				}
		}
	}
}

static void test_arguments(void **state)
{
	static struct program p;

	for (size_t c = 0; c < ARRAY_SIZE(configs); c++) {
		program_make(&p, &configs[c]);
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
			agree(&p, samples[i].nr, samples[i].args);
			variants(&p, &samples[i]);
		}
	}
}

/* Every number, that of the x32 ABI too, with every call's arguments. */
static void test_numbers(void **state)
{
	static struct program p;

	for (size_t c = 0; c < ARRAY_SIZE(configs); c++) {
		program_make(&p, &configs[c]);
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
			for (long nr = -2; nr < 1024; nr++) {
				agree(&p, nr, samples[i].args);
				assert_false(allowed(&p, nr | 0x40000000, samples[i].args));
			}
	}
}

/* No sample is a mistake: each is somewhere allowed, except those that never are. */
static void test_each_config_allows_its_samples(void **state)
{
	static struct program p;
	bool ever[ARRAY_SIZE(samples)] = {false};

	for (size_t c = 0; c < ARRAY_SIZE(configs); c++) {
		program_make(&p, &configs[c]);
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
			ever[i] |= allowed(&p, samples[i].nr, samples[i].args);
	}
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		bool never = samples[i].nr == SYS_mmap && (samples[i].args[3] & MAP_ANONYMOUS) &&
					 (samples[i].args[3] & MAP_SHARED);
		for (u32 k = 0; k < host_call_count; k++)
			if (host_calls[k].nr == (u32)samples[i].nr)
				assert_int_equal(ever[i], !never);
	}
}

/* Elsewhere than in the monitor's text, and by other doors: to the guest's kernel or to an end. */
static void test_routing(void **state)
{
	static struct program p;
	struct seccomp_data d = {.nr = SYS_getpid, .arch = AUDIT_ARCH_X86_64};
	const u64 start = (u64)__executable_start, end = (u64)etext;
	const u64 outside[] = {0, 1, start - 1, end + 1, start + (1ull << 32), end - (1ull << 32),
						   0xffffffffff600007, SOME, KIN_BASE, ~0ull};

	for (size_t c = 0; c < ARRAY_SIZE(configs); c++) {
		bool host = configs[c].on_host;

		program_make(&p, &configs[c]);
		for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
			d.instruction_pointer = outside[i];
			d.arch = AUDIT_ARCH_X86_64;
			assert_int_equal(run(&p, &d), host ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
			d.arch = AUDIT_ARCH_I386;
			assert_int_equal(run(&p, &d), host ? SECCOMP_RET_TRAP : SECCOMP_RET_KILL_PROCESS);
		}
		d.arch = AUDIT_ARCH_X86_64;
		d.instruction_pointer = start;
		assert_int_equal(run(&p, &d), SECCOMP_RET_ALLOW);
		d.instruction_pointer = end;
		assert_int_equal(run(&p, &d), SECCOMP_RET_ALLOW);
	}
}

/*
 * Follows every path for one call number: with arguments unknown, both ways of what depends on
 * them. Finds whether any path allows the call, and whether one does without having looked.
 */
struct paths {
	const struct program *p;
	bool seen[PROGRAM_MAX][2][2];
	bool some, unchecked;
};

static bool loads_argument(const struct sock_filter *f)
{
	return f->k >= offsetof(struct seccomp_data, args);
}

static void follow(struct paths *w, size_t pc, long nr, u32 a, bool known, bool looked)
{
	for (;;) {
		const struct sock_filter *f = &w->p->code[pc];
		u16 op = BPF_OP(f->code);

		assert_true(pc < w->p->len);
		if (!known && w->seen[pc][known][looked])
			return;
		w->seen[pc][known][looked] = true;
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			known = BPF_MODE(f->code) == BPF_ABS && !loads_argument(f) &&
					f->k < offsetof(struct seccomp_data, instruction_pointer);
			a = f->k == offsetof(struct seccomp_data, nr) ? (u32)nr : AUDIT_ARCH_X86_64;
			looked |= loads_argument(f);
			break;
		case BPF_RET:
			w->some |= f->k == SECCOMP_RET_ALLOW;
			w->unchecked |= f->k == SECCOMP_RET_ALLOW && !looked;
			return;
		case BPF_JMP:
			if (op == BPF_JA) {
				pc += f->k;
			} else if (known) {
				pc += compares(op, a, f->k) ? f->jt : f->jf;
			} else {
				follow(w, pc + 1 + f->jt, nr, a, known, looked);
				pc += f->jf;
			}
			break;
		default: assert_true(!known);
		}
		pc++;
	}
}

static void test_counts(void **state)
{
	static struct program p;
	bool wrong = false;

	for (size_t c = 0; c < ARRAY_SIZE(configs); c++) {
		u32 calls = 0, checked = 0;

		program_make(&p, &configs[c]);
		for (long nr = 0; nr < 1024; nr++) {
			static struct paths w;

			memset(&w, 0, sizeof(w));
			w.p = &p;
			follow(&w, 0, nr, 0, false, false);
			calls += w.some;
			checked += w.some && !w.unchecked;
		}
		print_message("%s: %u calls, %u of them with checked arguments, %zu instructions\n",
					  configs[c].name, calls, checked, p.len);
		wrong |= calls != configs[c].calls || checked != configs[c].checked;
	}
	assert_false(wrong);
}

static void test_complete(void **state)
{
	const char *missing = "";

	if (!confine_rules_complete(&missing))
		fail_msg("host_calls.def and abi/hypercalls.def disagree about: %.24s", missing);
}

/* What a family without a writable volume can ask of openat2, and that nothing follows a link. */
static void test_constants(void **state)
{
	u64 resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

	for (size_t i = 0; i < HOST_HOWS; i++) {
		const struct open_how *how = &host_hows[i].how;

		assert_int_equal(how->resolve, resolve);
		assert_true(how->flags & O_CLOEXEC);
		assert_false(how->flags & O_TRUNC);
		assert_int_equal(how->mode, 0);
		assert_false(how->flags & O_CREAT || (how->flags & O_TMPFILE) == O_TMPFILE);
		if (i < HOST_HOWS_READING)
			assert_int_equal(how->flags & O_ACCMODE, O_RDONLY);
		assert_ptr_equal(host_how_find(how->flags & ~(u64)O_CLOEXEC), how);
	}
	assert_null(host_how_find(O_RDONLY | O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW));
	assert_null(host_how_find(O_RDONLY | O_TRUNC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_each_config_allows_its_samples),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
