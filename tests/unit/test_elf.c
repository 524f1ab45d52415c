/* SPDX-License-Identifier: ISC */
/*
 * The ELF parser: a good header, each lie about it alone, and a million bytes of noise in accepted
 * places.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <asm/errno.h>
#include <linux/elf.h>

#include "common/elf.h"

static Elf64_Ehdr good_header(void)
{
	Elf64_Ehdr e = {.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_entry = 0x401000, .e_phoff = 64,
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3};

	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	return e;
}

static void good_table(Elf64_Phdr p[3])
{
	memset(p, 0, 3 * sizeof(*p));
	p[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_memsz =
		0x1234,
		.p_filesz = 0x1234, .p_align = 0x1000};
	p[1] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1f00, .p_vaddr =
		0x402f00,
		.p_filesz = 0x200, .p_memsz = 0x3000, .p_align = 0x200000};
	p[2] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X};
}

static int layout(const Elf64_Phdr *p, struct elf_layout *l)
{
	Elf64_Ehdr e = good_header();
	struct elf_header h;

	assert_int_equal(elf_header_parse(&e, sizeof(e), &h), 0);
	return elf_layout_parse(&h, p, l);
}

static void test_good(void **state)
{
	struct elf_segment s;
	struct elf_layout l;
	Elf64_Phdr p[3];

	good_table(p);
	assert_int_equal(layout(p, &l), 0);
	assert_int_equal(l.low, 0x400000);
	assert_int_equal(l.high, 0x406000);
	assert_int_equal(l.memory_end, 0x405f00);
	assert_int_equal(l.align, 0x200000);
	assert_int_equal(l.file_end, 0x2100);
	assert_int_equal(l.phdr_vaddr, 0x400040);
	assert_true(l.exec_stack);
	assert_int_equal(l.interp_len, 0);
	assert_int_equal(l.data_start, 0x402f00);
	assert_int_equal(l.code_end, 0x401234);
	assert_true(elf_segment_get(p, 1, &s));
	assert_int_equal(s.flags, ELF_R | ELF_W);
	assert_int_equal(s.memsz, 0x3000);
	assert_false(elf_segment_get(p, 2, &s));
}

#define BAD_HEADER(field, value)                                                                   \
	do {                                                                                       \
		Elf64_Ehdr bad = good_header();                                                    \
		struct elf_header out;                                                             \
		bad.field = (value);                                                               \
		assert_int_equal(elf_header_parse(&bad, sizeof(bad), &out), -ENOEXEC);             \
	} while (0)

static void test_bad_headers(void **state)
{
	Elf64_Ehdr e = good_header();
	struct elf_header h;

	BAD_HEADER(e_ident[0], 'E');
	BAD_HEADER(e_ident[EI_CLASS], ELFCLASS32);
	BAD_HEADER(e_ident[EI_DATA], ELFDATA2MSB);
	BAD_HEADER(e_machine, EM_386);
	BAD_HEADER(e_type, ET_REL);
	BAD_HEADER(e_phentsize, 32);
	BAD_HEADER(e_phnum, 0);
	BAD_HEADER(e_phnum, 0xffff);
	BAD_HEADER(e_phoff, -8ull);
	for (size_t len = 0; len < sizeof(e); len++)
		assert_int_equal(elf_header_parse(&e, len, &h), -ENOEXEC);
}

#define BAD_SEGMENT(index, field, value, error)                                                    \
	do {                                                                                       \
		struct elf_layout out;                                                             \
		Elf64_Phdr bad[3];                                                                 \
		good_table(bad);                                                                   \
		bad[index].field = (value);                                                        \
		assert_int_equal(layout(bad, &out), error);                                        \
	} while (0)

static void test_bad_segments(void **state)
{
	Elf64_Phdr none[3] = {0};
	struct elf_layout l;

	BAD_SEGMENT(0, p_filesz, 0x1235, -EINVAL);          /* more in the file than in memory */
	BAD_SEGMENT(0, p_memsz, -1ull, -EINVAL);
	BAD_SEGMENT(0, p_vaddr, -0x1000ull, -EINVAL);
	BAD_SEGMENT(0, p_vaddr, 0x500000, 0);               /* descending: as it is */
	BAD_SEGMENT(0, p_memsz, 0x3000, 0);                 /* overlapping: the later one counts */
	BAD_SEGMENT(1, p_offset, 0x1f01, -EINVAL);          /* not congruent */
	BAD_SEGMENT(1, p_offset, 0x7ffffffffffff000ull + 0xf00, -EINVAL);
	BAD_SEGMENT(1, p_vaddr, 0x7ffffffff000ull + 0xf00, -EINVAL);
	BAD_SEGMENT(1, p_align, 3, 0);                      /* ignored, as on Linux */
	BAD_SEGMENT(2, p_type, PT_INTERP, -ENOEXEC);        /* of length 0 */
	assert_int_equal(layout(none, &l), -EINVAL);
}

/* Whatever is accepted keeps the promises that loaders rely on. */
static void check_promises(const struct elf_header *h, const void *table,
	const struct elf_layout *l)
{
	assert_true(l->low < l->high && l->high <= ELF_ADDRESS_END + PAGE_SIZE);
	assert_true(l->align >= PAGE_SIZE && (l->align & (l->align - 1)) == 0);
	for (u32 i = 0; i < h->phnum; i++) {
		struct elf_segment s;

		if (!elf_segment_get(table, i, &s))
			continue;
		assert_true(s.vaddr + s.memsz > s.vaddr && s.filesz <= s.memsz);
		assert_true(s.vaddr >= l->low && s.vaddr + s.memsz <= l->high);
		if (s.filesz)
			assert_true((s.offset - s.vaddr) % PAGE_SIZE == 0 &&
				s.offset + s.filesz <= l->file_end);
	}
}

static void test_noise(void **state)
{
	static const u64 values[] = {0, 1, 0xfff, 0x1000, 0x400000, 0x402f00, ~0ull, 1ull << 63,
		1ull << 47, 0x7fffffffffff0000};
	u64 seed = 42, accepted = 0;

	for (int round = 0; round < 300000; round++) {
		Elf64_Ehdr e = good_header();
		struct elf_header h;
		struct elf_layout l;
		Elf64_Phdr p[3];
		u64 *words = (u64 *)p;

		good_table(p);
		for (int n = 0; n < 3; n++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			words[(seed >> 33) % (sizeof(p) / 8)] = values[(seed >> 50) % ARRAY_SIZE(values)];
		}
		assert_int_equal(elf_header_parse(&e, sizeof(e), &h), 0);
		if (elf_layout_parse(&h, p, &l) == 0) {
			check_promises(&h, p, &l);
			accepted++;
		}
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_segments), cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
