/* SPDX-License-Identifier: ISC */
/*
 * /proc/PID/fdinfo: status flags as open(2) keeps them, and what each kind of descriptor adds. Of
 * another process, too. Numbers that name something (inodes, devices, ids, pids) are left out.
 * @test timeout=20 members=3 nosvm
 */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static const char *const numbers[] = {"ino:", "sdev:", "mnt_id:", "eventfd-id:", "Pid:", "NSpid:"};

/* Word by word; what follows one of the names above is a number of this run. */
static void show_line(const char *name, char *line)
{
	char out[512] = "";
	bool hide = false;
	size_t n = 0;

	for (char *word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n")) {
		size_t keep = strlen(word);

		for (size_t i = 0; i < COUNT(numbers); i++)
			if (!strncmp(word, numbers[i], strlen(numbers[i])) && keep > strlen(numbers[i]))
				keep = strlen(numbers[i]);
		if (!strncmp(word, "fhandle", 7) || !strncmp(word, "f_handle", 8))
			break; /* of file systems that can be exported */
		if (hide)
			keep = 0;
		n += (size_t)snprintf(out + n, sizeof(out) - n, " %.*s%s", (int)keep, word,
				      hide ? "N" : "");
		hide = false;
		for (size_t i = 0; i < COUNT(numbers); i++)
			hide |= !strcmp(word, numbers[i]);
	}
	say("%s:%s", name, out);
}

static void show_of(pid_t pid, const char *name, int fd)
{
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	FILE *f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		char *lock = strstr(line, "lock:") ? strstr(line, "WRITE ") : NULL;
		line[strcspn(line, "\n")] = '\0';
		if (lock)
			say("%s: %s", name, strchr(strchr(lock + 6, ' ') + 1, ' ')); /* the range */
		else
			show_line(name, line);
	}
	fclose(f);
}

static void show(const char *name, int fd)
{
	show_of(getpid(), name, fd);
}

static void files(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

	write_all(fd, "hello", 5);
	show("file", fd);
	show("append", open("f", O_WRONLY | O_APPEND | O_CLOEXEC));
	show("read", open("f", O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
	show("path", open("f", O_PATH));
	show("directory", open(".", O_RDONLY | O_DIRECTORY));
	result("F_GETFL of a directory", fcntl(open(".", O_RDONLY | O_DIRECTORY), F_GETFL));
	result("F_GETFL of a file", fcntl(fd, F_GETFL));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	show("marked", fd);
	fcntl(fd, F_SETFD, 0);

	struct flock lock = {.l_type = F_WRLCK, .l_start = 2, .l_len = 3};
	okay("lock", fcntl(fd, F_SETLK, &lock));
	show("locked", fd);
	show("opened apart", open("f", O_RDWR));
	okay("flock", flock(fd, LOCK_EX));
	show("both", fd);
}

static int look_at_parent(void *fd)
{
	show_of(getppid(), "of the parent", *(int *)fd);
	return 0;
}

static void events(void)
{
	sigset_t set = signal_set(SIGUSR1, SIGCHLD);
	int event = eventfd(7, 0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ends[2];
	struct itimerspec when = {.it_interval = {3, 5}};

	show("eventfd", event);
	show("semaphore", eventfd(1, EFD_SEMAPHORE));
	child_report("child", child_start(look_at_parent, &event));
	show("signalfd", signalfd(-1, &set, 0));
	show("timer", timer);
	when.it_value.tv_nsec = 1;
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
	when = (struct itimerspec){.it_interval = {3, 5}};
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
	show("timer disarmed", timer);

	int epoll = epoll_create1(0);
	struct epoll_event in = {.events = EPOLLIN | EPOLLET, .data.u64 = 0xabcd};
	if (pipe(ends) < 0)
		die("pipe");
	show("pipe", ends[1]);
	int moved = dup2(ends[0], 40);
	epoll_ctl(epoll, EPOLL_CTL_ADD, moved, &in);
	show("epoll", epoll);

	int watcher = inotify_init();
	inotify_add_watch(watcher, ".", IN_CREATE | IN_EXCL_UNLINK);
	inotify_add_watch(watcher, "f", IN_MODIFY | IN_ONESHOT);
	show("inotify", watcher);

	pid_t child = fork_or_die();
	if (!child)
		_exit(0);
	int process = (int)syscall(SYS_pidfd_open, child, 0);
	show("pidfd", process);
	child_wait(child);
	show("pidfd of nobody", process);
}

/* A file that has no name any more is none of its directory's. */
static void unlinked(void)
{
	int fd = open("gone", O_WRONLY | O_CREAT, 0600), all = inotify_init1(IN_NONBLOCK);
	int named = inotify_init1(IN_NONBLOCK);
	char event[512];

	inotify_add_watch(all, ".", IN_MODIFY);
	inotify_add_watch(named, ".", IN_MODIFY | IN_EXCL_UNLINK);
	write_all(fd, "a", 1);
	check("all hear", read(all, event, sizeof(event)) > 0);
	check("named: hears", read(named, event, sizeof(event)) > 0);
	unlink("gone");
	write_all(fd, "b", 1);
	check("all: still", read(all, event, sizeof(event)) > 0);
	result("named: no more", read(named, event, sizeof(event)));
}

int main(void)
{
	work_dir();
	files();
	events();
	unlinked();
	return finish();
}
