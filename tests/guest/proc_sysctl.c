/* SPDX-License-Identifier: ISC */
/*
 * What a container's root may write below /proc/sys has its effect: limits of System V IPC and of
 * message queues, the names of the host; and /proc/sysvipc lists what there is. Natively in
 * namespaces of its own.
 * @test timeout=20 members=2 root
 */
#include "guest.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/utsname.h>

static void show(const char *name)
{
	char path[128], text[256] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	say("%s: %s", name, text);
	close(fd);
}

static void set(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd = open(path, O_WRONLY);
	if (fd < 0) {
		result(name, -1);
		return;
	}
	ssize_t n = write(fd, value, strlen(value));
	say("'%s' to %s: %s", value, name,
		n < 0 ? "refused" : n == (ssize_t)strlen(value) ? "ok" : "part");
	if (n < 0)
		say("%s", errno == EINVAL ? "EINVAL" : strerror(errno));
	close(fd);
	show(name);
}

static void numbers(void)
{
	show("kernel/shmmax");
	set("kernel/msgmax", "100\n");
	set("kernel/msgmax", "abc\n");
	set("kernel/msgmax", "-1");
	set("kernel/msgmax", "\n");
	set("kernel/msgmax", " 14");
	set("kernel/shmmni", "99999999");
	set("kernel/sem", "250 32000 100 128\n");
	set("kernel/sem", "251");
	set("fs/mqueue/msg_max", "0");
	set("fs/mqueue/msgsize_max", "127");
	set("kernel/sem", "32000 1024000000 500 32000");
}

static void segments(void)
{
	set("kernel/shmmax", "8192");
	okay("as much", shmget(IPC_PRIVATE, 8192, 0600));
	okay("too much", shmget(IPC_PRIVATE, 8193, 0600));
	set("kernel/shmmax", "1048576");
	set("kernel/shmall", "3");
	okay("one page more", shmget(IPC_PRIVATE, 4096, 0600));
	okay("too much of all", shmget(IPC_PRIVATE, 4096, 0600));
	set("kernel/shmall", "1000");
	set("kernel/shmmni", "3");
	okay("third", shmget(IPC_PRIVATE, 4096, 0600));
	okay("fourth", shmget(IPC_PRIVATE, 4096, 0600));
}

static void messages(void)
{
	struct {
		long type;
		char text[64];
	} m = {1, ""};
	int q;

	set("kernel/msgmax", "20");
	set("kernel/msgmnb", "50");
	q = msgget(0x1234, IPC_CREAT | 0640);
	result("small", msgsnd(q, &m, 20, 0));
	result("large", msgsnd(q, &m, 21, 0));
	result("second", msgsnd(q, &m, 20, 0));
	result("no room", msgsnd(q, &m, 20, IPC_NOWAIT));
	set("kernel/msgmni", "1");
	okay("another queue", msgget(IPC_PRIVATE, 0600));
}

static void semaphores(void)
{
	struct sembuf ops[3] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}};
	int set_id;

	set("kernel/sem", "4 6 2 2");
	set_id = semget(0x4321, 3, IPC_CREAT | 0660);
	okay("set", set_id);
	okay("too many in one", semget(IPC_PRIVATE, 5, 0600));
	okay("too many in all", semget(IPC_PRIVATE, 4, 0600));
	okay("second", semget(IPC_PRIVATE, 1, 0600));
	okay("third", semget(IPC_PRIVATE, 1, 0600));
	result("two operations", semop(set_id, ops, 2));
	result("three", semop(set_id, ops, 3));
}

static void queues(void)
{
	struct mq_attr big = {.mq_maxmsg = 21, .mq_msgsize = 100}, got = {0};
	mqd_t q;

	set("fs/mqueue/msg_default", "3");
	q = mq_open("/guest_sysctl", O_CREAT | O_RDWR, 0600, NULL);
	mq_getattr(q, &got);
	say("default %ld", got.mq_maxmsg);
	mq_unlink("/guest_sysctl");
	set("fs/mqueue/msg_max", "20");
	if (fork() == 0) {
		if (setuid(65534))
			die("setuid");
		okay("more than root allows", mq_open("/guest_sysctl", O_CREAT | O_RDWR, 0600, &big));
		big.mq_maxmsg = 20;
		okay("as much", mq_open("/guest_sysctl", O_CREAT | O_RDWR, 0600, &big));
		mq_unlink("/guest_sysctl");
		okay("not for everybody", open("/proc/sys/fs/mqueue/msg_max", O_WRONLY));
		_exit(0);
	}
	wait(NULL);
}

/* The columns that are the same everywhere: no ids of processes and objects, no times. */
static void list(const char *name, unsigned skip)
{
	char path[64], line[512], *word, *rest;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sysvipc/%s", name);
	f = fopen(path, "r");
	if (!f)
		die(path);
	if (fgets(line, sizeof(line), f))
		say("%s", strtok(line, "\n"));
	while (fgets(line, sizeof(line), f)) {
		char text[512] = "";

		say("width %zu", strlen(line));
		rest = line;
		for (unsigned i = 0; (word = strtok_r(rest, " \n", &rest)); i++)
			if (!(skip >> i & 1)) {
				strcat(text, " ");
				strcat(text, word);
			}
		say("%s:%s", name, text);
	}
	fclose(f);
}

static void names(void)
{
	struct utsname u;

	set("kernel/hostname", "fresh\n");
	set("kernel/domainname", "where\nelse");
	uname(&u);
	say("%s %s", u.nodename, u.domainname);
	result("sethostname", sethostname("again", 5));
	show("kernel/hostname");
}

int main(void)
{
	/* A family is in namespaces of its own, and refuses. */
	if (!unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS)) {
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
	}
	numbers();
	segments();
	messages();
	semaphores();
	queues();
	list("shm", 1 << 1 | 1 << 4 | 1 << 5 | 7 << 11 | 1 << 14);
	list("msg", 1 << 1 | 1 << 5 | 7 << 11);
	list("sem", 1 << 1 | 3 << 8);
	names();
	return finish();
}
