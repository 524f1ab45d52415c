/* SPDX-License-Identifier: ISC */
/* The state directory and the directories in it: who may be there, who is alive, who goes. */
#include "monitor/families/family_dir.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_OF_ROOT "/run/unifork"
#define LOCK_FILE "lock"
#define END_ROOM 4096           /* of end.tmp */
#define NAMES_PATIENCE_MS 10000 /* for the lock of the state directory */
#define LOOK_AGAIN_MS 5

/* All that a family's directory can hold; the lock goes last, because it says whose it is. */
static const char *const files[] = {"control", "family.json", "family.tmp", "end.json",
									"end.tmp", "log",         "log.1",      FAMILY_PAUSED_FILE,
									LOCK_FILE};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

int family_name_check(const char *name, struct error *err)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || (n && name[n] && strchr("_.-", name[n])))
		n++;
	if (n && !name[n] && n <= FAMILY_NAME_MAX)
		return 0;
	char shown[64];

	snprintf(shown, sizeof(shown), "%s", name);
	text_clean(shown, strlen(shown));
	return error_set(err, 0, "'%s' is no name for a family: a letter or digit, then letters, "
					 "digits, _ . and -, at most %d", shown, FAMILY_NAME_MAX);
}

/* ---- the state directory */

static int place_default(char *path, size_t size, struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0) {
		snprintf(path, size, "%s", STATE_OF_ROOT);
		return 0;
	}
	if (!runtime || runtime[0] != '/')
		return error_set(err, 0, "there is no place for families with names: XDG_RUNTIME_DIR is "
						 "%s; give --state-dir DIR", runtime ? "no absolute path" : "not set");
	return snprintf(path, size, "%s/unifork", runtime) < (int)size
			   ? 0
			   : error_set(err, ENAMETOOLONG, "cannot use XDG_RUNTIME_DIR");
}

/* Who else could write there could put families of his own in the place of ours. */
static int place_check(int fd, const char *path, bool make, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, errno, "cannot look at the state directory '%.200s'", path);
	if (st.st_uid != geteuid() && (make || geteuid() != 0))
		return error_set(err, 0, "the state directory '%.200s' belongs to user %u, not to you (%u)",
						 path, st.st_uid, geteuid());
	if (st.st_mode & 022)
		return error_set(err, 0, "others may write in the state directory '%.200s' (mode %04o); "
						 "chmod go-w it, or give another one", path, st.st_mode & 07777);
	return 0;
}

int families_open(const char *given, bool make, int *fd, struct error *err)
{
	char path[PATH_MAX];

	*fd = -1;
	if (given && !*given)
		return error_set(err, 0, "--state-dir needs a directory");
	if (!given && place_default(path, sizeof(path), err) < 0)
		return -1;
	if (given && snprintf(path, sizeof(path), "%s", given) >= (int)sizeof(path))
		return error_set(err, ENAMETOOLONG, "cannot use --state-dir");
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, errno, "cannot make the state directory '%.200s'; give another one "
						 "with --state-dir DIR", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT && !make)
		return 0;
	if (*fd < 0)
		return error_set(err, errno, "cannot open the state directory '%.200s'", path);
	if (place_check(*fd, path, make, err) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return -1;
}

/* Held for moments only; who holds it longer is stopped or hangs on its disk. */
static int names_lock(int families_fd, struct error *err)
{
	u64 until = now_ms() + NAMES_PATIENCE_MS;

	while (flock(families_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(err, errno, "cannot lock the state directory");
		if (now_ms() >= until)
			return error_set(err, 0, "the state directory is locked by another unifork; it may be "
							 "stopped");
		sleep_ms(LOOK_AGAIN_MS);
	}
	return 0;
}

static void names_unlock(int families_fd)
{
	flock(families_fd, LOCK_UN);
}

/* ---- a family's lock */

static struct flock whole_file(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

bool family_lives(const struct family_dir *dir)
{
	struct flock lock = whole_file(F_RDLCK);

	return fcntl(dir->lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool family_wait(const struct family_dir *dir, int timeout_ms)
{
	struct flock lock = whole_file(F_RDLCK);
	u64 until = now_ms() + (u64)MAX(timeout_ms, 0);

	if (timeout_ms < 0) {
		while (fcntl(dir->lock_fd, F_OFD_SETLKW, &lock) < 0 && errno == EINTR)
			;
		lock.l_type = F_UNLCK;
		fcntl(dir->lock_fd, F_OFD_SETLK, &lock);
		return true;
	}
	while (family_lives(dir)) {
		if (now_ms() >= until)
			return false;
		sleep_ms(LOOK_AGAIN_MS);
	}
	return true;
}

/* ---- one family */

void family_close(struct family_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	if (dir->lock_fd >= 0)
		close(dir->lock_fd);
	dir->fd = dir->lock_fd = -1;
}

static int dir_open(int families_fd, const char *name)
{
	return openat(families_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* An empty one is left of somebody who was killed. */
static int dir_make(int families_fd, const char *name)
{
	if (mkdirat(families_fd, name, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (unlinkat(families_fd, name, AT_REMOVEDIR) == 0)
		return mkdirat(families_fd, name, 0700);
	errno = EEXIST;
	return -1;
}

/* program-3f09ac: its last component, as far as that may be in a name. */
static int name_invent(int families_fd, const char *program, char *name)
{
	const char *base = strrchr(program, '/');
	unsigned char random[3];
	char word[33];
	size_t n = 0;

	for (base = base ? base + 1 : program; *base && n < sizeof(word) - 1; base++)
		if (isalnum((unsigned char)*base) || (n && strchr("_.-", *base)))
			word[n++] = *base;
	word[n] = 0;
	for (int tries = 0; tries < 100; tries++) {
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return -1;
		snprintf(name, FAMILY_NAME_MAX + 1, "%s-%02x%02x%02x", n ? word : "family", random[0],
				 random[1], random[2]);
		if (dir_make(families_fd, name) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

static int dir_fill(int families_fd, struct family_dir *dir)
{
	struct flock lock = whole_file(F_WRLCK);
	int end;

	dir->fd = dir_open(families_fd, dir->name);
	if (dir->fd < 0)
		return -1;
	dir->lock_fd = openat(dir->fd, LOCK_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (dir->lock_fd < 0 || fcntl(dir->lock_fd, F_OFD_SETLK, &lock) < 0)
		return -1;
	end = openat(dir->fd, "end.tmp", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (end < 0)
		return -1;
	errno = posix_fallocate(end, 0, END_ROOM);
	if (errno == EOPNOTSUPP)
		errno = 0; /* then the end may not get written on a disk that is full */
	close(end);
	return errno ? -1 : 0;
}

/* Twice: who writes the log of one whose front was killed may begin a new file meanwhile. */
static void files_unlink(int families_fd, struct family_dir *dir)
{
	for (int tries = 0; tries < 2; tries++) {
		for (size_t i = 0; dir->fd >= 0 && i < ARRAY_SIZE(files); i++)
			unlinkat(dir->fd, files[i], 0);
		if (unlinkat(families_fd, dir->name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY)
			break;
	}
}

static int create_locked(int families_fd, const char *name, const char *program,
						 struct family_dir *dir, struct error *err)
{
	int r;

	if (name)
		snprintf(dir->name, sizeof(dir->name), "%s", name);
	r = name ? dir_make(families_fd, name) : name_invent(families_fd, program, dir->name);
	if (r < 0 && errno == EEXIST)
		return error_set(err, 0, "the name '%.100s' is in use; 'unifork rm %.100s' frees that "
						 "of a family that has ended", name, name);
	if (r == 0 && dir_fill(families_fd, dir) == 0)
		return 0;
	r = errno;
	if (dir->name[0] && r != EACCES)
		files_unlink(families_fd, dir);
	family_close(dir);
	return error_set(err, r, "cannot make a directory for the family in the state directory");
}

int family_create(int families_fd, const char *name, const char *program, struct family_dir *dir,
				  struct error *err)
{
	int r;

	*dir = (struct family_dir){.fd = -1, .lock_fd = -1};
	if ((name && family_name_check(name, err) < 0) || names_lock(families_fd, err) < 0)
		return -1;
	r = create_locked(families_fd, name, program, dir, err);
	names_unlock(families_fd);
	return r;
}

int family_open(int families_fd, const char *name, struct family_dir *dir, struct error *err)
{
	struct error unused;

	*dir = (struct family_dir){.fd = -1, .lock_fd = -1};
	if (family_name_check(name, &unused) < 0) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%s", name);
		text_clean(shown, strlen(shown));
		error_set(err, 0, "there is no family '%s'; 'unifork ps -a' lists them", shown);
		err->code = ENOENT;
		return -1;
	}
	snprintf(dir->name, sizeof(dir->name), "%s", name);
	dir->fd = families_fd < 0 ? -1 : dir_open(families_fd, name);
	/* To be locked by who waits; root looks at others' as well. */
	if (dir->fd >= 0)
		dir->lock_fd = openat(dir->fd, LOCK_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir->lock_fd >= 0)
		return 0;
	int e = families_fd < 0 || errno == ENOTDIR || errno == ELOOP ? ENOENT : errno;

	family_close(dir);
	if (e == ENOENT)
		error_set(err, 0, "there is no family '%.100s'; 'unifork ps -a' lists them", name);
	else
		error_set(err, e, "cannot open the family '%.100s'", name);
	err->code = e;
	return -1;
}

int family_remove(int families_fd, struct family_dir *dir, struct error *err)
{
	struct stat mine, there;
	int r = 0;

	if (names_lock(families_fd, err) < 0)
		return -1;
	/* Another one may have removed it meanwhile, and a third made it anew. */
	if (fstat(dir->fd, &mine) < 0 || fstatat(families_fd, dir->name, &there, 0) < 0 ||
		mine.st_ino != there.st_ino || mine.st_dev != there.st_dev) {
		r = 0;
	} else if (family_lives(dir)) {
		error_set(err, 0, "the family '%.100s' is running; stop it first, or force it with -f",
				  dir->name);
		err->code = EBUSY;
		r = -1;
	} else {
		files_unlink(families_fd, dir);
		if (fstatat(families_fd, dir->name, &there, 0) == 0)
			r = error_set(err, 0, "the directory of the family '%.100s' holds files that are not "
						  "unifork's, or may not be written to", dir->name);
	}
	names_unlock(families_fd);
	return r;
}

void family_remove_own(int families_fd, struct family_dir *dir)
{
	struct error unused;
	bool locked = names_lock(families_fd, &unused) == 0;

	files_unlink(families_fd, dir);
	if (locked)
		names_unlock(families_fd);
}
