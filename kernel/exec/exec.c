/* SPDX-License-Identifier: ISC */
/*
 * execve(2) and execveat(2). First everything that can fail: arguments, files, headers. Then either
 * the image is replaced in place, or, for a process that shares its VM with others (vfork), the
 * request goes to a fresh member (vfork_exec), which runs through here again with the original path
 * and arguments.
 */
#include "kernel/exec/exec.h"
#include "kernel/exec/spawn.h"
#include "kernel/signal/signal_hooks.h"

#include <asm-generic/resource.h>
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/proc/proc.h"
#include "kernel/syscall/syscall.h"
#include "kernel/time/time.h"
#include "kernel/vfs/vfs.h"

#define STACK_LIMIT_MAX (1ul << 30) /* of RLIMIT_STACK, what is kept free of mappings */

void exec_args_free(struct exec_args *a)
{
	if (!a->npages)
		return;
	if (a->strings)
		kpages_free(a->strings, a->npages);
	kfree((void *)a->path);
	a->strings = NULL;
	a->path = NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool special_add(struct mm *mm, u64 start, u64 size, u32 prot)
{
	struct vma model = {
		.start = start, .end = start + size, .prot = prot, .flags = VMA_SPECIAL,
	};

	return mm_reserve(mm) == 0 && vma_insert(mm, &model);
}

/* Does the file ask for the addresses of the call table? */
static bool wants_call_table(const struct elf_file *e)
{
	u64 low = e->layout.low + e->bias, high = e->layout.high + e->bias;

	return e->file && !e->header.dyn && low < CALL_TABLE_ADDR + CALL_TABLE_SIZE &&
		   high > CALL_TABLE_ADDR;
}

/* The kernel's own VMAs: the call table gives way to fixed addresses of the program. */
static void specials_add(struct mm *mm, const struct exec_image *image, u64 vdso)
{
	bool table = !wants_call_table(&image->program) && !wants_call_table(&image->interp) &&
				 !current->proc->kp->traced; /* a debugger is to find the text as it is */

	if (vdso)
		special_add(mm, VDSO_ADDR, VDSO_SIZE, PROT_READ | PROT_EXEC);
	redirect_table(table &&
		special_add(mm, CALL_TABLE_ADDR, CALL_TABLE_SIZE, PROT_READ | PROT_WRITE));
}

/* Replaces the address space. From here on there is no way back. */
static s64 image_replace(struct mm *mm, struct exec_image *image, const struct arg_block *args,
	const char *execfn, u64 *sp)
{
	u64 stack = MIN(mm_rlimit(RLIMIT_STACK), STACK_LIMIT_MAX), vdso;
	struct exec_random random;
	s64 err;

	mm_reset(mm);
	exec_random_draw(&random, image);
	stack = ALIGN_UP(MAX(stack, (u64)USER_STACK_SIZE), PAGE_SIZE);
	random.stack_top = range_below(USER_STACK_TOP - random.stack, stack + STACK_GUARD);
	mm->mmap_top = random.stack_top - stack - STACK_GUARD - random.mmap;
	vdso = vdso_map();
	specials_add(mm, image, vdso);
	err = exec_image_map(mm, image, &random);
	if (!err)
		mm_redirect_known(mm, true);
	return err ? err : exec_stack_build(mm, image, args, execfn, vdso, &random, sp);
}

/*
 * Past the point of no return. Everything on the kernel's heap is given back before the program
 * starts.
 */
static _Noreturn void exec_commit(struct exec_args *a, struct exec_image *image,
	struct arg_block *args)
{
	struct proc *p = current->proc;
	u64 entry, sp = 0;
	const char *exe;
	char comm[COMM_LEN];
	s64 err = 0;

	proc_exec_begin();
	image->secure = caps_exec(&image->set_id);
	if (!image->unmappable)
		err = image_replace(p->mm, image, args, a->path, &sp);
	if (image->unmappable || err) {
		if (err) /* the host has not given what the program needs; a bad program dies as on Linux */
			exec_complain("", a->path, err);
		exec_image_close(image);
		proc_exit(SIGSEGV);
	}
	entry = exec_image_entry(image);
	proc_exe_set(p->kp, image->program.file);
	exe = image->program.file->path ? image->program.file->path : image->path;
	proc_info_set_exec(p->kp, exe, args->strings, p->mm->arg_end - p->mm->arg_start);
	strlcpy(comm, base_name(a->path), sizeof(comm));
	proc_exec_commit(comm);
	exec_image_close(image);
	arg_block_free(args);
	exec_args_free(a);
	arch_start_program(entry, sp);
}

s64 exec_run(struct exec_args *a)
{
	bool shares_vm = proc_shares_vm(current->proc);
	struct exec_image image;
	struct arg_block args;
	s64 err = arg_block_init(&args);

	if (!err)
		err = arg_block_from_exec(&args, a);
	if (!err)
		err = exec_image_open(&image, a->path, &args);
	if (!err && (err = caps_exec_check(&image.set_id)))
		exec_image_close(&image);
	if (err) {
		arg_block_free(&args);
		return err;
	}
	if (!shares_vm)
		exec_commit(a, &image, &args);
	exec_image_close(&image);
	arg_block_free(&args);
	return vfork_exec(a);
}

/* The arguments were no good (err). What is wrong with the file comes first on Linux. */
static s64 path_fault(const char *path, s64 err)
{
	struct file *f;
	s64 fault = exec_program_open(path, &f);

	if (fault)
		return fault;
	file_put(f);
	return err;
}

/* path from kmalloc; consumed. */
static s64 exec_user(char *path, u64 argv, u64 envp)
{
	struct exec_args a = {.path = path};
	struct arg_block b;
	s64 err = arg_block_init(&b);

	if (!err)
		err = arg_block_from_user(&b, argv, envp);
	if (err) {
		arg_block_free(&b);
		err = path_fault(path, err);
		kfree(path);
		return err;
	}
	a.argc = b.argc;
	a.envc = b.envc;
	a.strings = b.strings;
	a.bytes = b.bytes;
	a.npages = b.npages;
	err = exec_run(&a);
	exec_args_free(&a);
	return err;
}

/* A path of the application in VFS_PATH_MAX bytes from kmalloc. */
static s64 path_in(u64 addr, char **out)
{
	char *path = kmalloc(VFS_PATH_MAX);
	s64 len;

	if (!path)
		return -ENOMEM;
	len = string_in(path, (const void *)addr, VFS_PATH_MAX);
	if (len < 0) {
		kfree(path);
		return len;
	}
	*out = path;
	return 0;
}

s64 sys_execve(u64 path_addr, u64 argv, u64 envp)
{
	char *path;
	s64 err = path_in(path_addr, &path);

	if (err)
		return err;
	if (!*path) {
		kfree(path);
		return -ENOENT;
	}
	return exec_user(path, argv, envp);
}

/* Linux' name for a program relative to a descriptor: /dev/fd/N or /dev/fd/N/path. */
static s64 path_of_fd(int fd, char *path)
{
	char name[32];
	size_t len = strlen(path), prefix;

	prefix = (size_t)ksnprintf(name, sizeof(name), len ? "/dev/fd/%d/" : "/dev/fd/%d", fd);
	if (len + prefix >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	memmove(path + prefix, path, len + 1);
	memcpy(path, name, prefix);
	return 0;
}

static s64 execveat_check(int dirfd, const char *path, u32 flags)
{
	struct kstat st;
	s64 err;

	err = vfs_stat(dirfd, path, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), &st);
	if (err)
		return err;
	if (flags & AT_SYMLINK_NOFOLLOW && (st.mode & MODE_TYPE) == MODE_LINK)
		return -ELOOP;
	return 0;
}

s64 sys_execveat(u64 dirfd, u64 path_addr, u64 argv, u64 envp, u64 flags)
{
	char *path;
	s64 err;

	err = path_in(path_addr, &path);
	if (err)
		return err;
	if (!*path && !(flags & AT_EMPTY_PATH))
		err = -ENOENT;
	else if (flags & ~(u64)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		err = -EINVAL;
	else
		err = execveat_check((int)dirfd, path, (u32)flags);
	if (!err && *path != '/' && (int)dirfd != AT_FDCWD)
		err = path_of_fd((int)dirfd, path);
	if (err) {
		kfree(path);
		return err;
	}
	return exec_user(path, argv, envp);
}
