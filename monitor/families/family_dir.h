/* SPDX-License-Identifier: ISC */
/*
 * Families with names. Each is a directory of mode 0700 below the state directory, which the user
 * owns; there is no daemon, and nobody but unifork's own processes writes there.
 *
 *   lock          a write lock (fcntl(2), of the open file description) is held by the family's
 *                 front and supervisor. It is held: the family is alive. It is not: it is dead,
 *                 however that came. Who only wants to know asks (F_OFD_GETLK) and takes nothing.
 *   control       the front's socket: request.h
 *   family.json   what it was started with; written once by the front
 *   end.json      how it ended; missing if the front could not say so
 *   end.tmp       room for that on the disk, taken at the start
 *   paused        is there while all of it is stopped; says nothing once the family is dead
 *   log, log.1    what a detached family wrote, the older part in log.1: journal.h
 *
 * Names come and go under flock(2) on the state directory. An empty directory is what is left of
 * somebody who was killed while making or removing one: it is no family, and its name is free.
 * docs/adr/0014 says why it is so.
 */
#ifndef MONITOR_FAMILIES_FAMILY_DIR_H
#define MONITOR_FAMILIES_FAMILY_DIR_H

#include <fcntl.h>
#include <stdbool.h>

#include "common/types.h"
#include "monitor/core/error.h"

#define FAMILY_NAME_MAX 100
#define FAMILY_PAUSED_FILE "paused"
/*
 * For files that are made or written there: a family whose volume holds the directory could have
 * put a link or a FIFO in their place.
 */
#define FAMILY_FILE_FLAGS (O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

struct family_dir {
	int fd, lock_fd; /* the directory and its lock file; -1: not open */
	char name[FAMILY_NAME_MAX + 1];
};

/* [a-zA-Z0-9][a-zA-Z0-9_.-]*, so that it is one component of a path and never hidden. */
int family_name_check(const char *name, struct error *err) MUST_CHECK;

/*
 * The state directory: `given` (--state-dir), or what the user has by default. *fd is -1 if it does
 * not exist and is not to be made. Refused if others could write there; root may look into another
 * user's, but makes nothing in it.
 */
int families_open(const char *given, bool make, int *fd, struct error *err) MUST_CHECK;

/*
 * A new family, whose lock this process holds until the last copy of lock_fd is closed. name NULL:
 * one is made up of `program`. The state directory is locked meanwhile.
 */
int family_create(int families_fd, const char *name, const char *program, struct family_dir *dir,
				  struct error *err) MUST_CHECK;
/* One that is there; code ENOENT: there is none of that name. */
int family_open(int families_fd, const char *name, struct family_dir *dir,
				struct error *err) MUST_CHECK;
void family_close(struct family_dir *dir);

bool family_lives(const struct family_dir *dir);
/* Until it is dead. timeout_ms -1: for ever. false: it still lives. */
bool family_wait(const struct family_dir *dir, int timeout_ms);

/* Of a dead family everything; code EBUSY: it lives. */
int family_remove(int families_fd, struct family_dir *dir, struct error *err) MUST_CHECK;
/* As the one that holds its lock: --rm, and a family that did not start. */
void family_remove_own(int families_fd, struct family_dir *dir);

#endif
