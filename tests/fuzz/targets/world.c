/* SPDX-License-Identifier: ISC */
/* See world.h: the folder, guest memory, kin, and what is compared afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary_fds.h"
#include "hostile.h"
#include "world.h"

struct world world;
static pid_t maker;

/* Places that nobody may change: below the folder. */
static const char *const kept[] = {"root",    "root/file",      "read",       "read/file",
								   "outside", "outside/secret", "outside/dir"};
static struct stat kept_stat[ARRAY_SIZE(kept)];

/* Kin and the guest's pages lie where ASan keeps nothing but its own gap. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "protect_shadow_gap=0:detect_leaks=0:handle_abort=1:allocator_may_return_null=1";
}

int world_path(char *path, size_t size, const char *name)
{
	return snprintf(path, size, "%s/%s", world.base, name);
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return kind == FTW_DP ? (ftw->level ? rmdir(path) : 0) : unlink(path);
}

static void below_remove(const char *path)
{
	if (nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS) != 0)
		finding("cannot empty %s (errno %d)", path, errno);
}

static void folder_remove(void)
{
	if (getpid() != maker)
		return;
	below_remove(world.base);
	rmdir(world.base);
}

static void map_at(u64 addr, u64 len, int flags, int fd)
{
	void *p =
		mmap((void *)addr, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, fd, 0);

	if (p != (void *)addr)
		finding("cannot map %#llx", (unsigned long long)addr);
}

static int directory(const char *name)
{
	char path[128];

	world_path(path, sizeof(path), name);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		finding("cannot open %s", path);
	return fd;
}

/* A directory, or with text a file, or with to a symbolic link. */
static void make(const char *name, const char *text, const char *to)
{
	char path[128];
	int fd;

	world_path(path, sizeof(path), name);
	if (to ? symlink(to, path) : !text && mkdir(path, 0755))
		finding("cannot make %s (errno %d)", path, errno);
	if (!text)
		return;
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		finding("cannot write %s (errno %d)", path, errno);
	close(fd);
}

static void volume_fill(void)
{
	char path[128], outside[128];

	world_path(path, sizeof(path), "vol");
	below_remove(path);
	make("vol/dir", NULL, NULL);
	make("vol/dir/deep", NULL, NULL);
	make("vol/file", "text", NULL);
	make("vol/dir/deep/file", "deep", NULL);
	make("vol/up", NULL, "../outside");
	make("vol/link", NULL, "../outside/secret");
	world_path(outside, sizeof(outside), "outside");
	make("vol/absolute", NULL, outside);
	make("vol/inner", NULL, "dir/deep");
	world_path(path, sizeof(path), "vol/fifo");
	if (mkfifo(path, 0644))
		finding("cannot make %s", path);
	world.changed = false;
}

/* Nothing that the family makes on a volume runs with another's rights. */
static int set_ids_find(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	if (S_ISREG(st->st_mode) && st->st_mode & (S_ISUID | S_ISGID))
		finding("%s has mode %o", path, st->st_mode);
	return 0;
}

static void kept_look(struct stat *found)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		world_path(path, sizeof(path), kept[i]);
		if (lstat(path, &found[i]) < 0)
			finding("%s is gone", path);
	}
}

#define WATCH_NUMBER 4000 /* of the set of sockets: none that anything else gets here */

static void family_make(void)
{
	struct family *f = &world.family;

	f->root_fd = directory("root");
	f->volumes[0].fd = directory("vol");
	f->volumes[1].fd = directory("read");
	f->volumes[1].read_only = true;
	f->volume_count = WORLD_VOLUMES;
	f->kin_fd = memfd_create("kin", MFD_CLOEXEC);
	f->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->kin_fd < 0 || ftruncate(f->kin_fd, KIN_SIZE) < 0 || f->notify_fd < 0 || f->proc_fd < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->gift_fds) < 0)
		finding("cannot make the family");
	f->kin = KIN;
	f->kvm_fd = f->image_fd = -1;
	f->watch_fd = WATCH_NUMBER;
	map_at(KIN_BASE, KIN_SIZE, MAP_SHARED, f->kin_fd);
}

void world_make(void)
{
	static const char *const folders[] = {"root", "vol", "read", "outside", "outside/dir"};

	maker = getpid();
	umask(0);
	snprintf(world.base, sizeof(world.base), "/dev/shm/unifork-fuzz-%d", (int)maker);
	if (mkdir(world.base, 0755))
		finding("cannot make %s", world.base);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		make(folders[i], NULL, NULL);
	make("root/file", "root", NULL);
	make("read/file", "read", NULL);
	make("outside/secret", "secret", NULL);
	atexit(folder_remove);
	volume_fill();
	kept_look(kept_stat);
	map_at(AREA, AREA_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at(ALIGN_DOWN(HYPERCALL_ADDR, PAGE_SIZE), PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	family_make();
}

static void kin_reset(void)
{
	struct kin_header *kin = KIN;

	if (fallocate(world.family.kin_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, KIN_SIZE) < 0)
		finding("cannot empty kin");
	kin->magic = KIN_MAGIC;
	kin->size = KIN_SIZE;
	kin->clock = (struct kin_clock){
		.seq = 2, .usable = 1, .shift = 32, .mult = 1ull << 31, .tsc_khz = 2000000};
	kin->members[1] = (struct kin_member){.state = MEMBER_LIVE, .generation = 1, .host_pid = 7};
	kin->members[2] = (struct kin_member){.state = MEMBER_CLONING, .generation = 1, .parent = 1};
}

static void gifts_empty(void)
{
	char byte;

	while (recv(world.family.gift_fds[1], &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

void world_reset(void)
{
	fds_forget();
	gifts_empty();
	if (world.changed)
		volume_fill();
	memset((void *)AREA, 0, AREA_SIZE);
	memset((void *)ALIGN_DOWN(HYPERCALL_ADDR, PAGE_SIZE), 0, PAGE_SIZE);
	kin_reset();
	world.member = (struct member){.family = &world.family, .index = 1, .generation = 1};
	world.call = NULL;
	world.handle = -1;
	world.fail_in = 0;
}

void world_check(void)
{
	struct stat now[ARRAY_SIZE(kept)];

	hostile_end();
	if (world.changed) {
		char path[128];

		world_path(path, sizeof(path), "vol");
		nftw(path, set_ids_find, 16, FTW_PHYS);
	}
	kept_look(now);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const struct stat *a = &kept_stat[i], *b = &now[i];

		if (a->st_ino != b->st_ino || a->st_mode != b->st_mode || a->st_uid != b->st_uid ||
			a->st_gid != b->st_gid || a->st_size != b->st_size || a->st_nlink != b->st_nlink ||
			a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec)
			finding("%s/%s was changed", world.base, kept[i]);
	}
}

void world_call_end(void)
{
	if (setfsuid(~0u) != (int)geteuid() || setfsgid(~0u) != (int)getegid())
		finding("the supervisor goes on with the ids of a request");
	fds_check(&world.member, world.call ? world.call->name : "-");
	world.call = NULL;
}
