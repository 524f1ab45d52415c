/* SPDX-License-Identifier: ISC */
/*
 * Open file descriptions: their reference counts, and what happens to these when a member dies.
 *
 * A reference is one of: an entry of a descriptor table, a hold in a member's record (calls in
 * progress, files not installed yet), or kept (file_get: the holder answers for it, such as a
 * mapping's record). refs is their sum. All are in kin, so a dead member's can be dropped by a
 * survivor, and refs can be recomputed: it is raised before its holding is written and lowered
 * after the holding is gone, and while that goes on the member's record names the file
 * (ref_intent). So refs is never too small; burial recounts the files of the dead member's
 * intents, and releases what came to 0.
 *
 * A process with one thread, whose table nobody shares, borrows: while its call runs the entry
 * cannot go away, so fd_get counts nothing and remembers the loan privately.
 */
#include <stdatomic.h>
#include <linux/fcntl.h>
#include <asm/errno.h>

#include "kernel/arch/arch.h"
#include "kernel/fd/fd_hooks.h"
#include "kernel/fd/fdtable.h"
#include "kernel/host/host.h"
#include "kernel/kin/root.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/task/thread.h"

#define FILE_MAGIC 0x656c6966u
#define RECOUNT_TRIES 200
#define RECOUNT_PAUSE_NS 100000ull

/* ---- intents: a small stack, because releasing a file may put another */

static u32 intents; /* private */

static bool intent_below(struct file *f)
{
	for (u32 i = 0; i < intents && i < REF_INTENTS; i++)
		if (record_self()->ref_intent[i] == f)
			return true;
	return false;
}

static bool recount_recover(void *arg)
{
	publish(&ROOT->recounting, NULL);
	return true;
}

/*
 * Says what is about to change, then looks whether somebody recounts it. The recounter says what it
 * recounts, then looks for intents: one of the two sees the other.
 */
void ref_begin(struct file *f)
{
	struct file **intent = &record_self()->ref_intent[intents];

	while (intents < REF_INTENTS) {
		publish(intent, f);
		atomic_thread_fence(memory_order_seq_cst);
		if (__atomic_load_n(&ROOT->recounting, __ATOMIC_RELAXED) != f || intent_below(f))
			break;
		publish(intent, NULL);
		kin_lock_recover(&ROOT->recount_lock, recount_recover, NULL);
		kin_unlock(&ROOT->recount_lock);
	}
	intents++;
}

void ref_end(void)
{
	intents--;
	if (intents < REF_INTENTS)
		publish(&record_self()->ref_intent[intents], NULL);
}

/* ---- holds */

static u32 hold_hint; /* private: where the search for a free slot begins */

static struct file_hold *hold_slot(void)
{
	struct member_record *r = record_self();

	_Static_assert(sizeof(struct hold_page) <= PAGE_SIZE, "holds must fit a page");
	for (struct hold_page *page = r->holds; page; page = page->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++) {
			struct file_hold *h = &page->slot[(hold_hint + i) % HOLDS_PER_PAGE];

			if (!h->file) {
				hold_hint = (hold_hint + i) % HOLDS_PER_PAGE;
				return h;
			}
		}
	struct hold_page *page = kin_pages_alloc_last(1);
	if (!page)
		family_fatal("kin is full: no room for an open file");
	page->next = r->holds;
	publish(&r->holds, page);
	hold_hint = 0;
	return &page->slot[0];
}

void hold_add(struct file *f)
{
	struct file_hold *h = hold_slot();

	h->thread = (u64)current;
	publish(&h->file, f);
}

/* A hold on f of the current thread, or of any thread if any. */
static struct file_hold *hold_find(struct file *f, bool any)
{
	for (struct hold_page *page = record_self()->holds; page; page = page->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++) {
			struct file_hold *h = &page->slot[(hold_hint + i) % HOLDS_PER_PAGE];

			if (h->file == f && (any || h->thread == (u64)current))
				return h;
		}
	return NULL;
}

/* The holding behind one reference of the caller goes: a hold, or one of the kept. */
void holding_forget(struct file *f)
{
	struct file_hold *h = hold_find(f, false);

	if (!h && atomic_load(&f->kept) == 0)
		h = hold_find(f, true);
	if (h)
		publish(&h->file, NULL);
	else if (atomic_load(&f->kept))
		atomic_fetch_sub(&f->kept, 1);
	else
		family_fatal("file %p of type %u: a reference that nobody holds was put", (void *)f,
			     f->type);
}

/* ---- loans */

bool file_borrow(struct file *f)
{
	struct thread_kin *k = thread_kin(current);

	if (k->nborrowed == k->borrowed_cap) {
		u32 cap = k->borrowed_cap ? k->borrowed_cap * 2 : 8;
		struct file **list = kmalloc(cap * sizeof(*list));

		if (!list)
			return false;
		if (k->borrowed) {
			memcpy(list, k->borrowed, k->nborrowed * sizeof(*list));
			kfree(k->borrowed);
		}
		k->borrowed = list;
		k->borrowed_cap = cap;
	}
	k->borrowed[k->nborrowed++] = f;
	return true;
}

static bool file_repay(struct file *f)
{
	struct thread_kin *k = thread_kin(current);

	for (u32 i = k->nborrowed; i-- > 0;)
		if (k->borrowed[i] == f) {
			k->borrowed[i] = k->borrowed[--k->nborrowed];
			return true;
		}
	return false;
}

/* ---- files */

struct file *file_alloc(enum file_type type, u32 flags)
{
	struct file *f = kin_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->type = type;
	atomic_store(&f->flags, flags);
	f->owner_pid = current ? current->proc->kp->pid : 1;
	atomic_store(&f->refs, 1);
	f->magic = FILE_MAGIC;
	ref_begin(f);
	hold_add(f);
	ref_end();
	return f;
}

void file_get(struct file *f)
{
	ref_begin(f);
	atomic_fetch_add(&f->refs, 1);
	atomic_fetch_add(&f->kept, 1);
	ref_end();
}

void file_hold(struct file *f)
{
	ref_begin(f);
	atomic_fetch_add(&f->refs, 1);
	hold_add(f);
	ref_end();
}

/* ---- for kernel/mm */

u32 file_open_flags(const struct file *f)
{
	return f->type == FILE_PATH ? O_PATH : f->flags;
}

const char *file_shown_path(const struct file *f)
{
	return f->path;
}

s64 file_describe(struct file *f, struct kstat *st)
{
	return file_ops[f->type]->stat ? file_ops[f->type]->stat(f, st) : -ENOSYS;
}

/*
 * refs is 0: nobody can find f any more. May run a second time, by the burier of the member that
 * died here: operations leave the file such that a repeated release does no harm (pointers go to
 * NULL as what they own goes).
 */
static void file_release(struct file *f)
{
	char *path = f->path;

	if (f->epoll_items)
		epoll_file_gone(f);
	if (file_ops[f->type]->release)
		file_ops[f->type]->release(f);
	publish(&f->path, NULL);
	if (path)
		kin_free(path, f->path_len + 1);
}

/* The holding is gone already; ref_begin(f) is in effect and ends here. */
void file_unref(struct file *f)
{
	bool last = atomic_fetch_sub(&f->refs, 1) == 1;

	if (last) {
		file_release(f);
		f->magic = 0;
	}
	ref_end();
	if (last)
		kin_free(f, sizeof(*f));
}

void file_put(struct file *f)
{
	if (!f || file_repay(f))
		return;
	ref_begin(f);
	holding_forget(f);
	file_unref(f);
}

/* ---- burial */

/* All holdings of f that can be found. */
static u32 file_count(struct file *f)
{
	u32 n = fdtables_count(f) + atomic_load(&f->kept);

	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		struct member_record *r = &ROOT->members[i];

		if (!r->holds)
			continue;
		record_lock(r);
		for (struct hold_page *p = r->holds; p; p = p->next)
			for (u32 slot = 0; slot < HOLDS_PER_PAGE; slot++)
				n += p->slot[slot].file == f;
		kin_unlock(&r->lock);
	}
	return n;
}

static bool file_changing(struct file *f)
{
	for (u32 i = 0; i < MEMBERS_MAX; i++) {
		if (atomic_load(&KIN->members[i].state) != MEMBER_LIVE ||
		    i == BOOT_INFO->member)
			continue;
		for (u32 k = 0; k < REF_INTENTS; k++)
			if (ROOT->members[i].ref_intent[k] == f)
				return true;
	}
	return false;
}

/*
 * A member died while it changed f's count: refs may be one too high, and the release that was
 * due may be missing or half done. With nobody changing it, refs is what the holdings say. If
 * somebody goes on and on changing it, that is a member that was killed too: its own burial comes
 * here again.
 */
static void file_recount(struct file *f)
{
	bool release = false, changing = true;

	kin_lock_recover(&ROOT->recount_lock, recount_recover, NULL);
	publish(&ROOT->recounting, f);
	atomic_thread_fence(memory_order_seq_cst);
	for (u32 i = 0; i < RECOUNT_TRIES && (changing = file_changing(f)); i++)
		host_futex_wait(&ROOT->recount_pause, 0, RECOUNT_PAUSE_NS);
	if (!changing && f->magic == FILE_MAGIC) {
		u32 found = file_count(f);

		if (found <= atomic_load(&f->refs)) {
			atomic_store(&f->refs, found);
			release = found == 0;
		}
	}
	publish(&ROOT->recounting, NULL);
	kin_unlock(&ROOT->recount_lock);
	if (!release)
		return;
	ref_begin(f);
	file_release(f);
	f->magic = 0;
	ref_end();
	kin_free(f, sizeof(*f));
}

void files_bury(u32 member)
{
	struct member_record *r = &ROOT->members[member];
	struct hold_page *page = r->holds;

	fdtable_bury(r);
	for (struct hold_page *p = page; p; p = p->next)
		for (u32 i = 0; i < HOLDS_PER_PAGE; i++) {
			struct file *f = p->slot[i].file;

			if (!f)
				continue;
			ref_begin(f);
			publish(&p->slot[i].file, NULL);
			file_unref(f);
		}
	if (member != BOOT_INFO->member)
		for (u32 i = 0; i < REF_INTENTS; i++) {
			struct file *f = r->ref_intent[i];

			if (f)
				file_recount(f);
			publish(&r->ref_intent[i], NULL);
		}
	record_lock(r);
	publish(&r->holds, NULL);
	kin_unlock(&r->lock);
	while (page) {
		struct hold_page *next = page->next;

		kin_pages_free(page, 1);
		page = next;
	}
}

/* What fstat says of files that are in no directory: event descriptors and the like. */
s64 anon_stat(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->dev = ANON_INODE_DEV;
	st->ino = 1;
	st->mode = 0600;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}
