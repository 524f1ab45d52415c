/* SPDX-License-Identifier: ISC */
/*
 * alarm and ITIMER_REAL: once, remaining time, replaced, cancelled, waking a sleeping call; wrong
 * values.
 * @test timeout=30 members=1
 */
#include "guest.h"

static volatile sig_atomic_t alarms;

static void handler(int number)
{
	(void)number;
	alarms++;
}

int main(void)
{
	struct itimerval once = {{0, 0}, {0, 20000}}, now;

	on_signal(SIGALRM, handler, 0);
	say("alarm: %u", alarm(100));
	say("alarm again: %u", alarm(50));
	result("getitimer", getitimer(ITIMER_REAL, &now));
	check("about fifty seconds", now.it_value.tv_sec >= 48 && now.it_value.tv_sec <= 50);
	say("alarm off: %u", alarm(0));
	result("getitimer", getitimer(ITIMER_REAL, &now));
	say("left: %ld", (long)(now.it_value.tv_sec + now.it_value.tv_usec));
	int64_t began = clock_ns(CLOCK_MONOTONIC);
	result("setitimer", setitimer(ITIMER_REAL, &once, NULL));
	result("pause", pause());
	int64_t took = clock_ns(CLOCK_MONOTONIC) - began;
	check("not early", took >= 20000000);
	check("not very late", took < 2000000000);
	say("alarms: %d", alarms);
	getitimer(ITIMER_REAL, &now);
	say("left: %ld", (long)(now.it_value.tv_sec + now.it_value.tv_usec));
	once.it_value.tv_usec = 1000000;
	result("wrong microseconds", setitimer(ITIMER_REAL, &once, NULL));
	result("wrong timer", setitimer(7, &once, NULL));
	return finish();
}
