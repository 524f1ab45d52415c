/* SPDX-License-Identifier: ISC */
/* Deaths in System V and POSIX IPC. */
#include "operations.h"

#include <linux/netlink.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY 4711

struct message {
	long type;
	char text[200];
};

static int id;
static mqd_t queue;

/* What the dead may have made under the key goes. */
static void remove_messages(void)
{
	int left = msgget(KEY, 0);

	if (left >= 0 && msgctl(left, IPC_RMID, NULL) < 0)
		wrong("removing a message queue: %s", errno_name(errno));
}

static void act_messages(void)
{
	int made = msgget(KEY, IPC_CREAT | 0600);

	msgctl(made, IPC_RMID, NULL);
}

static void make_messages(void)
{
	struct message m = {.type = 1};

	id = msgget(KEY, IPC_CREAT | 0600);
	msgsnd(id, &m, 100, 0);
}

static void act_message_send(void)
{
	struct message m = {.type = 2};

	msgsnd(id, &m, sizeof(m.text), 0);
}

static void act_message_receive(void)
{
	struct message m;

	msgrcv(id, &m, sizeof(m.text), 0, 0);
}

/* The queue counts what is in it. */
static void check_messages(void)
{
	struct msqid_ds info;
	struct message m;
	unsigned long n = 0;

	msgctl(id, IPC_STAT, &info);
	while (msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT) >= 0)
		n++;
	expect_result("messages in a queue", (long)info.msg_qnum, (long)n);
	remove_messages();
}

static void remove_semaphores(void)
{
	int left = semget(KEY, 0, 0);

	if (left >= 0 && semctl(left, 0, IPC_RMID) < 0)
		wrong("removing semaphores: %s", errno_name(errno));
}

static void act_semaphores(void)
{
	int made = semget(KEY, 3, IPC_CREAT | 0600);

	semctl(made, 1, SETVAL, 5);
	semctl(made, 0, IPC_RMID);
}

static void make_semaphores(void)
{
	id = semget(KEY, 2, IPC_CREAT | 0600);
	semctl(id, 0, SETVAL, 1);
	semctl(id, 1, SETVAL, 1);
}

static void act_semaphore_undo(void)
{
	struct sembuf take[2] = {{0, -1, SEM_UNDO}, {1, -1, SEM_UNDO}};

	semop(id, take, 2);
}

/* What the dead took is given back. */
static void check_semaphores(void)
{
	expect_result("a semaphore of the dead", semctl(id, 0, GETVAL), 1);
	expect_result("another semaphore of the dead", semctl(id, 1, GETVAL), 1);
	remove_semaphores();
}

static void ready_semaphore_taken(void)
{
	act_semaphore_undo();
}

static void act_semaphore_give(void)
{
	struct sembuf give[2] = {{0, 1, SEM_UNDO}, {1, 1, SEM_UNDO}};

	semop(id, give, 2);
}

static void remove_segment(void)
{
	int left = shmget(KEY, 0, 0);
	struct shmid_ds info;

	if (left < 0)
		return;
	if (shmctl(left, IPC_STAT, &info) == 0)
		expect_result("processes that have a segment attached", (long)info.shm_nattch, 0);
	if (shmctl(left, IPC_RMID, NULL) < 0)
		wrong("removing a segment: %s", errno_name(errno));
}

static void act_segment(void)
{
	int made = shmget(KEY, 20000, IPC_CREAT | 0600);
	char *p = shmat(made, NULL, 0);

	p[5000] = 1;
	shmdt(p);
	shmat(made, NULL, 0);
}

static void act_segment_removed(void)
{
	int made = shmget(KEY, 20000, IPC_CREAT | 0600);
	char *p = shmat(made, NULL, 0);

	shmctl(made, IPC_RMID, NULL);
	p[5000] = 1;
	shmdt(p);
}

static void open_queue(void)
{
	struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 100};

	queue = mq_open("/deaths", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
}

static void act_queue(void)
{
	open_queue();
	mq_close(queue);
	mq_unlink("/deaths");
}

static void remove_queue(void)
{
	mq_unlink("/deaths");
}

static void make_queue(void)
{
	open_queue();
	mq_send(queue, "one", 3, 1);
}

static void act_queue_send(void)
{
	mq_send(queue, "two", 3, 2);
}

static void act_queue_receive(void)
{
	char text[100];

	mq_receive(queue, text, sizeof(text), NULL);
}

static void act_queue_notify(void)
{
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};

	mq_notify(queue, &e);
	mq_notify(queue, NULL);
	mq_notify(queue, &e);
}

/* As SIGEV_THREAD of the C library does. */
static void act_queue_notify_socket(void)
{
	static char cookie[32];
	struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = cookie};

	e.sigev_signo = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	syscall(SYS_mq_notify, queue, &e);
	syscall(SYS_mq_notify, queue, NULL);
	syscall(SYS_mq_notify, queue, &e);
	mq_send(queue, "x", 1, 1);
	recv(e.sigev_signo, cookie, sizeof(cookie), MSG_DONTWAIT);
	syscall(SYS_mq_notify, queue, &e);
}

static void check_queue(void)
{
	struct sigevent e = {.sigev_notify = SIGEV_NONE};
	struct mq_attr attributes;
	char text[100];
	long n = 0;

	if (mq_notify(queue, &e) < 0)
		wrong("who is notified of a queue: %s", errno_name(errno));
	mq_getattr(queue, &attributes);
	while (mq_receive(queue, text, sizeof(text), NULL) >= 0)
		n++;
	expect_result("messages in a POSIX queue", attributes.mq_curmsgs, n);
	mq_close(queue);
	remove_queue();
}

static void act_shm(void)
{
	int fd = shm_open("/deaths", O_CREAT | O_RDWR, 0600);

	ftruncate(fd, 20000);
	char *p = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	p[0] = 1;
	shm_unlink("/deaths");
}

static void remove_shm(void)
{
	shm_unlink("/deaths");
}

const struct operation ipc_operations[] = {
	{"msg", NULL, NULL, act_messages, remove_messages, 0},
	{"msg_send", make_messages, NULL, act_message_send, check_messages, 0},
	{"msg_receive", make_messages, NULL, act_message_receive, check_messages, 0},
	{"sem", NULL, NULL, act_semaphores, remove_semaphores, 0},
	{"sem_undo", make_semaphores, NULL, act_semaphore_undo, check_semaphores, 0},
	{"sem_give", make_semaphores, ready_semaphore_taken, act_semaphore_give, check_semaphores, 0},
	{"shm", NULL, NULL, act_segment, remove_segment, 0},
	{"shm_removed", NULL, NULL, act_segment_removed, remove_segment, 0},
	{"mq", NULL, NULL, act_queue, remove_queue, 0},
	{"mq_send", make_queue, NULL, act_queue_send, check_queue, 0},
	{"mq_receive", make_queue, NULL, act_queue_receive, check_queue, 0},
	{"mq_notify_socket", make_queue, NULL, act_queue_notify_socket, check_queue, 0},
	{"mq_notify", make_queue, NULL, act_queue_notify, check_queue, 0},
	{"shm_open", NULL, NULL, act_shm, remove_shm, 0},
	{0},
};
