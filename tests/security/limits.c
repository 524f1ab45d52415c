/* SPDX-License-Identifier: ISC */
/*
 * What a guest can take of the host past its kernel, which keeps to the limits by itself. The first
 * argument says what, the second how much of it. A child tries, so that the family can go on if
 * that one is killed; a process that is neither refused nor killed is told from the outside by
 * "BROKEN" after a while. Bounded, should nobody stop it: all of it ends by itself.
 *
 *   shared MIB      process: shared memory that is not kin's
 *   tables GIB      process: page tables of pages that were only read; kvm: records of memory slots
 *   shadow GIB      kvm: where it keeps page tables of its own for the guest's, many of these for
 *                   few; it lets a virtual machine have the more, the more memory slots it has
 *   mappings COUNT  process: the host's records of mappings, in two processes
 *   files COUNT     process: open files
 *   members COUNT   processes, where the guest has taken the limit out of its kernel's memory
 *   crowd MIB       process: memory, one MiB in each of as many clones
 *   bomb            process: clones that clone, without end
 *   spin            process: the same, and who can make no more computes without a host call
 * @test timeout=60 members=200 nosvm
 */
#include "gadget.h"

#include "abi/image.h"
#include "abi/kin.h"

#define NOTICED_BY_MS 6000
#define BOMB_S 15
#define SPINS 100000000 /* some tenths of a second of a processor */

static const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;

/* Where the guest has nothing: the allowlist wants a place in private memory. 0: refused. */
#define FREE_ADDR (64ul << 30)

static char *host_map(size_t size, int prot, int flags)
{
	register long r10 __asm__("r10") = flags | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = 0;
	static unsigned long next = FREE_ADDR;
	long ret = SYS_mmap;

	__asm__ volatile("call *%[gadget]"
					 : "+a"(ret)
					 : [gadget] "r"(gadget), "D"(next), "S"(size), "d"(prot), "r"(r10), "r"(r8),
					   "r"(r9)
					 : "rcx", "r11", "memory");
	next += size;
	return ret < 0 && ret > -4096 ? NULL : (char *)ret;
}

static long populate(u64 addr, u64 bytes)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	frame->number = HYP_populate;
	frame->arg[0] = addr;
	frame->arg[1] = bytes;
	frame->ret = 0;
	__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	return (long)frame->ret;
}

static int shared(long mib)
{
	volatile char *p = host_map((size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);

	for (long at = 0; p && at < mib * MIB; at += 4096)
		p[at] = 1;
	return p != NULL;
}

static int tables(long gib)
{
	if (boot->backend == BACKEND_KVM)
		return populate(0x80000000, (u64)gib << 30) == 0;
	volatile char *p = host_map((size_t)gib << 30, PROT_READ, MAP_PRIVATE);

	for (long at = 0; p && at < gib << 30; at += 2 * MIB)
		(void)p[at];
	return p != NULL;
}

/*
 * In memory of the kernel's that has the same address for the guest as for its page tables. Every
 * table leads to all others, so each is one of the last level and of the one before, and each way
 * there has entries of its own in the highest table, with different rights.
 */
enum { TABLE = 512, TABLES = 4096, ROOTS = TABLES / TABLE, FIRST_ROOT = 64 };
#define TABLES_ADDR 0x36000000ul
#define SLOTS_ADDR 0x80000000ul

static void table_touch(long root, long first, long second)
{
	*(volatile char *)((FIRST_ROOT + root) << 39 | first << 30 | second << 21);
}

static int shadow(long gib)
{
	static const uint64_t rights[] = {7, 5, 7 | 1ul << 63, 5 | 1ul << 63};
	const struct kernel_image *image = (const struct kernel_image *)KERNEL_IMAGE;
	uint64_t *top = (uint64_t *)image->boot_tables, *tables = (uint64_t *)TABLES_ADDR;

	if (populate(SLOTS_ADDR, (u64)gib << 30) || populate(TABLES_ADDR, TABLES * 4096ul))
		return 0;
	for (long i = 0; i < TABLES * TABLE; i++)
		tables[i] = (TABLES_ADDR + (uint64_t)i % TABLES * 4096) | 0x67;
	for (long i = 0; i < 4 * ROOTS; i++)
		top[FIRST_ROOT + i] = (TABLES_ADDR + (uint64_t)i / 4 * 4096) | 0x60 | rights[i % 4];
	for (long root = 0; root < 4 * ROOTS; root++)
		for (long first = 0; first < TABLE; first++)
			for (long second = 0; second < (root < 4 && first < ROOTS ? TABLE : 1); second++)
				table_touch(root, first, second);
	return 1;
}

static int mappings(long count)
{
	char *p = host_map((size_t)count * 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	long made = 0;

	for (long i = 0; p && i < count; i++)
		made += host(SYS_mprotect, (long)p + i * 8192, 4096, PROT_READ, 0, 0) == 0;
	return made == count && host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0) >= 0;
}

static int files(long count)
{
	int root = monitor_root(boot);
	long made = 0;

	if (root < 0)
		return 1; /* nothing was tried */
	for (long i = 0; i < count; i++)
		made += monitor_open(boot, root, ".", O_PATH | O_DIRECTORY, 0) >= 0;
	return made == count;
}

static int members(long count)
{
	int made = 0;

	((struct kin_header *)KIN_BASE)->tasks_limit = 0;
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pause_ms(2 * NOTICED_BY_MS);
			_exit(0);
		}
		made += pid > 0;
	}
	return made == count;
}

/* Each of them small; none of them is a member. */
static int crowd(long mib)
{
	for (long i = 0; i < mib; i++) {
		volatile char *p = host_map(MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);

		for (long at = 0; p && at < MIB; at += 4096)
			p[at] = 1;
		if (host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0) != 0) {
			struct timespec while_noticed = {NOTICED_BY_MS / 1000, 0};

			host(SYS_ppoll, 0, 0, (long)&while_noticed, 0, 0);
			host(SYS_exit_group, 0, 0, 0, 0, 0);
		}
	}
	return 1;
}

/* Their alarm, and everybody's, is the host's clock. */
static int clones_make(bool spins)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += BOMB_S;
	do {
		if (host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0) < 0) {
			if (!spins)
				host(SYS_sched_yield, 0, 0, 0, 0, 0);
			for (volatile long i = 0; spins && i < SPINS; i++)
				;
		}
		host(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
	} while (now.tv_sec < end.tv_sec);
	host(SYS_exit_group, 1, 0, 0, 0, 0);
	return 1;
}

static int bomb(UNUSED long count)
{
	return clones_make(false);
}

static int spin(UNUSED long count)
{
	return clones_make(true);
}

static const struct {
	const char *name;
	int (*run)(long);
	bool native; /* with the monitor's own instructions */
} modes[] = {{"shared", shared, true},     {"tables", tables, false}, {"files", files, true},
			 {"mappings", mappings, true}, {"members", members, false}, {"crowd", crowd, true},
			 {"bomb", bomb, true},         {"spin", spin, true},
			 {"shadow", shadow, false}};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < COUNT(modes); i++) {
		int status = 0;

		if (strcmp(argv[1], modes[i].name))
			continue;
		if (boot->backend == BACKEND_PROCESS ? !gadget_find(boot) : modes[i].native)
			return 1;
		pid_t pid = fork_or_die();
		if (pid == 0) {
			if (modes[i].run(atol(argv[2])) == 0) {
				say("refused");
				_exit(0);
			}
			say("got it all");
			pause_ms(NOTICED_BY_MS);
			say("BROKEN: nobody minds");
			_exit(1);
		}
		if (waitpid(pid, &status, 0) < 0)
			die("waitpid");
		say("%s: %s", argv[1], status_text(status));
		pid = fork();
		if (pid == 0)
			_exit(0);
		bool forks = pid > 0 && waitpid(pid, &status, 0) == pid;
		say("the family %s", forks ? "goes on" : "cannot fork");
		return 0;
	}
	return 1;
}
