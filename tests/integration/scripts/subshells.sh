# SPDX-License-Identifier: ISC
# Subshells: variables, directories, descriptors and statuses stay inside.
x=1
(x=2; echo "inside $x"; exit 5)
echo "status $? outside $x"
(cd /tmp && pwd)
[ "$(pwd)" = "$WORK" ] && echo back
(trap 'echo leaving' EXIT; echo working)
( ( ( echo deep; exit 3 ) ; echo "inner $?"; exit 4 ); echo "middle $?" )
y=$(echo "captured $(echo nested $(echo thrice))")
echo "$y"
z=$(exit 9); echo "status of a substitution: $?"
count=0
for i in 1 2 3 4 5 6 7 8; do (exit $i); count=$((count + $?)); done
echo "sum $count"
lines=$(seq 1 2000); echo "${#lines}"
exec 5>"$WORK/five"; (echo to five >&5); echo also >&5; exec 5>&-; cat "$WORK/five"
