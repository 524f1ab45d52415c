# SPDX-License-Identifier: ISC
# make -j4 and gcc on five small files: make, sh, gcc, cc1, as, collect2 and ld are members.
# program: make and gcc
# packages: gcc make
# quick
set -e
for i in 0 1 2 3; do
	printf 'int f%d(int a)\n{\n\treturn a * %d + %d;\n}\n' $i $((i + 2)) $i > f$i.c
done
cat > main.c <<'END'
#include <stdio.h>
int f0(int), f1(int), f2(int), f3(int);
int main(void)
{
	return printf("%d\n", f3(f2(f1(f0(1))))) != 4;
}
END
cat > Makefile <<'END'
OBJECTS := $(sort $(patsubst %.c,%.o,$(wildcard *.c)))
program: $(OBJECTS)
	@$(CC) -o $@ $^
%.o: %.c
	@$(CC) -O2 -g -fdebug-prefix-map=$$WORK=/work -c -o $@ $<
END
make -j4
./program || echo "status $?"
md5sum *.o program
touch f2.c
make -n
make -q || echo "to do: $?"
