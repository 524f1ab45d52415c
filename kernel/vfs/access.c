/* SPDX-License-Identifier: ISC */
/*
 * Who may do what: mode bits against the process's ids, which are the family's own fiction (the
 * first are what --user says), and its capabilities. With CAP_DAC_OVERRIDE a file is executed only
 * if someone may.
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

/* What lets pass whatever the mode bits say. */
static bool overrides(u32 mode, u32 want, u64 caps)
{
	if (!(want & MAY_WRITE) && (S_ISDIR(mode) || want == MAY_READ) &&
		caps >> CAP_DAC_READ_SEARCH & 1)
		return true;
	return caps >> CAP_DAC_OVERRIDE & 1 && (S_ISDIR(mode) || !(want & MAY_EXEC) || mode & 0111);
}

int access_check_as(u32 mode, u32 uid, u32 gid, u32 want, const struct access_as *as)
{
	u32 bits = mode;
	if (uid == as->uid)
		bits = mode >> 6;
	else if (gid == as->gid || (as->gid == cred_gid() && cred_in_group(gid)))
		bits = mode >> 3;
	return (bits & want) == want || overrides(mode, want, as->caps) ? 0 : -EACCES;
}

int access_check(u32 mode, u32 uid, u32 gid, u32 want)
{
	return access_check_as(mode, uid, gid, want,
						   &(struct access_as){cred_uid(), cred_gid(), cred_caps()});
}

int access_inode(struct inode *ino, u32 want)
{
	if (want & MAY_WRITE && inode_immutable(ino))
		return -EPERM;
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
	return cred_uid() == ino->uid || cred_capable(CAP_FOWNER) ? 0 : -EPERM;
}

int access_sticky(struct inode *dir, struct inode *victim)
{
	u32 uid = cred_uid();

	if (inode_append_only(dir) || inode_append_only(victim) || inode_immutable(victim))
		return -EPERM;
	if (!(dir->mode & S_ISVTX) || uid == dir->uid || uid == victim->uid || cred_capable(CAP_FOWNER))
		return 0;
	return -EPERM;
}
