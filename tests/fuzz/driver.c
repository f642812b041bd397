/* main() of a fuzz target without a fuzzer: runs the files that it is given, or those of its own corpus
 * ($srcdir/tests/fuzz/corpus/TARGET), one after the other. TAP; the name of the file that is running stands in the output
 * before anything goes wrong. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "../property/tap.h"
#include "fuzz.h"

static void run_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0;
	size_t size = 0;
	if (!in)
		fuzz_fail("%s cannot be opened", path);
	do {
		size += 65536;
		text = realloc(text, size);
		if (!text)
			fuzz_fail("out of memory");
		len += fread(text + len, 1, size - len, in);
	} while (len == size);
	if (ferror(in))
		fuzz_fail("%s cannot be read", path);
	fclose(in);
	/* Exactly as large as it is, for the sanitizers. */
	char *input = fuzz_copy((struct span){text, len}, 0);
	free(text);
	LLVMFuzzerTestOneInput((const uint8_t *)input, len);
	fuzz_free(input, 0);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static unsigned run_folder(const char *folder)
{
	struct dirent **entries;
	unsigned inputs = 0;
	const int count = scandir(folder, &entries, is_input, alphasort);
	for (int i = 0; i < count; i++) {
		char path[4096];
		if (snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) >= (int)sizeof(path))
			fuzz_fail("%s has a path that is too long", entries[i]->d_name);
		tap_note("%s", entries[i]->d_name);
		fflush(stdout);
		run_file(path);
		inputs++;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return inputs;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *target = slash ? slash + 1 : argv[0];
	const char *srcdir = getenv("srcdir");
	unsigned inputs = 0;
	char text[512];
	for (int i = 1; i < argc; i++, inputs++) {
		tap_note("%s", argv[i]);
		fflush(stdout);
		run_file(argv[i]);
	}
	if (argc == 1) {
		snprintf(text, sizeof(text), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", target);
		inputs = run_folder(text);
	}
	snprintf(text, sizeof(text), "%s: %u inputs", target, inputs);
	tap_ok(inputs > 0, text);
	return tap_end();
}
