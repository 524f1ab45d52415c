/* SPDX-License-Identifier: ISC */
/*
 * Between the files of exec. A program is checked completely (exec_image_open) before anything of
 * the old one goes (exec_image_map and on). Sources: execve(2), Linux' fs/exec.c and binfmt_elf.c
 * as documented behaviour.
 */
#ifndef KERNEL_EXEC_EXEC_H
#define KERNEL_EXEC_EXEC_H

#include "common/elf.h"
#include "kernel/mm/mm.h"
#include "kernel/vfs/set_id.h"

#define ARG_STRING_MAX (128ul << 10)  /* MAX_ARG_STRLEN: one string with its NUL */
#define ARG_BYTES_MAX (6ul << 20)     /* all of them, whatever RLIMIT_STACK says */
/* BINPRM_BUF_SIZE: what decides the format; the length of a #! line */
#define EXEC_HEAD_SIZE 256
#define EXEC_ALIGN_MAX (1ul << 30)
#define STACK_ROOM_MAX (64ul << 30)   /* at the end of addresses, for the stack and its place */
#define EXEC_SCRIPTS_MAX 5            /* interpreters that are scripts themselves */

/*
 * exec.c. On success never returns; before the point of no return -errno. What a points
 * to is kernel memory or kin; with npages it is from the kernel's heap and exec_args_free gives it
 * back: exec_run does so on success, its caller on failure, vfork_exec once it has its own copy and
 * will not return.
 */
struct exec_args {
	const char *path;          /* npages: from kmalloc */
	u32 argc, envc;
	char *strings;             /* argv then envp, NUL-terminated, one after the other */
	size_t bytes;
	/* strings are from kpages_alloc(npages); 0: they belong to somebody else */
	size_t npages;
};
s64 exec_run(struct exec_args *a);
void exec_args_free(struct exec_args *a);

/* argv and envp while they grow: kernel pages. Strings as in struct exec_args. */
struct arg_block {
	char *strings;
	size_t bytes, npages;  /* used; allocated */
	u32 argc, envc;
	size_t limit;          /* E2BIG beyond: strings and their pointers */
};
int arg_block_init(struct arg_block *b);
void arg_block_free(struct arg_block *b);
/* A NUL-terminated string of kernel memory at the end. 0, -E2BIG, -ENOMEM. */
int arg_block_add(struct arg_block *b, const char *s);
int arg_block_from_user(struct arg_block *b, u64 argv, u64 envp);
int arg_block_from_exec(struct arg_block *b, const struct exec_args *a);
/* Replaces argv[0] by the n strings. */
int arg_block_interpreter(struct arg_block *b, const char *const *strings, u32 n);

/* One ELF file: the program or its dynamic linker. */
struct elf_file {
	struct file *file;       /* reference */
	struct elf_header header;
	struct elf_layout layout;
	void *table;             /* program headers, kmalloc'ed */
	u64 bias;                /* added to every address: after exec_image_place */
};

struct exec_image {
	struct elf_file program, interp; /* interp.file NULL: none */
	/* of the program after #!, absolute where possible: /proc/self/exe. kmalloc'ed, VFS_PATH_MAX */
	char *path;
	struct file_set_id set_id; /* of the program: what it gives to who runs it */
	bool secure; /* and it does: AT_SECURE */
	bool unmappable; /* exec succeeds, and the process dies of it: as on Linux */
};

/*
 * exec_open.c: everything that can fail. Resolves #! by changing args; a->path is the original
 * path.
 */
s64 exec_program_open(const char *path, struct file **out); /* may it be executed? */
s64 exec_image_open(struct exec_image *image, const char *path, struct arg_block *args);
void exec_image_close(struct exec_image *image);
/* exec_random.c: bytes by which things lie lower (stack, mmap, sp) or higher (program, brk). */
struct exec_random {
	u64 stack, sp, mmap, program, brk;
	bool fixed;              /* ADDR_NO_RANDOMIZE */
	u64 stack_top;           /* where that leaves the stack, clear of what is hidden */
	u8 auxv[16];             /* AT_RANDOM */
};
void exec_random_draw(struct exec_random *r, const struct exec_image *image);
/* exec_load.c: into an empty address space. 0 or -errno (then the process must die). */
s64 exec_image_map(struct mm *mm, struct exec_image *image, const struct exec_random *r);
static inline u64 exec_image_entry(const struct exec_image *image)
{
	const struct elf_file *first = image->interp.file ? &image->interp : &image->program;

	return first->header.entry + first->bias;
}
/* exec_stack.c: the initial stack; *sp for the first instruction. */
s64 exec_stack_build(struct mm *mm, const struct exec_image *image, const struct arg_block *args,
	const char *execfn, u64 vdso, const struct exec_random *r, u64 *sp);

/* exec_script.c: head holds EXEC_HEAD_SIZE bytes, zero-padded. True if it begins with #!. */
bool script_detect(const char *head);
/*
 * Interpreter and its one optional argument (NULL), pointing into head, which is changed. 0,
 * -ENOEXEC, -EACCES.
 */
int script_parse(char *head, const char **interpreter, const char **argument);

/* On the family's standard error, as a shell would say it; of a long path both ends. */
void exec_complain(const char *what, const char *path, s64 err);

#endif
