# SPDX-License-Identifier: ISC
# lua: one-liners that open pipes, files and programs, and a script of a few hundred processes.
# program: lua
# packages: lua5.4
# timeout: 60
lua5.4 -e 'for line in io.popen("seq 1 5"):lines() do io.write(line, ";") end print()'
lua5.4 -e 'local p = io.popen("sort -r", "w") p:write("a\nc\nb\n") print(p:close())'
lua5.4 -e 'print(io.popen("exit 3"):close())' -e 'print(io.popen("kill -9 $$"):close())'
lua5.4 -e 'print(os.execute("exit 4"))' -e 'print(os.execute("kill -15 $$"))' \
	-e 'print(os.execute())' -e 'print(os.execute("true"))'
lua5.4 -e 'print(io.open("/nonexistent"))' -e 'print(os.remove("/nonexistent"))'
lua5.4 -e 'local f = assert(io.open("f", "w+"))
f:write(("0123456789"):rep(1000)) f:seek("set", 5000)
print(f:read(5), f:seek("end")) f:close() print(os.rename("f", "g"), #io.open("g"):read("a"))'
lua5.4 -e 'local t = os.tmpname() print(#t > 0, os.remove(t))' -e 'print(os.getenv("WORK") ~= nil)'
seq 1 10 | lua5.4 -e 'local sum = 0 for n in io.lines() do sum = sum + n end print(sum)'
seq 1 100000 | lua5.4 -e 'print(io.read("n", "l", "L"), #io.read("a"))' | cat
echo 'print(...) os.exit(#arg)' >script.lua
lua5.4 script.lua a b c || echo "status $?"
lua5.4 - <<'END'
local sum = 0
for number = 1, 40 do
	local pipe = io.popen("echo " .. number .. " | cat")
	sum = sum + pipe:read("n")
	assert(pipe:close())
end
print("sum", sum)
local routine = coroutine.wrap(function()
	for line in io.popen("seq 10 12"):lines() do coroutine.yield(line) end
end)
print(routine(), routine(), routine())
print(os.date("!%Y-%m-%dT%H:%M:%S", 86400), os.time() > 1e9, os.clock() < 60)
print(pcall(error, "thrown"))
print(string.format("%5.2f %q", math.pi, "a\nb"))
os.exit(7, true)
END
echo "status $?"
lua5.4 -e 'error("uncaught")' || echo "status $?"
