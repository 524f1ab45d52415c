/* SPDX-License-Identifier: ISC */
/*
 * How many children, and how many threads, there can be at once, and what the next one gets; then
 * whether they can be had again.
 * @test timeout=60 members=64
 */
#include "guest.h"
#include <pthread.h>

#define MOST 60

static int hold[2];

static void *thread_wait(void *unused)
{
	char byte;

	(void)unused;
	read(hold[0], &byte, 1);
	return NULL;
}

static void children(void)
{
	int n = 0;
	pid_t pid = 0;

	if (pipe(hold) < 0)
		die("pipe");
	while (n < MOST && (pid = fork()) > 0)
		n++;
	if (pid == 0) {
		close(hold[1]);
		thread_wait(NULL);
		_exit(0);
	}
	say("%d children, then %s", n, pid < 0 ? errno_name(errno) : "no more were asked for");
	close(hold[1]);
	for (int i = 0; i < n; i++)
		if (waitpid(-1, NULL, 0) < 0)
			die("waitpid");
	close(hold[0]);
}

static void threads(void)
{
	pthread_t thread[MOST];
	int n = 0, err = 0;

	if (pipe(hold) < 0)
		die("pipe");
	while (n < MOST && !(err = pthread_create(&thread[n], NULL, thread_wait, NULL)))
		n++;
	say("%d threads, then %s", n, err ? errno_name(err) : "no more were asked for");
	close(hold[1]);
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	close(hold[0]);
}

int main(void)
{
	children();
	threads();
	children();
	return finish();
}
