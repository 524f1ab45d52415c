/* SPDX-License-Identifier: ISC */
/* /proc/cpuinfo, from the CPUID instruction (Intel SDM volume 2). One processor per member. */
#include "kernel/arch/x86_64/arch_internal.h"
#include "kernel/lib/text.h"

static void cpuid(u32 leaf, u32 *r)
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static const char *const flags_edx[32] = {
	"fpu",        "vme",  "de",   "pse",  "tsc",        "msr",
	"pae",        "mce",  "cx8",  "apic", [11] = "sep", "mtrr",
	"pge",        "mca",  "cmov", "pat",  "pse36",      [19] = "clflush",
	[23] = "mmx", "fxsr", "sse",  "sse2", [28] = "ht"};
static const char *const flags_ecx[32] = {
	"pni",        "pclmulqdq", [9] = "ssse3", [12] = "fma", "cx16",       [19] = "sse4_1",
	"sse4_2",     "x2apic",    "movbe",       "popcnt",     [25] = "aes", "xsave",
	[28] = "avx", "f16c",      "rdrand",      "hypervisor"};
static const char *const flags_ebx7[32] = {
	"fsgsbase",       [3] = "bmi1",    [5] = "avx2", [8] = "bmi2",   "erms",
	[16] = "avx512f", [18] = "rdseed", "adx",        [29] = "sha_ni"};

static void add_flags(struct text *t, const char *const *names, u32 bits)
{
	for (u32 i = 0; i < 32; i++)
		if ((bits & 1u << i) && names[i])
			text_add(t, " %s", names[i]);
}

void arch_describe_cpu(struct text *t, u64 khz)
{
	u32 r[4], brand[13] = {0}, vendor[4] = {0};

	cpuid(0, r);
	vendor[0] = r[1];
	vendor[1] = r[3];
	vendor[2] = r[2];
	for (u32 i = 0; i < 3; i++)
		cpuid(0x80000002 + i, brand + 4 * i);
	cpuid(1, r);
	u32 family = (r[0] >> 8 & 15) + ((r[0] >> 8 & 15) == 15 ? r[0] >> 20 & 255 : 0);
	text_add(t, "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\n", (char *)vendor, family);
	text_add(t, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
			 (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0), (char *)brand, r[0] & 15);
	text_add(t, "cpu MHz\t\t: %lu.%03lu\nphysical id\t: 0\nsiblings\t: 1\n", khz / 1000,
			 khz % 1000);
	text_add(t, "core id\t\t: 0\ncpu cores\t: 1\nfpu\t\t: yes\nflags\t\t:");
	add_flags(t, flags_edx, r[3]);
	text_add(t, " syscall nx lm constant_tsc");
	add_flags(t, flags_ecx, r[2]);
	cpuid(7, r);
	add_flags(t, flags_ebx7, r[1]);
	text_add(t, "\nbogomips\t: %lu.00\n\n", khz / 500);
}
