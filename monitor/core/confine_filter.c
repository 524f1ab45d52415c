/* SPDX-License-Identifier: ISC */
/*
 * The seccomp program: host_calls.def as instructions of the host's classic BPF.
 *
 * It is assembled here and not by libseccomp, because that compares 64 bits or bits under a mask:
 * it has no ranges of an int (a descriptor above 2 whatever the upper half holds), of addresses
 * or of addresses with a length, and no instruction pointer. It also took a tenth of a start.
 *
 * For backends that run the guest on the host the program begins with a routing: a system call
 * that is not made from the monitor's own text traps (SIGSYS), so that the guest's kernel handles
 * it. It has to be one program: of several the strictest verdict wins, and the allowlist's is to
 * kill. The routing protects nothing, for a guest can jump to the monitor's `syscall`
 * instructions. It then stands before the allowlist. The vsyscall page is outside the text and
 * traps as well; so does int 0x80 (another architecture).
 */
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/host_constants.h"
#include "monitor/core/core_internal.h"
#include "monitor/core/tty_ioctls.h"

#define PROGRAM_MAX 2048
#define HWCAP2_FSGSBASE_BIT 2
#define FAIL 0xff /* a jump to the next rule, until that is known */
#define FD_MIN 3
#define FD_MAX 0x7fffffffu
#define PID_MAX 0x7fffffffu

/* The linker's: first byte of the executable, end of its code. */
extern const char __executable_start[], etext[];

#define DATA(field) ((u32)offsetof(struct seccomp_data, field))
#define LOW(arg) (DATA(args) + (u32)(arg) * 8u)
#define HIGH(arg) (LOW(arg) + 4u)

/* What grows: the program and whether it did not fit or a jump was too long. */
struct assembler {
	const struct family *family;
	struct sock_filter *out;
	size_t len, max;
	bool broken;
};

static void emit(struct assembler *a, u16 code, u32 k, u8 jt, u8 jf)
{
	if (a->len < a->max)
		a->out[a->len++] = (struct sock_filter){code, jt, jf, k};
	else
		a->broken = true;
}

static void stmt(struct assembler *a, u16 code, u32 k)
{
	emit(a, code, k, 0, 0);
}

static void load(struct assembler *a, u32 offset)
{
	stmt(a, BPF_LD | BPF_W | BPF_ABS, offset);
}

/* Goes on if the comparison holds, else to the next rule; or the other way round. */
static void demand(struct assembler *a, u16 comparison, u32 k)
{
	emit(a, BPF_JMP | BPF_K | comparison, k, 0, FAIL);
}

static void refuse(struct assembler *a, u16 comparison, u32 k)
{
	emit(a, BPF_JMP | BPF_K | comparison, k, FAIL, 0);
}

/* Jumps over the next n instructions if the comparison holds (or does not). */
static void skip_if(struct assembler *a, u16 comparison, u32 k, size_t n)
{
	if (n >= FAIL)
		a->broken = true;
	emit(a, BPF_JMP | BPF_K | comparison, k, (u8)n, 0);
}

static void skip_unless(struct assembler *a, u16 comparison, u32 k, size_t n)
{
	emit(a, BPF_JMP | BPF_K | comparison, k, 0, (u8)n);
}

/*
 * Jump distances count the instructions in between; comments name the target. The reported
 * pointer is that of the instruction after `syscall`, so it may equal the end of the text.
 */
static void routing(struct assembler *a)
{
	u64 start = (u64)__executable_start, end = (u64)etext;
	u32 high = DATA(instruction_pointer) + 4, low = DATA(instruction_pointer);

	/*  0 */ load(a, DATA(arch));
	/*  1 */ skip_unless(a, BPF_JEQ, AUDIT_ARCH_X86_64, 11); /* trap */
	/*  2 */ load(a, high);
	/*  3 */ skip_if(a, BPF_JGT, (u32)(start >> 32), 3); /* above the start: 7 */
	/*  4 */ skip_unless(a, BPF_JGE, (u32)(start >> 32), 8); /* below: trap */
	/*  5 */ load(a, low);
	/*  6 */ skip_unless(a, BPF_JGE, (u32)start, 6); /* below: trap */
	/*  7 */ load(a, high);
	/*  8 */ skip_if(a, BPF_JGT, (u32)(end >> 32), 4); /* above the end: trap */
	/*  9 */ skip_unless(a, BPF_JGE, (u32)(end >> 32), 2); /* below: 12 */
	/* 10 */ load(a, low);
	/* 11 */ skip_if(a, BPF_JGT, (u32)end, 1); /* above: trap */
	/* 12 */ stmt(a, BPF_JMP | BPF_JA, 1); /* to the allowlist */
	/* 13 */ stmt(a, BPF_RET | BPF_K, SECCOMP_RET_TRAP);
}

/* Descriptors that rules or trees name by number: nothing else must get these numbers. */
static size_t family_fds(const struct family *f, s64 *fds)
{
	static const enum family_fd named[] = {KIN_FD, NOTIFY_FD, KVM_FD, GIFT_FD, WATCH_FD};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (family_fd(f, named[i]) >= FD_MIN)
			fds[n++] = family_fd(f, named[i]);
	for (u32 i = 0; i < f->volume_count; i++)
		fds[n++] = f->volumes[i].fd;
	for (u32 i = 0; i < f->published_count; i++)
		fds[n++] = f->published[i].fd;
	fds[n++] = f->root_fd;
	return n;
}

static void test_own_fd(struct assembler *a)
{
	s64 fds[VOLUMES_MAX + PUBLISHED_MAX + 6];
	size_t n = family_fds(a->family, fds);

	demand(a, BPF_JGE, FD_MIN);
	refuse(a, BPF_JGT, FD_MAX);
	for (size_t i = 0; i < n; i++)
		refuse(a, BPF_JEQ, (u32)fds[i]);
}

static void test_list(struct assembler *a, const u32 *list, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		skip_if(a, BPF_JEQ, list[i], n - 1 - i);
	if (n)
		demand(a, BPF_JEQ, list[n - 1]);
	else
		refuse(a, BPF_JGE, 0);
}

static void test_published_fd(struct assembler *a)
{
	u32 list[PUBLISHED_MAX];
	u32 n = a->family->published_count;

	for (u32 i = 0; i < n; i++)
		list[i] = (u32)a->family->published[i].fd;
	test_list(a, list, n);
}

static void test_request(struct assembler *a, enum family_fd on)
{
	const struct backend_ioctl *backend = a->family->backend->ioctls;
	u32 list[64];
	size_t n = 0;

	for (const struct tty_ioctl *t = tty_ioctls; on == STANDARD_FDS && t->size; t++)
		list[n++] = t->request;
	for (; backend && backend->request && n < ARRAY_SIZE(list); backend++) {
		static const enum family_fd fds[] = {
			[IOCTL_ON_KVM] = KVM_FD, [IOCTL_ON_VM] = VM_FD, [IOCTL_ON_VCPU] = VCPU_FD};
		if (fds[backend->on] == on)
			list[n++] = backend->request;
	}
	test_list(a, list, n);
}

static void test_word(struct assembler *a, u8 arg, u64 value)
{
	load(a, HIGH(arg));
	demand(a, BPF_JEQ, (u32)(value >> 32));
	load(a, LOW(arg));
	demand(a, BPF_JEQ, (u32)value);
}

static void test_word_bits(struct assembler *a, u8 arg, u32 bits)
{
	load(a, HIGH(arg));
	demand(a, BPF_JEQ, 0);
	load(a, LOW(arg));
	refuse(a, BPF_JSET, ~bits);
}

/* From first to last, in steps: less than 4 GiB apart, but their upper halves may differ. */
static void test_elements(struct assembler *a, u8 arg, u64 first, u64 last)
{
	u32 first_high = (u32)(first >> 32), last_high = (u32)(last >> 32);

	load(a, LOW(arg));
	refuse(a, BPF_JSET, HOST_CONSTANT_SIZE - 1);
	load(a, HIGH(arg));
	if (first_high == last_high) {
		demand(a, BPF_JEQ, first_high);
		load(a, LOW(arg));
		demand(a, BPF_JGE, (u32)first);
		refuse(a, BPF_JGT, (u32)last);
		return;
	}
	skip_unless(a, BPF_JEQ, first_high, 3);
	load(a, LOW(arg));
	demand(a, BPF_JGE, (u32)first);
	stmt(a, BPF_JMP | BPF_JA, 3);
	demand(a, BPF_JEQ, last_high);
	load(a, LOW(arg));
	refuse(a, BPF_JGT, (u32)last);
}

static void test_points_to(struct assembler *a, u8 arg, enum host_constant what)
{
	switch (what) {
	case HOST_HOWS_READ:
		test_elements(a, arg, (u64)host_hows, (u64)&host_hows[HOST_HOWS_READING - 1]);
		break;
	case HOST_HOWS_WRITE:
		test_elements(a, arg, (u64)&host_hows[HOST_HOWS_READING], (u64)&host_hows[HOST_HOWS - 1]);
		break;
	case LINGERS:
		test_elements(a, arg, (u64)host_lingers, (u64)&host_lingers[HOST_LINGERS - 1]);
		break;
	case NO_PATH: test_word(a, arg, (u64)&host_no_path); break;
	}
}

/* Kin begins and ends where the lower half of an address is 0. */
_Static_assert((KIN_BASE & 0xffffffff) == 0 && (KIN_END & 0xffffffff) == 0, "test_kin_word");

static void test_kin_word(struct assembler *a, u8 arg)
{
	load(a, HIGH(arg));
	demand(a, BPF_JGE, KIN_BASE >> 32);
	refuse(a, BPF_JGE, KIN_END >> 32);
}

/*
 * Ranges are compared in units of 64 KiB: 47 bits of addresses are 31 then, the sum of two fits.
 * Scratch words: 0 what the lower bits of start and length carry over, 1 start, 2 end, rounded up.
 */
#define UNIT_SHIFT 16
#define UNIT_MASK ((1u << UNIT_SHIFT) - 1)
enum { WORD_CARRY, WORD_START, WORD_END };
_Static_assert(PRIVATE_END % (1u << UNIT_SHIFT) == 0, "it ends with a unit");
_Static_assert(USER_ADDRESS_END >> 32 < 0x8000, "the sum of two addresses in units fits");

/* A becomes arg in units, rounded down; above high_max in the upper half: refused. */
static void units(struct assembler *a, u8 arg, u32 high_max)
{
	load(a, LOW(arg));
	stmt(a, BPF_ALU | BPF_RSH | BPF_K, UNIT_SHIFT);
	stmt(a, BPF_MISC | BPF_TAX, 0);
	load(a, HIGH(arg));
	refuse(a, BPF_JGT, high_max);
	stmt(a, BPF_ALU | BPF_LSH | BPF_K, 32 - UNIT_SHIFT);
	stmt(a, BPF_ALU | BPF_OR | BPF_X, 0);
}

static void range_units(struct assembler *a, u8 addr, u8 len)
{
	load(a, LOW(addr));
	refuse(a, BPF_JSET, PAGE_SIZE - 1);
	stmt(a, BPF_ALU | BPF_AND | BPF_K, UNIT_MASK);
	stmt(a, BPF_MISC | BPF_TAX, 0);
	load(a, LOW(len));
	refuse(a, BPF_JSET, PAGE_SIZE - 1);
	stmt(a, BPF_ALU | BPF_AND | BPF_K, UNIT_MASK);
	stmt(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	stmt(a, BPF_ALU | BPF_ADD | BPF_K, UNIT_MASK);
	stmt(a, BPF_ALU | BPF_RSH | BPF_K, UNIT_SHIFT);
	stmt(a, BPF_ST, WORD_CARRY);
	units(a, addr, 0x7fff);
	stmt(a, BPF_ST, WORD_START);
	units(a, len, 0x7ffe); /* so that the sum does not wrap */
	stmt(a, BPF_LDX | BPF_W | BPF_MEM, WORD_START);
	stmt(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	stmt(a, BPF_LDX | BPF_W | BPF_MEM, WORD_CARRY);
	stmt(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	stmt(a, BPF_ST, WORD_END);
}

/* Whole pages of private memory or of one zone. */
static void test_private_range(struct assembler *a, u8 addr, u8 len)
{
	const struct family *f = a->family;
	u32 rest = 4 * f->zone_count + 2; /* instructions from a zone's first on */

	range_units(a, addr, len);
	for (u32 i = 0; i < f->zone_count; i++) {
		rest -= 4;
		stmt(a, BPF_LD | BPF_W | BPF_MEM, WORD_START);
		skip_unless(a, BPF_JGE, (u32)(f->zones[i].start >> UNIT_SHIFT), 2); /* the next zone */
		stmt(a, BPF_LD | BPF_W | BPF_MEM, WORD_END);
		skip_unless(a, BPF_JGT, (u32)(f->zones[i].end >> UNIT_SHIFT), rest); /* it is */
	}
	stmt(a, BPF_LD | BPF_W | BPF_MEM, WORD_END);
	refuse(a, BPF_JGT, PRIVATE_END >> UNIT_SHIFT);
}

/* Tests that look at the lower half, which is loaded. */
static void test_int(struct assembler *a, const struct arg_test *t)
{
	switch (t->kind) {
	case TEST_FD: demand(a, BPF_JGE, FD_MIN); refuse(a, BPF_JGT, FD_MAX); break;
	case TEST_ANY_FD: refuse(a, BPF_JGT, FD_MAX); break;
	case TEST_STANDARD_FD: refuse(a, BPF_JGT, STDERR_FILENO); break;
	case TEST_OWN_FD: test_own_fd(a); break;
	case TEST_FAMILY_FD:
		/* One that this family has not is -1, which is not a descriptor. */
		if (family_fd(a->family, t->value) < 0)
			refuse(a, BPF_JGE, 0);
		else
			demand(a, BPF_JEQ, (u32)family_fd(a->family, t->value));
		break;
	case TEST_PUBLISHED_FD: test_published_fd(a); break;
	case TEST_PROCESS: demand(a, BPF_JGE, 1); refuse(a, BPF_JGT, PID_MAX); break;
	case TEST_INT: demand(a, BPF_JEQ, (u32)t->value); break;
	case TEST_INT_BITS: refuse(a, BPF_JSET, ~(u32)t->mask); break;
	case TEST_INT_MASKED:
		stmt(a, BPF_ALU | BPF_AND | BPF_K, (u32)t->mask);
		demand(a, BPF_JEQ, (u32)t->value);
		break;
	case TEST_UP_TO: refuse(a, BPF_JGT, (u32)t->value); break;
	case TEST_ONE_OF: test_list(a, t->list, t->list_len); break;
	case TEST_REQUEST: test_request(a, t->value); break;
	default: a->broken = true;
	}
}

static void test(struct assembler *a, const struct arg_test *t)
{
	u32 prot = PROT_READ | PROT_WRITE | (a->family->backend->runs_on_host ? PROT_EXEC : 0);

	switch (t->kind) {
	case TEST_WORD: test_word(a, t->arg, t->value); break;
	case TEST_PROTECTION: test_word_bits(a, t->arg, prot); break;
	case TEST_POINTS_TO: test_points_to(a, t->arg, t->value); break;
	case TEST_KIN_WORD: test_kin_word(a, t->arg); break;
	case TEST_PRIVATE_RANGE: test_private_range(a, t->arg, t->other); break;
	default:
		load(a, LOW(t->arg));
		test_int(a, t);
	}
}

/* Lets the jumps of [from, len) that fail lead to len. */
static void fail_here(struct assembler *a, size_t from)
{
	for (size_t i = from; i < a->len; i++) {
		struct sock_filter *f = &a->out[i];
		size_t distance = a->len - i - 1;

		if (BPF_CLASS(f->code) != BPF_JMP || (f->jt != FAIL && f->jf != FAIL))
			continue;
		if (distance >= FAIL)
			a->broken = true;
		if (f->jt == FAIL)
			f->jt = (u8)distance;
		if (f->jf == FAIL)
			f->jf = (u8)distance;
	}
}

static bool same_test(const struct arg_test *x, const struct arg_test *y)
{
	return x->kind == y->kind && x->arg == y->arg && x->other == y->other &&
		   x->value == y->value && x->mask == y->mask && x->list == y->list;
}

/*
 * Rules that begin with the same `depth` tests, which hold: those among them whose next test is the
 * same as well share it, and where it fails the rest of them is looked at.
 */
static void rules(struct assembler *a, const struct host_rule *const *list, u32 n, u32 depth)
{
	u32 end;

	for (u32 i = 0; i < n; i = end) {
		const struct arg_test *t = &list[i]->tests[depth];
		size_t from = a->len;

		if (!t->kind) {
			stmt(a, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
			return;
		}
		for (end = i + 1; end < n && same_test(t, &list[end]->tests[depth]); end++)
			;
		test(a, t);
		rules(a, list + i, end - i, depth + 1);
		fail_here(a, from);
	}
}

static void call(struct assembler *a, const struct host_call *c, u32 conditions)
{
	const struct host_rule *list[CALL_RULES_MAX];
	size_t from = a->len;
	u32 n = 0;

	for (u32 i = 0; i < c->rule_count; i++)
		if (rule_applies(&c->rules[i], conditions))
			list[n++] = &c->rules[i];
	demand(a, BPF_JEQ, c->nr);
	rules(a, list, n, 0);
	fail_here(a, from);
	stmt(a, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
}

static bool call_applies(const struct host_call *c, u32 conditions)
{
	for (u32 i = 0; i < c->rule_count; i++)
		if (rule_applies(&c->rules[i], conditions))
			return true;
	return false;
}

/* The calls of a family in order of their numbers. */
static u32 calls_choose(u32 conditions, const struct host_call **sorted)
{
	u32 n = 0, at;

	for (u32 i = 0; i < host_call_count; i++) {
		if (!call_applies(&host_calls[i], conditions))
			continue;
		for (at = n++; at > 0 && sorted[at - 1]->nr > host_calls[i].nr; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &host_calls[i];
	}
	return n;
}

/*
 * A binary search for what may be call i, which jumps[i] becomes the place of the long jump to: the
 * host looks for every number there is when the program is installed, and for one at each call.
 */
static void search(struct assembler *a, const struct host_call **sorted, u32 from, u32 to,
				   size_t *jumps)
{
	u32 middle = from + (to - from) / 2;
	size_t node = a->len;

	if (to - from == 1) {
		jumps[from] = a->len;
		stmt(a, BPF_JMP | BPF_JA, 0);
		return;
	}
	skip_if(a, BPF_JGE, sorted[middle]->nr, 0);
	search(a, sorted, from, middle, jumps);
	if (a->len - node - 1 >= FAIL)
		a->broken = true;
	a->out[node].jt = (u8)(a->len - node - 1);
	search(a, sorted, middle, to, jumps);
}

static void allowlist(struct assembler *a, u32 conditions)
{
	const struct host_call *sorted[HOST_CALLS_MAX];
	size_t jumps[HOST_CALLS_MAX];
	u32 n = calls_choose(conditions, sorted);

	load(a, DATA(arch));
	skip_if(a, BPF_JEQ, AUDIT_ARCH_X86_64, 1);
	stmt(a, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	load(a, DATA(nr));
	search(a, sorted, 0, n, jumps);
	for (u32 i = 0; i < n && !a->broken; i++) {
		a->out[jumps[i]].k = (u32)(a->len - jumps[i] - 1);
		call(a, sorted[i], conditions);
	}
}

static bool guests_may_have(const struct family *f, const void *p)
{
	u64 addr = (u64)p;

	for (u32 i = 0; i < f->zone_count; i++)
		if (addr >= f->zones[i].start && addr < f->zones[i].end)
			return true;
	return addr < PRIVATE_END || (addr >= KIN_BASE && addr < KIN_END);
}

size_t confine_program(const struct family *f, u32 conditions, struct sock_filter *out, size_t max,
					   struct error *err)
{
	struct assembler a = {.family = f, .out = out, .max = max};

	/* They must lie where no rule lets a guest map anything. */
	if (guests_may_have(f, host_hows) || guests_may_have(f, &host_no_path) ||
		guests_may_have(f, host_lingers)) {
		(void)error_set(err, 0, "this executable was loaded where its guests' memory belongs");
		return 0;
	}
	if (conditions & WHEN_HOST)
		routing(&a);
	allowlist(&a, conditions);
	if (a.broken)
		(void)error_set(err, 0, "the seccomp filter is too long; use fewer volumes");
	return a.broken ? 0 : a.len;
}

int confine_filter(const struct family *f, struct confinement *c, struct error *err)
{
	bool fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;
	size_t n;

	c->filter = malloc(PROGRAM_MAX * sizeof(*c->filter));
	if (!c->filter)
		return error_set(err, ENOMEM, "cannot make the seccomp filter");
	n = confine_program(f, confine_conditions(f, fsgsbase), c->filter, PROGRAM_MAX, err);
	c->filter_len = (unsigned short)n;
	return n ? 0 : -1;
}
