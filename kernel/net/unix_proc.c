/* SPDX-License-Identifier: ISC */
/* /proc/net/unix: the family's AF_UNIX sockets. Format: unix_seq_show in Linux. */
#include "kernel/net/unix.h"
#include "kernel/lib/text.h"

#define SO_ACCEPTCON_FLAG 0x10000u       /* the flag of a socket that listens */
enum { UNCONNECTED = 1, CONNECTED = 3 }; /* SS_* */

/* Paths end with a NUL that is not shown; NULs of abstract names, the first included, are @. */
static void add_name(struct text *t, const struct unix_address *a)
{
	const char *name = (const char *)a->bytes + sizeof(u16);

	if (a->len <= sizeof(u16))
		return;
	bool abstract = !*name;
	text_bytes(t, " ", 1);
	for (u32 i = 0; i < a->len - sizeof(u16) && (abstract || name[i]); i++)
		text_bytes(t, name[i] ? &name[i] : "@", 1);
}

/* Under net_lock. A reference is its file's. */
static void add_socket(struct text *t, const struct unix_socket *u)
{
	u32 state = atomic_load(&u->e.state);
	bool connected = state == ENDPOINT_CONNECTED || atomic_load(&u->peer);

	text_add(t, "%016x: %08x %08x %08x %04x %02x %5lu", 0, 2, 0,
			 state == ENDPOINT_LISTENING ? SO_ACCEPTCON_FLAG : 0, u->e.s.type,
			 connected ? CONNECTED : UNCONNECTED, u->e.s.ino);
	add_name(t, &u->address);
	text_bytes(t, "\n", 1);
}

/* The text is private memory of the caller's kernel. */
s64 show_net_unix(struct text *t, const struct proc_target *p)
{
	text_add(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	net_lock();
	for (const struct endpoint *e = net_shared()->all; e; e = e->next)
		if (e->s.family == AF_UNIX && atomic_load(&e->state) != ENDPOINT_CLOSED)
			add_socket(t, (const struct unix_socket *)e);
	net_unlock();
	return 0;
}
