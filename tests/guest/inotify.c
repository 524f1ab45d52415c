/* SPDX-License-Identifier: ISC */
/*
 * inotify: what happens to files, directories and names, between processes too; masks, one shot,
 * repeated events, the size of reads, readiness, overflow, errors.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int in;
static char dir[64];

static const char *mask_text(uint32_t mask)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"},
		{IN_CLOSE_WRITE, "CLOSE_WRITE"}, {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"},
		{IN_MOVED_FROM, "MOVED_FROM"}, {IN_MOVED_TO, "MOVED_TO"}, {IN_CREATE, "CREATE"},
		{IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
		{IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"},
	};
	static char text[200];

	text[0] = '\0';
	for (size_t i = 0; i < COUNT(names); i++)
		if (mask & names[i].bit) {
			if (text[0])
				strcat(text, "|");
			strcat(text, names[i].name);
			mask &= ~names[i].bit;
		}
	if (mask)
		strcat(text, "|?");
	return text;
}

/* All events that are there. Cookies are shown as belonging to the one before. */
static void events(const char *what)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n = read(in, buf, sizeof(buf));
	uint32_t cookie = 0;

	say("%s:%s", what, n < 0 ? " none" : "");
	for (ssize_t at = 0; at < n;) {
		struct inotify_event *e = (struct inotify_event *)(buf + at);
		const char *pair = !e->cookie ? "" : e->cookie == cookie ? " same" : " cookie";
		say("  %d %s%s%s len %u%s", e->wd, mask_text(e->mask), e->len ? " " : "",
			e->len ? e->name : "", e->len, pair);
		cookie = e->cookie;
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void in_a_directory(void)
{
	char text[8];
	int wd = inotify_add_watch(in, dir, IN_ALL_EVENTS);

	result("watch", wd);
	int fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	events("create and open");
	write(fd, "x", 1);
	write(fd, "y", 1);
	pread(fd, text, 8, 0);
	events("write twice, read");
	pread(fd, text, 8, 100);
	events("read at the end");
	ftruncate(fd, 1);
	fchmod(fd, 0640);
	close(fd);
	events("truncate, chmod, close");
	close(open(in_dir("file"), O_RDONLY));
	events("open and close");
	chmod(in_dir("file"), 0600);
	struct timespec now[2] = {{1, 0}, {1, 0}}, modified[2] = {{0, UTIME_OMIT}, {2, 0}};
	utimensat(AT_FDCWD, in_dir("file"), now, 0);
	utimensat(AT_FDCWD, in_dir("file"), modified, 0);
	truncate(in_dir("file"), 0);
	events("by path: mode, times, time of modification, size");
	rename(in_dir("file"), in_dir("moved"));
	events("rename");
	link(in_dir("moved"), in_dir("link"));
	symlink("moved", in_dir("symbolic"));
	mkdir(in_dir("sub"), 0700);
	mkfifo(in_dir("fifo"), 0600);
	events("link, symlink, mkdir, mkfifo");
	rename(in_dir("link"), in_dir("moved"));
	rename(in_dir("symbolic"), in_dir("moved"));
	events("rename to itself, rename over");
	unlink(in_dir("link"));
	unlink(in_dir("moved"));
	unlink(in_dir("fifo"));
	rmdir(in_dir("sub"));
	events("remove");
	DIR *d = opendir(dir);
	while (readdir(d))
		;
	closedir(d);
	events("list");
	chmod(dir, 0755);
	events("the directory's mode");
	pid_t pid = fork_or_die();
	if (pid == 0) {
		close(open(in_dir("child"), O_WRONLY | O_CREAT, 0600));
		_exit(0);
	}
	child_wait(pid);
	events("another process");
	result("change the mask", inotify_add_watch(in, dir, IN_DELETE));
	unlink(in_dir("child"));
	mkdir(in_dir("sub"), 0700);
	events("only deletions");
	result("add to the mask", inotify_add_watch(in, dir, IN_CREATE | IN_MASK_ADD));
	rmdir(in_dir("sub"));
	mkdir(in_dir("sub"), 0700);
	events("both");
	result("only new", inotify_add_watch(in, dir, IN_CREATE | IN_MASK_CREATE));
	result("remove", inotify_rm_watch(in, wd));
	result("again", inotify_rm_watch(in, wd));
	rmdir(in_dir("sub"));
	events("removed");
}

static void on_a_file(void)
{
	int fd = open(in_dir("f"), O_RDWR | O_CREAT, 0600), wd = inotify_add_watch(in, in_dir("f"),
		IN_ALL_EVENTS & ~IN_ACCESS);

	result("watch", wd);
	write(fd, "x", 1);
	rename(in_dir("f"), in_dir("g"));
	link(in_dir("g"), in_dir("h"));
	unlink(in_dir("h"));
	events("write, rename, link, unlink");
	unlink(in_dir("g"));
	events("unlink while open");
	close(fd);
	events("close");
	result("gone", inotify_rm_watch(in, wd));
	mkdir(in_dir("d"), 0700);
	result("watch", inotify_add_watch(in, in_dir("d"), IN_ALL_EVENTS | IN_ONLYDIR));
	close(open(in_dir("d/x"), O_CREAT | O_WRONLY, 0600));
	rename(in_dir("d/x"), in_dir("x"));
	rename(in_dir("x"), in_dir("d/y"));
	unlink(in_dir("d/y"));
	events("in and out");
	rename(in_dir("d"), in_dir("e"));
	rmdir(in_dir("e"));
	events("rename and remove the directory");
	close(open(in_dir("f"), O_RDWR | O_CREAT, 0600));
	result("one shot", inotify_add_watch(in, in_dir("f"), IN_OPEN | IN_CLOSE | IN_ONESHOT));
	close(open(in_dir("f"), O_RDWR));
	events("one shot");
	unlink(in_dir("f"));
}

static void reading(void)
{
	char buf[64] __attribute__((aligned(8)));
	struct pollfd p = {in, POLLIN, 0};
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	int n, ep = epoll_create1(0), wd = inotify_add_watch(in, dir, IN_CREATE | IN_DELETE);

	epoll_ctl(ep, EPOLL_CTL_ADD, in, &e);
	result("poll, nothing", poll(&p, 1, 0));
	result("epoll, nothing", epoll_wait(ep, &e, 1, 0));
	close(open(in_dir("a"), O_RDWR | O_CREAT, 0600));
	result("poll", poll(&p, 1, 0));
	result("epoll", epoll_wait(ep, &e, 1, 0));
	result("epoll, no new edge", epoll_wait(ep, &e, 1, 0));
	unlink(in_dir("a"));
	result("epoll, a new edge", epoll_wait(ep, &e, 1, 0));
	ioctl(in, FIONREAD, &n);
	say("FIONREAD %d", n);
	result("too small for one", read(in, buf, 16));
	result("room for one", read(in, buf, 63));
	result("the other", read(in, buf, 64));
	result("empty", read(in, buf, 64));
	fcntl(in, F_SETFL, 0);
	pid_t pid = fork_or_die();
	if (pid == 0) {
		usleep(20000);
		close(open(in_dir("b"), O_RDWR | O_CREAT, 0600));
		_exit(0);
	}
	result("read that waits", read(in, buf, sizeof(buf)));
	child_wait(pid);
	unlink(in_dir("b"));
	fcntl(in, F_SETFL, O_NONBLOCK);
	events("rest");
	inotify_rm_watch(in, wd);
	events("removed");
	close(ep);
}

static void overflow(void)
{
	char buf[4096] __attribute__((aligned(8)));
	bool seen = false;
	int wd = inotify_add_watch(in, dir, IN_MOVE);

	close(open(in_dir("a"), O_RDWR | O_CREAT, 0600));
	for (int i = 0; i < 4200; i++) { /* 16800 events, more than anybody keeps */
		rename(in_dir("a"), in_dir("b"));
		rename(in_dir("b"), in_dir("a"));
	}
	for (ssize_t n; (n = read(in, buf, sizeof(buf))) > 0;)
		for (ssize_t at = 0; at < n;) {
			struct inotify_event *e = (struct inotify_event *)(buf + at);
			expect("nothing behind the overflow", !seen);
			seen = e->mask == IN_Q_OVERFLOW && e->wd == -1;
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	check("overflow", seen);
	rename(in_dir("a"), in_dir("b"));
	events("after the overflow");
	unlink(in_dir("b"));
	inotify_rm_watch(in, wd);
	events("removed");
}

/* That something is gone is told before that its name is, unless it is held. */
static void removed(void)
{
	char inner[128];
	int held;

	strcpy(inner, in_dir("inner"));
	inotify_add_watch(in, dir, IN_DELETE);
	for (unsigned i = 0; i < 2; i++) {
		if (mkdir(inner, 0755))
			die("mkdir");
		inotify_add_watch(in, inner, IN_DELETE_SELF);
		held = i ? open(inner, O_RDONLY) : -1;
		rmdir(inner);
		events(i ? "directory in use removed" : "directory removed");
		close(held);
		events("closed");
		close(open(inner, O_CREAT | O_RDWR, 0644));
		inotify_add_watch(in, inner, IN_DELETE_SELF | IN_ATTRIB);
		held = i ? open(inner, O_RDONLY) : -1;
		unlink(inner);
		events(i ? "file in use removed" : "file removed");
		close(held);
		events("closed");
	}
}

static void errors(void)
{
	result("flags", inotify_init1(1));
	result("no events", inotify_add_watch(in, dir, 0));
	result("missing", inotify_add_watch(in, in_dir("missing"), IN_OPEN));
	close(open(in_dir("f"), O_RDWR | O_CREAT, 0600));
	result("not a directory", inotify_add_watch(in, in_dir("f"), IN_OPEN | IN_ONLYDIR));
	result("not inotify", inotify_add_watch(1, dir, IN_OPEN));
	result("bad descriptor", inotify_add_watch(-1, dir, IN_OPEN));
	result("bad address", inotify_add_watch(in, NULL, IN_OPEN));
	result("no such watch", inotify_rm_watch(in, 12345));
	result("write", write(in, dir, 1));
	unlink(in_dir("f"));
}

int main(void)
{
	snprintf(dir, sizeof(dir), "/tmp/guest_inotify_XXXXXX");
	if (!mkdtemp(dir))
		die("mkdtemp");
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	okay("init", in);
	in_a_directory();
	on_a_file();
	reading();
	overflow();
	removed();
	errors();
	close(in);
	rmdir(dir);
	return finish();
}
