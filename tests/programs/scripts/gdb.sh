# SPDX-License-Identifier: ISC
# program: gdb
# packages: gdb gcc libc6-dev
# timeout: 240
# gdb: breakpoints, backtraces, steps, variables read and changed, a call of a function, signals,
# watchpoints by steps, fork followed to the child, threads, attached to a process.
cd "$(mktemp -d)" || exit 1
cat >debugged.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
struct pair { int left; const char *right; };
static struct pair pair = {4, "four"};
static volatile int total;
static int twice(int n) { return 2 * n; }
__attribute__((noinline)) static int depth(int n)
{
	if (n == 0)
		return twice(pair.left);
	return depth(n - 1) + n;
}
static void *thread(void *arg) { total += *(int *)arg; return NULL; }
static void caught(int sig) { total += sig; }
int main(int argc, char **argv)
{
	int three = 3, status;
	pthread_t t;
	signal(SIGUSR1, caught);
	printf("depth %d\n", depth(2));
	fflush(stdout);
	raise(SIGUSR1);
	pid_t pid = fork();
	if (!pid)
		_exit(depth(1));
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	pthread_create(&t, NULL, thread, &three);
	pthread_join(t, NULL);
	printf("total %d %s\n", total, pair.right);
	fflush(stdout);
	if (argc > 1)
		for (;;)
			pause();
	return total;
}
END
gcc -g -O0 -pthread -o debugged debugged.c || exit 1
debug() {
	gdb -q -batch -nx -iex 'set debuginfod enabled off' -ex 'set pagination off' \
		-ex 'set print address off' -ex 'set print thread-events off' \
		-ex 'set confirm off' "$@" 2>&1 |
		sed -E 's/process [0-9]+/process N/g; s/0x[0-9a-f]+/ADDRESS/g; s/LWP [0-9]+/LWP N/g
			s/\(N\)//; /libthread_db|^Thread [12]|^warning|debuginfo|No such file/d
			/^\[(New|Switching)/d' |
		grep -v '^$'
}

echo "== breakpoints"
debug -ex 'break depth if n == 0' -ex run -ex bt -ex 'p pair' -ex 'p twice(21)' -ex 'up' \
	-ex 'info locals' -ex 'set var pair.left = 10' -ex 'finish' -ex 'delete' -ex 'continue' \
	-ex 'continue' ./debugged

echo "== steps"
debug -ex 'break twice' -ex run -ex stepi -ex stepi -ex step -ex next -ex next \
	-ex 'info breakpoints' \
	-ex 'kill' ./debugged

echo "== watched"
debug -ex 'set can-use-hw-watchpoints 0' -ex 'break caught' -ex run -ex continue \
	-ex 'watch total' \
	-ex 'continue' -ex 'p total' -ex 'kill' ./debugged

echo "== signals"
debug -ex 'handle SIGUSR1 stop print nopass' -ex run -ex 'p $_siginfo.si_signo' \
	-ex 'continue' ./debugged

echo "== the child"
debug -ex 'set follow-fork-mode child' -ex 'break depth if n == 1' -ex run -ex continue -ex bt \
	-ex continue ./debugged | sort # parent and debugger write at the same time

echo "== a thread"
debug -ex 'break thread' -ex run -ex continue -ex 'p *(int *)arg' \
	-ex 'thread apply all -s print 1' -ex 'continue' \
	./debugged

echo "== attached"
./debugged wait >out &
until grep -qs total out; do sleep 0.05; done
sleep 0.1
debug -p $! -ex 'frame function main' -ex 'p three' -ex 'set var total = 99' -ex detach
debug -p $! -ex 'p total' -ex kill
wait $! 2>/dev/null
echo "status $?"
