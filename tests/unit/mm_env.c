/* SPDX-License-Identifier: ISC */
/* The fakes behind mm_env.h. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/mman.h>

#include "kernel/mm/call_sites.h"
#include "mm_env.h"

#include "kernel/arch/paging.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/vfs/vfs.h"

#define OBJECT_PAGES 20000

/*
 * The headers that declare these do not go together with the UAPI's signal.h, which the kernel
 * uses.
 */
void *calloc(size_t n, size_t size);
void free(void *p);
_Noreturn void abort(void);
_Noreturn void exit(int status);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
int madvise(void *addr, size_t len, int advice);

struct pte ptes[WORLD_PAGES];
u64 env_calls_unmap;
int env_fail_after = -1;
struct proc_list member_procs;

static struct thread env_thread;
static struct proc env_proc;
static struct kin_proc env_kp;
static u32 objects_alive;

static bool fails(void)
{
	if (env_fail_after > 0)
		env_fail_after--;
	return env_fail_after == 0;
}

/* ---- kernel/lib */
void kpanic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

/* ---- kernel/kin, of which nobody dies */
struct kin_object {
	struct kin_ref ref;
	char *pages[OBJECT_PAGES];
};

struct kin_object *object_create(u64 npages)
{
	struct kin_object *o = fails() ? NULL : calloc(1, sizeof(*o));

	if (o) {
		ref_init(&o->ref, 1);
		objects_alive++;
	}
	return o;
}

u32 object_refs(const struct kin_object *o)
{
	return ref_count(&o->ref);
}

static void *fake_alloc(size_t size)
{
	return fails() ? NULL : calloc(1, size);
}

static void fake_free(void *p)
{
	free(p);
}

static struct kin_ref *fake_ref(enum own_kind kind, void *what)
{
	return kind == OWN_FILE ? &((struct file *)what)->ref : &((struct kin_object *)what)->ref;
}

static void fake_gone(enum own_kind kind, void *what)
{
	struct kin_object *o = what;

	kassert(kind == OWN_OBJECT); /* the test holds a file */
	for (u64 i = 0; i < OBJECT_PAGES; i++)
		free(o->pages[i]);
	free(o);
	objects_alive--;
}

#include "own_fake.h"

void aio_forget(struct mm *mm) {}

void object_punch(struct kin_object *o, u64 first, u64 n)
{
}

void *object_page(struct kin_object *o, u64 index, bool create, u64 *run)
{
	kassert(index < OBJECT_PAGES);
	if (!o->pages[index] && create)
		o->pages[index] = calloc(1, PAGE_SIZE);
	*run = 1;
	return o->pages[index];
}

u32 env_objects(void)
{
	return objects_alive;
}

/* ---- files: priv[0] size, priv[1] object or 0, priv[2] a number of its own */
s64 file_describe(struct file *f, struct kstat *st)
{
	*st = (struct kstat){.size = f->priv[0], .mode = MODE_REGULAR | 0755, .ino = f->priv[2]};
	return 0;
}

u32 file_open_flags(const struct file *f)
{
	return f->flags;
}

s64 file_shown_path(struct file *f, char *buf, size_t size)
{
	return f->path ? (s64)snprintf(buf, size, "%s", f->path) : -1;
}

s64 file_punch(struct file *f, u64 pos, u64 len)
{
	return 0;
}

bool file_is_zero(struct file *f)
{
	return false;
}

struct file *env_file(u64 size, u32 open_flags, bool in_kin)
{
	/* Never freed: a test may look at one after its end. */
	static struct file *all[256] __attribute__((unused));
	static u64 number;
	struct file *f = calloc(1, sizeof(*f));

	all[number] = f;
	ref_init(&f->ref, 1);
	f->type = FILE_INODE;
	f->flags = open_flags;
	f->priv[0] = size;
	f->priv[1] = in_kin ? (u64)object_create(0) : 0;
	f->priv[2] = ++number;
	for (u64 i = 0; in_kin && i < size / PAGE_SIZE; i++) {
		u64 run;

		*(u64 *)object_page((struct kin_object *)f->priv[1], i, true, &run) = env_file_word(f, i);
	}
	return f;
}

u64 env_file_word(const struct file *f, u64 page)
{
	return f->priv[2] << 32 | (page + 1);
}

u32 env_file_refs(const struct file *f)
{
	return ref_count(&f->ref);
}

void file_hold(struct file *f)
{
	ref_get(OWN_FILE, f, hold_new(OWN_FILE));
}

void file_put(struct file *f)
{
	ref_put(OWN_FILE, hold_of(OWN_FILE, f));
}

struct file *fd_get(int fd)
{
	return NULL;
}

bool file_mappable(struct file *f)
{
	return true;
}

s64 seals_allow_map(const struct file *f, bool writes)
{
	return 1;
}

struct kin_object *file_shared_object(struct file *f)
{
	struct kin_object *o = (struct kin_object *)f->priv[1];

	if (o)
		ref_get(OWN_OBJECT, o, hold_new(OWN_OBJECT));
	return o;
}

/*
 * ---- paging. kvm: memory stays where it is and only entries change; process: fresh memory each
 * time.
 */
static void ptes_set(u64 va, u64 len, bool mapped, int prot, u64 kin)
{
	kassert(va >= WORLD && va + len <= WORLD_END && va % PAGE_SIZE == 0 && len % PAGE_SIZE == 0);
	for (u64 at = va; at < va + len; at += PAGE_SIZE)
		ptes[(at - WORLD) / PAGE_SIZE] = (struct pte){mapped, prot, kin ? kin + (at - va) : 0};
}

static void contents_gone(u64 va, u64 len)
{
	madvise((void *)va, len, MADV_DONTNEED);
}

static int fake_map_private(u64 va, u64 len, int prot, bool fresh)
{
	if (fails())
		return -12;
	if (fresh && BOOT_INFO->backend == BACKEND_PROCESS)
		contents_gone(va, len);
	ptes_set(va, len, true, prot, 0);
	return 0;
}

static int fake_map_kin(u64 va, u64 len, u64 kin_addr, int prot)
{
	if (fails())
		return -12;
	ptes_set(va, len, true, prot, kin_addr);
	return 0;
}

static int fake_protect(u64 va, u64 len, int prot)
{
	for (u64 at = va; at < va + len; at += PAGE_SIZE) {
		kassert(ptes[(at - WORLD) / PAGE_SIZE].mapped);
		ptes[(at - WORLD) / PAGE_SIZE].prot = prot;
	}
	return 0;
}

static int fake_unmap(u64 va, u64 len, bool kin)
{
	env_calls_unmap++;
	if (!kin)
		contents_gone(va, len);
	ptes_set(va, len, false, 0, 0);
	return 0;
}

static int fake_discard(u64 va, u64 len)
{
	contents_gone(va, len);
	return 0;
}

static void fake_settle(void)
{
}

static void fake_advise(u64 va, u64 len, int advice)
{
}

static u64 fake_host_span(u64 va, u64 len, u64 *host)
{
	*host = va;
	return len;
}

static int fake_heap_populate(u64 addr, u64 len)
{
	return 0;
}

static const struct paging_ops fake_paging = {
	.heap_populate = fake_heap_populate,
	.map_private = fake_map_private,
	.map_kin = fake_map_kin,
	.protect = fake_protect,
	.unmap = fake_unmap,
	.discard = fake_discard,
	.settle = fake_settle,
	.advise = fake_advise,
	.host_span = fake_host_span,
};
const struct paging_ops *paging = &fake_paging;

bool file_maps_host(struct file *f)
{
	return false;
}

s64 file_map_shared(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	return -19; /* -ENODEV */
}

u64 file_shared_key(struct file *f, u64 offset)
{
	return 0;
}

s64 file_sync_data(struct file *f)
{
	return 0;
}

s64 file_map_private(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	if (fails())
		return -12;
	contents_gone(va, len);
	for (u64 at = 0; at < len; at += PAGE_SIZE)
		*(u64 *)(va + at) = env_file_word(f, (offset + at) / PAGE_SIZE);
	ptes_set(va, len, true, prot, 0);
	return 0;
}

/* ---- kernel/mm/charge.c, without --memory */
bool memory_may_commit(u64 len)
{
	return len <= 1ull << 40;
}

void memory_draw(u64 bytes)
{
}

void memory_return(u64 bytes)
{
}

u64 memory_chunk(u64 bytes)
{
	return bytes;
}

u64 memory_chunk_max(u64 bytes)
{
	return bytes;
}

void redirect_range_gone(u64 addr, u64 len)
{
}

void sites_mapped(struct mm *mm, struct vma *v)
{
}

void call_table_yield(struct mm *mm, u64 start, u64 end)
{
}

void sites_redirect(struct mm *mm, struct vma *v)
{
}

int copy_out(void *user_dst, const void *src, size_t n)
{
	memcpy(user_dst, src, n);
	return 0;
}

int copy_in(void *dst, const void *user_src, size_t n)
{
	memcpy(dst, user_src, n);
	return 0;
}

int user_load32(const u32 *addr, u32 *value)
{
	*value = *addr;
	return 0;
}

int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found)
{
	*found = *addr;
	if (*found == expected)
		*addr = desired;
	return 0;
}

s64 string_in(char *dst, const void *user_src, size_t size)
{
	size_t len = strnlen(user_src, size);

	memcpy(dst, user_src, len < size ? len + 1 : size);
	return len < size ? (s64)len : -36; /* ENAMETOOLONG */
}

/* ---- the application */
static int touch(struct mm *mm, u64 page, u64 error, struct pte **out)
{
	struct pte *p = &ptes[(page - WORLD) / PAGE_SIZE];
	int want = error & FAULT_WRITE ? PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC;
	int code, sig;

	if (!p->mapped || !(p->prot & want)) {
		sig = mm_fault(mm, page, error, &code);
		if (sig)
			return sig;
		kassert(p->mapped && p->prot & want);
	}
	*out = p;
	return 0;
}

int env_read(struct mm *mm, u64 page, u64 *value)
{
	struct pte *p;
	int sig = touch(mm, page, 0, &p);

	if (!sig)
		*value = *(u64 *)(p->kin ? p->kin : page);
	return sig;
}

int env_write(struct mm *mm, u64 page, u64 value)
{
	struct pte *p;
	int sig = touch(mm, page, FAULT_WRITE, &p);

	if (!sig)
		*(u64 *)(p->kin ? p->kin : page) = value;
	return sig;
}

u32 env_records(struct kin_proc *kp)
{
	u32 n = 0;

	for (u64 *m = (u64 *)kp->mappings; m; m = (u64 *)*m) /* the link is the first field */
		n++;
	return n;
}

static void fixed_map(u64 addr, u64 len)
{
	void *p = mmap((void *)addr, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (p != (void *)addr) {
		fprintf(stderr, "no memory at %#llx\n", (unsigned long long)addr);
		exit(1);
	}
}

struct mm *env_start(u32 backend)
{
	static bool done;
	struct mm *mm;

	if (!done) {
		fixed_map(KERNEL_BASE, KERNEL_END - KERNEL_BASE);
		fixed_map(WORLD, WORLD_PAGES * PAGE_SIZE);
	}
	done = true;
	memset(ptes, 0, sizeof(ptes));
	contents_gone(WORLD, WORLD_PAGES * PAGE_SIZE);
	BOOT_INFO->backend = backend;
	BOOT_INFO->zone_count = 3;
	BOOT_INFO->zones[0] = (struct boot_range){PRIVATE_END, HIDDEN_START};
	BOOT_INFO->zones[1] = (struct boot_range){HIDDEN_END, KIN_BASE};
	BOOT_INFO->zones[2] = (struct boot_range){KIN_END, USER_ADDRESS_END};
	memset(&env_kp, 0, sizeof(env_kp));
	memset(&env_proc, 0, sizeof(env_proc));
	LIST_INIT(&member_procs);
	LIST_INSERT_HEAD(&member_procs, &env_proc, link);
	env_thread.proc = &env_proc;
	env_proc.kp = &env_kp;
	for (int i = 0; i < RLIMITS; i++)
		env_proc.kp->inherited.rlimit_cur[i] = ~0ull;
	current = &env_thread;
	mm = mm_create();
	env_proc.mm = mm;
	mm->mmap_top = WORLD_END;
	return mm;
}
