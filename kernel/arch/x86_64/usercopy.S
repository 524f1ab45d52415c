/* SPDX-License-Identifier: ISC */
/*
 * The instructions that touch application memory. Each that may fault has a pair in .extable: where
 * it is, and where to go on when the address space cannot serve the address (exceptions.c). All
 * follow the C calling convention.
 */

	.macro MAY_FAULT fixup
	.pushsection .extable, "a", @progbits
	.quad 9999f, \fixup
	.popsection
9999:
	.endm

	.section .text

	/*
	 * size_t user_copy(void *dst, const void *src, size_t n): bytes not copied. Short copies go by
	 * words; a word that faults is tried again by bytes, so that the count is exact.
	 */
	.balign 32
	.globl user_copy
user_copy:
	mov %rdx, %rcx
	cmp $128, %rcx
	ja copy_bytes
	sub $8, %rcx
	jb 2f
1:
	MAY_FAULT copy_rest
	mov (%rsi), %rax
	MAY_FAULT copy_rest
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	sub $8, %rcx
	jae 1b
2:
	add $8, %rcx
copy_bytes:
	MAY_FAULT copy_done
	rep movsb
copy_done:
	mov %rcx, %rax
	ret
copy_rest:
	add $8, %rcx
	jmp copy_bytes

	/* size_t user_zero(void *dst, size_t n): bytes not zeroed. */
	.balign 32
	.globl user_zero
user_zero:
	mov %rsi, %rcx
	xor %eax, %eax
	MAY_FAULT zero_done
	rep stosb
zero_done:
	mov %rcx, %rax
	ret

	/* int user_read32(const u32 *addr, u32 *value) */
	.balign 16
	.globl user_read32
user_read32:
	MAY_FAULT word_fault
	mov (%rdi), %eax
	mov %eax, (%rsi)
	xor %eax, %eax
	ret

	/* int user_swap32(u32 *addr, u32 expected, u32 desired, u32 *found) */
	.balign 16
	.globl user_swap32
user_swap32:
	mov %esi, %eax
	MAY_FAULT word_fault
	lock cmpxchg %edx, (%rdi)
	mov %eax, (%rcx)
	xor %eax, %eax
	ret

word_fault:
	mov $1, %eax
	ret

	.section .note.GNU-stack, "", @progbits
