/* SPDX-License-Identifier: ISC */
/*
 * The seccomp program: libseccomp compiles the allowlist, and for backends that run the guest on
 * the host a few instructions are put in front of it, because libseccomp cannot compare the
 * instruction pointer: a system call that is not made from the monitor's own text traps (SIGSYS),
 * so that the guest's kernel handles it. It has to be one program: of several the strictest
 * verdict wins, and the allowlist's is to kill.
 *
 * That rule routes; it protects nothing, for a guest can jump to the monitor's `syscall`
 * instructions. It then stands before the allowlist. The vsyscall page is outside the text and
 * traps as well; so does int 0x80 (another architecture).
 */
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/core/confine_rules.h"
#include "monitor/core/internal.h"

#define PROGRAM_MAX 4096 /* BPF_MAXINSNS */
#define OPTIMIZE_TREE 2  /* libseccomp: a binary search instead of a list */

/* The linker's: first byte of the executable, end of its code. */
extern const char __executable_start[], etext[];

#define DATA(field) ((u32)offsetof(struct seccomp_data, field))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define JUMP(test, value, then, otherwise) \
	BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), (then), (otherwise))

/*
 * Jump distances count the instructions in between; comments name the target. The reported
 * pointer is that of the instruction after `syscall`, so it may equal the end of the text.
 */
static size_t routing_build(struct sock_filter *out)
{
	u64 start = (u64)__executable_start, end = (u64)etext;
	u32 high = DATA(instruction_pointer) + 4, low = DATA(instruction_pointer);
	const struct sock_filter program[] = {
		/*  0 */ LOAD(DATA(arch)),
		/*  1 */ JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 0, 11), /* else trap */
		/*  2 */ LOAD(high),
		/*  3 */ JUMP(BPF_JGT, (u32)(start >> 32), 3, 0), /* above the start: 7 */
		/*  4 */ JUMP(BPF_JGE, (u32)(start >> 32), 0, 8), /* below: trap */
		/*  5 */ LOAD(low),
		/*  6 */ JUMP(BPF_JGE, (u32)start, 0, 6), /* below: trap */
		/*  7 */ LOAD(high),
		/*  8 */ JUMP(BPF_JGT, (u32)(end >> 32), 4, 0), /* above the end: trap */
		/*  9 */ JUMP(BPF_JGE, (u32)(end >> 32), 0, 2), /* below: 12 */
		/* 10 */ LOAD(low),
		/* 11 */ JUMP(BPF_JGT, (u32)end, 1, 0), /* above: trap */
		/* 12 */ BPF_STMT(BPF_JMP | BPF_JA, 1), /* to the allowlist */
		/* 13 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};

	memcpy(out, program, sizeof(program));
	return ARRAY_SIZE(program);
}

/* libseccomp 2.5 writes its program to a descriptor only. Instructions, or -1. */
static ssize_t program_export(scmp_filter_ctx ctx, struct sock_filter *out, size_t max)
{
	int fd = memfd_create("unifork-seccomp", MFD_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (seccomp_export_bpf(ctx, fd) == 0)
		n = pread(fd, out, max * sizeof(*out), 0);
	close(fd);
	if (n <= 0 || n % (ssize_t)sizeof(*out) || (size_t)n == max * sizeof(*out))
		return -1;
	return n / (ssize_t)sizeof(*out);
}

static scmp_filter_ctx allowlist_make(const struct family *f, struct error *err)
{
	bool fsgsbase = getauxval(AT_HWCAP2) & 2; /* HWCAP2_FSGSBASE */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	const char *what = "";
	int r;

	if (!ctx) {
		error_set(err, ENOMEM, "cannot make the seccomp filter");
		return NULL;
	}
	r = confine_rules_add(ctx, f, fsgsbase, &what);
	if (r < 0) {
		error_set(err, -r, "cannot make the seccomp rule for %.24s", what);
		seccomp_release(ctx);
		return NULL;
	}
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
	return ctx;
}

int confine_filter(const struct family *f, struct confinement *c, struct error *err)
{
	scmp_filter_ctx ctx = allowlist_make(f, err);
	size_t routing = 0;
	ssize_t n;

	if (!ctx)
		return -1;
	c->filter = calloc(PROGRAM_MAX, sizeof(*c->filter));
	if (!c->filter) {
		seccomp_release(ctx);
		return error_set(err, ENOMEM, "cannot make the seccomp filter");
	}
	if (f->backend->runs_on_host)
		routing = routing_build(c->filter);
	n = program_export(ctx, c->filter + routing, PROGRAM_MAX - routing);
	seccomp_release(ctx);
	if (n < 0)
		return error_set(err, errno, "cannot compile the seccomp filter");
	c->filter_len = (unsigned short)(routing + (size_t)n);
	return 0;
}
