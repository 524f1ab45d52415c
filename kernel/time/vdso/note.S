/* SPDX-License-Identifier: ISC
 *
 * The note by which C libraries learn the version of Linux without a system call; the same as
 * uname's.
 */
    .section .note.Linux, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, 0
1:  .asciz "Linux"
2:  .balign 4
3:  .long 6 << 16 | 1 << 8
4:
    .section .note.GNU-stack, "", @progbits
