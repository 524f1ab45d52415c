# SPDX-License-Identifier: ISC
# Shell functions, recursion, arithmetic, case, eval, positional parameters, 200 children in a loop.
fact() {
	if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi
}
fact 8
classify() { case $1 in [0-9]*) echo number;; a|b) echo letter;; *) echo other;; esac; }
for w in 12 a zz; do classify $w; done
set -- one "two three" four; echo "$# $2"; shift; echo "$1"
eval 'v=$(printf "%s-" "$@")'; echo "$v"
i=0; while [ $i -lt 200 ]; do /bin/busybox true || echo wrong; i=$((i + 1)); done
echo "$i children"
getopts_test() { while getopts ab: o; do echo "$o ${OPTARG-}"; done; }
getopts_test -a -b value
echo "${v#one}" "${v%-}" "${missing-default}" "${#v}"
[ -f /bin/busybox ] && [ ! -e /nowhere ] && echo tests
printf '%05d %x %s\n' 42 255 end
