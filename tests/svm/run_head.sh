# SPDX-License-Identifier: ISC
#
# The beginning of the guest's /run.sh: what runs one test. After it come lines
#
#	t NAME SECONDS BACKEND USER PROGRAM ARGUMENTS         natively and in a family
#	hostile NAME SECONDS BACKEND USER PROGRAM ARGUMENTS   in a family only
#	script NAME SECONDS USER FILE ARGUMENTS               natively; it starts families itself
#
# and what else is wanted. OPTIONS are unifork's for the next line, BACKEND "native" is none.
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

# Directory for the results, seconds, user, command: leaves $status, $ms and $left. A session of
# its own, as the test runner gives on an ordinary system, and an ordinary user's in his cgroup.
run() {
	dir=$1 limit=$2 user=$3
	shift 3
	[ "$user" = root ] || set -- sh -c 'echo $$ >/sys/fs/cgroup/user/session/cgroup.procs &&
		exec su -c "exec \"\$0\" \"\$@\"" -- "$0" "$@"' "$user" "$@"
	rm -rf /tmp/* /dev/shm/* "$dir"
	mkdir -p "$dir"
	begin=$(uptime_ms)
	timeout -s KILL "$limit" setsid "$@" >"$dir/out" 2>"$dir/err" </dev/null 3>&-
	status=$?
	ms=$(($(uptime_ms) - begin))
	clean
}

in_family() { # as run, with a backend behind the user
	dir=$1 limit=$2 user=$3 backend=$4
	shift 4
	run "$dir" "$limit" "$user" /bin/unifork run --backend "$backend" $UNIFORK_OPTIONS $OPTIONS \
		-- "$@"
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

dump() { # the sides whose output is wanted
	for side in "$@"; do
		for stream in out err; do data "$name" ${side}_$stream /r/$side/$stream; done
	done
}

t() {
	name=$1 seconds=$2 backend=$3 user=$4
	shift 4
	echo "BEGIN $name" >&3
	run /r/native "$seconds" "$user" "$@"
	native=$status native_ms=$ms same=yes
	if [ "$backend" = native ]; then
		echo "RESULT $name $(verdict_of "$seconds") native=$native native_ms=$native_ms" >&3
		data "$name" native_out /r/native/out
		[ -s /r/native/err ] && data "$name" native_err /r/native/err
		return
	fi
	in_family /r/unifork "$seconds" "$user" "$backend" "$@"
	cmp -s /r/native/out /r/unifork/out && [ "$native" = "$status" ] || same=no
	verdict=$(verdict_of "$seconds")
	echo "RESULT $name $verdict native=$native unifork=$status native_ms=$native_ms" \
		"unifork_ms=$ms left=$left" >&3
	[ "$verdict" = ok ] || dump native unifork
}

# What hostile guests must leave as it is, afresh: files of both users, some of which anybody may
# change.
host_tree() {
	rm -rf /srv/*
	mkdir -p /srv/host/root /srv/host/user/empty /srv/volume
	for owner in root user; do
		for mode in 600 644 666; do
			echo "a file of $owner on the host" >/srv/host/$owner/$mode
			chmod $mode /srv/host/$owner/$mode
		done
		ln -s 644 /srv/host/$owner/link
		mkfifo /srv/host/$owner/fifo
	done
	echo "host's own" >/srv/host/user/file
	chown -Rh user:user /srv/host/user /srv/volume
	chmod 777 /srv/host
}

# Every file of this machine outside of the volume, with what a guest could change of it.
tree_state() {
	find / /tmp /dev/shm -xdev \( -path /r -o -path /srv/volume -o -path /proc \) -prune -o \
		-exec stat -c '%n %F %a %u:%g %h %s %Y %Z' {} + | sort
	find /srv/host /etc /home -type f -exec sha256sum {} + | sort
}

# It prints BROKEN where it got through, and its host stays as it was.
hostile() {
	name=$1 seconds=$2 backend=$3 user=$4
	shift 4
	echo "BEGIN $name" >&3
	rm -rf /tmp/* /dev/shm/*
	host_tree
	tree_state >/r/before
	in_family /r/unifork "$seconds" "$user" "$backend" "$@"
	tree_state >/r/after
	same=yes
	[ "$status" = 0 ] && ! grep -q BROKEN /r/unifork/out || same=no
	diff /r/before /r/after >/r/changes && changes=0 || changes=$(grep -c '^[+-][^+-]' /r/changes)
	[ "$changes" = 0 ] || same=no
	verdict=$(verdict_of "$seconds")
	echo "RESULT $name $verdict unifork=$status unifork_ms=$ms left=$left changes=$changes" >&3
	[ "$verdict" = ok ] && return
	dump unifork
	data "$name" changes /r/changes
}

script() {
	name=$1 seconds=$2 user=$3
	shift 3
	echo "BEGIN $name" >&3
	host_tree
	run /r/script "$seconds" "$user" sh "$@"
	same=yes
	[ "$status" = 0 ] && ! grep -q BROKEN /r/script/out || same=no
	verdict=$(verdict_of "$seconds")
	echo "RESULT $name $verdict script=$status script_ms=$ms left=$left" >&3
	[ "$verdict" = ok ] || dump script
}
