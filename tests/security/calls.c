/* SPDX-License-Identifier: ISC */
/*
 * Host system calls by number that reach outside a process: none may change or reveal the host.
 * In a family these are the kernel's own calls; natively this program would be dangerous and is
 * never run so.
 * @test timeout=60 members=20
 */
#include "hostile.h"
#include <sys/ptrace.h>

static int refused(long rc)
{
	return rc < 0 ? 0 : 1;
}

static int load_module(void *unused)
{
	(void)unused;
	return refused(syscall(SYS_init_module, "x", 1, "")) |
		   refused(syscall(SYS_finit_module, 0, "", 0));
}

static int program_kernel(void *unused)
{
	(void)unused;
	return refused(syscall(SYS_bpf, 0, 0, 0)) |
		   refused(syscall(SYS_perf_event_open, 0, 0, 0, 0, 0)) |
		   refused(syscall(SYS_reboot, 0, 0, 0)) | refused(syscall(SYS_kexec_load, 0, 0, 0, 0)) |
		   refused(syscall(SYS_swapoff, "/dev/null")) | refused(syscall(SYS_iopl, 3));
}

static int read_others(void *unused)
{
	char text[16];
	struct iovec here = {text, 16}, there = {(void *)0x400000, 16};

	(void)unused;
	return refused(syscall(SYS_process_vm_readv, 1 << 20, &here, 1, &there, 1, 0)) |
		   refused(open("/dev/mem", O_RDWR)) | refused(open("/dev/kvm", O_RDWR)) |
		   refused(open("/proc/kcore", O_RDONLY)) | refused(open("/dev/vda", O_RDWR));
}

static int mount_something(void *unused)
{
	(void)unused;
	return refused(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, "")) |
		   refused(syscall(SYS_pivot_root, "/", "/")) | refused(syscall(SYS_umount2, "/proc", 0));
}

/* int 0x80 and sysenter are other doors of the host's kernel. */
static int old_door(void *unused)
{
	long rc;

	(void)unused;
	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory"); /* getpid in the 32-bit table */
	return rc > 1000 ? 1 : 0;
}

/* The pids of the host are not those of the family. */
static int signal_outside(void *pid)
{
	return refused(kill((pid_t)(intptr_t)pid, 0)) |
		   refused(syscall(SYS_ptrace, PTRACE_ATTACH, (pid_t)(intptr_t)pid, 0, 0)) |
		   refused(syscall(SYS_ptrace, PTRACE_SEIZE, (pid_t)(intptr_t)pid, 0, 0));
}

static int trace_outside(void *pid)
{
	char text[16];
	struct iovec here = {text, 16}, there = {(void *)0x400000, 16};

	return refused(syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0)) |
		   refused(syscall(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0)) |
		   refused(syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0));
}

int main(int argc, char **argv)
{
	attempt("modules", load_module, NULL);
	attempt("bpf and friends", program_kernel, NULL);
	attempt("memory of others", read_others, NULL);
	attempt("mount", mount_something, NULL);
	attempt("int 0x80", old_door, NULL);
	for (int i = 1; i < argc; i++) {
		attempt("a pid of the host", signal_outside, (void *)(intptr_t)atoi(argv[i]));
		attempt("to trace one", trace_outside, (void *)(intptr_t)atoi(argv[i]));
	}
	return finish();
}
