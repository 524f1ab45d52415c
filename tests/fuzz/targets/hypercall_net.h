/* SPDX-License-Identifier: ISC */
/* What fuzz_hypercall.c and its part about sockets share. */
#ifndef TESTS_FUZZ_HYPERCALL_NET_H
#define TESTS_FUZZ_HYPERCALL_NET_H

#include "net_world.h"

/* Arguments by their kind, from fuzz_hypercall.c. */
u64 choose_number(struct input *in);
u64 choose_address(struct input *in);
u64 choose_length(struct input *in, bool paged);

/*
 * In a family with sockets: what a frame and the guest's memory have to hold for a call about them
 * to come far.
 */
void net_structure(struct input *in, struct hypercall_frame *f);

#endif
