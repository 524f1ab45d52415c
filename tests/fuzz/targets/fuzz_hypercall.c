/* SPDX-License-Identifier: ISC */
/*
 * Hypercalls with hostile frames, one after the other, as a backend dispatches them; the guest
 * goes on writing its memory and kin meanwhile. An input is what of the network the family was
 * granted (net_world.h), a schedule for hostile.c, then a list of steps: a hypercall whose
 * arguments are chosen by their kinds (nearly right more often than not), or something that the
 * guest, the host or somebody on the network does between two.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary_fds.h"
#include "hostile.h"
#include "hypercall_net.h"
#include "monitor/backend/kvm/kvm.h"
#include "monitor/backend/process/process.h"
#include "monitor/core/tty_ioctls.h"
#include "world.h"

#define STEPS_MAX 48
#define PATHS_AT (AREA + 0x8000) /* where paths are put, a page each */

static struct kvm_state kvm;

/* What hypercalls reach of that backend. */
static const struct backend_ops kvm_memory = {
	.name = "kvm",
	.kind = BACKEND_KVM,
	.populate = kvm_populate,
	.map_anon = kvm_map_anon,
	.map_file = kvm_map_file,
	.map_kin = kvm_map_kin,
	.protect = kvm_protect,
	.unmap = kvm_unmap,
};

static u64 pick(struct input *in, const u64 *from, size_t n)
{
	return from[input_u8(in) % n];
}
#define PICK(in, array) pick(in, array, ARRAY_SIZE(array))

u64 choose_number(struct input *in)
{
	static const u64 odd[] = {
		~0ull,
		~0ull - 1,
		1ull << 63,
		(1ull << 63) - 1,
		1ull << 32,
		(1ull << 32) - 1,
		1ull << 31,
		MEMBERS_MAX,
		MEMBERS_MAX - 1,
		HANDLES_MAX,
		PAGE_SIZE,
		1ull << 20,
		HYPERCALL_BUFFER_MAX,
		HYPERCALL_BUFFER_MAX + 1,
		KIN_SIZE,
		PRIVATE_END,
	};
	static const u64 flags[] = {
		O_DIRECTORY,      O_WRONLY,           O_RDWR,    O_WRONLY | O_CREAT | O_EXCL,
		O_RDWR | O_CREAT, O_TMPFILE | O_RDWR, O_PATH,    O_TRUNC | O_RDWR,
		MAP_PRIVATE,      MAP_SHARED,         SEEK_DATA, SEEK_HOLE,
	};
	u8 how = input_u8(in);

	if (how < 160)
		return how % 16;
	if (how < 200)
		return PICK(in, flags);
	if (how < 220)
		return PICK(in, odd);
	return how < 240 ? input_u16(in) : input_u64(in);
}

u64 choose_address(struct input *in)
{
	static const u64 edges[] = {
		0,
		PRIVATE_BASE - 1,
		PRIVATE_BASE,
		AREA + AREA_SIZE - 1,
		AREA + AREA_SIZE,
		KERNEL_BASE,
		HYPERCALL_ADDR,
		KERNEL_END,
		PRIVATE_END - 1,
		PRIVATE_END,
		KIN_BASE,
		KIN_END - 4,
		KIN_END,
		~0ull,
		KIN_BASE + sizeof(struct kin_header),
		1ull << 47,
		(u64)&world,
	};
	u8 how = input_u8(in);

	if (how < 200)
		return AREA + input_u16(in) % AREA_SIZE;
	return how < 240 ? PICK(in, edges) : input_u64(in);
}

static u64 pages(struct input *in)
{
	u8 how = input_u8(in);

	if (how < 160)
		return AREA + (u64)(how % 16) * PAGE_SIZE;
	return how < 240 ? ALIGN_DOWN(choose_address(in), PAGE_SIZE) : choose_address(in);
}

u64 choose_length(struct input *in, bool paged)
{
	u8 how = input_u8(in);

	if (how < 200)
		return paged ? (how % 8u + 1) * PAGE_SIZE : how < 100 ? how * 8u : input_u16(in);
	return how < 240 ? choose_number(in) * PAGE_SIZE : choose_number(in);
}

static const char *const words[] = {
	"file", "dir", "deep", "up",  "link", "absolute", "inner",  "fifo",
	"..",   ".",   "",     "new", "new2", "outside",  "secret", "x",
};

/* A path in the guest's memory, or what is none. */
static u64 path(struct input *in, u64 slot)
{
	char *to = (char *)PATHS_AT + slot * PAGE_SIZE;
	u8 how = input_u8(in), count = how % 4;
	size_t at = 0;

	if (how >= 240)
		return choose_address(in);
	if (how & 16)
		to[at++] = '/';
	for (u32 i = 0; i <= count; i++)
		at += (size_t)sprintf(to + at, "%s%s", i ? "/" : "", words[input_u8(in) % 16]);
	return (u64)to;
}

static u64 handle(struct input *in)
{
	u32 wanted = input_u8(in), seen = 0;

	if (wanted < 32)
		return wanted % 4;
	if (wanted >= 250)
		return choose_number(in);
	if (wanted >= 200 && world.family.published_count)
		return (u64)world.family.published[wanted % world.family.published_count].fd;
	for (u32 i = 3; i < HANDLES_MAX; i++)
		if (world.member.handles[i / 64] >> (i % 64) & 1 && seen++ == wanted % 8)
			return i;
	return seen ? 3 : wanted % 3;
}

static u64 argument(struct input *in, enum hypercall_arg kind, bool paged_before)
{
	switch (kind) {
	case ARG_NONE: return 0;
	case ARG_U64: return choose_number(in);
	case ARG_MEMBER: return input_u8(in) < 200 ? input_u8(in) % 4 : choose_number(in);
	case ARG_BUF_IN:
	case ARG_BUF_OUT: return choose_address(in);
	case ARG_LEN: return choose_length(in, false);
	case ARG_RANGE: return pages(in);
	case ARG_RANGE_LEN: return choose_length(in, true);
	case ARG_KIN_WORD: return KIN_BASE + (choose_number(in) & ~3ull);
	case ARG_KIN_RANGE:
		return input_u8(in) < 200
				   ? ALIGN_UP(sizeof(struct kin_header), PAGE_SIZE) + choose_number(in) * PAGE_SIZE
				   : choose_number(in) * PAGE_SIZE;
	case ARG_TREE: return input_u8(in) < 200 ? input_u8(in) % 3 : choose_number(in);
	case ARG_PATH: return path(in, 0);
	case ARG_PATH_OTHER: return path(in, 1);
	case ARG_HANDLE: return handle(in);
	}
	return 0;
}

/* What a buffer has to hold for the call to come far. */
static void structure(struct input *in, struct hypercall_frame *f)
{
	struct hyp_write w = {
		.pos = choose_number(in), .flags = input_u8(in) % 9, .count = input_u8(in) % 66};
	struct hyp_pollfd p;
	u8 kinds = 0;

	switch (f->number) {
	case HYP_vol_write:
		for (u32 i = 0; i < MIN(w.count, (u32)HYP_WRITE_PIECES); i++) {
			w.piece[i].addr = choose_address(in);
			w.piece[i].len = choose_length(in, false);
		}
		f->arg[1] = AREA;
		f->arg[2] = sizeof(w);
		memcpy((void *)AREA, &w, sizeof(w));
		break;
	case HYP_sleep:
		f->arg[2] = AREA;
		f->arg[3] = sizeof(p) * (w.count % 8);
		for (u32 i = 0; i < w.count % 8; i++) {
			p = (struct hyp_pollfd){.handle = (s32)handle(in), .events = POLLIN | POLLOUT};
			memcpy((char *)AREA + i * sizeof(p), &p, sizeof(p));
		}
		break;
	case HYP_io_ioctl:
		while (tty_ioctls[kinds].size)
			kinds++;
		f->arg[1] = tty_ioctls[w.flags % kinds].request;
		f->arg[2] = AREA;
		f->arg[3] = sizeof(w);
		break;
	}
}

static void hypercall(struct input *in, u64 nr)
{
	struct hypercall_frame *to = (struct hypercall_frame *)HYPERCALL_ADDR, f = {.number = nr};
	const struct hypercall_info *info = nr < HYPERCALL_COUNT ? &hypercall_table[nr] : NULL;

	for (u32 i = 0; i < HYPERCALL_ARGS; i++)
		f.arg[i] = info ? argument(in, info->kinds[i], false) : input_u64(in);
	if (input_u8(in) < 220)
		structure(in, &f);
	if (family_has_sockets(&world.family))
		net_structure(in, &f);
	*to = f;
	world.call = info;
	hostile_on();
	if (!sigsetjmp(world.left, 0))
		hypercall_dispatch(&world.member);
	else
		hostile_on(); /* the host call did not come back */
	hostile_off();
	world_call_end();
}

/* From here on the member is its own clone: it has the same handles, and watches nothing. */
static void clone_enter(struct input *in)
{
	u32 index = input_u8(in) % 4;
	u32 generation = KIN->members[index].generation;

	world.call = &hypercall_table[HYP_clone];
	handles_mark_shared(&world.member);
	hostile_on();
	if (!sigsetjmp(world.left, 0))
		clone_become(&world.member, index, generation);
	else
		hostile_on();
	hostile_off();
	world_call_end();
}

/* As the supervisor does it: for this member, or for one that has not come for it. */
static void gift_send(struct input *in)
{
	struct gift gift = {input_u8(in) % 4, input_u8(in) % 3};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = {{0}};
	struct iovec iov = {&gift, sizeof(gift)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	bool socket = family_has_sockets(&world.family) && input_u8(in) & 1;
	int fd = socket ? net_world_connected()
					: openat(world.family.volumes[0].fd, "file", O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (fd >= 0 && sendmsg(world.family.gift_fds[0], &msg, MSG_DONTWAIT) < 0 && errno != EAGAIN)
		finding("a gift cannot be sent (errno %d)", errno);
	close(fd);
}

static void step(struct input *in)
{
	static const u32 errors[] = {ENOMEM, EAGAIN, EINTR, EIO, EMFILE, EACCES, ENOSPC, ENOENT};
	u8 op = input_u8(in);
	u64 v, at;

	if (op < 200) {
		hypercall(in, op % HYPERCALL_COUNT);
		return;
	}
	if (op >= 232 && family_has_sockets(&world.family)) {
		if (op == 255)
			clone_enter(in);
		else
			net_world_step(in);
		return;
	}
	switch (op % 8) {
	case 0: hypercall(in, choose_number(in)); break;
	case 1:
		at = input_u16(in) % (AREA_SIZE - sizeof(v));
		v = choose_number(in);
		memcpy((char *)AREA + at, &v, sizeof(v));
		break;
	case 2: *(u64 *)(KIN_BASE + input_u16(in) % 64 * 8) = choose_number(in); break;
	case 3: world.member.interrupted = !world.member.interrupted; break;
	case 4: gift_send(in); break;
	case 5:
		world.fail_in = input_u8(in) % 8;
		world.fail_errno = errors[input_u8(in) % ARRAY_SIZE(errors)];
		break;
	case 6:
		handles_mark_shared(&world.member);
		world.family.namespaced = !world.family.namespaced;
		break;
	case 7:
		world.member.backend = world.member.backend == &kvm_memory ? &backend_process : &kvm_memory;
		break;
	}
}

static u64 any_number(struct input *in)
{
	return choose_number(in);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	net_world_make();
	world_make();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, data + size};
	u8 grants = input_u8(&in), schedule = input_u8(&in);
	int lowest;

	world_reset();
	net_world_reset();
	lowest = fds_lowest();
	net_world_grant(&world.family, grants);
	world.family.namespaced = false;
	memset(&kvm, 0, sizeof(kvm));
	kvm.slots_max = 32;
	world.member.backend = &kvm_memory;
	world.member.backend_state = &kvm;
	hostile_begin(KIN_BASE, KIN_BASE + sizeof(struct kin_header), input_part(&in, schedule),
				  any_number);
	hostile_off();
	for (u32 i = 0; i < STEPS_MAX && input_left(&in); i++)
		step(&in);
	world_check();
	fds_forget();
	net_world_reset();
	if (fds_lowest() != lowest)
		finding("descriptor %d stays open after the input", lowest);
	return 0;
}

/* ---- the rest of the monitor, which nothing here may reach */
struct process_anchor process_anchor;

void process_hypercall_entry(void)
{
	finding("the process backend's entry was reached");
}

void process_set_fsbase(u64 base)
{
	finding("FS was set to %#llx", (unsigned long long)base);
}

_Noreturn void process_enter(u64 rip)
{
	finding("the guest was entered at %#llx", (unsigned long long)rip);
}

void process_restorer(void)
{
	finding("a signal handler has returned");
}

void process_signal(int sig, siginfo_t *info, void *context)
{
	finding("signal %d arrived", sig);
}

_Noreturn void stack_call(void *top, void (*fn)(void *), void *arg)
{
	finding("a member was started");
}

int image_protect(int (*fn)(u64 addr, u64 len, int prot))
{
	finding("the kernel image was protected");
}
