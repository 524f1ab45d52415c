/* SPDX-License-Identifier: ISC */
/* The only way out of the kernel: one typed function per hypercall. */
#ifndef KERNEL_HOST_HOST_H
#define KERNEL_HOST_HOST_H

#include "abi/hypercall.h"

s64 hypercall(enum hypercall_number nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

_Noreturn void host_panic(const char *text, size_t len);
void host_log(const char *text, size_t len);
_Noreturn void host_exit(int status);
s64 host_clone(u32 member);
void host_notify(void);
void host_kick(u32 member);
/* events: or NULL */
s64 host_sleep(u32 seen, u64 deadline_ns, struct hyp_pollfd *fds, u32 nfds, u64 wake_member,
			   struct hyp_events *events);
void host_wake(u32 member);
s64 host_futex_wait(_Atomic u32 *word, u32 expected, u64 timeout_ns);
s64 host_futex_wake(_Atomic u32 *word, u32 n);
void host_timer(u64 deadline_ns);
void host_yield(void);
s64 host_populate(u64 addr, u64 len);
s64 host_map_anon(u64 addr, u64 len, int prot);
s64 host_map_file(u64 addr, u64 len, int prot, int handle, u64 offset, int flags);
s64 host_map_kin(u64 addr, u64 len, u64 kin_offset, int prot);
s64 host_protect(u64 addr, u64 len, int prot);
s64 host_unmap(u64 addr, u64 len);
s64 host_discard(u64 addr, u64 len);
s64 host_advise(u64 addr, u64 len, int advice);
s64 host_resident(u64 addr, u64 len, u8 *pages); /* a byte for each; the lowest bit */
s64 host_kin_discard(u64 kin_offset, u64 len);
s64 host_fs_open(u32 tree, const char *path, int flags, struct hyp_stat *st);
void host_fs_close(int handle);
s64 host_fs_stat(u32 tree, const char *path, struct hyp_stat *st);
/* st: room for n; how many components from byte from on were found */
s64 host_fs_lookup(u32 tree, const char *path, u32 from, struct hyp_stat *st, u32 n);
s64 host_fs_fstat(int handle, struct hyp_stat *st);
s64 host_fs_readlink(u32 tree, const char *path, char *buf, size_t len);
s64 host_fs_getdents(int handle, void *buf, size_t len, u64 pos);
s64 host_fs_pread(int handle, void *buf, size_t len, u64 pos);
s64 host_vol_receive(void);
s64 host_vol_write(int handle, struct hyp_write *w);
s64 host_vol_truncate(int handle, u64 size);
s64 host_vol_allocate(int handle, u32 mode, u64 pos, u64 len);
s64 host_vol_seek(int handle, u64 pos, int whence);
s64 host_vol_sync(int handle, enum hyp_sync what);
s64 host_vol_statfs(u32 tree, void *buf, size_t len);
s64 host_io_read(int handle, void *buf, size_t len, enum hyp_io wait);
s64 host_io_write(int handle, const void *buf, size_t len, enum hyp_io wait);
s64 host_io_seek(int handle, s64 offset, int whence);
s64 host_io_ioctl(int handle, u64 cmd, void *buf, size_t len);
/* Sockets. Addresses are struct sockaddr, of address_max bytes at most. */
s64 host_net_socket(u32 family, u32 type, u32 protocol);
s64 host_net_bind(int handle, const void *address, u32 len);
s64 host_net_listen(int handle, u32 backlog);
s64 host_net_connect(int handle, const void *address, u32 len);
s64 host_net_accept(int handle, void *address, u32 room);
s64 host_net_shutdown(int handle, u32 how);
s64 host_net_name(int handle, bool peer, void *address, u32 room);
s64 host_net_send(int handle, const struct hyp_message *m);
s64 host_net_receive(int handle, struct hyp_message *m);
s64 host_net_option_get(int handle, u32 level, u32 name, void *value, u32 size);
s64 host_net_option_set(int handle, u32 level, u32 name, const void *value, u32 size);
s64 host_net_ioctl(int handle, u32 request);
s64 host_net_watch(int handle, u64 data, bool on);
s64 host_random(void *buf, size_t len);
s64 host_clock(int clock);
s64 host_usage(struct hyp_usage *usage);

#endif
