/* SPDX-License-Identifier: ISC */
/*
 * A guest that would have its supervisor wait: a socket of the host with SO_LINGER of many seconds
 * and bytes that its peer does not read, for which a close waits. The supervisor is asked to keep
 * it, the guest closes its own, and then nothing of the family needs it any more. Argument: the
 * port of a listener on the host's loopback that takes the connection and reads nothing.
 * @test timeout=60 members=80 nosvm
 */
#include "hostile.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

enum { ANSWER_MS = 3000, LINGER_S = 40, BYTES = 64 << 10, FILLED = 4096 };

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;

/* The first program's arguments in kin, which nobody needs any more. */
#define ROOM ((uintptr_t)KIN->args + KIN_ARGS_SIZE - (128 << 10))

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
						 uint64_t e)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;

	frame->number = number;
	frame->arg[0] = a;
	frame->arg[1] = b;
	frame->arg[2] = c;
	frame->arg[3] = d;
	frame->arg[4] = e;
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	return frame->ret;
}

static bool keep(int handle, uint64_t *word)
{
	struct volume_request *request = (void *)(uintptr_t)KIN->members[boot->member].request;

	*word = 1;
	*request = (struct volume_request){.kind = VOLUME_KEEP, .handle = handle, .access = O_RDWR,
									   .word = (uintptr_t)word, .value = 1};
	request->state = VOLUME_REQUEST_ASKED;
	KIN->request_map[boot->member / 64] |= 1ull << boot->member % 64;
	hypercall(HYP_notify, 0, 0, 0, 0, 0);
	for (int ms = 0; request->state != VOLUME_REQUEST_DONE; ms++) {
		if (ms == ANSWER_MS)
			die("no answer from the supervisor");
		pause_ms(1);
	}
	return request->result == 0;
}

static int64_t connected(int port)
{
	struct sockaddr_in *to = (void *)ROOM;
	int64_t s = hypercall(HYP_net_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP, 0, 0);

	*to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0 || (hypercall(HYP_net_connect, s, (uintptr_t)to, sizeof(*to), 0, 0) < 0 &&
				  (pause_ms(200), false)))
		die("no socket of the host");
	pause_ms(200);
	return s;
}

/* Until nothing more goes in. */
static void fill(int64_t s)
{
	struct hyp_message *m = (void *)(ROOM + (16 << 10));

	*m = (struct hyp_message){.count = 1, .piece[0] = {ROOM + (32 << 10), BYTES}};
	for (int i = 0; i < FILLED; i++)
		if (hypercall(HYP_net_send, s, (uintptr_t)m, sizeof(*m), 0, 0) < 0)
			return;
	die("its peer reads");
}

int main(int argc, char **argv)
{
	struct linger *seconds = (void *)(ROOM + (12 << 10));
	uint64_t *word = (void *)(ROOM + (14 << 10));
	int64_t s, lingers;

	if (argc != 2 || close(open("/v/own", O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0 ||
		!KIN->members[boot->member].request)
		die("no request was made");
	s = connected(atoi(argv[1]));
	fill(s);
	*seconds = (struct linger){1, LINGER_S};
	lingers = hypercall(HYP_net_option_set, s, SOL_SOCKET, SO_LINGER, (uintptr_t)seconds,
						sizeof(*seconds));
	if (!keep((int)s, word))
		die("the supervisor keeps no sockets");
	hypercall(HYP_fs_close, s, 0, 0, 0, 0);
	*word = 0;
	KIN->shelf_stale = 1;
	hypercall(HYP_notify, 0, 0, 0, 0, 0);
	say("let go; lingering was %s", lingers ? "refused" : "granted");
	pause_ms(30000);
	return 0;
}
