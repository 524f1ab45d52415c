# SPDX-License-Identifier: ISC
# dash: pipelines, traps, background jobs, here documents and redirections.
# program: dash
# shell: /bin/dash
# packages: dash coreutils
# quick
set -u
n=0
while [ $n -lt 20 ]; do
	echo "$n" | cat | tr 0-9 a-j
	n=$((n + 1))
done
f() { local x=$1; echo "f $x"; return 4; }
f one || echo "returned $?"
trap 'echo trapped' INT
kill -INT $$
(sleep 0.1; echo late) &
job=$!
echo early
wait $job
sleep 10 &
kill $!
{ wait $!; } 2>/dev/null # says "Terminated" only if it was waiting already when the child died
echo "status $?"
exec 3>out
echo three >&3
exec 3>&-
read -r line < out
echo "$line" ${line#t} ${#line}
cat <<END
$(for i in a b; do echo $i; done)
END
umask 077
: > private
ls -l private | cut -c1-10
set -- a "b c" d
for word; do echo "<$word>"; done
mkfifo pipe
(cat pipe; echo read) &
echo through > pipe
wait
getopts ab: name -a
echo "$name"
command -v sh
type cd
echo $((0x10 + 010)) $((7 / 2)) $((1 << 20))
case abc in a*c) echo match ;; esac
