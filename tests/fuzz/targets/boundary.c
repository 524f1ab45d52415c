/* SPDX-License-Identifier: ISC */
/*
 * The host as handlers see it in a target (world.h). One function for each kind of call: it checks
 * what no handler may get wrong, then makes the call or plays it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "boundary_fds.h"
#include "hostile.h"
#include "monitor/core/host_call.h"
#include "world.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define ALLOCATE_MAX (1u << 20) /* of fallocate: more is played, as a full disk */
#define CLONE_PID 4242

struct call {
	long nr;
	u64 arg[6];
};

static const struct {
	long nr;
	const char *name;
} names[] = {
	{SYS_clock_gettime, "clock_gettime"},
	{SYS_clone, "clone"},
	{SYS_close, "close"},
	{SYS_dup3, "dup3"},
	{SYS_exit_group, "exit_group"},
	{SYS_fallocate, "fallocate"},
	{SYS_fdatasync, "fdatasync"},
	{SYS_fstatfs, "fstatfs"},
	{SYS_fsync, "fsync"},
	{SYS_ftruncate, "ftruncate"},
	{SYS_futex, "futex"},
	{SYS_getdents64, "getdents64"},
	{SYS_getrandom, "getrandom"},
	{SYS_kill, "kill"},
	{SYS_getrusage, "getrusage"},
	{SYS_ioctl, "ioctl"},
	{SYS_lseek, "lseek"},
	{SYS_madvise, "madvise"},
	{SYS_mincore, "mincore"},
	{SYS_mmap, "mmap"},
	{SYS_mprotect, "mprotect"},
	{SYS_openat2, "openat2"},
	{SYS_ppoll, "ppoll"},
	{SYS_pread64, "pread64"},
	{SYS_pwritev2, "pwritev2"},
	{SYS_read, "read"},
	{SYS_readlinkat, "readlinkat"},
	{SYS_recvmsg, "recvmsg"},
	{SYS_sched_yield, "sched_yield"},
	{SYS_statx, "statx"},
	{SYS_syncfs, "syncfs"},
	{SYS_setitimer, "setitimer"},
	{SYS_write, "write"},
};

static const char *name_of(long nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].nr == nr)
			return names[i].name;
	return "";
}

static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list) {
		size_t n = strcspn(list, ", ");

		if (n == len && !memcmp(list, name, n))
			return true;
		list += n;
		list += strspn(list, ", ");
	}
	return false;
}

#define REQUIRE(truth, c)                                                                \
	((truth) ? (void)0                                                                   \
			 : finding("%s: host call %ld %s(%#llx, %#llx, %#llx, %#llx): not %s",       \
					   world.call ? world.call->name : "-", (c)->nr, name_of((c)->nr),   \
					   (unsigned long long)(c)->arg[0], (unsigned long long)(c)->arg[1], \
					   (unsigned long long)(c)->arg[2], (unsigned long long)(c)->arg[3], #truth))

static s64 make(const struct call *c)
{
	return host_call(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
}

static bool within(u64 addr, u64 len, u64 start, u64 end)
{
	return addr >= start && addr <= end && len <= end - addr;
}

/* Application pages, as far as a member may change them. */
static bool app_pages(u64 addr, u64 len)
{
	return len && (addr | len) % PAGE_SIZE == 0 &&
		   (within(addr, len, PRIVATE_BASE, KERNEL_BASE) ||
			within(addr, len, KERNEL_END, PRIVATE_END));
}

/*
 * Memory that the host is given: the guest's, or live memory of the monitor. False: the guest's,
 * but nothing is there: EFAULT.
 */
static bool memory(const struct call *c, u64 addr, u64 len)
{
	if (len == 0)
		return true;
	if (addr < KIN_END) {
		REQUIRE(within(addr, len, PRIVATE_BASE, PRIVATE_END) ||
					within(addr, len, KIN_BASE, KIN_END),
				c);
		return within(addr, len, AREA, AREA + AREA_SIZE) || within(addr, len, KIN_BASE, KIN_END) ||
			   within(addr, len, ALIGN_DOWN(HYPERCALL_ADDR, PAGE_SIZE),
					  ALIGN_DOWN(HYPERCALL_ADDR, PAGE_SIZE) + PAGE_SIZE);
	}
	REQUIRE(!__asan_region_is_poisoned((void *)addr, len), c);
	return true;
}

static bool standard(u64 fd)
{
	return fd <= STDERR_FILENO;
}

static bool handle(u64 fd)
{
	return standard(fd) ||
		   (fd < HANDLES_MAX && fds_has(fd) && (world.member.handles[fd / 64] >> (fd % 64) & 1));
}

static bool tree(u64 fd)
{
	const struct family *f = &world.family;

	return fd == (u64)f->root_fd || fd == (u64)f->volumes[0].fd || fd == (u64)f->volumes[1].fd;
}

/* The monitor's own string; names and texts come as copies. */
static const char *string(const struct call *c, u64 addr)
{
	REQUIRE(addr >= KIN_END, c);
	REQUIRE(!__asan_address_is_poisoned((void *)addr), c);
	return (const char *)addr;
}

/* One component of a directory on the volume that may be changed. */
static void name(const struct call *c, u64 dir, u64 addr)
{
	const char *s = string(c, addr);

	REQUIRE(fds_has(dir) && fds_place(dir) == PLACE_VOLUME, c);
	REQUIRE(*s && !strchr(s, '/') && strcmp(s, ".") && strcmp(s, ".."), c);
	world.changed = true;
}

static s64 do_openat2(const struct call *c)
{
	const struct open_how *how = (const struct open_how *)c->arg[2];
	u64 confined = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	s64 fd;

	string(c, c->arg[1]);
	memory(c, c->arg[2], sizeof(*how));
	REQUIRE(c->arg[3] == sizeof(*how) && (how->resolve & confined) == confined, c);
	REQUIRE(how->flags & O_CLOEXEC && !(how->flags & (O_TRUNC | O_DIRECT)), c);
	REQUIRE(tree(c->arg[0]) || fds_has(c->arg[0]), c);
	fd = make(c);
	if (fd < 0)
		return fd;
	fds_opened(fd);
	REQUIRE(fds_place((u64)fd) != PLACE_ELSEWHERE, c);
	if (how->flags & O_PATH)
		return fd;
	REQUIRE(!(how->flags & (O_ACCMODE | O_CREAT)) || fds_place((u64)fd) == PLACE_VOLUME, c);
	world.changed |= (how->flags & (O_ACCMODE | O_CREAT)) != 0;
	return fd;
}

/* By a descriptor alone; results into memory. */
static s64 do_look(const struct call *c)
{
	u64 fd = c->arg[0];
	bool there = true;

	REQUIRE(handle(fd) || fds_has(fd) || (c->nr == SYS_fstatfs && tree(fd)), c);
	switch (c->nr) {
	case SYS_statx:
		REQUIRE(!*string(c, c->arg[1]) && c->arg[2] == AT_EMPTY_PATH, c);
		there = memory(c, c->arg[4], 256);
		break;
	case SYS_fstatfs: there = memory(c, c->arg[1], sizeof(struct statfs)); break;
	case SYS_readlinkat:
		REQUIRE(!*string(c, c->arg[1]), c);
		there = memory(c, c->arg[2], c->arg[3]);
		break;
	case SYS_pread64:
	case SYS_getdents64: there = memory(c, c->arg[1], c->arg[2]); break;
	}
	if (standard(fd) && c->nr != SYS_statx)
		return -ESPIPE;
	return there ? make(c) : -EFAULT;
}

/* Only the supervisor changes names: monitors have no such calls. */
static s64 do_name(const struct call *c)
{
	const u64 *a = c->arg;
	char own[40];
	int fd;

	REQUIRE(!world.call, c);
	switch (c->nr) {
	case SYS_openat:
		REQUIRE(!(a[3] & (S_ISUID | S_ISGID)) && a[2] & O_CLOEXEC, c);
		if ((a[2] & O_TMPFILE) == O_TMPFILE) {
			REQUIRE(!strcmp(string(c, a[1]), ".") && fds_place(a[0]) == PLACE_VOLUME, c);
		} else {
			REQUIRE((a[2] & (O_CREAT | O_EXCL | O_NOFOLLOW)) == (O_CREAT | O_EXCL | O_NOFOLLOW), c);
			name(c, a[0], a[1]);
		}
		break;
	case SYS_mkdirat:
		REQUIRE(!(a[2] & ~07777ull), c);
		name(c, a[0], a[1]);
		break;
	case SYS_mknodat:
		REQUIRE(S_ISFIFO((mode_t)a[2]) || S_ISSOCK((mode_t)a[2]), c);
		name(c, a[0], a[1]);
		break;
	case SYS_unlinkat:
		REQUIRE(!(a[2] & ~(u64)AT_REMOVEDIR), c);
		name(c, a[0], a[1]);
		break;
	case SYS_symlinkat:
		string(c, a[0]);
		name(c, a[1], a[2]);
		break;
	case SYS_linkat:
		name(c, a[2], a[3]);
		if (a[4] == AT_SYMLINK_FOLLOW) {
			REQUIRE(a[0] == (u64)world.family.proc_fd, c);
			REQUIRE(sscanf(string(c, a[1]), "self/fd/%d", &fd) == 1 && fd == world.handle, c);
			snprintf(own, sizeof(own), "self/fd/%d", fd);
			REQUIRE(!strcmp(string(c, a[1]), own), c);
		} else {
			REQUIRE(a[4] == 0, c);
			name(c, a[0], a[1]);
		}
		break;
	default:
		REQUIRE(a[4] == 0 || a[4] == 1 || a[4] == 2, c); /* NOREPLACE, EXCHANGE */
		name(c, a[0], a[1]);
		name(c, a[2], a[3]);
	}
	if (c->nr != SYS_openat)
		return make(c);
	fd = (int)make(c);
	fds_opened(fd);
	world.changed = true;
	REQUIRE(fd < 0 || fds_place((u64)fd) == PLACE_VOLUME, c);
	return fd;
}

/* Mode, owner and times: of a file on the volume, by its descriptor. */
static s64 do_attribute(const struct call *c)
{
	const u64 *a = c->arg;
	u64 fd = a[0], mode = a[1];
	struct stat st;
	int number;

	REQUIRE(!world.call, c);
	switch (c->nr) {
	case SYS_fchmod: /* of what gets its first name */
		REQUIRE((int)fd == world.handle && !(mode & (S_ISUID | S_ISGID)), c);
		return make(c);
	case SYS_fchmodat:
		REQUIRE(fd == (u64)world.family.proc_fd, c);
		REQUIRE(sscanf(string(c, a[1]), "self/fd/%d", &number) == 1, c);
		fd = (u64)number;
		mode = a[2];
		break;
	case SYS_fchownat:
		REQUIRE(!*string(c, a[1]) && a[4] == AT_EMPTY_PATH, c);
		mode = 0;
		break;
	case SYS_utimensat:
		REQUIRE(!*string(c, a[1]) && (u32)a[3] == AT_EMPTY_PATH, c);
		mode = 0;
		break;
	default: /* fchmodat2 */
		REQUIRE(!*string(c, a[1]) && (u32)a[3] == AT_EMPTY_PATH, c);
		mode = a[2];
	}
	REQUIRE(fds_has(fd) && fds_place(fd) == PLACE_VOLUME, c);
	REQUIRE(fstat((int)fd, &st) == 0 && (!S_ISREG(st.st_mode) || !(mode & (S_ISUID | S_ISGID))), c);
	world.changed = true;
	return make(c);
}

static s64 do_pwritev2(const struct call *c)
{
	const struct iovec *iov = (const struct iovec *)c->arg[1];
	bool there = true;

	REQUIRE(handle(c->arg[0]) && !standard(c->arg[0]), c);
	memory(c, c->arg[1], c->arg[2] * sizeof(*iov));
	for (u64 i = 0; i < c->arg[2]; i++) {
		REQUIRE(!iov[i].iov_len || (u64)iov[i].iov_base < KIN_END, c);
		there &= memory(c, (u64)iov[i].iov_base, iov[i].iov_len);
	}
	return there ? make(c) : -EFAULT;
}

static s64 do_fallocate(const struct call *c)
{
	u64 area = ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE);

	if (c->arg[0] == (u64)world.family.kin_fd) {
		REQUIRE(c->arg[1] == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), c);
		REQUIRE(within(c->arg[2], c->arg[3], area, KIN_SIZE), c);
		return make(c);
	}
	REQUIRE(handle(c->arg[0]) && !standard(c->arg[0]), c);
	return c->arg[3] > ALLOCATE_MAX && !(c->arg[1] & FALLOC_FL_PUNCH_HOLE) ? -ENOSPC : make(c);
}

static s64 do_file(const struct call *c)
{
	REQUIRE(handle(c->arg[0]), c);
	if (standard(c->arg[0]))
		return -ESPIPE;
	REQUIRE(c->nr == SYS_lseek || fds_place(c->arg[0]) != PLACE_ELSEWHERE, c);
	return make(c);
}

static s64 do_standard(const struct call *c)
{
	const u64 *a = c->arg;

	if (c->nr == SYS_write && a[0] == (u64)world.family.notify_fd) {
		REQUIRE(a[2] == 8, c);
		return memory(c, a[1], 8) ? make(c) : -EFAULT;
	}
	REQUIRE(standard(a[0]), c);
	if (c->nr == SYS_ioctl)
		return _IOC_TYPE(a[1]) == 'T' && memory(c, a[2], 1) ? 0 : -ENOTTY;
	if (!memory(c, a[1], a[2]))
		return -EFAULT;
	if (c->nr == SYS_read && a[2])
		memset((void *)a[1], 'r', a[2]);
	return (s64)a[2];
}

/* TCFLSH, TCSBRK and TCXONC pass a number where others pass an address. */
static s64 do_ioctl(const struct call *c)
{
	static const u64 by_value[] = {TCFLSH, TCSBRK, TCXONC};

	for (size_t i = 0; i < ARRAY_SIZE(by_value); i++)
		if (c->arg[1] == by_value[i]) {
			REQUIRE(standard(c->arg[0]), c);
			return -ENOTTY;
		}
	return do_standard(c);
}

/* What the supervisor gives. */
static s64 do_recvmsg(const struct call *c)
{
	struct msghdr *msg = (struct msghdr *)c->arg[1];
	struct cmsghdr *h;
	s64 r;

	memory(c, c->arg[1], sizeof(*msg));
	REQUIRE(c->arg[0] == (u64)world.family.gift_fds[1] && c->arg[2] & MSG_DONTWAIT, c);
	REQUIRE(c->arg[2] & MSG_CMSG_CLOEXEC, c);
	r = make(c);
	for (h = r < 0 ? NULL : CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		int *fds = (int *)CMSG_DATA(h);

		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
				fds_opened(fds[i]);
	}
	return r;
}

/* What would sleep comes back at once, as if interrupted or over. */
static s64 do_wait(const struct call *c)
{
	const struct pollfd *fds = (const struct pollfd *)c->arg[0];
	struct timespec now = {0};

	if (c->nr == SYS_ppoll) {
		REQUIRE(c->arg[1] <= HANDLES_MAX, c);
		memory(c, c->arg[0], c->arg[1] * sizeof(*fds));
		for (u64 i = 0; i < c->arg[1]; i++)
			REQUIRE(fds[i].fd < 0 || fds[i].fd == INT_MAX || handle((u64)fds[i].fd), c);
		if (c->arg[2])
			memory(c, c->arg[2], sizeof(now));
		return host_call(SYS_ppoll, c->arg[0], c->arg[1], (u64)&now, 0, 0, 0);
	}
	REQUIRE(c->arg[0] % 4 == 0 && within(c->arg[0], 4, KIN_BASE, KIN_END), c);
	if (c->arg[1] == FUTEX_WAKE)
		return make(c);
	REQUIRE(c->arg[1] == FUTEX_WAIT_BITSET, c);
	if (c->arg[3])
		memory(c, c->arg[3], sizeof(now));
	return *(volatile u32 *)c->arg[0] == (u32)c->arg[2] ? (c->arg[3] ? -ETIMEDOUT : -EINTR)
														: -EAGAIN;
}

static s64 do_memory(const struct call *c)
{
	const u64 *a = c->arg;
	u64 area = ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE);

	REQUIRE(app_pages(a[0], a[1]), c);
	if (c->nr == SYS_madvise)
		return 0;
	if (c->nr == SYS_mincore)
		return memory(c, a[2], a[1] / PAGE_SIZE) ? 0 : -EFAULT;
	REQUIRE(!(a[2] & ~7ull), c);
	if (c->nr == SYS_mprotect)
		return 0;
	REQUIRE(a[3] & MAP_FIXED && !(a[3] & MAP_SHARED && a[3] & MAP_PRIVATE), c);
	if (a[3] & MAP_ANONYMOUS) {
		REQUIRE(!(a[3] & MAP_SHARED), c);
	} else if (a[4] == (u64)world.family.kin_fd) {
		REQUIRE(a[3] & MAP_SHARED && within(a[5], a[1], area, KIN_SIZE), c);
	} else {
		REQUIRE(handle(a[4]) && a[5] % PAGE_SIZE == 0, c);
	}
	return (s64)a[0];
}

static s64 do_other(const struct call *c)
{
	const u64 *a = c->arg;

	switch (c->nr) {
	case SYS_close:
		REQUIRE(fds_has(a[0]), c);
		fds_closed(a[0]);
		return make(c);
	case SYS_dup3:
		REQUIRE(fds_has(a[0]) && handle(a[1]) && !standard(a[1]) && a[2] == O_CLOEXEC, c);
		return make(c);
	case SYS_getrandom: return memory(c, a[0], a[1]) ? make(c) : -EFAULT;
	case SYS_getrusage:
		REQUIRE((int)a[0] == RUSAGE_SELF, c);
		return memory(c, a[1], sizeof(struct rusage)) ? make(c) : -EFAULT;
	case SYS_clock_gettime: return memory(c, a[1], sizeof(struct timespec)) ? make(c) : -EFAULT;
	case SYS_setitimer: /* played: its signal would come here */
		REQUIRE(a[0] == ITIMER_REAL && a[1] >= KIN_END, c);
		memory(c, a[1], sizeof(struct itimerval));
		return 0;
	case SYS_clone: REQUIRE(a[0] == CLONE_PARENT && a[1] == 0, c); return CLONE_PID;
	case SYS_sched_yield: return 0;
	case SYS_kill:
		REQUIRE(world.family.namespaced && (s32)a[0] > 1 && a[1] == (u64)MONITOR_SIGNAL, c);
		return a[0] % 2 ? 0 : -ESRCH;
	}
	finding("host call %ld: tests/fuzz/targets/boundary.c does not know it", c->nr);
}

static s64 dispatch(const struct call *c)
{
	switch (c->nr) {
	case SYS_openat2: return do_openat2(c);
	case SYS_statx:
	case SYS_fstatfs:
	case SYS_readlinkat:
	case SYS_pread64:
	case SYS_getdents64: return do_look(c);
	case SYS_openat:
	case SYS_mkdirat:
	case SYS_mknodat:
	case SYS_unlinkat:
	case SYS_symlinkat:
	case SYS_linkat:
	case SYS_renameat2: return do_name(c);
	case SYS_fchmod:
	case SYS_fchmodat:
	case SYS_fchmodat2:
	case SYS_fchownat:
	case SYS_utimensat: return do_attribute(c);
	case SYS_pwritev2: return do_pwritev2(c);
	case SYS_fallocate: return do_fallocate(c);
	case SYS_lseek:
	case SYS_ftruncate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_syncfs: return do_file(c);
	case SYS_read:
	case SYS_write: return do_standard(c);
	case SYS_ioctl: return do_ioctl(c);
	case SYS_recvmsg: return do_recvmsg(c);
	case SYS_futex:
	case SYS_ppoll: return do_wait(c);
	case SYS_mmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_mincore: return do_memory(c);
	default: return do_other(c);
	}
}

s64 boundary_call(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct call call = {nr, {a, b, c, d, e, f}};
	bool own_end = nr == SYS_exit_group || (nr == SYS_write && a == STDERR_FILENO);
	s64 r;

	hostile_moment();
	if (world.between)
		world.between();
	hostile_off();
	if (world.call && !own_end)
		REQUIRE(listed(world.call->host, name_of(nr)), &call);
	if (nr == SYS_exit_group)
		siglongjmp(world.left, 1);
	if (world.fail_in && --world.fail_in == 0 && nr != SYS_close)
		r = -(s64)world.fail_errno;
	else
		r = dispatch(&call);
	hostile_on();
	return r;
}

/* ---- what the monitor makes through libc */
static long errno_set(s64 r)
{
	if (r >= 0)
		return (long)r;
	errno = (int)-r;
	return -1;
}

int boundary_close(int fd)
{
	return (int)errno_set(boundary_call(SYS_close, (u64)fd, 0, 0, 0, 0, 0));
}

long boundary_syscall(long nr, ...)
{
	va_list ap;
	u64 a[4];

	va_start(ap, nr);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, u64);
	va_end(ap);
	return errno_set(boundary_call(nr, (u32)a[0], a[1], a[2], a[3], 0, 0));
}

int boundary_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)errno_set(boundary_call(SYS_openat, (u64)dir, (u64)path, (u64)flags, mode, 0, 0));
}

int boundary_mkdirat(int dir, const char *path, mode_t mode)
{
	return (int)errno_set(boundary_call(SYS_mkdirat, (u64)dir, (u64)path, mode, 0, 0, 0));
}

int boundary_mknodat(int dir, const char *path, mode_t mode, dev_t dev)
{
	return (int)errno_set(boundary_call(SYS_mknodat, (u64)dir, (u64)path, mode, dev, 0, 0));
}

int boundary_symlinkat(const char *text, int dir, const char *path)
{
	return (int)errno_set(boundary_call(SYS_symlinkat, (u64)text, (u64)dir, (u64)path, 0, 0, 0));
}

int boundary_linkat(int dir, const char *path, int other_dir, const char *other, int flags)
{
	return (int)errno_set(
		boundary_call(SYS_linkat, (u64)dir, (u64)path, (u64)other_dir, (u64)other, (u64)flags, 0));
}

int boundary_unlinkat(int dir, const char *path, int flags)
{
	return (int)errno_set(boundary_call(SYS_unlinkat, (u64)dir, (u64)path, (u64)flags, 0, 0, 0));
}

int boundary_renameat2(int dir, const char *path, int other_dir, const char *other, unsigned flags)
{
	return (int)errno_set(
		boundary_call(SYS_renameat2, (u64)dir, (u64)path, (u64)other_dir, (u64)other, flags, 0));
}

int boundary_fchmod(int fd, mode_t mode)
{
	return (int)errno_set(boundary_call(SYS_fchmod, (u64)fd, mode, 0, 0, 0, 0));
}

int boundary_fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	return (int)errno_set(boundary_call(SYS_fchmodat, (u64)dir, (u64)path, mode, (u64)flags, 0, 0));
}

int boundary_fchownat(int fd, const char *path, uid_t uid, gid_t gid, int flags)
{
	return (int)errno_set(boundary_call(SYS_fchownat, (u64)fd, (u64)path, uid, gid, (u64)flags, 0));
}

/* KVM's one request here: memory of the guest, as it is, once. */
int boundary_ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_userspace_memory_region *r;
	struct call c = {SYS_ioctl, {(u64)fd, request}};
	va_list ap;

	va_start(ap, request);
	r = va_arg(ap, const struct kvm_userspace_memory_region *);
	va_end(ap);
	REQUIRE(request == KVM_SET_USER_MEMORY_REGION && r->flags == 0, &c);
	c.arg[2] = r->guest_phys_addr;
	c.arg[3] = r->memory_size;
	REQUIRE(r->userspace_addr - r->guest_phys_addr ==
				(r->guest_phys_addr < KIN_PHYSICAL ? 0 : KIN_BASE - KIN_PHYSICAL), &c);
	REQUIRE(within(r->guest_phys_addr, r->memory_size, PRIVATE_BASE, PRIVATE_END) ||
				within(r->guest_phys_addr, r->memory_size, KIN_PHYSICAL,
					   KIN_PHYSICAL + KIN_SIZE),
			&c);
	return 0;
}

void *boundary_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	long r = errno_set(
		boundary_call(SYS_mmap, (u64)addr, len, (u64)prot, (u64)flags, (u64)(s64)fd, (u64)offset));

	return (void *)r;
}

int boundary_madvise(void *addr, size_t len, int advice)
{
	return (int)errno_set(boundary_call(SYS_madvise, (u64)addr, len, (u64)advice, 0, 0, 0));
}

/* ---- interrupt.S */
s64 interruptible_syscall(volatile int *flag, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return *flag ? -EINTR : boundary_call(nr, a, b, c, d, e, f);
}

size_t guarded_copy(void *dst, const void *src, size_t n)
{
	struct call c = {-1, {(u64)dst, (u64)src, n}};

	hostile_moment();
	hostile_off();
	if (n && memory(&c, (u64)dst, n) && memory(&c, (u64)src, n)) {
		memmove(dst, src, n);
		n = 0;
	}
	hostile_on();
	return n;
}
