/* SPDX-License-Identifier: ISC */
/*
 * Whole reads and writes, small files and the working directory of the guest programs; part of
 * guest.h.
 */
#ifndef UNIFORK_TESTS_GUEST_FILES_H
#define UNIFORK_TESTS_GUEST_FILES_H

static char guest_work_dir[64] UNUSED;
static pid_t guest_work_dir_owner UNUSED;

static UNUSED void write_all(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size > 0) {
		ssize_t done = write(fd, from, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			die("write");
		from += done;
		size -= (size_t)done;
	}
}

/* Reads until size bytes or the end; returns how many bytes came. */
static UNUSED size_t read_all(int fd, void *data, size_t size)
{
	char *to = data;
	size_t total = 0;

	while (total < size) {
		ssize_t got = read(fd, to + total, size - total);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die("read");
		if (got == 0)
			break;
		total += (size_t)got;
	}
	return total;
}

/* The running program, as another file. */
static UNUSED void copy_self(const char *path)
{
	char block[65536];
	int from = open("/proc/self/exe", O_RDONLY);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	if (from < 0 || to < 0)
		die(path);
	while ((n = read(from, block, sizeof(block))) > 0)
		write_all(to, block, (size_t)n);
	close(from);
	close(to);
}

static UNUSED void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		die(path);
	write_all(fd, text, strlen(text));
	close(fd);
}

/* The file's first 255 bytes as text, or the name of the error. Overwritten by the next call. */
static UNUSED const char *file_text(const char *path)
{
	static char text[256];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return errno_name(errno);
	text[read_all(fd, text, sizeof(text) - 1)] = '\0';
	close(fd);
	return text;
}

static UNUSED void tree_remove(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char inner[512];

	while (directory && (entry = readdir(directory)) != NULL) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		struct stat info;
		if (lstat(inner, &info) == 0 && S_ISDIR(info.st_mode))
			tree_remove(inner);
		else
			unlink(inner);
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

static UNUSED void work_dir_remove(void)
{
	if (guest_work_dir_owner != getpid())
		return;
	if (chdir("/") == 0)
		tree_remove(guest_work_dir);
}

/* A fresh working directory under /tmp; the process that made it removes it at exit. */
static UNUSED void work_dir(void)
{
	strcpy(guest_work_dir, "/tmp/unifork-test-XXXXXX");
	if (!mkdtemp(guest_work_dir) || chdir(guest_work_dir) < 0)
		die("work directory");
	guest_work_dir_owner = getpid();
	atexit(work_dir_remove);
	umask(022);
}

#endif
