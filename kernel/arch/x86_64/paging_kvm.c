/* SPDX-License-Identifier: ISC */
/*
 * Paging in the kvm backend: four-level page tables that the kernel owns. The monitor built the
 * first ones (the kernel's window and the first chunk of kin) in boot_tables; new tables come from
 * the kernel's heap, where address = guest-physical address, as in kin. What lies behind the
 * application's addresses says frames_kvm.c.
 *
 * An entry becomes present only after the memory slot behind it exists: chunks of SLOT_CHUNK bytes
 * are asked for by hypercall once and remembered, which a clone inherits along with its slots.
 * Everything is user-accessible, because the kernel runs at CPL 3 as well. Accessed and dirty bits
 * are set from the start: nobody reads them.
 *
 * The processor's cached translations are dropped lazily, before the next return to the
 * application: while a granule keeps its frame a stale entry can only be too permissive, for the
 * kernel's own accesses in between it leads to the right memory. Entries that led elsewhere (kin)
 * are dropped at once, and those into frames that were released before another one is bound.
 * Tables that went out of use are freed after that, never before.
 */
#include <asm/errno.h>
#include <linux/mman.h>

#include "kernel/arch/paging.h"
#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/arch/x86_64/frames_kvm.h"
#include "kernel/host/host.h"
#include "kernel/lib/heap_hooks.h"
#include "kernel/lib/lib.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_AD 0x60ull
#define PTE_PS 0x80ull
#define PTE_KEPT 0x200ull /* software: a mapping, though perhaps PROT_NONE and not present */
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define PTE_TABLE (PTE_P | PTE_W | PTE_U | PTE_AD)
#define PTE_PROT (PTE_P | PTE_W | PTE_NX)

#define ENTRIES 512
#define TOP_LEVEL 4
#define PROT_ANY (PROT_READ | PROT_WRITE | PROT_EXEC)

#define CHUNKS ((KIN_PHYSICAL + KIN_SIZE) / SLOT_CHUNK)
#define KIN_OFFSET (KIN_PHYSICAL - KIN_BASE) /* physical minus virtual address */
#define BLOCK_CHUNKS (SLOT_BLOCK / SLOT_CHUNK)

enum change_kind { CHANGE_MAP, CHANGE_PROTECT, CHANGE_UNMAP };

struct change {
	enum change_kind kind;
	u64 bits;     /* MAP, PROTECT: PTE_P, PTE_W, PTE_NX */
	u64 offset;   /* MAP: physical minus virtual address */
	bool flush;   /* out: a present entry changed */
};

static u64 *root;
static u64 covered[CHUNKS / 64]; /* chunks that have a slot */
static bool flush_wanted;
static bool released;            /* frames, to which cached translations may lead */
static u64 *dead_tables;         /* linked through their first entry; in use until the next flush */

static void flush_later(void)
{
	flush_wanted = true;
	PERCPU->irq_pending = 1;
}

static void flush_now(void)
{
	flush_wanted = released = false;
	tlb_flush_kvm();
	while (dead_tables) {
		u64 *t = dead_tables;

		dead_tables = (u64 *)t[0];
		kpages_free(t, 1);
	}
}

void tlb_flush_pending(void)
{
	if (flush_wanted)
		flush_now();
}

/* ---- slots */

static bool chunk_covered(u64 chunk)
{
	return covered[chunk / 64] >> (chunk % 64) & 1;
}

static void chunks_mark(u64 from, u64 to)
{
	for (u64 c = from; c < to; c++)
		covered[c / 64] |= 1ull << (c % 64);
}

/*
 * The run of uncovered chunks around c that lies in its block, and on to end if they go on: asked
 * for together, because asking is an exit. The kernel's heap is asked for as it is.
 */
static void run_around(u64 c, u64 *from, u64 *to, u64 end)
{
	u64 low = ALIGN_DOWN(c, BLOCK_CHUNKS);

	if (c >= KERNEL_BASE / SLOT_CHUNK && c < KERNEL_END / SLOT_CHUNK)
		low = c;
	else
		end = MAX(end, low + BLOCK_CHUNKS);
	for (*from = c; *from > low && !chunk_covered(*from - 1);)
		(*from)--;
	for (*to = c + 1; *to < end && !chunk_covered(*to);)
		(*to)++;
}

/* Slots behind [addr, +len) of frames or of the kernel's heap. */
static int slots_ensure(u64 addr, u64 len)
{
	u64 end = (addr + len + SLOT_CHUNK - 1) / SLOT_CHUNK, from, to;

	for (u64 c = addr / SLOT_CHUNK; c < end; c++) {
		u64 start;
		s64 err;

		if (chunk_covered(c))
			continue;
		run_around(c, &from, &to, end);
		start = MAX(from * SLOT_CHUNK, (u64)PRIVATE_BASE);
		err = host_populate(start, to * SLOT_CHUNK - start);
		if (err < 0)
			return (int)err;
		chunks_mark(from, to);
		c = to - 1;
	}
	return 0;
}

/* ---- tables */

static u64 *table_of(u64 entry)
{
	return (u64 *)(entry & PTE_ADDR);
}

static u64 *table_alloc(void)
{
	return kpages_alloc(1);
}

/* The tables of the monitor are part of the image and stay. */
static void table_kill(u64 *table, u32 level)
{
	if (level > 1) {
		for (u32 i = 0; i < ENTRIES; i++)
			if (table[i] && !(table[i] & PTE_PS))
				table_kill(table_of(table[i]), level - 1);
	}
	if ((u64)table < KERNEL_HEAP || (u64)table >= KERNEL_HEAP_END)
		return;
	table[0] = (u64)dead_tables;
	dead_tables = table;
}

static bool table_empty(const u64 *table)
{
	for (u32 i = 0; i < ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

static bool is_leaf(u64 entry, u32 level)
{
	return level == 1 || entry & PTE_PS;
}

/*
 * The table below *entry, made if need be. Only MAP makes new ones; PROTECT and UNMAP split a large
 * entry.
 */
static u64 *table_below(u64 *entry, u32 level)
{
	u64 old = *entry, *table;

	if (old && !is_leaf(old, level))
		return table_of(old);
	table = table_alloc();
	if (!table)
		return NULL;
	if (old) {
		u64 bits = old & ~(PTE_ADDR | PTE_PS);

		for (u64 i = 0; i < ENTRIES; i++)
			table[i] = ((old & PTE_ADDR) + i * PAGE_SIZE) | bits;
	}
	*entry = (u64)table | PTE_TABLE;
	return table;
}

static u64 leaf_changed(const struct change *c, u64 old, u64 va, u32 level)
{
	switch (c->kind) {
	case CHANGE_MAP:
		return (va + c->offset) | c->bits | PTE_U | PTE_AD | PTE_KEPT | (level > 1 ? PTE_PS : 0);
	case CHANGE_PROTECT: return old ? (old & ~PTE_PROT) | c->bits : 0;
	case CHANGE_UNMAP: return 0;
	}
	return 0;
}

/*
 * Can [va, next) be one entry of this level after the change? step: bytes that an entry stands for.
 */
static bool wants_leaf(const struct change *c, u64 entry, u64 va, u64 next, u64 step, u32 level)
{
	if (level == 1)
		return true;
	if (next - va != step)
		return false;
	if (c->kind == CHANGE_MAP)
		return level == 2 && ((va + c->offset) & (step - 1)) == 0;
	return c->kind == CHANGE_UNMAP || is_leaf(entry, level);
}

static void entry_change(struct change *c, u64 *entry, u64 va, u32 level)
{
	u64 old = *entry;

	if (old && !is_leaf(old, level)) {
		*entry = leaf_changed(c, 0, va, level);
		table_kill(table_of(old), level - 1);
		c->flush = true;
		return;
	}
	*entry = leaf_changed(c, old, va, level);
	/*
	 * Even where nothing differs: a fault on a present entry means that the processor holds an
	 * older one.
	 */
	c->flush |= (old & PTE_P) != 0;
}

static int range_change(struct change *c, u64 *table, u32 level, u64 va, u64 end)
{
	u32 shift = PAGE_SHIFT + 9 * (level - 1);
	u64 step = 1ull << shift, next;

	for (; va < end; va = next) {
		u64 *entry = &table[va >> shift & (ENTRIES - 1)], *below;

		next = MIN(end, ALIGN_DOWN(va, step) + step);
		if (!*entry && c->kind != CHANGE_MAP)
			continue;
		if (wants_leaf(c, *entry, va, next, step, level)) {
			entry_change(c, entry, va, level);
			continue;
		}
		below = table_below(entry, level);
		if (!below && c->kind != CHANGE_MAP) {
			/*
			 * No memory to split a large entry: all of it goes, and mm_fault brings back what
			 * should stay.
			 */
			*entry = 0;
			c->flush = true;
			frame_pin(va);
			continue;
		}
		if (!below || range_change(c, below, level - 1, va, next))
			return -ENOMEM;
		if (c->kind == CHANGE_UNMAP && table_empty(below)) {
			*entry = 0;
			table_kill(below, level - 1);
			c->flush = true;
		}
	}
	return 0;
}

static int change(struct change *c, u64 va, u64 len)
{
	int err = range_change(c, root, TOP_LEVEL, va, va + len);

	if (c->flush)
		flush_later();
	return err;
}

static u64 prot_bits(int prot)
{
	u64 bits = prot & PROT_EXEC ? 0 : PTE_NX;

	if (prot & PROT_ANY)
		bits |= PTE_P;
	if (prot & PROT_WRITE)
		bits |= PTE_W;
	return bits;
}

/* The entry of va's granule; 0: nothing in it is mapped. */
static u64 granule_entry(u64 va)
{
	u64 *t = root;

	for (u32 level = TOP_LEVEL; level > 2; level--) {
		u64 entry = t[va >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1)];

		if (!entry)
			return 0;
		t = table_of(entry);
	}
	return t[va / HUGE_SIZE & (ENTRIES - 1)];
}

/* Frames of granules in [va, +len) in which nothing is mapped any more. */
static void frames_release(u64 va, u64 len, bool clean)
{
	u64 end = va + len;

	for (u64 g = ALIGN_DOWN(va, HUGE_SIZE); g < end; g += HUGE_SIZE)
		if (!granule_entry(g) && frame_release(g, va <= g && g + HUGE_SIZE <= end, clean))
			released |= flush_wanted;
}

/* What was unmapped goes back to the host, in as few calls as may be. */
static void settle(void)
{
	u64 pa, len;

	while (frames_next_dirty(&pa, &len))
		host_unmap(pa, len);
}

/* ---- struct paging_ops */

/* Frames and slots behind [va, +len). */
static int frames_ensure(u64 va, u64 len)
{
	u64 at = va, pa, run;
	s64 bound;
	int err;

	settle();
	bound = frames_bind(va, len);
	err = bound < 0 ? (int)bound : 0;
	if (released && bound > 0)
		flush_now();
	for (; !err && frames_next_run(&at, va + len, &pa, &run); at += run)
		err = slots_ensure(pa, run);
	if (err)
		frames_release(va, len, true);
	return err;
}

static int map_private(u64 va, u64 len, int prot, bool fresh)
{
	struct change c = { .kind = CHANGE_MAP, .bits = prot_bits(prot) };
	int err = frames_ensure(va, len);
	u64 at = va, pa, run;

	for (; !err && frames_next_run(&at, va + len, &pa, &run); at += run) {
		c.offset = pa - at;
		err = change(&c, at, run);
	}
	return err;
}

/*
 * In whole chunks, so that 2 MiB entries do and faults are few. A chunk of kin has its slot and
 * entries, or neither.
 */
static int kin_populate(u64 addr, u64 len)
{
	struct change c = { .kind = CHANGE_MAP, .bits = PTE_P | PTE_W | PTE_NX, .offset = KIN_OFFSET };
	u64 start = addr + KIN_OFFSET, end = (start + len + SLOT_CHUNK - 1) / SLOT_CHUNK, from, to;

	for (u64 at = start / SLOT_CHUNK; at < end; at++) {
		int err;

		if (chunk_covered(at))
			continue;
		run_around(at, &from, &to, end);
		err = (int)host_populate(from * SLOT_CHUNK, (to - from) * SLOT_CHUNK);
		if (!err)
			err = change(&c, from * SLOT_CHUNK - KIN_OFFSET, (to - from) * SLOT_CHUNK);
		if (err)
			return err;
		chunks_mark(from, to);
		at = to - 1;
	}
	return 0;
}

static int map_kin(u64 va, u64 len, u64 kin_addr, int prot)
{
	struct change c = { .kind = CHANGE_MAP, .bits = prot_bits(prot),
						.offset = kin_addr + KIN_OFFSET - va };
	int err = kin_populate(kin_addr, len);

	if (!err)
		err = change(&c, va, len);
	if (c.flush)
		flush_now();
	return err;
}

static int map_file(u64 va, u64 len, int prot, int handle, u64 offset, int flags)
{
	s64 err = frames_ensure(va, len);
	u64 at = va, pa, run;

	for (; !err && frames_next_run(&at, va + len, &pa, &run); at += run)
		err = host_map_file(pa, run, prot & PROT_ANY, handle, offset + (at - va), flags);
	if (err < 0) {
		frames_release(va, len, false);
		settle();
		return (int)err;
	}
	return map_private(va, len, prot, false);
}

static int protect(u64 va, u64 len, int prot)
{
	struct change c = { .kind = CHANGE_PROTECT, .bits = prot_bits(prot) };

	return change(&c, va, len);
}

/* fn for what lies behind [va, +len), in as few calls as its runs. */
static int runs_call(s64 (*fn)(u64 addr, u64 len), u64 va, u64 len)
{
	u64 at = va, pa, run;
	s64 err = 0;

	for (; frames_next_run(&at, va + len, &pa, &run); at += run) {
		s64 failed = fn(pa, run);

		err = failed < 0 ? failed : err;
	}
	return (int)err;
}

static int unmap(u64 va, u64 len, bool kin)
{
	struct change c = { .kind = CHANGE_UNMAP };
	int err = change(&c, va, len);

	if (kin && c.flush)
		flush_now();
	frames_release(va, len, kin);
	if (!kin && !err)
		err = runs_call(host_unmap, va, len); /* of granules that have other pages */
	return err;
}

static int discard(u64 va, u64 len)
{
	return runs_call(host_discard, va, len);
}

static void advise(u64 va, u64 len, int advice)
{
	u64 at = va, pa, run;

	for (; frames_next_run(&at, va + len, &pa, &run); at += run)
		host_advise(pa, run, advice);
}

static void resident(u64 va, u64 len, u8 *pages)
{
	u64 at = va, pa, run;

	memset(pages, 0, len / PAGE_SIZE);
	for (; frames_next_run(&at, va + len, &pa, &run); at += run)
		host_resident(pa, run, pages + (at - va) / PAGE_SIZE);
}

static u64 host_span(u64 va, u64 len, u64 *host)
{
	u64 at = va, run;

	/* The call table and all else that is private have frames; the vDSO lies in the window. */
	if (va >= KERNEL_BASE && va < KERNEL_END) {
		*host = va;
		return MIN(len, KERNEL_END - va);
	}
	return frames_next_run(&at, va + len, host, &run) && at == va ? run : 0;
}

const struct paging_ops paging_kvm_ops = {
	.map_private = map_private,
	.map_kin = map_kin,
	.map_file = map_file,
	.protect = protect,
	.unmap = unmap,
	.settle = settle,
	.discard = discard,
	.advise = advise,
	.resident = resident,
	.host_span = host_span,
	.kin_populate = kin_populate,
	.heap_populate = slots_ensure,
};

void paging_kvm_init(void)
{
	root = boot_tables[0];
#define MARK(start, end) chunks_mark((start) / SLOT_CHUNK, (end) / SLOT_CHUNK);
	SLOTS_AT_BOOT(MARK)
#undef MARK
}
