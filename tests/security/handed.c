/* SPDX-License-Identifier: ISC */
/*
 * The host counts what is watched by epoll for each user, by file and number, and a watch stays
 * while somebody has the file. A guest has the supervisor keep one socket, is handed it again and
 * again, watches it under each number, and closes that: so its set would hold more than it has
 * descriptors, until the user's other programs can watch nothing. Argument: how many are too many.
 * @test timeout=120 members=80 nosvm
 */
#include "hostile.h"
#include <netinet/in.h>
#include <sys/socket.h>

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

enum { ANSWER_MS = 5000, FILES = 64, NUMBERS = 900 };

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

static int ask(int kind, int64_t handle)
{
	/* The first program's arguments in kin, which nobody needs any more. */
	uint64_t *word = (uint64_t *)((uintptr_t)KIN->args + KIN_ARGS_SIZE - 4096) + handle;

	*word = 1;
	*request = (struct volume_request){.kind = kind, .handle = (int)handle, .access = O_RDWR,
									   .word = (uintptr_t)word, .value = 1};
	request->state = VOLUME_REQUEST_ASKED;
	KIN->request_map[boot->member / 64] |= 1ull << boot->member % 64;
	hypercall(HYP_notify, 0, 0, 0);
	for (long i = 0; request->state != VOLUME_REQUEST_DONE; i++)
		if (i > 1000000 && (pause_ms(1), i > 1000000 + ANSWER_MS))
			die("no answer from the supervisor");
	return request->result;
}

/* Watches of one socket under as many numbers as it is handed under. */
static long watch_handed(int64_t kept)
{
	static int64_t handed[NUMBERS];
	long n = 0, watched = 0;

	for (; n < NUMBERS; n++) {
		if (ask(VOLUME_TAKE, kept) != 1)
			break;
		handed[n] = hypercall(HYP_vol_receive, 0, 0, 0);
		if (handed[n] < 0)
			break;
		watched += hypercall(HYP_net_watch, handed[n], 1, 1) == 0;
	}
	while (n > 0)
		hypercall(HYP_fs_close, handed[--n], 0, 0);
	return watched;
}

int main(int argc, char **argv)
{
	long most = argc == 2 ? atol(argv[1]) : 0, watches = 0;

	if (!most || close(open("/v/own", O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0)
		die("arguments");
	request = (struct volume_request *)(uintptr_t)KIN->members[boot->member].request;
	for (int i = 0; i < FILES && watches < most; i++) {
		int64_t s = hypercall(HYP_net_socket, AF_INET, SOCK_DGRAM, IPPROTO_UDP);

		if (s < 0 || ask(VOLUME_KEEP, s) != 0)
			die("the supervisor keeps no sockets");
		watches += watch_handed(s);
	}
	say("%ld watches of %ld: %s", watches, most, watches < most ? "held" : "BROKEN");
	return 0;
}
