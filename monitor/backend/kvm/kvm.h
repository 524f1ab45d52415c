/* SPDX-License-Identifier: ISC */
/*
 * The kvm backend: one member in one VM with one vCPU, driven through /dev/kvm without an irqchip.
 * Guest-physical memory is this process' own at the same addresses, but for kin, which both have
 * at a virtual address of its own; so a fork of the process copies it. What the child must make
 * anew is the VM around it.
 *
 *	boot.c         page and descriptor tables, boot_info; what a member's VM and its clones share
 *	cpuid.c        what the guest sees of the processor
 *	vcpu.c         a VM and its vCPU, fresh or for a clone
 *	slots.c        memory slots, in chunks of SLOT_CHUNK
 *	slot_memory.c  the hypercalls that change what lies behind the slots
 *	vcpu_run.c     KVM_RUN and what comes out of it; interrupts
 */
#ifndef MONITOR_BACKEND_KVM_KVM_H
#define MONITOR_BACKEND_KVM_KVM_H

#include <linux/kvm.h>

#include "abi/layout.h"
#include "monitor/core/monitor.h"

#define PHYSICAL_END (KIN_PHYSICAL + KIN_SIZE)
#define CHUNKS (PHYSICAL_END / SLOT_CHUNK)
#define CPUID_ENTRIES 256

/* Descriptor tables within CPU_TABLES_ADDR. */
#define GDT_ADDR CPU_TABLES_ADDR
#define TSS_ADDR (CPU_TABLES_ADDR + 0x100)
#define IDT_ADDR (CPU_TABLES_ADDR + 0x1000)
/*
 * Selectors. STAR derives its own from KERNEL_CS. User code and stack are those of Linux; there is
 * no 32-bit code segment.
 */
#define KERNEL_CS 0x10
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40
#define GDT_SIZE 0x50

struct kvm_cpuid_table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
};

/* Private to the monitor process; a clone inherits a copy and replaces the VM. */
struct kvm_state {
	int vm_fd, vcpu_fd;               /* the family's numbers for them, or -1 */
	struct kvm_run *volatile run;     /* NULL while there is no vCPU; the signal handler looks */
	size_t run_size;
	struct kernel_image image;        /* a copy: the guest can overwrite the original */
	struct kvm_sregs sregs;           /* of a vCPU's first instruction */
	bool sregs_known;                 /* also what a new vCPU brings along */
	u64 xcr0;
	bool msr_filter, enforce_cpuid;   /* KVM can */
	struct kvm_cpuid_table cpuid;
	u32 slot_count, slots_max;        /* of this VM */
	u64 slot_bytes, slot_bytes_max;   /* that the host keeps for its slots */
	struct ledger_row *ledger;        /* where they are noted, or NULL */
	u32 chunk_count;
	u64 chunks[CHUNKS / 64];          /* chunks that have a slot, or will have in a clone */
	u64 file_granules[PRIVATE_END / HUGE_SIZE / 64]; /* 2 MiB that a file may be mapped in */
};

static inline struct kvm_state *kvm_state(struct member *m)
{
	return m->backend_state;
}

/* What the guest sees of the processor, cpuid.c. */
int cpuid_choose(struct member *m, struct error *err) MUST_CHECK;
u32 cpuid_xsave_size(const struct kvm_state *s);

int kvm_boot(struct member *m, struct error *err) MUST_CHECK;
int kvm_create(struct member *m, bool clone, struct error *err) MUST_CHECK;
void kvm_clone_child(struct member *m);

/* Before the first slot of a VM: where its records are charged. */
int slots_charge(struct member *m, struct error *err) MUST_CHECK;
/* All chunks of the state in as few slots as is sensible. For a VM that has none yet. */
int slots_create(struct kvm_state *s, struct error *err) MUST_CHECK;
/* Notes chunks [from, to) without making a slot. */
void slots_note(struct kvm_state *s, u64 from, u64 to);
s64 kvm_populate(struct member *m, u64 addr, u64 len);

s64 kvm_map_anon(struct member *m, u64 addr, u64 len, int prot);
s64 kvm_map_file(struct member *m, u64 addr, u64 len, int prot, int fd, u64 offset, int flags);
s64 kvm_map_kin(struct member *m, u64 addr, u64 len, u64 kin_offset, int prot);
s64 kvm_protect(struct member *m, u64 addr, u64 len, int prot);
s64 kvm_unmap(struct member *m, u64 addr, u64 len);

void kvm_run_member(struct member *m, bool clone);
int interrupt_install(struct member *m, struct error *err) MUST_CHECK;

#endif
