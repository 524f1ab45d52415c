/* SPDX-License-Identifier: ISC */
/*
 * Programs that give more than their caller has: set-user-ID and set-group-ID, file capabilities,
 * and what takes that away: no_new_privs, the bounding set, securebits. Ambient capabilities,
 * AT_SECURE, dumpable, and what a capability that is missing means for root.
 * @test timeout=40 members=60 root
 */
#include "guest.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define NOBODY 65534
#define BIT(capability) (1ull << (capability))

static void caps_get(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct set[2];

	syscall(SYS_capget, &header, set);
	*effective = set[0].effective | (uint64_t)set[1].effective << 32;
	*permitted = set[0].permitted | (uint64_t)set[1].permitted << 32;
	*inheritable = set[0].inheritable | (uint64_t)set[1].inheritable << 32;
}

static void caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct set[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		 (uint32_t)(inheritable >> 32)}};

	okay("capset", syscall(SYS_capset, &header, set));
}

/* Of all sets only those that this test changes: how many others root has differs by system. */
static void show(const char *name)
{
	static const int looked_at[] = {CAP_CHOWN, CAP_SETUID, CAP_NET_RAW, CAP_SYS_CHROOT};
	uid_t uid[3];
	gid_t gid[3];
	uint64_t effective, permitted, inheritable;
	char caps[COUNT(looked_at) * 5 + 1] = "";

	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	caps_get(&effective, &permitted, &inheritable);
	for (size_t i = 0; i < COUNT(looked_at); i++) {
		uint64_t bit = BIT(looked_at[i]);
		char *at = caps + 5 * i;

		at[0] = effective & bit ? 'e' : '-';
		at[1] = permitted & bit ? 'p' : '-';
		at[2] = inheritable & bit ? 'i' : '-';
		at[3] = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, looked_at[i], 0, 0) ? 'a' : '-';
		at[4] = ' ';
	}
	say("%s: uid %d %d %d gid %d %d %d", name, (int)uid[0], (int)uid[1], (int)uid[2], (int)gid[0],
	    (int)gid[1], (int)gid[2]);
	say("%s: caps %s secure %d dumpable %d death %d", name, caps, (int)getauxval(AT_SECURE),
	    prctl(PR_GET_DUMPABLE), ({ int s = 0; prctl(PR_GET_PDEATHSIG, &s); s; }));
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		die("become nobody");
}

/* In a child: prepares, then runs the program under that name. */
static void run(const char *name, void (*prepare)(void), const char *program, int as)
{
	pid_t child = fork_or_die();

	if (!child) {
		if (prepare)
			prepare();
		if (as)
			become_nobody();
		execl(program, program, "show", name, (char *)NULL);
		result(name, -1);
		_exit(0);
	}
	child_wait(child);
}

static void no_new_privs(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void death_signal(void)
{
	become_nobody();
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
}

static void bounding(void)
{
	result("drop", prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
	result("read", prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0));
	result("read another", prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0));
	result("drop what is none", prctl(PR_CAPBSET_DROP, 63, 0, 0, 0));
}

static void ambient(void)
{
	uint64_t effective, permitted, inheritable;

	result("raise at once", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
	caps_get(&effective, &permitted, &inheritable);
	caps_set(effective, permitted, BIT(CAP_NET_RAW));
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	become_nobody();
	result("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
	result("raise another", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	result("is set", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0));
}

static void no_root(void)
{
	result("securebits", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0));
	result("unlock", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
	result("get", prctl(PR_GET_SECUREBITS));
}

/* Revision 2, with the effective bit or without. */
static void file_caps(const char *program, uint64_t permitted, uint64_t inheritable, bool effective)
{
	struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data = {{(uint32_t)permitted, (uint32_t)inheritable},
			 {(uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}},
	};

	okay("setcap", setxattr(program, "security.capability", &caps, sizeof(caps), 0));
}

static void set_ids(void)
{
	copy_self("program");
	chmod(".", 0755);
	run("ordinary", NULL, "./program", 1);
	chown("program", 1000, 1001);
	chmod("program", 04755);
	run("of 1000", NULL, "./program", 1);
	run("of 1000 for root", NULL, "./program", 0);
	chmod("program", 02755);
	run("group", NULL, "./program", 1);
	chmod("program", 02745);
	run("group without x", NULL, "./program", 1);
	chown("program", 0, 0);
	chmod("program", 06755);
	run("root's", NULL, "./program", 1);
	run("no new privileges", no_new_privs, "./program", 1);
	run("death signal", death_signal, "./program", 0);
	run("not root's at all", no_root, "./program", 1);
	file_write("script", "#!./program show\n");
	chmod("script", 06755);
	chmod("program", 0755);
	run("script", NULL, "./script", 1);
	chmod("program", 0711);
	run("unreadable", NULL, "./program", 1);
	chmod("program", 0755);
}

static void capabilities(void)
{
	copy_self("capable");
	file_caps("capable", BIT(CAP_NET_RAW), 0, true);
	run("effective", NULL, "./capable", 1);
	run("root with file's", NULL, "./capable", 0);
	run("no new privileges", no_new_privs, "./capable", 1);
	file_caps("capable", BIT(CAP_NET_RAW), BIT(CAP_SETUID), false);
	run("permitted", NULL, "./capable", 1);
	file_caps("capable", BIT(CAP_CHOWN), 0, true);
	run("beyond the bound", bounding, "./capable", 1);
	file_caps("capable", BIT(CAP_CHOWN), 0, false);
	run("cut by the bound", bounding, "./capable", 1);
	run("root, bounded", bounding, "./program", 0);
	run("ambient", ambient, "./program", 0);
	run("ambient and the file's", ambient, "./capable", 0);
	file_write("capable", "changed");
}

static int without(void *unused UNUSED)
{
	uint64_t effective, permitted, inheritable;

	caps_get(&effective, &permitted, &inheritable);
	caps_set(effective & ~(BIT(CAP_CHOWN) | BIT(CAP_SYS_CHROOT) | BIT(CAP_DAC_OVERRIDE) |
			       BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER)), permitted, 0);
	result("chown", chown("theirs", 5, 5));
	result("chroot", chroot("."));
	result("read", open("theirs", O_RDONLY));
	result("chmod", chmod("theirs", 0644));
	result("access", access("theirs", R_OK));
	result("eaccess", faccessat(AT_FDCWD, "theirs", R_OK, AT_EACCESS));
	caps_set(permitted, permitted, 0);
	result("chown, with all", chown("theirs", 5, 5));
	okay("read, with all", open("theirs", O_RDONLY));
	setfsuid(NOBODY);
	result("read as another", open("theirs", O_RDONLY));
	setfsuid(0);
	okay("read as root again", open("theirs", O_RDONLY));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "show")) {
		show(argv[2]);
		return 0;
	}
	work_dir();
	set_ids();
	capabilities();
	file_write("theirs", "secret");
	chown("theirs", NOBODY, NOBODY);
	chmod("theirs", 0600);
	child_report("without", child_start(without, NULL));
	return finish();
}
