/* SPDX-License-Identifier: ISC */
/*
 * prctl(PR_SET_MM): where a process says its code, data, heap, stack, arguments and environment
 * are, for checkpoints and for titles longer than the old ones. Source: PR_SET_MM(2const).
 */
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/resource.h>

#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/task/cred.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/vfs.h"

#define AUXV_WORDS 52 /* as many as Linux keeps, with AT_NULL */
#define NO_FILE (~0u)

static void layout_get(const struct mm *mm, struct prctl_mm_map *m)
{
	*m = (struct prctl_mm_map){
		.start_code = mm->code_start,
		.end_code = mm->code_end,
		.start_data = mm->data_start,
		.end_data = mm->data_end,
		.start_brk = mm->brk_start,
		.brk = mm->brk_end,
		.start_stack = mm->stack_start,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.exe_fd = NO_FILE,
	};
}

static void layout_set(struct mm *mm, const struct prctl_mm_map *m)
{
	mm->code_start = m->start_code;
	mm->code_end = m->end_code;
	mm->data_start = m->start_data;
	mm->data_end = m->end_data;
	mm->brk_start = m->start_brk;
	mm->brk_end = m->brk;
	mm->stack_start = m->start_stack;
	mm->arg_start = m->arg_start;
	mm->arg_end = m->arg_end;
	mm->env_start = m->env_start;
	mm->env_end = m->env_end;
	proc_refresh_cmdline();
}

/* The heap may not be said to be where brk must not unmap anything. */
static s64 layout_check(const struct mm *mm, const struct prctl_mm_map *m)
{
	const u64 all[] = {m->start_code, m->end_code,    m->start_data, m->end_data,
					   m->start_brk,  m->brk,         m->start_stack, m->arg_start,
					   m->arg_end,    m->env_start,   m->env_end};
	u64 limit = mm_rlimit(RLIMIT_DATA);

	for (u32 i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] < PRIVATE_BASE || all[i] >= USER_ADDRESS_END)
			return -EINVAL;
	if (m->start_code >= m->end_code || m->start_data > m->end_data || m->start_brk > m->brk ||
		m->arg_start > m->arg_end || m->env_start > m->env_end)
		return -EINVAL;
	if (limit != ~0ull && m->brk - m->start_brk + m->end_data - m->start_data > limit)
		return -EINVAL;
	if ((m->start_brk != mm->brk_start || m->brk != mm->brk_end) &&
		!range_allowed(m->start_brk, m->brk - m->start_brk, true))
		return -EINVAL;
	return 0;
}

/* size bytes of the application's, the last pair made AT_NULL. Checked: it fits. */
static s64 auxv_set(struct mm *mm, u64 address, u64 size)
{
	u64 *copy = kmalloc(AUXV_WORDS * sizeof(u64));

	if (!copy)
		return -ENOMEM;
	memset(copy, 0, AUXV_WORDS * sizeof(u64));
	if (copy_in(copy, (const void *)address, size)) {
		kfree(copy);
		return -EFAULT;
	}
	copy[AUXV_WORDS - 2] = copy[AUXV_WORDS - 1] = AT_NULL;
	if (mm->auxv)
		kfree(mm->auxv);
	mm->auxv = copy;
	return 0;
}

/* The present one is mapped, so that Linux refuses, too. */
static s64 executable_set(u64 fd)
{
	struct file *f = fd_get((int)fd);
	s64 err = f ? file_may_exec(f) : -EBADF;

	file_put(f);
	return err ? err : -EBUSY;
}

static s64 map_set(struct mm *mm, u64 address, u64 size)
{
	struct prctl_mm_map m;

	if (size != sizeof(m))
		return -EINVAL;
	if (copy_in(&m, (const void *)address, sizeof(m)))
		return -EFAULT;
	s64 err = layout_check(mm, &m);
	if (!err && m.auxv_size && (!m.auxv || m.auxv_size > AUXV_WORDS * sizeof(u64)))
		err = -EINVAL;
	if (!err && m.exe_fd != NO_FILE)
		err = cred_capable(CAP_SYS_ADMIN) || cred_capable(CAP_CHECKPOINT_RESTORE)
				  ? executable_set(m.exe_fd)
				  : -EPERM;
	if (!err && m.auxv_size)
		err = auxv_set(mm, (u64)m.auxv, m.auxv_size);
	if (!err)
		layout_set(mm, &m);
	return err;
}

/* *of: the one that which names; *mapped: it has to lie in a mapping. NULL: there is none. */
static __u64 *one_of(struct prctl_mm_map *m, u64 which, bool *mapped)
{
	*mapped = which == PR_SET_MM_START_STACK ||
			  (which >= PR_SET_MM_ARG_START && which <= PR_SET_MM_ENV_END);
	switch (which) {
	case PR_SET_MM_START_CODE: return &m->start_code;
	case PR_SET_MM_END_CODE: return &m->end_code;
	case PR_SET_MM_START_DATA: return &m->start_data;
	case PR_SET_MM_END_DATA: return &m->end_data;
	case PR_SET_MM_START_STACK: return &m->start_stack;
	case PR_SET_MM_START_BRK: return &m->start_brk;
	case PR_SET_MM_BRK: return &m->brk;
	case PR_SET_MM_ARG_START: return &m->arg_start;
	case PR_SET_MM_ARG_END: return &m->arg_end;
	case PR_SET_MM_ENV_START: return &m->env_start;
	case PR_SET_MM_ENV_END: return &m->env_end;
	default: return NULL;
	}
}

static s64 one_set(struct mm *mm, u64 which, u64 address)
{
	struct prctl_mm_map m;
	bool mapped;
	__u64 *one = one_of(&m, which, &mapped);

	if (!one || address < PRIVATE_BASE || address >= USER_ADDRESS_END)
		return -EINVAL;
	layout_get(mm, &m);
	*one = address;
	s64 err = layout_check(mm, &m);
	if (!err && mapped && !vma_first(mm, address))
		err = -EFAULT;
	if (!err)
		layout_set(mm, &m);
	return err;
}

s64 mm_prctl(u64 which, u64 address, u64 size, u64 rest)
{
	struct mm *mm = current->proc->mm;
	u32 bytes = sizeof(struct prctl_mm_map);

	which = (u32)which;
	if (rest || (size && which != PR_SET_MM_AUXV && which != PR_SET_MM_MAP &&
					which != PR_SET_MM_MAP_SIZE))
		return -EINVAL;
	if (which == PR_SET_MM_MAP_SIZE)
		return copy_out((void *)address, &bytes, sizeof(bytes)) ? -EFAULT : 0;
	if (which == PR_SET_MM_MAP)
		return map_set(mm, address, size);
	if (!cred_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (which == PR_SET_MM_EXE_FILE)
		return executable_set(address);
	if (which == PR_SET_MM_AUXV)
		return size > AUXV_WORDS * sizeof(u64) ? -EINVAL : auxv_set(mm, address, size);
	return one_set(mm, which, address);
}
