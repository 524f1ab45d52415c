/* SPDX-License-Identifier: ISC */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/event/event_file.h"
#include "kernel/kin/own.h"

s64 event_make(struct event_new *e, size_t size)
{
	e->file = file_alloc(e->type, e->mode | (e->flags & O_NONBLOCK));
	if (!e->file)
		return -ENFILE;
	e->object = own_new(OWN_MEMORY, size);
	if (!e->object) {
		file_put(e->file);
		return -ENOMEM;
	}
	return 0;
}

s64 event_install(struct event_new *e)
{
	own_give((void **)&e->file->priv[0], e->object);
	return fd_install(e->file, 0, e->flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}
