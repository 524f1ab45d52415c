# SPDX-License-Identifier: ISC
# ruby: fork, Process.spawn, threads, pipes, Open3, sockets of AF_UNIX, signals, files.
# program: ruby
# shell: /usr/bin/ruby
# packages: ruby
# timeout: 90
require 'etc'
require 'fileutils'
require 'io/wait'
require 'open3'
require 'socket'
require 'tempfile'
require 'timeout'

$stdout.sync = true
work = ENV.fetch('WORK')

pids = (1..5).map { |number| fork { exit! number } }
puts pids.map { |pid| Process.wait2(pid)[1].exitstatus }.join(',')

reader, writer = IO.pipe
child = fork do
  reader.close
  1000.times { |number| writer.puts "line #{number}" }
  exit! 0
end
writer.close
puts "lines #{reader.each_line.count}"
Process.wait child

out, to = IO.pipe
pid = Process.spawn({ 'WORD' => 'spawned' }, 'echo $WORD; echo problem >&2; exit 7',
                    out: to, err: %i[child out], chdir: work, umask: 0o77)
to.close
puts out.read
Process.wait pid
puts "status #{$?.exitstatus}"
begin
  Process.spawn('/nonexistent/program')
rescue SystemCallError => e
  puts e.class
end
pid = spawn('kill -TERM $$')
Process.wait pid
puts "signalled #{$?.termsig}"
puts system('exit 3').inspect, $?.exitstatus, `echo backticks`
IO.popen(%w[sort -r], 'r+') do |sort|
  sort.puts %w[a c b]
  sort.close_write
  puts sort.read
end
stdout, stderr, status = Open3.capture3('cat; echo err >&2; exit 4', stdin_data: 'x' * 100_000)
puts stdout.size, stderr, status.exitstatus
puts Open3.pipeline_r('seq 1 100', 'grep 7', 'wc -l') { |last, _| last.read }
detached = Process.detach(fork { exit! 9 })
puts "detached #{detached.value.exitstatus}"

queue = Queue.new
threads = (1..8).map { |number| Thread.new { 100.times { |at| queue << number * at } } }
threads.each(&:join)
puts queue.size, Array.new(queue.size) { queue.pop }.sum
mutex = Mutex.new
ready = ConditionVariable.new
turn = 0
order = []
threads = (0...4).map do |number|
  Thread.new do
    10.times do |round|
      mutex.synchronize do
        ready.wait(mutex) until turn == round * 4 + number
        order << number
        turn += 1
        ready.broadcast
      end
    end
  end
end
threads.each(&:join)
puts order.join
from, into = IO.pipe
thread = Thread.new { from.gets }
Thread.pass
into.puts 'to a thread'
puts thread.value
puts((1..4).map { |n| Thread.new { `echo thread #{n}` } }.map(&:value).join)
child = fork do
  puts "threads after fork #{Thread.list.size}"
  $stdout.flush
  exit! 0
end
Process.wait child
begin
  Timeout.timeout(0.2) { sleep }
rescue Timeout::Error => e
  puts e.class
end

one, two = UNIXSocket.pair
child = fork do
  one.close
  while (line = two.gets)
    two.puts line.upcase
  end
  exit! 0
end
two.close
one.puts 'shout'
puts one.gets
one.close
Process.wait child
server = UNIXServer.new("#{work}/socket")
child = fork do
  client = UNIXSocket.new("#{work}/socket")
  client.puts 'hello server'
  puts "client got #{client.gets}"
  client.send_io(File.open('/etc/hostname'))
  $stdout.flush
  exit! 0
end
connection = server.accept
puts "server got #{connection.gets}"
connection.puts 'hello client'
puts "received #{connection.recv_io.class}"
Process.wait child

got = []
trap('USR1') { got << 'USR1' }
Process.kill('USR1', Process.pid)
sleep 0.001 until got.any?
puts got.inspect
begin
  Process.kill(0, 2**22 + 1)
rescue SystemCallError => e
  puts e.class
end

File.write("#{work}/file", '0123456789' * 100)
File.open("#{work}/file", 'r+') do |file|
  file.flock(File::LOCK_EX)
  file.seek(500)
  puts file.read(5)
  file.truncate(10)
end
puts File.size("#{work}/file"), File.stat(work).directory?
Tempfile.create('name') { |file| puts File.exist?(file.path) }
FileUtils.mkdir_p("#{work}/a/b/c")
FileUtils.cp_r("#{work}/a", "#{work}/copy")
puts Dir.glob("#{work}/{a,copy}/**/*").map { |path| path.delete_prefix(work) }.sort
puts Etc.getpwuid(0).name, IO.select([reader], nil, nil, 0).inspect.size.positive?
exec 'echo', "exec'd"
