/* SPDX-License-Identifier: ISC */
/*
 * The process table and the family tree: numbers, publication, zombies, reaping, orphans, groups,
 * and the rebuilding of the lists after a member died while it was changing them. The kernel's
 * sources are included, so that kin, the boot information and the per-CPU page can be this
 * program's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "abi/boot.h"
#include "abi/layout.h"

static struct boot_info fake_boot;
static _Alignas(64) unsigned char fake_percpu[4096];
#undef BOOT_INFO_ADDR
#define BOOT_INFO_ADDR ((u64)&fake_boot)
#undef PERCPU_ADDR
#define PERCPU_ADDR ((u64)fake_percpu)

#include "abi/kin.h"

static struct kin_header fake_kin;
#undef KIN
#define KIN (&fake_kin)

#include "kernel/proc/proc_internal.h"

/* libc's headers and the kernel's contradict each other. */
void *calloc(size_t n, size_t size);
void free(void *p);
_Noreturn void abort(void);

/* What tree_lock does when its owner died. */
static kin_recover_fn lock_recover;
static u32 locks_held;

#include "kernel/task/console.c"
#include "kernel/proc/exit.c"
#include "kernel/task/group.c"
#include "kernel/task/procinfo.c"
#include "kernel/task/table.c"
#include "kernel/proc/wait_syscalls.c"
#include "kernel/sched/wait_until.c"

/* ---- the world around */

static struct thread self_thread;
static struct proc self_proc;
static struct { s32 pid; int sig; s32 code, status; } sent[64];
static u32 nsent, nwoken, nrung;

struct proc_list member_procs = LIST_HEAD_INITIALIZER(member_procs);

void kin_lock_at(struct kin_lock *l, const struct kin_lock_site *site, kin_recover_fn recover,
				 void *arg)
{
	assert_int_equal(l->word, 0);
	l->word = 1;
	lock_recover = recover;
	locks_held++;
}

void kin_unlock(struct kin_lock *l)
{
	assert_int_equal(l->word, 1);
	l->word = 0;
	locks_held--;
}

void *kin_pages_alloc(size_t n) { return calloc(n, PAGE_SIZE); }
void kin_pages_free(void *p, size_t n) { free(p); }
void *kin_alloc(size_t size) { return calloc(1, size); }
void kin_free(void *p) { free(p); }
void kin_root_set(enum kin_root root, void *p) {}
void *kin_root_get(enum kin_root root) { return NULL; }
void queue_init(struct kin_queue *q) { TAILQ_INIT(&q->head); }
void queue_add(struct kin_queue *q, struct kin_waiter *w) {}
bool queue_remove(struct kin_waiter *w) { return true; }
void queue_wake(struct kin_queue *q, u32 max) { nwoken++; }
struct kin_waiter *waiter_get(void) { return NULL; }
void waiter_put(struct kin_waiter *w) {}
void waiters_bury(u32 member, u32 generation) {}
void signals_release(struct kin_proc *p) { p->signals.pending = 0; }
void klog(const char *fmt, ...) {}
_Noreturn void kpanic(const char *fmt, ...) { abort(); }
void host_notify(void) {}
void host_kick(u32 member) {}
_Noreturn void host_exit(int status) { abort(); }
s64 host_usage(struct hyp_usage *u) { return -1; }
void stats_flush(void) {}
void futex_thread_exit(struct thread *t, bool shared) {}
void fdtable_drop(struct fdtable **slot) { *slot = NULL; }
void directories_drop(struct kin_proc *kp) { kp->cwd = kp->root = NULL; }

void seccomp_drop(struct kin_proc *kp)
{
}
void proc_exe_set(struct kin_proc *p, struct file *f) {}
/* nobody is traced */
void trace_tracer_gone(struct kin_proc *p) {}
void trace_thread_gone(struct thread *t) {}
void trace_threads_gone(struct kin_proc *p, u32 status) {}
void trace_heard(struct trace *tr) {}
void trace_event(u32 event, u64 message) {}
void trace_forget(struct kin_proc *p) {}
struct trace *trace_find(s32 tid) { return NULL; }
struct trace *trace_hides(struct kin_proc *p) { return NULL; }
int trace_foreach(int (*fn)(struct trace *tr, void *arg), void *arg) { return 0; }
void remote_bury(u32 member, u32 generation) {}
void locks_release_process(s32 pid) {}
void sockets_sweep(void)
{
}

void dnotify_release_process(s32 pid) {}
void mm_release(struct mm *mm) {}
void timers_release(struct proc *p) {}
bool proc_shares_vm(struct proc *p) { return false; }
bool member_lost(struct proc *p) { return false; }
void vfork_release_parent(struct proc *p) {}
void proc_end_stop(struct kin_proc *p, int sig) {}
static u32 npidfd_rings, nsignalfd_rings;
void pidfd_wake(s32 pid) { assert_int_equal(locks_held, 0); npidfd_rings++; }
void signalfd_wake(const struct kin_proc *p) { assert_int_equal(locks_held, 0); nsignalfd_rings++; }
int pidfd_pid(int fd, u32 *flags) { return -EBADF; }
void sem_undo_exit(struct kin_proc *p) {}
void thread_wake(struct thread *t) {}
u64 sched_cpu_ns(void) { return 1000; }
_Noreturn void sched_leave(struct proc *dead) { abort(); }
void rusage_of_child(struct rusage *u, const struct kin_proc *p) {}
size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		memcpy(dst, src, MIN(n + 1, size));
		dst[size - 1] = '\0';
	}
	return n;
}

int copy_out(void *to, const void *from, size_t n) { memcpy(to, from, n); return 0; }

struct console *console_of_session(s32 sid)
{
	return sid && console_get()->session == sid ? console_get() : NULL;
}

int signal_post(struct kin_proc *p, int sig, const struct ksiginfo *info)
{
	assert_true(locks_held > 0);
	nsent %= ARRAY_SIZE(sent);
	sent[nsent].pid = p->pid;
	sent[nsent].sig = sig;
	sent[nsent].code = info ? info->code : 0;
	sent[nsent++].status = info ? info->chld.status : 0;
	return 1;
}

void signal_notify(struct kin_proc *p, int sig)
{
	assert_int_equal(locks_held, 0);
	nrung++;
}

/* A sleeper that nobody will wake is a bug of the test. */
static void (*while_asleep)(void);
int thread_sleep_mode(u64 deadline_ns, enum sleep_mode mode, struct hyp_pollfd *fds, u32 nfds)
{
	void (*happens)(void) = while_asleep;

	assert_int_equal(locks_held, 0);
	while_asleep = NULL;
	if (!happens)
		return -EINTR;
	happens();
	return 0;
}

static struct kin_proc *child_of(struct kin_proc *parent)
{
	struct kin_proc *p = kin_proc_alloc();

	assert_non_null(p);
	p->exit_signal = SIGCHLD;
	tree_lock();
	p->pgid = parent ? parent->pgid : p->pid;
	p->sid = parent ? parent->sid : p->pid;
	kin_proc_enter(p, parent);
	tree_unlock();
	return p;
}

static void become(struct kin_proc *p)
{
	self_proc.kp = p;
}

static void die(struct kin_proc *p, u32 status)
{
	tree_lock();
	proc_leave_session(p);
	proc_orphan_children(p);
	proc_become_zombie(p, status);
	tree_unlock();
}

static int setup(void **state)
{
	memset(&fake_kin, 0, sizeof(fake_kin));
	fake_kin.members[0].generation = 1;
	self_thread.proc = &self_proc;
	current = &self_thread;
	nsent = nwoken = nrung = npidfd_rings = nsignalfd_rings = 0;
	while_asleep = NULL;
	proc_table_init();
	become(child_of(NULL));
	assert_int_equal(self_proc.kp->pid, 1);
	return 0;
}

static int teardown(void **state)
{
	for (u32 i = 0; i < PROCS_MAX / CHUNK_PROCS; i++)
		free(proc_table->chunk[i]);
	free(proc_table->tid_member);
	free(proc_table);
	assert_int_equal(locks_held, 0);
	return 0;
}

static void *find(s32 pid)
{
	struct kin_proc *p;

	tree_lock();
	p = proc_find(pid);
	tree_unlock();
	return p;
}

/* ---- numbers */

static void test_numbers_rise_without_reuse(void **state)
{
	struct kin_proc *init = self_proc.kp;
	u32 status;

	for (s32 expect = 2; expect < 2000; expect++) {
		struct kin_proc *p = child_of(init);

		assert_int_equal(p->pid, expect);
		die(p, 0);
		assert_int_equal(wait_reap_any(&status), expect);
	}
	assert_int_equal(proc_count(), 1);
	assert_int_equal(wait_reap_any(&status), -ECHILD);
}

static void test_numbers_wrap_past_those_in_use(void **state)
{
	struct kin_proc *init = self_proc.kp, *a, *b;
	s32 tid;

	proc_table->next_pid = PID_REUSE_FIRST;
	a = child_of(init);
	assert_int_equal(a->pid, PID_REUSE_FIRST);
	tree_lock();
	a->pgid = PID_REUSE_FIRST + 1; /* a group whose leader is gone */
	tree_unlock();
	proc_table->next_pid = PID_REUSE_FIRST + 2;
	tid = tid_alloc();
	assert_int_equal(tid, PID_REUSE_FIRST + 2);
	proc_table->next_pid = PID_MAX - 1;
	b = child_of(init);
	assert_int_equal(b->pid, PID_MAX - 1);
	b = child_of(init);
	assert_int_equal(b->pid, PID_REUSE_FIRST + 3);
	tid_free(tid);
	proc_table->next_pid = PID_REUSE_FIRST;
	b = child_of(init);
	assert_int_equal(b->pid, PID_REUSE_FIRST + 2);
}

static void test_table_full_is_eagain(void **state)
{
	u32 n = 1;

	while (kin_proc_alloc())
		n++;
	assert_int_equal(n, PROCS_MAX);
}

static void test_embryo_is_invisible(void **state)
{
	struct kin_proc *p = kin_proc_alloc();

	assert_null(find(p->pid));
	assert_int_equal(p->member, 0);
	assert_int_equal(p->generation, 1);
	tree_lock();
	kin_proc_enter(p, self_proc.kp);
	tree_unlock();
	assert_ptr_equal(find(p->pid), p);
}

/* ---- death */

static void test_zombie_tells_its_parent(void **state)
{
	struct kin_proc *p = child_of(self_proc.kp);

	die(p, 3 << 8);
	assert_int_equal(nsent, 1);
	assert_int_equal(sent[0].pid, 1);
	assert_int_equal(sent[0].sig, SIGCHLD);
	assert_int_equal(sent[0].code, CLD_EXITED_);
	assert_int_equal(sent[0].status, 3);
	assert_int_equal(nwoken, 1);
	assert_int_equal(nrung, 1);
	assert_int_equal(npidfd_rings, 1);
	assert_int_equal(nsignalfd_rings, 1);
	assert_int_equal(p->state, PROC_ZOMBIE);
	assert_int_equal(p->member, NO_MEMBER);
}

static void test_parent_that_does_not_wait(void **state)
{
	struct kin_proc *p = child_of(self_proc.kp);
	s32 pid = p->pid;

	self_proc.kp->flags |= KP_NOCLDWAIT;
	die(p, 9);
	assert_null(find(pid));
	assert_int_equal(sys_wait4((u64)-1, 0, 0, 0), -ECHILD);
}

static void test_orphans_go_to_init(void **state)
{
	struct kin_proc *init = self_proc.kp;
	struct kin_proc *a = child_of(init), *b = child_of(a), *c = child_of(a);

	b->pdeathsig = 12;
	die(c, 0);
	nsent = 0;
	die(a, 0);
	assert_ptr_equal(b->parent, init);
	assert_int_equal(b->ppid, 1);
	assert_ptr_equal(c->parent, init);
	/* pdeathsig to b, SIGCHLD for the zombie c, SIGCHLD for a */
	assert_int_equal(nsent, 3);
	assert_int_equal(sent[0].pid, b->pid);
	assert_int_equal(sent[0].sig, 12);
	assert_int_equal(sent[1].pid, 1);
	assert_int_equal(sent[2].pid, 1);
}

static void test_orphans_go_to_subreaper(void **state)
{
	struct kin_proc *reaper = child_of(self_proc.kp), *a = child_of(reaper), *b = child_of(a);

	reaper->flags |= KP_SUBREAPER;
	die(a, 0);
	assert_ptr_equal(b->parent, reaper);
}

/* ---- wait */

static void test_wait_takes_the_oldest_zombie(void **state)
{
	struct kin_proc *a = child_of(self_proc.kp), *b = child_of(self_proc.kp);
	s32 pid_a = a->pid, pid_b = b->pid;
	u32 status = 0;

	assert_int_equal(sys_wait4((u64)-1, 0, WNOHANG, 0), 0);
	die(b, 9);
	die(a, 5 << 8);
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, 0, 0), pid_a);
	assert_int_equal(status, 5 << 8);
	assert_int_equal(sys_wait4((u64)pid_b, (u64)&status, 0, 0), pid_b);
	assert_int_equal(status, 9);
	assert_int_equal(sys_wait4((u64)-1, 0, 0, 0), -ECHILD);
}

static struct kin_proc *dies_later;
static void later(void)
{
	die(dies_later, 7 << 8);
}

static void test_wait_sleeps_until_a_child_dies(void **state)
{
	u32 status;
	s32 pid;

	dies_later = child_of(self_proc.kp);
	pid = dies_later->pid;
	while_asleep = later;
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, 0, 0), pid);
	assert_int_equal(status, 7 << 8);
	child_of(self_proc.kp);
	assert_int_equal(sys_wait4((u64)-1, 0, 0, 0), -ERESTARTSYS);
}

static void test_wait_selects(void **state)
{
	struct kin_proc *a = child_of(self_proc.kp), *b = child_of(self_proc.kp);
	s32 pid_a = a->pid, pid_b = b->pid;

	b->pgid = b->pid;
	a->exit_signal = 0; /* a "clone" child */
	die(a, 0);
	die(b, 0);
	assert_int_equal(sys_wait4(0, 0, WNOHANG, 0), -ECHILD);
	assert_int_equal(sys_wait4(0, 0, WNOHANG | __WCLONE, 0), pid_a);
	assert_int_equal(sys_wait4((u64)-pid_b, 0, WNOHANG, 0), pid_b);
	assert_int_equal(sys_wait4((u64)-1, 0, WNOHANG | __WALL, 0), -ECHILD);
	assert_int_equal(sys_wait4((u64)-1, 0, 0x10, 0), -EINVAL);
}

static void test_waitid_leaves_what_it_should(void **state)
{
	struct kin_proc *a = child_of(self_proc.kp);
	struct { s32 signo, err, code, pad, pid; u32 uid; s32 status; } info;
	s32 pid = a->pid;

	die(a, 15);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sys_waitid(P_PID, (u64)pid, (u64)&info, WEXITED | WNOWAIT, 0), 0);
		assert_int_equal(info.pid, pid);
		assert_int_equal(info.code, CLD_KILLED_);
		assert_int_equal(info.status, 15);
	}
	assert_int_equal(sys_waitid(P_ALL, 0, (u64)&info, WEXITED, 0), 0);
	assert_int_equal(sys_waitid(P_ALL, 0, (u64)&info, WEXITED, 0), -ECHILD);
	assert_int_equal(sys_waitid(P_ALL, 0, (u64)&info, WNOHANG, 0), -EINVAL);
}

static void test_wait_reports_stop_and_continue_once(void **state)
{
	struct kin_proc *a = child_of(self_proc.kp);
	u32 status;

	a->state = PROC_STOPPED;
	proc_table->nstopped = 1;
	a->wait_status = SIGSTOP << 8 | 0x7f;
	a->wait_flags = WAIT_STOPPED;
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, WNOHANG, 0), 0);
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, WNOHANG | WUNTRACED, 0), a->pid);
	assert_int_equal(status, SIGSTOP << 8 | 0x7f);
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, WNOHANG | WUNTRACED, 0), 0);
	a->state = PROC_RUNNING;
	a->wait_flags = WAIT_CONTINUED;
	assert_int_equal(sys_wait4((u64)-1, (u64)&status, WNOHANG | WCONTINUED, 0), a->pid);
	assert_int_equal(status, 0xffff);
}

/* ---- groups */

static void test_setpgid_rules(void **state)
{
	struct kin_proc *init = self_proc.kp;
	struct kin_proc *a = child_of(init), *b = child_of(init), *grandchild = child_of(a);

	assert_int_equal(sys_setpgid(1, 0), -EPERM); /* a session leader */
	assert_int_equal(sys_setpgid((u64)a->pid, 0), 0);
	assert_int_equal(a->pgid, a->pid);
	assert_int_equal(sys_setpgid((u64)b->pid, (u64)a->pid), 0);
	assert_int_equal(sys_setpgid((u64)b->pid, 99), -EPERM);
	assert_int_equal(sys_setpgid((u64)grandchild->pid, 0), -ESRCH);
	b->flags |= KP_EXECED;
	assert_int_equal(sys_setpgid((u64)b->pid, 0), -EACCES);
	become(b);
	assert_int_equal(sys_setsid(), b->pid);
	assert_int_equal(sys_setsid(), -EPERM);
	become(init);
	assert_int_equal(sys_setpgid((u64)b->pid, 0), -EPERM);
	assert_int_equal(sys_getsid((u64)b->pid), b->pid);
	assert_int_equal(sys_getpgid(4711), -ESRCH);
}

static void test_orphaned_stopped_group_is_told(void **state)
{
	struct kin_proc *shell = child_of(self_proc.kp), *job;

	shell->sid = shell->pgid = shell->pid;
	job = child_of(shell);
	job->pgid = job->pid;
	job->state = PROC_STOPPED;
	proc_table->nstopped = 1;
	die(shell, 0);
	/* HUP and CONT to the job, SIGCHLD to PID 1 */
	assert_int_equal(sent[0].pid, job->pid);
	assert_int_equal(sent[0].sig, SIGHUP);
	assert_int_equal(sent[1].sig, SIGCONT);
	assert_int_equal(sent[2].pid, 1);
}

static void test_session_leader_hangs_up(void **state)
{
	struct kin_proc *shell = child_of(self_proc.kp), *job;

	shell->sid = shell->pgid = shell->pid;
	job = child_of(shell);
	job->pgid = job->pid;
	console_get()->session = shell->sid;
	console_get()->foreground_pgid = job->pgid;
	die(shell, 0);
	assert_int_equal(sent[0].pid, job->pid);
	assert_int_equal(sent[0].sig, SIGHUP);
	assert_int_equal(console_get()->session, 0);
}

/* ---- recovery */

/* Spoils every list, as a member killed at a bad moment may, and has the table made anew. */
static void spoil_and_recover(void)
{
	for (u32 i = 0; i < HASH_BUCKETS; i++)
		LIST_INIT(&proc_table->hash[i]);
	LIST_INIT(&proc_table->free);
	for (u32 i = 0; i < proc_table->nslots; i++)
		TAILQ_INIT(&proc_table->chunk[i / CHUNK_PROCS][i % CHUNK_PROCS].children);
	proc_table->nprocs = 77;
	tree_lock();
	assert_true(lock_recover(NULL));
	tree_unlock();
}

static void test_lists_are_rebuilt(void **state)
{
	struct kin_proc *init = self_proc.kp;
	struct kin_proc *a = child_of(init), *b = child_of(a), *c = child_of(a);
	s32 pids[] = {1, a->pid, b->pid, c->pid};
	u32 status;

	die(c, 6);
	spoil_and_recover();
	assert_int_equal(proc_count(), 4);
	for (u32 i = 0; i < ARRAY_SIZE(pids); i++)
		assert_non_null(find(pids[i]));
	become(a);
	assert_int_equal(wait_reap_any(&status), pids[3]);
	assert_int_equal(status, 6);
	/* The parent was freed, its child not yet given away: it goes to PID 1. */
	a->state = PROC_FREE;
	become(init);
	spoil_and_recover();
	assert_ptr_equal(b->parent, init);
	assert_int_equal(proc_count(), 2);
	/* The free list is whole: numbers and slots can be had. */
	for (u32 i = 0; i < 3 * CHUNK_PROCS; i++)
		child_of(init);
}

/* unifork exec: nobody in the family is its parent, and nobody waits for it. */
static void test_outside_is_freed_at_its_end(void **state)
{
	struct kin_proc *init = self_proc.kp, *p = child_of(init), *child = child_of(p);
	s32 pid = p->pid;

	tree_lock();
	TAILQ_REMOVE(&init->children, p, sibling);
	p->parent = NULL;
	p->ppid = 0;
	p->flags |= KP_OUTSIDE;
	tree_unlock();
	spoil_and_recover();
	assert_null(p->parent);
	assert_int_equal(p->ppid, 0);
	nsent = 0;
	die(p, 3);
	assert_int_equal(nsent, 0);
	assert_null(find(pid));
	assert_ptr_equal(child->parent, init);
}

/* ---- /proc */

static void test_info_is_shared_and_replaced(void **state)
{
	struct kin_proc *a = self_proc.kp, *b;
	char buf[32];

	proc_info_set_cwd(a, "/tmp");
	proc_info_set_exec(a, "/bin/sh", "sh\0-c\0", 6);
	b = child_of(a);
	tree_lock();
	proc_info_share(b, a);
	tree_unlock();
	proc_info_set_cwd(a, "/");
	assert_int_equal(proc_info_get(b, INFO_CWD, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "/tmp", 4);
	assert_int_equal(proc_info_get(a, INFO_CWD, buf, sizeof(buf)), 1);
	assert_int_equal(proc_info_get(a, INFO_EXE, buf, 3), 7);
	assert_int_equal(proc_info_get(b, INFO_CMDLINE, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "sh\0-c", 6);
	tree_lock();
	proc_info_drop(a);
	proc_info_drop(b);
	tree_unlock();
	assert_int_equal(proc_info_get(b, INFO_EXE, buf, sizeof(buf)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers_rise_without_reuse),
		TEST(test_numbers_wrap_past_those_in_use),
		TEST(test_table_full_is_eagain),
		TEST(test_embryo_is_invisible),
		TEST(test_zombie_tells_its_parent),
		TEST(test_parent_that_does_not_wait),
		TEST(test_orphans_go_to_init),
		TEST(test_orphans_go_to_subreaper),
		TEST(test_wait_takes_the_oldest_zombie),
		TEST(test_wait_sleeps_until_a_child_dies),
		TEST(test_wait_selects),
		TEST(test_waitid_leaves_what_it_should),
		TEST(test_wait_reports_stop_and_continue_once),
		TEST(test_setpgid_rules),
		TEST(test_orphaned_stopped_group_is_told),
		TEST(test_session_leader_hangs_up),
		TEST(test_lists_are_rebuilt),
		TEST(test_outside_is_freed_at_its_end),
		TEST(test_info_is_shared_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
