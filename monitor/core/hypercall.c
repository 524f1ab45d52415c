/* SPDX-License-Identifier: ISC */
/*
 * Dispatch of hypercalls. The frame lies in guest memory, which other code of the guest may be
 * changing: it is copied once, each argument is checked against the kind that abi/hypercalls.def
 * declares, and only then a handler runs. What a kind cannot say (values of flags, say) is
 * checked by the handler.
 */
#include <errno.h>

#include "monitor/core/core_internal.h"

const struct hypercall_info hypercall_table[HYPERCALL_COUNT] = {
#define HYPERCALL(name, kinds, host, why) [HYP_##name] = {#name, kinds, host, why, hyp_##name},
#include "abi/hypercalls.def"
#undef HYPERCALL
};

_Static_assert(HYPERCALL_COUNT <= STATS_HYPERCALLS, "kin_stats has a count for every hypercall");

/* Not on the stack: a clone copies each page of that which it writes. */
static char path_buffers[2][HYPERCALL_PATH_MAX];

static s64 buffer_check(const struct family *f, u64 addr, u64 len)
{
	if (len > HYPERCALL_BUFFER_MAX)
		return -EINVAL;
	return len == 0 || guest_range_valid(f, addr, len) ? 0 : -EFAULT;
}

/*
 * The argument that holds the length of argument i: the next, or for map_kin's kin range the one
 * before.
 */
static u64 range_len(const struct hypercall_info *info, const struct hypercall_call *call,
					 unsigned i)
{
	if (i + 1 < HYPERCALL_ARGS && info->kinds[i + 1] == ARG_RANGE_LEN)
		return call->arg[i + 1];
	return i > 0 && info->kinds[i - 1] == ARG_RANGE_LEN ? call->arg[i - 1] : 0;
}

FORK_PATH static s64 arg_check(const struct member *m, const struct hypercall_info *info,
					 struct hypercall_call *call, unsigned i)
{
	u64 v = call->arg[i];
	s64 n;

	switch (info->kinds[i]) {
	case ARG_NONE:
	case ARG_U64:
	case ARG_LEN:
	case ARG_RANGE_LEN: return 0; /* lengths are checked with what they measure */
	case ARG_MEMBER: return v < MEMBERS_MAX ? 0 : -EINVAL;
	case ARG_BUF_IN:
	case ARG_BUF_OUT: return buffer_check(m->family, v, call->arg[i + 1]);
	case ARG_RANGE:
		return guest_app_range_valid(m->family, v, range_len(info, call, i)) ? 0 : -EINVAL;
	case ARG_KIN_RANGE: return guest_kin_pages_valid(v, range_len(info, call, i)) ? 0 : -EINVAL;
	case ARG_KIN_WORD:
		return v >= KIN_BASE && v <= KIN_END - sizeof(u32) && v % sizeof(u32) == 0 ? 0 : -EFAULT;
	case ARG_TREE: return v <= m->family->volume_count ? 0 : -EINVAL;
	case ARG_PATH:
		call->path = path_buffers[0];
		n = guest_string(m->family, call->path, v, HYPERCALL_PATH_MAX);
		return n < 0 ? n : 0;
	case ARG_PATH_OTHER:
		call->other = path_buffers[1];
		n = guest_string(m->family, call->other, v, HYPERCALL_PATH_MAX);
		return n < 0 ? n : 0;
	case ARG_HANDLE: return handle_valid(m, v) ? 0 : -EBADF;
	}
	return -EINVAL;
}

FORK_PATH s64 hypercall_check(const struct member *m, struct hypercall_call *call)
{
	if (call->number >= HYPERCALL_COUNT)
		return -ENOSYS;
	for (unsigned i = 0; i < HYPERCALL_ARGS; i++) {
		s64 r = arg_check(m, &hypercall_table[call->number], call, i);
		if (r < 0)
			return r;
	}
	return 0;
}

FORK_PATH void hypercall_dispatch(struct member *m)
{
	struct hypercall_frame frame;
	struct hypercall_call call;
	s64 r;

	if (guest_read(&frame, HYPERCALL_ADDR, sizeof(frame)) < 0)
		member_die(m, "the hypercall page is gone");
	call.number = frame.number;
	__builtin_memcpy(call.arg, frame.arg, sizeof(call.arg));
	r = hypercall_check(m, &call);
	if (r == 0) {
		m->counts[call.number]++;
		if (call.number != HYP_wake && call.number != HYP_exit)
			title_update(m);
		r = hypercall_table[call.number].handler(m, &call);
	}
	if (guest_write(HYPERCALL_ADDR + offsetof(struct hypercall_frame, ret), &r, sizeof(r)) < 0)
		member_die(m, "the hypercall page is gone");
}
