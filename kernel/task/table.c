/* SPDX-License-Identifier: ISC */
/*
 * The family's process table in kin: slots, numbers, the tree. Numbers rise from 1 to PID_MAX
 * before any is used again, and one that still names a process group, a session or a thread is
 * passed over.
 *
 * Every member changes the table under tree_lock and may be killed while it holds it. The next to
 * take it then rebuilds hash, free list and children from the slots: each slot's state is stored
 * last when it is filled and first when it is freed, and a child's parent field is stored before
 * the lists of children change.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/lib/lib.h"
#include "kernel/task/table.h"
#include "kernel/task/task_hooks.h"
#include "kernel/task/thread.h"
#include "kernel/task/trace.h"

struct proc_table *proc_table;

#define CHUNK_PAGES (ALIGN_UP(CHUNK_PROCS * sizeof(struct kin_proc), PAGE_SIZE) / PAGE_SIZE)
#define TID_PAGES (ALIGN_UP((PID_MAX + 1) * sizeof(u16), PAGE_SIZE) / PAGE_SIZE)

static struct kin_proc *slot(u32 i)
{
	return &proc_table->chunk[i / CHUNK_PROCS][i % CHUNK_PROCS];
}

static struct kin_proc_list *bucket(s32 pid)
{
	return &proc_table->hash[(u32)pid % HASH_BUCKETS];
}

static bool is_parent(struct kin_proc *p)
{
	return p && p->state != PROC_FREE && p->state != PROC_EMBRYO;
}

/* Makes the lists anew. The caller owns the lock whose last owner died. */
static bool table_recover(void *arg)
{
	struct proc_table *t = proc_table;
	struct kin_proc *init = NULL;

	LIST_INIT(&t->free);
	for (u32 i = 0; i < HASH_BUCKETS; i++)
		LIST_INIT(&t->hash[i]);
	for (u32 i = 0; i < t->nslots; i++) {
		TAILQ_INIT(&slot(i)->children);
		if (slot(i)->pid == 1 && slot(i)->state != PROC_FREE)
			init = slot(i);
	}
	t->nprocs = t->nstopped = 0;
	for (u32 i = 0; i < t->nslots; i++) {
		struct kin_proc *p = slot(i);

		if (p->state == PROC_FREE) {
			LIST_INSERT_HEAD(&t->free, p, hash);
			continue;
		}
		t->nprocs++;
		t->nstopped += p->state == PROC_STOPPED;
		LIST_INSERT_HEAD(bucket(p->pid), p, hash);
		if (p->state == PROC_EMBRYO || p == init)
			continue;
		if (!is_parent(p->parent))
			p->parent = p->flags & KP_OUTSIDE ? NULL : init;
		if (p->parent)
			TAILQ_INSERT_TAIL(&p->parent->children, p, sibling);
	}
	klog("process table: rebuilt after the death of the member that was changing it");
	return true;
}

void tree_lock(void)
{
	kin_lock_recover(&proc_table->lock, table_recover, NULL);
}

/*
 * Whom to ring and wake once the lock is released: ringing may leave the VM, and who is woken wants
 * the lock first of all. Private: only the holder of the lock uses it. If this member is killed
 * before it rang, whoever buries it does (proc_bury).
 */
#define RINGS_MAX 32
enum ring_what { RING_SIGNAL, RING_WAIT_QUEUE, RING_SIGNALFD, RING_PIDFD };
struct ring {
	struct kin_proc *p;
	s32 pid; /* p's: the slot may be another's by the time of the ring */
	enum ring_what what;
	int sig;
};
static struct ring rings[RINGS_MAX];
static u32 nrings;

static void ring_now(const struct ring *r)
{
	switch (r->what) {
	case RING_SIGNAL:
		signal_notify(r->p, r->sig);
		signalfd_wake(r->p);
		break;
	case RING_WAIT_QUEUE: queue_wake_all(&r->p->wait_queue); break;
	case RING_SIGNALFD: signalfd_wake(r->p); break;
	case RING_PIDFD: pidfd_wake(r->pid); break;
	}
}

static void ring_later(struct kin_proc *p, enum ring_what what, int sig)
{
	struct ring r = {p, p->pid, what, sig};

	if (nrings == RINGS_MAX)
		ring_now(&r);
	else
		rings[nrings++] = r;
}

/* What ends a stop ends it at once: a stop signal that is sent next stops p anew, and is told. */
int tree_signal(struct kin_proc *p, int sig, const struct ksiginfo *info)
{
	int posted = signal_post(p, sig, info);

	if (posted >= 0 && (sig == SIGCONT || sig == SIGKILL))
		proc_end_stop(p, sig);
	if (posted == 1)
		ring_later(p, RING_SIGNAL, sig);
	return posted;
}

void tree_wake(struct kin_proc *p)
{
	ring_later(p, RING_WAIT_QUEUE, 0);
}

void tree_wake_signalfd(struct kin_proc *p)
{
	ring_later(p, RING_SIGNALFD, 0);
}

void tree_wake_pidfd(struct kin_proc *p)
{
	ring_later(p, RING_PIDFD, 0);
}

void tree_ring(struct kin_proc *p)
{
	ring_later(p, RING_SIGNAL, SIGKILL); /* which nobody is quiet about */
}

/* A slot that was freed since is rung for nothing, which does no harm. */
void tree_unlock(void)
{
	kin_unlock(&proc_table->lock);
	for (u32 i = 0; i < nrings; i++)
		ring_now(&rings[i]);
	nrings = 0;
}

struct kin_proc *proc_find(s32 pid)
{
	struct kin_proc *p;

	LIST_FOREACH(p, bucket(pid), hash)
		if (p->pid == pid && p->state != PROC_EMBRYO)
			return p;
	return NULL;
}

struct kin_proc *proc_of_thread(s32 tid)
{
	struct kin_proc *p = proc_find(tid);
	u16 *map = proc_table->tid_member;

	if (p || tid <= 0 || tid >= PID_MAX || !map || !map[tid])
		return p;
	return (struct kin_proc *)atomic_load(&KIN->members[map[tid] - 1].proc);
}

int proc_foreach_slot(int (*fn)(struct kin_proc *p, void *arg), void *arg)
{
	for (u32 i = 0; i < proc_table->nslots; i++) {
		int r = slot(i)->state == PROC_FREE ? 0 : fn(slot(i), arg);

		if (r)
			return r;
	}
	return 0;
}

struct visitor {
	int (*fn)(struct kin_proc *p, void *arg);
	void *arg;
};

static int visit_born(struct kin_proc *p, void *arg)
{
	struct visitor *v = arg;

	return p->state == PROC_EMBRYO ? 0 : v->fn(p, v->arg);
}

int proc_foreach(int (*fn)(struct kin_proc *p, void *arg), void *arg)
{
	struct visitor v = {fn, arg};

	return proc_foreach_slot(visit_born, &v);
}

struct set_visitor {
	enum proc_set set;
	s32 who;
	struct visitor v;
};

static int visit_set(struct kin_proc *p, void *arg)
{
	const struct set_visitor *s = arg;
	s32 has = s->set == PROC_SET_ONE     ? p->pid
			  : s->set == PROC_SET_GROUP ? p->pgid
										 : (s32)p->inherited.uid;

	return has == s->who ? s->v.fn(p, s->v.arg) : 0;
}

void proc_foreach_of(enum proc_set set, s32 who, int (*fn)(struct kin_proc *p, void *arg),
					 void *arg)
{
	struct kin_proc *self = current->proc->kp;
	struct set_visitor s = {set, who, {fn, arg}};

	if (!who)
		s.who = set == PROC_SET_ONE     ? self->pid
				: set == PROC_SET_GROUP ? self->pgid
										: (s32)self->inherited.uid;
	tree_lock();
	proc_foreach(visit_set, &s);
	tree_unlock();
}

u32 proc_count(void)
{
	return proc_table->nprocs;
}

static int names(struct kin_proc *p, void *arg)
{
	s32 id = *(s32 *)arg;

	return p->pid == id || p->pgid == id || p->sid == id;
}

/* A number that names nothing: -1 if all are taken. */
static s32 number_alloc(void)
{
	struct proc_table *t = proc_table;

	for (u32 tries = 0; tries < PID_MAX; tries++) {
		s32 id = t->next_pid;

		if (id + 1 >= PID_MAX) {
			t->wrapped = 1;
			t->next_pid = PID_REUSE_FIRST;
		} else {
			t->next_pid = id + 1;
		}
		if (!t->wrapped)
			return id;
		if (!(t->tid_member && t->tid_member[id]) && !proc_foreach_slot(names, &id))
			return id;
	}
	return -1;
}

/*
 * Puts fresh slots into the free list. Memory is taken before the lock: that may need a hypercall.
 * False: the table has its full size, or kin has no room.
 */
static bool table_grow(void)
{
	struct proc_table *t = proc_table;
	struct kin_proc *chunk;

	if (t->nslots == PROCS_MAX)
		return false;
	chunk = kin_pages_alloc(CHUNK_PAGES);
	if (!chunk)
		return false;
	for (u32 i = 0; i < CHUNK_PROCS; i++) {
		TAILQ_INIT(&chunk[i].children);
		queue_init(&chunk[i].wait_queue);
	}
	tree_lock();
	if (t->nslots < PROCS_MAX && LIST_EMPTY(&t->free)) {
		t->chunk[t->nslots / CHUNK_PROCS] = chunk;
		for (u32 i = 0; i < CHUNK_PROCS; i++) {
			chunk[i].slot = t->nslots + i;
			LIST_INSERT_HEAD(&t->free, &chunk[CHUNK_PROCS - 1 - i], hash);
		}
		t->nslots += CHUNK_PROCS;
		chunk = NULL;
	}
	tree_unlock();
	if (chunk)
		kin_pages_free(chunk, CHUNK_PAGES);
	return true;
}

void proc_table_init(void)
{
	size_t pages = ALIGN_UP(sizeof(struct proc_table), PAGE_SIZE) / PAGE_SIZE;
	struct proc_table *t = kin_pages_alloc(pages);

	if (!t)
		kpanic("no memory for the process table");
	t->next_pid = 1;
	LIST_INIT(&t->free);
	for (u32 i = 0; i < HASH_BUCKETS; i++)
		LIST_INIT(&t->hash[i]);
	proc_table = t;
	kin_root_set(ROOT_PROC, t);
	if (!table_grow()) /* next to the table: a fork touches both */
		kpanic("no memory for the first processes");
}

void proc_table_attach(void)
{
	proc_table = kin_root_get(ROOT_PROC);
}

/* All but slot, wait_queue and the locks, which a late sender may still be using. */
static void slot_clear(struct kin_proc *p)
{
	p->attention = 0;
	p->ppid = p->pgid = p->sid = 0;
	p->parent = NULL;
	p->exit_signal = p->wait_status = p->wait_flags = 0;
	p->flags = 0;
	signals_release(p);
	p->fds = NULL;
	p->cwd = p->root = NULL;
	p->exe = NULL;
	p->utime_ns = p->stime_ns = p->cutime_ns = p->cstime_ns = 0;
	p->start_ns = p->maxrss_kib = p->cmaxrss_kib = 0;
	p->vm_pages = p->present_pages = 0;
	p->inherited.uid = p->inherited.euid = p->inherited.suid = p->inherited.fsuid = 0;
	p->inherited.gid = p->inherited.egid = p->inherited.sgid = p->inherited.fsgid = 0;
	memset(p->comm, 0, sizeof(p->comm));
	p->info = NULL;
	p->info_exe = p->info_cwd = p->info_cmdline = p->info_cmdline_len = 0;
	p->mappings = NULL;
	p->locks = 0;
	p->sem_undo = NULL;
	p->nthreads = p->pdeathsig = p->inherited.nice = p->lost_foreground = 0;
	p->inherited.sched_class = p->inherited.ioprio = 0;
	p->inherited.oom_adjust = 0;
	memset(&p->io, 0, sizeof(p->io));
	p->traced = 0;
	p->spawn = NULL;
	p->spawn_pages = 0;
}

static int add_tasks(struct kin_proc *p, void *sum)
{
	*(u32 *)sum += (u32)MAX(p->nthreads, 1);
	return 0;
}

/*
 * As for Linux's pids controller zombies count, and threads. They are summed up only when as many
 * were made as were free at the last sum: before that there cannot be too many, whoever died since.
 */
bool tasks_full(void)
{
	u32 sum = 0, limit = KIN->tasks_limit;

	if (!limit)
		return false;
	if (proc_table->tasks_free) {
		proc_table->tasks_free--;
		return false;
	}
	proc_foreach_slot(add_tasks, &sum);
	if (sum >= limit)
		return true;
	proc_table->tasks_free = limit - sum - 1;
	return false;
}

void proc_place(struct kin_proc *p, u32 member)
{
	u64 generation = atomic_load(&KIN->members[member].generation);

	atomic_store(&p->place, generation << 32 | member);
}

struct kin_proc *kin_proc_alloc(void)
{
	struct kin_member *self = member_self();
	struct kin_proc *p;
	s32 pid;

	/* Others take slots as well: those that were added may be gone again. */
	tree_lock();
	while (!(p = LIST_FIRST(&proc_table->free))) {
		tree_unlock();
		if (!table_grow())
			return NULL;
		tree_lock();
	}
	pid = tasks_full() ? -1 : number_alloc();
	if (pid < 0) {
		tree_unlock();
		return NULL;
	}
	LIST_REMOVE(p, hash);
	slot_clear(p);
	TAILQ_INIT(&p->children);
	p->pid = pid;
	/* Until it is published it belongs to the member that makes it, and is buried with it. */
	proc_place(p, (u32)(self - KIN->members));
	p->state = PROC_EMBRYO;
	LIST_INSERT_HEAD(bucket(pid), p, hash);
	proc_table->nprocs++;
	tree_unlock();
	return p;
}

void kin_proc_enter(struct kin_proc *p, struct kin_proc *parent)
{
	p->ppid = parent ? parent->pid : 0;
	p->parent = parent;
	p->state = PROC_RUNNING;
	if (parent)
		TAILQ_INSERT_TAIL(&parent->children, p, sibling);
	event_note(EVENT_FORK, p, 0);
}

/* A death before the last store leaves nothing: the next one writes there. */
void event_write(enum kin_event_kind kind, const struct kin_proc *p, u32 status)
{
	struct kin_events *events = &KIN->events;
	u64 head = atomic_load(&events->head);
	struct kin_event *e = &events->ring[head % EVENTS_MAX];

	e->tsc = arch_cycles();
	e->kind = kind;
	e->status = status;
	e->pid = p->pid;
	e->ppid = p->ppid;
	memcpy(e->name, p->comm, sizeof(e->name));
	atomic_store(&events->head, head + 1);
}

void kin_proc_free(struct kin_proc *p)
{
	u32 was = p->state;

	trace_forget(p);
	p->state = PROC_FREE;
	if (was != PROC_EMBRYO && p->parent)
		TAILQ_REMOVE(&p->parent->children, p, sibling);
	p->parent = NULL;
	p->member = NO_MEMBER;
	proc_table->nstopped -= was == PROC_STOPPED;
	proc_table->nprocs--;
	LIST_REMOVE(p, hash);
	LIST_INSERT_HEAD(&proc_table->free, p, hash);
}

s32 tid_alloc(void)
{
	struct proc_table *t = proc_table;
	u16 *map = t->tid_member ? NULL : kin_pages_alloc(TID_PAGES);
	s32 tid = -1;

	tree_lock();
	if (!t->tid_member) {
		t->tid_member = map;
		map = NULL;
	}
	if (t->tid_member)
		tid = number_alloc();
	if (tid > 0)
		t->tid_member[tid] = (u16)(member_self() - KIN->members + 1);
	tree_unlock();
	if (map)
		kin_pages_free(map, TID_PAGES);
	return tid > 0 ? tid : -EAGAIN;
}

void tid_free(s32 tid)
{
	tree_lock();
	if (proc_table->tid_member)
		proc_table->tid_member[tid] = 0;
	tree_unlock();
}

void tids_bury(u32 member)
{
	u16 *map = proc_table->tid_member;

	for (u32 i = 0; map && i < PID_MAX; i++)
		if (map[i] == member + 1)
			map[i] = 0;
}
