# SPDX-License-Identifier: ISC
# perl: fork, pipes, IPC::Open3, sockets of AF_UNIX, signals, files.
# program: perl
# shell: /usr/bin/perl
# packages: perl
# quick
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use IPC::Open2;
use IPC::Open3;
use POSIX qw(:sys_wait_h :signal_h);
use Socket;
use Symbol 'gensym';

$| = 1;
my @pids;
for my $number (1 .. 5) {
    my $pid = fork // die "fork: $!";
    exit $number unless $pid;
    push @pids, $pid;
}
print join(",", map { waitpid($_, 0); $? >> 8 } @pids), "\n";

pipe(my $reader, my $writer) or die;
if (!fork) {
    close $reader;
    print $writer "line $_\n" for 1 .. 1000;
    exit 0;
}
close $writer;
my $lines = 0;
$lines++ while <$reader>;
wait;
print "lines $lines\n";

my $pid = open3(my $in, my $out, my $err = gensym, "sh", "-c", "cat; echo problem >&2; exit 7");
print $in "through open3\n";
close $in;
print "out: ", <$out>;
print "err: ", <$err>;
waitpid $pid, 0;
print "status ", $? >> 8, "\n";

$pid = open2(my $from, my $to, "sort", "-r");
print $to "$_\n" for qw(a c b);
close $to;
print map { "sorted $_" } <$from>;
waitpid $pid, 0;

socketpair(my $one, my $two, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or print "socketpair: $!\n";
if (!fork) {
    close $one;
    while (my $line = <$two>) { syswrite $two, uc $line }
    exit 0;
}
close $two;
syswrite $one, "shout\n";
print scalar <$one>;
close $one;
wait;

my $path = "$ENV{WORK}/socket";
my $server = IO::Socket::UNIX->new(Local => $path, Listen => 5) or print "listen: $!\n";
if ($server) {
    if (!fork) {
        my $client = IO::Socket::UNIX->new(Peer => $path) or exit 1;
        print $client "hello server\n";
        print "client got ", scalar <$client>;
        exit 0;
    }
    my $connection = $server->accept;
    print "server got ", scalar <$connection>;
    print $connection "hello client\n";
    close $connection;
    wait;
    print "client status $?\n";
}

local $SIG{USR1} = sub { print "signal $_[0]\n" };
kill USR1 => $$;
eval {
    local $SIG{ALRM} = sub { die "alarm\n" };
    alarm 1;
    select undef, undef, undef, 5;
};
print "eval: $@";
if (!fork) { kill KILL => $$; }
wait;
print "killed by ", WTERMSIG($?), "\n";

open my $file, '+>', "$ENV{WORK}/file" or die;
print $file "0123456789" x 100;
$file->flush;
seek $file, 500, 0;
read $file, my $data, 5;
truncate $file, 10;
print "$data ", -s $file, " ", (stat _)[3], "\n";
my @names = glob "/etc/pass[w]d";
print "@names ", (getpwuid 0)[0], " ", scalar(getgrgid 0), "\n";
print `echo backticks; exit 2`, $? >> 8, "\n";
print "done ", exec("echo", "exec'd") ? 1 : 0;
