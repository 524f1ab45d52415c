/* SPDX-License-Identifier: ISC */
/*
 * What this member remembers of the host's names, positive and negative. The host's root is
 * declared unchanging for the life of a family, so entries need no timeout; the cache is bounded
 * and drops its oldest. Private memory: a clone inherits it.
 *
 * A path whose stat succeeds proves that all its directories are directories and no links, so one
 * hypercall for the whole rest of a path answers the walk's questions about every component.
 */
#include <asm/errno.h>

#include "kernel/host/host.h"
#include "kernel/hostfs/hostfs.h"
#include "kernel/lib/lib.h"
#include "kernel/lib/modes.h"
#include "kernel/mm/mm.h"

#define DCACHE_BUCKETS 1024
#define DCACHE_MAX 4096

static LIST_HEAD(, dentry) buckets[DCACHE_BUCKETS];
static TAILQ_HEAD(, dentry) ages = TAILQ_HEAD_INITIALIZER(ages); /* oldest first */
static u32 entries;

static struct dentry *find(const char *path, u32 len, u32 key)
{
	struct dentry *d;

	LIST_FOREACH (d, &buckets[key % DCACHE_BUCKETS], hash)
		if (d->key == key && d->len == len && !memcmp(d->path, path, len))
			return d;
	return NULL;
}

static void drop(struct dentry *d)
{
	LIST_REMOVE(d, hash);
	TAILQ_REMOVE(&ages, d, age);
	kfree(d->target);
	kfree(d);
	entries--;
}

static struct dentry *enter(const char *path, u32 len, s32 error, const struct hyp_stat *st)
{
	u32 key = (u32)hash_bytes(path, len);
	struct dentry *d = find(path, len, key);

	if (!d) {
		if (entries >= DCACHE_MAX)
			drop(TAILQ_FIRST(&ages));
		d = kmalloc(sizeof(*d) + len + 1);
		if (!d)
			return NULL;
		memcpy(d->path, path, len);
		d->key = key;
		d->len = len;
		LIST_INSERT_HEAD(&buckets[key % DCACHE_BUCKETS], d, hash);
		TAILQ_INSERT_TAIL(&ages, d, age);
		entries++;
	}
	d->error = error;
	if (st) {
		d->st = *st;
		d->stat_known = true;
	} else if (!d->stat_known) {
		d->st.mode = S_IFDIR;
	}
	return d;
}

/* Host paths are relative to the root: "" is the root itself. */
static const char *host_path(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

/*
 * Asks the host about path and remembers the answer. ENOENT and ENOTDIR are answers; other errors
 * are not remembered.
 */
static s64 ask(const char *path, u32 len, struct dentry **out)
{
	struct hyp_stat st;
	s64 err = host_fs_stat(0, host_path(path), &st);

	if (err && err != -ENOENT && err != -ENOTDIR)
		return err;
	*out = enter(path, len, (s32)err, err ? NULL : &st);
	return *out ? 0 : -ENOMEM;
}

bool append_component(char *path, u32 *len, const char **rest)
{
	const char *s = *rest;

	for (;;) {
		while (*s == '/')
			s++;
		if (s[0] != '.' || (s[1] != '/' && s[1]))
			break;
		s++;
	}
	u32 n = 0;
	while (s[n] && s[n] != '/')
		n++;
	if (!n || (n == 2 && s[0] == '.' && s[1] == '.') || *len + n + 2 > VFS_PATH_MAX)
		return false;
	path[(*len)++] = '/';
	memcpy(path + *len, s, n);
	*len += n;
	path[*len] = '\0';
	*rest = s + n;
	return true;
}

/*
 * Asks about path + rest as a whole, then about its directory. A success enters all directories
 * between. Failures leave the question to the caller.
 */
static void ask_ahead(const char *path, u32 len, const char *rest)
{
	static char whole[VFS_PATH_MAX + 2];
	struct dentry *d;

	memcpy(whole, path, len);
	whole[len] = '\0';
	u32 end = len;
	const char *s = rest;
	while (append_component(whole, &end, &s))
		;
	if (end == len)
		return;
	s64 err = ask(whole, end, &d);
	if (err == -ELOOP)
		return;
	if (err || d->error) {
		while (whole[end - 1] != '/')
			end--;
		whole[--end] = '\0';
		if (end <= len || ask(whole, end, &d) || d->error)
			return;
	}
	while (end > len) {
		while (whole[end - 1] != '/')
			end--;
		whole[--end] = '\0';
		if (end >= len)
			enter(whole, end, 0, NULL);
	}
}

s64 dcache_lookup(const char *path, u32 len, const char *rest, bool need_stat, struct dentry **out)
{
	u32 key = (u32)hash_bytes(path, len);
	struct dentry *d = find(path, len, key);

	if (!d && *rest) {
		ask_ahead(path, len, rest);
		d = find(path, len, key);
	}
	if (!d || (need_stat && !d->error && !d->stat_known)) {
		s64 err = ask(path, len, &d);
		if (err)
			return err;
	}
	*out = d;
	return d->error;
}

s64 dcache_readlink(const char *path, u32 len, const char **target)
{
	static char buf[VFS_PATH_MAX];
	struct dentry *d;
	s64 err = dcache_lookup(path, len, "", true, &d);

	if (err)
		return err;
	if (!d->target) {
		s64 n = host_fs_readlink(0, host_path(path), buf, sizeof(buf) - 1);
		if (n < 0)
			return n;
		d->target = kmalloc((size_t)n + 1);
		if (!d->target)
			return -ENOMEM;
		memcpy(d->target, buf, (size_t)n);
		d->target[n] = '\0';
	}
	*target = d->target;
	return (s64)strlen(d->target);
}
