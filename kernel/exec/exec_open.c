/* SPDX-License-Identifier: ISC */
/*
 * Everything about exec that can fail, before anything of the old program goes: opening,
 * permissions, #!, ELF headers of the program and of its dynamic linker, and whether its addresses
 * can be had here.
 */
#include "kernel/exec/exec.h"

#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_internal.h"
#include "kernel/vfs/vfs.h"

#define START_SIZE 1024 /* read at once: a #! line, or the ELF header and often all headers */

/* The first bytes of a file. */
struct start {
	char bytes[START_SIZE]; /* zero-padded */
	size_t len;
};

/*
 * A regular file that may be executed. The type is looked at before opening: opening a FIFO would
 * block. Nothing but the family itself can change it in between, and then the read fails.
 */
s64 exec_program_open(const char *path, struct file **out)
{
	struct kstat st;
	s64 err = vfs_stat(AT_FDCWD, path, 0, &st);

	if (err)
		return err;
	if ((st.mode & MODE_TYPE) != MODE_REGULAR)
		return -EACCES;
	err = vfs_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | OPEN_EXEC, 0, out);
	if (err)
		return err;
	err = file_may_exec(*out);
	if (!err)
		err = file_deny_write(*out);
	if (err) {
		file_put(*out);
		*out = NULL;
	}
	return err;
}

static s64 start_read(struct file *f, struct start *start)
{
	s64 n;

	memset(start->bytes, 0, sizeof(start->bytes));
	n = file_pread_kernel(f, start->bytes, sizeof(start->bytes), 0);
	notify_file(f, IN_ACCESS);
	start->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? n : 0;
}

static void elf_file_close(struct elf_file *e)
{
	if (e->file)
		file_put(e->file);
	kfree(e->table);
	e->file = NULL;
	e->table = NULL;
}

/* Checks the headers; those of the program are read if they are not in the start of the file. */
static s64 elf_file_parse(struct elf_file *e, const struct start *start)
{
	struct elf_header *h = &e->header;
	s64 n = elf_header_parse(start->bytes, start->len, h);

	if (n)
		return n;
	e->table = kmalloc(h->phbytes);
	if (!e->table)
		return -ENOMEM;
	if (h->phoff + h->phbytes <= start->len) {
		memcpy(e->table, start->bytes + h->phoff, h->phbytes);
	} else {
		n = file_pread_kernel(e->file, e->table, h->phbytes, h->phoff);
		if (n < 0)
			return n;
		if ((u64)n != h->phbytes)
			return -ENOEXEC;
	}
	return elf_layout_parse(h, e->table, &e->layout);
}

/*
 * Can the program have its addresses? Fixed ones as they are, others from USER_PIE_BASE on; with
 * room for stack and brk.
 */
static s64 program_place(struct elf_file *e)
{
	u64 size = e->layout.high - e->layout.low, base;

	e->bias = 0;
	if (e->header.dyn)
		e->bias = ALIGN_UP((u64)USER_PIE_BASE, MIN(e->layout.align,
			EXEC_ALIGN_MAX)) - e->layout.low;
	base = e->layout.low + e->bias;
	if (size > USER_ADDRESS_END / 2 || base + size > USER_ADDRESS_END - STACK_ROOM_MAX)
		return -ENOMEM;
	return e->header.dyn || range_allowed(base, size, true) ? 0 : -ENOMEM;
}

/* The dynamic linker that PT_INTERP names. Its place is chosen when it is mapped. */
static s64 interp_open(struct exec_image *image)
{
	const struct elf_layout *l = &image->program.layout;
	struct elf_layout *own = &image->interp.layout;
	char *path = kmalloc(l->interp_len);
	struct start start;
	s64 err;

	if (!path)
		return -ENOMEM;
	err = file_pread_kernel(image->program.file, path, l->interp_len, l->interp_offset);
	if (err >= 0 && (u64)err != l->interp_len)
		err = -EIO;
	else if (err >= 0)
		err = path[l->interp_len - 1] ? -ENOEXEC : exec_program_open(path, &image->interp.file);
	kfree(path);
	if (err)
		return err;
	err = start_read(image->interp.file, &start);
	if (!err)
		err = elf_file_parse(&image->interp, &start);
	if (err == -EINVAL) {
		image->unmappable = true;
		return 0;
	}
	if (err)
		return err == -ENOEXEC ? -ELIBBAD : err;
	if (!image->interp.header.dyn && !range_allowed(own->low, own->high - own->low, true))
		return -ENOMEM;
	return 0;
}

/* One step through #!: args and image->path become the interpreter's. */
static s64 script_enter(struct exec_image *image, char *head, const char *script,
	struct arg_block *args)
{
	const char *strings[3], *interpreter, *argument;
	u32 n = 0;
	s64 err = script_parse(head, &interpreter, &argument);

	if (err)
		return err;
	strings[n++] = interpreter;
	if (argument)
		strings[n++] = argument;
	strings[n++] = script;
	err = arg_block_interpreter(args, strings, n);
	if (err)
		return err;
	file_put(image->program.file);
	image->program.file = NULL;
	strlcpy(image->path, interpreter, VFS_PATH_MAX);
	return exec_program_open(image->path, &image->program.file);
}

static s64 program_open(struct exec_image *image, const char *path, struct arg_block *args)
{
	struct start start;
	s64 err;

	if (strlcpy(image->path, path, VFS_PATH_MAX) >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	err = exec_program_open(image->path, &image->program.file);
	for (u32 depth = 0; !err; depth++) {
		char script[EXEC_HEAD_SIZE];

		err = start_read(image->program.file, &start);
		if (err || !script_detect(start.bytes))
			break;
		if (depth == EXEC_SCRIPTS_MAX)
			return -ELOOP;
		/* The first script's name may be long; an interpreter's is not: it came from a head. */
		if (depth)
			strlcpy(script, image->path, sizeof(script));
		err = script_enter(image, start.bytes, depth ? script : path, args);
	}
	return err ? err : elf_file_parse(&image->program, &start);
}

s64 exec_image_open(struct exec_image *image, const char *path, struct arg_block *args)
{
	s64 err;

	*image = (struct exec_image){.path = kmalloc(VFS_PATH_MAX)};
	if (!image->path)
		return -ENOMEM;
	err = program_open(image, path, args);
	if (image->program.file)
		file_set_id(image->program.file, &image->set_id);
	if (err == -EINVAL) {
		image->unmappable = true;
		return 0;
	}
	if (!err)
		err = program_place(&image->program);
	if (!err && image->program.layout.interp_len)
		err = interp_open(image);
	if (err)
		exec_image_close(image);
	return err;
}

/* The program stays unwritable while it is mapped, its dynamic linker does not: as on Linux. */
void exec_image_close(struct exec_image *image)
{
	if (image->interp.file)
		file_allow_write(image->interp.file);
	elf_file_close(&image->program);
	elf_file_close(&image->interp);
	kfree(image->path);
	image->path = NULL;
}
