/* SPDX-License-Identifier: ISC */
/*
 * Names of AF_UNIX sockets: abstract ones, and inodes of type socket in the file system, which only
 * point at a bound socket as long as that one lives. Source: unix(7).
 */
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "kernel/lib/lib.h"
#include "kernel/net/unix.h"
#include "kernel/task/thread.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/walk.h"

#define AUTOBIND_NAMES 0x100000u

static bool is_abstract(const struct unix_address *a)
{
	return a->len > sizeof(u16) && a->bytes[sizeof(u16)] == 0;
}

static const char *path_of(const struct unix_address *a)
{
	return (const char *)a->bytes + sizeof(u16);
}

s64 unix_address_parse(const u8 *bytes, u32 len, struct unix_address *out)
{
	u16 family;

	if (len <= sizeof(u16) || len > UNIX_ADDRESS_MAX)
		return -EINVAL;
	memcpy(&family, bytes, sizeof(family));
	if (family != AF_UNIX)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	memcpy(out->bytes, bytes, len);
	out->len = (u16)len;
	/* A path ends at its NUL, which counts; one that fills all the room has its NUL behind. */
	if (out->bytes[sizeof(u16)])
		out->len = (u16)(sizeof(u16) + strnlen(path_of(out), len - sizeof(u16)) + 1);
	return 0;
}

static struct unix_socket **bucket_of(const struct unix_address *a, struct inode *ino)
{
	u64 hash = ino ? hash_bytes(&ino, sizeof(ino)) : hash_bytes(a->bytes, a->len);

	return &net_shared()->bucket[hash % UNIX_BUCKETS];
}

struct unix_socket *unix_find(const struct unix_address *a, struct inode *ino)
{
	struct unix_socket *u = *bucket_of(a, ino);

	for (; u; u = u->chain) {
		if (ino ? u->inode == ino
				: !u->inode && u->address.len == a->len &&
					  !memcmp(u->address.bytes, a->bytes, a->len))
			return u;
	}
	return NULL;
}

/* Under net_lock. May be done twice. */
void unix_unname(struct unix_socket *u)
{
	struct unix_socket **link = bucket_of(&u->address, u->inode);

	while (*link && *link != u)
		link = &(*link)->chain;
	if (*link)
		publish(link, u->chain);
	u->bound = 0;
}

/* Under net_lock: address and inode are what u gets. */
static s64 name_take(struct unix_socket *u, const struct unix_address *a, struct inode *ino)
{
	struct unix_socket **bucket = bucket_of(a, ino);
	struct conn *c = atomic_load(&u->e.conn);

	if (u->bound)
		return -EINVAL;
	if (!ino && unix_find(a, NULL))
		return -EADDRINUSE;
	u->address = *a;
	if (ino)
		inode_give(&u->inode, ino);
	u->chain = *bucket;
	u->bound = 1;
	publish(bucket, u);
	if (c)
		unix_conn(c)->address[u->e.end] = *a;
	return 0;
}

/* The node in the file system. */
static s64 path_create(const struct unix_address *a, struct inode **out)
{
	u32 mode = S_IFSOCK | (0777 & ~current->proc->kp->inherited.umask);
	char path[UNIX_PATH_MAX + 1];
	struct walk *w = walk_new();
	s64 err;

	if (!w)
		return -ENOMEM;
	strlcpy(path, path_of(a), sizeof(path));
	err = walk_path(w, AT_FDCWD, path, WALK_PARENT);
	if (!err)
		err = w->last == LAST_NAME ? walk_name(w) : -EEXIST;
	if (!err && w->found)
		err = -EEXIST;
	if (!err && w->slash)
		err = -ENOENT;
	if (!err)
		err = node_create(w, mode, 0, NULL, out);
	walk_free(w);
	return err == -EEXIST ? -EADDRINUSE : err;
}

/*
 * bind with nothing but the family, or a datagram sender that wants to be answered: five
 * hexadecimal digits.
 */
static s64 bind_auto(struct unix_socket *u)
{
	struct unix_address a;
	char digits[8];

	for (u32 tries = 0; tries < AUTOBIND_NAMES; tries++) {
		u32 n = atomic_fetch_add(&net_shared()->next_name, 1) % AUTOBIND_NAMES;
		s64 err;

		memset(&a, 0, sizeof(a));
		a.bytes[0] = AF_UNIX;
		ksnprintf(digits, sizeof(digits), "%05x", n);
		memcpy(a.bytes + sizeof(u16) + 1, digits, 5);
		a.len = sizeof(u16) + 6;
		net_lock();
		err = u->bound ? 0 : name_take(u, &a, NULL);
		net_unlock();
		if (err != -EADDRINUSE)
			return err;
	}
	return -ENOSPC;
}

s64 unix_bind(struct socket *s, const u8 *address, u32 len)
{
	struct unix_socket *u = unix_of(s);
	struct inode *ino = NULL;
	struct unix_address a;
	s64 err;

	if (len == sizeof(u16) && address[0] == AF_UNIX && !address[1])
		return bind_auto(u);
	err = unix_address_parse(address, len, &a);
	if (err)
		return err;
	if (u->bound)
		return -EINVAL;
	if (!is_abstract(&a))
		err = path_create(&a, &ino);
	if (err)
		return err;
	net_lock();
	err = name_take(u, &a, ino);
	net_unlock();
	if (err && ino)
		inode_put(ino);
	return err;
}

s64 unix_resolve(const struct unix_address *a, struct inode **out)
{
	char path[UNIX_PATH_MAX + 1];
	struct inode *ino = NULL;
	struct walk *w;
	s64 err;

	*out = NULL;
	if (is_abstract(a))
		return 0;
	w = walk_new();
	if (!w)
		return -ENOMEM;
	strlcpy(path, path_of(a), sizeof(path));
	err = walk_path(w, AT_FDCWD, path, WALK_FOLLOW);
	if (!err) {
		ino = walk_inode(w);
		err = ino ? access_inode(ino, MAY_WRITE) : -ECONNREFUSED;
	}
	if (!err && !S_ISSOCK(ino->mode))
		err = -ECONNREFUSED;
	if (!err) {
		inode_get(ino);
		*out = ino;
	}
	walk_free(w);
	return err;
}
