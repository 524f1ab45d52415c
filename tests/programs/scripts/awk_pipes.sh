# SPDX-License-Identifier: ISC
# awk one-liners that open pipes, with gawk and with mawk: input, output, co-processes, system.
# program: awk
# packages: gawk mawk
# timeout: 60
for awk in gawk mawk; do
	echo "== $awk"
	$awk 'BEGIN { while (("seq 1 5" | getline line) > 0) sum += line; print sum }'
	$awk 'BEGIN { "echo one two" | getline; print $2; print close("echo one two") }'
	$awk 'BEGIN { print "b\na\nc" | "sort"; close("sort"); print "after" }'
	$awk 'BEGIN { for (i = 0; i < 30; i++) { c = "echo " i; c | getline x; close(c); s += x }
		print s }'
	$awk 'BEGIN { print system("exit 3"), system("true") }'
	$awk 'BEGIN { printf "x" | "cat; exit 4"; print close("cat; exit 4") != 0 }'
	seq 1 1000 | $awk '{ print | "sort -rn | head -3" }'
	seq 1 3 | $awk '{ print > ("part" $1); close("part" $1) } END { system("cat part*") }'
	$awk 'BEGIN { print "to stderr" > "/dev/stderr"; print "to stdout" > "/dev/stdout" }'
	$awk 'BEGIN { while ((getline line < "/etc/passwd") > 0) if (line ~ /^root:/) print "root" }'
	$awk 'BEGIN { print "before"; fflush(); system("echo between"); print "after"; exit 5 }'
	echo "status $?"
	yes | $awk 'NR == 3 { exit } { print }'
	seq 1 100000 | $awk '{ s += $1 } END { print s }'
	$awk 'BEGIN { print ENVIRON["TZ"], ARGC, ARGV[1] }' argument
done
gawk 'BEGIN { c = "sort -r"; print "a\nc\nb" |& c; close(c, "to")
	while ((c |& getline line) > 0) print line; print close(c) }'
gawk 'BEGIN { c = "cat"; for (i = 0; i < 20; i++) { print i |& c; c |& getline x; s += x }
	close(c); print s }'
gawk 'BEGIN { c = "kill -9 $$"; print c | "sh"; print close("sh") }'
gawk 'BEGIN { "date +%s" | getline t; print (systime() - t < 30), PROCINFO["pid"] > "/dev/null" }'
gawk -v N=3 'BEGIN { for (i = 1; i <= N; i++) print i | ("cat >out" i); }'
cat out1 out2 out3
