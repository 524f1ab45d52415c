/* SPDX-License-Identifier: ISC */
/*
 * What the guest sees of the processor: of what KVM can offer, the leaves and bits that programs
 * use and that work here, by an allow list. Everything else reads as 0: virtualisation (VMX, SVM
 * and what nests), KVM's and other hypervisors' leaves (0x4000xxxx), performance counters, MONITOR
 * and MWAIT, transactional memory, protection keys and AMX (which need the host's permission),
 * RDPID (nobody sets its register), what only a kernel in ring 0 uses, and what is not known yet.
 * Leaves and bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
 *
 * A KVM may add bits to what it is told: page-table-based KVM shows what code at CPL 3 could find
 * out by trying (seen: TSX, and bits of leaf 1 that mean ring 0).
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "monitor/backend/kvm/kvm.h"

#define ALL (~0u)
#define ANY_SUB (~0u) /* each subleaf that KVM lists */
#define BIT(n) (1u << (n))
#define BITS(from, to) ((to) == 31 ? ~(BIT(from) - 1) : BIT((to) + 1) - BIT(from))

/*
 * x87, SSE, AVX, AVX-512. Not: bounds registers, protection keys, AMX (needs permission per
 * process).
 */
#define XCR0_WANTED 0xe7ull
#define XSAVE_LEGACY_SIZE 576
#define CPUID7_EBX_FSGSBASE BIT(0)
#define CPUID_PHYSICAL_BITS_MIN 39
#define LINEAR_BITS 48 /* four levels of page tables */

/* Leaf 1: all that is not listed is for kernels, or is VMX, MONITOR, x2APIC, "hypervisor". */
#define FEATURES_1_ECX \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ | \
	 BIT(13) /* CMPXCHG16B */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | \
	 BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(26) /* XSAVE */ | \
	 BIT(27) /* OSXSAVE */ | BIT(28) /* AVX */ | BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
#define FEATURES_1_EDX \
	(BIT(0) /* FPU */ | BIT(3) /* PSE */ | BIT(4) /* TSC */ | BIT(6) /* PAE */ | \
	 BIT(8) /* CMPXCHG8B */ | BIT(13) /* PGE */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ | \
	 BIT(17) /* PSE-36 */ | BIT(19) /* CLFLUSH */ | BIT(23) /* MMX */ | BIT(24) /* FXSR */ | \
	 BIT(25) /* SSE */ | BIT(26) /* SSE2 */ | BIT(27) /* self snoop */ | BIT(28) /* HTT */)
#define FEATURES_7_EBX \
	(CPUID7_EBX_FSGSBASE | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | BIT(6) /* FDP */ | \
	 BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ | BIT(13) /* FCS and FDS */ | BIT(16) /* AVX512F */ | \
	 BIT(17) /* AVX512DQ */ | BIT(18) /* RDSEED */ | BIT(19) /* ADX */ | BIT(21) /* IFMA */ | \
	 BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ | BIT(28) /* AVX512CD */ | BIT(29) /* SHA */ | \
	 BIT(30) /* AVX512BW */ | BIT(31) /* AVX512VL */)
#define FEATURES_7_ECX \
	(BIT(0) /* PREFETCHWT1 */ | BIT(1) /* AVX512_VBMI */ | BIT(6) /* VBMI2 */ | \
	 BIT(8) /* GFNI */ | BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ | \
	 BIT(11) /* VNNI */ | BIT(12) /* BITALG */ | \
	 BIT(14) /* VPOPCNTDQ */ | BIT(25) /* CLDEMOTE */ | BIT(27) /* MOVDIRI */ | \
	 BIT(28) /* MOVDIR64B */)
#define FEATURES_7_EDX \
	(BIT(4) /* FSRM */ | BIT(8) /* VP2INTERSECT */ | BIT(14) /* SERIALIZE */ | BIT(23) /* FP16 */)
#define FEATURES_7_1_EAX \
	(BITS(0, 2) /* SHA512 SM3 SM4 */ | BIT(4) /* AVX-VNNI */ | BIT(5) /* AVX512_BF16 */ | \
	 BIT(7) /* CMPCCXADD */ | BITS(10, 12) /* fast short rep */ | BIT(23) /* AVX-IFMA */)
#define FEATURES_7_1_EDX \
	(BIT(4) /* VNNI-INT8 */ | BIT(5) /* NE-CONVERT */ | BIT(10) /* VNNI-INT16 */ | \
	 BIT(14) /* PREFETCHI */)
#define FEATURES_EXT_ECX \
	(BIT(0) /* LAHF */ | BIT(1) /* CMP legacy */ | BIT(5) /* LZCNT */ | BIT(6) /* SSE4A */ | \
	 BIT(7) /* misaligned SSE */ | BIT(8) /* PREFETCHW */ | BIT(11) /* XOP */ | \
	 BIT(16) /* FMA4 */ | BIT(21) /* TBM */ | BIT(22) /* topology leaves */)
#define FEATURES_EXT_EDX \
	((FEATURES_1_EDX & (BITS(0, 17) | BITS(23, 24))) | BIT(11) /* SYSCALL */ | BIT(20) /* NX */ | \
	 BIT(22) /* MMXEXT */ | BIT(25) /* fast FXSR */ | BIT(27) /* RDTSCP */ | BIT(29) /* LM */)
#define XSAVE_VARIANTS BITS(0, 2) /* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES, for kernels */

struct leaf {
	u32 function, index;
	u32 eax, ebx, ecx, edx; /* the bits that stay */
};

/* cpuid_choose corrects: highest leaves, sizes of XSAVE, widths of addresses. */
static const struct leaf leaves[] = {
	{0, 0, ALL, ALL, ALL, ALL},
	/* EBX: CLFLUSH size and number of processors, not which one KVM was asked on. */
	{1, 0, ALL, 0x00ffff00, FEATURES_1_ECX, FEATURES_1_EDX},
	{2, ANY_SUB, ALL, ALL, ALL, ALL},          /* caches */
	{4, ANY_SUB, ALL, ALL, ALL, ALL},
	{7, 0, ALL, FEATURES_7_EBX, FEATURES_7_ECX, FEATURES_7_EDX},
	{7, 1, FEATURES_7_1_EAX, 0, 0, FEATURES_7_1_EDX},
	{0xd, 0, ALL, ALL, ALL, ALL},
	{0xd, 1, XSAVE_VARIANTS, ALL, 0, 0},
	{0xd, ANY_SUB, ALL, ALL, ALL, ALL},
	{0x15, 0, ALL, ALL, ALL, 0},               /* frequencies */
	{0x16, 0, ALL, ALL, ALL, 0},
	{0x80000000, 0, ALL, ALL, ALL, ALL},
	{0x80000001, 0, ALL, 0, FEATURES_EXT_ECX, FEATURES_EXT_EDX},
	{0x80000002, 0, ALL, ALL, ALL, ALL},       /* name */
	{0x80000003, 0, ALL, ALL, ALL, ALL},
	{0x80000004, 0, ALL, ALL, ALL, ALL},
	{0x80000005, 0, ALL, ALL, ALL, ALL},       /* caches */
	{0x80000006, 0, ALL, ALL, ALL, ALL},
	{0x80000007, 0, 0, 0, 0, BIT(8)},          /* invariant TSC */
	{0x80000008, 0, 0xff, BIT(0), 0xf0ff, 0},  /* CLZERO; number of processors */
	{0x8000001d, ANY_SUB, ALL, ALL, ALL, ALL}, /* caches */
};

static struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_state *s, u32 function, u32 index)
{
	const struct kvm_cpuid_table *t = &s->cpuid;

	for (u32 i = 0; i < t->head.nent; i++)
		if (t->entries[i].function == function && t->entries[i].index == index)
			return (struct kvm_cpuid_entry2 *)&t->entries[i];
	return NULL;
}

/* Standard format: legacy area and header, then each component at its own offset. */
u32 cpuid_xsave_size(const struct kvm_state *s)
{
	u32 size = XSAVE_LEGACY_SIZE;

	for (u32 i = 2; i < 63; i++) {
		struct kvm_cpuid_entry2 *e = s->xcr0 >> i & 1 ? cpuid_find(s, 0xd, i) : NULL;

		if (e && e->eax + e->ebx > size)
			size = e->eax + e->ebx;
	}
	return size;
}

static const struct leaf *leaf_find(const struct kvm_cpuid_entry2 *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i].function == e->function &&
			(leaves[i].index == e->index || leaves[i].index == ANY_SUB))
			return &leaves[i];
	return NULL;
}

/* The processor's name, which KVM may leave out. */
static bool is_name(u32 function)
{
	return function >= 0x80000002 && function <= 0x80000004;
}

/* Keeps the entries that are on the list, unless there is nothing in them. */
static void leaves_keep(struct kvm_state *s)
{
	struct kvm_cpuid_table *t = &s->cpuid;
	u32 kept = 0;

	for (u32 i = 0; i < t->head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &t->entries[i];
		const struct leaf *leaf = leaf_find(e);

		if (!leaf || (e->function == 0xd && e->index >= 2 && !(s->xcr0 >> (e->index & 63) & 1)))
			continue;
		e->eax &= leaf->eax;
		e->ebx &= leaf->ebx;
		e->ecx &= leaf->ecx;
		e->edx &= leaf->edx;
		if (e->eax | e->ebx | e->ecx | e->edx || is_name(e->function))
			t->entries[kept++] = *e;
	}
	t->head.nent = kept;
}

static u32 highest(const struct kvm_state *s, u32 from)
{
	u32 last = from;

	for (u32 i = 0; i < s->cpuid.head.nent; i++)
		if (s->cpuid.entries[i].function >= last && s->cpuid.entries[i].function - from < 0x10000)
			last = s->cpuid.entries[i].function;
	return last;
}

static void leaves_correct(struct kvm_state *s)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(s, 0, 0);

	if (e)
		e->eax = highest(s, 0);
	e = cpuid_find(s, 0x80000000, 0);
	if (e)
		e->eax = highest(s, 0x80000000);
	e = cpuid_find(s, 7, 0);
	e->eax = cpuid_find(s, 7, 1) ? 1 : 0;
	e->ebx |= CPUID7_EBX_FSGSBASE; /* some do not list it though the guest has it; probe looked */
	e = cpuid_find(s, 0xd, 0);
	e->eax = (u32)s->xcr0;
	e->edx = (u32)(s->xcr0 >> 32);
	e->ebx = e->ecx = cpuid_xsave_size(s);
	e = cpuid_find(s, 0x80000008, 0);
	if (e)
		e->eax |= LINEAR_BITS << 8;
	for (u32 i = 0; i < s->cpuid.head.nent; i++) {
		e = &s->cpuid.entries[i];
		if (is_name(e->function))
			__get_cpuid(e->function, &e->eax, &e->ebx, &e->ecx, &e->edx);
	}
}

int cpuid_choose(struct member *m, struct error *err)
{
	struct kvm_state *s = kvm_state(m);
	struct kvm_cpuid_entry2 *e;

	s->cpuid.head.nent = CPUID_ENTRIES;
	if (ioctl(m->family->kvm_fd, KVM_GET_SUPPORTED_CPUID, &s->cpuid.head) < 0)
		return error_set(err, errno, "KVM does not tell its processor features");
	e = cpuid_find(s, 0x80000008, 0);
	if (e && (e->eax & 0xff) < CPUID_PHYSICAL_BITS_MIN)
		return error_set(err, 0, "the processor's physical addresses have %u bits, kvm needs %d; "
								 "use --backend process", e->eax & 0xff, CPUID_PHYSICAL_BITS_MIN);
	if (!cpuid_find(s, 7, 0))
		return error_set(err, 0, "the processor is too old for kvm; use --backend process");
	e = cpuid_find(s, 0xd, 0);
	if (!e || (e->eax & 3) != 3)
		return error_set(err, 0, "KVM offers no XSAVE; use --backend process");
	s->xcr0 = (e->eax | (u64)e->edx << 32) & XCR0_WANTED;
	leaves_keep(s);
	leaves_correct(s);
	return 0;
}
