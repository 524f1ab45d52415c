#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The demo: the ten most frequent words of the GPL, counted by Debian's unmodified busybox in a
# pipeline of which every stage is a virtual machine of its own; then what the family looked like;
# then whether the host's own run gives the same words; then a shell loop of 200 children; then
# nginx with four workers, five virtual machines, under load.
# UNIFORK names another executable, BACKEND another backend.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
unifork=${UNIFORK:-$here/build/unifork}
backend=${BACKEND:-auto}
text=/usr/share/common-licenses/GPL-3
busybox=$(command -v busybox || echo /bin/busybox)

for needed in "$unifork" "$busybox" "$text"; do
    [ -e "$needed" ] || { echo "demo: $needed is missing; try: make deps build" >&2; exit 111; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pipeline="busybox tr -cs A-Za-z '\n' < $text | busybox tr A-Z a-z | busybox sort |
    busybox uniq -c | busybox sort -k1,1nr -k2 | busybox head -n 10"

echo "The ten most frequent words of $text, each stage a virtual machine:"
if ! "$unifork" run --backend "$backend" -e PATH=/usr/bin:/bin --verbose --stats "$work/stats" -- \
    "$busybox" sh -c "$pipeline" > "$work/family" 2> "$work/log"; then
    cat "$work/log" >&2
    echo "demo: the family failed" >&2
    exit 1
fi
cat "$work/family"

PATH=/usr/bin:/bin "$busybox" sh -c "$pipeline" > "$work/host"
if ! cmp -s "$work/family" "$work/host"; then
    echo "demo: the host's own run gives other words:" >&2
    diff "$work/host" "$work/family" >&2 || true
    exit 1
fi
echo "The host's own run gives the same words."

echo
echo "The family as it grew:"
sed 's/^/    /' "$work/log"

# Numbers may be totals or one entry for each member; both are summed.
summary='
import json, sys

stats = json.load(open(sys.argv[1], encoding="utf-8"))

def total(value):
    if isinstance(value, dict):
        return sum(total(inner) for inner in value.values())
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, (int, float)) else 0

print("    backend        ", stats.get("backend"))
print("    start          ", stats.get("boot_us"), "us")
print("    members        ", total(stats.get("members")), "forks", stats.get("forks"),
      "execs", stats.get("execs"))
for key in sorted(stats):
    if "fork" in key and key != "forks":
        print(f"    {key:15}", stats[key])
exits = stats.get("hypercalls", {})
print("    exits          ", total(exits), "of which",
      ", ".join(f"{name} {total(count)}" for name, count in
                sorted(exits.items(), key=lambda item: -total(item[1]))[:6]))
calls = stats.get("syscalls", {})
trapped = sum(call.get("trapped", 0) for call in calls.values())
direct = sum(call.get("direct", 0) for call in calls.values())
print("    system calls   ", trapped + direct, f"of which {direct} direct")
for key in sorted(stats):
    if "peak" in key:
        print(f"    {key:15}", stats[key])
'
echo
echo "In numbers:"
python3 -c "$summary" "$work/stats"

echo
echo "A shell loop of 200 children:"
# shellcheck disable=SC2016 # the shell inside expands these
loop='i=0
while [ $i -lt 200 ]; do (exit 3); [ $? = 3 ] && i=$((i + 1)) || exit 1; done
echo "    $i children, all statuses right"'
start=$(date +%s%N)
"$unifork" run --backend "$backend" -- "$busybox" sh -c "$loop"
end=$(date +%s%N)
echo "    $(((end - start) / 200000)) us each"

# ---- a server: nginx as Debian packages it, its master and each of its workers a virtual machine

nginx=${NGINX:-$here/build/nginx/usr/sbin/nginx}
[ -x "$nginx" ] || nginx=/usr/sbin/nginx
for needed in "$nginx" "$(command -v wrk || echo /usr/bin/wrk)"; do
    [ -x "$needed" ] || { echo "demo: $needed is missing; try: make demo" >&2; exit 111; }
done
chmod 755 "$work" # workers are nobody's processes
mkdir -p "$work/web/www" "$work/web/tmp"
cp "$here/examples/nginx.conf" "$work/web/nginx.conf"
cp "$text" "$work/web/www/page.txt"
head -c 1024 "$text" >"$work/web/www/index.html"
port=$(python3 -c 'import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')

family() {
    verb=$1
    shift
    "$unifork" "$verb" --state-dir "$work/state" "$@"
}
stop_server() {
    family rm -f web >"$work/rm" 2>&1 || cat "$work/rm" >&2
    rm -rf "$work"
}
trap stop_server EXIT
trap 'exit 130' INT TERM

echo
echo "nginx, its master and four workers, on http://127.0.0.1:$port/:"
family run -d --name web --backend "$backend" --verbose -p "127.0.0.1:$port:8080" -- \
    "$nginx" -p "$work/web/" -c nginx.conf >"$work/name"

# The host's listener is there before nginx is: what is asked for now is answered once it runs.
page() {
    python3 -c 'import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=30).read())' \
        "http://127.0.0.1:$port/page.txt"
}
if ! page >"$work/page" || ! cmp -s "$work/page" "$text"; then
    family logs web >&2
    echo "demo: nginx did not answer with the page" >&2
    exit 1
fi
family logs web 2>&1 | sed -n 's/^unifork: \(backend .*\)/    \1/p'

wrk -t 1 -c 16 -d 5s --latency "http://127.0.0.1:$port/" >"$work/load" 2>&1 ||
    { cat "$work/load" >&2; echo "demo: wrk failed" >&2; exit 1; }
family top web | sed 's/^/    /'
grep -E '^ *(50%|99%|Requests/sec|Transfer/sec|Socket errors|Non-2xx)' "$work/load" |
    sed 's/^ */    /'
family stop web >"$work/stopped"
echo "    ended with status $(family wait web)"
