/* SPDX-License-Identifier: ISC */
/*
 * exec of a process that shares its VM (vfork, posix_spawn): the image cannot be replaced under the
 * other process, so the process moves. The old member writes a request into kin and gives the
 * process to a SPAWNING record; the supervisor starts a monitor for it; the fresh kernel finds the
 * process in its record and runs the exec again from the start.
 *
 * The process moves with one store under tree_lock. Before it, a death of the old member kills the
 * process, after it only a death of the new one does. The supervisor is told after the store; if
 * the old member dies in between, whoever buries it tells.
 */
#include <stdatomic.h>

#include <asm/errno.h>
#include <asm/signal.h>

#include "kernel/exec/exec.h"
#include "kernel/exec/spawn.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc_hooks.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/signal/signal_hooks.h"
#include "kernel/time/time.h"
#include "kernel/time/timers.h"
#include "kernel/vfs/vfs.h"

/* ---- in the old member */

/* The request in kin pages, owned by the process from here on. */
static struct kin_exec *request_make(const struct exec_args *a)
{
	struct proc *p = current->proc;
	size_t path = strlen(a->path) + 1, cwd = strlen(p->fs->cwd) + 1;
	size_t bytes = path + cwd + a->bytes;
	size_t size = sizeof(struct kin_exec) + bytes + 16 + sizeof(struct spawn_state);
	size_t npages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	struct kin_exec *e = kin_pages_alloc(npages);

	if (!e)
		return NULL;
	p->kp->spawn_pages = (u32)npages;
	p->kp->spawn = e;
	e->argc = a->argc;
	e->envc = a->envc;
	e->bytes = (u32)bytes;
	memcpy(e->strings, a->path, path);
	memcpy(e->strings + path, p->fs->cwd, cwd);
	memcpy(e->strings + path + cwd, a->strings, a->bytes);
	return e;
}

void spawn_drop(struct kin_proc *p)
{
	void *pages = p->spawn;

	p->spawn = NULL;
	if (pages)
		kin_pages_free(pages, p->spawn_pages);
}

/*
 * Asks for a monitor for that record, and somebody must see that. If the spawner dies after this
 * look at it, the supervisor sees the bit when it reaps it.
 */
static void spawn_tell(u32 index)
{
	bool session = KIN->members[index].session;
	_Atomic u64 *map = session ? KIN->session_spawn_map : KIN->spawn_map;

	atomic_fetch_or(&map[index / 64], 1ull << (index % 64));
	if (session || !atomic_load(&KIN->spawner_ready)) {
		host_notify();
		return;
	}
	atomic_fetch_add(&KIN->spawn_word, 1);
	host_futex_wake(&KIN->spawn_word, 1);
}

/*
 * The process is not this member's any more: what was its private side here goes, except the thread
 * that runs.
 */
static void process_leaves(struct proc *p)
{
	participants_left(p);
	member_lost(p);
}

s64 vfork_exec(struct exec_args *a)
{
	struct thread *t = current;
	struct proc *p = t->proc;
	struct kin_proc *kp = p->kp;
	struct kin_member *rec;
	struct kin_exec *e = request_make(a);
	int index = e ? member_alloc(MEMBER_SPAWNING) : -ENOMEM;

	if (index < 0) {
		spawn_drop(kp);
		return index;
	}
	proc_exec_begin();
	participants_pass(p, spawn_state_of(e));
	rec = &KIN->members[index];
	rec->exec_offset = (u32)(((u64)e - KIN_BASE) / PAGE_SIZE);
	rec->pid = kp->pid;
	rec->ppid = kp->ppid;
	rec->clone_tsc = arch_cycles();
	memcpy(rec->comm, kp->comm, sizeof(rec->comm));
	tree_lock();
	atomic_store(&rec->proc, (u64)kp);
	proc_place(kp, (u32)index); /* it has moved */
	tree_unlock();
	spawn_tell((u32)index);
	exec_args_free(a);
	LIST_REMOVE(t, sibling);
	process_leaves(p);
	vfork_release_parent(p);
	sched_leave(p);
}

/* Is that record where kp runs, or is to run? */
bool spawn_owns(u32 index, const struct kin_proc *kp)
{
	return kp && kp->member == index && kp->generation == KIN->members[index].generation;
}

/* Is it for the program of a session? Then the supervisor knows of it. */
static bool session_owns(u32 index)
{
	const struct kin_member *rec = &KIN->members[index];
	u32 i = rec->session_program - 1;

	return i < SESSIONS_MAX &&
		   atomic_load(&KIN->sessions[i].record) == ((u64)rec->session << 32 | (index + 1));
}

/*
 * A member died: requests that it had made and not told the supervisor of. Telling twice does no
 * harm. If the process had not moved yet it died with the member, and the record is free: nobody
 * else knows of it.
 */
void spawn_bury(u32 member)
{
	for (u32 i = 0; member_used(i); i++) {
		struct kin_member *rec = &KIN->members[i];

		if (rec->state != MEMBER_SPAWNING || rec->parent != member || rec->host_pid ||
			session_owns(i))
			continue;
		if (!spawn_owns(i, (struct kin_proc *)rec->proc)) {
			member_free(i);
			continue;
		}
		spawn_tell(i);
	}
}

/* ---- in the fresh member */

static const char *next_string(const char *s)
{
	return s + strlen(s) + 1;
}

void exec_args_of(struct kin_exec *e, struct exec_args *a, const char **cwd)
{
	const char *strings;

	*a = (struct exec_args){.argc = e->argc, .envc = e->envc, .path = e->strings};
	*cwd = next_string(e->strings);
	strings = next_string(*cwd);
	a->strings = (char *)(u64)strings;
	a->bytes = e->bytes - (size_t)(strings - e->strings);
}

_Noreturn void spawn_run(void)
{
	struct kin_exec *e = current->proc->kp->spawn;
	struct spawn_state *state = spawn_state_of(e);
	struct exec_args a;
	s64 err = -ENOMEM;

	exec_args_of(e, &a, &state->cwd);
	if (participants_take(current->proc, state))
		err = exec_run(&a);
	/*
	 * It was checked before; what changed since then ends it as a failed exec past its point of no
	 * return.
	 */
	exec_complain("", a.path, err);
	proc_exit(SIGKILL);
}
