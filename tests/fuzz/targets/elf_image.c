/* SPDX-License-Identifier: ISC */
/* See elf_image.h. The built-in kernel is a buffer here. */
#include "elf_image.h"

#include <sys/mman.h>

#include "input.h"
#include "monitor/core/core_internal.h"

#define IMAGE_SIZE 16384

char unifork_kernel_elf_start[IMAGE_SIZE];
__asm__(".globl unifork_kernel_elf_end\n"
		".set unifork_kernel_elf_end, unifork_kernel_elf_start + 16384");

static const struct backend_ops backend = {.name = "fuzz"};

static int protected(u64 addr, u64 len, int prot)
{
	if ((addr | len) % PAGE_SIZE || addr < KERNEL_IMAGE || addr > KERNEL_IMAGE_END ||
		len > KERNEL_IMAGE_END - addr)
		finding("the image is protected from %#llx on, %#llx bytes", (unsigned long long)addr,
				(unsigned long long)len);
	return 0;
}

void elf_image_load(const u8 *bytes, size_t len)
{
	struct family f = {.image_fd = -1, .backend = &backend};
	struct member m = {.family = &f, .backend = &backend};
	struct error err;

	memset(unifork_kernel_elf_start, 0, IMAGE_SIZE);
	memcpy(unifork_kernel_elf_start, bytes, MIN(len, (size_t)IMAGE_SIZE));
	/* What lies around the image's range is the kernel's, too, and must stay as it is. */
	((volatile u8 *)KERNEL_IMAGE)[-1] = ((volatile u8 *)KERNEL_IMAGE_END)[0] = 77;
	if (image_load(&m, &err) == 0 && image_protect(protected) < 0)
		finding("an image was loaded and cannot be protected");
	if (((volatile u8 *)KERNEL_IMAGE)[-1] != 77 || ((volatile u8 *)KERNEL_IMAGE_END)[0] != 77)
		finding("the image was loaded over something else");
	memset((void *)KERNEL_IMAGE, 0, sizeof(struct kernel_image));
}
