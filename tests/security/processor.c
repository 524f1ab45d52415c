/* SPDX-License-Identifier: ISC */
/*
 * What CPUID shows to a guest of the kvm backend, over all ranges and their subleaves: no
 * virtualisation to nest in, no hypervisor's leaves, no performance counters, no MONITOR and
 * MWAIT, nothing that only KVM's ring 0 could use. And what must be there, because programs and
 * libraries choose their code by it. In the process backend the processor is the host's own.
 *
 * A KVM may add bits to what it is told (a page-table-based one cannot hide them). Run with
 * `--added`, natively, this asks the host's KVM and prints them, one word a register; those are the
 * arguments with which it is run as a guest then. Without arguments none are accepted.
 * @test timeout=60 members=1 svm
 */
#include "guest.h"
#include <cpuid.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "abi/boot.h"
#include "abi/layout.h"

struct leaf {
	uint32_t function, index, eax, ebx, ecx, edx;
};

static struct leaf read_leaf(uint32_t function, uint32_t index)
{
	struct leaf l = {.function = function, .index = index};

	__cpuid_count(function, index, l.eax, l.ebx, l.ecx, l.edx);
	return l;
}

static bool empty(const struct leaf *l)
{
	return !(l->eax | l->ebx | l->ecx | l->edx);
}

static void show(const char *what, const struct leaf *l)
{
	say("%s: %08x.%u: %08x %08x %08x %08x", what, l->function, l->index, l->eax, l->ebx, l->ecx,
		l->edx);
	guest_failures++;
}

/* What a leaf that does not exist reads as: nothing, or with Intel's the highest basic leaf. */
static bool absent(const struct leaf *l)
{
	struct leaf last = read_leaf(read_leaf(0, 0).eax, l->index);

	last.function = l->function;
	return empty(l) || !memcmp(l, &last, sizeof(last));
}

/* Leaves of a range that the guest may see; the rest of the range must be absent. */
static void look(uint32_t from, uint32_t to, const uint32_t *known, size_t count)
{
	for (uint32_t function = from; function <= to; function++) {
		bool may = false;

		for (size_t i = 0; i < count; i++)
			may |= known[i] == function;
		for (uint32_t index = 0; index < 4 && !may; index++) {
			struct leaf l = read_leaf(function, index);

			if (!absent(&l))
				show("UNKNOWN LEAF", &l);
		}
	}
}

/* Registers with features: what the KVM here adds to them. */
enum { ONE_ECX, ONE_EDX, SEVEN_EBX, SEVEN_ECX, SEVEN_EDX, EXT_ECX, EXT_EDX, REGISTERS };
static uint32_t added[REGISTERS];

/* VMX, SVM and the bit that says "hypervisor" are never accepted. */
static void added_load(char **argv)
{
	for (int i = 0; i < REGISTERS; i++)
		added[i] = (uint32_t)strtoul(argv[i], NULL, 16);
	added[ONE_ECX] &= ~(1u << 5 | 1u << 31);
	added[EXT_ECX] &= ~(1u << 2);
}

static void bits(const char *name, uint32_t value, uint32_t forbidden)
{
	say("%s: %s", name, value & forbidden ? "BROKEN" : "held");
	guest_failures += (value & forbidden) != 0;
}

static void hypervisors(void)
{
	static const uint32_t bases[] = {0x40000000, 0x40000100, 0x40000200, 0x40000f00, 0x4fffff00};
	static const char *const names[] = {"KVMKVMKVM", "Microsoft Hv", "Linux KVM Hv", "XenVMMXenVMM",
										"VMwareVMware", "TCGTCGTCGTCG"};

	for (size_t i = 0; i < COUNT(bases); i++) {
		struct leaf l = read_leaf(bases[i], 0);
		char text[13] = "";

		memcpy(text, &l.ebx, 4);
		memcpy(text + 4, &l.ecx, 4);
		memcpy(text + 8, &l.edx, 4);
		for (size_t k = 0; k < COUNT(names); k++)
			if (!strcmp(text, names[k]))
				show("HYPERVISOR", &l);
		look(bases[i], bases[i] + 0x20, NULL, 0);
	}
}

static void features(void)
{
	struct leaf one = read_leaf(1, 0), seven = read_leaf(7, 0), more = read_leaf(7, 1);
	struct leaf ext = read_leaf(0x80000001, 0), xsave = read_leaf(0xd, 0), xss = read_leaf(0xd, 1);

	one.ecx &= ~added[ONE_ECX];
	one.edx &= ~added[ONE_EDX];
	seven.ebx &= ~added[SEVEN_EBX];
	seven.ecx &= ~added[SEVEN_ECX];
	seven.edx &= ~added[SEVEN_EDX];
	ext.ecx &= ~added[EXT_ECX];
	bits("VMX, SMX, MONITOR, x2APIC, deadline, hypervisor", one.ecx,
		 1u << 5 | 1u << 6 | 1u << 3 | 1u << 21 | 1u << 24 | 1u << 31);
	bits("PCID and performance", one.ecx, 1u << 17 | 1u << 15);
	bits("MSRs, machine checks, APIC, MTRRs, sysenter", one.edx,
		 1u << 5 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 14);
	bits("APIC id", one.ebx, 0xff000000);
	bits("TSX, SGX, PT, supervisor bits", seven.ebx,
		 1u << 4 | 1u << 11 | 1u << 2 | 1u << 25 | 1u << 7 | 1u << 20 | 1u << 10 | 1u << 1);
	bits("protection keys, WAITPKG, LA57, shadow stacks, RDPID, UMIP", seven.ecx,
		 1u << 3 | 1u << 4 | 1u << 5 | 1u << 16 | 1u << 7 | 1u << 22 | 1u << 2 | 1u << 29);
	bits("AMX, SPEC_CTRL, ARCH_CAPABILITIES", seven.edx,
		 1u << 22 | 1u << 24 | 1u << 25 | 0x3f << 26 | 1u << 10);
	bits("AMX and LAM", more.eax, 1u << 21 | 1u << 26);
	bits("SVM, MWAITX, IBS, performance", ext.ecx,
		 1u << 2 | 1u << 29 | 1u << 10 | 1u << 23 | 1u << 24 | 1u << 28);
	bits("AMX state", xsave.eax, 3u << 17);
	bits("supervisor state", xss.eax, 1u << 3);
	bits("supervisor state's list", xss.ecx | xss.edx, ~0u);
}

/* x86-64 itself, what a page table and fork need, and what libraries ask for most. */
static void needed(void)
{
	struct leaf one = read_leaf(1, 0), seven = read_leaf(7, 0), ext = read_leaf(0x80000001, 0);
	const uint32_t baseline = 1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 1u << 23 | 7u << 24;

	check("baseline", (one.edx & baseline) == baseline);
	check("SSE4.2, POPCNT, CMPXCHG16B, XSAVE, OSXSAVE",
		  (one.ecx & (1u << 20)) && (one.ecx & (1u << 23)) && (one.ecx & (1u << 13)) &&
			  (one.ecx & (3u << 26)) == 3u << 26);
	check("FSGSBASE", seven.ebx & 1);
	check("long mode, NX, SYSCALL", (ext.edx & (1u << 29 | 1u << 20 | 1u << 11)) ==
										(1u << 29 | 1u << 20 | 1u << 11));
	check("a name", read_leaf(0x80000002, 0).eax != 0);
	check("a vendor", read_leaf(0, 0).ebx != 0);
	if (one.ecx & 1u << 28)
		__asm__ volatile("vxorps %%ymm0, %%ymm0, %%ymm0" : : : "xmm0");
	say("what is offered works");
}

/* What a virtual processor shows that was told of no features at all. */
static int added_print(void)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} table = {.head.nent = 256};
	uint32_t found[REGISTERS] = {0};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int cpu = kvm < 0 ? -1 : ioctl(ioctl(kvm, KVM_CREATE_VM, 0), KVM_CREATE_VCPU, 0);

	if (cpu < 0 || ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &table) < 0)
		die("KVM");
	for (uint32_t i = 0; i < table.head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &table.entries[i];

		if (e->function == 1)
			e->ecx = e->edx = 0;
		else if (e->function == 7 || e->function == 0x80000001)
			e->ebx = e->ecx = e->edx = 0;
	}
	if (ioctl(cpu, KVM_SET_CPUID2, &table) < 0)
		die("KVM_SET_CPUID2");
	table.head.nent = 256;
	if (ioctl(cpu, KVM_GET_CPUID2, &table) < 0)
		die("KVM_GET_CPUID2");
	for (uint32_t i = 0; i < table.head.nent; i++) {
		const struct kvm_cpuid_entry2 *e = &table.entries[i];

		if (e->function == 1)
			found[ONE_ECX] = e->ecx, found[ONE_EDX] = e->edx;
		if (e->function == 7 && e->index == 0)
			found[SEVEN_EBX] = e->ebx, found[SEVEN_ECX] = e->ecx, found[SEVEN_EDX] = e->edx;
		if (e->function == 0x80000001)
			found[EXT_ECX] = e->ecx, found[EXT_EDX] = e->edx;
	}
	for (int i = 0; i < REGISTERS; i++)
		say("%x", found[i]);
	return 0;
}

int main(int argc, char **argv)
{
	static const uint32_t basic[] = {0, 1, 2, 4, 7, 0xd, 0x15, 0x16};
	static const uint32_t extended[] = {0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004,
										0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000001d};

	if (argc == 2)
		return added_print();
	if (argc == 1 + REGISTERS)
		added_load(argv + 1);
	if (((const struct boot_info *)BOOT_INFO_ADDR)->backend != BACKEND_KVM) {
		say("the processor is the host's");
		return 0;
	}
	look(0, 0x60, basic, COUNT(basic));
	look(0x80000000, 0x80000060, extended, COUNT(extended));
	look(0xc0000000, 0xc0000010, NULL, 0);
	hypervisors();
	features();
	needed();
	return finish();
}
