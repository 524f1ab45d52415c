/* SPDX-License-Identifier: ISC */
/* The monitor's side of the ELF target, apart because its headers do not go with the kernel's. */
#ifndef TESTS_FUZZ_ELF_IMAGE_H
#define TESTS_FUZZ_ELF_IMAGE_H

#include "common/types.h"

/* The kernel's window is mapped: loads these bytes into it as the built-in kernel. */
void elf_image_load(const u8 *bytes, size_t len);

#endif
