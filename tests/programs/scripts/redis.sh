# SPDX-License-Identifier: ISC
# redis: commands over TCP, a pipeline, blocked clients, a snapshot written by a forked child while
# clients go on, a replica, redis-benchmark.
# program: redis
# packages: redis-server redis-tools
until_says() { # what, then a command
	word=$1; shift
	for i in $(seq 400); do "$@" 2>/dev/null | grep -q $word && break; sleep 0.05; done
}
start() { # port, then options
	port=$1; shift
	mkdir -p $port
	redis-server --port $port --bind 127.0.0.1 --dir $PWD/$port --logfile $PWD/$port/log "$@" &
	until_says PONG redis-cli -p $port ping
}
bench() { # port, then options: how many tests it has done
	redis-benchmark -p "$@" -q | tr '\r' '\n' | grep -c 'requests per second'
}
start 16379 --save ''; server=$!
cli="redis-cli -p 16379"
$cli set name value; $cli get name; $cli incr n; $cli incr n
for i in $(seq 1 500); do echo "SET key:$i value-$i"; done | $cli --pipe | tail -1
$cli dbsize
$cli blpop list 20 & blocked=$!
sleep 0.3; $cli rpush list element >/dev/null; wait $blocked
bench 16379 -t set,get -n 3000 -c 10
bench 16379 -t lpush -n 2000 -c 5 -P 16
$cli bgsave
until_says rdb_bgsave_in_progress:0 $cli info persistence
$cli info persistence | grep -c 'rdb_last_bgsave_status:ok'
start 16380 --save '' --replicaof 127.0.0.1 16379; replica=$!
until_says master_link_status:up redis-cli -p 16380 info replication
$cli set after replica >/dev/null
until_says replica redis-cli -p 16380 get after
redis-cli -p 16380 get after; redis-cli -p 16380 get key:77
redis-cli -p 16380 shutdown nosave; wait $replica; echo "replica: $?"
$cli shutdown nosave; wait $server; echo "server: $?"
$cli ping 2>&1 || true
