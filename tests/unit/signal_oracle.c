/* SPDX-License-Identifier: ISC */
/*
 * The host's own signal frame, for comparison: a file of its own because it needs the C library's
 * <signal.h>.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "monitor/backend/process/xsave.h"
#include "tests/unit/signal_oracle.h"

#define ARCH_GET_XCOMP_PERM 0x1022

static struct frame_facts facts;

static void handler(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t size, magic2;

	(void)number;
	facts.uc_flags = uc->uc_flags;
	facts.info_from_uc = (long)((char *)info - (char *)uc);
	facts.uc_alignment = (uintptr_t)uc % 16;
	facts.fp_alignment = (uintptr_t)fp % 64;
	memcpy(&facts.magic1, fp + 464, 4);
	memcpy(&facts.extended_size, fp + 468, 4);
	memcpy(&facts.xfeatures, fp + 472, 8);
	memcpy(&size, fp + 480, 4);
	facts.xstate_size = size;
	memcpy(&magic2, fp + size, 4);
	facts.magic2 = magic2;
	memcpy(&facts.xstate_bv, fp + 512, 8);
	memcpy(&facts.fcw, fp, 2);
	facts.stack_flags = uc->uc_stack.ss_flags;
}

const struct frame_facts *oracle_frame(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return &facts;
}

uint64_t oracle_usable(void)
{
	uint32_t low, high;
	uint64_t permitted = 0;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if (syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &permitted) < 0)
		permitted = 0;
	return xsave_usable((uint64_t)high << 32 | low, permitted);
}
