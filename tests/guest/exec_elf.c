/* SPDX-License-Identifier: ISC */
/*
 * execve of files that are nearly ELF: truncated, for another machine, with absurd or overlapping
 * segments, with a missing or broken interpreter. The error comes back where Linux still can give
 * one, otherwise the process dies as there.
 * @test timeout=60 members=64
 */
#include "guest.h"
#include <elf.h>

/* A whole program: exit_group(42), at 4 MiB + 0x1000, with room for an interpreter's name. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[4];
	char interpreter[64];
	unsigned char code[16];
};

#define BASE 0x400000

static const unsigned char exit_42[] = {0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};

static struct image good(void)
{
	struct image i = {
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				   .e_type = ET_EXEC,
				   .e_machine = EM_X86_64,
				   .e_version = EV_CURRENT,
				   .e_entry = BASE + offsetof(struct image, code),
				   .e_phoff = sizeof(Elf64_Ehdr),
				   .e_ehsize = sizeof(Elf64_Ehdr),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_phnum = 1},
	};

	i.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
								 .p_flags = PF_R | PF_X,
								 .p_vaddr = BASE,
								 .p_paddr = BASE,
								 .p_filesz = sizeof(i),
								 .p_memsz = sizeof(i),
								 .p_align = 4096};
	memcpy(i.code, exit_42, sizeof(exit_42));
	return i;
}

static void interpreted(struct image *i, const char *name)
{
	strcpy(i->interpreter, name);
	i->segments[1] = (Elf64_Phdr){.p_type = PT_INTERP,
								  .p_flags = PF_R,
								  .p_offset = offsetof(struct image, interpreter),
								  .p_filesz = strlen(name) + 1};
	i->header.e_phnum = 2;
}

static void try_file(const char *name)
{
	char *arguments[] = {"elf", NULL}, *environment[] = {NULL};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* Unmapped pages of a truncated file end in SIGBUS or SIGSEGV: no core of that. */
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		execve("elf", arguments, environment);
		result(name, -1);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		say("%s: killed by %s", name, signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 7)
		say("%s: exit status %d", name, WEXITSTATUS(status));
}

static void try_bytes(const char *name, const void *data, size_t size)
{
	int fd = open("elf", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	if (fd < 0)
		die("elf");
	write_all(fd, data, size);
	close(fd);
	try_file(name);
}

static void try_image(const char *name, const struct image *i)
{
	try_bytes(name, i, sizeof(*i));
}

static void truncated(void)
{
	struct image i = good();

	try_image("good", &i);
	try_bytes("empty", &i, 0);
	try_bytes("magic only", &i, 4);
	try_bytes("half a header", &i, 32);
	try_bytes("header only", &i, sizeof(Elf64_Ehdr));
	try_bytes("half a segment header", &i, sizeof(Elf64_Ehdr) + 20);
	try_bytes("no code", &i, offsetof(struct image, code));
	i.segments[0].p_filesz = i.segments[0].p_memsz = 1 << 20;
	i.header.e_entry = BASE + 0x80000;
	try_image("entry beyond the end of the file", &i);
}

static void headers(void)
{
	struct image i = good();

	i.header.e_machine = EM_AARCH64;
	try_image("another machine", &i);
	i = good();
	i.header.e_type = ET_REL;
	try_image("an object file", &i);
	i = good();
	i.header.e_type = ET_CORE;
	try_image("a core file", &i);
	i = good();
	i.header.e_phentsize = 32;
	try_image("size of a segment header", &i);
	i = good();
	i.header.e_phnum = 0;
	try_image("no segments", &i);
	i = good();
	i.header.e_phnum = 0xfff0;
	try_image("too many segments", &i);
	i = good();
	i.header.e_phoff = 1UL << 62;
	try_image("segment headers far away", &i);
	i = good();
	i.header.e_entry = 0;
	try_image("entry 0", &i);
	i = good();
	i.header.e_entry = 0x8000000000000000;
	try_image("entry not canonical", &i);
}

static void segments(void)
{
	struct image i = good();

	i.segments[0].p_memsz = 16;
	try_image("more in the file than in memory", &i);
	i = good();
	i.segments[0].p_memsz = 1UL << 47;
	try_image("larger than the address space", &i);
	i = good();
	i.segments[0].p_vaddr = i.header.e_entry = 0xffffffff80000000;
	try_image("in the kernel", &i);
	i = good();
	i.segments[0].p_vaddr = -4096UL;
	try_image("around the end", &i);
	i = good();
	i.segments[0].p_offset = 1;
	try_image("offset and address disagree", &i);
	i = good();
	i.segments[0].p_flags = PF_R;
	try_image("code not executable", &i);
	i = good();
	i.segments[0].p_type = PT_NOTE;
	try_image("nothing to load", &i);
	i = good();
	i.segments[1] = i.segments[0];
	i.header.e_phnum = 2;
	try_image("the same segment twice", &i);
	i.segments[1].p_vaddr += 0x200000;
	i.segments[1].p_filesz = 0;
	i.segments[1].p_memsz = 3 * MIB;
	try_image("memory only", &i);
}

static void interpreters(void)
{
	struct image i = good();

	interpreted(&i, "/no/such/loader");
	try_image("interpreter missing", &i);
	interpreted(&i, "/");
	try_image("interpreter is a directory", &i);
	interpreted(&i, "/etc/passwd");
	try_image("interpreter not executable", &i);
	file_write("text", "just text, and enough of it to fill the whole header of an ELF file\n");
	chmod("text", 0755);
	interpreted(&i, "text");
	try_image("interpreter is text", &i);
	i.segments[1].p_filesz = 3;
	try_image("interpreter's name without an end", &i);
	i.segments[1].p_filesz = 1;
	try_image("interpreter's name empty", &i);
	i.segments[1].p_filesz = 1 << 20;
	try_image("interpreter's name too long", &i);
	i.segments[1].p_filesz = 5;
	i.segments[1].p_offset = 1 << 30;
	try_image("interpreter's name beyond the end", &i);
}

int main(void)
{
	work_dir();
	truncated();
	headers();
	segments();
	interpreters();
	return finish();
}
