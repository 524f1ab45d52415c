/* SPDX-License-Identifier: ISC */
/* Which of the two implementations stands behind struct paging_ops. */
#include "kernel/arch/paging.h"
#include "kernel/arch/x86_64/arch_internal.h"

const struct paging_ops *paging;

void paging_init(void)
{
	if (BOOT_INFO->backend == BACKEND_KVM) {
		paging_kvm_init();
		paging = &paging_kvm_ops;
	} else {
		paging = &paging_process_ops;
	}
}
