/* SPDX-License-Identifier: ISC */
/*
 * Who the first program is. Started by root: root, or whom --user names. Started by an ordinary
 * user: that user by default, whose files are its own then, or anybody whom --user names: then that
 * one stands for the user, and the user's files are shown as that one's.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/options.h"

#define ID_MAX 0xfffffffell
#define FILE_SIZE_MAX (64 << 20) /* of passwd and group: more would take its time */
#define NO_GROUP 65534 /* overflowgid: what files of a group without a number are shown as */

/* A descriptor, or -1: it is not there, or no file to be read from the first to the last line. */
static int open_once(int root_fd, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * A file below the root directory, as a process inside would find it. Whoever made that directory
 * may have put anything there: a FIFO would not open, a device does things when it does.
 */
static FILE *open_below(const char *root, const char *path)
{
	int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, seen;
	FILE *f = NULL;

	if (root_fd >= 0) {
		seen = open_once(root_fd, path, O_PATH);
		if (seen >= 0) {
			fd = open_once(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
			close(seen);
		}
		close(root_fd);
	}
	if (fd >= 0)
		f = fdopen(fd, "r");
	if (fd >= 0 && !f)
		close(fd);
	return f;
}

/* An id in decimal, or -1. */
static long long id_parse(const char *text)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	long long id = strtoll(text, &end, 10);
	return errno || *end || id > ID_MAX ? -1 : id;
}

/* By name, or by id if name is NULL. Valid until the next call. */
static struct passwd *passwd_find(const char *root, const char *name, unsigned uid)
{
	FILE *f = open_below(root, "etc/passwd");
	struct passwd *p = NULL;

	while (f && (p = fgetpwent(f)))
		if (name ? !strcmp(p->pw_name, name) : p->pw_uid == uid)
			break;
	if (f)
		fclose(f);
	return p;
}

static int group_find(struct run_options *o, const char *text, struct error *err)
{
	FILE *f = open_below(o->root, "etc/group");
	struct group *g = NULL;
	long long id = id_parse(text);

	while (f && (g = fgetgrent(f)))
		if (!strcmp(g->gr_name, text))
			break;
	if (f)
		fclose(f);
	if (g)
		id = g->gr_gid;
	if (id < 0)
		return error_set(err, 0, "--user: there is no group '%.100s' in etc/group below %.200s; "
						 "give its number", text, o->root);
	o->gid = (unsigned)id;
	return 0;
}

static bool group_known(const char *root, unsigned gid)
{
	FILE *f = open_below(root, "etc/group");
	struct group *g = NULL;

	while (f && (g = fgetgrent(f)))
		if (g->gr_gid == gid)
			break;
	if (f)
		fclose(f);
	return g;
}

static void group_add(struct run_options *o, unsigned gid)
{
	for (unsigned i = 0; i < o->group_count; i++)
		if (o->groups[i] == gid)
			return;
	if (o->group_count < START_GROUPS_MAX)
		o->groups[o->group_count++] = gid;
}

/* The groups that etc/group puts the user in. */
static void groups_of(struct run_options *o, const char *name)
{
	FILE *f = open_below(o->root, "etc/group");
	struct group *g;

	while (f && (g = fgetgrent(f)))
		for (char **member = g->gr_mem; *member; member++)
			if (!strcmp(*member, name))
				group_add(o, g->gr_gid);
	if (f)
		fclose(f);
}

/* USER[:GROUP] */
static int given_find(struct run_options *o, const char *given, struct error *err)
{
	char name[256], *colon;
	struct passwd *p;
	long long id;

	if (snprintf(name, sizeof(name), "%s", given) >= (int)sizeof(name))
		return error_set(err, 0, "--user '%.100s...' is too long", given);
	colon = strchr(name, ':');
	if (colon)
		*colon++ = 0;
	p = passwd_find(o->root, name, 0);
	id = p ? p->pw_uid : id_parse(name);
	if (id < 0)
		return error_set(err, 0, "--user: there is no user '%.100s' in etc/passwd below %.200s; "
						 "give a number", name, o->root);
	if (!p)
		p = passwd_find(o->root, NULL, (unsigned)id);
	o->uid = (unsigned)id;
	o->gid = p ? p->pw_gid : 0;
	if (colon)
		return group_find(o, colon, err);
	if (p)
		groups_of(o, strdupa(p->pw_name));
	return 0;
}

/*
 * The user's other groups on the host. A user namespace has numbers for none of them: files of all
 * of them are shown with one, which so becomes a group of the family's. The host has the last word.
 */
static void groups_of_caller(struct run_options *o)
{
	gid_t groups[256];
	int n = getgroups(256, groups);
	bool more = n < 0; /* so many */

	for (int i = 0; i < n; i++)
		more |= groups[i] != getegid();
	if (more)
		group_add(o, NO_GROUP);
}

static bool name_usable(const char *name)
{
	return *name && !strpbrk(name, "/: \t\n") && strlen(name) < 64;
}

/*
 * An ordinary user whom the root directory does not know: its name on the host, or a number, with a
 * home in the layer and lines for passwd and group. NULL: no memory.
 */
static char *entry_invent(struct run_options *o)
{
	struct passwd *p = passwd_find("/", NULL, geteuid());
	char *name = p && name_usable(p->pw_name) ? strdup(p->pw_name) : NULL, *home, *line;

	if (name && passwd_find(o->root, name, 0)) { /* somebody else's there */
		free(name);
		name = NULL;
	}
	if ((!name && asprintf(&name, "user%u", o->uid) < 0) || asprintf(&home, "/home/%s", name) < 0 ||
		asprintf(&line, "%s:x:%u:%u::%s:/bin/sh\n", name, o->uid, o->gid, home) < 0)
		return NULL;
	o->passwd = line;
	if (!group_known(o->root, o->gid)) {
		if (asprintf(&line, "%s:x:%u:\n", name, o->gid) < 0)
			return NULL;
		o->group = line;
	}
	return home;
}

int user_find(struct run_options *o, const char *given, const char **home, struct error *err)
{
	bool ordinary = geteuid() != 0;
	struct passwd *p;
	char *found = NULL;

	o->uid = ordinary ? geteuid() : 0;
	o->gid = ordinary ? getegid() : 0;
	if (given && given_find(o, given, err) < 0)
		return -1;
	if (ordinary)
		groups_of_caller(o);
	p = passwd_find(o->root, NULL, o->uid);
	if (p && p->pw_dir[0] == '/')
		found = strdup(p->pw_dir);
	else if (o->uid == 0)
		found = strdup("/root");
	else
		found = ordinary && !given ? entry_invent(o) : strdup("/");
	if (!found)
		return error_set(err, ENOMEM, "cannot keep the user's home directory");
	*home = found;
	/* A daemon's home may be any directory, or be missing on purpose: it is left alone. */
	if (ordinary && (o->uid == 0 || o->uid == geteuid()))
		o->home = found;
	return 0;
}
