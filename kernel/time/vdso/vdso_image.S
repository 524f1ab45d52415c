/* SPDX-License-Identifier: ISC
 *
 * The vDSO as read-only data of the kernel. VDSO_ELF is set by kernel/time/meson.build.
 */
    .section .rodata.vdso, "a", @progbits
    .balign 16
    .globl vdso_image_start, vdso_image_end
    .type vdso_image_start, @object
vdso_image_start:
    .incbin VDSO_ELF
vdso_image_end:
    .size vdso_image_start, . - vdso_image_start
    .section .note.GNU-stack, "", @progbits
