/* SPDX-License-Identifier: ISC */
/* kvm: the memory behind an application's addresses, in frames of 2 MiB (frames_kvm.c). */
#ifndef KERNEL_ARCH_FRAMES_KVM_H
#define KERNEL_ARCH_FRAMES_KVM_H

#include "abi/layout.h"
#include "common/types.h"

/*
 * Every granule of [va, +len) has a frame afterwards: how many got one now, or -ENOMEM (then some
 * may have).
 */
s64 frames_bind(u64 va, u64 len);
u64 frame_address(u64 va); /* guest-physical, or 0: its granule has no frame */
/*
 * The next part of [*va, end) that lies together behind its addresses: *va moves to its beginning.
 * What has no frame is skipped.
 */
bool frames_next_run(u64 *va, u64 end, u64 *pa, u64 *len);
/*
 * Nothing in va's granule is mapped any more: its frame is free at once if it is clean (zero), else
 * when it was given back to the host. pin: entries of the granule were lost, so that only who
 * unmaps the whole of it (whole) may say so.
 */
bool frame_release(u64 va, bool whole, bool clean);
void frame_pin(u64 va);
/*
 * Memory that the caller gives back to the host now: frames that were released, and free ones
 * between them. false: there is no more.
 */
bool frames_next_dirty(u64 *pa, u64 *len);

#endif
