/* SPDX-License-Identifier: ISC */
/*
 * Confinement: what a monitor gives up before its guest's first instruction. In the process
 * backend the guest shares the monitor's address space, so what is left here is all that a
 * hostile guest can reach, whatever code it jumps to:
 *
 *   no_new_privs        no set-user-ID program helps (and none can be executed)
 *   root directory      the supervisor's private one (private_root.c): nothing but what was
 *                       granted; without namespaces --root, if started by root
 *   user                started by root: an id that owns nothing, without groups
 *   capabilities        none; if started by root, CAP_DAC_READ_SEARCH to read --root as root would,
 *                       and CAP_DAC_OVERRIDE to write on volumes; in a user namespace they count
 *                       for the files that the family can name, and for nothing else
 *   RLIMIT_CORE 1       a crash writes no file, and starts no program of the host's core_pattern
 *   Landlock            reading below the root, writing on volumes; as far as the host's version
 *                       can: no other writing, no device ioctl, no TCP, no signal to others
 *   seccomp             the system calls of host_calls.def, arguments checked; others kill
 *
 * The Landlock ruleset and the seccomp program are the same for all monitors of a family: made
 * once (confinement_prepare), installed by each fresh monitor, inherited by clones.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monitor/core/core_internal.h"
#include "monitor/core/grants.h"

#define CAPABILITIES_MAX 64

int confinement_prepare(struct family *f, struct error *err)
{
	struct confinement *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, ENOMEM, "cannot prepare the confinement");
	if (confine_ruleset(f, c, err) < 0 || confine_filter(f, c, err) < 0) {
		free(c->filter);
		free(c);
		return -1;
	}
	f->confinement = c;
	return 0;
}

/*
 * A user and a group that own nothing on the host and that the host counts nothing else for. The
 * capabilities stay until confine_capabilities. An ordinary user's family stays that user's, with
 * its groups: they are part of what it may read below the root directory.
 */
static int confine_ids(const struct family *f, struct error *err)
{
	u32 id = f->monitor_id;

	if (!id)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return error_set(err, errno, "cannot give up root's user id");
	return 0;
}

/* All that the host's version knows. Without CAP_SETPCAP no_new_privs does as well. */
static int bounding_drop(u32 effective, struct error *err)
{
	for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
		int code = prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 ? errno : 0;

		if (code == EINVAL && prctl(PR_CAPBSET_READ, i, 0, 0, 0) < 0)
			break;
		if (code && (code != EPERM || effective & 1u << CAP_SETPCAP))
			return error_set(err, code, "cannot drop capability %u", i);
	}
	return 0;
}

/* The bounding and ambient sets first, while CAP_SETPCAP may still be there. */
static int confine_capabilities(const struct family *f, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	u32 keep = 0, wanted = 1u << CAP_DAC_READ_SEARCH;

	if (syscall(SYS_capget, &header, data) < 0)
		return error_set(err, errno, "cannot read the monitor's capabilities");
	if (bounding_drop(data[0].effective, err) < 0)
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* goes with capset, too */
	if (family_writes(f))
		wanted |= 1u << CAP_DAC_OVERRIDE;
	if (f->monitor_id || geteuid() == 0)
		keep = data[0].permitted & wanted;
	memset(data, 0, sizeof(data));
	data[0].permitted = data[0].effective = keep;
	if (syscall(SYS_capset, &header, data) < 0)
		return error_set(err, errno, "cannot drop capabilities");
	/* The supervisor takes files over from monitors (shelf.c); the change of ids forbade it. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return error_set(err, errno, "cannot let the supervisor look at its monitor");
	return 0;
}

/*
 * In namespaces there is no other root directory. Without them one is made of --root, if this is
 * root: Landlock guards what files hold, not their names and attributes.
 */
static int confine_root(const struct family *f, struct error *err)
{
	if (f->namespaced)
		return 0;
	if (fchdir(f->root_fd) < 0)
		return error_set(err, errno, "cannot enter the root directory");
	if (geteuid() != 0)
		return 0;
	return chroot(".") < 0 ? error_set(err, errno, "cannot change to the root directory") : 0;
}

static int confine_files(const struct family *f, struct error *err)
{
	int fd = f->confinement->ruleset_fd;

	if (fd < 0)
		return 0; /* confinement_prepare has said so */
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return error_set(err, errno, "cannot install the Landlock rules");
	close(fd);
	return 0;
}

/*
 * No number below that of the set of sockets stays free: a new set gets the lowest (hyp_net.c).
 * What takes them is what holds the place of the set, and can do nothing.
 */
static int confine_numbers(const struct family *f, struct error *err)
{
	int fd = -1;

	while (family_has_sockets(f) && fd < f->watch_fd) {
		fd = fcntl(f->watch_fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return error_set(err, errno, "cannot keep a descriptor for the set of sockets");
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int confine_syscalls(const struct family *f, struct error *err)
{
	struct sock_fprog program = {.len = f->confinement->filter_len,
								 .filter = f->confinement->filter};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_set(
			err, errno,
			"cannot install the seccomp filter; the host kernel needs CONFIG_SECCOMP_FILTER");
	return 0;
}

/*
 * No file, and no program of the host's: core(5) says that a limit of 1 keeps a pipe from getting
 * what a limit of 0 lets through. Who started the family may have forbidden to raise it to that.
 */
static int confine_core(struct error *err)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) < 0)
		return error_set(err, errno, "cannot read the limit of core files");
	core.rlim_cur = core.rlim_max = MIN(core.rlim_max, (rlim_t)1);
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return error_set(err, errno, "cannot turn off core files");
	return 0;
}

int confine(struct family *f, struct error *err)
{
	if (!f->confinement && confinement_prepare(f, err) < 0)
		return -1;
	if (confine_core(err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, errno, "cannot set no_new_privs");
	if (confine_root(f, err) < 0 || confine_ids(f, err) < 0 || confine_capabilities(f, err) < 0 ||
		confine_files(f, err) < 0)
		return -1;
	/* A change of credentials may have cleared it. */
	member_follow_supervisor(f);
	if (confine_numbers(f, err) < 0)
		return -1;
	return confine_syscalls(f, err);
}
