/* SPDX-License-Identifier: ISC */
/*
 * A guest of the kvm backend gets into ring 0 of its virtual machine: it makes the processor's
 * table of gates writable by changing its own page tables, and enters a function of its own through
 * the gate of an invalid instruction. From there it reads and writes model-specific registers: its
 * own system-call entry, time, performance, virtualisation, KVM's paravirtual ones. Each must
 * fault.
 * @test timeout=60 members=1 svm
 */
#include "guest.h"
#include <setjmp.h>

#include "abi/boot.h"
#include "abi/image.h"
#include "abi/layout.h"

#define TABLE_ADDRESS 0xffffffffff000ULL
#define PRESENT_WRITE_USER 7
#define VECTOR_UD 6
#define VECTOR_GP 13
#define RING0_CS 0x10

struct idt_entry {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, reserved;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

/* Entered with ECX the register's number and EDI what to do; RAX: CR0, EDX 1: it was done. */
__asm__(".text\n"
		"ring0:\n"
		"	push %rbx\n"
		"	mov %cr0, %rbx\n"
		"	cmp $1, %edi\n"
		"	jb 2f\n"
		"	ja 1f\n"
		"	rdmsr\n"
		"	jmp 2f\n"
		"1:	xor %eax, %eax\n"
		"	xor %edx, %edx\n"
		"	wrmsr\n"
		"2:	mov $1, %edx\n"
		"3:	mov %rbx, %rax\n"
		"	pop %rbx\n"
		"	addq $2, (%rsp)\n" /* behind the invalid instruction */
		"	iretq\n"
		"ring0_refused:\n"
		"	add $8, %rsp\n" /* the error code */
		"	lea 4f(%rip), %rdx\n"
		"	mov %rdx, (%rsp)\n"
		"	iretq\n"
		"4:	xor %edx, %edx\n"
		"	jmp 3b\n");
extern const char ring0[], ring0_refused[];

static sigjmp_buf again;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(again, 1);
}

/* Every table on the way to the address lets CPL 3 write. */
static void make_writable(uint64_t address)
{
	uint64_t *table = (uint64_t *)((const struct kernel_image *)KERNEL_IMAGE)->boot_tables;

	for (int shift = 39; shift >= 12; shift -= 9) {
		uint64_t *entry = &table[address >> shift & 511];

		*entry |= PRESENT_WRITE_USER;
		if (*entry & 0x80 && shift < 39)
			return;
		table = (uint64_t *)(*entry & TABLE_ADDRESS);
	}
}

/* The processor may remember the page as it was, until that has failed once. */
static void store(struct idt_entry *to, const struct idt_entry *from)
{
	for (volatile int i = 0; i < 5; i++) {
		if (sigsetjmp(again, 1))
			continue;
		*(volatile struct idt_entry *)to = *from;
		return;
	}
	die("the table of gates cannot be written");
}

static struct idt_entry gate_to(const void *entry)
{
	uint64_t at = (uint64_t)entry;

	return (struct idt_entry){.low = (uint16_t)at, .selector = RING0_CS, .type = 0x8e,
						 .middle = (uint16_t)(at >> 16), .high = (uint32_t)(at >> 32)};
}

/* In ring 0: 0 only looks, 1 reads the register, 2 writes 0 to it. Was it done? */
static bool enter(uint32_t number, uint32_t what, uint64_t *cr0)
{
	uint32_t done;

	__asm__ volatile("ud2"
					 : "=a"(*cr0), "=d"(done), "+c"(number), "+D"(what)
					 :
					 : "memory", "cc");
	return done;
}

static void registers(void)
{
	static const struct guest_name known[] = {
		{0x10, "time-stamp counter"},       {0x1b, "APIC base"},
		{0x3a, "feature control"},          {0x48, "speculation control"},
		{0x174, "sysenter"},                {0x186, "performance event"},
		{0x1a0, "miscellaneous enable"},    {0x1d9, "debug control"},
		{0x277, "PAT"},                     {0x2ff, "MTRR default"},
		{0x345, "performance"},             {0x38f, "performance global"},
		{0x480, "VMX"},                     {0x6e0, "TSC deadline"},
		{0xda0, "supervisor state"},        {0x40000000, "Hyper-V guest"},
		{0x4b564d00, "KVM wall clock"},     {0x4b564d01, "KVM system time"},
		{0x4b564d02, "KVM page fault"},     {0x4b564d03, "KVM steal time"},
		{(int)0xc0000080, "EFER"},          {(int)0xc0000081, "STAR"},
		{(int)0xc0000082, "LSTAR"},         {(int)0xc0000100, "FS base"},
		{(int)0xc0000103, "TSC auxiliary"}, {(int)0xc0010114, "VM control"},
		{(int)0xc0010117, "SVM host save"},
	};
	uint64_t cr0;

	for (size_t i = 0; i < COUNT(known); i++) {
		bool reads = enter((uint32_t)known[i].number, 1, &cr0);
		bool writes = enter((uint32_t)known[i].number, 2, &cr0);

		say("%s: %s", known[i].name, reads || writes ? "BROKEN" : "held");
		guest_failures += reads || writes;
	}
}

int main(void)
{
	struct table_register idt;
	struct idt_entry saved[2], *gates;
	uint64_t cr0 = 0;

	if (((const struct boot_info *)BOOT_INFO_ADDR)->backend != BACKEND_KVM) {
		say("there is no ring 0");
		return 0;
	}
	on_signal(SIGSEGV, on_fault, 0);
	__asm__ volatile("sidt %0" : "=m"(idt));
	gates = (struct idt_entry *)idt.base;
	make_writable(idt.base);
	sigsetjmp(again, 1); /* reading may fault once as well */
	saved[0] = gates[VECTOR_UD];
	saved[1] = gates[VECTOR_GP];
	struct idt_entry entry = gate_to(ring0), refused = gate_to(ring0_refused);
	store(&gates[VECTOR_UD], &entry);
	store(&gates[VECTOR_GP], &refused);
	bool entered = enter(0, 0, &cr0);
	check("in ring 0", entered && cr0 & 1);
	registers();
	store(&gates[VECTOR_UD], &saved[0]);
	store(&gates[VECTOR_GP], &saved[1]);
	return finish();
}
