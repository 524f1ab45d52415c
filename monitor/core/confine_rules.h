/* SPDX-License-Identifier: ISC */
/*
 * The seccomp allowlist as data: host_calls.def read into C. confine_filter.c makes a program of
 * it, tools/gen_security_md.py a page.
 *
 * Most arguments of system calls are ints, of which the host kernel looks at the lower half only:
 * their tests do the same, so whatever stands above changes nothing. FD, ANY_FD, STANDARD_FD,
 * OWN_FD, FAMILY_FD, PUBLISHED_FD, PROCESS, INT*, UP_TO, ONE_OF and REQUEST are of this kind, the
 * others compare 64 bits.
 */
#ifndef MONITOR_CORE_CONFINE_RULES_H
#define MONITOR_CORE_CONFINE_RULES_H

#include "monitor/core/grants.h"

#define CALL_RULES_MAX 5
#define HOST_CALLS_MAX 64

/* Which families a rule is for: all conditions together. */
#define WHEN_VM 1u          /* backend kvm */
#define WHEN_HOST 2u        /* the guest runs on the host: backend process */
#define WHEN_VOLUMES 4u     /* there is a volume */
#define WHEN_WRITES 8u      /* there is a volume that may be written */
#define WHEN_NO_FSGSBASE 16u
#define WHEN_NAMESPACED 32u /* the family has a PID namespace */
#define WHEN_PLAIN 64u      /* it has none */
#define WHEN_GIFTS 128u     /* members get descriptors from the supervisor */
#define WHEN_SOCKETS 256u   /* there are sockets of the host, made or handed */
#define WHEN_NET 512u       /* members may make them */
#define WHEN_PUBLISHED 1024u /* some listen since before the start */

enum test_kind {
	TEST_NONE,          /* ends a list of tests */
	TEST_FD,            /* a descriptor above 2; not negative, so not AT_FDCWD */
	TEST_ANY_FD,        /* a descriptor */
	TEST_STANDARD_FD,   /* 0, 1 or 2 */
	TEST_OWN_FD,        /* as FD, and none that a FAMILY_FD or a tree is */
	TEST_FAMILY_FD,     /* that descriptor of the family */
	TEST_PUBLISHED_FD,  /* a socket that listens since before the start */
	TEST_PROCESS,       /* one process: above 0, so neither a group nor all */
	TEST_INT,           /* the value */
	TEST_INT_BITS,      /* no bits but these */
	TEST_INT_MASKED,    /* the value under the mask */
	TEST_UP_TO,         /* unsigned, at most the value */
	TEST_ONE_OF,        /* of the list */
	TEST_REQUEST,       /* of the ioctls for that descriptor */
	TEST_WORD,          /* 64 bits: the value */
	TEST_PROTECTION,    /* 64 bits: PROT_* as the backend needs them */
	TEST_POINTS_TO,     /* the beginning of an element of these constants (host_constants.h) */
	TEST_KIN_WORD,      /* an address in kin */
	TEST_PRIVATE_RANGE, /* address and length: whole pages, none behind private memory */
};

enum family_fd {
	KIN_FD,
	NOTIFY_FD,
	KVM_FD,
	VM_FD,
	VCPU_FD,
	GIFT_FD,
	WATCH_FD,
	STANDARD_FDS, /* of REQUEST: the terminal's requests */
};

enum host_constant {
	HOST_HOWS_READ,
	HOST_HOWS_WRITE,
	LINGERS,
	NO_PATH,
};

struct arg_test {
	u8 kind;           /* enum test_kind */
	u8 arg;
	u8 other;          /* PRIVATE_RANGE: the argument that is the length */
	u8 list_len;
	u32 mask;
	u64 value;         /* or an enum family_fd, or an enum host_constant */
	const u32 *list;
};

struct host_rule {
	u32 when;
	const struct arg_test *tests; /* TEST_NONE ends them */
};

/* Each as long as it is: every page with pointers is written when the executable is relocated. */
struct host_call {
	const char *name;
	u32 nr;
	u32 rule_count;
	const struct host_rule *rules;
};

extern const struct host_call host_calls[];
extern const u32 host_call_count;

/* The conditions that hold for a family on this host: WHEN_*. */
u32 confine_conditions(const struct family *f, bool fsgsbase);
/* Is the rule for a family of these conditions? */
static inline bool rule_applies(const struct host_rule *rule, u32 conditions)
{
	return (rule->when & ~conditions) == 0;
}
/* The number of a family's descriptor, or -1. */
s64 family_fd(const struct family *f, enum family_fd which);
/*
 * For the unit test: every name in the table of hypercalls has a row and every row is needed; else
 * *missing names one.
 */
bool confine_rules_complete(const char **missing);

/* The whole program for a family: instructions, or 0 and err. conditions: confine_conditions. */
struct sock_filter;
size_t confine_program(const struct family *f, u32 conditions, struct sock_filter *out, size_t max,
					   struct error *err);

#endif
