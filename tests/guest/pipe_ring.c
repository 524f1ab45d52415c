/* SPDX-License-Identifier: ISC */
/*
 * A ring of eight members passes a number around two hundred times, each adding one.
 * @test timeout=60 members=9
 */
#include "guest.h"

#define NODES 8
#define ROUNDS 200

int main(void)
{
	int ring[NODES + 1][2];
	pid_t pids[NODES];
	int number = 0;

	for (int i = 0; i <= NODES; i++)
		if (pipe(ring[i]) < 0)
			die("pipe");
	for (int i = 0; i < NODES; i++) {
		pids[i] = fork_or_die();
		if (pids[i] == 0) {
			for (int j = 0; j <= NODES; j++) {
				if (j != i)
					close(ring[j][0]);
				if (j != i + 1)
					close(ring[j][1]);
			}
			while (read_all(ring[i][0], &number, sizeof(number)) == sizeof(number)) {
				number++;
				write_all(ring[i + 1][1], &number, sizeof(number));
			}
			_exit(i);
		}
	}
	for (int j = 1; j <= NODES; j++)
		close(ring[j][1]);
	for (int round = 0; round < ROUNDS; round++) {
		write_all(ring[0][1], &number, sizeof(number));
		if (read_all(ring[NODES][0], &number, sizeof(number)) != sizeof(number))
			die("the ring broke");
	}
	say("after %d rounds: %d", ROUNDS, number);
	close(ring[0][1]);
	for (int i = 0; i < NODES; i++)
		child_report("node", pids[i]);
	return finish();
}
