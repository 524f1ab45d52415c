/* SPDX-License-Identifier: ISC */
/*
 * Whose the host's files are, as an ordinary user's family sees it. The host lets such a family be
 * one user and one group; what is theirs is the first program's inside, whatever numbers that has
 * there. A family of root's sees all ids as they are.
 */
#include "monitor/core/core_internal.h"

/* overflowuid: what the host says of ids that a user namespace has no number for. */
#define ID_UNKNOWN 65534

/* Who really has the number `inside` on the host is nobody whom the family knows. */
static u32 id_shown(u32 id, u32 on_host, u32 inside)
{
	if (on_host == inside)
		return id;
	return id == on_host ? inside : id == inside ? ID_UNKNOWN : id;
}

/*
 * Below the root directory, what the host tells no owner of is shown as root's, as nearly all of it
 * is: programs refuse configuration that somebody else could have written. Not so on volumes, where
 * root inside would take a stranger's files for its own.
 */
u32 uid_shown(const struct family *f, bool below_root, u32 host_uid)
{
	const struct shown_ids *s = &f->shown;

	if (!s->ordinary)
		return host_uid;
	if (below_root && s->unmapped && host_uid == ID_UNKNOWN)
		return 0;
	return id_shown(host_uid, s->host_uid, s->uid);
}

u32 gid_shown(const struct family *f, u32 host_gid)
{
	const struct shown_ids *s = &f->shown;

	return s->ordinary ? id_shown(host_gid, s->host_gid, s->gid) : host_gid;
}

u32 uid_on_host(const struct family *f, u32 uid)
{
	return f->shown.ordinary && uid == f->shown.uid ? f->shown.host_uid : uid;
}

u32 gid_on_host(const struct family *f, u32 gid)
{
	return f->shown.ordinary && gid == f->shown.gid ? f->shown.host_gid : gid;
}
