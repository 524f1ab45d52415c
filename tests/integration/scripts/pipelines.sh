# SPDX-License-Identifier: ISC
# Pipelines: order, exit statuses, long ones, a reader that leaves early.
printf 'pear\napple\nfig\napple\n' | sort | uniq -c | sed 's/^ *//'
seq 1 1000 | grep 7 | wc -l
seq 1 100000 | head -n 3
echo one | cat | cat | cat | cat | cat | tr a-z A-Z
true | false; echo "last of true|false: $?"
false | true; echo "last of false|true: $?"
! false | true; echo "negated: $?"
(exit 7) | cat; echo "left side 7: $?"
cat /usr/share/common-licenses/GPL-3 | tr -cs A-Za-z '\n' | tr A-Z a-z |
	sort | uniq -c | sort -rn | head -n 5
seq 1 20 | while read n; do [ $((n % 5)) = 0 ] && echo "fifth $n"; done
{ echo b; echo a; } | sort
yes | head -n 20000 | wc -l
seq 1 30000 | md5sum
