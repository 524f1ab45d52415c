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
 *   B  [op %reg,%reg;] syscall; cmp $-4096,%rax (or other instructions between registers)
 *                                         What is needed to make seven bytes is displaced. The
 *                                         call's return address is then in a tail of its own:
 *                                         `syscall; cmp; jmp back`, application code like the vDSO.
 *
 * Whether the bytes before the `syscall` really are that instruction is decided by decoding from
 * many points before it; B also asks that no branch nearby enters the displaced bytes. All of this
 * is private memory of the member: a fork clones it, exec forgets it. Runs in the kernel with
 * interrupts masked, so nobody else of the member looks meanwhile.
 *
 * Where a file's sites are is told to the family (call_sites.c). Who maps the file later, or is
 * about to fork, rewrites them together: no trap for each, and two changes of protection for all.
 */
#include <linux/mman.h>

#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/x86_64/decode.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/redirect.h"
#include "kernel/lib/lib.h"
#include "kernel/arch/arch_hooks.h"

#define SITES_MAX (CALL_TABLE_SIZE / 8)
#define BUCKETS 1024
#define JUMP_SIZE 7 /* with the `syscall` that ends it in shape A */
#define STUB_SIZE 32
#define TAIL_SIZE 32
#define FOLLOW_WANTED 5 /* bytes: with the `syscall` as many as the jump has */
#define TAILS_MAX (SITE_TAILS_SIZE / TAIL_SIZE)
#define BEFORE REDIRECT_BEFORE
#define AROUND 160 /* bytes searched for branches on either side */

enum site_state {
	SITE_FREE,
	SITE_TRAPS,  /* for good: its bytes do not allow more */
	SITE_SEEN,   /* it has trapped once, and may be rewritten */
	SITE_DIRECT,
};

struct window {
	u64 base, size; /* address of the first byte, how many were readable */
	u8 bytes[BEFORE + 8];
};

/* What a jump takes the place of, besides the `syscall`. */
struct shape {
	u32 lead, follow; /* bytes before it, and after it: 0 in shape A */
};

/* Index = number of its stub and table entry. */
struct site {
	u64 rip; /* after the `syscall` */
	s16 next;
	s16 tail;        /* its number, if follow */
	u8 state;
	/* DIRECT: bytes changed before the `syscall`, kept in its stub; after it, kept in its tail. */
	u8 lead, follow;
};

static struct site sites[SITES_MAX];
static s16 buckets[BUCKETS]; /* index + 1; 0: empty */
static u32 sites_used, sites_live, tails_used;
static s16 free_list; /* index + 1 */
static bool first_execution;
static bool text_open; /* redirect_known has made the text writable */
static bool table_known, table_mapped;

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

static bool text_write(u64 addr, const u8 *bytes, u64 len)
{
	u64 page = ALIGN_DOWN(addr, PAGE_SIZE), span = ALIGN_UP(addr + len, PAGE_SIZE) - page;

	if (!text_mapped(addr, len))
		return false;
	if (text_open) {
		memcpy((void *)addr, bytes, len);
		return true;
	}
	if (paging->protect(page, span, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		return false;
	memcpy((void *)addr, bytes, len);
	paging->protect(page, span, PROT_READ | PROT_EXEC);
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

static void jump_bytes(u8 jump[JUMP_SIZE], u32 index)
{
	u32 at = index * 8;

	memcpy(jump, (u8[]){0xff, 0x24, 0x25, (u8)at, (u8)(at >> 8), 0x0f, 0x05}, 7);
}

/*
 * Bytes of an instruction that works on registers alone, wherever it stands: op between two of
 * them, or cmp $imm,%rax. 0: another one.
 */
static u32 plain_length(const u8 *b)
{
	static const u8 ops[] = {0x01, 0x03, 0x09, 0x0b, 0x21, 0x23, 0x29, 0x2b,
							 0x31, 0x33, 0x39, 0x3b, 0x85, 0x89, 0x8b};
	u32 rex = (b[0] & 0xf0) == 0x40;

	if (b[rex] == 0x3d)
		return rex + 5;
	return memchr(ops, b[rex], sizeof(ops)) && b[rex + 1] >= 0xc0 ? rex + 2 : 0;
}

/* Bytes after the `syscall` (at b) to displace, so that with it they are seven; less: too few. */
static u32 follow_length(const u8 *b)
{
	u32 first = plain_length(b);

	return first && first < FOLLOW_WANTED ? first + plain_length(b + first) : first;
}

/* Bytes of the plain instruction that ends right before b; 0: there is none. */
static u32 lead_length(const u8 *b)
{
	if ((b[-3] & 0xf0) == 0x40)
		return plain_length(b - 3) == 3 ? 3 : 0;
	return plain_length(b - 2) == 2 ? 2 : 0;
}

/* A: mov $number,%eax right before it. */
static bool is_mov(const struct window *w, u64 rip, u64 number, bool known)
{
	u64 at = rip - 7;
	const u8 *b = w->bytes + (at - w->base);
	u32 nr;

	memcpy(&nr, b + 1, 4);
	return b[0] == 0xb8 && nr == number && (b[-1] & 0xf1) != 0x41 &&
		   (known || is_boundary(w->bytes, w->base, w->size, at));
}

static bool is_displaceable(const struct window *w, u64 rip, bool known, struct shape *shape)
{
	const u8 *b = w->bytes + (rip - 2 - w->base);
	u64 at, back;

	if (w->size < sizeof(w->bytes))
		return false;
	shape->follow = follow_length(b + 2);
	shape->lead = shape->follow >= FOLLOW_WANTED ? 0 : lead_length(b);
	at = rip - 2 - shape->lead;
	back = rip + shape->follow;
	return back - at >= JUMP_SIZE &&
		   (known || ((!shape->lead || is_boundary(w->bytes, w->base, w->size, at)) &&
					  !branch_enters(at - AROUND, back + AROUND, at + 1, back)));
}

/*
 * May the site be rewritten, and how? number: of the call that it makes. known: it was looked at
 * before, by this member or, in the same file, by another one.
 */
static bool shape_of(const struct window *w, u64 rip, u64 number, bool known, struct shape *shape)
{
	*shape = (struct shape){.lead = JUMP_SIZE - 2};
	return is_mov(w, rip, number, known) || is_displaceable(w, rip, known, shape);
}

static bool rewrite_mov(const struct site *s, const struct window *w)
{
	u64 at = s->rip - JUMP_SIZE;
	u32 index = (u32)(s - sites);
	u8 jump[JUMP_SIZE];

	stub_write(index, w->bytes + (at - w->base), s->lead, s->rip);
	jump_bytes(jump, index);
	return text_write(at, jump, s->lead);
}

static bool rewrite_displaced(struct site *s, const struct window *w)
{
	const u8 *b = w->bytes + (s->rip - 2 - w->base);
	u64 at = s->rip - 2 - s->lead, back = s->rip + s->follow;
	u8 jump[JUMP_SIZE], *tail = (u8 *)(SITE_TAILS_ADDR + (u64)tails_used * TAIL_SIZE), *p;
	u32 index = (u32)(s - sites);

	if (tails_used == TAILS_MAX || text_thread_inside(at + 1, back))
		return false;
	p = put(tail, b, 2 + s->follow);
	p = put(p, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
	put(p, &back, 8);
	stub_write(index, b - s->lead, s->lead, (u64)tail + 2);
	jump_bytes(jump, index);
	if (!text_write(at, jump, JUMP_SIZE))
		return false;
	s->tail = (s16)tails_used++;
	return true;
}

static bool site_rewrite(struct site *s, const struct window *w, const struct shape *shape)
{
	s->lead = (u8)shape->lead;
	s->follow = (u8)shape->follow;
	bool done = s->follow ? rewrite_displaced(s, w) : rewrite_mov(s, w);
	s->state = done ? SITE_DIRECT : SITE_TRAPS;
	return done;
}

/* The bytes around a site, as much as can be read. */
static bool window_read(struct window *w, u64 rip)
{
	w->base = rip - 2 - BEFORE + 6;
	w->size = sizeof(w->bytes) - copy_in_some(w->bytes, (void *)w->base, sizeof(w->bytes));
	return w->size >= BEFORE;
}

static u8 *tail_of(const struct site *s)
{
	return (u8 *)(SITE_TAILS_ADDR + (u64)s->tail * TAIL_SIZE);
}

/* Where a call that traps and is rewritten would return to is within the jump now: to the tail. */
static void return_to_tail(const struct site *s)
{
	struct trapframe *frame = thread_frame(current);

	if (s->state == SITE_DIRECT && s->follow)
		frame->rip = frame->rcx = (u64)tail_of(s) + 2;
}

/*
 * Most sites of a program that does little run once. So the first execution has the site looked at
 * and told to the family, and only the second one rewrites it: two changes of protection and a copy
 * of the page cost more than one trap.
 */
void redirect_site(u64 rip)
{
	u64 nr = thread_frame(current)->orig_rax;
	struct shape shape;
	struct window w;
	struct site *s;
	bool seen;

	if (rip >= KERNEL_BASE && rip < KERNEL_END)
		return; /* a tail, restarted */
	if (!table_mapped)
		return;
	s = site_find(rip);
	first_execution = !s;
	seen = s && s->state == SITE_SEEN;
	if ((s && !seen) || rip < PRIVATE_BASE + BEFORE || (!s && !(s = site_add(rip))))
		return;
	if (!window_read(&w, rip) || !shape_of(&w, rip, nr, seen, &shape)) {
		s->state = SITE_TRAPS;
	} else if (seen) {
		site_rewrite(s, &w, &shape);
		return_to_tail(s);
	} else {
		s->state = SITE_SEEN;
		text_site_found(rip, (u32)nr);
	}
}

static void known_rewrite(u64 rip, u64 nr)
{
	struct site *s = site_find(rip);
	struct shape shape;
	struct window w;

	if (!window_read(&w, rip) || (!s && !(s = site_add(rip))))
		return;
	if (!shape_of(&w, rip, nr, true, &shape) || !site_rewrite(s, &w, &shape))
		redirect_range_gone(rip - 2, 1); /* as if never seen */
	else if (thread_frame(current)->rip == rip)
		return_to_tail(s); /* the site's first execution is the call that asks for this: a fork */
}

/* Is there nothing to do for it any more? */
static bool is_settled(u64 rip)
{
	const struct site *s = site_find(rip);

	return s && s->state != SITE_SEEN;
}

void redirect_known(u64 start, u64 end, const struct known_call *calls, u32 count)
{
	u64 low = ~0ul, high = 0;

	if (!table_mapped)
		return;
	for (u32 i = 0; i < count; i++) {
		if (!is_settled(calls[i].after)) {
			low = MIN(low, ALIGN_DOWN(calls[i].after - 7, PAGE_SIZE));
			high = MAX(high, ALIGN_UP(calls[i].after + 6, PAGE_SIZE));
		}
	}
	if (!high)
		return;
	/* The host splits a mapping that changes in part. */
	if (BOOT_INFO->backend == BACKEND_PROCESS) {
		low = start;
		high = end;
	}
	if (paging->protect(low, high - low, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		return;
	text_open = true;
	for (u32 i = 0; i < count; i++)
		if (!is_settled(calls[i].after))
			known_rewrite(calls[i].after, calls[i].nr);
	text_open = false;
	paging->protect(low, high - low, PROT_READ | PROT_EXEC);
}

/*
 * The jump of a site that has gone otherwise (its text was given other rights, and is no text any
 * more) is left: the program has it changed itself, or never calls it.
 */
static void site_undo(const struct site *s)
{
	u8 bytes[TAIL_SIZE + 8], *p;

	p = put(bytes, (u8 *)(SITE_STUBS_ADDR + (u64)(s - sites) * STUB_SIZE), s->lead);
	p = put(p, "\x0f\x05", 2);
	if (s->follow)
		p = put(p, tail_of(s) + 2, s->follow);
	text_write(s->rip - 2 - s->lead, bytes, (u64)(p - bytes));
}

void redirect_undo(void)
{
	u32 tails = tails_used;

	for (u32 i = 0; i < sites_used; i++)
		if (sites[i].state == SITE_DIRECT)
			site_undo(&sites[i]);
	redirect_range_gone(0, USER_ADDRESS_END);
	tails_used = tails;
	redirect_table(false);
	paging->settle();
}

/* The site in whose tail rip is, or NULL. */
static const struct site *site_of_tail(u64 rip)
{
	if (rip < SITE_TAILS_ADDR || rip >= SITE_TAILS_ADDR + SITE_TAILS_SIZE)
		return NULL;
	for (u32 i = 0; i < sites_used; i++)
		if (sites[i].state == SITE_DIRECT && sites[i].follow &&
			rip - (u64)tail_of(&sites[i]) < TAIL_SIZE)
			return &sites[i];
	return NULL;
}

u64 redirect_origin(u64 rip)
{
	const struct site *s = site_of_tail(rip);

	return s ? s->rip : rip;
}

/* A tail begins with the call; behind what it displaced is the jump back. */
u64 redirect_place(u64 rip)
{
	const struct site *s = site_of_tail(rip);

	return s ? s->rip - 2 + MIN(rip - (u64)tail_of(s), 2ull + s->follow) : rip;
}

void redirect_table(bool wanted)
{
	/* A monitor of the process backend maps it before anybody waits for it. */
	if (!table_known)
		table_mapped = BOOT_INFO->backend == BACKEND_PROCESS;
	table_known = true;
	if (wanted && !table_mapped)
		table_mapped = paging->map_private(CALL_TABLE_ADDR, CALL_TABLE_SIZE,
			PROT_READ | PROT_WRITE, true) == 0;
	else if (!wanted && table_mapped)
		table_mapped = paging->unmap(CALL_TABLE_ADDR, CALL_TABLE_SIZE, false) != 0;
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
