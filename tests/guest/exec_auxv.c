/* SPDX-License-Identifier: ISC */
/*
 * The auxiliary vector: page size, program headers, AT_EXECFN, user ids, and AT_RANDOM that
 * differs after each exec and from the parent's.
 * @test timeout=30 members=3 also=pie,musl,musl-pie
 */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv)
{
	unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);

	if (argc > 1)
		return write(atoi(argv[1]), random, 16) == 16 ? 0 : 1;
	unsigned char other[2][16];
	int ends[2];

	if (pipe(ends) < 0)
		die("pipe");
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork_or_die();

		if (pid == 0) {
			char number[16];
			char *arguments[] = {"again", number, NULL};

			snprintf(number, sizeof(number), "%d", ends[1]);
			execve("/proc/self/exe", arguments, environ);
			_exit(99);
		}
		child_report("child", pid);
		read_all(ends[0], other[i], 16);
	}
	check("AT_RANDOM differs from the child's", memcmp(random, other[0], 16) != 0);
	check("AT_RANDOM differs between children", memcmp(other[0], other[1], 16) != 0);
	say("AT_PAGESZ: %lu", getauxval(AT_PAGESZ));
	say("AT_CLKTCK: %lu", getauxval(AT_CLKTCK));
	say("AT_PHENT: %d", getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
	say("AT_SECURE: %lu", getauxval(AT_SECURE));
	check("AT_EXECFN is a path", ((char *)getauxval(AT_EXECFN))[0] == '/');
	check("AT_EXECFN is argv[0]", !strcmp((char *)getauxval(AT_EXECFN), argv[0]));
	check("AT_UID", getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
	check("AT_HWCAP", getauxval(AT_HWCAP) != 0);
	const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
	int loads = 0, tls = 0;
	uintptr_t bias = 0, entry = getauxval(AT_ENTRY);
	bool entry_inside = false;
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0)
			bias = (uintptr_t)headers - sizeof(Elf64_Ehdr) - headers[i].p_vaddr;
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
		loads += headers[i].p_type == PT_LOAD;
		tls += headers[i].p_type == PT_TLS;
		if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_X)
			entry_inside |= entry - bias - headers[i].p_vaddr < headers[i].p_memsz;
	}
	check("program headers are readable", loads >= 2 && tls <= 1);
	check("the entry is in a loaded segment", entry_inside);
	check("the stack is aligned", ((uintptr_t)__builtin_frame_address(0) & 15) == 0);
	return finish();
}
