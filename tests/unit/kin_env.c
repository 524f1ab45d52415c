/* SPDX-License-Identifier: ISC */
/* See kin_env.h. */
#include "kernel/lib/text.h"
#include "kernel/task/cred.h"
#include "kernel/sched/sched.h"
#include "kin_env.h"

#include <stdatomic.h>
#include <stdarg.h>

#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/paging.h"
#include "kernel/fd/fd_owner.h"
#include "kernel/fd/fdtable.h"
#include "kernel/fd/poll.h"
#include "kernel/host/host.h"
#include "kernel/host/hypercall_counts.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/tunables.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"
#include "kin_host.h"

/* Of the C library, whose headers do not mix with the kernel's. */
void *calloc(size_t n, size_t size);
void free(void *p);
_Noreturn void abort(void);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

struct inode {
	struct pipe *fifo;
	struct kin_ref ref;
};

u32 env_discards, env_sigpipes;
u64 env_discarded_pages;
bool env_interrupt;
/* What the private side of a member needs. */
static void become(u32 member, struct fdtable **fds)
{
	struct thread *t = calloc(1, sizeof(*t));
	struct proc *p = calloc(1, sizeof(*p));
	struct kin_member *m = &KIN->members[member];

	BOOT_INFO->member = member;
	BOOT_INFO->generation = m->generation;
	p->kp = kin_alloc(sizeof(*p->kp));
	p->kp->pid = member + 1;
	p->kp->nthreads = 1;
	for (u32 i = 0; i < RLIMITS; i++)
		p->kp->inherited.rlimit_cur[i] = p->kp->inherited.rlimit_max[i] = 1024;
	t->proc = p;
	t->tid = member + 1;
	LIST_INSERT_HEAD(&p->threads, t, sibling);
	current = t;
	if (fds)
		own_move(OWN_TABLE, fds, &p->kp->fds);
	else if (fdtable_create(&p->kp->fds))
		abort();
	atomic_store(&m->proc, (u64)p->kp);
	atomic_store(&m->state, MEMBER_LIVE);
}

void env_start(void)
{
	kin_host_map(KIN_BASE, KIN_SIZE, KERNEL_BASE, 0x10000);
	KIN->magic = KIN_MAGIC;
	KIN->size = KIN_SIZE;
	KIN->clock.tsc_khz = 2000000;
	atomic_store(&KIN->members[0].generation, 1);
	BOOT_INFO->generation = 1;
	kin_init();
	become(0, NULL);
}

int env_fork(void (*fn)(void *), void *arg, u32 *member)
{
	int index = member_alloc(MEMBER_CLONING);
	/* It is nobody's for a moment that no member lives through. */
	struct fdtable **fds = kin_alloc(sizeof(*fds));
	int pid;

	if (index < 0 || fdtable_clone(current->proc->kp->fds, fds))
		abort();
	pid = kin_host_fork();
	if (pid == 0) {
		struct kin_proc *kp;

		BOOT_INFO->member = index;
		BOOT_INFO->generation = KIN->members[index].generation;
		own_fork_child();
		become(index, fds);
		kin_free(fds);
		kp = current->proc->kp;
		fn(arg);
		fdtable_drop(&kp->fds);
		waiters_bury(index, BOOT_INFO->generation);
		atomic_store(&KIN->members[index].proc, 0);
		kin_free(kp);
		if (kin_locks_held())
			kin_host_die(98, "a member exits with locks");
		atomic_store(&KIN->members[index].state, MEMBER_EXITING);
		kin_host_die(0, NULL);
	}
	while (atomic_load(&KIN->members[index].state) == MEMBER_CLONING)
		kin_host_pause_us(50);
	*member = index;
	return pid;
}

int env_reap(int pid, u32 member, bool kill_it)
{
	struct kin_member *m = &KIN->members[member];
	struct kin_proc *kp;
	int status = kin_host_reap(pid, kill_it);

	if (atomic_load(&m->state) == MEMBER_EXITING) {
		member_free(member);
		return status;
	}
	atomic_store(&m->state, MEMBER_DEAD);
	waiters_bury(member, m->generation);
	kp = (struct kin_proc *)atomic_load(&m->proc);
	if (kp) {
		fdtable_drop(&kp->fds);
		kin_free(kp);
	}
	member_free(member);
	return status;
}

u64 env_now_ns(void)
{
	return kin_host_now_ns();
}

u64 env_pages(void)
{
	return kin_pages_used();
}

u32 env_random(u32 below)
{
	static u64 state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)((state >> 16) % below);
}

/* ---- the host */

s64 host_futex_wait(_Atomic u32 *word, u32 expected, u64 timeout_ns)
{
	return kin_host_futex(word, false, expected, timeout_ns);
}

s64 host_futex_wake(_Atomic u32 *word, u32 n)
{
	return kin_host_futex(word, true, n, KIN_HOST_FOREVER);
}

void host_wake(u32 member)
{
	kin_host_futex(&KIN->members[member].doorbell, true, 1, KIN_HOST_FOREVER);
}

void host_notify(void)
{
}

void host_kick(u32 member)
{
	KIN->kick_map[member / 64] |= 1ull << member % 64;
}

s64 host_kin_discard(u64 offset, u64 len)
{
	env_discards++;
	env_discarded_pages += len / PAGE_SIZE;
	return kin_host_punch(offset, len);
}

static int populate(u64 addr, u64 len)
{
	return 0;
}

static const struct paging_ops env_paging = {.kin_populate = populate};
const struct paging_ops *paging = &env_paging;
u64 host_counts[HYPERCALL_COUNT];

/* ---- the rest of the kernel */

/* The memory of these members is the process's own. */
u64 mm_accessible(struct mm *mm, u64 addr, u64 len, bool write)
{
	return len;
}

static _Noreturn void die(const char *fmt, va_list ap)
{
	char text[300];

	vsnprintf(text, sizeof(text), fmt, ap);
	kin_host_die(99, text);
}

void kpanic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	die(fmt, ap);
}

void family_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	die(fmt, ap);
}

void klog(const char *fmt, ...)
{
}

void *kmalloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *kmalloc_hot(size_t size)
{
	return kmalloc(size);
}

void kfree(void *p)
{
	free(p);
}

u64 time_mono_ns(void)
{
	return env_now_ns();
}

u64 time_real_ns(void)
{
	return env_now_ns();
}

u64 time_deadline(u64 now_ns, u64 ns)
{
	return now_ns + ns;
}

int copy_in(void *dst, const void *src, size_t n)
{
	return copy_in_some(dst, src, n) ? -EFAULT : 0;
}

int copy_out(void *dst, const void *src, size_t n)
{
	return copy_out_some(dst, src, n) ? -EFAULT : 0;
}

/* Application memory is any but the first page. */
size_t copy_in_some(void *dst, const void *src, size_t n)
{
	if ((u64)src < PAGE_SIZE)
		return n;
	memcpy(dst, src, n);
	return 0;
}

size_t copy_out_some(void *dst, const void *src, size_t n)
{
	if ((u64)dst < PAGE_SIZE)
		return n;
	memcpy(dst, src, n);
	return 0;
}

int user_load32(const u32 *addr, u32 *value)
{
	*value = __atomic_load_n(addr, __ATOMIC_SEQ_CST);
	return 0;
}

int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found)
{
	__atomic_compare_exchange_n(addr, &expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	*found = expected;
	return 0;
}

u64 mm_shared_key(struct mm *mm, u64 addr)
{
	return addr >= KIN_BASE && addr < KIN_END ? addr : 0;
}

/* One thread: the protocol of kernel/sched/sched.c and the monitor in one function. */
int thread_sleep_mode(u64 deadline_ns, enum sleep_mode mode, struct hyp_pollfd *fds, u32 nfds)
{
	struct kin_member *self = member_self();

	if (kin_locks_held())
		kpanic("sleeps with a lock");
	for (;;) {
		u32 seen = atomic_load(&self->doorbell);
		u64 now = env_now_ns();

		if (waiters_woken(current))
			return 0;
		if (env_interrupt && mode == SLEEP_INTERRUPTIBLE)
			return -EINTR;
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		atomic_store(&self->doorbell_state, DOORBELL_ASLEEP_FUTEX);
		if (atomic_load(&self->doorbell) == seen)
			kin_host_futex(&self->doorbell, false, seen,
				       deadline_ns == HYP_NO_DEADLINE ? KIN_HOST_FOREVER
								      : deadline_ns - now);
		atomic_store(&self->doorbell_state, DOORBELL_RUNNING);
	}
}

void thread_wake(struct thread *t)
{
}

bool signal_pending(struct thread *t)
{
	return false;
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	env_sigpipes++;
	return 0;
}

struct ksiginfo signal_info_user(int sig, int code)
{
	return (struct ksiginfo){.signo = sig, .code = code};
}

void signal_mask_swap(u64 set)
{
}

void signal_mask_done(bool interrupted)
{
}

void tree_lock(void)
{
}

void tree_unlock(void)
{
}

const struct own_ops inode_own_ops = {.name = "inode", .ref_at = offsetof(struct inode, ref)};

extern const struct own_ops pipe_own_ops, object_own_ops, epoll_own_ops;
const struct own_ops *const own_kinds[OWN_KINDS] = {
	[OWN_MEMORY] = &memory_own_ops,
	[OWN_FILE] = &file_own_ops,
	[OWN_TABLE] = &fdtable_own_ops,
	[OWN_PIPE] = &pipe_own_ops,
	[OWN_OBJECT] = &object_own_ops,
	[OWN_EPOLL] = &epoll_own_ops,
	[OWN_INODE] = &inode_own_ops,
};

extern const struct file_ops pipe_file_ops, eventfd_file_ops, epoll_file_ops;
static const struct file_ops path_file_ops = {.name = "path"};
const struct file_ops *const file_ops[FILE_TYPES] = {
	[FILE_PIPE] = &pipe_file_ops,
	[FILE_EVENTFD] = &eventfd_file_ops,
	[FILE_EPOLL] = &epoll_file_ops,
	[FILE_PATH] = &path_file_ops,
};

bool dev_waitable(const struct file *f)
{
	return false;
}

bool proc_waitable(const struct inode *ino)
{
	return true;
}

void locks_close(struct file *f, s32 pid)
{
}

/* Signals to the owners of files are for the guest tests, too. */
bool owner_told(struct kin_waiter *w, u32 events)
{
	return true;
}

void owners_signal(void)
{
}

void owner_gone(struct file *f)
{
}

void owner_wants_room(struct file *f)
{
}

s64 owner_async(struct file *f, s32 fd, bool on)
{
	return -ENOTTY;
}

s64 owner_fcntl(struct file *f, u32 cmd, u64 arg)
{
	return -EINVAL;
}

s64 owner_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return -ENOTTY;
}

s64 lease_fcntl(struct file *f, s32 fd, u32 cmd, u64 arg)
{
	return -EINVAL;
}

s64 dnotify_fcntl(struct file *f, s32 fd, u64 arg)
{
	return -EINVAL;
}

void sockets_closed(struct file *f)
{
}

void sockets_rewatch(void)
{
}

void sched_news(void)
{
}

void dnotify_close(struct file *f, s32 pid)
{
}

void dnotify_release(struct file *f)
{
}

void lease_release(struct file *f)
{
}

void locks_release_file(struct file *f)
{
}

s64 file_setfl_check(struct file *f, u32 flags)
{
	return 0;
}

u64 tunable_get(enum tunable t)
{
	return 1 << 20;
}

struct kin_proc *proc_of_thread(s32 tid)
{
	return NULL;
}

s64 write_hint_fcntl(struct file *f, u32 cmd, u64 arg)
{
	return -EINVAL;
}

s64 file_clone_check(struct file *to, u64 from)
{
	return -EOPNOTSUPP;
}

s64 seals_fcntl(struct file *f, u32 cmd, u64 arg)
{
	return -EINVAL;
}

s64 lock_fcntl(struct file *f, u32 cmd, u64 arg)
{
	return -EINVAL;
}

struct inode *env_fifo(void)
{
	struct inode *ino = own_new(OWN_MEMORY, sizeof(*ino));

	ref_init(&ino->ref, 1);
	own_give(hold_new(OWN_INODE), ino);
	return ino;
}

struct pipe **inode_fifo_slot(struct inode *ino)
{
	return &ino->fifo;
}

void notify_file(struct file *f, u32 mask)
{
}

void inode_get(struct inode *ino)
{
	ref_get(OWN_INODE, ino, hold_new(OWN_INODE));
}

void inode_put(struct inode *ino)
{
	ref_put(OWN_INODE, hold_of(OWN_INODE, ino));
}

void inode_ref(struct inode **slot, struct inode *ino)
{
	ref_get(OWN_INODE, ino, slot);
}

void inode_drop(struct inode **slot)
{
	ref_put(OWN_INODE, slot);
}

/* What descriptors say of themselves in /proc is for the guest tests. */
void text_add(struct text *t, const char *fmt, ...)
{
}

struct kin_proc *proc_find(s32 pid)
{
	return NULL;
}

u64 cred_caps(void)
{
	return ~0ull;
}

bool cred_may_look(const struct kin_proc *p, enum look_by by)
{
	return true;
}
