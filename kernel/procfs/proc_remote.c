/* SPDX-License-Identifier: ISC */
/*
 * What /proc shows of a process in another member and only that one's kernel can tell: it is asked
 * (kernel/sched/remote.h). A text comes in pieces, which fit together if the process stands still.
 */
#include <asm/errno.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/procfs/procfs.h"
#include "kernel/sched/remote.h"

s64 proc_text_remote(struct text *t, const struct proc_target *p)
{
	struct remote *r = remote_open();
	struct proc_view v;
	s64 n;

	if (!r)
		return -ENOMEM;
	r->op = REMOTE_TEXT;
	r->at = (u64)(p->entry - proc_entries);
	r->tid = p->tid;
	r->len = sizeof(r->data);
	r->offset = 0;
	while ((n = remote_call(r, p->pid)) > 0) {
		text_bytes(t, r->data, (size_t)n);
		r->offset += (u64)n;
	}
	if (n == -EINTR)
		return n;
	remote_close(r);
	/* Of one that has ended there is nothing to tell. */
	return n == -ESRCH && proc_view(p->pid, &v) ? 0 : n;
}

s64 proc_text_piece(u32 entry, s32 pid, s32 tid, u64 offset, char *data, u64 size)
{
	struct proc_target p = {.pid = pid, .tid = tid};
	struct text t = {0};
	s64 err = -EINVAL;

	if (entry >= proc_entry_count || !proc_entries[entry].show || !proc_here(pid))
		return err;
	p.entry = &proc_entries[entry];
	err = p.entry->show(&t, &p);
	if (!err && t.failed)
		err = -ENOMEM;
	if (!err && offset < t.len) {
		err = (s64)MIN(t.len - offset, size);
		memcpy(data, t.buf + offset, (size_t)err);
	}
	text_free(&t);
	return err;
}

/* Between the process's memory and the caller's, in pieces of len <= REMOTE_DATA. */
static s64 move(struct remote *r, s32 pid, u64 buf, u64 at, u64 len, bool write)
{
	r->op = write ? REMOTE_POKE : REMOTE_PEEK;
	r->force = 1;
	r->at = at;
	r->len = len;
	if (write && copy_in(r->data, (void *)buf, len))
		return -EFAULT;
	s64 n = remote_call(r, pid);
	if (n > 0 && !write && copy_out((void *)buf, r->data, (u64)n))
		return -EFAULT;
	return n == -EFAULT ? -EIO : n;
}

s64 proc_mem(const struct proc_target *p, u64 buf, size_t len, u64 at, bool write)
{
	struct remote *r = remote_open();
	s64 done = 0, n = 0;

	if (!r)
		return -ENOMEM;
	while ((u64)done < len) {
		u64 wanted = MIN(len - (u64)done, REMOTE_DATA);

		n = move(r, p->pid, buf + (u64)done, at + (u64)done, wanted, write);
		if (n == -EINTR)
			return done ? done : n;
		done += MAX(n, 0);
		if (n < (s64)wanted)
			break;
	}
	remote_close(r);
	if (done || !len)
		return done;
	return n == -ESRCH ? 0 : n; /* as Linux, where the memory has gone before the process */
}

s32 proc_next_thread(s32 pid, s32 from)
{
	struct remote *r = remote_open();
	s64 n;

	if (!r)
		return -1;
	r->op = REMOTE_THREAD;
	r->at = (u64)MAX(from, 1);
	n = remote_call(r, pid);
	if (n != -EINTR)
		remote_close(r);
	if (n == -ESRCH && from <= pid)
		n = pid; /* a zombie */
	return n > 0 ? (s32)n : -1;
}
