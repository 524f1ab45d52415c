/* SPDX-License-Identifier: ISC */
/*
 * The address space of a member. A virtual address in the kernel's window or in kin is the same in
 * the guest and in the monitor's host process; in the window it is guest-physical too. An
 * application may lie anywhere else below USER_ADDRESS_END. In the process backend that is its
 * address on the host too; on kvm the memory behind it lies in [FRAMES_BASE, FRAMES_END), of the
 * guest's physical space as of the monitor's, and the kernel's page tables lead there
 * (kernel/arch/x86_64/frames_kvm.c).
 *
 * Also read by assembly and the linker script: plain macros only, no C.
 */
#ifndef ABI_LAYOUT_H
#define ABI_LAYOUT_H

/*
 * kvm: memory slots come in chunks of SLOT_CHUNK, aligned; the kernel asks for blocks of
 * SLOT_BLOCK. What nearly every program needs has slots from the start: SLOTS_AT_BOOT(X) names the
 * ranges of guest-physical addresses. A slot costs every clone time by its number and, where KVM
 * keeps page tables of its own for the guest, time and 10 bytes of host memory for each of its
 * pages.
 */
#define SLOT_CHUNK 0x400000
#define SLOT_BLOCK 0x1000000
#define SLOTS_AT_BOOT(X)                                                                           \
	X(KERNEL_BASE, KERNEL_HEAP_BOOT)    /* the kernel */                                           \
	X(FRAMES_BOOT, FRAMES_END)          /* the application */                                      \
	X(KIN_PHYSICAL, KIN_PHYSICAL + SLOT_KIN_BOOT)
#define SLOT_KIN_BOOT 0x800000

/* Private memory, given by the host on first touch. On kvm guest-physical memory. */
#define PRIVATE_BASE 0x10000
#define PRIVATE_END 0x4000000000 /* 2^38 */
#define FRAMES_BASE 0x40000000
#define FRAMES_BOOT 0x3ffe000000 /* from here on there are slots from the start */
#define FRAMES_END PRIVATE_END

/*
 * What redirected system calls jump through: `jmp *0x050fNNNN` ends in the bytes of the `syscall`
 * that it replaces, so that the place is given by its code (redirect.c). A program whose own fixed
 * addresses lie here has them; its calls trap.
 */
#define CALL_TABLE_ADDR 0x050f0000
#define CALL_TABLE_SIZE 0x10000

/*
 * The kernel's window. Everything in it belongs to the kernel; an application address never lies
 * in it. Below it is room for the largest programs at fixed addresses (Node.js: 91 MiB).
 */
#define KERNEL_BASE 0x35000000
/* Three on one page, because every page that is written after a fork costs a fault. */
#define PERCPU_ADDR 0x35001000      /* struct percpu, 2 KiB, kernel/arch/x86_64/arch.h */
#define HYPERCALL_ADDR 0x35001800   /* struct hypercall_frame, 1 KiB, abi/hypercall.h */
#define BOOT_INFO_ADDR 0x35001c00   /* struct boot_info, 1 KiB, written by the monitor */
#define HYPERCALL_PORT 0x40         /* kvm: `out` to it leaves the VM */
#define CPU_TABLES_ADDR 0x35003000  /* GDT and TSS, then the IDT: filled by the kvm backend */
#define CPU_TABLES_SIZE 0x8000
#define IST_STACKS_ADDR 0x3500c000  /* kvm: exceptions arrive here; then a panic stack */
#define IST_STACK_SIZE 0x4000
#define ALTSTACK_ADDR 0x35014000    /* process backend: alternate signal stack */
#define ALTSTACK_SIZE 0xc000
#define VDSO_ADDR 0x35020000        /* application code up to SITE_STUBS_ADDR: the exception */
#define VDSO_SIZE 0x4000
#define SITE_TAILS_ADDR 0x35024000  /* tails of displaced sites (redirect.c) */
#define SITE_TAILS_SIZE 0xc000
#define SITE_STUBS_ADDR 0x35030000  /* one stub per redirected system-call site */
#define SITE_STUBS_SIZE 0xb0000
#define KERNEL_IMAGE 0x35100000     /* linked address of the kernel */
#define KERNEL_IMAGE_END 0x35800000
#define KERNEL_HEAP 0x35800000      /* private kernel memory: heap, kernel stacks, page tables */
#define KERNEL_HEAP_BOOT 0x35c00000 /* kvm: the rest has no slot until it is needed */
#define KERNEL_HEAP_END 0x38000000
#define KERNEL_END 0x38000000

/* Where the kernel places what the application does not place itself. */
#define USER_PIE_BASE 0x555555554000 /* Linux's ELF_ET_DYN_BASE */
#define USER_BRK_BASE 0x38000000    /* brk of non-PIE programs, beyond the kernel's window */
#define USER_STACK_TOP USER_ADDRESS_END /* stack, and mmap areas below it, top down */
#define USER_STACK_SIZE 0x800000
#define USER_ADDRESS_END 0x7ffffffff000 /* what Linux allows to ask for */

/*
 * Kin: the family's shared segment, a sparse memfd sealed at this size. It lies where no program
 * looks for memory: the shadow memory of sanitizers, the heaps of garbage collectors and what Linux
 * chooses itself are elsewhere. On kvm its guest-physical address is one of 39 bits.
 */
#define KIN_BASE 0x470000000000
#define KIN_PHYSICAL 0x4000000000 /* right after the frames */
#define KIN_SIZE 0x1000000000 /* 64 GiB of addresses; memory is what was touched */
#define KIN_END (KIN_BASE + KIN_SIZE)

#endif
