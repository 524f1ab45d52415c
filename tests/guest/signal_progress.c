/* SPDX-License-Identifier: ISC */
/*
 * A timer so short that serving it takes most of the time: the program gets on nevertheless, and
 * what a POSIX timer could not deliver is counted as overruns.
 * @test timeout=30 members=1
 */
#include "guest.h"

#define RUN_NS 300000000
#define INTERVAL_NS 50000
#define ROUNDS_LEAST 20000 /* some milliseconds' worth */

static volatile sig_atomic_t ticks;
static volatile long expiries;

static void handler(int number)
{
	(void)number;
	ticks++;
}

static void handler_info(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	expiries += 1 + info->si_overrun;
}

/* How often the clock could be read until then. */
static long rounds_until(int64_t end)
{
	long rounds = 0;

	while (clock_ns(CLOCK_MONOTONIC) < end)
		rounds++;
	return rounds;
}

int main(void)
{
	struct itimerval often = {{0, INTERVAL_NS / 1000}, {0, INTERVAL_NS / 1000}}, never = {0};
	struct itimerspec period = {{0, INTERVAL_NS}, {0, INTERVAL_NS}}, off = {0};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;

	on_signal(SIGALRM, handler, 0);
	setitimer(ITIMER_REAL, &often, NULL);
	long rounds = rounds_until(clock_ns(CLOCK_MONOTONIC) + RUN_NS);
	setitimer(ITIMER_REAL, &never, NULL);
	check("signals of the interval timer", ticks > 10);
	check("the program got on", rounds > ROUNDS_LEAST);

	on_signal_info(SIGUSR1, handler_info, 0);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		die("timer_create");
	int64_t begin = clock_ns(CLOCK_MONOTONIC);
	timer_settime(timer, 0, &period, NULL);
	rounds = rounds_until(begin + RUN_NS);
	signals_block(SIGUSR1, 0);
	long counted = expiries, due = (long)((clock_ns(CLOCK_MONOTONIC) - begin) / INTERVAL_NS);
	timer_settime(timer, 0, &off, NULL);
	check("the program got on beside the POSIX timer", rounds > ROUNDS_LEAST);
	check("expiries and overruns are the time", counted <= due + 1 && counted > due - due / 10);
	return finish();
}
