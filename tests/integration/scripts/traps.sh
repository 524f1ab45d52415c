# SPDX-License-Identifier: ISC
# Traps: EXIT, signals to itself, from a child, ignored in children, reset in subshells.
trap 'echo "got USR1"' USR1
kill -USR1 $$; echo after
(kill -USR1 $$) ; echo after the child
trap '' USR2
kill -USR2 $$; echo still here
busybox sh -c 'kill -USR2 $$; echo a child ignores it too'
busybox sh -c 'trap "echo bye; exit 6" TERM; kill -TERM $$; echo not reached'; echo "status $?"
busybox sh -c 'trap "echo on exit" EXIT; exit 3'; echo "status $?"
busybox sh -c 'kill -KILL $$'; echo "killed: $?"
busybox sh -c 'kill -TERM $$'; echo "terminated: $?"
(trap 'echo subshell exit' EXIT; exit 2); echo "status $?"
trap - USR1
trap 'echo "the end"' EXIT
exit 17
