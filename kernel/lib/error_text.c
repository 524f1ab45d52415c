/* SPDX-License-Identifier: ISC */
/* Errors in words, for the few messages that the kernel itself has for the user. */
#include <asm/errno.h>

#include "kernel/lib/lib.h"

const char *error_text(s64 err)
{
	static char number[24];

	switch (err) {
	case -EPERM: return "Operation not permitted";
	case -ENOENT: return "No such file or directory";
	case -EIO: return "Input/output error";
	case -E2BIG: return "Argument list too long";
	case -ENOEXEC: return "Exec format error";
	case -ENOMEM: return "Cannot allocate memory";
	case -EACCES: return "Permission denied";
	case -ENOTDIR: return "Not a directory";
	case -EISDIR: return "Is a directory";
	case -EMFILE:
	case -ENFILE: return "Too many open files";
	case -ENOSPC: return "No space left on device";
	case -EROFS: return "Read-only file system";
	case -ELOOP: return "Too many levels of symbolic links";
	case -ENAMETOOLONG: return "File name too long";
	case -ELIBBAD: return "Accessing a corrupted shared library";
	case -ESTALE: return "Stale file handle";
	default: ksnprintf(number, sizeof(number), "error %ld", -err); return number;
	}
}
