/* SPDX-License-Identifier: ISC */
/*
 * fork, posix_spawn and exec from a process with threads. Only the caller lives on in a child,
 * which can make threads of its own and use every lock that was free; what the parent's threads
 * wait for stays theirs. exec by any thread ends all others and keeps the process id.
 * @test timeout=40 members=12
 */
#include "guest.h"
#include <pthread.h>
#include <spawn.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int phase, woken, fds[2];
static char *self_path;
extern char **environ;

static void *wait_phase(void *argument)
{
	pthread_mutex_lock(&mutex);
	while (phase != (int)(long)argument)
		pthread_cond_wait(&changed, &mutex);
	woken++;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *read_pipe(void *argument)
{
	char byte;

	return (void *)(long)read(fds[0], &byte, 1);
}

static void set_phase(int to)
{
	pthread_mutex_lock(&mutex);
	phase = to;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

/* The same condition variable, with threads of the child's own. */
static int in_child(void *unused)
{
	pthread_t threads[4];

	pthread_cond_init(&changed, NULL); /* the parent's waiters are not here */
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, wait_phase, (void *)(long)2))
			return 10;
	pause_ms(20);
	set_phase(2);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return woken;
}

static void *fork_here(void *argument)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = child_start(in_child, NULL);

		child_report("child of a thread", pid);
	}
	return argument;
}

static void *spawn_here(void *argument)
{
	char *words[] = {self_path, "exit", NULL};
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		if (posix_spawn(&pid, self_path, NULL, NULL, words, environ))
			die("posix_spawn");
		status = child_wait(pid);
		expect("spawned", WIFEXITED(status) && WEXITSTATUS(status) == 5);
	}
	return argument;
}

static void *exec_here(void *argument)
{
	char pid[16];
	char *words[] = {self_path, "pid", pid, NULL};

	snprintf(pid, sizeof(pid), "%d", getpid());
	execv(self_path, words);
	return argument;
}

static int exec_by_thread(void *unused)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, i ? read_pipe : wait_phase, (void *)(long)99);
	pause_ms(10);
	pthread_create(&thread, NULL, exec_here, NULL);
	pthread_join(thread, NULL);
	return 77;
}

static void *leave(void *argument)
{
	pause_ms(10);
	_exit(23);
}

static int exit_by_thread(void *leaver)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, i ? read_pipe : wait_phase, (void *)(long)99);
	pthread_create(&thread, NULL, leaver ? leave : wait_phase, (void *)(long)99);
	if (!leaver) {
		pause_ms(10);
		_exit(24);
	}
	pthread_join(thread, NULL);
	return 77;
}

static void *last(void *argument)
{
	pause_ms(20);
	say("the last thread goes on");
	return argument;
}

static int main_leaves_first(void *unused)
{
	pthread_t thread;

	pthread_create(&thread, NULL, last, NULL);
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	pthread_t waiters[4], reader, forker, spawner;
	void *value;

	if (argc == 2)
		return 5;
	if (argc == 3) {
		check("pid kept", atoi(argv[2]) == getpid() && syscall(SYS_gettid) == getpid());
		return 6;
	}
	self_path = argv[0];
	if (pipe(fds))
		die("pipe");
	for (int i = 0; i < 4; i++)
		pthread_create(&waiters[i], NULL, wait_phase, (void *)(long)1);
	pthread_create(&reader, NULL, read_pipe, NULL);
	pause_ms(20);
	pthread_create(&spawner, NULL, spawn_here, NULL);
	pthread_create(&forker, NULL, fork_here, NULL);
	pthread_join(forker, NULL);
	pthread_join(spawner, NULL);
	set_phase(1);
	for (int i = 0; i < 4; i++)
		pthread_join(waiters[i], NULL);
	say("the parent's waiters: %d", woken);
	if (write(fds[1], "z", 1) != 1)
		die("write");
	pthread_join(reader, &value);
	say("the parent's reader: %ld", (long)value);
	child_report("exec by a thread", child_start(exec_by_thread, NULL));
	child_report("_exit by a thread", child_start(exit_by_thread, argv));
	child_report("_exit by the first", child_start(exit_by_thread, NULL));
	child_report("the first leaves first", child_start(main_leaves_first, NULL));
	return finish();
}
