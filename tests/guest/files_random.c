/* SPDX-License-Identifier: ISC */
/*
 * Thousands of random file operations with few names, so that they meet: what each one returns, and
 * what the directories hold afterwards, is the same as on Linux. The numbers are a fixed sequence.
 * @test timeout=60 members=1
 */
#include "guest.h"
#include <limits.h>

#define OPERATIONS 6000
#define PATH_SIZE 128
#define ENTRIES 64

static uint64_t state = 1;
static char root[PATH_MAX];
static char data[24000];

static unsigned below(unsigned n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % n;
}

/* One to three names, now and then with ".", "..", doubled and trailing slashes. */
static void make_path(char *path)
{
	static const char *const names[] = {"a", "b", "c", "d", "l1", "l2", "f1", "f2", "sub", "x"};
	unsigned n = 1 + below(3);

	strcpy(path, below(20) ? "" : "./");
	for (unsigned i = 0; i < n; i++) {
		strcat(path, !below(15) ? ".." : !below(25) ? "." : names[below(COUNT(names))]);
		if (i + 1 < n)
			strcat(path, below(10) ? "/" : "//");
	}
	if (!below(15))
		strcat(path, "/");
}

/* Names never climb above the directory of the test; links never climb at all. */
static bool stays_below(const char *path)
{
	char here[PATH_MAX];
	int depth = 0;

	if (!getcwd(here, sizeof(here)) || strncmp(here, root, strlen(root)))
		return false;
	for (const char *s = here + strlen(root); *s; s++)
		depth += *s == '/';
	for (const char *s = path; *s;) {
		size_t n = strcspn(s, "/");
		if (n == 2 && !strncmp(s, "..", 2) && --depth < 0)
			return false;
		s += n + strspn(s + n, "/");
	}
	return true;
}

static long code(long rc)
{
	return rc < 0 ? -errno : rc;
}

static void print_stat(const char *what, const char *path, long rc, const struct stat *st)
{
	bool dir = rc == 0 && S_ISDIR(st->st_mode);

	if (rc)
		say("%s %s: %s", what, path, errno_name(errno));
	else
		say("%s %s: %o size %ld links %ld owner %d %d", what, path, st->st_mode,
			dir ? 0L : (long)st->st_size, dir ? 0L : (long)st->st_nlink, (int)st->st_uid,
			(int)st->st_gid);
}

static void use_file(const char *path)
{
	static const int access_modes[] = {O_RDWR, O_RDWR, O_RDONLY, O_WRONLY};
	int flags = access_modes[below(4)] | (below(2) ? O_CREAT : 0) | (below(4) ? 0 : O_EXCL) |
				(below(4) ? 0 : O_TRUNC) | (below(4) ? 0 : O_APPEND) | (below(6) ? 0 : O_NOFOLLOW);
	if (!(flags & O_CREAT))
		flags = (flags & ~O_EXCL) | (below(8) ? 0 : O_DIRECTORY);
	int fd = open(path, flags, 0666);
	size_t length = below(9000);
	unsigned sum = 0;
	struct stat st;

	if (fd < 0) {
		say("open %s %x: %s", path, flags, errno_name(errno));
		return;
	}
	memset(data, 'A' + (int)below(26), length);
	lseek(fd, below(20000), SEEK_SET);
	long wrote = code(write(fd, data, length)), at = lseek(fd, 0, SEEK_CUR);
	lseek(fd, below(10000), SEEK_SET);
	long got = code(read(fd, data, 9000));
	for (long i = 0; i < got; i++)
		sum = sum * 31 + (unsigned char)data[i];
	long cut = below(4) ? 1 : code(ftruncate(fd, below(15000)));
	if (fstat(fd, &st) < 0)
		die("fstat");
	say("open %s %x: wrote %ld at %ld read %ld sum %x cut %ld size %ld", path, flags, wrote, at,
		got, sum, cut, S_ISDIR(st.st_mode) ? 0L : (long)st.st_size);
	close(fd);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[ENTRIES], line[900] = "";
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	if (!dir) {
		say("list %s: %s", path, errno_name(errno));
		return;
	}
	while ((entry = readdir(dir)) && n < ENTRIES)
		if (asprintf(&names[n++], "%s:%d", entry->d_name, entry->d_type) < 0)
			die("asprintf");
	closedir(dir);
	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 0; i < n; i++) {
		strcat(strcat(line, " "), names[i]);
		free(names[i]);
	}
	say("list %s:%s", path, line);
}

static void go(const char *path)
{
	char here[PATH_MAX];

	result("chdir", chdir(path));
	if (!getcwd(here, sizeof(here)) || strncmp(here, root, strlen(root))) {
		if (chdir(root) < 0)
			die("chdir");
		say("back");
	} else {
		say("in %s", here + strlen(root));
	}
}

static void change(unsigned which, const char *path)
{
	struct timespec times[2] = {{1000, 5}, {2000, 7}};
	struct stat st;

	switch (which) {
	case 0: say("chmod %s: %ld", path, code(chmod(path, below(01000) | 0700))); break;
	case 1: say("truncate %s: %ld", path, code(truncate(path, below(20000)))); break;
	case 2: say("access %s: %ld", path, code(access(path, (int)below(8)))); break;
	case 3:
		say("utimensat %s: %ld", path, code(utimensat(AT_FDCWD, path, times, 0)));
		if (stat(path, &st) == 0 && st.st_mtime < 10000)
			say("modified %ld", (long)st.st_mtime);
		break;
	default: go(below(3) ? path : root); break;
	}
}

static void operate(const char *p, const char *q)
{
	char target[PATH_SIZE];
	struct stat st;
	long rc;

	switch (below(22)) {
	case 0:
	case 1:
	case 2: use_file(p); break;
	case 3: say("unlink %s: %ld", p, code(unlink(p))); break;
	case 4:
	case 5: say("mkdir %s: %ld", p, code(mkdir(p, 0777))); break;
	case 6: say("rmdir %s: %ld", p, code(rmdir(p))); break;
	case 7:
	case 8: say("rename %s %s: %ld", p, q, code(rename(p, q))); break;
	case 9: say("link %s %s: %ld", p, q, code(link(p, q))); break;
	case 10:
		if (!strstr(p, ".."))
			say("symlink %s %s: %ld", p, q, code(symlink(p, q)));
		break;
	case 11:
		rc = code(readlink(p, target, sizeof(target)));
		say("readlink %s: %ld %.*s", p, rc, rc > 0 ? (int)rc : 0, target);
		break;
	case 12:
		rc = stat(p, &st);
		print_stat("stat", p, rc, &st);
		break;
	case 13:
		rc = lstat(p, &st);
		print_stat("lstat", p, rc, &st);
		break;
	case 14:
	case 15: list(p); break;
	case 16:
		rc = syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 1 + below(2));
		say("renameat2 %s %s: %ld", p, q, code(rc));
		break;
	default: change(below(6), p); break;
	}
}

int main(void)
{
	work_dir();
	umask(022);
	if (!getcwd(root, sizeof(root)))
		die("getcwd");
	for (int i = 0; i < OPERATIONS; i++) {
		char p[PATH_SIZE], q[PATH_SIZE];

		make_path(p);
		make_path(q);
		if (stays_below(p) && stays_below(q))
			operate(p, q);
	}
	return finish();
}
