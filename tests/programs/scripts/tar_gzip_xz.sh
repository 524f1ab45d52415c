# SPDX-License-Identifier: ISC
# tar, gzip and xz: archives made and unpacked in every way that tar knows, with threads in xz.
# program: tar, gzip, xz
# packages: tar gzip xz-utils bzip2 coreutils findutils
# timeout: 90
set -e
mkdir -p tree/sub
cp /usr/share/common-licenses/* tree/ 2>/dev/null
seq 1 200000 > tree/sub/numbers
ln -s numbers tree/sub/link
ln tree/sub/numbers tree/sub/hard
mkfifo tree/sub/fifo
truncate -s 3M tree/sparse
find tree -exec touch -h -d '2022-02-02 02:02:02' {} +
chmod 640 tree/sub/numbers
chown 7:8 tree/sub/numbers
tar --sort=name -cf a.tar tree
md5sum a.tar
tar tvf a.tar | head -40 | md5sum
tar -S --sort=name -cf s.tar tree
test $(stat -c %s s.tar) -lt $(stat -c %s a.tar) && echo sparse
for kind in gzip bzip2 xz; do
	tar --sort=name --$kind -cf a.$kind tree
	mkdir $kind
	tar -C $kind -xf a.$kind
	diff -r --no-dereference -x fifo tree $kind/tree && echo "$kind same"
	stat -c '%a %u %g %h %Y' $kind/tree/sub/numbers
done
md5sum a.bzip2 a.xz
gzip -k -n -9 a.tar
md5sum a.tar.gz
gzip -t a.tar.gz && gzip -l a.tar.gz | tail -1
zcat a.tar.gz | cmp - a.tar && echo zcat
gunzip -c < a.tar.gz | tar t | wc -l
xz -T2 -k --block-size=1MiB a.tar
xz -l a.tar.xz | tail -1
xzcat -T2 a.tar.xz | cmp - a.tar && echo xzcat
tar -rf a.tar /etc/hostname 2>&1
tar --delete -f a.tar tree/sub/fifo
tar tf a.tar | tail -1
tar --sort=name -cf - tree | (mkdir piped; cd piped; tar xf - --exclude='*link')
find piped | wc -l
tar -cg snapshot -f level0.tar tree
echo new > tree/new
tar -cg snapshot -f level1.tar tree
tar tf level1.tar
tar xOf a.tar tree/sub/numbers | tail -1
tar --to-command='wc -c' -xf a.tar tree/sub/numbers
tar -xf nofile.tar || echo "status $?"
head -c 100000 a.tar.gz | gzip -dc 2>&1 >/dev/null || echo "status $?"
