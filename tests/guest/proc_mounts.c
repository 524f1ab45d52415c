/* SPDX-License-Identifier: ISC */
/*
 * /proc/self/mountinfo, mounts and mountstats against what stat and statfs say: device numbers,
 * parents, flags; and no directory claims to be a mount that is none.
 * @test timeout=20 members=1 nosvm
 */
#include "guest.h"
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define MOUNTS_MAX 256

static struct mount {
	unsigned id, parent, major, minor;
	char path[256], options[256], type[64], source[256];
} mounts[MOUNTS_MAX];
static int count;

static void mountinfo_read(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "r");
	char line[2048];

	if (!file)
		die("mountinfo");
	while (count < MOUNTS_MAX && fgets(line, sizeof(line), file)) {
		struct mount *m = &mounts[count];
		char *rest = strstr(line, " - ");
		if (sscanf(line, "%u %u %u:%u %*s %255s %255s", &m->id, &m->parent, &m->major, &m->minor,
				   m->path, m->options) != 6 ||
			!rest || sscanf(rest, " - %63s %255s", m->type, m->source) != 2)
			die("a line of mountinfo");
		count++;
	}
	fclose(file);
}

/* The topmost one at that path. */
static const struct mount *mount_at(const char *path)
{
	for (int i = count - 1; i >= 0; i--)
		if (!strcmp(mounts[i].path, path))
			return &mounts[i];
	return NULL;
}

static const struct mount *mount_with(unsigned id)
{
	for (int i = 0; i < count; i++)
		if (mounts[i].id == id)
			return &mounts[i];
	return NULL;
}

static bool has(const char *options, const char *option)
{
	size_t n = strlen(option);

	for (const char *at = strstr(options, option); at; at = strstr(at + 1, option))
		if ((at == options || at[-1] == ',') && (at[n] == ',' || !at[n]))
			return true;
	return false;
}

static int flags_wrong(const struct mount *m)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} names[] = {{"ro", ST_RDONLY},     {"nosuid", ST_NOSUID},    {"nodev", ST_NODEV},
				 {"noexec", ST_NOEXEC}, {"relatime", ST_RELATIME}};
	struct statvfs s;
	int wrong = 0;

	if (statvfs(m->path, &s))
		return 1;
	for (size_t i = 0; i < COUNT(names); i++)
		wrong += has(m->options, names[i].name) != !!(s.f_flag & names[i].flag);
	return wrong;
}

/* As mountpoint(1) and df see it, and as the list says. */
static bool agrees(const char *path, const char *parent)
{
	struct stat own, above;

	if (stat(path, &own) || stat(parent, &above))
		return false;
	return (own.st_dev != above.st_dev) == (mount_at(path) != NULL);
}

int main(void)
{
	int devices = 0, parents = 0, flags = 0, lines = 0;
	char text[4096];
	struct stat st;

	mountinfo_read();
	for (int i = 0; i < count; i++) {
		const struct mount *m = &mounts[i], *above = mount_with(m->parent);
		if (mount_at(m->path) != m)
			continue;
		if (stat(m->path, &st) || st.st_dev != makedev(m->major, m->minor)) {
			say("device of %s", m->path);
			devices++;
		}
		if (strcmp(m->path, "/") &&
			(!above || strncmp(above->path, m->path, strlen(above->path)))) {
			say("parent of %s", m->path);
			parents++;
		}
		flags += flags_wrong(m);
	}
	say("wrong devices %d, parents %d, flags %d", devices, parents, flags);
	check("/", mount_at("/") != NULL);
	check("/proc", agrees("/proc", "/"));
	check("/dev", agrees("/dev", "/"));
	check("/dev/shm", agrees("/dev/shm", "/dev"));
	check("/dev/pts", agrees("/dev/pts", "/dev"));
	check("/sys", agrees("/sys", "/"));
	check("/tmp", agrees("/tmp", "/"));
	check("/usr", agrees("/usr", "/"));
	say("types: %s %s %s", mount_at("/proc")->type, mount_at("/dev")->type, mount_at("/sys")->type);

	FILE *file = fopen("/proc/mounts", "r");
	while (file && fgets(text, sizeof(text), file))
		lines++;
	check("as many in /proc/mounts", lines == count);
	file = freopen("/proc/self/mountstats", "r", file);
	for (; file && fgets(text, sizeof(text), file); lines--)
		if (strncmp(text, "device ", 7) || !strstr(text, " mounted on ") ||
			!strstr(text, " with fstype "))
			say("mountstats: %s", text);
	check("as many in mountstats", lines == 0);
	return finish();
}
