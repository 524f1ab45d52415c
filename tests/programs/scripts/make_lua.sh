# SPDX-License-Identifier: ISC
# make -j4 and gcc on the 33 files of Lua's source package; the result runs a program.
# program: make and gcc
# packages: gcc make
# sources: lua5.4
# timeout: 170
set -e
cp -r $SRC/src .
cd src
echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' > lua5.4-deb-multiarch.h
cat > Makefile.own <<'END'
OBJECTS := $(sort $(patsubst %.c,%.o,$(filter-out luac.c,$(wildcard *.c))))
lua: $(OBJECTS)
	$(CC) -o $@ $^ -Wl,-E -lm -ldl
%.o: %.c
	$(CC) -O2 -DLUA_USE_LINUX -c -o $@ $<
END
make -j4 -f Makefile.own >log 2>&1 || { cat log; exit 1; }
ls *.o | wc -l
md5sum *.o lua
cat > t.lua <<'END'
local t = {}
for i = 1, 1000 do t[i] = (i * 7919) % 1000 end
table.sort(t)
print(#t, t[1], t[1000], _VERSION)
local p = io.popen("echo from a pipe; exit 3")
print(p:read("a"), p:close())
print(string.format("%5.2f %q", math.pi, "a\nb"))
END
./lua t.lua
