/* SPDX-License-Identifier: ISC */
/*
 * Registers of a traced thread. The general ones lie in its slot, where it put them when it stopped
 * and from where it takes them as it goes on; the others its own kernel gives and takes.
 */
#include <asm/errno.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <linux/uio.h>

#include "kernel/lib/lib.h"
#include "kernel/proc/proc_internal.h"
#include "kernel/proc/ptrace_internal.h"
#include "kernel/sched/remote.h"

/* struct user of <sys/user.h>, as far as it can be peeked at. */
#define USER_SIZE 928
#define USER_DEBUGREG 848
#define DEBUG_ADDRESSES 4
#define DEBUG_STATUS 6
#define DEBUG_CONTROL 7
#define DEBUG_ENABLE 0xff

s64 trace_get_user(struct trace *tr, u64 offset, u64 out)
{
	u64 value = 0;

	if (offset % sizeof(u64) || offset >= USER_SIZE)
		return -EIO;
	if (offset < sizeof(tr->regs))
		value = tr->regs.word[offset / sizeof(u64)];
	else if (offset >= USER_DEBUGREG && offset < USER_DEBUGREG + sizeof(tr->debug))
		value = tr->debug[(offset - USER_DEBUGREG) / sizeof(u64)];
	return copy_out((void *)out, &value, sizeof(value)) ? -EFAULT : 0;
}

/* There are none: their addresses are kept, but none can be enabled. */
static s64 set_debug(struct trace *tr, u64 n, u64 value)
{
	if (n < DEBUG_ADDRESSES) {
		if (value >= ARCH_REGS_ADDRESS_END)
			return -EINVAL;
		tr->debug[n] = value;
		return 0;
	}
	if (n != DEBUG_STATUS && n != DEBUG_CONTROL)
		return -EIO;
	return n == DEBUG_CONTROL && value & DEBUG_ENABLE ? -ENOSPC : 0;
}

/* Words of struct user_regs_struct that are selectors. */
enum { WORD_CS = 17, WORD_SS = 20, WORD_DS = 23, WORD_GS = 26 };

static bool acceptable(u32 word, u64 value)
{
	bool base = word == ARCH_REGS_THREAD || word == ARCH_REGS_THREAD + 1;
	bool code_or_stack = word == WORD_CS || word == WORD_SS;

	if (base)
		return value < ARCH_REGS_ADDRESS_END;
	if (!code_or_stack && (word < WORD_DS || word > WORD_GS))
		return true;
	return (u16)value ? (value & 3) == 3 : !code_or_stack;
}

s64 trace_set_user(struct trace *tr, u64 offset, u64 value)
{
	if (offset % sizeof(u64) || offset >= USER_SIZE)
		return -EIO;
	if (offset >= USER_DEBUGREG)
		return set_debug(tr, (offset - USER_DEBUGREG) / sizeof(u64), value);
	if (offset >= sizeof(tr->regs))
		return -EIO;
	if (!acceptable((u32)(offset / sizeof(u64)), value))
		return -EIO;
	tr->regs.word[offset / sizeof(u64)] = value;
	tr->regs_changed = 1;
	return 0;
}

static s64 ask(struct trace *tr, u32 op, u32 type, u64 user, u64 *room)
{
	struct remote *r = remote_open();
	s64 n = 0;

	if (!r)
		return -ENOMEM;
	r->op = op;
	r->tid = tr->tid;
	r->at = type;
	r->len = MIN(*room, sizeof(r->data));
	if (op == REMOTE_SET_REGISTERS && copy_in(r->data, (void *)user, r->len))
		n = -EFAULT;
	if (!n)
		n = remote_call(r, tr->pid);
	if (n == -EINTR)
		return n;
	if (n > 0) {
		*room = MIN(*room, (u64)n);
		n = copy_out((void *)user, r->data, *room) ? -EFAULT : 0;
	}
	remote_close(r);
	return n;
}

s64 trace_get_registers(struct trace *tr, u32 type, u64 out, u64 *room)
{
	if (type != NT_PRSTATUS)
		return ask(tr, REMOTE_REGISTERS, type, out, room);
	*room = MIN(*room, sizeof(tr->regs));
	return copy_out((void *)out, &tr->regs, *room) ? -EFAULT : 0;
}

s64 trace_set_registers(struct trace *tr, u32 type, u64 in, u64 *room)
{
	struct arch_regs regs = tr->regs;

	if (type != NT_PRSTATUS)
		return ask(tr, REMOTE_SET_REGISTERS, type, in, room);
	*room = MIN(*room, sizeof(regs));
	if (copy_in(&regs, (void *)in, *room))
		return -EFAULT;
	for (u32 i = 0; i < ARCH_REGS; i++)
		if (!acceptable(i, regs.word[i]))
			return -EIO;
	tr->regs = regs;
	tr->regs_changed = 1;
	return 0;
}

s64 trace_regset(struct trace *tr, u64 type, u64 uiov, bool set)
{
	struct iovec iov;
	u64 room;
	s64 err;

	if (copy_in(&iov, (void *)uiov, sizeof(iov)))
		return -EFAULT;
	if (type == NT_386_IOPERM)
		return -ENXIO; /* nobody has ports */
	if (type != NT_PRSTATUS && type != NT_PRFPREG && type != NT_X86_XSTATE)
		return -EINVAL;
	if (iov.iov_len % sizeof(u64))
		return -EINVAL;
	room = iov.iov_len;
	err = set ? trace_set_registers(tr, (u32)type, (u64)iov.iov_base, &room)
			  : trace_get_registers(tr, (u32)type, (u64)iov.iov_base, &room);
	iov.iov_len = room;
	return !err && copy_out((void *)uiov, &iov, sizeof(iov)) ? -EFAULT : err;
}

s64 trace_call_info(struct trace *tr, u64 size, u64 out)
{
	static const u8 arguments[] = {14, 13, 12, 7, 9, 8}; /* rdi, rsi, rdx, r10, r8, r9 */
	const u64 *word = tr->regs.word;
	struct ptrace_syscall_info info = {
		.op = (u8)tr->phase,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = word[ARCH_REGS_IP],
		.stack_pointer = word[ARCH_REGS_SP],
	};
	u64 len = offsetof(struct ptrace_syscall_info, entry);
	s64 result = (s64)word[ARCH_REGS_RESULT];

	if (tr->phase == TRACE_CALL_ENTRY) {
		info.entry.nr = word[ARCH_REGS_CALL];
		for (u32 i = 0; i < ARRAY_SIZE(arguments); i++)
			info.entry.args[i] = word[arguments[i]];
		len = offsetof(struct ptrace_syscall_info, entry) + sizeof(info.entry);
	} else if (tr->phase == TRACE_CALL_EXIT) {
		info.exit.rval = result;
		info.exit.is_error = result < 0 && result >= -4095;
		len = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
	}
	return copy_out((void *)out, &info, MIN(len, size)) ? -EFAULT : (s64)len;
}
