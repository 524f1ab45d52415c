/* SPDX-License-Identifier: ISC */
/*
 * seccomp: strict mode, and filters, which are programs of the classic BPF. Checked when they are
 * installed, so that running one needs no checks but those of its own. Nothing here protects the
 * family from a member: it is what a program asks for itself. Sources: seccomp(2) and, in Linux'
 * Documentation, userspace-api/seccomp_filter.rst and networking/filter.rst.
 *
 * Kin: an object with a struct filters and behind it, for each filter, its length and its
 * instructions. It never changes: one more filter is a new object.
 */
#include <asm/errno.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "kernel/arch/arch.h"
#include "kernel/kin/own.h"
#include "kernel/kin/kin_core.h"
#include "kernel/lib/lib.h"
#include "kernel/signal/seccomp.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/signal/signal_hooks.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/cred.h"

#define ALL_MAX 32768u    /* instructions of all filters: MAX_INSNS_PER_PATH */
#define FILTER_PENALTY 4u /* what one more counts beside its own */
#define SYS_SECCOMP_CODE 1

struct filters {
	u32 count, words; /* words: of 8 bytes, behind this */
	struct sock_filter word[];
};

/* ---- the pages */

static struct filters *pages_of(struct kin_object *filters)
{
	return filters ? object_page(filters, 0, false, NULL) : NULL;
}

static struct filters *filters_of(const struct kin_proc *kp)
{
	return pages_of(kp->seccomp);
}

/* Before each filter stands its length, in the k of a word of its own. */
static const struct sock_filter *filter_at(const struct filters *all, u32 at, u32 *length)
{
	*length = all->word[at].k;
	return &all->word[at + 1];
}

void seccomp_inherit(struct kin_proc *child, const struct kin_proc *parent)
{
	if (parent->seccomp)
		ref_get(OWN_OBJECT, parent->seccomp, &child->seccomp);
}

void seccomp_drop(struct kin_proc *kp)
{
	ref_put(OWN_OBJECT, &kp->seccomp);
}

s64 seccomp_filter_show(struct kin_object *filters, u64 n, u64 out)
{
	const struct filters *all = pages_of(filters);
	const struct sock_filter *f;
	u32 length, at = 0;

	if (!all)
		return -EINVAL;
	if (n >= all->count)
		return -ENOENT;
	for (f = filter_at(all, 0, &length); n; n--) {
		at += length + 1;
		f = filter_at(all, at, &length);
	}
	return out && copy_out((void *)out, f, length * sizeof(*f)) ? -EFAULT : (s64)length;
}

/* ---- is it a program? */

static bool loads(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return f->k % 4 == 0 && f->k < sizeof(struct seccomp_data);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return f->k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA: return true;
	default: return false;
	}
}

static bool computes(const struct sock_filter *f)
{
	bool constant = BPF_SRC(f->code) == BPF_K;

	if (BPF_CLASS(f->code) != BPF_ALU)
		return false;
	if (f->code & ~(BPF_ALU | 0xf8))
		return false;
	switch (BPF_OP(f->code)) {
	case BPF_DIV: return !constant || f->k;
	case BPF_LSH:
	case BPF_RSH: return !constant || f->k < 32;
	case BPF_NEG: return constant;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR: return true;
	default: return false;
	}
}

/* left: instructions behind this one. */
static bool jumps(const struct sock_filter *f, u32 left)
{
	if (f->code == (BPF_JMP | BPF_JA))
		return f->k < left;
	switch (f->code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET: return f->jt < left && f->jf < left;
	default: return false;
	}
}

static bool returns(const struct sock_filter *f)
{
	return f->code == (BPF_RET | BPF_K) || f->code == (BPF_RET | BPF_A);
}

static bool program_valid(const struct sock_filter *f, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (!loads(&f[i]) && !computes(&f[i]) && !jumps(&f[i], n - 1 - i) && !returns(&f[i]))
			return false;
	return returns(&f[n - 1]);
}

/* ---- running one */

static u32 compute(u16 op, u32 a, u32 b, bool *fails)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: *fails = !b; return b ? a / b : 0;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return b < 32 ? a << b : 0;
	case BPF_RSH: return b < 32 ? a >> b : 0;
	default: return -a;
	}
}

static bool holds(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return a & b;
	}
}

struct machine {
	u32 a, x, memory[BPF_MEMWORDS];
	const u32 *data;
};

static void load(struct machine *m, const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS: m->a = m->data[f->k / 4]; break;
	case BPF_LD | BPF_MEM: m->a = m->memory[f->k]; break;
	case BPF_LDX | BPF_MEM: m->x = m->memory[f->k]; break;
	case BPF_ST: m->memory[f->k] = m->a; break;
	case BPF_STX: m->memory[f->k] = m->x; break;
	case BPF_LD | BPF_W | BPF_LEN: m->a = sizeof(struct seccomp_data); break;
	case BPF_LDX | BPF_W | BPF_LEN: m->x = sizeof(struct seccomp_data); break;
	case BPF_LD | BPF_IMM: m->a = f->k; break;
	case BPF_LDX | BPF_IMM: m->x = f->k; break;
	case BPF_MISC | BPF_TAX: m->x = m->a; break;
	default: m->a = m->x; break;
	}
}

/* A checked program: every jump leads forward and the last instruction returns. */
static u32 program_run(const struct sock_filter *f, const struct seccomp_data *data)
{
	struct machine m = {.data = (const u32 *)data};
	bool fails = false;

	for (;; f++) {
		u32 operand = BPF_SRC(f->code) == BPF_X ? m.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET: return f->code == (BPF_RET | BPF_A) ? m.a : f->k;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				f += f->k;
			else
				f += holds(BPF_OP(f->code), m.a, operand) ? f->jt : f->jf;
			break;
		case BPF_ALU:
			m.a = compute(BPF_OP(f->code), m.a, operand, &fails);
			if (fails)
				return SECCOMP_RET_KILL_THREAD; /* divided by 0: as Linux ends a program */
			break;
		default: load(&m, f);
		}
	}
}

/* What all say together: the sternest answer, of equal ones that of the last filter. */
static u32 filters_run(const struct kin_proc *kp, const struct seccomp_data *data)
{
	const struct filters *all = filters_of(kp);
	u32 answer = SECCOMP_RET_ALLOW, length;

	for (u32 i = 0, at = 0; all && i < all->count; i++, at += length + 1) {
		u32 r = program_run(filter_at(all, at, &length), data);

		if ((s32)(r & SECCOMP_RET_ACTION_FULL) <= (s32)(answer & SECCOMP_RET_ACTION_FULL))
			answer = r;
	}
	return answer;
}

/* ---- what follows from an answer */

static void trap(struct trapframe *frame, const struct seccomp_data *data, u32 value)
{
	struct ksiginfo info = {.signo = SIGSYS, .err = (s32)value, .code = SYS_SECCOMP_CODE};

	info.raw[0] = data->instruction_pointer;
	info.raw[1] = (u32)data->nr | (u64)AUDIT_ARCH_X86_64 << 32;
	frame_set_result(frame, data->nr);
	signal_force(SIGSYS, &info);
}

static bool answer_follow(struct trapframe *frame, const struct seccomp_data *data, u32 answer)
{
	u32 value = answer & SECCOMP_RET_DATA;

	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG: return true;
	case SECCOMP_RET_ERRNO: frame_set_result(frame, -(s64)MIN(value, 4095u)); return false;
	case SECCOMP_RET_TRAP: trap(frame, data, value); return false;
	case SECCOMP_RET_TRACE: /* nobody is told of it, and nobody listens */
	case SECCOMP_RET_USER_NOTIF: frame_set_result(frame, -ENOSYS); return false;
	case SECCOMP_RET_KILL_THREAD:
		if (current->proc->kp->nthreads > 1) {
			sys_exit(SIGSYS);
			return false;
		}
		break;
	default: break;
	}
	signal_die(SIGSYS);
}

/* Strict: what a program needs that only computes. */
static bool strict_allows(u64 nr)
{
	return nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn;
}

bool seccomp_call(struct trapframe *frame)
{
	const struct kin_proc *kp = current->proc->kp;
	struct seccomp_data data = {
		.nr = (int)frame_call(frame),
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = frame_ip(frame),
	};

	if (kp->inherited.seccomp_mode == SECCOMP_MODE_STRICT) {
		if (!strict_allows(frame_call(frame)))
			signal_die(SIGKILL);
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(data.args); i++)
		data.args[i] = frame_argument(frame, i);
	return answer_follow(frame, &data, filters_run(kp, &data));
}

/* ---- installing one */

/* What there was and one more, of n instructions, which are still to be filled in. *hold has it. */
static struct filters *filters_grow(const struct filters *old, u32 n, void ***hold)
{
	u32 words = (old ? old->words : 0) + n + 1;
	u64 size = sizeof(*old) + words * sizeof(struct sock_filter), run = 0;
	u64 pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	struct kin_object *object = object_create(pages);

	if (!object)
		return NULL;
	*hold = hold_new(OWN_OBJECT);
	own_give(*hold, object);
	struct filters *all = object_page(object, 0, true, &run);
	if (!all || run < pages)
		return NULL;
	if (old)
		memcpy(all->word, old->word, old->words * sizeof(struct sock_filter));
	all->count = (old ? old->count : 0) + 1;
	all->words = words;
	all->word[words - n - 1] = (struct sock_filter){.k = n};
	return all;
}

static s64 filter_install(const struct sock_fprog *program)
{
	struct kin_proc *kp = current->proc->kp;
	const struct filters *old = filters_of(kp);
	void **hold = NULL;
	u32 n = program->len;
	s64 err = 0;

	if (old && old->words + n + (old->count + 1) * FILTER_PENALTY > ALL_MAX)
		return -ENOMEM;
	struct filters *all = filters_grow(old, n, &hold);
	struct sock_filter *f = all ? &all->word[all->words - n] : NULL;
	if (!f)
		err = -ENOMEM;
	else if (copy_in(f, program->filter, n * sizeof(*f)))
		err = -EFAULT;
	else if (!program_valid(f, n))
		err = -EINVAL;
	if (!err) {
		seccomp_drop(kp);
		ref_move(OWN_OBJECT, hold, &kp->seccomp);
		kp->inherited.seccomp_mode = SECCOMP_MODE_FILTER;
		kp->inherited.seccomp_filters = all->count;
	} else if (hold) {
		ref_put(OWN_OBJECT, hold);
	}
	return err;
}

static s64 mode_filter(u64 user, u64 flags)
{
	const struct proc_inherited *in = &current->proc->kp->inherited;
	struct sock_fprog program;

	if (flags & ~(u64)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
					   SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		return -EINVAL;
	if (copy_in(&program, (const void *)user, sizeof(program)))
		return -EFAULT;
	if (!program.len || program.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!in->no_new_privs && !cred_capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (!program.filter || in->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	return filter_install(&program);
}

static s64 mode_strict(void)
{
	struct proc_inherited *in = &current->proc->kp->inherited;

	if (in->seccomp_mode == SECCOMP_MODE_FILTER)
		return -EINVAL;
	in->seccomp_mode = SECCOMP_MODE_STRICT;
	return 0;
}

s64 seccomp_mode_set(u64 mode, u64 program)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT: return mode_strict();
	case SECCOMP_MODE_FILTER: return mode_filter(program, 0);
	default: return -EINVAL;
	}
}

static s64 action_known(u64 user)
{
	u32 action;

	if (copy_in(&action, (const void *)user, sizeof(action)))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return 0;
	default: return -EOPNOTSUPP;
	}
}

s64 sys_seccomp(u64 operation, u64 flags, u64 user)
{
	switch ((u32)operation) {
	case SECCOMP_SET_MODE_STRICT: return flags || user ? -EINVAL : mode_strict();
	case SECCOMP_SET_MODE_FILTER: return mode_filter(user, flags);
	case SECCOMP_GET_ACTION_AVAIL: return flags ? -EINVAL : action_known(user);
	default: return -EINVAL;
	}
}
