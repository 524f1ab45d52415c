/* SPDX-License-Identifier: ISC */
/*
 * A monitor that is just being started still has what its supervisor has: the file of --stats,
 * files that the caller left open. A guest has one started for a forged record and asks, in that
 * record's name, to keep one of its descriptors after the other; then it asks for them for itself.
 * Nothing may come that has a name: all that this guest could open itself has one on its volume /v,
 * and it opens none.
 * @test timeout=120 members=80 nosvm
 */
#include "hostile.h"

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

enum { FORGED = 60, NUMBERS = 40, TRIES = 5, ANSWER_MS = 3000 };

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;
static struct volume_request *request;

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	frame->number = number;
	frame->arg[0] = a;
	frame->arg[1] = b;
	frame->arg[2] = c;
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	return frame->ret;
}

static int answer(unsigned index)
{
	request->state = VOLUME_REQUEST_ASKED;
	KIN->request_map[index / 64] |= 1ull << index % 64;
	hypercall(HYP_notify, 0, 0, 0);
	for (int ms = 0; request->state != VOLUME_REQUEST_DONE; ms++) {
		if (ms == ANSWER_MS)
			die("no answer from the supervisor");
		pause_ms(1);
	}
	return request->result;
}

/* What is kept stays while its word has this value. */
static uint64_t *word_of(int number)
{
	return (uint64_t *)((uintptr_t)KIN->args + KIN_ARGS_SIZE - 4096) + number;
}

static bool keep(int number)
{
	struct kin_member *m = &KIN->members[FORGED];

	*word_of(number) = 1;
	*request = (struct volume_request){.kind = VOLUME_KEEP, .handle = number, .access = O_RDWR,
									   .word = (uintptr_t)word_of(number), .value = 1};
	m->request = (uintptr_t)request;
	m->generation = 1;
	m->host_pid = 0;
	m->state = MEMBER_SPAWNING;
	KIN->spawner_ready = 0;
	KIN->spawn_map[FORGED / 64] |= 1ull << FORGED % 64;
	bool kept = answer(FORGED) == 0;
	m->state = MEMBER_FREE;
	return kept;
}

static bool take(int number)
{
	/* In kin, which has one address for guest and monitor. */
	struct hyp_stat *st = (void *)word_of(NUMBERS);
	int64_t handle;

	*request = (struct volume_request){.kind = VOLUME_TAKE, .access = O_RDWR,
									   .word = (uintptr_t)word_of(number), .value = 1};
	if (answer(boot->member) < 0)
		return false;
	handle = hypercall(HYP_vol_receive, 0, 0, 0);
	if (handle < 0 || hypercall(HYP_fs_fstat, (uint64_t)handle, (uintptr_t)st, sizeof(*st)) < 0)
		return false;
	if (st->nlink)
		say("BROKEN: got a file of %d bytes, descriptor %d of the supervisor", (int)st->size,
			number);
	return st->nlink;
}

int main(void)
{
	int fd = open("/v/own", O_WRONLY | O_CREAT | O_EXCL, 0600);
	bool broken = false;

	if (fd < 0 || close(fd) < 0)
		die("the volume");
	request = (struct volume_request *)(uintptr_t)KIN->members[boot->member].request;
	if (!request)
		die("no request was made");
	for (int number = 3; number < NUMBERS; number++) /* or the monitor was faster */
		for (int i = 0; i < TRIES && !keep(number); i++)
			;
	for (int number = 3; number < NUMBERS; number++)
		broken |= take(number);
	say("what a starting monitor has: %s", broken ? "BROKEN" : "held");
	return broken;
}
