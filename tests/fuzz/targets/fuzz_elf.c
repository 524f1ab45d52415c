/* SPDX-License-Identifier: ISC */
/*
 * ELF files and scripts from hostile bytes, in the three places that read them: the parser alone,
 * exec (headers, #!, dynamic linker, mapping into an address space of the real kernel/mm), and the
 * monitor's loading of the kernel image (elf_image.c). A file is the input's bytes as they are, or
 * is put together from them so that most of it is right.
 *
 * The paging below kernel/mm is played: it finds every range that an application must not have. At
 * the end of each input nothing may be left over: no file, no memory.
 */
#include <stdio.h>
#include <asm/errno.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "elf_image.h"
#include "elf_memory.h"
#undef memset
#include "input.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/redirect.h"
#include "kernel/exec/exec.h"
#include "kernel/host/host.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/call_sites.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc.h"
#include "kernel/vfs/vfs.h"

/* Not from their headers, which do not go together with the kernel's. */
void *calloc(size_t n, size_t size);
void free(void *p);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);

#define CONTENT_MAX 8192
#define PHDRS_MAX 8

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "protect_shadow_gap=0:detect_leaks=0:handle_abort=1:allocator_may_return_null=1";
}

/* ---- files */
struct content {
	u8 bytes[CONTENT_MAX];
	u64 len;
};
static struct content program, interp;
static u32 files_alive, allocations;
static u32 fail_in; /* the allocation so many from now fails; 0: none */
static bool interp_missing, interp_is_program;

static const struct content *content_of(const char *path)
{
	if (!strcmp(path, "/program"))
		return &program;
	return interp_missing ? NULL : interp_is_program ? &program : &interp;
}

s64 vfs_stat(int dirfd, const char *path, u32 at_flags, struct kstat *st)
{
	const struct content *c = content_of(path);

	if (!c)
		return -ENOENT;
	*st = (struct kstat){.mode = MODE_REGULAR | 0755, .size = c->len, .ino = c == &program};
	return 0;
}

s64 vfs_open(int dirfd, const char *path, u32 flags, u32 mode, struct file **out)
{
	const struct content *c = content_of(path);
	struct file *f = c ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return c ? -ENFILE : -ENOENT;
	ref_init(&f->ref, 1);
	f->type = FILE_INODE;
	f->priv[0] = (u64)c;
	files_alive++;
	*out = f;
	*hold_new(OWN_FILE) = f;
	return 0;
}

void file_hold(struct file *f)
{
	ref_get(OWN_FILE, f, hold_new(OWN_FILE));
}

void file_put(struct file *f)
{
	ref_put(OWN_FILE, hold_of(OWN_FILE, f));
}

s64 file_pread_kernel(struct file *f, void *buf, size_t len, u64 pos)
{
	const struct content *c = (const struct content *)f->priv[0];

	if ((s64)pos < 0)
		return -EINVAL;
	if (pos >= c->len)
		return 0;
	len = MIN(len, c->len - pos);
	memcpy(buf, c->bytes + pos, len);
	return (s64)len;
}

s64 file_may_exec(struct file *f)
{
	return 0;
}

void file_set_id(struct file *f, struct file_set_id *out)
{
}

void notify_file(struct file *f, u32 mask)
{
}

s64 file_deny_write(struct file *f)
{
	return 0;
}

void file_allow_write(struct file *f)
{
}

bool file_mappable(struct file *f)
{
	return true;
}

bool file_maps_host(struct file *f)
{
	return false;
}

struct kin_object *file_shared_object(struct file *f)
{
	return NULL;
}

s64 file_map_shared(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	finding("a program was mapped shared");
}

void aio_forget(struct mm *mm) {}

s64 seals_allow_map(const struct file *f, bool writes)
{
	return 1;
}

struct file *fd_get(int fd)
{
	finding("descriptor %d was looked at", fd);
}

s64 file_describe(struct file *f, struct kstat *st)
{
	*st = (struct kstat){.mode = MODE_REGULAR | 0755, .size = ((struct content *)f->priv[0])->len};
	return 0;
}

u32 file_open_flags(const struct file *f)
{
	return 0; /* O_RDONLY */
}

bool file_is_zero(struct file *f)
{
	return false;
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

/* ---- memory of the kernel, so that ASan sees its ends */
static bool refused(void)
{
	return fail_in && --fail_in == 0;
}

static void *allocate(size_t size)
{
	void *p = refused() ? NULL : calloc(1, size ? size : 1);

	allocations += p != NULL;
	return p;
}

static void give_back(void *p)
{
	allocations -= p != NULL;
	free(p);
}

void *kmalloc(size_t size)
{
	return allocate(size);
}

void *kmalloc_hot(size_t size)
{
	return allocate(size);
}

void kfree(void *p)
{
	give_back(p);
}

void *kpages_alloc(size_t npages)
{
	return allocate(npages * PAGE_SIZE);
}

void kpages_free(void *p, size_t npages)
{
	give_back(p);
}

static void *fake_alloc(size_t size)
{
	return allocate(size);
}

static void fake_free(void *p)
{
	give_back(p);
}

static struct kin_ref *fake_ref(enum own_kind kind, void *what)
{
	if (kind != OWN_FILE)
		finding("a memory object was taken or dropped");
	return &((struct file *)what)->ref;
}

static void fake_gone(enum own_kind kind, void *what)
{
	files_alive--;
	free(what);
}

#include "tests/unit/own_fake.h"

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		memcpy(dst, src, MIN(len, size - 1));
		dst[MIN(len, size - 1)] = 0;
	}
	return len;
}

void kpanic(const char *fmt, ...)
{
	finding("panic: %s", fmt);
}

struct kin_object *object_create(u64 npages)
{
	finding("a memory object was made");
}

void *object_page(struct kin_object *o, u64 index, bool create, u64 *run)
{
	finding("a memory object was looked at");
}

/* ---- paging: nothing but what an application may have */
static void range(const char *what, u64 va, u64 len)
{
	bool private = va >= PRIVATE_BASE && va <= USER_ADDRESS_END && len <= USER_ADDRESS_END - va &&
				   (va + len <= KIN_BASE || va >= KIN_END);

	if (!len || (va | len) % PAGE_SIZE || !private || (va < KERNEL_END && va + len > KERNEL_BASE))
		finding("%s of %#llx, %#llx bytes", what, (unsigned long long)va, (unsigned long long)len);
}

/* The kernel clears pages that an application may have had before: whole ones, as nothing here. */
void *memory_set(void *to, int byte, size_t n)
{
	u64 at = (u64)to;

	if ((at | n) % PAGE_SIZE == 0 && !(at >= KERNEL_BASE && at < KERNEL_END)) {
		range("clearing", at, n);
		return to;
	}
	return memset(to, byte, n);
}

static int map_private(u64 va, u64 len, int prot, bool fresh)
{
	range("memory", va, len);
	return refused() ? -ENOMEM : 0;
}

static int map_kin(u64 va, u64 len, u64 kin_addr, int prot)
{
	finding("a program was mapped from kin");
}

static int protect(u64 va, u64 len, int prot)
{
	range("protection", va, len);
	return 0;
}

static int unmap(u64 va, u64 len, bool kin)
{
	range("unmapping", va, len);
	return 0;
}

/* What is populated is not touched: the addresses are only played with. */
int user_load32(const u32 *addr, u32 *value)
{
	return -1;
}

int user_cmpxchg32(u32 *addr, u32 expected, u32 desired, u32 *found)
{
	return -1;
}

static int discard(u64 va, u64 len)
{
	range("discarding", va, len);
	return 0;
}

static void settle(void)
{
}

static const struct paging_ops played = {
	.map_private = map_private,
	.map_kin = map_kin,
	.protect = protect,
	.unmap = unmap,
	.discard = discard,
	.settle = settle,
};
const struct paging_ops *paging = &played;

s64 file_map_private(struct file *f, u64 va, u64 len, int prot, u64 offset)
{
	range("a file", va, len);
	if (offset % PAGE_SIZE || offset > INT64_MAX - len)
		finding("a file from %#llx on", (unsigned long long)offset);
	return refused() ? -ENOMEM : 0;
}

/* What lies behind a segment's file part is cleared, in memory that is the program's to write. */
int clear_out(void *user_dst, size_t n)
{
	u64 at = (u64)user_dst, end = at + n;
	struct mm *mm = current->proc->mm;

	while (at < end) {
		const struct vma *v = mm_find(mm, at);

		if (!v || !(v->prot & PROT_WRITE))
			return -EFAULT;
		at = v->end;
	}
	return 0;
}

int copy_in(void *dst, const void *user_src, size_t n)
{
	return -EFAULT;
}

int copy_out(void *user_dst, const void *src, size_t n)
{
	return -EFAULT;
}

s64 string_in(char *dst, const void *user_src, size_t size)
{
	return -EFAULT;
}

s64 host_advise(u64 addr, u64 len, int advice)
{
	return 0;
}

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

struct proc_list member_procs;

/* ---- files from the input */
static u64 amount(struct input *in)
{
	static const u64 odd[] = {
		~0ull,
		1ull << 63,
		(1ull << 63) - 1,
		INT64_MAX - PAGE_SIZE,
		ELF_ADDRESS_END,
		ELF_ADDRESS_END - PAGE_SIZE,
		PRIVATE_END,
		PRIVATE_END - PAGE_SIZE,
		KERNEL_BASE,
		KERNEL_BASE - PAGE_SIZE,
		KERNEL_END,
		CALL_TABLE_ADDR,
		KERNEL_IMAGE,
		KERNEL_IMAGE_END,
		1ull << 32,
		USER_PIE_BASE,
	};
	u8 how = input_u8(in);

	if (how < 128)
		return how % 16 * PAGE_SIZE;
	if (how < 200)
		return how % 16 * PAGE_SIZE + input_u8(in);
	return how < 240 ? odd[how % ARRAY_SIZE(odd)] : input_u64(in);
}

static void phdr_make(struct input *in, Elf64_Phdr *p, u64 base)
{
	static const u32 types[] = {PT_LOAD, PT_LOAD, PT_LOAD, PT_INTERP, PT_GNU_STACK, PT_NOTE};
	u8 how = input_u8(in);

	p->p_type = types[input_u8(in) % ARRAY_SIZE(types)];
	p->p_flags = input_u8(in) % 8;
	p->p_vaddr = base + amount(in);
	p->p_offset = how & 1 ? p->p_vaddr % PAGE_SIZE + input_u8(in) % 2 * PAGE_SIZE : amount(in);
	p->p_filesz = amount(in);
	p->p_memsz = how & 2 ? p->p_filesz + input_u8(in) % 4 * PAGE_SIZE : amount(in);
	p->p_align = how & 4 ? PAGE_SIZE : amount(in);
	if (p->p_type == PT_INTERP && how & 8) {
		p->p_offset = CONTENT_MAX / 2;
		p->p_filesz = sizeof("/interp");
	}
}

/* An ELF file that is right where the input does not say otherwise. */
static void elf_make(struct input *in, struct content *c, u64 base)
{
	u8 how = input_u8(in), count = input_u8(in) % PHDRS_MAX;
	Elf64_Ehdr e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
					.e_type = how & 1 ? ET_DYN : ET_EXEC,
					.e_machine = EM_X86_64,
					.e_phentsize = sizeof(Elf64_Phdr),
					.e_phnum = count,
					.e_phoff = sizeof(e)};
	Elf64_Phdr p[PHDRS_MAX] = {{0}};

	e.e_entry = base + amount(in);
	if (how & 2)
		e.e_phoff = amount(in);
	if (how >= 252)
		e.e_phnum = input_u16(in);
	for (u32 i = 0; i < count; i++)
		phdr_make(in, &p[i], how & 1 ? 0 : base);
	memset(c->bytes, 0, sizeof(c->bytes));
	memcpy(c->bytes + CONTENT_MAX / 2, "/interp", sizeof("/interp"));
	memcpy(c->bytes, &e, sizeof(e));
	if (e.e_phoff <= CONTENT_MAX - sizeof(p))
		memcpy(c->bytes + e.e_phoff, p, sizeof(p));
	c->len = how & 4 ? CONTENT_MAX : input_u16(in) % (CONTENT_MAX + 1);
}

static void script_make(struct input *in, struct content *c)
{
	static const char *const starts[] = {"#!/interp", "#! /interp -x", "#!\t", "#!/program\n",
										 "#!"};
	const char *start = starts[input_u8(in) % ARRAY_SIZE(starts)];

	c->len = strlen(start);
	memcpy(c->bytes, start, c->len);
	c->len += MIN(input_left(in), 300u);
	input_bytes(in, c->bytes + strlen(start), c->len - strlen(start));
}

static void content_make(struct input *in, struct content *c, u64 base)
{
	u8 how = input_u8(in);

	if (how < 180) {
		elf_make(in, c, base);
	} else if (how < 220) {
		script_make(in, c);
	} else {
		c->len = input_u16(in) % CONTENT_MAX;
		c->len = MIN(c->len, input_left(in));
		input_bytes(in, c->bytes, c->len);
	}
}

/* ---- the parser */
static void parse(const struct content *c)
{
	struct elf_header h;
	struct elf_layout l;
	struct elf_segment s;
	void *head = calloc(1, c->len ? c->len : 1), *table; /* of that size: its ends are seen */

	memcpy(head, c->bytes, c->len);
	if (elf_header_parse(head, c->len, &h) == 0 && h.phoff + h.phbytes <= c->len) {
		table = calloc(1, h.phbytes);
		memcpy(table, c->bytes + h.phoff, h.phbytes);
		if (elf_layout_parse(&h, table, &l) == 0)
			for (u32 i = 0; i < h.phnum; i++) {
				if (!elf_segment_get(table, i, &s))
					continue;
				if (s.vaddr < l.low || s.vaddr + s.memsz > l.high || s.filesz > s.memsz ||
					s.vaddr + s.memsz < s.vaddr || s.vaddr + s.memsz > l.memory_end ||
					(s.filesz && s.offset + s.filesz > l.file_end))
					finding("segment %u lies outside of its layout", i);
			}
		free(table);
	}
	free(head);
}

/* ---- exec */
static struct thread thread;
static struct proc proc;
static struct kin_proc kin_proc;

static void vmas_check(struct mm *mm)
{
	u64 end = 0;

	for (struct vma *v = vma_first(mm, 0); v; v = vma_next(v)) {
		if (v->start < end || v->start >= v->end)
			finding("mappings overlap at %#llx", (unsigned long long)v->start);
		end = v->end;
		if (!(v->flags & VMA_SPECIAL))
			range("a mapping", v->start, v->end - v->start);
	}
}

static bool mapped; /* the last program, whole */

static void exec_map(struct input *in, struct mm *mm, struct exec_image *image)
{
	struct exec_random r = {.program = input_u8(in) % 4 * PAGE_SIZE,
							.brk = input_u8(in) * PAGE_SIZE};

	mm->mmap_top = USER_STACK_TOP - USER_STACK_SIZE;
	if (image->unmappable || exec_image_map(mm, image, &r))
		return;
	mapped = true;
	vmas_check(mm);
	if (mm->brk_start < PRIVATE_BASE || mm->brk_start % PAGE_SIZE)
		finding("brk at %#llx", (unsigned long long)mm->brk_start);
}

static void ranges_free(struct ranges *r)
{
	ranges_clear(r);
	while (r->spare) {
		struct range *next = r->spare->next;

		kfree(r->spare);
		r->spare = next;
	}
}

/* A kernel keeps its address space to the end; here the next input has its own. */
static void mm_free(struct mm *mm)
{
	ranges_free(&mm->present);
	ranges_free(&mm->stale);
	for (u32 i = 0; i < ARRAY_SIZE(mm->spare); i++)
		kfree(mm->spare[i]);
	kfree(mm);
}

static void exec(struct input *in)
{
	struct exec_image image;
	struct arg_block args;
	struct mm *mm = mm_create();
	u8 how = input_u8(in);

	if (!mm)
		return;
	memset(&kin_proc, 0, sizeof(kin_proc));
	for (int i = 0; i < RLIMITS; i++)
		kin_proc.inherited.rlimit_cur[i] = ~0ull;
	mapped = false;
	proc.mm = mm;
	interp_missing = how & 1;
	interp_is_program = how & 2;
	fail_in = how & 4 ? input_u8(in) % 40u : 0;
	if (arg_block_init(&args) == 0) {
		if (arg_block_add(&args, "argument") == 0) {
			args.argc = 1;
			if (exec_image_open(&image, "/program", &args) == 0) {
				exec_map(in, mm, &image);
				exec_image_close(&image);
			}
		}
		arg_block_free(&args);
	}
	fail_in = 0;
	mm_reset(mm);
	vmas_check(mm);
	mm_free(mm);
}

/* Were every program refused, nothing behind that would ever be looked at. */
static void right_program_maps(void)
{
	struct input none = {NULL, NULL};
	Elf64_Ehdr e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
					.e_type = ET_EXEC,
					.e_machine = EM_X86_64,
					.e_phentsize = sizeof(Elf64_Phdr),
					.e_phnum = 1,
					.e_phoff = sizeof(e),
					.e_entry = 0x400000};
	Elf64_Phdr p = {.p_type = PT_LOAD,
					.p_flags = PF_R | PF_W,
					.p_vaddr = 0x400000,
					.p_filesz = PAGE_SIZE,
					.p_memsz = 2 * PAGE_SIZE,
					.p_align = PAGE_SIZE};

	program.len = CONTENT_MAX;
	memcpy(program.bytes, &e, sizeof(e));
	memcpy(program.bytes + sizeof(e), &p, sizeof(p));
	exec(&none);
	if (!mapped)
		finding("a right program was not mapped");
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (mmap((void *)KERNEL_BASE, KERNEL_END - KERNEL_BASE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != (void *)KERNEL_BASE)
		finding("cannot map the kernel's window");
	BOOT_INFO->backend = BACKEND_KVM;
	thread.proc = &proc;
	proc.kp = &kin_proc;
	current = &thread;
	right_program_maps();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, data + size};
	u8 mode = input_u8(&in);

	allocations = files_alive = 0;
	if (mode < 60) {
		elf_make(&in, &program, KERNEL_IMAGE);
		elf_image_load(program.bytes, program.len);
		return 0;
	}
	content_make(&in, &program, mode & 1 ? 0x400000 : 0);
	parse(&program);
	if (mode < 90)
		return 0;
	content_make(&in, &interp, 0);
	exec(&in);
	if (files_alive || allocations)
		finding("%u files and %u allocations are left", files_alive, allocations);
	return 0;
}
