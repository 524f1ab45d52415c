#!/bin/busybox sh
# SPDX-License-Identifier: ISC
#
# /init of the guest: makes a system that looks ordinary to the programs under test, loads KVM and
# runs /run.sh, which speaks to run_svm.py on descriptor 3, the second serial port.
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin
/bin/busybox --install -s /bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/ LC_ALL=C TERM=dumb
umask 022
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /etc /root /run /var/tmp /home
mount -t devpts pts /dev/pts
mount -t tmpfs -o mode=1777 tmp /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
echo 'root:x:0:' >/etc/group
echo '127.0.0.1 localhost' >/etc/hosts
hostname svm
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1 </dev/null
for module in $(cat /m/order); do
	insmod "/m/$module.ko" || echo "OUTPUT insmod $module failed" >&3
done
. /run.sh
echo END >&3
sleep 0.2
poweroff -f
