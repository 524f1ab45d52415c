/* SPDX-License-Identifier: ISC */
/*
 * A file as shared memory: processes that each open and map it see each other's stores at once, and
 * read and write see the same bytes; a mutex in it; growth after mapping; a mapping outlives the
 * name; msync.
 * @test timeout=60 members=6
 */
#include "guest.h"
#include <pthread.h>

#define MEMBERS 4
#define ROUNDS 500
#define PAGE 4096

struct shared {
	pthread_mutex_t mutex;
	long counter;
	char text[64];
};

static struct shared *map_file(const char *path, int flags, int prot)
{
	int fd = open(path, flags);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 2 * PAGE, prot, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("map");
	close(fd);
	return p;
}

static void count(void)
{
	struct shared *s = map_file("file", O_RDWR, PROT_READ | PROT_WRITE);

	for (int i = 0; i < ROUNDS; i++) {
		if (pthread_mutex_lock(&s->mutex))
			die("lock");
		long seen = s->counter;
		if (i % 64 == 0)
			sched_yield();
		s->counter = seen + 1;
		pthread_mutex_unlock(&s->mutex);
	}
	_exit(msync(s, 2 * PAGE, MS_SYNC) ? 1 : 0);
}

static void coherence(struct shared *s, int fd)
{
	char text[16] = "";

	strcpy(s->text, "stored");
	okay("pread", pread(fd, text, 7, offsetof(struct shared, text)));
	say("read sees the store: %s", text);
	okay("pwrite", pwrite(fd, "written", 8, offsetof(struct shared, text)));
	say("the mapping sees the write: %s", s->text);
	struct shared *reader = map_file("file", O_RDONLY, PROT_READ);
	say("a reader's mapping: %s", reader->text);
	result("reader, mprotect", mprotect(reader, PAGE, PROT_READ | PROT_WRITE));
	munmap(reader, 2 * PAGE);
}

static void growth(struct shared *s, int fd)
{
	char *end = (char *)s + PAGE, text[8] = "";

	result("ftruncate", ftruncate(fd, 2 * PAGE));
	strcpy(end, "beyond");
	okay("pread", pread(fd, text, 7, PAGE));
	say("behind the old end: %s", text);
}

int main(void)
{
	pid_t pids[MEMBERS];
	pthread_mutexattr_t attr;

	work_dir();
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	result("ftruncate", ftruncate(fd, PAGE));
	struct shared *s = map_file("file", O_RDWR, PROT_READ | PROT_WRITE);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->mutex, &attr);
	for (int i = 0; i < MEMBERS; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0)
			count();
	}
	for (int i = 0; i < MEMBERS; i++)
		child_report("counter", pids[i]);
	say("counted: %ld", s->counter);
	coherence(s, fd);
	growth(s, fd);
	result("msync", msync(s, 2 * PAGE, MS_SYNC));
	result("msync unaligned", msync((char *)s + 1, PAGE, MS_SYNC));
	unlink("file");
	strcpy(s->text, "nameless");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		s->counter = 7;
		_exit(strcmp(s->text, "nameless") ? 1 : 0);
	}
	child_report("child", pid);
	say("after unlink: %ld", s->counter);
	return finish();
}
