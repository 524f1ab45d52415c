# SPDX-License-Identifier: ISC
# Background jobs: wait for one, for all, statuses, $!, output order by synchronisation.
(exit 3) & wait $!; echo "waited: $?"
(exit 4) & first=$!
(exit 5) & second=$!
wait $second; echo "second: $?"
wait $first; echo "first: $?"
for i in 1 2 3 4 5; do (echo "job $i" > "$WORK/job$i") & done
wait; cat "$WORK"/job?
mkfifo "$WORK/fifo"
(echo "through the fifo" > "$WORK/fifo") &
cat "$WORK/fifo"; wait
(while :; do :; done) & busy=$!
kill $busy; wait $busy 2>/dev/null; echo "killed: $?"
(trap 'exit 42' TERM; echo ready > "$WORK/fifo"; while :; do :; done) & trapped=$!
read line < "$WORK/fifo"; echo "$line"
kill -TERM $trapped; wait $trapped; echo "trapped: $?"
wait 99999 2>/dev/null; echo "no child of ours: $?"
