/* SPDX-License-Identifier: ISC */
/*
 * Seals of a memfd: what each forbids to write, truncate, fallocate, mmap, mprotect and chmod, who
 * may add them, and that mappings stand in the way of F_SEAL_WRITE.
 * @test timeout=20 members=2
 */
#include "guest.h"
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static int make(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 6000))
		die("memfd_create");
	return fd;
}

static void seal(const char *what, int fd, int seals)
{
	result(what, fcntl(fd, F_ADD_SEALS, seals));
	say("seals %#x", fcntl(fd, F_GET_SEALS));
}

static void map(const char *what, int fd, int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags, fd, 0);

	say("%s: %s", what, p == MAP_FAILED ? errno_name(errno) : "ok");
	if (p == MAP_FAILED)
		return;
	result("  made writable", mprotect(p, 4096, PROT_READ | PROT_WRITE));
	munmap(p, 4096);
}

static void try_all(int fd)
{
	static char block[8192];

	result("write inside", pwrite(fd, block, 10, 0));
	result("write across the end", pwrite(fd, block, sizeof(block), 0));
	result("write across the end, last page", pwrite(fd, block, 2000, 5000));
	result("write behind", pwrite(fd, block, 10, 9000));
	result("shrink", ftruncate(fd, 5000));
	result("grow", ftruncate(fd, 10000));
	result("allocate", fallocate(fd, 0, 0, 20000));
	result("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	map("map shared, write", fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	map("map shared, read", fd, PROT_READ, MAP_SHARED);
	map("map private", fd, PROT_READ, MAP_PRIVATE);
	struct stat st;
	fstat(fd, &st);
	say("size %ld", (long)st.st_size);
}

int main(void)
{
	int fd = memfd_create("plain", 0), ro, file;
	char name[64];

	seal("without MFD_ALLOW_SEALING", fd, F_SEAL_WRITE);
	fd = make("grow");
	seal("grow", fd, F_SEAL_GROW);
	try_all(fd);
	fd = make("shrink");
	seal("shrink", fd, F_SEAL_SHRINK);
	try_all(fd);
	fd = make("future");
	seal("future write", fd, F_SEAL_FUTURE_WRITE);
	try_all(fd);
	fd = make("write");
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	strcpy(p, "before");
	seal("write while mapped", fd, F_SEAL_WRITE);
	munmap(p, 4096);
	seal("write", fd, F_SEAL_WRITE);
	try_all(fd);
	pread(fd, name, 8, 0);
	say("content %s", name);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY);
	seal("through a descriptor that only reads", ro, F_SEAL_SEAL);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		seal("seal, in a child", fd, F_SEAL_SEAL);
		_exit(0);
	}
	child_wait(pid);
	seal("nothing more", fd, F_SEAL_GROW);
	fd = make("invalid");
	seal("unknown seal", fd, 0x4000);
	file = open("/dev/null", O_RDWR);
	result("a device", fcntl(file, F_GET_SEALS));
	return finish();
}
