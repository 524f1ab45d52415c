# SPDX-License-Identifier: ISC
# Dynamically linked bash: what scripts use, with many short children.
# program: bash
# shell: /bin/bash
# packages: bash coreutils
# quick
set -o pipefail

declare -A count
while read -r word; do
	((count[$word]++))
done < <(printf '%s\n' b a c b a b)
for word in "${!count[@]}"; do echo "$word ${count[$word]}"; done | sort

mapfile -t lines < <(seq 1 5)
echo "${lines[@]:1:3} ${#lines[@]}"

text="one two  three"
[[ $text =~ ([a-z]+)\ ([a-z]+) ]] && echo "${BASH_REMATCH[2]}"
echo "${text^^}" "${text//two/2}" "${text%% *}"
printf -v padded '%05d|%-5s|%x' 42 ab 255
echo "$padded"

coproc { while read -r line; do echo "got $line"; done; }
echo hello >&"${COPROC[1]}"
read -r answer <&"${COPROC[0]}"
echo "$answer"
exec {COPROC[1]}>&-
wait

trap 'echo exit trap' EXIT
trap 'echo usr1' USR1
kill -USR1 $$
(trap 'echo inner; exit 3' TERM; kill -TERM "$BASHPID"; echo never)
echo "status $?"

pids=()
for i in 1 2 3; do (exit "$i") & pids+=($!); done
sum=0
for pid in "${pids[@]}"; do wait "$pid"; ((sum += $?)); done
echo "sum $sum"

false | true | cat
echo "pipe ${PIPESTATUS[*]}"
diff <(seq 1 5) <(seq 2 6)
cat <<-END | tee >(wc -l > lines) | tr a-z A-Z
	here $((6 * 7)) $(echo nested $(echo twice))
	END
sleep 0.1
cat lines

timeout 0.2 sleep 5
echo "timeout $?"
{ /bin/bash -c 'kill -SEGV $$'; } 2>/dev/null
echo "killed $?"
nosuchcommand 2>/dev/null
echo "missing $?"
echo "$(ulimit -n >/dev/null && echo limits) ${EUID} ${PPID:+parent}"
select word in x y; do echo "$word"; break; done <<< 2
read -r -t 0.1 nothing < <(sleep 1)
echo "read $(($? > 128))"
