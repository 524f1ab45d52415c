/* SPDX-License-Identifier: ISC */
/* See operand.h. */
#include "operand.h"

#include <string.h>
#include <sys/user.h>

struct reader {
	const uint8_t *at;
	uint8_t rex;
	bool repeats;
};

static void read_prefixes(struct reader *r)
{
	static const uint8_t legacy[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e,
									 0x36, 0x3e, 0x26, 0x64, 0x65};

	while (memchr(legacy, *r->at, sizeof(legacy))) {
		r->repeats |= *r->at == 0xf2 || *r->at == 0xf3;
		r->at++;
	}
	if ((*r->at & 0xf0) == 0x40)
		r->rex = *r->at++;
}

/* Of the one-byte opcodes: is a ModRM byte next? */
static bool one_byte_modrm(uint8_t op)
{
	if (op < 0x40)
		return (op & 7) < 4;
	if (op >= 0x80 && op <= 0x8f)
		return op != 0x8d; /* lea: no access */
	if (op >= 0xd0 && op <= 0xdf)
		return (op & 0xfc) != 0xd4;
	return op == 0x63 || op == 0x69 || op == 0x6b || op == 0xc0 || op == 0xc1 || op == 0xc6 ||
		   op == 0xc7 || op == 0xf6 || op == 0xf7 || op == 0xfe || op == 0xff;
}

static bool two_byte_modrm(uint8_t op)
{
	if ((op >= 0x80 && op <= 0x8f) || (op >= 0xc8 && op <= 0xcf) || (op >= 0x30 && op <= 0x37))
		return false;
	return op != 0x05 && op != 0x06 && op != 0x08 && op != 0x09 && op != 0x0b && op != 0x77 &&
		   (op & 0xf7) != 0xa0 && (op & 0xf7) != 0xa1 && (op & 0xf7) != 0xa2;
}

static int64_t displacement(const uint8_t *at, unsigned mod, bool always32)
{
	int32_t wide;

	if (mod == 1)
		return (int8_t)*at;
	if (mod == 0 && !always32)
		return 0;
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void read_modrm(struct reader *r, struct operand *o)
{
	uint8_t modrm = *r->at++, mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3 || (mod == 0 && rm == 5)) /* a register; relative to rip, never kin */
		return;
	o->kind = OPERAND_MEMORY;
	if (rm != 4) {
		o->base = rm | (r->rex & 1) << 3;
		o->displacement = displacement(r->at, mod, false);
		return;
	}
	uint8_t sib = *r->at++;
	uint8_t index = (sib >> 3 & 7) | (r->rex & 2) << 2;

	if (index != 4)
		o->index = index;
	o->scale = sib >> 6;
	if ((sib & 7) == 5 && mod == 0) {
		o->displacement = displacement(r->at, 2, true);
		return;
	}
	o->base = (sib & 7) | (r->rex & 1) << 3;
	o->displacement = displacement(r->at, mod, false);
}

/* VEX: its R, X and B bits are those of REX, inverted. */
static void read_vex(struct reader *r, struct operand *o)
{
	if (*r->at == 0xc5) {
		r->at += 2;
	} else {
		r->rex = ~r->at[1] >> 5 & 7;
		r->at += 3;
	}
	if (*r->at++ != 0x77)
		read_modrm(r, o);
}

static void read_two_byte(struct reader *r, struct operand *o)
{
	uint8_t op = *r->at++;

	if (op == 0x05) {
		o->kind = OPERAND_SYSCALL;
	} else if (op == 0x38 || op == 0x3a) {
		r->at++;
		read_modrm(r, o);
	} else if (two_byte_modrm(op)) {
		read_modrm(r, o);
	}
}

void operand_decode(const uint8_t *code, struct operand *o)
{
	struct reader r = {.at = code};
	uint8_t op;

	*o = (struct operand){.base = NO_REGISTER, .index = NO_REGISTER};
	read_prefixes(&r);
	op = *r.at;
	if (op == 0xc4 || op == 0xc5) {
		read_vex(&r, o);
		return;
	}
	r.at++;
	if (op == 0x0f) {
		read_two_byte(&r, o);
	} else if (op == 0xa4 || op == 0xa5 || op == 0xaa || op == 0xab) {
		o->kind = OPERAND_STRING;
		o->repeats = r.repeats;
		o->length = (uint8_t)(r.at - code);
	} else if (op == 0xa2 || op == 0xa3) { /* an absolute address of 8 bytes */
		o->kind = OPERAND_MEMORY;
		memcpy(&o->displacement, r.at, sizeof(o->displacement));
	} else if (one_byte_modrm(op)) {
		read_modrm(&r, o);
	}
}

static uint64_t value_of(const struct user_regs_struct *regs, uint8_t number)
{
	const unsigned long long values[] = {
		regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
		regs->r8,  regs->r9,  regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
	};

	return number == NO_REGISTER ? 0 : values[number & 15];
}

uint64_t operand_address(const struct operand *o, const struct user_regs_struct *regs)
{
	switch (o->kind) {
	case OPERAND_MEMORY:
		return value_of(regs, o->base) + (value_of(regs, o->index) << o->scale) +
			   (uint64_t)o->displacement;
	case OPERAND_STRING: return regs->rdi;
	default: return 0;
	}
}
