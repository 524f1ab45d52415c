/* SPDX-License-Identifier: ISC */
/* Deaths in the file system: names, contents, locks. */
#include "operations.h"

#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#define A FOLDER "/a"
#define B FOLDER "/b"

static char host_name[300];
static char block[20000];

static void make(const char *name, size_t size)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write(fd, block, size) != (ssize_t)size)
		die(name);
	close(fd);
}

static void make_a(void)
{
	make(A, 5000);
}

static void make_both(void)
{
	make(A, 5000);
	make(B, 3000);
}

/* Whatever is there goes; names lead to what can be used. */
static void remove_all(const char *folder)
{
	char name[300];
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR) {
			remove_all(name);
			if (rmdir(name) < 0)
				wrong("rmdir of what was left: %s", errno_name(errno));
		} else if (unlink(name) < 0) {
			wrong("unlink of what was left: %s", errno_name(errno));
		}
	}
	if (d)
		closedir(d);
}

static void clear(void)
{
	remove_all(FOLDER);
}

static void choose_host_name(void)
{
	snprintf(host_name, sizeof(host_name), "%s/host-%d", host_folder, round_number % 8);
}

static void act_open(void)
{
	open(host_name, O_RDONLY);
}

static void act_open_missing(void)
{
	open(FOLDER "/missing/name", O_RDONLY);
	open(FOLDER "/missing", O_RDONLY);
}

static void act_create(void)
{
	int fd = open(A, O_CREAT | O_RDWR, 0600);

	write(fd, block, 100);
	close(fd);
}

/* Copies up; for good, so a name that was not used is taken each time. */
static void choose_fresh_name(void)
{
	snprintf(host_name, sizeof(host_name), "%s/fresh-%04d", host_folder, round_number);
}

static void act_copy_up(void)
{
	int fd = open(host_name, O_WRONLY);

	pwrite(fd, "#", 1, 0);
}

static void act_truncate_open(void)
{
	open(host_name, O_WRONLY | O_TRUNC);
}

static void act_chmod(void)
{
	chmod(host_name, 0755);
}

/* It is a script: nobody writes to it any more, so that it can be executed. */
static void check_executable(void)
{
	pid_t pid = fork_or_die();

	if (pid == 0) {
		execl(host_name, host_name, NULL);
		_exit(errno == ETXTBSY ? 3 : 0);
	}
	int status = child_wait(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		wrong("a file that the dead had opened for writing: ETXTBSY");
	unlink(host_name);
}

static void act_append(void)
{
	int fd = open(A, O_WRONLY | O_APPEND);

	write(fd, block, sizeof(block));
}

static void act_truncate(void)
{
	truncate(A, 100);
	truncate(A, 50000);
}

static void act_punch(void)
{
	int fd = open(A, O_RDWR);

	fallocate(fd, 0, 0, 20000);
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096);
}

static void act_rename(void)
{
	rename(A, B);
}

static void check_rename(void)
{
	if (access(A, F_OK) && access(B, F_OK))
		wrong("a file that was renamed has no name any more");
	clear();
}

static void act_exchange(void)
{
	renameat2(AT_FDCWD, A, AT_FDCWD, B, RENAME_EXCHANGE);
}

static void make_folders(void)
{
	if (mkdir(A, 0700) < 0 || mkdir(B, 0700) < 0)
		die("mkdir");
	make(A "/inside", 10);
}

static void act_rename_folder(void)
{
	rename(A, B);
}

static void act_move(void)
{
	rename(A "/inside", B "/inside");
}

static void check_move(void)
{
	if (access(A "/inside", F_OK) && access(B "/inside", F_OK))
		wrong("a file that was moved has no name any more");
	clear();
}

static void act_unlink(void)
{
	unlink(A);
}

static int held;

static void make_held(void)
{
	make_a();
	held = open(A, O_RDWR);
}

static void check_held(void)
{
	char c;

	if (read(held, &c, 1) != 1)
		wrong("a removed file that is open: %s", errno_name(errno));
	close(held);
	clear();
}

static void act_folder(void)
{
	mkdir(A, 0700);
	rmdir(A);
}

static void act_link(void)
{
	link(A, B);
}

static void act_symlink(void)
{
	symlink("a", B);
	open(B, O_RDONLY);
}

static void act_attributes(void)
{
	chmod(A, 0611);
	chown(A, 5, 6);
	utimensat(AT_FDCWD, A, NULL, 0);
	setxattr(A, "user.one", "value", 5, 0);
	setxattr(A, "user.one", "longer value", 12, 0);
	removexattr(A, "user.one");
}

static void act_list(void)
{
	DIR *d = opendir(FOLDER);

	while (readdir(d))
		;
	closedir(d);
}

static void act_tmpfile(void)
{
	int fd = open(FOLDER, O_TMPFILE | O_RDWR, 0600);
	char name[40];

	write(fd, block, 100);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	linkat(AT_FDCWD, name, AT_FDCWD, A, AT_SYMLINK_FOLLOW);
}

static void act_memfd(void)
{
	int fd = memfd_create("memory", MFD_ALLOW_SEALING);

	write(fd, block, 10000);
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
	close(fd);
}

static void act_sendfile(void)
{
	int to = open(B, O_CREAT | O_WRONLY, 0600), from = open(A, O_RDONLY);

	sendfile(to, from, NULL, 4000);
	copy_file_range(from, NULL, to, NULL, 1000, 0);
}

/* ---- locks, with one that waits for them */

static pid_t waiter;
static int locked;

static struct flock whole(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
}

static int wait_for_lock(void *unused)
{
	struct flock lock = whole(F_WRLCK);
	int fd = open(A, O_RDWR);

	(void)unused;
	usleep(20000);
	return fcntl(fd, F_SETLKW, &lock) == 0 && flock(fd, LOCK_EX) == 0 ? 0 : 1;
}

static void act_lock(void)
{
	struct flock lock = whole(F_WRLCK);

	locked = open(A, O_RDWR);
	fcntl(locked, F_SETLK, &lock);
	lock.l_start = 15;
	lock.l_len = 2;
	lock.l_type = F_RDLCK;
	fcntl(locked, F_SETLK, &lock);
	flock(locked, LOCK_EX);
	lock.l_type = F_UNLCK;
	fcntl(locked, F_SETLK, &lock);
}

static void prepare_lock(void)
{
	make_a();
	waiter = child_start(wait_for_lock, NULL);
}

static void check_lock(void)
{
	int status = child_wait(waiter);

	if (status)
		wrong("one that waits for the dead's lock: %s", status_text(status));
	clear();
}

static void ready_locked(void)
{
	struct flock lock = whole(F_WRLCK);

	locked = open(A, O_RDWR);
	fcntl(locked, F_SETLK, &lock);
	lock.l_start = 50;
	fcntl(locked, F_SETLK, &lock);
	flock(locked, LOCK_EX);
	usleep(30000);
}

static void act_unlock(void)
{
	struct flock lock = whole(F_UNLCK);

	fcntl(locked, F_SETLK, &lock);
	close(locked);
}

static void act_proc(void)
{
	char text[400];
	int fd = open("/proc/1/status", O_RDONLY);

	read(fd, text, sizeof(text));
	fd = open("/proc/1/fd/0", O_RDONLY);
	readlink("/proc/1/exe", text, sizeof(text));
}

/* ---- a volume of the host */

static void in_volume(char *name, const char *leaf)
{
	snprintf(name, 300, "/volume/%s", leaf);
}

static void act_volume(void)
{
	char a[300], b[300];

	in_volume(a, "a");
	in_volume(b, "b");
	int fd = open(a, O_CREAT | O_RDWR, 0600);
	write(fd, block, 100);
	ftruncate(fd, 50);
	rename(a, b);
	unlink(b);
	close(fd);
}

static void check_volume(void)
{
	unlink("/volume/a");
	unlink("/volume/b");
}

const struct operation file_operations[] = {
	{"file_open", choose_host_name, NULL, act_open, NULL, 0},
	{"file_open_missing", NULL, NULL, act_open_missing, NULL, 0},
	{"file_create", NULL, NULL, act_create, clear, 0},
	{"file_copy_up", choose_fresh_name, NULL, act_copy_up, check_executable, GROWS},
	{"file_truncate_open", choose_fresh_name, NULL, act_truncate_open, check_executable, GROWS},
	{"file_chmod", choose_fresh_name, NULL, act_chmod, check_executable, GROWS},
	{"file_append", make_a, NULL, act_append, clear, 0},
	{"file_truncate", make_a, NULL, act_truncate, clear, 0},
	{"file_punch", make_a, NULL, act_punch, clear, 0},
	{"file_rename", make_a, NULL, act_rename, check_rename, 0},
	{"file_rename_over", make_both, NULL, act_rename, check_rename, 0},
	{"file_exchange", make_both, NULL, act_exchange, check_rename, 0},
	{"file_rename_folder", make_folders, NULL, act_rename_folder, check_rename, 0},
	{"file_move", make_folders, NULL, act_move, check_move, 0},
	{"file_unlink", make_a, NULL, act_unlink, clear, 0},
	{"file_unlink_open", make_held, NULL, act_unlink, check_held, 0},
	{"file_folder", NULL, NULL, act_folder, clear, 0},
	{"file_link", make_a, NULL, act_link, clear, 0},
	{"file_symlink", make_a, NULL, act_symlink, clear, 0},
	{"file_attributes", make_a, NULL, act_attributes, clear, 0},
	{"file_list", make_both, NULL, act_list, clear, 0},
	{"file_tmpfile", NULL, NULL, act_tmpfile, clear, 0},
	{"file_memfd", NULL, NULL, act_memfd, NULL, 0},
	{"file_sendfile", make_a, NULL, act_sendfile, clear, 0},
	{"file_lock", prepare_lock, NULL, act_lock, check_lock, 0},
	{"file_unlock", prepare_lock, ready_locked, act_unlock, check_lock, 0},
	{"file_proc", NULL, NULL, act_proc, NULL, 0},
	{"file_volume", NULL, NULL, act_volume, check_volume, 0},
	{0},
};
