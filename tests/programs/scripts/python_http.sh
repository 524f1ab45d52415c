# SPDX-License-Identifier: ISC
# python3 -m http.server and its clients over the family's loopback, IPv4 and IPv6; asyncio streams,
# a threading server, names, refused connections.
# program: python
# packages: python3
# quick
mkdir www && echo content >www/f && head -c 300000 /dev/zero >www/big
cat >server.py <<'END'
import functools, http.server, socket, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(("::", 0), functools.partial(Handler, directory="www"))
open("port.new", "w").write(str(server.server_port))
import os
os.rename("port.new", "port")
server.serve_forever()
END
cat >client.py <<'END'
import asyncio, http.client, socket, sys, threading, urllib.request
port = int(open("port").read())
for host in "127.0.0.1", "[::1]", "localhost":
    url = f"http://{host}:{port}/"
    print(host, urllib.request.urlopen(url + "f").read())
    print(len(urllib.request.urlopen(url + "big").read()))
one = http.client.HTTPConnection("127.0.0.1", port)
for path in "/f", "/none", "/f":
    one.request("GET", path)
    answer = one.getresponse()
    print(answer.status, len(answer.read()) > 0)
one.close()
found = []
def fetch():
    found.append(len(urllib.request.urlopen(f"http://127.0.0.1:{port}/big").read()))
threads = [threading.Thread(target=fetch) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(found)
async def talk():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    name = server.sockets[0].getsockname()
    async def ask(word):
        reader, writer = await asyncio.open_connection(*name)
        writer.write(word.encode() + b"\n")
        got = await reader.read()
        writer.close()
        return got
    print(await asyncio.gather(*[ask(w) for w in ("one", "two", "three")]))
    server.close()
asyncio.run(talk())
print(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
print(socket.if_nameindex()[0])
END
python3 server.py & pid=$!
for i in $(seq 200); do [ -s port ] && break; sleep 0.05; done
python3 client.py
{ kill $pid; wait $pid; } 2>/dev/null; echo "server: $?" # bash may say that it was terminated
python3 -c '
import urllib.request
try: urllib.request.urlopen("http://127.0.0.1:%s/f" % open("port").read())
except OSError as e: print(e.reason.strerror)'
