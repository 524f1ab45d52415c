/* SPDX-License-Identifier: ISC */
/*
 * Who may do what: mode bits against the process's ids, which are the family's own fiction (the
 * first are what --user says). uid 0 passes as with CAP_DAC_OVERRIDE, but executes a file only if
 * someone may.
 */
#include <asm/errno.h>

#include "kernel/task/thread.h"
#include "kernel/vfs/inode_ops.h"

/* Before the first process exists the kernel itself acts, as root. */
static struct kin_proc *cred(void)
{
	return current && current->proc ? current->proc->kp : NULL;
}

u32 cred_uid(void)
{
	return cred() ? cred()->inherited.fsuid : 0;
}

u32 cred_gid(void)
{
	return cred() ? cred()->inherited.fsgid : 0;
}

bool cred_in_group(u32 gid)
{
	if (!cred() || cred()->inherited.fsgid == gid)
		return true;
	struct proc *p = current->proc;
	for (u32 i = 0; i < p->kp->inherited.ngroups && i < GROUPS_MAX; i++)
		if (p->kp->inherited.groups[i] == gid)
			return true;
	return false;
}

int access_check_ids(u32 mode, u32 uid, u32 gid, u32 want, u32 as_uid, u32 as_gid)
{
	if (as_uid == 0) {
		if ((want & MAY_EXEC) && !S_ISDIR(mode) && !(mode & 0111))
			return -EACCES;
		return 0;
	}
	u32 bits = mode;
	if (uid == as_uid)
		bits = mode >> 6;
	else if (gid == as_gid || (as_gid == cred_gid() && cred_in_group(gid)))
		bits = mode >> 3;
	return (bits & want) == want ? 0 : -EACCES;
}

int access_check(u32 mode, u32 uid, u32 gid, u32 want)
{
	return access_check_ids(mode, uid, gid, want, cred_uid(), cred_gid());
}

int access_inode(struct inode *ino, u32 want)
{
	return access_check(ino->mode, ino->uid, ino->gid, want);
}

int access_mount(const struct inode *ino)
{
	/* No inode: a directory of the host's that nobody has touched. */
	const struct inode_ops *ops = inode_ops(ino ? ino : vfs_shared()->root);

	return ops->read_only && ops->read_only(ino) ? -EROFS : 0;
}

int access_owner(struct inode *ino)
{
	return cred_uid() == 0 || cred_uid() == ino->uid ? 0 : -EPERM;
}

int access_sticky(struct inode *dir, struct inode *victim)
{
	u32 uid = cred_uid();

	if (!(dir->mode & S_ISVTX) || uid == 0 || uid == dir->uid || uid == victim->uid)
		return 0;
	return -EPERM;
}
