# SPDX-License-Identifier: ISC
# tclsh: pipelines, event loop, background programs, files, sub-interpreters.
# program: tclsh
# shell: /usr/bin/tclsh
# packages: tcl
# timeout: 60
set work $env(WORK)
puts [exec seq 1 5 | sort -rn | head -2]
puts [catch {exec sh -c {echo out; echo err >&2; exit 3}} text options]
puts "$text [lrange [dict get $options -errorcode] 2 end]"
puts [catch {exec sh -c {kill -9 $$}} text options]
puts "$text [lrange [dict get $options -errorcode] 2 end]"
puts [catch {exec /nonexistent/program} text]
puts $text
set pipe [open "|sort -r" r+]
puts $pipe "a\nc\nb"
close $pipe write
puts [read $pipe]
close $pipe
set pipe [open "|cat >$work/written" w]
puts $pipe [string repeat 0123456789 10000]
close $pipe
puts [file size $work/written]

# The event loop: three programs at once, a timer, and the end of all of them.
set left 3
proc take {channel name} {
	global got left
	if {[gets $channel line] >= 0} {
		lappend got($name) $line
	} elseif {[eof $channel]} {
		fconfigure $channel -blocking 1
		set got($name,status) [catch {close $channel}]
		incr left -1
	}
}
foreach name {one two three} status {0 1 0} {
	set channel [open [list |sh -c "seq 1 100; echo $name; exit $status"] r]
	fconfigure $channel -blocking 0
	fileevent $channel readable [list take $channel $name]
}
while {$left > 0} {vwait left}
foreach name {one two three} {
	puts "$name [llength $got($name)] [lindex $got($name) end] $got($name,status)"
}
after 20 {set fired late}
after 10 {set fired early}
vwait fired
puts $fired
vwait fired
puts $fired
lassign [chan pipe] reader writer
puts $writer "through a pipe"
close $writer
puts [gets $reader]
close $reader
set pids [exec sleep 0 &]
puts [llength $pids]
set script [open $work/sub.tcl w]
puts $script {puts "sub $argv"; exit 5}
close $script
puts [catch {exec [info nameofexecutable] $work/sub.tcl a b} text options]
puts "$text [lindex [dict get $options -errorcode] end]"

file mkdir $work/a/b/c
file copy $work/a $work/copy
file rename $work/written $work/a/moved
file link -symbolic $work/link a/moved
puts [lsort [glob -directory $work -tails * */*]]
puts "[file readlink $work/link] [file type $work/link] [file size $work/link]"
file attributes $work/sub.tcl -permissions 0640
puts [file attributes $work/sub.tcl -permissions]
file mtime $work/sub.tcl 1000000000
puts [clock format [file mtime $work/sub.tcl] -gmt 1 -format %Y-%m-%d]
set temporary [file tempfile path]
puts [file exists $path]
close $temporary
file delete -force $path $work/a
puts [catch {open /nonexistent} text]
puts $text
set child [interp create]
puts [$child eval {expr {2 ** 100}}]
cd $work
puts [expr {[pwd] eq $work}]
exit 0
