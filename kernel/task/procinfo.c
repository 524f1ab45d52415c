/* SPDX-License-Identifier: ISC */
/*
 * What /proc/PID shows of a process that lives in another member: executable, current directory,
 * command line. They lie together in one block of kin, which is never changed: a process that execs
 * or changes its directory gets a new one, and fork shares the parent's. References are counted
 * under tree_lock; a death between two stores leaks the block.
 */
#include "kernel/lib/lib.h"
#include "kernel/task/thread.h"

#define CMDLINE_MAX (64u << 10)

struct info_block {
	u32 refs, size;
	char text[];
};

static struct info_block *block_of(struct kin_proc *p)
{
	return container_of(p->info, struct info_block, text);
}

/* T */
void proc_info_share(struct kin_proc *child, struct kin_proc *parent)
{
	if (!parent->info)
		return;
	block_of(parent)->refs++;
	child->info_exe = parent->info_exe;
	child->info_cwd = parent->info_cwd;
	child->info_cmdline = parent->info_cmdline;
	child->info_cmdline_len = parent->info_cmdline_len;
	child->info = parent->info;
}

/* T: the block to free once the lock is released, or NULL. */
static struct info_block *detach(struct kin_proc *p)
{
	struct info_block *b;

	if (!p->info)
		return NULL;
	b = block_of(p);
	p->info = NULL;
	return --b->refs ? NULL : b;
}

void proc_info_drop(struct kin_proc *p)
{
	struct info_block *b = detach(p);

	if (b)
		kin_free(b);
}

/* The owner replaces its block. Any string may be p's present one. */
static void replace(struct kin_proc *p, const char *exe, const char *cwd, const char *cmdline,
	size_t len)
{
	size_t exe_size = strlen(exe) + 1, cwd_size = strlen(cwd) + 1;
	size_t size = sizeof(struct info_block) + exe_size + cwd_size + len;
	struct info_block *old, *b = kin_alloc(size);

	if (!b)
		return;
	b->refs = 1;
	b->size = (u32)size;
	memcpy(b->text, exe, exe_size);
	memcpy(b->text + exe_size, cwd, cwd_size);
	memcpy(b->text + exe_size + cwd_size, cmdline, len);
	tree_lock();
	old = detach(p);
	p->info_exe = 0;
	p->info_cwd = (u32)exe_size;
	p->info_cmdline = (u32)(exe_size + cwd_size);
	p->info_cmdline_len = (u32)len;
	p->info = b->text;
	tree_unlock();
	if (old)
		kin_free(old);
}

void proc_info_set_exec(struct kin_proc *p, const char *exe, const char *cmdline, size_t len)
{
	replace(p, exe, p->info ? p->info + p->info_cwd : "/", cmdline, MIN(len, CMDLINE_MAX));
}

void proc_info_set_cwd(struct kin_proc *p, const char *cwd)
{
	if (p->info)
		replace(p, p->info + p->info_exe, cwd, p->info + p->info_cmdline, p->info_cmdline_len);
	else
		replace(p, "", cwd, "", 0);
}

size_t proc_info_get(struct kin_proc *p, enum proc_info_item item, char *buf, size_t size)
{
	const char *from = NULL;
	size_t len = 0;

	tree_lock();
	if (p->info) {
		switch (item) {
		case INFO_EXE: from = p->info + p->info_exe; break;
		case INFO_CWD: from = p->info + p->info_cwd; break;
		case INFO_CMDLINE: from = p->info + p->info_cmdline; break;
		}
		len = item == INFO_CMDLINE ? p->info_cmdline_len : strlen(from);
		memcpy(buf, from, MIN(len, size));
	}
	tree_unlock();
	return len;
}

void proc_set_comm(struct thread *t, const char *comm)
{
	struct kin_proc *kp = t->proc->kp;

	strlcpy(t->comm, comm, sizeof(t->comm));
	if (t->tid != kp->pid)
		return;
	tree_lock(); /* nobody sees half of two names */
	strlcpy(kp->comm, comm, sizeof(kp->comm));
	tree_unlock();
	if (member_self()->proc == (u64)kp)
		memcpy(member_self()->comm, kp->comm, sizeof(member_self()->comm));
}
