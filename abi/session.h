/* SPDX-License-Identifier: ISC */
/* Programs that are brought into a running family: a part of kin (abi/kin.h). */
#ifndef ABI_SESSION_H
#define ABI_SESSION_H

#include "common/types.h"

/*
 * A session: a program that was brought into the running family (`unifork exec`), and what descends
 * from it, which has the standard streams that came with the request (kin_member.session; 0 is what
 * has those of `unifork run`).
 *
 * The supervisor numbers sessions, fills the rest, stores `record` last and sets the bit
 * of inbox_sessions. Any member's kernel takes a record to SPAWNING for it and says which, by
 * compare-and-swap: of two that do it one wins, and after the supervisor has given up, neither.
 * From that store on the record is the supervisor's, which starts the monitor; until then it is
 * freed by whoever buries the member that took it. The fresh kernel makes the process, whose parent
 * is outside.
 */
#define SESSIONS_MAX 128
#define SESSION_REFUSED 0x80000000u
struct kin_session {
	/* number << 32, and in the low half 0, a record's index + 1, or SESSION_REFUSED + errno */
	_Atomic u64 record;
	u32 uid, gid;
	u32 own_user;  /* uid and gid hold, without other groups; else it is who the first program is */
	u32 terminal;  /* it gets a terminal of the family's, and the streams are the other side's */
	u32 args;      /* where in kin_header.args its struct kin_exec is */
	u32 pad;
};

#endif
