/* SPDX-License-Identifier: ISC */
/*
 * POSIX message queues: priorities, blocking, time-outs, notification, limits, poll, unlink.
 * @test timeout=20 members=3
 */
#include "guest.h"
#include <mqueue.h>

static volatile int told;

static void on_message(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = info->si_code == SI_MESGQ ? info->si_value.sival_int : -1;
}

static int thread_told[2];

static void told_thread(union sigval value)
{
	char byte = (char)value.sival_int;

	write_all(thread_told[1], &byte, 1);
}

/* A thread is started for each message to an empty queue, by way of a socket. */
static void by_thread(mqd_t q)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD,
							 .sigev_notify_function = told_thread,
							 .sigev_value.sival_int = 'a'};
	char byte = 0, text[16];
	struct pollfd p;

	struct mq_attr attr;
	while (!mq_getattr(q, &attr) && attr.mq_curmsgs)
		mq_receive(q, text, sizeof(text), NULL);
	if (pipe(thread_told))
		die("pipe");
	p = (struct pollfd){thread_told[0], POLLIN, 0};
	okay("notify by a thread", mq_notify(q, &event));
	result("twice", mq_notify(q, &event));
	mq_send(q, "a", 1, 0);
	check("told", read(thread_told[0], &byte, 1) == 1 && byte == 'a');
	mq_receive(q, text, sizeof(text), NULL);
	event.sigev_value.sival_int = 'b';
	okay("again", mq_notify(q, &event));
	okay("no more", mq_notify(q, NULL));
	mq_send(q, "b", 1, 0);
	check("nobody is told", poll(&p, 1, 30) == 0);
	mq_receive(q, text, sizeof(text), NULL);
	event.sigev_value.sival_int = 'c';
	okay("from a process", mq_notify(q, &event));
	pid_t pid = fork_or_die();
	if (!pid)
		_exit(mq_send(q, "c", 1, 0) ? 1 : 0);
	check("told", read(thread_told[0], &byte, 1) == 1 && byte == 'c');
	child_report("sender", pid);
	event.sigev_signo = q;
	event.sigev_notify = SIGEV_THREAD;
	result("no socket", syscall(SYS_mq_notify, q, &event));
}

int main(void)
{
	struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 16};
	struct timespec past = {1, 0};
	char text[16];
	unsigned priority = 0;

	mq_unlink("/guest_mq");
	result("missing", mq_open("/guest_mq", O_RDWR));
	mqd_t q = mq_open("/guest_mq", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	okay("open", q);
	result("exclusive", mq_open("/guest_mq", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	mq_send(q, "low", 3, 1);
	mq_send(q, "high", 4, 9);
	mq_send(q, "low2", 4, 1);
	result("full", mq_timedsend(q, "x", 1, 0, &past));
	okay("getattr", mq_getattr(q, &attr));
	say("%ld of %ld, %ld bytes", attr.mq_curmsgs, attr.mq_maxmsg, attr.mq_msgsize);
	for (int i = 0; i < 3; i++) {
		ssize_t n = mq_receive(q, text, sizeof(text), &priority);
		say("%.*s, priority %u", (int)n, text, priority);
	}
	result("empty", mq_timedreceive(q, text, sizeof(text), NULL, &past));
	result("too long", mq_send(q, "seventeen letters", 17, 0));
	result("room too small", mq_receive(q, text, 8, NULL));
	result("priority", mq_send(q, "x", 1, 40000));
	pid_t pid = fork_or_die();
	if (pid == 0) {
		mqd_t own = mq_open("/guest_mq", O_WRONLY);
		pause_ms(30);
		mq_send(own, "hello", 5, 2);
		_exit(mq_receive(own, text, sizeof(text), NULL) == -1 && errno == EBADF ? 0 : 1);
	}
	struct pollfd p = {q, POLLIN | POLLOUT, 0};
	result("poll", poll(&p, 1, 0));
	say("revents %x", p.revents);
	result("received", mq_receive(q, text, sizeof(text), &priority));
	child_report("sender", pid);

	on_signal_info(SIGUSR1, on_message, 0);
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
	okay("notify", mq_notify(q, &event));
	result("twice", mq_notify(q, &event));
	mq_send(q, "a", 1, 0);
	say("told: %d", told);
	told = 0;
	mq_send(q, "b", 1, 0);
	say("once only: %d", told);
	by_thread(q);
	okay("unlink", mq_unlink("/guest_mq"));
	mq_send(q, "last", 4, 0);
	result("still open", mq_receive(q, text, sizeof(text), NULL));
	result("missing", mq_open("/guest_mq", O_RDWR));
	okay("close", mq_close(q));
	result("bad", mq_open("/", O_RDWR));
	return finish();
}
