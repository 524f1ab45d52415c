/* SPDX-License-Identifier: ISC */
/*
 * memfd_create(2) and seals: files without a name, their pages in kin like every file's, of which
 * one may promise others that they will not change. Seals are only ever added; the rules they make
 * are kept where files are written, truncated and mapped. Source: fcntl(2), "File Sealing".
 */
#include <asm/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>

#include "kernel/fd/fd_hooks.h"
#include "kernel/lib/lib.h"
#include "kernel/mm/mm_hooks.h"
#include "kernel/syscall/syscall.h"
#include "kernel/tmpfs/tmpfs.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 0x10u
#endif
#define NAME_MAX_ 249

s64 sys_memfd_create(u64 name, u64 flags)
{
	char path[8 + NAME_MAX_ + 1] = "/memfd:";
	bool exec = !(flags & MFD_NOEXEC_SEAL);

	if (flags & ~(u64)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL; /* MFD_HUGETLB among them */
	if (!exec && (flags & MFD_EXEC))
		return -EINVAL;
	s64 n = string_in(path + 7, (const void *)name, NAME_MAX_ + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	struct inode *ino = inode_alloc(FS_MEMFD, S_IFREG | (exec ? 0777 : 0666));
	struct file *f = ino ? file_alloc(FILE_INODE, O_RDWR | O_LARGEFILE) : NULL;
	if (!f) {
		inode_put(ino);
		return -ENFILE;
	}
	ino->seals = exec ? 0 : F_SEAL_EXEC;
	if (exec && !(flags & MFD_ALLOW_SEALING))
		ino->seals = F_SEAL_SEAL;
	inode_give(&f->inode, ino);
	if (file_set_path(f, path)) {
		file_put(f);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & MFD_CLOEXEC ? FD_CLOEXEC : 0);
}

/* Under the inode's lock. Mappings are references to its object, beside its own. */
static bool is_mapped(struct inode *ino)
{
	return ino->object && object_refs(ino->object) > 1;
}

static s64 seals_add(struct file *f, u32 seals)
{
	struct inode *ino = f->inode;
	s64 err = 0;

	if (seals & ~(u32)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
					   F_SEAL_FUTURE_WRITE | F_SEAL_EXEC))
		return -EINVAL;
	inode_data_lock(ino);
	if ((ino->seals & F_SEAL_SEAL) || ino->fs == FS_SHM)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(ino->seals & F_SEAL_WRITE) && is_mapped(ino))
		err = -EBUSY;
	/* What may be executed and stay so must stay what it is. */
	if ((seals & F_SEAL_EXEC) && (ino->mode & 0111))
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	if (!err)
		ino->seals |= seals;
	kin_unlock(&ino->lock);
	return err;
}

s64 seals_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct inode *ino = f->type == FILE_INODE ? f->inode : NULL;

	if (cmd == F_ADD_SEALS && (f->flags & O_ACCMODE) == O_RDONLY)
		return -EPERM;
	if (!ino || (ino->fs != FS_MEMFD && ino->fs != FS_SHM))
		return -EINVAL;
	if (cmd == F_ADD_SEALS)
		return seals_add(f, (u32)arg);
	return ino->fs == FS_SHM ? F_SEAL_SEAL : ino->seals;
}

u64 seals_allow_write(const struct inode *ino, u64 pos, u64 len)
{
	u64 size = ino->size;

	if (ino->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return 0;
	if (!(ino->seals & F_SEAL_GROW) || pos + len <= size)
		return len;
	/* Page by page: the first that reaches beyond the end is refused. */
	return pos < ALIGN_DOWN(size, PAGE_SIZE) ? ALIGN_DOWN(size, PAGE_SIZE) - pos : 0;
}

s64 seals_allow_map(const struct file *f, bool writes)
{
	bool sealed = f->inode && S_ISREG(f->inode->mode) &&
				  f->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);

	return !sealed ? 1 : writes ? -EPERM : 0;
}
