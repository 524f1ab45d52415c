# SPDX-License-Identifier: ISC
# program: strace
# packages: strace
# timeout: 120
# quick
# strace of a pipeline, process by process; of signals; results that it injects; attached to a
# process; counts. What differs between two runs (numbers, addresses, times) is made the same.
cd "$(mktemp -d)" || exit 1
same() {
	sed -E 's/0x[0-9a-f]+/ADDRESS/g; s/ += [0-9]+$/ = N/; s/ +=/ =/; s/si_[a-z]+=[0-9]+/si=N/g
		s/(kill|tgkill|wait4)\([0-9]+/\1(N/; s, /\* [0-9]+ vars \*/,,; /^(wait4|--- SIGCHLD)/d'
}
calls=execve,fork,vfork,clone,clone3,wait4,pipe,pipe2,dup2,exit_group,kill,tgkill,write

echo "== a pipeline"
strace -ff -o each -e trace=$calls sh -c 'ls -d / /usr | wc -l; exit 3'
echo "status $?"
for file in $(ls each.* | sort -t. -k2n); do echo "-- process"; same <$file; done
rm each.*

echo "== one output"
strace -f -o all -e trace=exit_group sh -c '(exit 1); /bin/true; (exit 2)'
echo "status $?"
sed -E 's/^[0-9]+ +//' all | grep '^+++'

echo "== signals"
strace -o log \
	-e trace=kill,rt_sigreturn sh -c 'trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$'
echo "status $?"
same <log
strace -o log -e trace=none sh -c 'kill -STOP $$; echo on' &
stopped=$!
until grep -q 'stopped by SIGSTOP' log 2>/dev/null; do sleep 0.05; done
kill -CONT $(cat /proc/$stopped/task/$stopped/children)
wait $stopped
same <log

echo "== injected"
strace -o log -e trace=openat \
	-e inject=openat:error=EMFILE:when=2+ cat /etc/hostname 2>&1 | sed 's/.*: //'
strace -o log -e inject=getuid,geteuid:retval=77 id -u

echo "== attached"
sleep 100 &
sleeper=$!
strace -o attached -p $sleeper 2>/dev/null &
tracer=$!
until [ -s attached ]; do sleep 0.05; done
kill $sleeper
wait $sleeper 2>/dev/null
echo "status $?"
wait $tracer
grep -c 'nanosleep' attached
tail -1 attached

echo "== counted"
strace -c -o log sh -c 'echo a; echo b' >/dev/null
grep -E '(write|execve)$' log | awk '{print $4, $NF}' | sort -k2 # by time, in strace's own order
