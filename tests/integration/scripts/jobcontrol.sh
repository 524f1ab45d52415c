# SPDX-License-Identifier: ISC
# Job control without a terminal (set -m): jobs in groups of their own, stop and continue, fg.
set -m
(exit 3) & wait $!; echo "status $?"
sleep 100 & job=$!
kill -STOP $job; kill -CONT $job
kill -TERM %1; wait %1 2>/dev/null; echo "terminated: $?"
true & fg %1 > /dev/null 2>&1; echo "fg: done"
cat /dev/null | cat; echo "pipeline: $?"
