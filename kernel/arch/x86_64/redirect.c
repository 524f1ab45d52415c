/* SPDX-License-Identifier: ISC */
/*
 * System calls that become jumps. `ff 24 25 NN NN 0f 05`, jmp *0x050fNNNN, reaches a table of stub
 * addresses from anywhere and ends in the bytes of the `syscall` that it replaces. Two shapes of
 * site are rewritten:
 *
 *   A  mov $nr,%eax; syscall              five bytes change, the `syscall` stays where it was: code
 *   that jumps to
 *                                         it, a restarted call (RIP - 2) and musl's cancellation
 *                                         see no difference.
 *   B  xor %eax,%eax; syscall; cmp $-4096,%rax
 *                                         (glibc's read) all ten bytes are displaced. The call's
 *                                         return address is then in a
 *                                         tail of its own: `syscall; cmp; jmp back`, application
 *                                         code like the vDSO.
 *
 * Whether the bytes before the `syscall` really are that instruction is decided by decoding from
 * many points before it; B also asks that no branch nearby enters the displaced bytes. All of this
 * is private memory of the member: a fork clones it, exec forgets it. Runs in the kernel with
 * interrupts masked, so nobody else of the member looks meanwhile.
 */
#include <linux/mman.h>

#include "kernel/arch/x86_64/arch.h"
#include "kernel/arch/x86_64/decode.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/arch/x86_64/redirect.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm.h"
#include "kernel/proc/proc.h"

#define SITES_MAX (CALL_TABLE_SIZE / 8)
#define BUCKETS 1024
#define STUB_SIZE 32
#define TAIL_SIZE 24
#define TAILS_MAX (SITE_TAILS_SIZE / TAIL_SIZE)
#define BEFORE 64  /* bytes looked at before the site */
#define AROUND 160 /* bytes searched for branches on either side */

enum site_state { SITE_FREE, SITE_TRAPS, SITE_DIRECT };

/* Index = number of its stub and table entry. */
struct site {
	u64 rip; /* after the `syscall` */
	s16 next;
	u8 state;
};

static struct site sites[SITES_MAX];
static s16 buckets[BUCKETS]; /* index + 1; 0: empty */
static u32 sites_used, sites_live, tails_used;
static s16 free_list; /* index + 1 */
static bool first_execution;

extern char syscall_direct_entry[];

bool redirect_first_execution(void)
{
	bool was = first_execution;

	first_execution = false;
	return was;
}

static s16 *bucket_of(u64 rip)
{
	return &buckets[(rip ^ rip >> 10) % BUCKETS];
}

static struct site *site_find(u64 rip)
{
	for (s16 i = *bucket_of(rip); i; i = sites[i - 1].next)
		if (sites[i - 1].rip == rip)
			return &sites[i - 1];
	return NULL;
}

static struct site *site_add(u64 rip)
{
	s16 *bucket = bucket_of(rip), index = free_list;

	if (index)
		free_list = sites[index - 1].next;
	else if (sites_used < SITES_MAX)
		index = (s16)++sites_used;
	else
		return NULL;
	sites[index - 1] = (struct site){.rip = rip, .next = *bucket, .state = SITE_TRAPS};
	*bucket = index;
	sites_live++;
	return &sites[index - 1];
}

/* Do decodings that begin at many places before `at` agree that an instruction begins there? */
static bool is_boundary(const u8 *window, u64 base, u64 size, u64 at)
{
	u32 hits = 0, tries = 0;

	for (u64 start = base; start + 12 < at; start++) {
		struct insn in;
		u64 p = start;

		while (p < at && insn_decode(&in, window + (p - base), size - (p - base), p) == 0)
			p += in.length;
		if (p < at)
			continue; /* began in the middle of something undecodable */
		tries++;
		hits += p == at;
	}
	return tries >= 8 && hits * 4 >= tries * 3;
}

/*
 * Does a relative branch near the site lead into [from, to)? Decodes from the boundaries that
 * follow `base`.
 */
static bool branch_enters(u64 base, u64 end, u64 from, u64 to)
{
	static u8 text[2 * AROUND + 32];
	u64 size = MIN(end - base, sizeof(text));
	struct insn in;

	size -= copy_in_some(text, (void *)base, size);
	for (u64 p = base; p < base + size;) {
		if (insn_decode(&in, text + (p - base), base + size - p, p) < 0) {
			p++;
			continue;
		}
		if (in.branch && in.target >= from && in.target < to)
			return true;
		p += in.length;
	}
	return false;
}

/*
 * Another thread of the member that stopped inside the bytes to be displaced would go on in the
 * middle of the jump.
 */
static bool thread_inside(u64 from, u64 to)
{
	struct thread *t;

	LIST_FOREACH (t, &current->proc->threads, sibling) {
		if (t != current && thread_frame(t)->rip >= from && thread_frame(t)->rip < to)
			return true;
	}
	return false;
}

static bool text_write(u64 addr, const u8 *bytes, u64 len)
{
	struct vma *v = mm_find(current->proc->mm, addr);
	u64 page = ALIGN_DOWN(addr, PAGE_SIZE), span = ALIGN_UP(addr + len, PAGE_SIZE) - page;

	if (!v || addr + len > v->end || addr >= PRIVATE_END || (v->flags & VMA_SHARED) ||
		(v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) != (PROT_READ | PROT_EXEC))
		return false;
	if (paging->protect(page, span, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		return false;
	memcpy((void *)addr, bytes, len);
	paging->protect(page, span, v->prot);
	return true;
}

static u8 *put(u8 *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* first (n bytes); mov $ret,%rcx; jmp syscall_direct_entry */
static void stub_write(u32 index, const u8 *first, size_t n, u64 ret)
{
	u8 *stub = (u8 *)(SITE_STUBS_ADDR + (u64)index * STUB_SIZE), *p = put(stub, first, n);
	s32 rel;

	p = put(p, "\x48\xb9", 2);
	p = put(p, &ret, 8);
	p = put(p, "\xe9", 1);
	rel = (s32)((s64)(u64)syscall_direct_entry - (s64)(u64)(p + 4));
	put(p, &rel, 4);
	((u64 *)CALL_TABLE_ADDR)[index] = (u64)stub;
}

static void jump_bytes(u8 jump[7], u32 index)
{
	u32 at = index * 8;

	memcpy(jump, (u8[]){0xff, 0x24, 0x25, (u8)at, (u8)(at >> 8), 0x0f, 0x05}, 7);
}

static bool redirect_mov(struct site *s, const u8 *window, u64 base, u64 size)
{
	u64 at = s->rip - 7;
	const u8 *b = window + (at - base);
	u32 index = (u32)(s - sites), nr;
	u8 jump[7];

	memcpy(&nr, b + 1, 4);
	if (b[0] != 0xb8 || nr != thread_frame(current)->orig_rax || ((b[-1] & 0xf1) == 0x41) ||
		!is_boundary(window, base, size, at))
		return false;
	stub_write(index, b, 5, s->rip);
	jump_bytes(jump, index);
	return text_write(at, jump, 5);
}

static bool redirect_read(struct site *s, const u8 *window, u64 base, u64 size)
{
	static const u8 shape[] = {0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff};
	u64 at = s->rip - 4, back = at + sizeof(shape);
	u32 index = (u32)(s - sites);
	u8 jump[7], *tail = (u8 *)(SITE_TAILS_ADDR + (u64)tails_used * TAIL_SIZE), *p;

	if (tails_used == TAILS_MAX || at - base + sizeof(shape) > size ||
		memcmp(window + (at - base), shape, sizeof(shape)) ||
		!is_boundary(window, base, size, at) || thread_inside(at + 1, back) ||
		branch_enters(at - AROUND, back + AROUND, at + 1, back))
		return false;
	p = put(tail, shape + 2, 8);       /* syscall; cmp */
	p = put(p, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
	put(p, &back, 8);
	stub_write(index, shape, 2, (u64)tail + 2);
	jump_bytes(jump, index);
	if (!text_write(at, jump, 7))
		return false;
	tails_used++;
	/*
	 * This very call returns to the tail too: where it would have returned is now the middle of the
	 * jump.
	 */
	thread_frame(current)->rip = thread_frame(current)->rcx = (u64)tail + 2;
	return true;
}

void redirect_site(u64 rip)
{
	u8 window[BEFORE + 8];
	u64 base = rip - 2 - BEFORE + 6, size;
	struct site *s;

	if (rip >= KERNEL_BASE && rip < KERNEL_END)
		return; /* a tail, restarted */
	s = site_find(rip);
	first_execution = !s;
	if (s || rip < PRIVATE_BASE + BEFORE || !(s = site_add(rip)))
		return;
	size = sizeof(window) - copy_in_some(window, (void *)base, sizeof(window));
	if (size < BEFORE)
		return;
	if (redirect_mov(s, window, base, size) || redirect_read(s, window, base, size))
		s->state = SITE_DIRECT;
}

/* exec: nothing refers to a stub or a tail any more. */
static void forget_all(void)
{
	memset(sites, 0, sites_used * sizeof(sites[0]));
	sites_used = tails_used = 0;
	free_list = 0;
}

void redirect_range_gone(u64 addr, u64 len)
{
	if (!sites_used)
		return;
	for (u32 b = 0; b < BUCKETS; b++) {
		for (s16 *link = &buckets[b]; *link;) {
			s16 index = *link;
			struct site *s = &sites[index - 1];

			if (s->rip - 2 < addr || s->rip - 2 >= addr + len) {
				link = &s->next;
				continue;
			}
			*link = s->next;
			*s = (struct site){.state = SITE_FREE, .next = free_list};
			free_list = index;
			sites_live--;
		}
	}
	if (!sites_live)
		forget_all();
}
