/* SPDX-License-Identifier: ISC */
/* Does KVM work here? And the backend's table of operations. */
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor/backend/kvm/kvm.h"

#define HWCAP2_FSGSBASE_BIT 2

static const struct backend_ioctl kvm_ioctls[] = {
	{KVM_RUN, IOCTL_ON_VCPU},                   /* enter the guest */
	{KVM_GET_REGS, IOCTL_ON_VCPU},              /* where an interrupt found it */
	{KVM_SET_REGS, IOCTL_ON_VCPU},              /* send it to the kernel's trap entry */
	{KVM_SET_USER_MEMORY_REGION, IOCTL_ON_VM},  /* hypercall populate; a clone's slots */
	/* From here on: a clone's VM. */
	{KVM_CREATE_VM, IOCTL_ON_KVM},
	{KVM_CREATE_VCPU, IOCTL_ON_VM},
	{KVM_X86_SET_MSR_FILTER, IOCTL_ON_VM},
	{KVM_SET_CPUID2, IOCTL_ON_VCPU},
	{KVM_ENABLE_CAP, IOCTL_ON_VCPU},            /* paravirtual features only as CPUID has them */
	{KVM_SET_XCRS, IOCTL_ON_VCPU},
	{KVM_SET_SREGS, IOCTL_ON_VCPU},
	{KVM_SET_MSRS, IOCTL_ON_VCPU},
	{KVM_SET_DEVICE_ATTR, IOCTL_ON_VCPU},       /* TSC offset */
	{0, IOCTL_ON_KVM},
};

struct required {
	int cap;
	const char *name;
};

static const struct required required[] = {
	{KVM_CAP_USER_MEMORY, "user memory"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
	{KVM_CAP_NR_MEMSLOTS, "memory slots"},
	{KVM_CAP_XCRS, "XCR0"},
	{KVM_CAP_EXT_CPUID, "CPUID"},
	{KVM_CAP_SYNC_MMU, "memory that the host manages"},
};

/*
 * No VM is created on trial: destroying one costs milliseconds, and the first member's start says
 * as much.
 */
static int probe_fd(int fd, struct error *err)
{
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return error_set(err, errno, "/dev/kvm is not KVM");
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, required[i].cap) <= 0)
			return error_set(err, 0, "this KVM lacks %s", required[i].name);
	return 0;
}

/*
 * Two numbers that no other descriptor of the family will have: each monitor's VM and vCPU get
 * them, so that its seccomp program knows them by number (vcpu.c). These two themselves stay with
 * the supervisor.
 */
static int reserve_numbers(struct family *f, struct error *err)
{
	f->vm_fd = fcntl(f->kvm_fd, F_DUPFD_CLOEXEC, f->kvm_fd);
	f->vcpu_fd = fcntl(f->kvm_fd, F_DUPFD_CLOEXEC, f->kvm_fd);
	if (f->vm_fd < 0 || f->vcpu_fd < 0)
		return error_set(err, errno, "cannot reserve descriptors; raise the limit of open files");
	return 0;
}

static int kvm_probe(struct family *f, struct error *err)
{
	int fd;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT))
		return error_set(err, 0, "processor or host kernel lacks FSGSBASE (Linux 5.9 has it)");
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "cannot open /dev/kvm%s",
				 errno == EACCES ? "; is the user in group kvm?" : "");
	if (probe_fd(fd, err) < 0) {
		close(fd);
		return -1;
	}
	f->kvm_fd = fd;
	return reserve_numbers(f, err);
}

const struct backend_ops backend_kvm = {
	.name = "kvm",
	.kind = BACKEND_KVM,
	.ioctls = kvm_ioctls,
	.probe = kvm_probe,
	.boot = kvm_boot,
	.create = kvm_create,
	.clone_child = kvm_clone_child,
	.run = kvm_run_member,
	.populate = kvm_populate,
	.map_anon = kvm_map_anon,
	.map_file = kvm_map_file,
	.map_kin = kvm_map_kin,
	.protect = kvm_protect,
	.unmap = kvm_unmap,
};
