/* SPDX-License-Identifier: ISC */
/*
 * Running the vCPU. What leaves it: a hypercall (`out` to HYPERCALL_PORT), an interrupt, or an
 * end.
 *
 * Interrupts are not injected as vectors: that would need ring-0 code and a stack that a second
 * interrupt could overwrite. Instead the rule of abi/image.h is applied from here, where the vCPU
 * stands still. In the kernel's window an interrupt only sets percpu->irq_pending (and sends a
 * kernel that is on its way out back to look); in application code the registers become a trapframe
 * on the thread's kernel stack and the vCPU goes on at host_trap_entry, as in the process backend.
 * KVM allows this whenever it reports ready_for_interrupt_injection: at an instruction boundary,
 * nothing half delivered.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "monitor/backend/kvm/kvm.h"
#include "monitor/core/interrupt.h"

#define VECTOR_PF 14
#define RFLAGS_VALUE 0x202ull
#define RUN_AGAIN_MAX 1000 /* in a row */

/*
 * For the signal handler, which has no other way to find its member. Set once, before the signal is
 * unblocked.
 */
static struct member *handler_member;

/*
 * Between KVM_RUNs immediate_exit makes the next one return at once (no interrupt is lost just
 * before it); within one the signal itself does.
 */
static void on_interrupt(int sig, siginfo_t *info, void *context)
{
	struct member *m = handler_member;
	struct kvm_run *run = kvm_state(m)->run;

	m->interrupted = 1;
	if (run)
		run->immediate_exit = 1;
	interruptible_fix(context);
}

int interrupt_install(struct member *m, struct error *err)
{
	struct sigaction sa = { .sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO };

	handler_member = m;
	sigfillset(&sa.sa_mask);
	if (sigaction(MONITOR_SIGNAL, &sa, NULL) < 0 || sigaction(TIMER_SIGNAL, &sa, NULL) < 0)
		return error_set(err, errno, "cannot set the handlers of the interrupts");
	return 0;
}

static bool in_range(u64 addr, u64 start, u64 end)
{
	return addr >= start && addr < end;
}

/* The vDSO and what else lies before the stubs is application code within the window. */
static bool in_kernel(u64 rip)
{
	return in_range(rip, KERNEL_BASE, KERNEL_END) && !in_range(rip, VDSO_ADDR, SITE_STUBS_ADDR);
}

static bool on_app_stack(const struct kvm_state *s, u64 rip)
{
	return in_range(rip, s->image.stubs_start, s->image.stubs_end) ||
	       in_range(rip, SITE_STUBS_ADDR, SITE_STUBS_ADDR + SITE_STUBS_SIZE);
}

static u64 kstack_top(void)
{
	return *(volatile u64 *)(PERCPU_ADDR + PERCPU_KSTACK_TOP);
}

static void get_regs(struct member *m, struct kvm_regs *r)
{
	if (ioctl(kvm_state(m)->vcpu_fd, KVM_GET_REGS, r) < 0)
		member_die(m, "cannot read the registers of the virtual processor (errno %d)", errno);
}

static void set_regs(struct member *m, const struct kvm_regs *r)
{
	if (ioctl(kvm_state(m)->vcpu_fd, KVM_SET_REGS, r) < 0)
		member_die(m, "cannot set the registers of the virtual processor (errno %d)", errno);
}

static void fill_frame(struct trapframe *f, const struct kvm_regs *r)
{
	*f = (struct trapframe){
		.r15 = r->r15, .r14 = r->r14, .r13 = r->r13, .r12 = r->r12, .r11 = r->r11, .r10 = r->r10,
		.r9 = r->r9, .r8 = r->r8, .rbp = r->rbp, .rbx = r->rbx, .rax = r->rax, .rcx = r->rcx,
		.rdx = r->rdx, .rsi = r->rsi, .rdi = r->rdi, .orig_rax = ~0ull,
		.rip = r->rip, .cs = USER_CS, .rflags = r->rflags, .rsp = r->rsp, .ss = USER_DS,
	};
}

/*
 * The vCPU, stopped at r, goes on in the kernel with this trap. The stack pointers are the guest's:
 * checked before use.
 */
static void trap_enter(struct member *m, struct kvm_regs *r, u64 vector, u64 error, u64 cr2)
{
	u64 top = in_kernel(r->rip) ? ALIGN_DOWN(r->rsp, 16) : kstack_top();
	struct trapframe frame;

	if (top % 16 || top > KERNEL_END || top < KERNEL_IMAGE + sizeof(frame))
		member_die(m, "its kernel stack is at 0x%llx", (unsigned long long)top);
	fill_frame(&frame, r);
	top -= sizeof(frame);
	if (guarded_copy((void *)top, &frame, sizeof(frame)))
		member_die(m, "its kernel stack is gone");
	r->rip = kvm_state(m)->image.host_trap_entry;
	r->rsp = r->rdi = top;
	r->rsi = vector;
	r->rdx = error;
	r->rcx = cr2;
	r->rflags = RFLAGS_VALUE;
	set_regs(m, r);
}

static void interrupt_deliver(struct member *m)
{
	struct kvm_state *s = kvm_state(m);
	struct kvm_regs r;
	bool ready = s->run->ready_for_interrupt_injection && s->run->if_flag;
	bool note_only;

	s->run->immediate_exit = 0;
	m->interrupted = 0;
	get_regs(m, &r);
	note_only = in_kernel(r.rip) && !in_range(r.rip, s->image.exit_start, s->image.exit_end);
	/*
	 * An exception is being delivered: come back when it is. That will be in the kernel, where a
	 * window still asked for would open at every instruction.
	 */
	s->run->request_interrupt_window = !note_only && !ready;
	if (!note_only && !ready)
		return;
	++*(volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_COUNT);
	if (note_only) {
		*(volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_PENDING) = 1;
		return;
	}
	if (!in_kernel(r.rip)) {
		trap_enter(m, &r, INTERRUPT_VECTOR, 0, 0);
		return;
	}
	*(volatile u32 *)(PERCPU_ADDR + PERCPU_IRQ_PENDING) = 1;
	r.rip = s->image.exit_restart;
	r.rsp = kstack_top() - sizeof(struct trapframe);
	set_regs(m, &r);
}

/* The host has no page to give, as behind the end of a file that shrank. KVM does not say where. */
static void backing_fault(struct member *m)
{
	struct kvm_regs r;

	get_regs(m, &r);
	if (on_app_stack(kvm_state(m), r.rip))
		member_die(m, "no memory behind the kernel's entry code at 0x%llx", r.rip);
	trap_enter(m, &r, VECTOR_PF, TRAP_ERROR_BUS, 0);
}

static _Noreturn void exit_unexpected(struct member *m)
{
	struct kvm_run *run = kvm_state(m)->run;
	struct kvm_regs r = { 0 };

	ioctl(kvm_state(m)->vcpu_fd, KVM_GET_REGS, &r);
	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		member_die(m, "%s of %u bytes outside its memory at 0x%llx (rip 0x%llx)",
			   run->mmio.is_write ? "write" : "read", run->mmio.len, run->mmio.phys_addr, r.rip);
	case KVM_EXIT_SHUTDOWN:
		member_die(m, "its virtual processor gave up (triple fault, rip 0x%llx)", r.rip);
	case KVM_EXIT_FAIL_ENTRY:
		member_die(m, "the virtual processor cannot be entered (hardware reason 0x%llx)",
			   run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		member_die(m, "KVM cannot go on (internal error %u, rip 0x%llx)", run->internal.suberror,
			   r.rip);
	default:
		member_die(m, "unexpected exit %u (rip 0x%llx)", run->exit_reason, r.rip);
	}
}

static void exit_handle(struct member *m)
{
	struct kvm_run *run = kvm_state(m)->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port != HYPERCALL_PORT || run->io.direction != KVM_EXIT_IO_OUT)
			exit_unexpected(m);
		hypercall_dispatch(m);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		interrupt_deliver(m);
		break;
	default:
		exit_unexpected(m);
	}
}

void kvm_run_member(struct member *m, bool clone)
{
	struct kvm_state *s = kvm_state(m);
	u32 again = 0;

	for (;;) {
		if (ioctl(s->vcpu_fd, KVM_RUN, 0) == 0) {
			again = 0;
			exit_handle(m);
		} else if (errno == EINTR) {
			interrupt_deliver(m);
		} else if (errno == EFAULT) {
			backing_fault(m);
		} else if (errno != EAGAIN) {
			member_die(m, "KVM_RUN failed (errno %d)", errno);
		} else if (++again == RUN_AGAIN_MAX) { /* the host makes it at the first KVM_RUN */
			member_die(m, "the host has no task for another virtual machine; "
						  "raise the limit of processes (ulimit -u)");
		} else {
			sched_yield();
		}
	}
}
