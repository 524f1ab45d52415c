/* SPDX-License-Identifier: ISC */
/*
 * System V semaphores: semget, semop, semtimedop, semctl, and SEM_UNDO. Source: semop(2),
 * semctl(2).
 *
 * Values and undo values exist twice, in two halves of which array->half says the valid one. A
 * change is prepared in the other half, storing half makes it happen as a whole, and then the old
 * half is brought in line. While the lock is free both are equal; if its owner died, the valid half
 * is copied over the other. So an operation on several semaphores, with what it is to undo, is done
 * or not done whatever instruction a member dies at.
 */
#include <asm/errno.h>
#include <linux/ipc.h>
#include <linux/sem.h>

#include "kernel/arch/arch.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/text.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"
#include "kernel/time/time.h"

#define VALUE_MAX 32767

struct sem_array;

/* What one process will undo in one array. */
struct sem_undo {
	struct sem_undo *next; /* of the process: kin_proc.sem_undo */
	struct sem_undo *next_of_array;
	struct sem_array *array; /* NULL: removed */
	struct kin_proc *owner;
	u32 nsems, reserved;
	s16 adjust[]; /* two halves */
};

struct sem_array {
	struct ipc_object object;
	u32 nsems;
	u32 half; /* 0 or 1: the valid one */
	struct sem_undo *undos;
	u64 otime;
	s32 *pids; /* of the last operation on each */
	/* for more, then for zero: a killed waiter leaves it too high */
	u32 *waiting;
	u16 *values; /* two halves; the start of the one allocation is pids */
	size_t bytes;
};

static u16 *values_of(struct sem_array *a, u32 half)
{
	return a->values + (size_t)half * a->nsems;
}

static s16 *adjusts_of(struct sem_undo *u, u32 half)
{
	return u->adjust + (size_t)half * u->nsems;
}

static void halves_equal(struct sem_array *a)
{
	memcpy(values_of(a, !a->half), values_of(a, a->half), a->nsems * sizeof(u16));
	for (struct sem_undo *u = a->undos; u; u = u->next_of_array)
		memcpy(adjusts_of(u, !a->half), adjusts_of(u, a->half), a->nsems * sizeof(s16));
}

static bool sem_recover(void *arg)
{
	struct ipc_table *t = arg;

	for (u32 i = 0; i < t->used; i++)
		if (t->slot[i])
			halves_equal((struct sem_array *)t->slot[i]);
	return true;
}

/* ---- making and removing */

static u64 per_set(void)
{
	return MIN(tunable_get(TUNE_SEM_PER_SET), IPC_SEMS_MAX);
}

static s64 sem_room(struct ipc_table *t, u64 nsems)
{
	for (u32 i = 0; i < t->used; i++)
		if (t->slot[i])
			nsems += ((struct sem_array *)t->slot[i])->nsems;
	return ipc_has_room(t, tunable_get(TUNE_SEM_SETS)) && nsems <= tunable_get(TUNE_SEM_ALL)
			   ? 0
			   : -ENOSPC;
}

static struct ipc_object *sem_make(u64 nsems, s64 *err)
{
	struct sem_array *a = NULL;

	*err = -EINVAL;
	if (nsems == 0 || nsems > per_set())
		return NULL;
	*err = -ENOMEM;
	a = kin_alloc(sizeof(*a));
	if (!a)
		return NULL;
	a->nsems = (u32)nsems;
	a->bytes = nsems * (sizeof(s32) + 2 * sizeof(u32) + 2 * sizeof(u16));
	a->pids = kin_alloc(a->bytes);
	if (!a->pids) {
		kin_free(a);
		return NULL;
	}
	a->waiting = (u32 *)(a->pids + nsems);
	a->values = (u16 *)(a->waiting + 2 * nsems);
	*err = 0;
	return &a->object;
}

static void sem_discard(struct ipc_object *o)
{
	struct sem_array *a = (struct sem_array *)o;

	kin_free(a->pids);
	kin_free(a);
}

static s64 sem_check(struct ipc_object *o, u64 nsems)
{
	return nsems > ((struct sem_array *)o)->nsems ? -EINVAL : 0;
}

static void sem_stat(struct ipc_object *o, void *to)
{
	struct sem_array *a = (struct sem_array *)o;
	struct semid64_ds *ds = to;

	ds->sem_otime = (long)a->otime;
	ds->sem_ctime = (long)o->ctime;
	ds->sem_nsems = a->nsems;
}

/* Undos of processes stay, and say that their array is gone. */
static bool sem_remove(struct ipc_table *t, struct ipc_object *o)
{
	for (struct sem_undo *u = ((struct sem_array *)o)->undos; u; u = u->next_of_array)
		publish(&u->array, NULL);
	ipc_remove(t, o);
	return true;
}

_Static_assert(sizeof(struct semid64_ds) <= IPC_STAT_MAX, "see ipc_stat");
static const struct ipc_ops sem_ops = {
	.kind = IPC_SEM,
	.stat_size = sizeof(struct semid64_ds),
	.make = sem_make,
	.discard = sem_discard,
	.recover = sem_recover,
	.room = sem_room,
	.check = sem_check,
	.stat = sem_stat,
	.remove = sem_remove,
};

static void sem_lock(struct ipc_table *t)
{
	ipc_lock(&sem_ops, t);
}

s64 sys_semget(u64 key, u64 nsems, u64 flags)
{
	if ((s32)nsems < 0 || (u32)nsems > per_set())
		return -EINVAL;
	return ipc_get(&sem_ops, key, (u32)nsems, flags);
}

/* ---- semop */

struct sem_call {
	struct ipc_table *table;
	s32 id;
	u32 n;
	const struct sembuf *ops;
	bool undo, known;       /* known: the array was there before the sleep */
	u32 blocked;            /* the operation that could not be done */
	struct sem_undo *fresh; /* allocated, to be used if the process has none */
	s64 err;                /* of the last try */
};

static struct sem_undo *undo_find(struct sem_array *a, struct kin_proc *p)
{
	struct sem_undo *u = a->undos;

	while (u && u->owner != p)
		u = u->next_of_array;
	return u;
}

/*
 * Under the lock. Linked to the process first: what it finds there without an array is freed at its
 * exit.
 */
static struct sem_undo *undo_get(struct sem_call *c, struct sem_array *a)
{
	struct kin_proc *me = current->proc->kp;
	struct sem_undo *u = undo_find(a, me);

	if (u || !c->fresh || c->fresh->nsems != a->nsems)
		return u;
	u = c->fresh;
	c->fresh = NULL;
	u->owner = me;
	u->next = me->sem_undo;
	publish(&me->sem_undo, u);
	publish(&u->array, a);
	u->next_of_array = a->undos;
	publish(&a->undos, u);
	return u;
}

/* Prepares the other half. 0, -EAGAIN: not now, -ERANGE, -EFBIG. */
static s64 ops_prepare(struct sem_call *c, struct sem_array *a, struct sem_undo *u)
{
	u16 *value = values_of(a, !a->half);
	s16 *adjust = u ? adjusts_of(u, !a->half) : NULL;

	for (u32 i = 0; i < c->n; i++) {
		const struct sembuf *op = &c->ops[i];
		s32 result;

		if (op->sem_num >= a->nsems)
			return -EFBIG;
		result = value[op->sem_num] + op->sem_op;
		c->blocked = i;
		if (op->sem_op == 0 ? value[op->sem_num] != 0 : result < 0)
			return -EAGAIN;
		if (result > VALUE_MAX)
			return -ERANGE;
		value[op->sem_num] = (u16)result;
		if (op->sem_flg & SEM_UNDO) {
			s32 undo = adjust[op->sem_num] - op->sem_op;

			if (undo < -VALUE_MAX - 1 || undo > VALUE_MAX)
				return -ERANGE;
			adjust[op->sem_num] = (s16)undo;
		}
	}
	return 0;
}

static bool ops_alter(const struct sem_call *c)
{
	for (u32 i = 0; i < c->n; i++)
		if (c->ops[i].sem_op)
			return true;
	return false;
}

/* Brings the operations' semaphores of one half in line with the other. */
static void ops_copy(struct sem_call *c, struct sem_array *a, struct sem_undo *u, u32 to)
{
	for (u32 i = 0; i < c->n; i++) {
		u32 n = c->ops[i].sem_num;

		if (n >= a->nsems)
			return;
		values_of(a, to)[n] = values_of(a, !to)[n];
		if (u)
			adjusts_of(u, to)[n] = adjusts_of(u, !to)[n];
	}
}

static s64 ops_do(struct sem_call *c, struct sem_array *a)
{
	struct sem_undo *u = c->undo ? undo_get(c, a) : NULL;
	s64 err;

	if (c->undo && !u)
		return -ENOMEM;
	err = ops_prepare(c, a, u);
	if (!err) {
		publish(&a->half, !a->half);
		a->otime = ipc_seconds();
		for (u32 i = 0; i < c->n; i++)
			a->pids[c->ops[i].sem_num] = current->proc->kp->pid;
	}
	ops_copy(c, a, u, !a->half);
	return err;
}

/* Counted as waiting, or no longer. */
static void count_waiting(struct sem_call *c, struct sem_array *a, s32 by)
{
	const struct sembuf *op = &c->ops[c->blocked];

	if (op->sem_num < a->nsems)
		a->waiting[op->sem_num + (op->sem_op ? 0 : a->nsems)] += (u32)by;
}

/* One try. size: of the array, for an undo. */
static s64 sem_try(struct sem_call *c, bool wait, u32 *size)
{
	struct sem_array *a;
	s64 err;

	sem_lock(c->table);
	a = (struct sem_array *)ipc_find(c->table, c->id);
	if (!a) {
		err = c->known ? -EIDRM : -EINVAL;
	} else {
		if (c->known)
			count_waiting(c, a, -1);
		*size = a->nsems;
		err = ipc_access(&a->object, ops_alter(c) ? 0222 : 0444);
		if (!err && c->undo && !undo_find(a, current->proc->kp) && !c->fresh)
			err = -ENOMEM;
		if (!err)
			err = ops_do(c, a);
		if (err == -EAGAIN && wait)
			count_waiting(c, a, 1);
	}
	kin_unlock(&c->table->lock);
	return err;
}

/* The undo that may be needed, before the lock is taken. */
static s64 undo_prepare(struct sem_call *c)
{
	struct sem_array *a;
	u32 nsems = 0;
	bool have = false;

	sem_lock(c->table);
	a = (struct sem_array *)ipc_find(c->table, c->id);
	if (a) {
		nsems = a->nsems;
		have = undo_find(a, current->proc->kp) != NULL;
	}
	kin_unlock(&c->table->lock);
	if (!a)
		return -EINVAL;
	if (have)
		return 0;
	c->fresh = kin_alloc(sizeof(*c->fresh) + 2 * nsems * sizeof(s16));
	if (!c->fresh)
		return -ENOMEM;
	c->fresh->nsems = nsems;
	return 0;
}

static void undo_free(struct sem_undo *u)
{
	if (u)
		kin_free(u);
}

static bool sem_done(void *arg)
{
	struct sem_call *c = arg;
	u32 size;

	c->err = sem_try(c, true, &size);
	if (c->err != -EAGAIN)
		return true;
	c->known = true;
	return c->ops[c->blocked].sem_flg & IPC_NOWAIT;
}

static s64 sem_wait(struct sem_call *c, u64 deadline_ns)
{
	struct kin_queue *q = ipc_queue(c->table, c->id);
	int slept = wait_until(q, sem_done, c, deadline_ns, SLEEP_INTERRUPTIBLE);
	u32 size;

	if (c->err != -EAGAIN)
		return c->err;
	/* The last look also takes the caller off the count. */
	c->err = sem_try(c, false, &size);
	/* Never restarted, see signal(7). */
	return c->err == -EAGAIN && slept == -EINTR ? -EINTR : c->err;
}

static s64 do_semop(s32 id, const struct sembuf *ops, u32 n, u64 deadline_ns)
{
	struct sem_call c = {.table = ipc_table_if_any(IPC_SEM), .id = id, .n = n, .ops = ops};
	s64 err = 0;

	if (!c.table || id < 0)
		return -EINVAL;
	for (u32 i = 0; i < n; i++)
		c.undo |= !!(ops[i].sem_flg & SEM_UNDO);
	if (c.undo)
		err = undo_prepare(&c);
	if (!err)
		err = sem_wait(&c, deadline_ns);
	if (!err && ops_alter(&c))
		queue_wake_all(ipc_queue(c.table, id));
	undo_free(c.fresh);
	return err;
}

s64 sys_semtimedop(u64 id, u64 uops, u64 n, u64 timeout)
{
	u64 deadline = HYP_NO_DEADLINE;
	struct sembuf small[8], *ops = small;
	s64 err = 0;

	if ((u32)n == 0)
		return -EINVAL;
	if ((u32)n > tunable_get(TUNE_SEM_OPERATIONS))
		return -E2BIG;
	if (timeout)
		err = time_timeout_in(timeout, &deadline);
	if (err)
		return err;
	if (n > ARRAY_SIZE(small)) {
		ops = kmalloc(n * sizeof(*ops));
		if (!ops)
			return -ENOMEM;
	}
	err = copy_in(ops, (void *)uops, n * sizeof(*ops)) ? -EFAULT
													   : do_semop((s32)id, ops, (u32)n, deadline);
	if (ops != small)
		kfree(ops);
	return err;
}

s64 sys_semop(u64 id, u64 ops, u64 n)
{
	return sys_semtimedop(id, ops, n, 0);
}

/* ---- exit */

/* Under the lock: what u holds is applied, and u leaves its array. */
static void undo_apply(struct sem_undo *u)
{
	struct sem_array *a = u->array;
	struct sem_undo **link = &a->undos;
	u16 *value = values_of(a, !a->half);
	s16 *adjust = adjusts_of(u, !a->half);

	for (u32 i = 0; i < a->nsems; i++) {
		if (!adjust[i])
			continue;
		value[i] = (u16)MIN(MAX(value[i] + adjust[i], 0), VALUE_MAX);
		adjust[i] = 0;
		a->pids[i] = u->owner->pid;
	}
	publish(&a->half, !a->half);
	halves_equal(a);
	a->otime = ipc_seconds();
	while (*link && *link != u)
		link = &(*link)->next_of_array;
	if (*link)
		publish(link, u->next_of_array);
	publish(&u->array, NULL);
}

void sem_undo_exit(struct kin_proc *p)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SEM);
	struct sem_undo *u;

	while ((u = p->sem_undo)) {
		s32 id = -1;

		sem_lock(t);
		if (u->array) {
			id = u->array->object.id;
			undo_apply(u);
		}
		publish(&p->sem_undo, u->next);
		kin_unlock(&t->lock);
		undo_free(u);
		if (id >= 0)
			queue_wake_all(ipc_queue(t, id));
	}
}

/* ---- semctl */

/*
 * Under the lock: semaphore n, or all (from list), get new values; what processes would undo there
 * is forgotten.
 */
static void values_set(struct sem_array *a, u32 first, u32 count, const u16 *list)
{
	u32 other = !a->half;

	memcpy(values_of(a, other) + first, list, count * sizeof(u16));
	for (struct sem_undo *u = a->undos; u; u = u->next_of_array)
		memset(adjusts_of(u, other) + first, 0, count * sizeof(s16));
	for (u32 i = first; i < first + count; i++)
		a->pids[i] = current->proc->kp->pid;
	publish(&a->half, other);
	halves_equal(a);
	a->object.ctime = ipc_seconds();
}

static s64 sem_all(s32 id, u64 user, bool set)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SEM);
	struct sem_array *a;
	u16 *list;
	u32 n = 0;
	s64 err = 0;

	if (!t || id < 0)
		return -EINVAL;
	list = kmalloc(IPC_SEMS_MAX * sizeof(*list));
	if (!list)
		return -ENOMEM;
	sem_lock(t);
	a = (struct sem_array *)ipc_find(t, id);
	err = a ? ipc_access(&a->object, set ? 0222 : 0444) : -EINVAL;
	if (!err) {
		n = a->nsems;
		memcpy(list, values_of(a, a->half), n * sizeof(u16));
	}
	kin_unlock(&t->lock);
	if (!err && !set && copy_out((void *)user, list, n * sizeof(u16)))
		err = -EFAULT;
	if (!err && set && copy_in(list, (void *)user, n * sizeof(u16)))
		err = -EFAULT;
	for (u32 i = 0; i < n && set && !err; i++)
		err = list[i] > VALUE_MAX ? -ERANGE : 0;
	if (set && !err) {
		sem_lock(t);
		a = (struct sem_array *)ipc_find(t, id);
		if (a && a->nsems == n)
			values_set(a, 0, n, list);
		else
			err = -EIDRM;
		kin_unlock(&t->lock);
		queue_wake_all(ipc_queue(t, id));
	}
	kfree(list);
	return err;
}

/* Under the lock. */
static s64 one_locked(struct sem_array *a, u32 num, u32 cmd, u64 arg)
{
	u16 value = (u16)arg;
	s64 err = ipc_access(&a->object, cmd == SETVAL ? 0222 : 0444);

	if (err)
		return err;
	if (num >= a->nsems)
		return -EINVAL;
	switch (cmd) {
	case GETVAL: return values_of(a, a->half)[num];
	case GETPID: return a->pids[num];
	case GETNCNT: return a->waiting[num];
	case GETZCNT: return a->waiting[num + a->nsems];
	default:
		if ((s32)arg < 0 || (s32)arg > VALUE_MAX)
			return -ERANGE;
		values_set(a, num, 1, &value);
		return 0;
	}
}

static s64 sem_one(s32 id, u32 num, u32 cmd, u64 arg)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SEM);
	struct sem_array *a;
	s64 r;

	if (!t || id < 0)
		return -EINVAL;
	sem_lock(t);
	a = (struct sem_array *)ipc_find(t, id);
	r = a ? one_locked(a, num, cmd, arg) : -EINVAL;
	kin_unlock(&t->lock);
	if (cmd == SETVAL)
		queue_wake_all(ipc_queue(t, id));
	return r;
}

static s64 sem_info(u64 user, u32 cmd)
{
	struct seminfo info = {
		.semmap = 1024000000,
		.semmni = (int)tunable_get(TUNE_SEM_SETS),
		.semmns = (int)tunable_get(TUNE_SEM_ALL),
		.semmnu = 1024000000,
		.semmsl = (int)tunable_get(TUNE_SEM_PER_SET),
		.semopm = (int)tunable_get(TUNE_SEM_OPERATIONS),
		.semume = (int)tunable_get(TUNE_SEM_OPERATIONS),
		.semusz = 20,
		.semvmx = VALUE_MAX,
		.semaem = VALUE_MAX,
	};
	s64 highest;
	u32 n = ipc_count(IPC_SEM, &highest);

	if (cmd == SEM_INFO)
		info.semusz = (s32)n;
	return copy_out((void *)user, &info, sizeof(info)) ? -EFAULT : highest;
}

s64 sys_semctl(u64 id, u64 num, u64 cmd, u64 arg)
{
	switch ((u32)cmd) {
	case IPC_INFO:
	case SEM_INFO: return sem_info(arg, (u32)cmd);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return ipc_stat(&sem_ops, (s32)id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, arg);
	case IPC_SET:
	case IPC_RMID: return ipc_change(&sem_ops, (s32)id, (u32)cmd, arg);
	case GETALL: return sem_all((s32)id, arg, false);
	case SETALL: return sem_all((s32)id, arg, true);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
	case SETVAL: return sem_one((s32)id, (u32)num, (u32)cmd, arg);
	default: return -EINVAL;
	}
}

void sem_describe(struct text *text)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SEM);

	text_add(text, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
				   "      ctime\n");
	if (!t)
		return;
	sem_lock(t);
	for (u32 i = 0; i < t->used; i++) {
		struct sem_array *a = (struct sem_array *)t->slot[i];
		const struct ipc_object *o = &a->object;

		if (a)
			text_add(text, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", o->key, o->id,
					 o->mode, a->nsems, o->uid, o->gid, o->cuid, o->cgid, a->otime, o->ctime);
	}
	kin_unlock(&t->lock);
}
