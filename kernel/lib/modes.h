/* SPDX-License-Identifier: ISC */
/*
 * Modes of files: S_IFREG, S_ISDIR and the like. <linux/stat.h> leaves them to glibc once a header
 * of glibc has been seen, and the queues and trees that the kernel borrows (sys/queue.h,
 * bsd/sys/tree.h) are such. Include this and not that one: the order of includes then says nothing.
 */
#ifndef KERNEL_LIB_MODES_H
#define KERNEL_LIB_MODES_H

#pragma push_macro("__GLIBC__")
#undef __GLIBC__
#include <linux/stat.h>
#pragma pop_macro("__GLIBC__")

#endif
