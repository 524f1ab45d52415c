# SPDX-License-Identifier: ISC
# Files: redirections, find -exec, xargs, xargs -P, tar | gzip, links, here from many processes.
cd "$WORK" || exit 1
mkdir -p tree/a/b tree/c
for i in 1 2 3 4 5 6 7 8; do echo "content $i" > tree/a/file$i; done
ln -s ../a/file1 tree/c/link
ln tree/a/file2 tree/c/hard
find tree | sort
find tree -type f -name 'file[1-3]' -exec cat {} \; | sort
find tree -type f -exec wc -c {} + | sort | tail -n 3
find tree -type f | sort | xargs -n 3 echo
seq 1 12 | xargs -n 1 -P 4 busybox sh -c 'echo "x$0" > out$0'
cat out1 out5 out12
seq 1 40 | xargs -n 5 -P 3 echo | tr ' ' '\n' | sort -n | md5sum
tar cf - tree | gzip -c > tree.tar.gz
mkdir copy
gzip -dc tree.tar.gz | tar xf - -C copy
diff -r tree copy/tree && echo "the same"
echo one > log; echo two >> log; cat < log
sh_out=$(ls tree/missing 2>&1 >/dev/null | wc -l); echo "errors: $sh_out"
cat tree/c/link; readlink tree/c/link
rm -r tree copy; ls | wc -l
dd if=/dev/zero bs=1000 count=500 2>/dev/null | wc -c
