# SPDX-License-Identifier: ISC
#
# The beginning of the guest's /run.sh: what runs one test. After it come UNIFORK=COMMAND, a line
# `t NAME SECONDS PROGRAM ARGUMENTS` for each test (`hostile ...` for one that must not run
# natively), and what else is wanted.
# shellcheck shell=sh

uptime_ms() { read -r up rest </proc/uptime; echo "${up%.*}${up#*.}0"; }

data() { echo "DATA $1 $2 $(head -c 6000 "$3" | base64 | tr -d '\n')" >&3; }

report() { # a script may print results of its own
	while IFS= read -r line; do
		case $line in
		RESULT\ * | DATA\ *) echo "$line" ;;
		*) echo "OUTPUT $line" ;;
		esac
	done
}

# The processes that are not this system's own: all it has is busybox and threads of the kernel.
strangers() {
	ls -l /proc/[0-9]*/exe 2>/dev/null |
		sed -n '/ -> \/bin\/busybox$/d; s|.* /proc/\([0-9]*\)/exe -> .*|\1|p'
}

# Leaves in $left how many processes outlive the test by more than a moment, and ends them.
clean() {
	left=$(strangers | wc -l)
	[ "$left" = 0 ] && return
	sleep 1
	left=$(strangers | wc -l)
	for try in 1 2 3; do
		pids=$(strangers)
		[ "$pids" ] || return
		kill -9 $pids 2>/dev/null
		sleep 0.2
	done
}

# Directory for the results, seconds, command: leaves $status, $ms and $left. A session of its own,
# as the test runner gives on an ordinary system.
run() {
	dir=$1 limit=$2
	shift 2
	rm -rf /tmp/* /dev/shm/* "$dir"
	mkdir -p "$dir"
	begin=$(uptime_ms)
	timeout -s KILL "$limit" setsid "$@" >"$dir/out" 2>"$dir/err" </dev/null 3>&-
	status=$?
	ms=$(($(uptime_ms) - begin))
	clean
}

verdict_of() { # seconds; the truth of the comparison is in $same
	if [ "$ms" -ge "${1}000" ]; then
		echo timeout
	elif [ "$same" = yes ] && [ "$left" = 0 ]; then
		echo ok
	else
		echo fail
	fi
}

t() { # name, seconds, program, arguments
	name=$1 limit=$2
	shift 2
	echo "BEGIN $name" >&3
	run /r/native "$limit" "$@"
	native=$status native_ms=$ms same=yes
	if [ -z "$UNIFORK" ]; then
		echo "RESULT $name $(verdict_of "$limit") native=$native native_ms=$native_ms" >&3
		data "$name" native_out /r/native/out
		[ -s /r/native/err ] && data "$name" native_err /r/native/err
		return
	fi
	run /r/unifork "$limit" $UNIFORK "$@"
	cmp -s /r/native/out /r/unifork/out && [ "$native" = "$status" ] || same=no
	verdict=$(verdict_of "$limit")
	echo "RESULT $name $verdict native=$native unifork=$status native_ms=$native_ms" \
		"unifork_ms=$ms left=$left" >&3
	[ "$verdict" = ok ] || dump native unifork
}

dump() { # the sides whose output is wanted
	for side in "$@"; do
		for stream in out err; do data "$name" ${side}_$stream /r/$side/$stream; done
	done
}

hostile() { # name, seconds, program, arguments: it prints BROKEN where it got through
	name=$1 limit=$2
	shift 2
	echo "BEGIN $name" >&3
	run /r/unifork "$limit" $UNIFORK "$@"
	same=yes
	[ "$status" = 0 ] && ! grep -q BROKEN /r/unifork/out || same=no
	verdict=$(verdict_of "$limit")
	echo "RESULT $name $verdict unifork=$status unifork_ms=$ms left=$left" >&3
	[ "$verdict" = ok ] || dump unifork
}
