/* SPDX-License-Identifier: ISC */
/*
 * Where an instruction may store: enough of x86-64's encoding (Intel SDM volume 2, 2.1 and appendix
 * A) to find the address of its memory operand. Whether it is a store, and of how many bytes, is
 * not decided: who asks compares the memory before and after.
 */
#ifndef TESTS_DEATH_OPERAND_H
#define TESTS_DEATH_OPERAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user_regs_struct;

enum operand_kind {
	OPERAND_NONE,
	OPERAND_MEMORY,  /* base + index * scale + displacement */
	OPERAND_STRING,  /* rdi: movs, stos */
	OPERAND_SYSCALL, /* none, but the host is called */
};

#define NO_REGISTER 0xff

struct operand {
	uint8_t kind, base, index, scale;
	bool repeats;
	uint8_t length; /* OPERAND_STRING */
	int64_t displacement;
};

#define INSTRUCTION_MAX 15
void operand_decode(const uint8_t *code, struct operand *o);
/* The registers are those before the instruction. */
uint64_t operand_address(const struct operand *o, const struct user_regs_struct *regs);

#endif
