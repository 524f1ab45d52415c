/* SPDX-License-Identifier: ISC */
/* The table of traced threads: trace.h. Slots come in chunks of a page, which are never freed. */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/kin/claim.h"
#include "kernel/kin/own.h"
#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"
#include "kernel/task/trace.h"

#define CHUNKS 256
#define CHUNK_PAGES 1
#define CHUNK_SLOTS (CHUNK_PAGES * PAGE_SIZE / sizeof(struct trace))

struct trace_table {
	_Atomic u32 chunks; /* T: of these are there */
	struct trace *chunk[CHUNKS];
};

static struct trace_table *table(void)
{
	return kin_root_get(ROOT_TRACE);
}

/* The first that fits. Chunks before count are there for good, so this needs no lock. */
static struct trace *search(bool (*fits)(const struct trace *tr, s32 id), s32 id)
{
	struct trace_table *t = table();
	u32 chunks = t ? atomic_load(&t->chunks) : 0;

	for (u32 i = 0; i < chunks; i++)
		for (u32 k = 0; k < CHUNK_SLOTS; k++)
			if (fits(&t->chunk[i][k], id))
				return &t->chunk[i][k];
	return NULL;
}

static bool is_free(const struct trace *tr, s32 id)
{
	return !tr->tid;
}

static bool is_thread(const struct trace *tr, s32 tid)
{
	return tr->tid == tid && tr->tracer && tr->state != TRACE_ENDED;
}

static bool is_of_process(const struct trace *tr, s32 pid)
{
	return tr->tid && tr->pid == pid;
}

struct trace *trace_find(s32 tid)
{
	return search(is_thread, tid);
}

struct trace *trace_of(const struct thread *t)
{
	return atomic_load(&t->proc->kp->traced) ? search(is_thread, t->tid) : NULL;
}

bool trace_wanted(const struct thread *t)
{
	struct trace *tr = trace_of(t);

	return tr && (tr->asked || (t->proc->kp->state == PROC_STOPPED && !tr->stop_shown));
}

int trace_reserve(void)
{
	struct trace_table *t = kin_root_claim(ROOT_TRACE, sizeof(*t), NULL);
	struct trace *chunk;

	if (t && search(is_free, 0))
		return 0;
	chunk = t ? own_pages(CHUNK_PAGES, PAGES_ZERO) : NULL;
	if (!chunk)
		return -ENOMEM;
	tree_lock();
	u32 n = t->chunks;
	if (n < CHUNKS) {
		if (!t->chunk[n]) /* else somebody died before he had counted his */
			own_give(&t->chunk[n], chunk);
		atomic_store(&t->chunks, n + 1);
	}
	bool given = n < CHUNKS && t->chunk[n] == chunk;
	tree_unlock();
	if (!given)
		own_free(chunk);
	return 0;
}

struct trace *trace_add(struct kin_proc *p, s32 tid, s32 tracer, u32 seized, u32 options)
{
	struct trace *tr = search(is_free, 0);

	if (!tr)
		return NULL;
	memset(tr, 0, sizeof(*tr));
	tr->pid = p->pid;
	tr->tracer = tracer;
	tr->seized = seized;
	tr->options = options;
	atomic_store(&p->traced, 1);
	atomic_store(&tr->tid, tid);
	return tr;
}

void trace_rouse(struct trace *tr)
{
	struct kin_proc *p = proc_find(tr->pid);

	if (!p || p->state == PROC_ZOMBIE)
		return;
	atomic_store(&p->attention, 1);
	tree_wake(p);
	tree_ring(p);
}

void trace_drop(struct trace *tr)
{
	struct kin_proc *p = proc_find(tr->pid);
	u32 state = tr->state;
	s32 pid = tr->pid;

	tr->request = 0;
	atomic_store(&tr->tracer, 0);
	if (p && p->state != PROC_ZOMBIE && (state == TRACE_STOPPED || state == TRACE_LISTENS)) {
		atomic_store(&tr->state, TRACE_RUNS);
		tree_wake(p);
		return;
	}
	atomic_store(&tr->tid, 0);
	if (p && !search(is_of_process, pid))
		atomic_store(&p->traced, 0);
}

void trace_forget(struct kin_proc *p)
{
	struct trace *tr;

	while (p->traced && (tr = search(is_of_process, p->pid)))
		atomic_store(&tr->tid, 0);
	atomic_store(&p->traced, 0);
}

int trace_foreach(int (*fn)(struct trace *tr, void *arg), void *arg)
{
	struct trace_table *t = table();
	u32 chunks = t ? atomic_load(&t->chunks) : 0;

	for (u32 i = 0; i < chunks * CHUNK_SLOTS; i++) {
		struct trace *tr = &t->chunk[i / CHUNK_SLOTS][i % CHUNK_SLOTS];
		int r = tr->tid && tr->tracer ? fn(tr, arg) : 0;

		if (r)
			return r;
	}
	return 0;
}

void trace_tell(struct trace *tr, s32 code, u32 status)
{
	struct kin_proc *tracer = proc_find(tr->tracer), *p = proc_find(tr->pid);
	struct ksiginfo info = {.signo = SIGCHLD, .code = code};

	if (!tracer)
		return;
	info.chld.pid = tr->tid;
	info.chld.uid = p ? p->inherited.uid : 0;
	info.chld.status = (s32)status;
	if (!(tracer->flags & KP_NOCLDSTOP))
		tree_signal(tracer, SIGCHLD, &info);
	tree_wake(tracer);
}

struct trace *trace_hides(struct kin_proc *p)
{
	struct trace *tr = p->traced ? trace_find(p->pid) : NULL;

	return tr && (!p->parent || p->parent->pid != tr->tracer) ? tr : NULL;
}
