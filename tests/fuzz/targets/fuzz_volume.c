/* SPDX-License-Identifier: ISC */
/*
 * Paths on volumes, with others at work on the same tree: before each host call of a handler the
 * host, or another member, may put a link to the outside where a directory was, move a directory,
 * or swap two. An input is a list of steps: a handler of fs.c or hyp_volume.c with a path that was
 * checked for nothing but its length, a request to the supervisor (mode, owner, times), or a change
 * from outside. boundary.c and world_check find what leaves the volume.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary_fds.h"
#include "hostile.h"
#include "world.h"

#define STEPS_MAX 40
#define BUFFER (AREA + 0x1000)
#define BUFFER_SIZE 0x4000u

static struct input others; /* what they do between host calls */

static const char *const words[] = {
	"file", "dir", "deep", "up",  "link", "absolute", "inner",  "fifo",
	"..",   ".",   "",     "new", "new2", "outside",  "secret", "vol",
};

static void path(struct input *in, char *to)
{
	u8 how = input_u8(in), count = how % 5;
	size_t at = 0;

	if (how >= 250) { /* long */
		memset(to, 'x', HYPERCALL_PATH_MAX - 1);
		to[HYPERCALL_PATH_MAX - 1] = 0;
		to[input_u16(in) % (HYPERCALL_PATH_MAX - 1)] = '/';
		return;
	}
	if (how >= 240) { /* any bytes */
		at = input_u8(in);
		input_bytes(in, to, at);
		to[at] = 0;
		return;
	}
	if (how & 16)
		to[at++] = '/';
	for (u32 i = 0; i <= count; i++)
		at += (size_t)sprintf(to + at, "%s%s", i ? "/" : "", words[input_u8(in) % 16]);
}

/* One name below the volume, as somebody else sees it: who follows no link out of it either. */
struct spot {
	int dir; /* -1: it is not there */
	const char *name;
};

static struct spot spot(struct input *in)
{
	static const char *const below[] = {".", "dir", "dir/deep", "new"};
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
						   .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	const char *path = below[input_u8(in) % ARRAY_SIZE(below)];
	int volume = world.family.volumes[0].fd;

	return (struct spot){(int)syscall(SYS_openat2, volume, path, &how, sizeof(how)),
						 words[input_u8(in) % 8]};
}

/* Whatever comes of it: they may come too late, too. */
static void change(struct input *in)
{
	struct spot a = spot(in), b = spot(in);
	int fd;

	world.changed = true;
	switch (input_u8(in) % 8) {
	case 0: (void)!symlinkat("../outside", a.dir, a.name); break;
	case 1: (void)!symlinkat("../../outside/dir", a.dir, a.name); break;
	case 2: (void)!renameat(a.dir, a.name, b.dir, b.name); break;
	case 3: renameat2(a.dir, a.name, b.dir, b.name, RENAME_EXCHANGE); break;
	case 4: (void)!unlinkat(a.dir, a.name, 0); break;
	case 5: (void)!unlinkat(a.dir, a.name, AT_REMOVEDIR); break;
	case 6: mkdirat(a.dir, a.name, 0755); break;
	case 7:
		fd = openat(a.dir, a.name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
		break;
	}
	close(a.dir);
	close(b.dir);
}

static void between(void)
{
	while (input_left(&others) && input_u8(&others) & 1)
		change(&others);
}

static u64 tree(struct input *in)
{
	u8 v = input_u8(in);

	return v < 200 ? 1 : v % 3;
}

static u64 number(struct input *in)
{
	static const u64 some[] = {
		0,      O_DIRECTORY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT | O_EXCL, O_RDWR | O_CREAT,
		O_PATH, ~0ull,
	};
	u8 v = input_u8(in);

	return v < 240 ? some[v % ARRAY_SIZE(some)] : input_u64(in);
}

static u64 handle(struct input *in)
{
	u32 wanted = input_u8(in) % 8, seen = 0;

	for (u32 i = 3; i < HANDLES_MAX; i++)
		if (world.member.handles[i / 64] >> (i % 64) & 1 && seen++ == wanted)
			return i;
	return 1;
}

/* Calls with a path; handles are checked before a handler sees them. */
static void call(struct input *in)
{
	static const u8 numbers[] = {
		HYP_fs_open,  HYP_fs_open,     HYP_fs_stat,    HYP_fs_lookup, HYP_fs_readlink,
		HYP_fs_close, HYP_fs_getdents, HYP_vol_statfs, HYP_fs_pread,  HYP_vol_truncate,
	};
	static char paths[2][HYPERCALL_PATH_MAX];
	u64 nr = numbers[input_u8(in) % ARRAY_SIZE(numbers)];
	const struct hypercall_info *info = &hypercall_table[nr];
	struct hypercall_call c = {.number = nr, .path = paths[0], .other = paths[1]};

	for (u32 i = 0; i < HYPERCALL_ARGS; i++)
		switch (info->kinds[i]) {
		case ARG_TREE: c.arg[i] = tree(in); break;
		case ARG_HANDLE: c.arg[i] = handle(in); break;
		case ARG_BUF_IN:
		case ARG_BUF_OUT: c.arg[i] = BUFFER; break;
		case ARG_LEN: c.arg[i] = input_u8(in) < 200 ? BUFFER_SIZE : input_u8(in); break;
		case ARG_PATH: path(in, c.path); break;
		case ARG_PATH_OTHER: path(in, c.other); break;
		default: c.arg[i] = number(in);
		}
	if (nr == HYP_fs_lookup && input_u8(in) < 200)
		c.arg[2] = 0;
	if (nr == HYP_fs_getdents)
		handles_mark_shared(&world.member);
	world.call = info;
	info->handler(&world.member, &c);
	world_call_end();
}

/* What a member can have open: -1, or a descriptor that is closed afterwards. */
static int member_handle(struct input *in)
{
	static const mode_t modes[] = {0600, 06755, 0644, 04711};
	int volume = world.family.volumes[0].fd, fd;

	switch (input_u8(in) % 4) {
	case 0: return -1;
	case 1: return openat(world.family.root_fd, "file", O_RDONLY | O_CLOEXEC);
	case 2: return openat(volume, "file", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	}
	fd = openat(volume, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 && fchmod(fd, modes[input_u8(in) % ARRAY_SIZE(modes)]))
		finding("fchmod");
	return fd;
}

static void gift_look(int gift)
{
	struct stat st;

	if (!fds_has((u64)gift) || fds_place((u64)gift) != PLACE_VOLUME)
		finding("a gift from outside of the volume");
	if (fstat(gift, &st) < 0 || !S_ISREG(st.st_mode))
		finding("a gift of mode %o", st.st_mode);
	fds_closed((u64)gift);
	close(gift);
}

static u32 mode(struct input *in)
{
	static const u32 types[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFLNK, 0};

	return types[input_u8(in) % ARRAY_SIZE(types)] | (input_u16(in) & 07777);
}

static void request(struct input *in)
{
	static const u32 flags[] = {0, AT_REMOVEDIR, RENAME_EXCHANGE, RENAME_NOREPLACE, O_EXCL, ~0u};
	static struct volume_request r;
	int gift = -1;
	s64 result;

	memset(&r, 0, sizeof(r));
	r.kind = input_u8(in) % 16;
	r.tree = (u32)tree(in);
	r.mode = mode(in);
	r.uid = input_u8(in) < 200 ? input_u8(in) : (u32)input_u64(in);
	r.gid = input_u8(in) < 200 ? input_u8(in) : (u32)input_u64(in);
	r.flags = flags[input_u8(in) % ARRAY_SIZE(flags)];
	for (int i = 0; i < 2 && r.kind == VOLUME_SET_TIMES; i++) {
		r.times[i].sec = (s64)input_u64(in);
		r.times[i].nsec = input_u8(in) < 200 ? UTIME_NOW : (s64)input_u64(in);
	}
	path(in, r.path);
	path(in, r.other);
	if (input_u8(in) >= 250) { /* without an end */
		memset(r.path, 'y', sizeof(r.path));
		memset(r.other, 'y', sizeof(r.other));
	}
	world.call = NULL;
	world.handle = r.kind == VOLUME_NAME ? member_handle(in) : -1;
	result = volume_request_run(&world.family, &r, world.handle, &gift);
	if (gift >= 0)
		gift_look(gift);
	if (result == 0 && gift < 0 &&
		(r.kind == VOLUME_TMPFILE || (r.kind == VOLUME_MAKE && S_ISREG(r.mode))))
		finding("a file was made and not given");
	if (world.handle >= 0)
		close(world.handle);
	world.handle = -1;
	world_call_end();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	world_make();
	world.between = between;
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, data + size};

	world_reset();
	others = input_part(&in, input_u8(&in));
	for (u32 i = 0; i < STEPS_MAX && input_left(&in); i++) {
		u8 op = input_u8(&in);

		if (op < 160)
			call(&in);
		else if (op < 210)
			request(&in);
		else
			change(&in);
	}
	world_check();
	return 0;
}

/* ---- hypercalls of other files, which stand in the same table */
_Noreturn void member_die(struct member *m, const char *fmt, ...)
{
	finding("the member died: %s", fmt);
}

#define OTHER(name)                                            \
	s64 hyp_##name(struct member *m, struct hypercall_call *c) \
	{                                                          \
		finding("hypercall %s was made", #name);               \
	}
OTHER(panic)
OTHER(log)
OTHER(exit)
OTHER(clone)
OTHER(notify)
OTHER(sleep)
OTHER(wake)
OTHER(kick)
OTHER(futex_wait)
OTHER(futex_wake)
OTHER(timer)
OTHER(yield)
OTHER(populate)
OTHER(map_anon)
OTHER(map_file)
OTHER(map_kin)
OTHER(protect)
OTHER(unmap)
OTHER(discard)
OTHER(advise)
OTHER(resident)
OTHER(kin_discard)
OTHER(vol_receive)
OTHER(io_read)
OTHER(io_write)
OTHER(io_seek)
OTHER(io_ioctl)
OTHER(random)
OTHER(clock)
OTHER(usage)
OTHER(net_socket)
OTHER(net_bind)
OTHER(net_listen)
OTHER(net_connect)
OTHER(net_accept)
OTHER(net_shutdown)
OTHER(net_name)
OTHER(net_send)
OTHER(net_receive)
OTHER(net_option_get)
OTHER(net_option_set)
OTHER(net_ioctl)
OTHER(net_watch)
