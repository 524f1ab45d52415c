# SPDX-License-Identifier: ISC
# coreutils: files, text, checksums, dates, users, processes.
# program: coreutils
# shell: /bin/bash
# packages: coreutils
# timeout: 60
cat /etc/hostname >/dev/null && echo readable
seq 1 1000 > n
wc n; tac n | head -3; nl n | tail -2; shuf -i 1-5 | sort | paste -sd,; od -An -tx1 -N16 n
split -n 4 n part.; ls part.*; cat part.* | cmp - n && echo joined; csplit -s n 100 200; ls xx*
sort -R n | sort -n | md5sum; sort -n --parallel=2 -S 1M n | sha256sum; cksum n; sum n; b2sum n
cut -c2 n | sort | uniq -c; join <(seq 1 5 2>/dev/null) /dev/null 2>/dev/null
fold -w 10 n | head -2; expand -t4 n | head -1; comm -12 n n | wc -l; tsort <<END
a b
b c
END
cp -a n copy; cp --sparse=always n sparse; cp --reflink=auto n ref; ln n hard; ln -s n soft
stat -c '%n %s %a %h %F %U %G' n copy hard soft
touch -d '2001-02-03 04:05:06.789' n; stat -c %y n; date -r n +%s
install -m 750 n inst; stat -c %a inst; mkdir -m 1777 t
stat -c '%a %A' t; chmod -R u=rwX,go= t
stat -c %A t; chown 12:34 copy; stat -c '%u %g' copy; chgrp 5 copy; stat -c '%u:%g' copy
truncate -s 1M big; stat -c '%s %b' big; dd if=/dev/zero of=big bs=4k count=10 conv=notrunc 2>&1 |
	head -2; du --apparent-size -k big; fallocate -l 8192 alloc 2>&1; wc -c alloc
mv copy moved; mv -n moved n; ls moved; mv t t2; rm -r t2; rmdir nothere; unlink soft; ls soft
mkdir -p x/y/z; cp -r x w; ls -R w; rmdir -p x/y/z; ls x
ln -sfn w l; readlink -f l/y; realpath l/..
readlink l; basename /a/b.c .c; dirname /a/b.c; pathchk ok; mktemp -u XXXX | wc -c; pwd
ls -la --time-style=+%s n hard | cut -d' ' -f1-4; ls -1 --group-directories-first
dircolors -b | wc -l
id; whoami; groups; id -un 33; getent passwd nobody; logname 2>&1; users; who | wc -l; tty
uname -s -m; nproc >/dev/null && echo nproc; arch; hostid | wc -c; date -u -d @0; printenv HOME
df -P / | wc -l; stat -f -c %n /tmp; sync; sync n; echo "sync $?"
nice -n 5 nice; nohup echo nohup 2>&1; timeout 1 true
timeout 0.1 sleep 3; echo $?; timeout -s KILL 0.1 sleep 3 & wait $! 2>/dev/null
echo $?; env -i A=1 env; stdbuf -oL echo x; chroot / /bin/true
echo "chroot $?"; expr 3 '*' 4; factor 360
numfmt --to=iec 123456; seq -s, 1 5; yes | head -2; test -f n -a ! -d n && echo test
[ n -ef hard ] && echo same
[ n -nt big ] || echo older; printf '%b %q\n' 'a\tb' "it's"
echo | base64; base32 <<< "" 2>/dev/null; sleep 0.01
cat /proc/self/comm; head -c 8 /dev/zero | od; tail -n +998 n
tail -c 5 n; tee a b < n | wc -l; cmp a b
(tail -f ---disable-inotify n & sleep 0.3; kill $!) | tail -1
mkfifo p; (cat p &); echo fifo > p; mknod q p; stat -c %F q
shred -u a; ls a; rm b; ls b; dd if=n bs=100 skip=2 count=1 status=none | md5sum
cp n /dev/full; echo x > /dev/full
echo "full $?"; cat < /dev/null; echo text > /dev/stdout
pr -l 20 n | head -5 | tail -1; fmt -w 30 /etc/hostname >/dev/null
