#!/bin/busybox sh
# SPDX-License-Identifier: ISC
#
# /init of the guest: makes a system that looks ordinary to the programs under test, loads KVM and
# runs /run.sh, which speaks to run_svm.py on descriptor 3, the second serial port.

# The root of an initramfs is the one mount that pivot_root cannot leave, so the system moves to a
# file system of its own first.
if [ "$1" != moved ]; then
	/bin/busybox mkdir /new
	/bin/busybox mount -t tmpfs -o mode=755,size=75% root /new
	for name in /*; do
		[ "$name" = /new ] || /bin/busybox cp -a "$name" /new
	done
	exec /bin/busybox switch_root /new /init moved
fi

/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/ LC_ALL=C TERM=dumb
umask 022
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /etc /root /run /var/tmp /home /srv
mount -t devpts pts /dev/pts
mount -t tmpfs -o mode=1777 tmp /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t securityfs security /sys/kernel/security
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
hostname svm
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1 </dev/null
for module in $(cat /m/order); do
	insmod "/m/$module.ko" || echo "OUTPUT insmod $module failed" >&3
done

# Users: root, and an ordinary one as Debian makes it, who may use KVM.
cat >/etc/passwd <<END
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
END
cat >/etc/group <<END
root:x:0:
kvm:x:104:user
user:x:1000:
END
echo '127.0.0.1 localhost' >/etc/hosts
mkdir /home/user
chown user:user /home/user
[ -e /dev/kvm ] && chown root:kvm /dev/kvm && chmod 660 /dev/kvm

# cgroup v2 as systemd leaves it: a subtree is the user's, whose processes start in a leaf of it.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/user
echo '+memory +pids' >/sys/fs/cgroup/user/cgroup.subtree_control
mkdir /sys/fs/cgroup/user/session
for folder in /sys/fs/cgroup/user /sys/fs/cgroup/user/session; do
	chown user:user $folder $folder/cgroup.procs $folder/cgroup.subtree_control \
		$folder/cgroup.threads
done

. /run.sh
echo END >&3
sleep 0.2
poweroff -f
