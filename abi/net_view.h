/* SPDX-License-Identifier: ISC */
/*
 * What the supervisor reads of the network namespace that a family was given (--net): the host's
 * own messages of rtnetlink(7), links first, then addresses, then routes; each is aligned to 4
 * bytes. A part of kin (abi/kin.h). Who wants to know sets wanted, notifies the supervisor, and
 * waits for looks to change.
 */
#ifndef ABI_NET_VIEW_H
#define ABI_NET_VIEW_H

#include "common/types.h"

#define NET_VIEW_MAX (128u << 10)

struct kin_net_view {
	_Atomic u32 wanted;
	_Atomic u32 looks;    /* futex word */
	_Atomic u32 sequence; /* odd while the supervisor writes what follows */
	u32 bytes;
	char messages[NET_VIEW_MAX];
};

#endif
