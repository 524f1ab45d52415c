/* SPDX-License-Identifier: ISC */
/* What the command line says of the first program's surroundings: a part of kin (abi/kin.h). */
#ifndef ABI_START_H
#define ABI_START_H

#include "common/types.h"

#define VOLUME_PATH_MAX 1024
#define START_GROUPS_MAX 32
#define START_LIMITS 16 /* RLIM_NLIMITS */
#define START_TMPFS_MAX 16
#define HOSTNAME_MAX 64
#define START_LINE_MAX 512

/* A tmpfs, as the command line asks for it. */
struct kin_tmpfs {
	u32 mode, uid, gid;
	u64 size; /* bytes that its files may have; 0: no bound but memory */
	char path[VOLUME_PATH_MAX];
};

/* Who the first program is and what it finds: the first kernel reads it once. */
struct kin_start {
	u32 uid, gid, group_count;
	u32 groups[START_GROUPS_MAX];
	/*
	 * An ordinary user of the host runs the family: the host has the last word on its files, and
	 * looks through directories for what is asked for on behalf of uid.
	 */
	u32 ordinary;
	u32 read_only;                 /* the writable layer takes nothing from the first program on */
	char hostname[HOSTNAME_MAX + 1], domainname[HOSTNAME_MAX + 1]; /* as uname tells them */
	char home[VOLUME_PATH_MAX];    /* a directory that uid must be able to use; "": none */
	char passwd[START_LINE_MAX];   /* a line that etc/passwd lacks, "": it has uid's */
	char group[START_LINE_MAX];    /* the same of etc/group */
	u32 limits_set;                /* bit N: limits[N] replaces the default */
	struct {
		u64 soft, hard;
	} limits[START_LIMITS];
	u32 tmpfs_count;
	struct kin_tmpfs tmpfs[START_TMPFS_MAX];
};

#endif
