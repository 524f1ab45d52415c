# SPDX-License-Identifier: ISC
# find and xargs over a tree of directories, links and files of several sizes and times.
# program: findutils
# packages: findutils coreutils
# quick
mkdir -p tree/a/b/c tree/d
for i in 1 2 3 4 5 6 7 8; do
	seq 1 $((i * 100)) > tree/a/f$i
	touch -d "2020-01-0$i 12:00" tree/a/f$i
done
ln -s ../a tree/d/link
ln -s nowhere tree/d/broken
ln tree/a/f1 tree/d/hard
mkfifo tree/d/fifo
chmod 600 tree/a/f2
chmod 4755 tree/a/f3
find tree | sort
find tree -type l -printf '%p -> %l\n' | sort
find tree -L -name f1 2>/dev/null | sort
find -L tree -samefile tree/a/f1 2>/dev/null | sort
find tree -type f -size +1k -printf '%f %s %m %n %TY-%Tm-%Td\n' | sort
find tree -newermt '2020-01-04' ! -newermt '2020-01-07' -type f | sort
find tree -perm -4000 -o -perm 600 | sort
find tree -type f -exec md5sum {} + | sort
find tree -name 'f*' -execdir basename {} \; | sort
find tree -depth -empty
find tree -maxdepth 1 -mindepth 1 -type d -print0 | xargs -0 -n1 ls -d | sort
find tree -xtype l
seq 1 200 | xargs -n 7 -P 4 echo | tr ' ' '\n' | sort -n | md5sum
seq 1 5 | xargs -I{} sh -c 'exit $(( {} == 3 ))'
echo "status $?"
echo a b c | xargs -n1 false
echo "status $?"
find tree -name 'f[1-4]' -delete
find tree -type f | wc -l
find /proc/self/fd -maxdepth 0 -type d
find / -maxdepth 1 -name etc
