/* SPDX-License-Identifier: ISC
 *
 * Part of the host executable, not of the kernel: carries the kernel's stripped ELF as read-only
 * data. KERNEL_ELF is set by kernel/meson.build.
 */
    .section .rodata.kernel_image, "a", @progbits
    .balign 4096
    .globl unifork_kernel_elf_start, unifork_kernel_elf_end
    .hidden unifork_kernel_elf_start, unifork_kernel_elf_end
    .type unifork_kernel_elf_start, @object
unifork_kernel_elf_start:
    .incbin KERNEL_ELF
unifork_kernel_elf_end:
    .size unifork_kernel_elf_start, . - unifork_kernel_elf_start
    .section .note.GNU-stack, "", @progbits
