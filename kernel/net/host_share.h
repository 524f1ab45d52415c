/* SPDX-License-Identifier: ISC */
/*
 * Sockets of the host as processes share them: what fork, a descriptor that is passed on, and the
 * end of a descriptor or of a process mean for the handles of this member (host_handle.c).
 */
#ifndef KERNEL_NET_HOST_SHARE_H
#define KERNEL_NET_HOST_SHARE_H

#include "common/types.h"

/* Before a clone: from now on others have them, too. In the clone: it watches nothing yet. */
void sockets_fork_prepare(void);
void sockets_fork_child(void);
/* Those that no process of this member has a descriptor of any more are closed here. */
void sockets_sweep(void);

#endif
