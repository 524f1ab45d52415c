/* SPDX-License-Identifier: ISC */
/*
 * /proc: the table of entries, lookup, listing, links, and the file operations. A file's text is
 * made when it is read from position 0 and kept with the description, as a copy in kin, until the
 * next such read or the last close, so that a reader in small steps sees one state.
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "kernel/event/event_hooks.h"
#include "kernel/kin/own.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/procfs/procfs.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"
#include "kernel/vfs/readdir.h"
#include "kernel/vfs/walk.h"

#define DYNAMIC 1024 /* positions of pids and descriptors in listings start here */

static u64 proc_number(u32 entry, s32 pid, u32 number)
{
	return 1 + entry + (u64)(u32)pid * 4096 + (u64)number * 4096 * 65536;
}

/*
 * What is not to be looked into is root's, but for the directory itself; and what a process has
 * open it may always look at itself.
 */
static bool owned(const struct proc_entry *e, const struct proc_view *v)
{
	return v->in.dumpable == 1 || v->state == PROC_ZOMBIE || e->mode == (S_IFDIR | 0555) ||
		   (e->self == P_FD && proc_is_self(v->pid));
}

/* Is e one of the entries of a directory of that kind? */
static bool entry_in(const struct proc_entry *e, u32 in)
{
	return e->dir == in || (in == P_TID && e->dir == P_PID && e->self != P_TASK);
}

static int count_one(struct kin_proc *p, void *arg)
{
	++*(u32 *)arg;
	return 0;
}

/* Two and one for each directory in it: that programs count their threads by. */
static u32 dir_links(const struct proc_entry *e, s32 pid)
{
	struct proc_view v;
	u32 n = 2;

	if (e->self == P_TASK)
		return proc_view(pid, &v) ? n + (u32)MAX(v.nthreads, 1) : n;
	for (u32 i = 0; i < proc_entry_count; i++)
		n += proc_entries[i].self && proc_entries[i].name[0] && entry_in(&proc_entries[i], e->self);
	if (e->self == P_ROOT) {
		tree_lock();
		proc_foreach(count_one, &n);
		tree_unlock();
	}
	return n;
}

static struct inode *proc_inode(struct inode *parent, u32 entry, s32 pid, u32 number)
{
	const struct proc_entry *e = &proc_entries[entry];
	struct inode *ino = inode_alloc(FS_PROC, e->mode);
	struct proc_view v;

	if (!ino)
		return NULL;
	inode_ref(&ino->parent, parent);
	ino->proc.entry = entry;
	ino->proc.pid = pid;
	ino->proc.number = number;
	ino->ino = proc_number(entry, pid, number);
	ino->nlink = S_ISDIR(e->mode) ? dir_links(e, pid) : 1;
	ino->uid = ino->gid = 0;
	ino->size = e->link == link_fd ? 64 : 0; /* as Linux says */
	if (pid && proc_view(pid, &v) && owned(e, &v)) {
		ino->uid = v.in.euid;
		ino->gid = v.in.egid;
	}
	return ino;
}

struct inode *proc_root_inode(struct inode *parent)
{
	return proc_inode(parent, 0, 0, 0);
}

/* A plain decimal number without leading zeros, or -1. */
static s64 parse_number(const char *s, size_t n)
{
	s64 v = 0;

	if (!n || n > 9 || (n > 1 && s[0] == '0'))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

s32 proc_dir_pid(const struct inode *ino)
{
	return ino->fs == FS_PROC && proc_entries[ino->proc.entry].self == P_PID ? ino->proc.pid : 0;
}

/* Of what a process has, Linux lets one wait for its mounts only. */
bool proc_waitable(const struct inode *ino)
{
	return !ino->proc.pid || !memcmp(proc_entries[ino->proc.entry].name, "mount", 5);
}

/* Does number exist in dir? *pid: whose entry it is. */
static bool number_exists(struct inode *dir, u32 in, s64 number, s32 *pid)
{
	struct proc_view v;

	*pid = dir->proc.pid;
	switch (in) {
	case P_ROOT: *pid = (s32)number; return proc_view(*pid, &v);
	case P_TASK:
		if (number == *pid)
			return true;
		struct proc *p = proc_here(*pid);
		struct thread *t;
		if (!p)
			return proc_next_thread(*pid, (s32)number) == number;
		LIST_FOREACH (t, &p->threads, sibling)
			if (t->tid == number)
				return true;
		return false;
	case P_FD:
	case P_FDINFO: return proc_next_fd(*pid, (s32)number) == number;
	default: return false;
	}
}

/* What goes with an entry of dir that has no number of its own: the thread that dir is about. */
static u32 number_in(const struct inode *dir)
{
	return proc_entries[dir->proc.entry].self == P_TID ? dir->proc.number : 0;
}

static struct proc_target target_of(const struct inode *ino)
{
	const struct proc_entry *e = &proc_entries[ino->proc.entry];
	struct proc_target p = {.entry = e, .pid = ino->proc.pid};

	if (e->dir == P_FD || e->dir == P_FDINFO)
		p.number = ino->proc.number;
	else
		p.tid = (s32)ino->proc.number;
	return p;
}

/* At a read of the target's file or link: 0, -EACCES, -EPERM. */
static s64 may_look(const struct proc_target *p)
{
	struct proc_view v;

	if (p->entry->look == LOOK_FREE || !proc_view(p->pid, &v) || v.may_look)
		return 0;
	return p->entry->look == LOOK_AS_TRACER ? -EPERM : -EACCES;
}

/* What cannot be opened cannot be read either, also by who got the descriptor from another. */
static s64 proc_open(struct inode *ino, u32 access)
{
	struct proc_target target = target_of(ino);

	return target.entry->look == LOOK_AT_OPEN ? may_look(&target) : 0;
}

static s64 proc_lookup(struct walk *w, const char *name, u32 len, const char *rest)
{
	struct inode *dir = w->dir, *ino;
	u32 in = proc_entries[dir->proc.entry].self;
	s64 number = parse_number(name, len);
	s32 pid = dir->proc.pid;

	for (u32 i = 0; i < proc_entry_count; i++) {
		const struct proc_entry *e = &proc_entries[i];
		if (!entry_in(e, in))
			continue;
		bool match = e->name[0] ? strlen(e->name) == len && !memcmp(e->name, name, len)
								: number >= 0 && number_exists(dir, in, number, &pid);
		if (!match)
			continue;
		ino = proc_inode(dir, i, pid, e->name[0] ? number_in(dir) : (u32)number);
		if (!ino)
			return -ENOMEM;
		walk_found(w, ino);
		return 0;
	}
	return -ENOENT;
}

static const char *proc_name_of(struct inode *dir, u32 *len)
{
	static char number[16];
	const char *name = proc_entries[dir->proc.entry].name;

	if (!*name) {
		ksnprintf(number, sizeof(number), "%u", dir->proc.number);
		name = number;
	}
	*len = (u32)strlen(name);
	return name;
}

/* The smallest number >= from in a directory of numbers, or -1. */
struct next_pid {
	s32 from, best;
};

static int closer(struct kin_proc *p, void *arg)
{
	struct next_pid *n = arg;

	if (p->pid >= n->from && (n->best < 0 || p->pid < n->best))
		n->best = p->pid;
	return 0;
}

static s32 next_number(struct inode *dir, u32 in, s32 from)
{
	struct next_pid n = {from, -1};

	if (in == P_ROOT) {
		tree_lock();
		proc_foreach(closer, &n);
		tree_unlock();
		return n.best;
	}
	if (in == P_TASK) {
		struct proc *p = proc_here(dir->proc.pid);
		struct thread *t;
		if (!p)
			return proc_next_thread(dir->proc.pid, from);
		LIST_FOREACH (t, &p->threads, sibling)
			if (t->tid >= from && (n.best < 0 || t->tid < n.best))
				n.best = t->tid;
		return n.best;
	}
	return proc_next_fd(dir->proc.pid, from);
}

/*
 * The entry at position pos (>= 2) or after: length of its name, 0 at the end. Static entries
 * first, then numbers.
 */
static s64 next_entry(struct inode *dir, u64 pos, char *name, u64 *ino, u32 *type, u64 *next)
{
	u32 in = proc_entries[dir->proc.entry].self, numbered = 0;

	for (u32 i = 0; i < proc_entry_count; i++) {
		const struct proc_entry *e = &proc_entries[i];
		if (!entry_in(e, in) || i + 2 < pos)
			numbered = entry_in(e, in) && !e->name[0] ? i : numbered;
		else if (!e->name[0])
			numbered = i;
		else {
			strlcpy(name, e->name, 256);
			*ino = proc_number(i, dir->proc.pid, number_in(dir));
			*type = (e->mode & S_IFMT) >> 12;
			*next = i + 3;
			return (s64)strlen(name);
		}
	}
	if (!numbered)
		return 0;
	s32 n = next_number(dir, in, pos < DYNAMIC ? 0 : (s32)(pos - DYNAMIC));
	if (n < 0)
		return 0;
	*ino = proc_number(numbered, in == P_ROOT ? n : dir->proc.pid, (u32)n);
	*type = (proc_entries[numbered].mode & S_IFMT) >> 12;
	*next = DYNAMIC + (u64)n + 1;
	return ksnprintf(name, 256, "%d", n);
}

static s64 proc_list(struct file *f, struct filler *fill, u64 pos)
{
	static char name[256];
	struct inode *dir = f->inode;
	u64 ino, next;
	u32 type;

	if (!list_dots(fill, dir, &pos, dir->ino))
		return 0;
	for (;;) {
		s64 n = next_entry(dir, pos, name, &ino, &type, &next);
		if (n <= 0 || !list_emit(fill, name, (size_t)n, ino, type, next))
			return n < 0 ? n : 0;
		pos = next;
	}
}

/* A file (*jump) or text. */
static s64 proc_readlink(struct walk *w, char *buf, const char **out, struct file **jump)
{
	struct inode *ino = w->inode;
	const struct proc_entry *e = &proc_entries[ino->proc.entry];
	struct proc_target target = target_of(ino);
	struct text t = {0};

	if (!e->link)
		return -EINVAL;
	s64 err = may_look(&target);
	if (err)
		return err;
	if (jump && (e->dir == P_FD || e->link == link_exe)) {
		*jump = e->dir == P_FD ? proc_file(target.pid, target.number)
							   : proc_exe_file(target.pid);
		return *jump ? 0 : -ENOENT;
	}
	err = e->link(&t, &target);
	if (!err && t.failed)
		err = -ENOMEM;
	size_t n = MIN(t.len, (size_t)VFS_PATH_MAX);
	if (!err)
		memcpy(buf, t.buf, n);
	text_free(&t);
	*out = buf;
	return err ? err : (s64)n;
}

static s64 make_text(struct file *f, struct text *t)
{
	struct proc_target target = target_of(f->inode);
	const struct proc_entry *e = target.entry;
	s64 err = e->look == LOOK_AT_OPEN ? 0 : may_look(&target);

	if (err)
		return err;
	if (e->show)
		err = e->show(t, &target);
	else if (!S_ISREG(e->mode))
		err = -EINVAL;
	else if (e->line)
		text_add(t, "%s\n", e->line);
	else
		text_add(t, "%lu\n", e->value);
	return !err && t->failed ? -ENOMEM : err;
}

/*
 * priv of a FILE_PROC file. The lock word protects the copy, also while it goes to the
 * application's memory.
 */
enum { COPY, COPY_SIZE, COPY_LOCK };

static struct kin_lock *copy_lock(struct file *f)
{
	struct kin_lock *l = (struct kin_lock *)&f->priv[COPY_LOCK];

	kin_lock_ranked(l, PROC_TEXT, kin_recover_whole, NULL);
	return l;
}

static s64 refresh(struct file *f)
{
	struct text t = {0};
	s64 err = make_text(f, &t);
	char *copy = err ? NULL : own_pages((t.len + PAGE_SIZE) / PAGE_SIZE, PAGES_ZERO);

	if (copy) {
		memcpy(copy, t.buf, t.len);
		struct kin_lock *l = copy_lock(f);
		f->priv[COPY_SIZE] = 0; /* never more than there is, whenever we die */
		void *old = own_exchange_as(&f->priv[COPY], copy, (u64)copy);
		f->priv[COPY_SIZE] = t.len;
		kin_unlock(l);
		own_free(old);
	} else if (!err) {
		err = -ENOMEM;
	}
	text_free(&t);
	return err;
}

/* Of the memory of the process that the file is about. */
static s64 transfer(struct file *f, u64 buf, size_t len, s64 *pos, bool write)
{
	struct proc_target target = target_of(f->inode);
	s64 n = proc_mem(&target, buf, len, (u64)*pos, write);

	*pos += MAX(n, 0);
	return n;
}

static bool is_memory(struct file *f)
{
	return proc_entries[f->inode->proc.entry].show == show_pid_mem;
}

static s64 proc_read(struct file *f, void *buf, size_t len, s64 *pos)
{
	if (is_memory(f))
		return transfer(f, (u64)buf, len, pos, false);

	s64 err = *pos == 0 || !f->priv[COPY] ? refresh(f) : 0;

	if (err)
		return err;
	/* Made present before the lock is taken, as for every file. */
	if (len && !(len = mm_accessible(current->proc->mm, (u64)buf, len, true)))
		return -EFAULT;
	struct kin_lock *l = copy_lock(f);
	const char *text = (const char *)f->priv[COPY];
	u64 size = f->priv[COPY_SIZE];
	size_t n = !text || (u64)*pos >= size ? 0 : MIN(len, size - (u64)*pos);
	if (n && copy_out(buf, text + *pos, n))
		err = -EFAULT;
	kin_unlock(l);
	if (err)
		return err;
	*pos += (s64)n;
	return (s64)n;
}

static s64 proc_write(struct file *f, const void *buf, size_t len, s64 *pos)
{
	struct proc_target target = target_of(f->inode);
	char text[128] = {0};

	if (!(target.entry->mode & 0200))
		return -EACCES;
	if (is_memory(f))
		return transfer(f, (u64)buf, len, pos, true);
	size_t n = MIN(len, sizeof(text) - 1);
	if (copy_in(text, buf, n))
		return -EFAULT;
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	s64 err = proc_set(&target, text);
	return err ? err : (s64)len;
}

static u32 proc_poll(struct file *f, struct poll_table *pt)
{
	return 0x145; /* IN, OUT, RDNORM, WRNORM */
}

static void proc_release(struct file *f)
{
	own_free(own_take_as(OWN_MEMORY, &f->priv[COPY]));
	file_drop_inode(f);
}

const struct file_ops proc_file_ops = {
	.name = "proc",
	.read = proc_read,
	.write = proc_write,
	.poll = proc_poll,
	.seek = seek_endless,
	.stat = file_stat,
	.release = proc_release,
	.seekable = true,
};

/* Nothing can be made or changed in it but through its files. */
const struct inode_ops proc_fs = {
	.name = "proc",
	.magic = PROC_SUPER_MAGIC,
	.file_type = FILE_PROC,
	.place = {FS_ROOT, MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_RELATIME, "proc", "/proc",
			  ""},
	.lookup = proc_lookup,
	.readlink = proc_readlink,
	.list = proc_list,
	.open = proc_open,
	.name_of = proc_name_of,
};
