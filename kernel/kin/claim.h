/* SPDX-License-Identifier: ISC */
/* Shared structures that most families never need: made by whoever asks first. */
#ifndef KERNEL_KIN_CLAIM_H
#define KERNEL_KIN_CLAIM_H

#include "kernel/kin/kin_core.h"

/*
 * The structure of size bytes at that root; made by the first who asks: zeroed, then init unless
 * NULL. Two members may ask at once: one of them gives its own back. NULL: kin is full.
 */
void *kin_root_claim(enum kin_root root, size_t size, void (*init)(void *p));

#endif
