# SPDX-License-Identifier: ISC
#
# What the other cases rely on in the emulated machine; run as root and as the ordinary user.
# shellcheck shell=sh

problems=0

holds() { # name, command
	name=$1
	shift
	if "$@"; then
		echo "$name: yes"
	else
		echo "$name: NO"
		problems=$((problems + 1))
	fi
}

own_cgroup() {
	folder=/sys/fs/cgroup$(sed 's/^0:://' /proc/self/cgroup)
	parent=$folder
	[ "$(id -u)" = 0 ] || parent=${folder%/*}
	mkdir "$parent/test" && [ -e "$parent/test/memory.max" ] && [ -e "$parent/test/pids.max" ] &&
		[ -e "$parent/test/cgroup.kill" ]
	made=$?
	rmdir "$parent/test"
	return $made
}

# A private root, made as a container's is.
new_root() {
	unshare "$@" sh -c 'mount -t tmpfs new /srv && mkdir -p /srv/old /srv/bin &&
		cp /bin/busybox /srv/bin && pivot_root /srv /srv/old && cd / &&
		/bin/busybox umount -l /old && [ "$(/bin/busybox ls -A /)" = "bin
old" ]'
}

if [ "$(id -u)" = 0 ]; then
	holds "a private root" new_root -m
else
	holds "a home" [ -w "$HOME" ]
	holds "no write to root's files" [ ! -w /srv/host/root/644 ]
	holds "a private root in a user namespace" new_root -U -r -m
fi
holds "Landlock" grep -q landlock /sys/kernel/security/lsm
holds "user namespaces" [ "$(unshare -U -r id -u)" = 0 ]
holds "a PID namespace" [ "$(unshare -U -r -p -f sh -c 'echo $$')" = 1 ]
holds "a cgroup of its own" own_cgroup
holds "KVM" [ -w /dev/kvm ]
exit $problems
