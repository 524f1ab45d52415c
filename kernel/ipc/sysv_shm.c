/* SPDX-License-Identifier: ISC */
/*
 * System V shared memory. A segment is an inode without a name; each attach maps a file of its own
 * on it, of type FILE_SHM, so that who has attached is known from the references of these files,
 * and the last detach is their release, also when a dead member is buried. Source: shmop(2),
 * shmctl(2).
 *
 * The table's lock protects segments and their lists of files; every change of a list is one store.
 */
#include <asm/errno.h>
#include <asm/shmbuf.h>
#include <linux/fcntl.h>
#include <linux/ipc.h>
#include <linux/mman.h>

#include "kernel/ipc/ipc.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/lib/text.h"
#include "kernel/mm/mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/thread.h"
#include "kernel/task/tunables.h"
#include "kernel/vfs/inode.h"

/* <linux/shm.h> draws in libc. */
enum {
	SHM_DEST = 01000,    /* of shm_perm.mode: goes with the last detach */
	SHM_HUGETLB = 04000, /* flags of shmget */
	SHM_RDONLY = 010000, /* flags of shmat */
	SHM_RND = 020000,
	SHM_REMAP = 040000,
	SHM_EXEC = 0100000,
	SHM_LOCK = 11, /* commands */
	SHM_UNLOCK = 12,
	SHM_STAT = 13,
	SHM_INFO = 14,
	SHM_STAT_ANY = 15,
};
struct shm_info {
	s32 used_ids;
	u64 shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};

struct segment {
	struct ipc_object object;
	struct inode *inode; /* reference */
	u64 size;
	u64 atime, dtime;
	s32 creator, last;
	struct file *files; /* attached: file.priv[SHM_NEXT] */
};

enum { SHM_SEGMENT, SHM_NEXT }; /* file.priv */

static struct ipc_object *shm_make(u64 size, s64 *err)
{
	u64 npages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	struct segment *seg;

	*err = -EINVAL;
	if (size == 0 || size > tunable_get(TUNE_SHM_MAX))
		return NULL;
	*err = -ENOMEM;
	if (npages > KIN_SIZE / PAGE_SIZE)
		return NULL;
	seg = kin_alloc(sizeof(*seg));
	if (!seg)
		return NULL;
	struct inode *ino = inode_alloc(FS_SHM, S_IFREG | 0600);
	if (ino)
		own_give_if(&ino->object, object_create(npages));
	if (!ino || !ino->object) {
		inode_put(ino);
		kin_free(seg);
		return NULL;
	}
	inode_give(&seg->inode, ino);
	atomic_store(&seg->inode->size, npages * PAGE_SIZE);
	seg->size = size;
	seg->creator = current->proc->kp->pid;
	*err = 0;
	return &seg->object;
}

static void shm_discard(struct ipc_object *o)
{
	struct segment *seg = (struct segment *)o;

	inode_drop(&seg->inode);
	kin_free(seg);
}

static u64 segment_pages(const struct segment *seg)
{
	return ALIGN_UP(seg->size, PAGE_SIZE) / PAGE_SIZE;
}

static s64 shm_room(struct ipc_table *t, u64 size)
{
	u64 pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;

	for (u32 i = 0; i < t->used; i++)
		if (t->slot[i])
			pages += segment_pages((struct segment *)t->slot[i]);
	return ipc_has_room(t, tunable_get(TUNE_SHM_COUNT)) && pages <= tunable_get(TUNE_SHM_ALL)
			   ? 0
			   : -ENOSPC;
}

static s64 shm_check(struct ipc_object *o, u64 size)
{
	return size > ((struct segment *)o)->size ? -EINVAL : 0;
}

/* Each process that maps it keeps one reference. */
static u64 attach_count(const struct segment *seg)
{
	u64 n = 0;

	for (struct file *f = seg->files; f; f = (struct file *)f->priv[SHM_NEXT])
		n += MAX(ref_count(&f->ref), 1u);
	return n;
}

static void shm_stat(struct ipc_object *o, void *to)
{
	struct segment *seg = (struct segment *)o;
	struct shmid64_ds *ds = to;

	ds->shm_segsz = seg->size;
	ds->shm_atime = (long)seg->atime;
	ds->shm_dtime = (long)seg->dtime;
	ds->shm_ctime = (long)o->ctime;
	ds->shm_cpid = seg->creator;
	ds->shm_lpid = seg->last;
	ds->shm_nattch = attach_count(seg);
}

/* While it is attached nobody finds it by its key any more; the last detach removes it. */
static bool shm_remove(struct ipc_table *t, struct ipc_object *o)
{
	if (((struct segment *)o)->files) {
		o->key = IPC_PRIVATE;
		o->mode |= SHM_DEST;
		return false;
	}
	ipc_remove(t, o);
	return true;
}

_Static_assert(sizeof(struct shmid64_ds) <= IPC_STAT_MAX, "see ipc_stat");
static const struct ipc_ops shm_ops = {
	.kind = IPC_SHM,
	.stat_size = sizeof(struct shmid64_ds),
	.make = shm_make,
	.discard = shm_discard,
	.recover = kin_recover_whole,
	.room = shm_room,
	.check = shm_check,
	.stat = shm_stat,
	.remove = shm_remove,
};

static void shm_lock(struct ipc_table *t)
{
	ipc_lock(&shm_ops, t);
}

s64 sys_shmget(u64 key, u64 size, u64 flags)
{
	if (flags & SHM_HUGETLB)
		return -ENOMEM; /* none are reserved */
	return ipc_get(&shm_ops, key, size, flags);
}

/* The last process that had this attach mapped is gone. */
static void shm_file_release(struct file *f)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);
	struct segment *seg = (struct segment *)f->priv[SHM_SEGMENT], *gone = NULL;

	if (seg) {
		shm_lock(t);
		struct file **link = &seg->files;
		while (*link && *link != f)
			link = (struct file **)&(*link)->priv[SHM_NEXT];
		if (*link)
			publish(link, (struct file *)f->priv[SHM_NEXT]);
		publish(&f->priv[SHM_SEGMENT], 0);
		if (seg->object.mode & SHM_DEST && !seg->files) {
			ipc_remove(t, &seg->object);
			gone = seg;
		}
		kin_unlock(&t->lock);
	}
	if (gone)
		shm_discard(&gone->object);
	file_drop_inode(f);
}

static s64 shm_file_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

const struct file_ops shm_file_ops = {
	.name = "shm",
	.stat = shm_file_stat,
	.release = shm_file_release,
};

/* A file for one attach, in the segment's list. */
static s64 attach_file(struct ipc_table *t, s32 id, u32 flags, struct file **out, u64 *size)
{
	bool readonly = flags & SHM_RDONLY;
	struct file *f = file_alloc(FILE_SHM, readonly ? O_RDONLY : O_RDWR);
	struct segment *seg;
	char name[32];
	s64 err;

	if (!f)
		return -ENFILE;
	shm_lock(t);
	seg = (struct segment *)ipc_find(t, id);
	err = seg ? ipc_access(&seg->object, readonly ? 0444 : 0666) : -EINVAL;
	if (!err) {
		inode_ref(&f->inode, seg->inode);
		f->priv[SHM_NEXT] = (u64)seg->files;
		publish(&f->priv[SHM_SEGMENT], (u64)seg);
		publish(&seg->files, f);
		seg->atime = ipc_seconds();
		seg->last = current->proc->kp->pid;
		*size = seg->size;
		ksnprintf(name, sizeof(name), "/SYSV%08x (deleted)", (u32)seg->object.key);
	}
	kin_unlock(&t->lock);
	if (err) {
		file_put(f);
		return err;
	}
	file_set_path(f, name);
	*out = f;
	return 0;
}

static s64 attach_address(u64 *addr, u32 flags, u32 *map)
{
	if (!*addr)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (*addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr = ALIGN_DOWN(*addr, PAGE_SIZE);
		if (!*addr && flags & SHM_REMAP)
			return -EINVAL;
	}
	*map |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	return 0;
}

s64 sys_shmat(u64 id, u64 addr, u64 flags)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);
	u32 prot = PROT_READ, map = MAP_SHARED;
	struct file *f;
	u64 size;
	s64 r;

	if (!t || (s32)id < 0)
		return -EINVAL;
	r = attach_address(&addr, (u32)flags, &map);
	if (r)
		return r;
	if (!(flags & SHM_RDONLY))
		prot |= PROT_WRITE;
	if (flags & SHM_EXEC)
		prot |= PROT_EXEC;
	r = attach_file(t, (s32)id, (u32)flags, &f, &size);
	if (r)
		return r;
	r = mm_map(current->proc->mm, addr, size, prot, map, f, 0);
	file_put(f);
	return r == -EEXIST ? -EINVAL : r;
}

s64 sys_shmdt(u64 addr)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);
	struct mm *mm = current->proc->mm;
	struct vma *v = mm_find(mm, addr);
	struct segment *seg;
	struct file *f;
	u64 end;

	if (!t || addr & (PAGE_SIZE - 1) || !v || v->start != addr || !v->file ||
		v->file->type != FILE_SHM || v->offset != 0)
		return -EINVAL;
	f = v->file;
	shm_lock(t);
	seg = (struct segment *)f->priv[SHM_SEGMENT];
	seg->dtime = ipc_seconds();
	seg->last = current->proc->kp->pid;
	end = addr + ALIGN_UP(seg->size, PAGE_SIZE);
	kin_unlock(&t->lock);
	/* What the application has unmapped or mapped over in between is no part of it any more. */
	while (addr < end) {
		v = mm_find(mm, addr);
		u64 next = v ? MIN(v->end, end) : addr + PAGE_SIZE;

		if (v && v->file == f) {
			s64 err = mm_unmap(mm, addr, next - addr);

			if (err)
				return err;
		}
		addr = next;
	}
	return 0;
}

/* ---- shmctl */

static s64 shm_limits(u64 user)
{
	struct shminfo64 info = {.shmmax = tunable_get(TUNE_SHM_MAX),
							 .shmmin = 1,
							 .shmmni = tunable_get(TUNE_SHM_COUNT),
							 .shmseg = tunable_get(TUNE_SHM_COUNT),
							 .shmall = tunable_get(TUNE_SHM_ALL)};
	s64 highest;

	ipc_count(IPC_SHM, &highest);
	return copy_out((void *)user, &info, sizeof(info)) ? -EFAULT : highest;
}

static s64 shm_usage(u64 user)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);
	struct shm_info info = {0};
	s64 highest = 0;

	if (t) {
		shm_lock(t);
		for (u32 i = 0; i < t->used; i++) {
			struct segment *seg = (struct segment *)t->slot[i];

			if (!seg)
				continue;
			highest = i;
			info.used_ids++;
			info.shm_tot += segment_pages(seg);
			info.shm_rss += object_pages(seg->inode->object);
		}
		kin_unlock(&t->lock);
	}
	return copy_out((void *)user, &info, sizeof(info)) ? -EFAULT : highest;
}

/* Memory is locked no more than the host locks it. */
static s64 shm_pin(s32 id)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);
	struct ipc_object *o;
	s64 err;

	if (!t || id < 0)
		return -EINVAL;
	shm_lock(t);
	o = ipc_find(t, id);
	err = o ? ipc_owner(o) : -EINVAL;
	kin_unlock(&t->lock);
	return err;
}

s64 sys_shmctl(u64 id, u64 cmd, u64 user)
{
	switch ((u32)cmd) {
	case IPC_INFO: return shm_limits(user);
	case SHM_INFO: return shm_usage(user);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return ipc_stat(&shm_ops, (s32)id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, user);
	case IPC_SET:
	case IPC_RMID: return ipc_change(&shm_ops, (s32)id, (u32)cmd, user);
	case SHM_LOCK:
	case SHM_UNLOCK: return shm_pin((s32)id);
	default: return -EINVAL;
	}
}

void shm_describe(struct text *text)
{
	struct ipc_table *t = ipc_table_if_any(IPC_SHM);

	text_add(text, "       key      shmid perms                  size  cpid  lpid nattch   uid"
				   "   gid  cuid  cgid      atime      dtime      ctime                   rss"
				   "                  swap\n");
	if (!t)
		return;
	shm_lock(t);
	for (u32 i = 0; i < t->used; i++) {
		struct segment *seg = (struct segment *)t->slot[i];
		const struct ipc_object *o = &seg->object;

		if (!seg)
			continue;
		text_add(text, "%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u ", o->key, o->id,
				 o->mode, seg->size, seg->creator, seg->last, (u64)attach_count(seg), o->uid,
				 o->gid, o->cuid, o->cgid);
		text_add(text, "%10lu %10lu %10lu %21lu %21lu\n", seg->atime, seg->dtime, o->ctime,
				 object_pages(seg->inode->object) * PAGE_SIZE, 0ul);
	}
	kin_unlock(&t->lock);
}
