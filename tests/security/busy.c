/* SPDX-License-Identifier: ISC */
/*
 * A guest that keeps its supervisor and the front busy with ordinary stores to kin, or with clones
 * that die at once, and ignores SIGTERM. It goes on until it is ended.
 *
 *   requests   all records ask for something on the volume /v that takes long, again and again
 *   deaths     process: the monitor's own clone call, whose clones end at once, in a few processes
 *   stops      says again and again that the family's first process was stopped
 * @test timeout=60 members=12 nosvm
 */
#include "gadget.h"

#include "abi/kin.h"

#define DEPTH 1000
#define MARK 0x6b7375796e656874ull
#define PAGE 4096
#define LIFE_S 120
#define PROCESSES 12

static const struct boot_info *boot = (const struct boot_info *)BOOT_INFO_ADDR;

static void notify(void)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	frame->number = HYP_notify;
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
}

static struct volume_request *first_request;

static struct volume_request *request_of(int index)
{
	return first_request + index;
}

/* Shared memory is kin's; its first page that nobody else has is found by what was written. */
static void requests_place(void)
{
	size_t size = MEMBERS_MAX * sizeof(struct volume_request) + PAGE, marked = 0;
	char *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile uint64_t *at = (void *)(KIN_BASE + PAGE);

	if (own == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < size; i += PAGE)
		*(uint64_t *)(own + i) = MARK;
	for (; marked < size / PAGE - 1; at += PAGE / sizeof(*at))
		marked = *at == MARK ? marked + 1 : 0;
	first_request = (void *)((uint64_t)at - marked * PAGE);
}

/* The longest way to two names that do not exist. */
static void requests_make(void)
{
	static char way[4096];

	requests_place();
	if (chdir("/v") < 0)
		die("chdir /v");
	for (int i = 0; i < DEPTH; i++) {
		if ((mkdir("d", 0755) < 0 && errno != EEXIST) || chdir("d") < 0)
			die("mkdir");
		strcat(way, "d/");
	}
	strcat(way, "none");
	for (int i = 0; i < MEMBERS_MAX; i++) {
		struct volume_request *req = request_of(i);

		req->kind = VOLUME_LINK;
		req->tree = 1;
		strcpy(req->path, way);
		strcpy(req->other, way);
	}
}

static void requests(void)
{
	for (int i = 0; i < MEMBERS_MAX; i++) {
		request_of(i)->state = VOLUME_REQUEST_ASKED;
		KIN->members[i].request = (uint64_t)request_of(i);
	}
	for (int i = 0; i < MEMBERS_MAX / 64; i++)
		KIN->request_map[i] = ~0ull;
	notify();
}

static void deaths(void)
{
	if (host(SYS_clone, CLONE_PARENT, 0, 0, 0, 0) == 0)
		host(SYS_exit_group, 0, 0, 0, 0, 0);
}

static void stops(void)
{
	KIN->stopped = 1;
	notify();
}

static const struct {
	const char *name;
	void (*begin)(void);
	void (*again)(void);
	bool native; /* with the monitor's own instructions */
} modes[] = {{"requests", requests_make, requests, false},
			 {"deaths", NULL, deaths, true},
			 {"stops", NULL, stops, false}};

int main(int argc, char **argv)
{
	signal(SIGTERM, SIG_IGN);
	for (size_t i = 0; argc == 2 && i < COUNT(modes); i++) {
		if (strcmp(argv[1], modes[i].name))
			continue;
		if (modes[i].native && !gadget_find(boot))
			return 1;
		if (modes[i].begin)
			modes[i].begin();
		for (int n = 1; n < PROCESSES; n++)
			if (fork_or_die() == 0)
				break;
		time_t end = time(NULL) + LIFE_S;
		say("busy");
		while (time(NULL) < end)
			for (int n = 0; n < 10; n++)
				modes[i].again();
		return 1;
	}
	return 1;
}
