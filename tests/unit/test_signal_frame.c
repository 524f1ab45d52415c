/* SPDX-License-Identifier: ISC */
/*
 * The frame under a handler: its layout against the host's own, registers there and back, the
 * alternate stack, and contexts that a program has damaged. Runs the kernel's FPU code on the
 * host's FPU; the sizes of other processors are simulated.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/errno.h>
#include <asm/sigcontext.h>
#include <cpuid.h>
#include <linux/signal.h>
#include <asm/ucontext.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/task/task_hooks.h"
#include "kernel/signal/signal_delivery.h"
#include "kernel/task/signal_queue.h"
#include "kernel/syscall/syscall.h"
#include "tests/unit/signal_oracle.h"
#include "tests/unit/xsave_models.h"

void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset);

static char user_stack[65536] __attribute__((aligned(64)));
static char alt_stack[32768] __attribute__((aligned(64)));
static char kstack[4096] __attribute__((aligned(64)));
static char xsave[16384] __attribute__((aligned(64)));
static struct kin_proc kin_process;
static struct proc process;
static struct thread thread;
static bool segv_forced, memory_gone;

/* ---- what the frame code needs of the kernel */

int copy_in(void *dst, const void *src, size_t n)
{
	if (memory_gone)
		return -EFAULT;
	memcpy(dst, src, n);
	return 0;
}

int copy_out(void *dst, const void *src, size_t n)
{
	return copy_in(dst, src, n);
}

void signal_set_blocked(sigset blocked)
{
	thread.sig.blocked = blocked;
}

void signal_force_segv(int while_delivering)
{
	(void)while_delivering;
	segv_forced = true;
}

/* ---- */

static const struct signal_action action = { .handler = 0x401000, .restorer = 0x402000,
	.flags = SA_RESTORER | SA_SIGINFO };
static const struct ksiginfo info = { .signo = SIGUSR1, .code = SI_QUEUE,
	.rt = { .pid = 7, .value = 0x1234567890 } };

struct seen {
	u64 return_address;
	struct ucontext uc;
	struct ksiginfo info;
};

static void processor_set(u64 mask, u32 size)
{
	BOOT_INFO->xsave_mask = mask;
	BOOT_INFO->xsave_size = size;
}

static void processor_this(void)
{
	struct xsave_component components[XSAVE_COMPONENTS] = { { 0 } };
	u64 mask = oracle_usable();
	u32 c, d;

	for (u32 i = 2; i < XSAVE_COMPONENTS; i++)
		__cpuid_count(0xd, i, components[i].size, components[i].offset, c, d);
	processor_set(mask, xsave_size(mask, components));
}

static int map_low(void **state)
{
	(void)state;
	if (mmap((void *)KERNEL_BASE, 0x10000, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)KERNEL_BASE)
		return -1;
	processor_this();
	return BOOT_INFO->xsave_size > sizeof(xsave) ? -1 : 0;
}

static int set_up(void **state)
{
	(void)state;
	processor_this();
	thread = (struct thread){ .arch.xsave = xsave, .proc = &process,
		.arch.kstack_top = (u64)kstack + sizeof(kstack) };
	process.kp = &kin_process;
	current = &thread;
	segv_forced = memory_gone = false;
	*thread_frame(&thread) = (struct trapframe){
		.r15 = 15, .r14 = 14, .r13 = 13, .r12 = 12, .r11 = 11, .r10 = 10, .r9 = 9, .r8 = 8,
		.rbp = 105, .rbx = 103, .rax = 100,
		.rcx = 101, .rdx = 102, .rsi = 106, .rdi = 107, .orig_rax = 39,
		.rip = 0x400123, .cs = 0x33, .rflags = 0x202 | 0x400 | 1, .ss = 0x2b,
		.rsp = (u64)user_stack + 60001,
	};
	return 0;
}

static struct seen *push(const struct signal_action *a)
{
	struct trapframe *f = thread_frame(&thread);

	assert_int_equal(signal_frame_push(f, SIGUSR1, &info, a), 0);
	return (struct seen *)f->rsp;
}

static void test_layout(void **state)
{
	const struct frame_facts *host = oracle_frame();
	struct seen *s = push(&action);
	const u8 *fp = (const u8 *)s->uc.uc_mcontext.fpstate;
	const struct _fpx_sw_bytes *software = (const void *)(fp + 464);
	u32 magic2;

	(void)state;
	assert_int_equal(s->uc.uc_flags, host->uc_flags);
	assert_int_equal((long)((char *)&s->info - (char *)&s->uc), host->info_from_uc);
	assert_int_equal((u64)&s->uc % 16, host->uc_alignment);
	assert_int_equal((u64)fp % 64, host->fp_alignment);
	assert_int_equal(software->magic1, host->magic1);
	assert_int_equal(software->extended_size, host->extended_size);
	assert_int_equal(software->xfeatures, host->xfeatures);
	assert_int_equal(software->xstate_size, host->xstate_size);
	memcpy(&magic2, fp + software->xstate_size, sizeof(magic2));
	assert_int_equal(magic2, host->magic2);
	assert_int_equal(*(const u16 *)fp, host->fcw);
	assert_int_equal(*(const u64 *)(fp + 512) & 3, host->xstate_bv & 3);
	assert_int_equal(s->uc.uc_stack.ss_flags, host->stack_flags);
}

static void test_handler_entry(void **state)
{
	const struct trapframe *f = thread_frame(&thread);
	u64 rsp = f->rsp;
	struct seen *s;

	(void)state;
	thread.sig.blocked = SIGBIT(SIGHUP);
	s = push(&action);
	assert_int_equal(f->rip, action.handler);
	assert_int_equal(f->rdi, SIGUSR1);
	assert_int_equal(f->rsi, (u64)&s->info);
	assert_int_equal(f->rdx, (u64)&s->uc);
	assert_int_equal(f->rax, 0);
	assert_int_equal(f->rflags & 0x400, 0);
	assert_true(f->orig_rax == ~0ull);
	assert_int_equal(s->return_address, action.restorer);
	assert_memory_equal(&s->info, &info, sizeof(info));
	assert_int_equal(s->uc.uc_mcontext.rip, 0x400123);
	assert_int_equal(s->uc.uc_mcontext.rsp, rsp);
	assert_int_equal(s->uc.uc_mcontext.cs, 0x33);
	assert_int_equal(s->uc.uc_mcontext.ss, 0x2b);
	assert_int_equal(s->uc.uc_mcontext.oldmask, SIGBIT(SIGHUP));
	assert_int_equal(s->uc.uc_sigmask, SIGBIT(SIGHUP));
	/* The red zone is left alone. */
	assert_true((u64)s->uc.uc_mcontext.fpstate + BOOT_INFO->xsave_size + 4 <= rsp - 128);
}

static void test_return(void **state)
{
	struct trapframe *f = thread_frame(&thread), before = *f;
	struct seen *s = push(&action);

	(void)state;
	s->uc.uc_sigmask = SIGBIT(SIGUSR2);
	s->uc.uc_mcontext.eflags |= 0x3000 | 0x4; /* IOPL is not the program's, PF is */
	s->uc.uc_mcontext.cs = 0;
	s->uc.uc_mcontext.rbx = 4711;
	memset(f, 0x55, offsetof(struct trapframe, rip));
	f->rsp = (u64)s + 8;
	f->rflags = 0x202;
	assert_int_equal(sys_rt_sigreturn(), before.rax);
	assert_false(segv_forced);
	assert_int_equal(thread.sig.blocked, SIGBIT(SIGUSR2));
	before.rbx = 4711;
	before.orig_rax = ~0ull;
	before.rflags |= 4;
	assert_memory_equal(f, &before, sizeof(before));
}

static void test_fpu_kept(void **state)
{
	static const u32 in[4] = { 1, 2, 3, 4 };
	u32 out[4], clean[4];
	struct trapframe *f = thread_frame(&thread);

	(void)state;
	__asm__ volatile("movdqu %0, %%xmm15" : : "m"(in) : "xmm15");
	struct seen *s = push(&action);
	__asm__ volatile("movdqu %%xmm15, %0" : "=m"(clean));
	assert_int_equal(clean[0] | clean[1] | clean[2] | clean[3], 0);
	assert_memory_equal((u8 *)s->uc.uc_mcontext.fpstate + 160 + 15 * 16, in, 16);
	f->rsp += 8;
	sys_rt_sigreturn();
	__asm__ volatile("movdqu %%xmm15, %0" : "=m"(out));
	assert_memory_equal(in, out, 16);
}

static void test_damaged(void **state)
{
	struct trapframe *f = thread_frame(&thread);
	struct seen *s = push(&action);
	u8 *fp = (u8 *)s->uc.uc_mcontext.fpstate;

	(void)state;
	f->rsp += 8;
	*(u32 *)(fp + 24) |= 0xffff0000; /* reserved bits of MXCSR */
	sys_rt_sigreturn();
	assert_true(segv_forced);
	set_up(NULL);
	s = push(&action);
	f->rsp += 8;
	fp = (u8 *)s->uc.uc_mcontext.fpstate;
	memset(fp + 464, 0xff, 48); /* no extended state: the legacy part counts */
	sys_rt_sigreturn();
	assert_false(segv_forced);
	set_up(NULL);
	s = push(&action);
	f->rsp += 8;
	s->uc.uc_mcontext.fpstate = NULL;
	sys_rt_sigreturn();
	assert_false(segv_forced);
	memory_gone = true;
	sys_rt_sigreturn();
	assert_true(segv_forced);
	assert_int_equal(signal_frame_push(f, SIGUSR1, &info, &action), -EFAULT);
}

static void test_alternate_stack(void **state)
{
	struct signal_action on_stack = action;
	stack_t s = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct trapframe *f = thread_frame(&thread);

	(void)state;
	on_stack.flags |= SA_ONSTACK;
	assert_int_equal(signal_altstack_set(&thread, f->rsp, &s), 0);
	struct seen *first = push(&on_stack);
	assert_in_range((u64)first, (u64)alt_stack, (u64)alt_stack + sizeof(alt_stack));
	assert_int_equal(first->uc.uc_stack.ss_flags, 0);
	assert_int_equal(signal_altstack_set(&thread, f->rsp, &s), -EPERM);
	struct seen *second = push(&on_stack);
	assert_true((u64)second < (u64)first && (char *)second >= alt_stack);
	assert_int_equal(second->uc.uc_stack.ss_flags, 0); /* as it was set */
	assert_int_equal(signal_altstack_flags(&thread, f->rsp), SS_ONSTACK);

	set_up(NULL);
	s.ss_size = 100;
	assert_int_equal(signal_altstack_set(&thread, f->rsp, &s), -ENOMEM);
	s.ss_size = MINSIGSTKSZ;
	s.ss_flags = 0x100;
	assert_int_equal(signal_altstack_set(&thread, f->rsp, &s), -EINVAL);
	s.ss_flags = (int)SS_AUTODISARM;
	s.ss_size = sizeof(alt_stack);
	assert_int_equal(signal_altstack_set(&thread, f->rsp, &s), 0);
	first = push(&on_stack);
	assert_int_equal(signal_altstack_flags(&thread, f->rsp), SS_DISABLE);
	f->rsp += 8;
	sys_rt_sigreturn();
	assert_int_equal(thread.sig.alt_size, sizeof(alt_stack));
	/* Overflow of the alternate stack is no frame elsewhere. */
	thread.sig.alt_flags = 0;
	thread.sig.alt_size = 2048 < arch_signal_frame_size() - 300 ? 1024 : 256;
	assert_int_equal(signal_frame_push(f, SIGUSR1, &info, &on_stack), -EFAULT);
}

/* On an alternate stack of exactly the size that programs are told, and one that is too small. */
static void model_altstack(u32 missing)
{
	struct signal_action on_stack = action;
	struct trapframe *f = thread_frame(&thread);
	u64 size = arch_signal_frame_size() - missing;

	on_stack.flags |= SA_ONSTACK;
	assert_true(size <= sizeof(alt_stack));
	thread.sig.alt_sp = (u64)alt_stack;
	thread.sig.alt_size = size;
	thread.sig.alt_flags = 0;
	if (missing) {
		assert_int_equal(signal_frame_push(f, SIGUSR1, &info, &on_stack), -EFAULT);
		return;
	}
	push(&on_stack);
	assert_in_range(f->rsp, (u64)alt_stack, (u64)alt_stack + size);
}

/*
 * Frames of other processors' sizes. XSAVE leaves out what this processor lacks, so that what is
 * not here counts as being in its initial state.
 */
static void test_models(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsave_models); i++) {
		const struct xsave_model *m = &xsave_models[i];
		const struct _fpx_sw_bytes *software;
		u32 magic2;

		set_up(state);
		processor_set(m->usable, m->size);
		u64 rsp = thread_frame(&thread)->rsp;
		struct seen *s = push(&action);
		const u8 *fp = (const u8 *)s->uc.uc_mcontext.fpstate;
		software = (const void *)(fp + 464);
		assert_int_equal((u64)fp % 64, 0);
		assert_true((u64)fp + m->size + 4 <= rsp - 128);
		assert_int_equal(software->magic1, FP_XSTATE_MAGIC1);
		assert_int_equal(software->xfeatures, m->usable);
		assert_int_equal(software->xstate_size, m->size);
		assert_int_equal(software->extended_size, m->size + FP_XSTATE_MAGIC2_SIZE);
		memcpy(&magic2, fp + m->size, sizeof(magic2));
		assert_int_equal(magic2, FP_XSTATE_MAGIC2);
		thread_frame(&thread)->rsp += 8;
		sys_rt_sigreturn();
		assert_false(segv_forced);
		assert_int_equal(thread_frame(&thread)->rsp, rsp);
		model_altstack(0);
		set_up(state);
		processor_set(m->usable, m->size);
		model_altstack(512);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_layout, set_up),
		cmocka_unit_test_setup(test_handler_entry, set_up),
		cmocka_unit_test_setup(test_return, set_up),
		cmocka_unit_test_setup(test_fpu_kept, set_up),
		cmocka_unit_test_setup(test_damaged, set_up),
		cmocka_unit_test_setup(test_alternate_stack, set_up),
		cmocka_unit_test_setup(test_models, set_up),
	};

	return cmocka_run_group_tests(tests, map_low, NULL);
}
