/* SPDX-License-Identifier: ISC */
/*
 * What a family has sent and nobody has read is the host's memory. A guest that asks its monitor
 * past its kernel connects to a listener of its own on the host's loopback, again and again, and
 * sends as much as goes in. Argument: how many MiB are too many.
 * @test timeout=60 members=20 nosvm
 */
#include "hostile.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "abi/boot.h"
#include "abi/hypercall.h"
#include "abi/kin.h"

enum { CONNECTIONS = 400, TRIES = 100, SENDS = 1000, LARGE = 64 << 20 };

static const struct boot_info *const boot = (const struct boot_info *)BOOT_INFO_ADDR;

/* The first program's arguments in kin, which nobody needs any more. */
static struct {
	struct sockaddr_in address, peer;
	int size;
	struct hyp_message message;
	char bytes[256 << 10];
} *room;

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
						 uint64_t e)
{
	volatile struct hypercall_frame *frame = (void *)HYPERCALL_ADDR;
	const uint64_t arguments[] = {a, b, c, d, e};

	frame->number = number;
	for (size_t i = 0; i < COUNT(arguments); i++)
		frame->arg[i] = arguments[i];
	if (boot->hypercall_entry)
		((void (*)(void))boot->hypercall_entry)();
	else
		__asm__ volatile("out %%al, %0" : : "i"(HYPERCALL_PORT) : "memory");
	return frame->ret;
}

/* With the largest buffers that the host gives. */
static int64_t socket_made(void)
{
	int64_t s = hypercall(HYP_net_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP, 0, 0);

	room->size = LARGE;
	hypercall(HYP_net_option_set, s, SOL_SOCKET, SO_RCVBUF, (uintptr_t)&room->size, sizeof(int));
	hypercall(HYP_net_option_set, s, SOL_SOCKET, SO_SNDBUF, (uintptr_t)&room->size, sizeof(int));
	return s;
}

static int64_t listening(void)
{
	uintptr_t address = (uintptr_t)&room->address;
	int64_t s = socket_made();

	room->address = (struct sockaddr_in){.sin_family = AF_INET};
	room->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0 || hypercall(HYP_net_bind, s, address, sizeof(room->address), 0, 0) < 0 ||
		hypercall(HYP_net_listen, s, CONNECTIONS, 0, 0, 0) < 0 ||
		hypercall(HYP_net_name, s, address, sizeof(room->address), 0, 0) < 0)
		die("no listener");
	return s;
}

/* Bytes that went in. */
static long connection_fill(int64_t listener)
{
	uintptr_t address = (uintptr_t)&room->address;
	int64_t s = socket_made(), sent, accepted = -1;
	long total = 0;

	if (s < 0)
		return 0;
	hypercall(HYP_net_connect, s, address, sizeof(room->address), 0, 0);
	for (int i = 0; i < TRIES && accepted < 0; i++)
		accepted = hypercall(HYP_net_accept, listener, (uintptr_t)&room->peer,
							 sizeof(room->peer), 0, 0);
	room->message = (struct hyp_message){
		.count = 1, .piece[0] = {(uintptr_t)room->bytes, sizeof(room->bytes)}};
	for (int i = 0; i < SENDS; i++) {
		sent = hypercall(HYP_net_send, s, (uintptr_t)&room->message, sizeof(room->message), 0, 0);
		if (sent < 0)
			break;
		total += sent;
	}
	return total;
}

int main(int argc, char **argv)
{
	long most = argc == 2 ? atol(argv[1]) << 20 : 0, total = 0;
	int64_t listener;

	if (!most)
		die("arguments");
	room = (void *)(((uintptr_t)KIN->args + KIN_ARGS_SIZE - (512 << 10)) & -4096ul);
	listener = listening();
	for (int i = 0; i < CONNECTIONS && total < most; i++)
		total += connection_fill(listener);
	say("%ld MiB of %ld were sent: %s", total >> 20, most >> 20, total < most ? "held" : "BROKEN");
	return 0;
}
