/* SPDX-License-Identifier: ISC */
/*
 * A VM and its vCPU. Everything a clone's VM needs is in kvm_state, which it inherited by fork;
 * nothing is read from the parent's vCPU: the kernel keeps the thread in memory and starts it again
 * from constant registers (see arch_clone in kernel/).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/backend/kvm/kvm.h"
#include "monitor/core/host_call.h"

#ifndef KVM_VCPU_TSC_CTRL
#define KVM_VCPU_TSC_CTRL 0
#define KVM_VCPU_TSC_OFFSET 0
#endif

#define APIC_BASE_ENABLE (1ull << 11)
#define MSR_TSC 0x10
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
/*
 * Cleared by `syscall`: AC, NT, IOPL, DF, TF. Not IF: where `syscall` does not enter ring 0 the way
 * back could not set it again, and interrupts would stop.
 */
#define SFMASK_VALUE 0x47500ull
#define RFLAGS_VALUE 0x202ull

FORK_PATH static int set_msrs(const struct kvm_state *s, struct error *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[3];
	} msrs = {
		.head.nmsrs = 3,
		.entries = {
			{ .index = MSR_STAR, .data = (u64)(USER_CS - 16) << 48 | (u64)KERNEL_CS << 32 },
			{ .index = MSR_LSTAR, .data = s->image.lstar },
			{ .index = MSR_SFMASK, .data = SFMASK_VALUE },
		},
	};

	if (ioctl(s->vcpu_fd, KVM_SET_MSRS, &msrs) != 3)
		return error_set(err, errno, "KVM refuses the system-call registers");
	return 0;
}

/*
 * No model-specific register is the guest's to read or write: the kernel's stubs use none, and what
 * is in ring 0 of a hostile guest meets as little of KVM as can be. KVM itself, and the stores
 * through KVM_SET_MSRS, are not meant. One range, which denies like the default, because KVM wants
 * one with that default (KVM_X86_SET_MSR_FILTER).
 */
FORK_PATH static int deny_msrs(const struct kvm_state *s, struct error *err)
{
	u8 none[8] = {0};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = 1,
			.bitmap = none,
		},
	};

	if (s->msr_filter && ioctl(s->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) < 0)
		return error_set(err, errno, "KVM refuses to deny model-specific registers");
	return 0;
}

/* Paravirtual registers and hypercalls exist only as far as CPUID says: not at all. */
FORK_PATH static int enforce_cpuid(const struct kvm_state *s, struct error *err)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = {1}};

	if (s->enforce_cpuid && ioctl(s->vcpu_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error_set(err, errno, "KVM refuses to keep to its paravirtual features");
	return 0;
}

/*
 * The guest's TSC is the host's: all members then share one clock, and a clone continues its
 * parent's. A KVM without the attribute (before Linux 5.16) is told the value, and takes it as a
 * wish to be in step.
 */
FORK_PATH static int set_tsc(const struct kvm_state *s, struct error *err)
{
	u64 offset = 0;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&offset,
	};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = MSR_TSC };

	if (ioctl(s->vcpu_fd, KVM_SET_DEVICE_ATTR, &attr) == 0)
		return 0;
	msrs.entry.data = __builtin_ia32_rdtsc();
	if (ioctl(s->vcpu_fd, KVM_SET_MSRS, &msrs) != 1)
		return error_set(err, errno, "KVM refuses to set the time-stamp counter");
	return 0;
}

/* A new descriptor gets the number that the seccomp program knows it by: that, or -1. */
FORK_PATH static int renumber(int fd, int number)
{
	if (fd < 0 || fd == number)
		return fd;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		number = -1;
	HOST_CALL(SYS_close, fd);
	return number;
}

FORK_PATH static int create_vcpu(struct member *m, struct error *err)
{
	struct kvm_state *s = kvm_state(m);
	struct kvm_run *run;

	s->vcpu_fd = renumber(ioctl(s->vm_fd, KVM_CREATE_VCPU, 0), m->family->vcpu_fd);
	if (s->vcpu_fd < 0)
		return error_set(err, errno, "cannot create a virtual processor");
	run = mmap((void *)VCPU_RUN_ADDR, s->run_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			   s->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return error_set(err, errno, "cannot map a virtual processor");
	s->run = run;
	/* An interrupt from before there was a vCPU to tell. */
	if (m->interrupted)
		run->immediate_exit = 1;
	return 0;
}

FORK_PATH static int set_registers(struct kvm_state *s, bool clone, struct error *err)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .value = s->xcr0 } };
	struct kvm_regs regs = {
		.rip = clone ? s->image.clone_entry : s->image.entry,
		.rsp = IST_STACKS_ADDR + 2 * IST_STACK_SIZE,
		.rflags = RFLAGS_VALUE,
	};
	struct kvm_sregs fresh;

	if (!s->sregs_known) {
		if (ioctl(s->vcpu_fd, KVM_GET_SREGS, &fresh) < 0)
			return error_set(err, errno, "KVM does not show its registers");
		/* There is no interrupt controller: CPUID says so where this bit is off. */
		s->sregs.apic_base = fresh.apic_base & ~APIC_BASE_ENABLE;
		s->sregs.cr8 = fresh.cr8;
		s->sregs_known = true;
	}
	if (ioctl(s->vcpu_fd, KVM_SET_CPUID2, &s->cpuid.head) < 0)
		return error_set(err, errno, "KVM refuses its own processor features");
	if (enforce_cpuid(s, err) < 0)
		return -1;
	if (ioctl(s->vcpu_fd, KVM_SET_SREGS, &s->sregs) < 0)
		return error_set(err, errno, "KVM refuses 64-bit mode with FSGSBASE and XSAVE");
	if (ioctl(s->vcpu_fd, KVM_SET_XCRS, &xcrs) < 0)
		return error_set(err, errno, "KVM refuses XCR0 0x%llx", (unsigned long long)s->xcr0);
	if (set_msrs(s, err) < 0 || set_tsc(s, err) < 0)
		return -1;
	if (ioctl(s->vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return error_set(err, errno, "KVM refuses the first registers");
	return 0;
}

FORK_PATH int kvm_create(struct member *m, bool clone, struct error *err)
{
	struct kvm_state *s = kvm_state(m);
	int fd;

	s->slot_count = 0;
	do
		fd = ioctl(m->family->kvm_fd, KVM_CREATE_VM, 0);
	while (fd < 0 && errno == EINTR);
	s->vm_fd = renumber(fd, m->family->vm_fd);
	if (s->vm_fd < 0)
		return error_set(err, errno, "cannot create a virtual machine%s",
				 errno == EBUSY ? "; another hypervisor is loaded, try --backend process" :
						  "; free memory or try --backend process");
	if (slots_charge(m, err) < 0 || deny_msrs(s, err) < 0 || slots_create(s, err) < 0 ||
		create_vcpu(m, err) < 0)
		return -1;
	return set_registers(s, clone, err);
}

/*
 * The VM belongs to the parent's address space: no ioctl works on it here. The parent's own
 * descriptors stay open.
 */
FORK_PATH void kvm_clone_child(struct member *m)
{
	struct kvm_state *s = kvm_state(m);
	struct kvm_run *run = s->run;

	s->run = NULL;
	HOST_CALL(SYS_munmap, run, s->run_size);
	HOST_CALL(SYS_close, s->vcpu_fd);
	HOST_CALL(SYS_close, s->vm_fd);
	s->vcpu_fd = s->vm_fd = -1;
}
