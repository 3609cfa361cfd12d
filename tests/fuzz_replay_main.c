/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz_replay_main.c - gives every file of a corpus to a fuzz target, without libFuzzer.
 *
 *     replay_<name> FILE|FOLDER...
 *
 * The name of a file is printed before it is tried, so the last name of a run that died is the one
 * that killed it. The closing line is "N inputs".
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void
give_up(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(2);
}

/* The bytes are in an allocation of exactly their size, so that ASan sees an overrun. */
static void
replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		give_up(path);
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, f) != size)
		give_up(path);
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static unsigned
replay(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		give_up(path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return 1;
	}
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	if (count < 0)
		give_up(path);
	unsigned inputs = 0;
	for (int i = 0; i < count; i++) {
		char child[1024];
		snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			inputs += replay(child);
		free(names[i]);
	}
	free(names);
	return inputs;
}

int
main(int argc, char **argv)
{
	unsigned inputs = 0;
	for (int i = 1; i < argc; i++)
		inputs += replay(argv[i]);
	printf("%u inputs\n", inputs);
	return 0;
}
