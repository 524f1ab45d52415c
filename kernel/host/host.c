/* SPDX-License-Identifier: ISC */
/* One typed function per hypercall; abi/hypercalls.def says what each does. */
#include "kernel/host/host.h"

#define CALL0(nr) hypercall(nr, 0, 0, 0, 0, 0, 0)
#define CALL1(nr, a) hypercall(nr, (u64)(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) hypercall(nr, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) hypercall(nr, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)
#define CALL5(nr, a, b, c, d, e) hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), 0)
#define CALL6(nr, a, b, c, d, e, f) \
	hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

_Noreturn void host_panic(const char *text, size_t len)
{
	for (;;)
		CALL2(HYP_panic, text, len);
}

void host_log(const char *text, size_t len)
{
	CALL2(HYP_log, text, len);
}

_Noreturn void host_exit(int status)
{
	for (;;)
		CALL1(HYP_exit, (u32)status);
}

s64 host_clone(u32 member)
{
	return CALL1(HYP_clone, member);
}

void host_notify(void)
{
	CALL0(HYP_notify);
}

s64 host_sleep(u32 seen, u64 deadline_ns, struct hyp_pollfd *fds, u32 nfds, u64 wake_member,
			   struct hyp_events *events)
{
	return CALL6(HYP_sleep, seen, deadline_ns, fds, nfds * sizeof(*fds), wake_member, events);
}

void host_wake(u32 member)
{
	CALL1(HYP_wake, member);
}

s64 host_futex_wait(_Atomic u32 *word, u32 expected, u64 timeout_ns)
{
	return CALL3(HYP_futex_wait, word, expected, timeout_ns);
}

s64 host_futex_wake(_Atomic u32 *word, u32 n)
{
	return CALL2(HYP_futex_wake, word, n);
}

void host_timer(u64 deadline_ns)
{
	CALL1(HYP_timer, deadline_ns);
}

void host_yield(void)
{
	CALL0(HYP_yield);
}

s64 host_populate(u64 addr, u64 len)
{
	return CALL2(HYP_populate, addr, len);
}

s64 host_map_anon(u64 addr, u64 len, int prot)
{
	return CALL3(HYP_map_anon, addr, len, prot);
}

s64 host_map_file(u64 addr, u64 len, int prot, int handle, u64 offset, int flags)
{
	return CALL6(HYP_map_file, addr, len, prot, handle, offset, flags);
}

s64 host_map_kin(u64 addr, u64 len, u64 kin_offset, int prot)
{
	return CALL4(HYP_map_kin, addr, len, kin_offset, prot);
}

s64 host_protect(u64 addr, u64 len, int prot)
{
	return CALL3(HYP_protect, addr, len, prot);
}

s64 host_unmap(u64 addr, u64 len)
{
	return CALL2(HYP_unmap, addr, len);
}

s64 host_discard(u64 addr, u64 len)
{
	return CALL2(HYP_discard, addr, len);
}

s64 host_advise(u64 addr, u64 len, int advice)
{
	return CALL3(HYP_advise, addr, len, advice);
}

s64 host_resident(u64 addr, u64 len, u8 *pages)
{
	return CALL4(HYP_resident, addr, len, pages, len / PAGE_SIZE);
}

s64 host_kin_discard(u64 kin_offset, u64 len)
{
	return CALL2(HYP_kin_discard, kin_offset, len);
}

s64 host_fs_open(u32 tree, const char *path, int flags, struct hyp_stat *st)
{
	return CALL5(HYP_fs_open, tree, path, flags, st, sizeof(*st));
}

void host_fs_close(int handle)
{
	CALL1(HYP_fs_close, handle);
}

s64 host_fs_stat(u32 tree, const char *path, struct hyp_stat *st)
{
	return CALL4(HYP_fs_stat, tree, path, st, sizeof(*st));
}

s64 host_fs_lookup(u32 tree, const char *path, u32 from, struct hyp_stat *st, u32 n)
{
	return CALL5(HYP_fs_lookup, tree, path, from, st, n * sizeof(*st));
}

s64 host_fs_fstat(int handle, struct hyp_stat *st)
{
	return CALL3(HYP_fs_fstat, handle, st, sizeof(*st));
}

s64 host_fs_readlink(u32 tree, const char *path, char *buf, size_t len)
{
	return CALL4(HYP_fs_readlink, tree, path, buf, len);
}

s64 host_fs_getdents(int handle, void *buf, size_t len, u64 pos)
{
	return CALL4(HYP_fs_getdents, handle, buf, len, pos);
}

s64 host_fs_pread(int handle, void *buf, size_t len, u64 pos)
{
	return CALL4(HYP_fs_pread, handle, buf, len, pos);
}

void host_kick(u32 member)
{
	CALL1(HYP_kick, member);
}

s64 host_vol_receive(void)
{
	return CALL0(HYP_vol_receive);
}

s64 host_vol_write(int handle, struct hyp_write *w)
{
	return CALL3(HYP_vol_write, handle, w, sizeof(*w));
}

s64 host_vol_truncate(int handle, u64 size)
{
	return CALL2(HYP_vol_truncate, handle, size);
}

s64 host_vol_allocate(int handle, u32 mode, u64 pos, u64 len)
{
	return CALL4(HYP_vol_allocate, handle, mode, pos, len);
}

s64 host_vol_seek(int handle, u64 pos, int whence)
{
	return CALL3(HYP_vol_seek, handle, pos, whence);
}

s64 host_vol_sync(int handle, enum hyp_sync what)
{
	return CALL2(HYP_vol_sync, handle, what);
}

s64 host_vol_statfs(u32 tree, void *buf, size_t len)
{
	return CALL3(HYP_vol_statfs, tree, buf, len);
}

s64 host_io_read(int handle, void *buf, size_t len, enum hyp_io wait)
{
	return CALL4(HYP_io_read, handle, buf, len, wait);
}

s64 host_io_write(int handle, const void *buf, size_t len, enum hyp_io wait)
{
	return CALL4(HYP_io_write, handle, buf, len, wait);
}

s64 host_io_seek(int handle, s64 offset, int whence)
{
	return CALL3(HYP_io_seek, handle, offset, whence);
}

s64 host_io_ioctl(int handle, u64 cmd, void *buf, size_t len)
{
	return CALL4(HYP_io_ioctl, handle, cmd, buf, len);
}

s64 host_net_socket(u32 family, u32 type, u32 protocol)
{
	return CALL3(HYP_net_socket, family, type, protocol);
}

s64 host_net_bind(int handle, const void *address, u32 len)
{
	return CALL3(HYP_net_bind, handle, address, len);
}

s64 host_net_listen(int handle, u32 backlog)
{
	return CALL2(HYP_net_listen, handle, backlog);
}

s64 host_net_connect(int handle, const void *address, u32 len)
{
	return CALL3(HYP_net_connect, handle, address, len);
}

s64 host_net_accept(int handle, void *address, u32 room)
{
	return CALL3(HYP_net_accept, handle, address, room);
}

s64 host_net_shutdown(int handle, u32 how)
{
	return CALL2(HYP_net_shutdown, handle, how);
}

s64 host_net_name(int handle, bool peer, void *address, u32 room)
{
	return CALL4(HYP_net_name, handle, address, room, peer);
}

s64 host_net_send(int handle, const struct hyp_message *m)
{
	return CALL3(HYP_net_send, handle, m, sizeof(*m));
}

s64 host_net_receive(int handle, struct hyp_message *m)
{
	return CALL3(HYP_net_receive, handle, m, sizeof(*m));
}

s64 host_net_option_get(int handle, u32 level, u32 name, void *value, u32 size)
{
	return CALL5(HYP_net_option_get, handle, level, name, value, size);
}

s64 host_net_option_set(int handle, u32 level, u32 name, const void *value, u32 size)
{
	return CALL5(HYP_net_option_set, handle, level, name, value, size);
}

s64 host_net_ioctl(int handle, u32 request)
{
	return CALL2(HYP_net_ioctl, handle, request);
}

s64 host_net_watch(int handle, u64 data, bool on)
{
	return CALL3(HYP_net_watch, handle, data, on);
}

s64 host_random(void *buf, size_t len)
{
	return CALL2(HYP_random, buf, len);
}

s64 host_clock(int clock)
{
	return CALL1(HYP_clock, clock);
}

s64 host_usage(struct hyp_usage *usage)
{
	return CALL2(HYP_usage, usage, sizeof(*usage));
}
