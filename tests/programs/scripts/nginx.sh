# SPDX-License-Identifier: ISC
# nginx, a master with three workers: files, sendfile, both kinds of addresses, reload, a worker
# that is killed, an end in order.
# program: nginx
# packages: nginx-light python3
mkdir www tmp && echo hello >www/f && head -c 500000 /dev/zero | tr '\0' 'x' >www/big
cat >conf <<END
worker_processes 3;
pid $PWD/pid;
error_log $PWD/errors crit;
user $(id -un);
events { worker_connections 64; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	client_body_temp_path $PWD/tmp/1;
	proxy_temp_path $PWD/tmp/2;
	fastcgi_temp_path $PWD/tmp/3;
	uwsgi_temp_path $PWD/tmp/4;
	scgi_temp_path $PWD/tmp/5;
	server { listen 127.0.0.1:18080 backlog=64; listen [::1]:18080 ipv6only=on; root $PWD/www; }
	server { listen 127.0.0.1:18081; location / { proxy_pass http://127.0.0.1:18080; } }
}
END
cat >get.py <<'END'
import collections, http.client, sys, urllib.request
host, n = sys.argv[1], int(sys.argv[2])
seen = collections.Counter()
for i in range(n):
    body = urllib.request.urlopen(f"http://{host}/" + ("big" if i % 2 else "f"), timeout=20).read()
    seen[len(body)] += 1
print(host, sorted(seen.items()))
END
# nginx writes its process id once all workers have been started.
nginx -c $PWD/conf -p $PWD
for i in $(seq 100); do [ -s pid ] && break; sleep 0.05; done
for host in 127.0.0.1:18080 '[::1]:18080' 127.0.0.1:18081; do python3 get.py $host 20; done
{ python3 get.py 127.0.0.1:18080 200 & python3 get.py 127.0.0.1:18081 200 & wait; } | sort
nginx -c $PWD/conf -p $PWD -s reload 2>/dev/null
python3 get.py 127.0.0.1:18080 40
worker=$(cut -d' ' -f1 /proc/$(cat pid)/task/$(cat pid)/children)
kill -9 $worker
for i in $(seq 200); do kill -0 $worker 2>/dev/null || break; sleep 0.05; done
python3 get.py 127.0.0.1:18080 40 | sed 's/ .*//'
master=$(cat pid)
nginx -c $PWD/conf -p $PWD -s quit 2>/dev/null
for i in $(seq 200); do kill -0 $master 2>/dev/null || break; sleep 0.05; done
python3 get.py 127.0.0.1:18080 1 2>&1 | tail -1
grep -v "exited on signal 9" errors || true
