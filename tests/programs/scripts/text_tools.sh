# SPDX-License-Identifier: ISC
# grep, sed and gawk over generated text, system files and pipes that they open themselves.
# program: grep, sed, gawk
# packages: grep sed gawk coreutils
# quick
seq 1 3000 | sed 's/\(.\)/<\1>/g' > t
grep -c '<7>' t; grep -E '^(<[0-9]>){2}$' t | wc -l; grep -P '(?<=<9>)<0>' t | tail -1
grep -rn 'include <linux/types.h>' /usr/include/linux 2>/dev/null | LC_ALL=C sort | head -3
grep -l root /etc/passwd; grep -q nothing t; echo "status $?"; grep x nofile; echo "status $?"
grep -o '<[13]>' t | sort | uniq -c
grep -A1 -B1 -m2 '<5><5>' t; printf 'a\0b\n' | grep -a b | od -c
grep -f /dev/stdin t <<END | wc -l
<1><2>
<2><1>
END
echo hello | grep h >/dev/null; echo "status $?"
sed -n '10,12p;$p' t; sed -i.bak '1~2d' t; wc -l < t; wc -l < t.bak; sed -s -n '1F' t t.bak
sed '/<5>/!d;s//five/2;y/<>/()/' t | head -3
echo a | sed 'e echo executed'; sed -n '2w out' t; cat out
printf 'one\ntwo\n' | sed 'N;s/\n/+/;h;G'; sed --version | head -1; sed -u 1q t
sed 's/x/y' t; echo "status $?"
gawk '{ n += length($0) } END { print n, NR }' t
gawk 'BEGIN { while (("echo a; echo b" | getline line) > 0) print "got", line; close("x") }'
gawk 'BEGIN { c = "sort -r"; print "1\n2\n3" |& c; close(c, "to")
	while ((c |& getline l) > 0) print l }'
gawk 'BEGIN { print "to sort b\nto sort a" | "sort"; close("sort"); print system("exit 3") }'
gawk 'BEGIN { "date -u -d @0 +%Y" | getline y; print y
	print strftime("%F", 0, 1), ENVIRON["LC_ALL"] }'
gawk -F: '$3 == 0 { print $1, $7 }' /etc/passwd
gawk 'BEGIN { printf "%5.2f %s %c\n", 3.14159, PROCINFO["uid"], 65 }'
gawk 'BEGIN { a["x"]; a["b"]; n = asorti(a, s); for (i = 1; i <= n; i++) print s[i] }'
gawk -i inplace '{ print toupper($0) } NR == 3 { exit }' out; cat out
gawk 'BEGIN { exit 9 }'; echo "status $?"
gawk 'BEGIN { print > "/dev/stderr"; print "out" > "/dev/stdout";
	getline < "/nofile"; print ERRNO }'
mawk 'BEGIN { "echo mawk" | getline; print; print "x" | "cat" }' 2>/dev/null
echo end
