/* SPDX-License-Identifier: ISC */
/*
 * setsockopt and getsockopt: what all families share; the rest is the family's. Source: socket(7).
 */
#include <asm/errno.h>
#include <asm/socket.h>

#include "kernel/arch/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/net/net.h"
#include "kernel/syscall/syscall.h"
#include "kernel/time/time.h"

#define VALUE_MAX 256
#define SEND_MIN 4608u
#define RECEIVE_MIN 2304u
#define LINGER_ON 0x80000000u

struct linger_value {
	s32 on, seconds;
};
struct time_value {
	s64 sec, usec;
};

static u32 flag_of(u32 name)
{
	switch (name) {
	case SO_PASSCRED: return SOCKET_PASSCRED;
	case SO_REUSEADDR: return SOCKET_REUSEADDR;
	case SO_KEEPALIVE: return SOCKET_KEEPALIVE;
	case SO_BROADCAST: return SOCKET_BROADCAST;
	case SO_REUSEPORT: return SOCKET_REUSEPORT;
	case SO_OOBINLINE: return SOCKET_OOBINLINE;
	case SO_TIMESTAMP_OLD: return SOCKET_TIMESTAMP;
	case SO_TIMESTAMPNS_OLD: return SOCKET_TIMESTAMPNS;
	default: return 0;
	}
}

static s64 timeout_set(_Atomic u64 *timeout, const struct time_value *t, u32 size)
{
	if (size < sizeof(*t))
		return -EINVAL;
	if (t->usec < 0 || t->usec >= 1000000)
		return -EDOM;
	if (t->sec < 0)
		atomic_store(timeout, 0);
	else if ((t->sec == 0 && t->usec == 0) || t->sec >= 1ll << 33)
		atomic_store(timeout, HYP_NO_DEADLINE);
	else
		atomic_store(timeout, (u64)t->sec * NSEC_PER_SEC + (u64)t->usec * 1000);
	return 0;
}

static s64 timeout_get(u64 timeout, struct time_value *t)
{
	*t = (struct time_value){0, 0};
	if (timeout != HYP_NO_DEADLINE) {
		t->sec = (s64)(timeout / NSEC_PER_SEC);
		t->usec = (s64)(timeout % NSEC_PER_SEC / 1000);
	}
	return sizeof(*t);
}

static s64 linger_set(struct socket *s, const struct linger_value *l, u32 size)
{
	if (size < sizeof(*l))
		return -EINVAL;
	atomic_store(&s->linger, (l->on ? LINGER_ON : 0) | ((u32)l->seconds & ~LINGER_ON));
	return 0;
}

/* Linux doubles what is asked for, for its own bookkeeping, and programs know. */
static u32 buffer_size(u32 value, u32 min, bool force)
{
	if (!force)
		value = MIN(value, NET_BUFFER_DEFAULT);
	return MAX(2 * MIN(value, 0x3fffffffu), min);
}

static s64 common_set(struct socket *s, u32 name, const void *value, u32 size)
{
	u32 flag = flag_of(name);
	s32 number = *(const s32 *)value;

	if (flag) {
		if (number)
			atomic_fetch_or(&s->flags, flag);
		else
			atomic_fetch_and(&s->flags, ~flag);
		return 0;
	}
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		atomic_store(&s->send_size, buffer_size((u32)number, SEND_MIN, name == SO_SNDBUFFORCE));
		if (net_family(s->family)->resized)
			net_family(s->family)->resized(s, true);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		atomic_store(&s->receive_size,
					 buffer_size((u32)number, RECEIVE_MIN, name == SO_RCVBUFFORCE));
		if (net_family(s->family)->resized)
			net_family(s->family)->resized(s, false);
		return 0;
	case SO_RCVLOWAT:
		atomic_store(&s->low_water, number < 0 ? 0x7fffffffu : MAX((u32)number, 1u));
		return 0;
	case SO_LINGER: return linger_set(s, value, size);
	case SO_RCVTIMEO_OLD: return timeout_set(&s->receive_timeout_ns, value, size);
	case SO_SNDTIMEO_OLD: return timeout_set(&s->send_timeout_ns, value, size);
	case SO_PRIORITY:
	case SO_DONTROUTE: return 0;
	default: return -ENOPROTOOPT;
	}
}

/* arg: level, name, value, size */
static s64 set_call(struct file *f, struct socket *s, const u64 *arg)
{
	u8 value[VALUE_MAX] __attribute__((aligned(8))) = {0};
	u32 level = (u32)arg[0], name = (u32)arg[1], size = (u32)arg[3];
	s64 r;

	if ((s32)size < 0 || (level == SOL_SOCKET && size < sizeof(s32)))
		return -EINVAL;
	if (copy_in(value, (void *)arg[2], MIN(size, sizeof(value))))
		return -EFAULT;
	r = level == SOL_SOCKET ? common_set(s, name, value, size) : -ENOPROTOOPT;
	if (r == -ENOPROTOOPT && net_family(s->family)->option_set)
		r = net_family(s->family)->option_set(s, level, name, value, size);
	if (!r && net_family(s->family)->option_told)
		net_family(s->family)->option_told(s, level, name, value, MIN(size, (u32)sizeof(value)));
	return r;
}

s64 sys_setsockopt(u64 fd, u64 level, u64 name, u64 user, u64 size)
{
	return SOCKET_RUN(fd, set_call, level, name, user, size);
}

static s64 number(void *value, u32 n)
{
	memcpy(value, &n, sizeof(n));
	return sizeof(n);
}

static s64 common_get(struct socket *s, u32 name, void *value)
{
	u32 flag = flag_of(name), linger = atomic_load(&s->linger);
	struct linger_value *l = value;

	if (flag)
		return number(value, !!(atomic_load(&s->flags) & flag));
	switch (name) {
	case SO_TYPE: return number(value, s->type);
	case SO_DOMAIN: return number(value, s->family);
	case SO_PROTOCOL: return number(value, s->protocol);
	case SO_ERROR: return number(value, net_family(s->family)->error_take(s));
	case SO_SNDBUF: return number(value, atomic_load(&s->send_size));
	case SO_RCVBUF: return number(value, atomic_load(&s->receive_size));
	case SO_RCVLOWAT: return number(value, atomic_load(&s->low_water));
	case SO_SNDLOWAT: return number(value, 1);
	case SO_LINGER:
		l->on = !!(linger & LINGER_ON);
		l->seconds = (s32)(linger & ~LINGER_ON);
		return sizeof(*l);
	case SO_RCVTIMEO_OLD: return timeout_get(atomic_load(&s->receive_timeout_ns), value);
	case SO_SNDTIMEO_OLD: return timeout_get(atomic_load(&s->send_timeout_ns), value);
	case SO_PRIORITY:
	case SO_DONTROUTE: return number(value, 0);
	default: return -ENOPROTOOPT;
	}
}

/* arg: level, name, value, address of the size */
static s64 get_call(struct file *f, struct socket *s, const u64 *arg)
{
	u8 value[VALUE_MAX] __attribute__((aligned(8))) = {0};
	u32 level = (u32)arg[0], name = (u32)arg[1];
	s32 size;
	s64 r;

	if (copy_in(&size, (void *)arg[3], sizeof(size)))
		return -EFAULT;
	if (size < 0)
		return -EINVAL;
	r = level == SOL_SOCKET ? common_get(s, name, value) : -ENOPROTOOPT;
	if (r == -ENOPROTOOPT && net_family(s->family)->option_get)
		r = net_family(s->family)->option_get(s, level, name, value, sizeof(value));
	if (r < 0)
		return r;
	size = MIN(size, (s32)r);
	if (copy_out((void *)arg[2], value, (u32)size))
		return -EFAULT;
	return copy_out((void *)arg[3], &size, sizeof(size));
}

s64 sys_getsockopt(u64 fd, u64 level, u64 name, u64 user, u64 user_size)
{
	return SOCKET_RUN(fd, get_call, level, name, user, user_size);
}
