/* SPDX-License-Identifier: ISC */
/*
 * The table of pseudo-terminals: slots, names in /dev/pts, opening, closing. Opening /dev/ptmx
 * claims a free slot and names it; closing the master hangs the slaves up and takes the name away.
 *
 * Lock order: the table's lock before a terminal's; neither is held while a directory's or
 * tree_lock is taken.
 */
#include "kernel/fd/fd_hooks.h"
#include "kernel/tty/pty.h"

#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/vfs/inode_ops.h"

#define TTY_GROUP 5
#define LINE_ENDS_SIZE (PTY_RING / 8)

static struct pty_shared *shared(void)
{
	return kin_root_get(ROOT_PTY);
}

void pty_init(struct inode *directory)
{
	struct pty_shared *s = kin_alloc(sizeof(*s));

	if (!s)
		family_fatal("no memory for pseudo-terminals");
	s->directory = directory;
	kin_root_set(ROOT_PTY, s);
}

u64 pty_rdev(u32 index)
{
	return (u64)PTY_MAJOR << 8 | (index & 0xff) | (u64)(index & ~0xffu) << 12;
}

struct console *console_of_session(s32 sid)
{
	struct console *host = console_get();
	struct pty_shared *s = shared();

	if (!sid)
		return NULL;
	if (host->session == sid)
		return host;
	for (u32 i = 0; s && i < s->used; i++) {
		struct pty *p = s->slot[i];
		if (p && p->job.session == sid)
			return &p->job;
	}
	return NULL;
}

/* The host's terminal has the number that the kernel's own console has, as ever. */
u64 console_rdev(const struct console *c)
{
	struct pty_shared *s = shared();

	for (u32 i = 0; s && i < s->used; i++)
		if (s->slot[i] && c == &s->slot[i]->job)
			return pty_rdev(i);
	return 5 << 8 | 1;
}

/* ---- sides: who has it open */

static void sides_settle(struct pty *p)
{
	u32 now = (u32)p->intent.file->priv[PTY_FILE_SIDE], before = p->intent.side;

	p->masters = p->intent.masters + (now == PTY_MASTER) - (before == PTY_MASTER);
	p->slaves = p->intent.slaves + (now == PTY_SLAVE) - (before == PTY_SLAVE);
	publish(&p->intent.file, NULL);
}

static bool pty_recover(void *arg)
{
	struct pty *p = arg;

	if (p->intent.file)
		sides_settle(p);
	return true;
}

void pty_lock(struct pty *p)
{
	kin_lock_recover(&p->lock, pty_recover, p);
}

static void set_side(struct pty *p, struct file *f, enum pty_side side)
{
	pty_lock(p);
	p->intent.side = (u32)f->priv[PTY_FILE_SIDE];
	p->intent.masters = p->masters;
	p->intent.slaves = p->slaves;
	publish(&p->intent.file, f);
	publish(&f->priv[PTY_FILE_SIDE], (u64)side);
	sides_settle(p);
	kin_unlock(&p->lock);
}

/* ---- slots */

static void table_lock(void)
{
	kin_lock_recover(&shared()->lock, kin_recover_whole, NULL);
}

static void table_unlock(void)
{
	kin_unlock(&shared()->lock);
}

static bool is_free(const struct pty *p)
{
	return !p->masters && !p->slaves &&
		   (!p->claimed || member_gone(p->claim_member, p->claim_generation));
}

/* Under the table's lock. */
static void claim(struct pty *p)
{
	p->claim_member = BOOT_INFO->member;
	p->claim_generation = BOOT_INFO->generation;
	p->claimed = 1;
}

static struct pty *slot_new(u32 index)
{
	struct pty *p = kin_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->index = index;
	p->input = kin_pages_alloc_raw(PTY_RING / PAGE_SIZE);
	p->output = kin_pages_alloc_raw(PTY_RING / PAGE_SIZE);
	p->line_ends = kin_pages_alloc(LINE_ENDS_SIZE / PAGE_SIZE);
	queue_init(&p->slave_events);
	queue_init(&p->master_events);
	return p;
}

static void slot_free(struct pty *p)
{
	if (!p)
		return;
	if (p->input)
		kin_pages_free(p->input, PTY_RING / PAGE_SIZE);
	if (p->output)
		kin_pages_free(p->output, PTY_RING / PAGE_SIZE);
	if (p->line_ends)
		kin_pages_free(p->line_ends, LINE_ENDS_SIZE / PAGE_SIZE);
	kin_free(p);
}

/* The number that the host's terminal has in /dev/pts is not given to another. */
static bool index_reserved(u32 index)
{
	struct inode *host = vfs_shared()->tty;

	return host && (host->rdev & 0xff) == index;
}

/* Under the table's lock: a free slot, now ours; or NULL, and the lowest index without a slot. */
static struct pty *slot_find(u32 *missing)
{
	struct pty_shared *s = shared();

	*missing = PTY_MAX;
	for (u32 i = 0; i < PTY_MAX; i++) {
		struct pty *p = s->slot[i];
		if (index_reserved(i))
			continue;
		if (!p) {
			*missing = i;
			return NULL;
		}
		if (is_free(p)) {
			claim(p);
			return p;
		}
	}
	return NULL;
}

static struct pty *slot_claim(void)
{
	struct pty_shared *s = shared();
	struct pty *p, *fresh = NULL;
	u32 missing;

	for (;;) {
		table_lock();
		p = slot_find(&missing);
		if (!p && fresh && fresh->index == missing) {
			claim(fresh);
			s->slot[missing] = p = fresh;
			fresh = NULL;
			if (s->used <= missing)
				s->used = missing + 1;
		}
		table_unlock();
		slot_free(fresh);
		if (p || missing == PTY_MAX)
			return p;
		fresh = slot_new(missing);
		if (!fresh || !fresh->input || !fresh->output || !fresh->line_ends) {
			slot_free(fresh);
			return NULL;
		}
	}
}

/* As new. Ours alone, except for wakers that are late. */
static void slot_reset(struct pty *p)
{
	inode_drop(&p->node); /* left by a member that died as it hung up */
	p->hung_up = 0;
	p->slave_came = 0;
	p->slave_locked = 1;
	p->job.session = 0;
	p->job.foreground_pgid = 0;
	p->job.exclusive = 0;
	termios_init(&p->settings);
	memset(&p->locked, 0, sizeof(p->locked));
	memset(&p->window, 0, sizeof(p->window));
	ldisc_flush_input(p);
	p->out_tail = (u64)p->out_head;
	p->column = p->line_column = 0;
	p->literal = p->packet = p->packet_events = 0;
	p->stopped = 0;
}

/* ---- names */

static size_t index_text(u32 index, char *text, size_t size)
{
	return (size_t)ksnprintf(text, size, "%u", index);
}

/* Takes the place of what a dead member left there. */
static s64 name_add(struct pty *p)
{
	struct inode *dir = shared()->directory, *old = NULL;
	char name[16];
	size_t len = index_text(p->index, name, sizeof(name));
	struct inode *node = inode_alloc(inode_fs(dir), S_IFCHR | 0620);
	struct dirent_node *spare = dirent_alloc(name, len);

	if (!node || !spare) {
		inode_put(node);
		dirent_free(spare);
		return -ENOMEM;
	}
	node->rdev = pty_rdev(p->index);
	node->gid = TTY_GROUP;
	node->nlink = 1;
	dir_lock(dir);
	struct dirent_node *e = dirent_find(dir, name, len);
	inode_ref(&p->node, node);
	if (e) {
		old = e->inode;
		if (old)
			inode_get(old);
		dirent_set(dir, e, node);
	} else {
		dirent_insert(dir, spare, node);
		spare = NULL;
	}
	kin_unlock(&dir->lock);
	dirent_free(spare);
	inode_put(old);
	return 0;
}

static void name_remove(struct pty *p)
{
	struct inode *dir = shared()->directory, *node = p->node;
	char name[16];
	size_t len = index_text(p->index, name, sizeof(name));

	if (!node)
		return;
	dir_lock(dir);
	struct dirent_node *e = dirent_find(dir, name, len);
	if (e && e->inode == node)
		dirent_remove(dir, e);
	else
		e = NULL;
	kin_unlock(&dir->lock);
	dirent_free(e);
	node->nlink = 0;
	inode_drop(&p->node);
}

/* ---- opening */

static struct file *file_new(struct inode *node, u32 flags)
{
	struct file *f = file_alloc(FILE_PTY, flags & ~(u32)O_NOCTTY);

	if (!f)
		return NULL;
	inode_ref(&f->inode, node);
	return f;
}

s64 pty_master_open(struct inode *node, u32 flags, struct file **out)
{
	struct file *f = file_new(node, flags);
	struct pty *p = f ? slot_claim() : NULL;
	s64 err = f ? -ENOSPC : -ENFILE;

	if (p) {
		slot_reset(p);
		f->priv[PTY_FILE_TERMINAL] = (u64)p;
		set_side(p, f, PTY_MASTER);
		p->claimed = 0;
		err = name_add(p);
	}
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

/* By the node /dev/pts/ptmx, which nobody can take away before there is a process. */
s64 pty_pair_open(u32 flags, struct file **out)
{
	struct inode *dir = shared()->directory, *node = NULL;
	s64 err = -ENOENT;

	dir_lock(dir);
	struct dirent_node *e = dirent_find(dir, "ptmx", 4);
	if (e && e->inode)
		inode_get(node = e->inode);
	kin_unlock(&dir->lock);
	if (node)
		err = pty_master_open(node, flags, out);
	inode_put(node);
	if (!err)
		pty_of(*out)->slave_locked = 0;
	return err;
}

/* by_name: node is the terminal's own in /dev/pts; else it is that of /dev/tty. */
static s64 slave_open(struct pty *p, struct inode *node, bool by_name, u32 flags, struct file **out)
{
	if (job_excludes(&p->job))
		return -EBUSY;
	struct file *f = file_new(node, flags);
	if (!f)
		return -ENFILE;
	f->priv[PTY_FILE_TERMINAL] = (u64)p;
	set_side(p, f, PTY_SLAVE);
	/* Looked at with a slave counted: the slot cannot become another's any more. */
	if (p->hung_up || p->slave_locked || (by_name && p->node != node)) {
		file_put(f);
		return -EIO;
	}
	p->slave_came = 1;
	if (!(flags & O_NOCTTY) && (flags & O_ACCMODE) != O_WRONLY)
		job_acquire(&p->job, false);
	if (by_name) {
		char path[32];
		ksnprintf(path, sizeof(path), "/dev/pts/%u", p->index);
		file_set_path(f, path);
	}
	queue_wake_for(&p->master_events, WAKE_NO_OWNER);
	*out = f;
	return 0;
}

s64 pty_slave_open(struct inode *node, u32 flags, struct file **out)
{
	u32 index = (node->rdev & 0xff) | (u32)(node->rdev >> 12 & ~0xffu);
	struct pty *p = index < PTY_MAX ? shared()->slot[index] : NULL;

	return p ? slave_open(p, node, true, flags, out) : -EIO;
}

s64 pty_peer_open(struct pty *p, u32 flags, struct file **out)
{
	struct inode *node = p->node;

	return node ? slave_open(p, node, true, flags, out) : -EIO;
}

s64 pty_terminal_open(struct console *c, struct inode *node, u32 flags, struct file **out)
{
	struct pty *p = (struct pty *)((char *)c - offsetof(struct pty, job));

	return slave_open(p, node, false, flags | O_NOCTTY, out);
}

s32 terminal_foreground(struct file *f)
{
	return pty_is_master(f) ? 0 : (s32)pty_of(f)->job.foreground_pgid;
}

/* ---- closing */

static void hang_up(struct pty *p)
{
	p->hung_up = 1;
	console_hang_up(&p->job);
	name_remove(p);
}

/* May be done again after a death in it: the side goes last, and waking twice does no harm. */
void pty_file_release(struct file *f)
{
	struct pty *p = pty_of(f);

	if (p) {
		if (pty_is_master(f))
			hang_up(p);
		if (f->priv[PTY_FILE_SIDE] != PTY_NONE)
			set_side(p, f, PTY_NONE);
		queue_wake_for(&p->slave_events, WAKE_NO_OWNER);
		queue_wake_for(&p->master_events, WAKE_NO_OWNER);
		publish(&f->priv[PTY_FILE_TERMINAL], 0);
	}
	file_drop_inode(f);
}
