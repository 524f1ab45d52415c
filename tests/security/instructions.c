/* SPDX-License-Identifier: ISC */
/*
 * Privileged and odd instructions: none may do anything to the machine, each must fault.
 * @test timeout=60 members=20 svm
 */
#include "hostile.h"

/* Returning means that the instruction ran. Only registers that a function may change are used. */
#define INSTRUCTION(name, text)                             \
	static __attribute__((noinline)) int name(void *unused) \
	{                                                       \
		(void)unused;                                       \
		__asm__ volatile(text);                             \
		return 1;                                           \
	}

INSTRUCTION(hlt, "hlt")
INSTRUCTION(cli, "cli")
INSTRUCTION(write_cr3, "xor %eax, %eax\n mov %rax, %cr3")
INSTRUCTION(read_cr0, "mov %cr0, %rax")
INSTRUCTION(wrmsr, "mov $0xc0000082, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr")
INSTRUCTION(rdmsr, "mov $0x1b, %ecx\n rdmsr")
INSTRUCTION(lidt, "sub $16, %rsp\n lidt (%rsp)\n add $16, %rsp")
INSTRUCTION(ltr, "mov $0x28, %eax\n ltr %ax")
INSTRUCTION(invlpg, "invlpg (%rsp)")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(out_serial, "mov $0x3f8, %edx\n mov $65, %eax\n out %al, %dx")
INSTRUCTION(in_reset, "mov $0x64, %edx\n in %dx, %al")
INSTRUCTION(vmrun, "xor %eax, %eax\n vmrun")
INSTRUCTION(clts, "clts")
INSTRUCTION(swapgs, "swapgs")
INSTRUCTION(interrupt_8, "int $8")

int main(void)
{
	attempt("hlt", hlt, NULL);
	attempt("cli", cli, NULL);
	attempt("mov to cr3", write_cr3, NULL);
	attempt("mov from cr0", read_cr0, NULL);
	attempt("wrmsr", wrmsr, NULL);
	attempt("rdmsr", rdmsr, NULL);
	attempt("lidt", lidt, NULL);
	attempt("ltr", ltr, NULL);
	attempt("invlpg", invlpg, NULL);
	attempt("wbinvd", wbinvd, NULL);
	attempt("out to the serial port", out_serial, NULL);
	attempt("in from the reset port", in_reset, NULL);
	attempt("vmrun", vmrun, NULL);
	attempt("clts", clts, NULL);
	attempt("swapgs", swapgs, NULL);
	attempt("int 8", interrupt_8, NULL);
	return finish();
}
