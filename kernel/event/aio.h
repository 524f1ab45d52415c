/* SPDX-License-Identifier: ISC */
/* Bounds of asynchronous input and output. What exec and fork ask for: kernel/mm/mm_hooks.h. */
#ifndef KERNEL_EVENT_AIO_H
#define KERNEL_EVENT_AIO_H

#define AIO_REQUESTS_MAX 65536 /* of a context: /proc/sys/fs/aio-max-nr */

#endif
