/* SPDX-License-Identifier: ISC
 *
 * Part of the host executable, not of the kernel: carries the kernel's stripped ELF as read-only
 * data. KERNEL_ELF is set by kernel/meson.build.
 */
    .section .rodata.kernel_image, "a", @progbits
    .balign 4096
    .globl mitos_kernel_elf_start, mitos_kernel_elf_end
    .hidden mitos_kernel_elf_start, mitos_kernel_elf_end
    .type mitos_kernel_elf_start, @object
mitos_kernel_elf_start:
    .incbin KERNEL_ELF
mitos_kernel_elf_end:
    .size mitos_kernel_elf_start, . - mitos_kernel_elf_start
    .section .note.GNU-stack, "", @progbits
