/* SPDX-License-Identifier: ISC */
/*
 * Runs a target on files: regression tests and coverage without libFuzzer. Arguments are files or
 * folders of files; the last line counts them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "input.h"

#define INPUT_MAX (1u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const char *running = "";
static unsigned count;

/* For finding.c; where libFuzzer runs the target it keeps the input itself. */
const char *replay_name(void);
const char *replay_name(void)
{
	return running;
}

static void file_run(const char *path)
{
	FILE *f = fopen(path, "rb");
	u8 *data = malloc(INPUT_MAX);

	if (!f || !data) {
		perror(path);
		exit(1);
	}
	size_t n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* Of exactly that size, so that ASan sees what is read behind it. */
	u8 *exact = realloc(data, n ? n : 1);
	running = path;
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	count++;
}

static void path_run(const char *path)
{
	char below[4096];
	struct dirent *entry;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		file_run(path);
		return;
	}
	DIR *d = opendir(path);
	if (!d) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		file_run(below);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		path_run(argv[i]);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
