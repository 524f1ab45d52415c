/* SPDX-License-Identifier: ISC */
/*
 * io_setup, io_submit, io_getevents as libaio and databases use them: on files, with vectors and
 * event descriptors, the ring that is read without a call, waiting in another thread, and faults.
 * @test timeout=30 members=2
 */
#include "guest.h"

#include <linux/aio_abi.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define SIZE 4096

struct ring { /* what libaio knows of it */
	unsigned id, nr, head, tail, magic, compat, incompat, length;
};

static aio_context_t context;
static char data[8][SIZE] __attribute__((aligned(SIZE)));

static long setup(unsigned n, aio_context_t *c)
{
	return syscall(SYS_io_setup, n, c);
}

static long submit(long n, struct iocb **list)
{
	return syscall(SYS_io_submit, context, n, list);
}

static long events(long least, long most, struct io_event *e, struct timespec *time)
{
	return syscall(SYS_io_getevents, context, least, most, e, time);
}

static struct iocb request(int fd, int what, void *buf, size_t len, long long offset, uint64_t tag)
{
	return (struct iocb){
		.aio_data = tag,
		.aio_lio_opcode = (uint16_t)what,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)buf,
		.aio_nbytes = len,
		.aio_offset = offset,
	};
}

/* One request, and the result that its event has. */
static void one(const char *name, struct iocb *cb)
{
	struct iocb *list = cb;
	struct io_event e;
	long n = submit(1, &list);

	if (n != 1) {
		result(name, (int)n);
		return;
	}
	if (events(1, 1, &e, NULL) != 1)
		die("io_getevents");
	say("%s: %ld, data %lu, the request %d, second %ld", name, (long)e.res, (unsigned long)e.data,
		e.obj == (uint64_t)cb, (long)e.res2);
}

static void operations(int fd)
{
	struct iovec iov[2] = {{data[2], SIZE}, {data[3], 100}};
	struct iocb cb;
	int ends[2];

	memset(data[0], 'a', SIZE);
	memset(data[1], 'b', SIZE);
	cb = request(fd, IOCB_CMD_PWRITE, data[0], SIZE, 0, 11);
	one("write", &cb);
	cb = request(fd, IOCB_CMD_PWRITE, data[1], SIZE, SIZE, 12);
	one("second", &cb);
	cb = request(fd, IOCB_CMD_PREADV, iov, 2, SIZE - 50, 13);
	one("vector", &cb);
	check("what it read", data[2][49] == 'a' && data[2][50] == 'b' && data[3][49] == 'b');
	cb = request(fd, IOCB_CMD_PREAD, data[4], SIZE, 2 * SIZE - 10, 14);
	one("at the end", &cb);
	cb = request(fd, IOCB_CMD_PREAD, data[4], SIZE, 2 * SIZE, 15);
	one("behind it", &cb);
	cb = request(fd, IOCB_CMD_FSYNC, NULL, 0, 0, 16);
	one("fsync", &cb);
	cb = request(fd, IOCB_CMD_FDSYNC, NULL, 0, 0, 17);
	one("fdatasync", &cb);
	iov[0] = (struct iovec){data[0], 10};
	iov[1] = (struct iovec){data[1], 10};
	cb = request(fd, IOCB_CMD_PWRITEV, iov, 2, 0, 18);
	one("vector out", &cb);
	cb = request(fd, IOCB_CMD_PREAD, NULL, SIZE, 0, 19);
	one("to nowhere", &cb);
	if (pipe(ends))
		die("pipe");
	cb = request(ends[1], IOCB_CMD_PWRITE, data[0], 5, 0, 20);
	one("pipe", &cb);
	cb = request(ends[0], IOCB_CMD_PREAD, data[5], SIZE, 0, 21);
	one("pipe", &cb);
}

static void faults(int fd)
{
	int reads = open("file", O_RDONLY), writes = open("file", O_WRONLY);
	struct iocb cb = request(-1, IOCB_CMD_PREAD, data[0], SIZE, 0, 0), *list[3] = {&cb, NULL, NULL};
	struct io_event e[4];
	aio_context_t other = 0;

	one("no descriptor", &cb);
	cb = request(writes, IOCB_CMD_PREAD, data[0], SIZE, 0, 0);
	one("not readable", &cb);
	cb = request(reads, IOCB_CMD_PWRITE, data[0], SIZE, 0, 0);
	one("not writable", &cb);
	cb = request(fd, 99, data[0], SIZE, 0, 0);
	one("no operation", &cb);
	cb = request(fd, IOCB_CMD_PREAD, data[0], (size_t)-1, 0, 0);
	one("too long", &cb);
	cb = request(fd, IOCB_CMD_PREAD, data[0], 1, 0, 0);
	cb.aio_reserved2 = 1;
	one("reserved", &cb);
	cb = request(fd, IOCB_CMD_PREAD, data[0], 1, 0, 1);
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (uint32_t)fd;
	one("no event descriptor", &cb);
	cb = request(fd, IOCB_CMD_PREAD, data[0], 1, 0, 1);
	cb.aio_rw_flags = 0x4000;
	one("unknown flags", &cb);
	cb.aio_rw_flags = 0;
	result("second bad", (int)submit(2, list));
	result("its event", (int)events(0, 4, e, NULL));
	result("first bad", (int)submit(1, list + 1));
	result("none", (int)submit(0, list));
	result("negative", (int)submit(-1, list));
	result("least above most", (int)events(2, 1, e, NULL));
	result("nothing there", (int)events(0, 4, e, NULL));
	result("time out", (int)events(1, 4, e, &(struct timespec){0, 2000000}));
	result("at once", (int)events(1, 4, e, &(struct timespec){0, 0}));
	result("cancel", (int)syscall(SYS_io_cancel, context, &cb, e));
	result("setup of none", (int)setup(0, &other));
	result("too many", (int)setup(~0u, &other));
	result("not zero", (int)setup(1, &context));
	result("nowhere", (int)setup(1, NULL));
	result("destroy another", (int)syscall(SYS_io_destroy, 12345l));
}

static void event_descriptor(int fd)
{
	int told = eventfd(0, EFD_NONBLOCK);
	struct iocb cb[3], *list[3];
	struct io_event e[3];
	uint64_t count = 0;

	for (unsigned i = 0; i < 3; i++) {
		cb[i] = request(fd, IOCB_CMD_PREAD, data[i], 100, 0, i);
		cb[i].aio_flags = IOCB_FLAG_RESFD;
		cb[i].aio_resfd = (uint32_t)told;
		list[i] = &cb[i];
	}
	result("three", (int)submit(3, list));
	result("counted", (int)read(told, &count, sizeof(count)));
	say("count %lu", (unsigned long)count);
	result("events", (int)events(3, 3, e, NULL));
	say("in order %d", e[0].data == 0 && e[1].data == 1 && e[2].data == 2);
}

/* Takes events as libaio does. */
static void ring(int fd)
{
	struct ring *r = (struct ring *)context;
	struct io_event *e = (struct io_event *)((char *)r + r->length), got[8];
	struct iocb cb = request(fd, IOCB_CMD_PREAD, data[0], 7, 0, 77), *list = &cb;

	check("magic", r->magic == 0xa10a10a1 && r->head == r->tail && !r->incompat);
	result("submit", (int)submit(1, &list));
	check("in the ring", r->head != r->tail && e[r->head].data == 77 && e[r->head].res == 7);
	r->head = (r->head + 1) % r->nr;
	result("taken", (int)events(0, 8, got, NULL));
	for (unsigned i = 0; i < 300; i++) /* all around */
		if (submit(1, &list) != 1 || events(1, 8, got, NULL) != 1)
			die("around");
	say("around");
}

static struct io_event waited[2];

static void *waits(void *arg)
{
	return events(2, 2, waited, NULL) == 2 ? arg : NULL;
}

static void other_thread(int fd)
{
	struct iocb cb[2] = {request(fd, IOCB_CMD_PREAD, data[0], 7, 0, 1),
						 request(fd, IOCB_CMD_PREAD, data[1], 7, 0, 2)};
	struct iocb *list[2] = {&cb[0], &cb[1]};
	pthread_t thread;
	void *done;

	pthread_create(&thread, NULL, waits, cb);
	usleep(20000);
	result("first", (int)submit(1, list));
	usleep(20000);
	result("second", (int)submit(1, list + 1));
	pthread_join(thread, &done);
	say("waited %d: %lu %lu", done == cb, (unsigned long)waited[0].data,
		(unsigned long)waited[1].data);
}

static struct iocb *blocks;

static void *submits(void *arg)
{
	return submit(1, &blocks) == 1 ? arg : NULL;
}

/* While one thread's request has not come to its end others submit, until there is no room. */
static void full(int fd)
{
	aio_context_t before = context;
	struct io_event e[64];
	struct iocb read, waits, *list = &read;
	pthread_t thread;
	int ends[2], n = 0, submitted = 0, seen = 0;
	void *done;

	context = 0;
	result("small", (int)setup(1, &context));
	if (pipe(ends))
		die("pipe");
	read = request(fd, IOCB_CMD_PREAD, data[0], 7, 0, 1);
	waits = request(ends[0], IOCB_CMD_PREAD, data[1], 1, 0, 2);
	blocks = &waits;
	waits.aio_key = 1; /* the kernel stores 0 as it begins */
	pthread_create(&thread, NULL, submits, &waits);
	while (*(volatile unsigned *)&waits.aio_key)
		sched_yield();
	while (submitted < 100000 && submit(1, &list) == 1)
		submitted++;
	check("full", submitted < 100000 && errno == EAGAIN);
	write_all(ends[1], "x", 1);
	pthread_join(thread, &done);
	check("the first, too", done == &waits);
	while ((n = (int)events(0, 64, e, NULL)) > 0)
		seen += n;
	check("all events", seen == submitted + 1);
	syscall(SYS_io_destroy, context);
	context = before;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Waits with another signal mask: what was blocked and is there already ends it. */
static void masked(int fd)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct iocb cb = request(fd, IOCB_CMD_PREAD, data[0], 7, 0, 1), *list = &cb;
	struct { /* size: of the kernel's mask, of 64 signals */
		const void *mask;
		size_t size;
	} given;
	sigset_t none, one;
	struct io_event e;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&none);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &one, NULL);
	raise(SIGUSR1);
	given.mask = &none;
	given.size = 8;
	result("unblocked", (int)syscall(SYS_io_pgetevents, context, 1l, 1l, &e, NULL, &given));
	sigpending(&one);
	say("still pending %d", sigismember(&one, SIGUSR1));
	given.size = 7;
	result("of 7 bytes", (int)syscall(SYS_io_pgetevents, context, 0l, 1l, &e, NULL, &given));
	result("submit", (int)submit(1, &list));
	result("no mask", (int)syscall(SYS_io_pgetevents, context, 1l, 1l, &e, NULL, NULL));
	sigprocmask(SIG_BLOCK, NULL, &one);
	say("blocked afterwards %d", sigismember(&one, SIGUSR1));
}

static void ends(int fd)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct iocb cb = request(fd, IOCB_CMD_PREAD, data[0], 7, 0, 1), *list = &cb;
	struct itimerval soon = {.it_value = {0, 20000}};
	struct io_event e;
	int status;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	result("a signal", (int)events(1, 1, &e, NULL));
	if (!fork()) {
		result("of the parent", (int)submit(1, &list));
		_exit(0);
	}
	wait(&status);
	result("destroy", (int)syscall(SYS_io_destroy, context));
	result("twice", (int)syscall(SYS_io_destroy, context));
	result("submit", (int)submit(1, &list));
}

int main(void)
{
	int fd;

	work_dir();
	fd = open("file", O_CREAT | O_RDWR, 0644);
	result("setup", (int)setup(64, &context));
	operations(fd);
	faults(fd);
	event_descriptor(fd);
	ring(fd);
	other_thread(fd);
	full(fd);
	masked(fd);
	ends(fd);
	return finish();
}
