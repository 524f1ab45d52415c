/* SPDX-License-Identifier: ISC */
/*
 * The calls that steer clocks: reading is allowed to everybody, changing needs a privilege that
 * user 65534 lacks everywhere.
 * @test timeout=10 members=1 root
 */
#include "guest.h"
#include <sys/timex.h>

int main(void)
{
	struct timex state = {.modes = 0};
	struct timeval now = {.tv_sec = time(NULL)};
	struct timespec at = {.tv_sec = now.tv_sec};

	check("adjtimex reads", adjtimex(&state) >= 0);
	check("the time", state.time.tv_sec >= now.tv_sec && state.time.tv_sec < now.tv_sec + 9);
	check("the tick", state.tick >= 9000 && state.tick <= 11000);
	check("clock_adjtime reads", clock_adjtime(CLOCK_REALTIME, &state) >= 0);
	result("clock_adjtime of no clock", clock_adjtime((clockid_t)77, &state));
	result("adjtimex of nothing", syscall(SYS_adjtimex, 16));
	okay("setuid", setuid(65534));
	state.modes = ADJ_FREQUENCY;
	result("adjtimex changes", adjtimex(&state));
	result("settimeofday", syscall(SYS_settimeofday, &now, NULL));
	result("clock_settime", clock_settime(CLOCK_REALTIME, &at));
	now.tv_usec = 1000001;
	result("bad time", syscall(SYS_settimeofday, &now, NULL));
	return finish();
}
