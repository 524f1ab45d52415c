# SPDX-License-Identifier: ISC
#
# Runs in the emulated machine, which has cgroups of version 2 alone: --memory and --pids are the
# host's to keep wherever a place for a group is found, and the supervisor's elsewhere. One line
# RESULT for each part; cases_cgroup.py reads them.
# shellcheck shell=sh
G=/sys/fs/cgroup
U="unifork run -b kvm"
echo 'echo on; sleep 100 & wait' >/tmp/sleeper
echo 'tester:x:1001:1001:tester:/:/bin/sh' >>/etc/passwd

chmod 666 /dev/kvm
mkdir -p /tmp/out
chmod 777 /tmp/out

# NAME TRUTH...: every word is a command's exit status
verdict() {
	name=$1
	shift
	for word in "$@"; do
		if [ "$word" != 0 ]; then
			echo "RESULT $name fail verdicts=$(echo "$@" | tr ' ' ,)"
			for file in /tmp/out/*; do
				echo "$file:"
				cat "$file"
				echo
			done
			return
		fi
	done
	echo "RESULT $name ok"
}

# Directory, command...: leaves $front, and $family once the program has said "on".
begin() {
	place=$1 family=
	shift
	rm -f /tmp/out/*
	"$@" >/tmp/out/out 2>/tmp/out/err &
	front=$!
	for i in $(seq 200); do
		grep -q on /tmp/out/out && break
		sleep 0.1
	done
	for folder in "$place"/unifork-family-*; do
		[ -d "$folder" ] && family=$folder
	done
}

holds() { [ "$(cat "$family/$1")" = "$2" ]; echo $?; }

lines() { [ "$(grep -c '^unifork: ' /tmp/out/err)" = "$1" ]; echo $?; }

gone() { # the directory, for a moment at most
	for i in $(seq 50); do
		[ -d "$1" ] || { echo 0; return; }
		sleep 0.1
	done
	echo 1
}

end() {
	kill "-$1" $front
	wait $front
}

said() { grep -q "$1" /tmp/out/err; echo $?; }

# GROUP USER COMMAND: what becomes the command, as that user, alone in a new process of that group.
place() {
	printf 'echo 0 >%s/cgroup.procs; exec su -s /bin/sh %s -c "exec %s"' "$1" "$2" "$3"
}

# 1: the limits are the host's, the supervisor is outside, and the group ends with the family.
begin $G $U -m 64M --pids 9 -- /bin/sh /tmp/sleeper
inside=$(cat "$family/cgroup.procs" | wc -l)
set -- "$(holds memory.max 67108864)" "$(holds memory.swap.max 0)" "$(holds pids.max 164)" \
	"$([ "$inside" -ge 1 ] && ! grep -qx $front "$family/cgroup.procs"; echo $?)"
end TERM
verdict cgroup_limits "$@" "$(gone "$family")"

# 2: whoever takes more is killed with one line, and the host has not given more than that.
rm -f /tmp/out/*
$U -m 32M -s /tmp/out/stats -- /t/limits_memory 100 >/tmp/out/out 2>/tmp/out/err
set -- "$([ $? = 137 ]; echo $?)"
peak=$(sed -n 's/.*"memory_peak_kib": \([0-9]*\).*/\1/p' /tmp/out/stats)
verdict cgroup_memory "$@" "$(lines 1)" "$(said 'was killed: out of memory')" \
	"$([ "$peak" -gt 16384 ] && [ "$peak" -le 32768 ]; echo $?)" \
	"$(grep -q '"memory_limit_by": "cgroup"' /tmp/out/stats; echo $?)"

# 3: the host's own killing is told as what it is.
echo 'x=$(head -c 6000000 /dev/zero | tr "\0" x); echo on; sleep 100' >/tmp/large
begin $G $U -m 64M -- /bin/sh /tmp/large
echo 1M >"$family/memory.max"
wait $front
verdict cgroup_host_kills "$([ $? = 137 ]; echo $?)" "$(lines 1)" \
	"$(said 'was killed: out of memory')" "$(gone "$family")"

# 4: what a killed unifork has left is removed by the next one.
begin $G $U -m 64M -- /bin/sh /tmp/sleeper
stale=$family
end KILL
for i in $(seq 100); do
	[ "$(cat "$stale/cgroup.procs")" ] || break
	sleep 0.1
done
was=$([ -d "$stale" ]; echo $?)
$U -m 64M -- /bin/busybox true 2>/tmp/out/err
verdict cgroup_stale "$was" $? "$(gone "$stale")"

# 5: a user to whom nothing is delegated: the supervisor counts.
mkdir $G/plain $G/limited $G/own
rm -f /tmp/out/*
sh -c "$(place $G/plain tester "$U --verbose -m 32M -- /t/limits_memory 100")" \
	>/tmp/out/out 2>/tmp/out/err
verdict cgroup_none "$([ $? = 137 ]; echo $?)" "$(said 'memory is kept by the supervisor')" \
	"$(said 'was killed: out of memory')"

# 6: a user's own group, with nobody else in it: unifork steps aside.
chown -R 1001 $G/own
begin $G/own sh -c "$(place $G/own tester "$U -m 64M -- /bin/sh /tmp/sleeper")"
set -- "$(holds memory.max 67108864)" "$([ -z "$(cat $G/own/cgroup.procs)" ]; echo $?)"
end TERM
verdict cgroup_own "$@" "$(gone "$family")"

# 7: with others in the group the family's is beside it ...
sh -c "echo 0 >$G/plain/cgroup.procs; exec sleep 1000" &
other=$!
begin $G sh -c "$(place $G/plain root "$U -m 64M -- /bin/sh /tmp/sleeper")"
set -- "$(holds memory.max 67108864)"
end TERM
kill $other
verdict cgroup_beside "$@" "$(gone "$family")"

# 8: ... for a user, too, below what is the user's (init.sh) ...
sh -c "echo 0 >$G/user/session/cgroup.procs; exec sleep 1000" &
other=$!
begin $G/user sh -c "$(place $G/user/session user "$U -m 64M -- /bin/sh /tmp/sleeper")"
set -- "$(holds memory.max 67108864)"
end TERM
kill $other
verdict cgroup_session "$@" "$(gone "$family")"

# 9: ... but not where it would leave a limit.
echo 512M >$G/limited/memory.max
sh -c "echo 0 >$G/limited/cgroup.procs; exec sleep 1000" &
other=$!
rm -f /tmp/out/*
sh -c "$(place $G/limited root "$U --verbose -m 64M -- /bin/true")" >/tmp/out/out 2>/tmp/out/err
set -- $?
kill $other
verdict cgroup_limited "$@" "$(said 'memory is kept by the supervisor.*has limits of its own')"
