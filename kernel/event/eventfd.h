/* SPDX-License-Identifier: ISC */
#ifndef KERNEL_EVENT_EVENTFD_H
#define KERNEL_EVENT_EVENTFD_H

struct file;

/* f, of FILE_EVENTFD, counts one more, unless it is full. */
void eventfd_tell(struct file *f);

#endif
