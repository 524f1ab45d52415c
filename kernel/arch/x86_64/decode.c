/* SPDX-License-Identifier: ISC */
/*
 * An instruction-length decoder in two tables. What it does not know it refuses; the caller then
 * leaves the system-call site alone, so a gap here costs speed and never correctness.
 */
#include "kernel/arch/x86_64/decode.h"

/* How an opcode goes on. */
enum {
	N = 0,  /* nothing */
	M,      /* ModRM */
	MB,     /* ModRM, imm8 */
	MZ,     /* ModRM, imm32 (imm16 with 66) */
	B,      /* imm8 */
	Z,      /* imm32 (imm16 with 66) */
	W,      /* imm16 */
	V,      /* imm32, imm16, or imm64 with REX.W */
	O,      /* 8-byte address */
	E,      /* imm16, imm8 */
	J1,     /* rel8 */
	J4,     /* rel32 */
	G,      /* group 3: ModRM, and an immediate if reg is 0 or 1 */
	X = 15, /* not in 64-bit mode, a prefix, or not known */
};

static const u8 one_byte[256] = {
	/* 00 */ M,  M,  M,  M,  B,  Z,  X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,
	/* 10 */ M,  M,  M,  M,  B,  Z,  X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,
	/* 20 */ M,  M,  M,  M,  B,  Z,  X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,
	/* 30 */ M,  M,  M,  M,  B,  Z,  X,  X,  M,  M,  M,  M,  B,  Z,  X,  X,
	/* 40 */ X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
	/* 50 */ N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
	/* 60 */ X,  X,  X,  M,  X,  X,  X,  X,  Z,  MZ, B,  MB, N,  N,  N,  N,
	/* 70 */ J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1,
	/* 80 */ MB, MZ, X,  MB, M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,  M,
	/* 90 */ N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  X,  N,  N,  N,  N,  N,
	/* a0 */ O,  O,  O,  O,  N,  N,  N,  N,  B,  Z,  N,  N,  N,  N,  N,  N,
	/* b0 */ B,  B,  B,  B,  B,  B,  B,  B,  V,  V,  V,  V,  V,  V,  V,  V,
	/* c0 */ MB, MB, W,  N,  X,  X,  MB, MZ, E,  N,  W,  N,  N,  B,  X,  N,
	/* d0 */ M,  M,  M,  M,  X,  X,  X,  N,  M,  M,  M,  M,  M,  M,  M,  M,
	/* e0 */ J1, J1, J1, J1, B,  B,  B,  B,  J4, J4, X,  J1, N,  N,  N,  N,
	/* f0 */ X,  N,  X,  X,  N,  N,  G,  G,  N,  N,  N,  N,  N,  N,  M,  M,
};

/* After 0f: anything not listed has a ModRM byte. */
static u8 two_byte(u8 op)
{
	switch (op) {
	case 0x05:
	case 0x06:
	case 0x07:
	case 0x08:
	case 0x09:
	case 0x0b:
	case 0x77:
	case 0x30 ... 0x35:
	case 0xa0 ... 0xa2:
	case 0xa8 ... 0xaa:
	case 0xc8 ... 0xcf: return N;
	case 0x70 ... 0x73:
	case 0xa4:
	case 0xac:
	case 0xba:
	case 0xc2:
	case 0xc4 ... 0xc6: return MB;
	case 0x80 ... 0x8f: return J4;
	case 0x04:
	case 0x0a:
	case 0x0c:
	case 0x0f:
	case 0x24 ... 0x27:
	case 0x36:
	case 0x37:
	case 0x39:
	case 0x3b ... 0x3f: return X;
	default: return M;
	}
}

struct cursor {
	const u8 *code;
	size_t size, at;
	bool operand16, rex_w;
};

static int next(struct cursor *c)
{
	return c->at < c->size && c->at < INSN_MAX ? c->code[c->at++] : -1;
}

/* Prefixes, then the opcode's form; VEX and EVEX are prefixes that name the opcode map. */
static int opcode_form(struct cursor *c, int *opcode)
{
	int b, map = 0;

	while ((b = next(c)) >= 0) {
		if (b == 0x66)
			c->operand16 = true;
		else if (b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 && b != 0x64 && b != 0x65 &&
				 b != 0x67 && b != 0xf0 && b != 0xf2 && b != 0xf3)
			break;
	}
	if (b >= 0x40 && b <= 0x4f) {
		c->rex_w = b & 8;
		b = next(c);
	}
	if (b == 0x0f) {
		b = next(c);
		map = b == 0x38 ? 2 : b == 0x3a ? 3 : 1;
		if (map > 1)
			b = next(c);
	} else if (b == 0xc5) {
		next(c);
		map = 1;
		b = next(c);
	} else if (b == 0xc4 || b == 0x62) {
		bool evex = b == 0x62;
		b = next(c);
		map = b & (evex ? 7 : 31);
		next(c);
		if (evex)
			next(c);
		b = next(c);
		if (map < 1 || map > 3)
			return X;
	}
	*opcode = map ? -1 : b;
	if (b < 0)
		return X;
	return map == 0 ? one_byte[b] : map == 1 ? two_byte(b) : map == 2 ? M : MB;
}

/* Skips ModRM, SIB and displacement; returns the reg field, or -1. */
static int skip_modrm(struct cursor *c)
{
	int modrm = next(c), mod = modrm >> 6, rm = modrm & 7;

	if (modrm < 0)
		return -1;
	if (mod != 3) {
		int base = rm;
		if (rm == 4) {
			int sib = next(c);
			if (sib < 0)
				return -1;
			base = sib & 7;
		}
		if (mod == 1)
			c->at += 1;
		else if (mod == 2 || base == 5)
			c->at += 4;
	}
	return modrm >> 3 & 7;
}

static s32 read_rel(const struct cursor *c, size_t at, size_t n)
{
	u32 v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (u32)c->code[at + i] << 8 * i;
	return n == 1 ? (s8)v : (s32)v;
}

int insn_decode(struct insn *in, const u8 *code, size_t size, u64 rip)
{
	struct cursor c = {.code = code, .size = size};
	int opcode, form = opcode_form(&c, &opcode), reg;
	size_t z, rel = 0;

	z = c.operand16 ? 2 : 4;
	if (form == M || form == MB || form == MZ || form == G) {
		reg = skip_modrm(&c);
		if (reg < 0)
			return -1;
		if (form == G && reg < 2)
			form = opcode == 0xf6 ? MB : MZ;
	}
	switch (form) {
	case N:
	case M:
	case G: break;
	case MB:
	case B: c.at += 1; break;
	case MZ:
	case Z: c.at += z; break;
	case W: c.at += 2; break;
	case V: c.at += c.rex_w ? 8 : z; break;
	case O: c.at += 8; break;
	case E: c.at += 3; break;
	case J1:
		rel = 1;
		c.at += 1;
		break;
	case J4:
		rel = 4;
		c.at += 4;
		break;
	default: return -1;
	}
	if (c.at > size || c.at > INSN_MAX)
		return -1;
	in->length = c.at;
	in->branch = rel != 0;
	in->target = rel ? rip + c.at + read_rel(&c, c.at - rel, rel) : 0;
	return 0;
}
