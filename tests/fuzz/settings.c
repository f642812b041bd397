/* A file as a configuration. Either its faults all stand in it, or it is a model that can be compiled, and what `check --print`
 * says of it reads back as the same. */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../unit/rig.h"
#include "fuzz.h"
#include "settings/settings.h"

enum { TEXT_MAX = 8192 };

static void surround(void)
{
	static bool is_done;
	if (is_done)
		return;
	is_done = true;
	setenv("FUZZ_TEXT", "a text", 1);
	setenv("FUZZ_EMPTY", "", 1);
	setenv("FUZZ_YAML", "{a: [b, 'c']}\n#", 1);
	unsetenv("FUZZ_UNSET");
}

static void check_marks(const struct problems *problems, size_t lines)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *problem = &problems->items[i];
		if (!problem->text || !*problem->text || problem->mark.line > lines + 1)
			fuzz_fail("line %u of %zu: %s", problem->mark.line, lines, problem->text ? problem->text : "(none)");
	}
}

static char folder[] = "/tmp/statsidecar-fuzz-XXXXXX";
static char path[sizeof(folder) + 32];

static void leave(void)
{
	unlink(path);
	rmdir(folder);
}

/* In a folder where nothing else is: what a configuration includes is looked for beside it. */
static void enter(void)
{
	if (*path)
		return;
	if (!mkdtemp(folder))
		fuzz_fail("no folder");
	snprintf(path, sizeof(path), "%s/configuration", folder);
	atexit(leave);
}

static struct settings *load(struct span text, struct problems *problems)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text.at, text.len) != (ssize_t)text.len)
		fuzz_fail("no file");
	close(fd);
	return settings_load(&(struct settings_request){.config = path}, problems);
}

/* Models compile, or have faults. */
static bool compile(const struct settings *settings, struct problems *problems)
{
	static const struct hash_key key = {1, 2};
	const size_t before = problems->count;
	struct mapping *mapping = mapping_compile(&settings->model, &key, problems);
	if ((mapping != NULL) != (problems->count == before))
		fuzz_fail("a mapping and faults, or neither");
	mapping_free(mapping);
	return mapping != NULL;
}

static char *print(const struct settings *settings, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	if (!out)
		fuzz_fail("out of memory");
	settings_print(settings, out);
	fclose(out);
	return text;
}

/* What is printed is a configuration, which prints as the same. */
static void check_print(const struct settings *settings)
{
	struct problems problems = {0};
	size_t len = 0;
	size_t again_len = 0;
	char *text = print(settings, &len);
	struct settings *again = load((struct span){text, len}, &problems);
	if (!again || problems.count)
		fuzz_fail("what was printed has faults: %u:%u: %s\n%s", problems.count ? problems.items[0].mark.line : 0,
		          problems.count ? problems.items[0].mark.column : 0,
		          problems.count ? problems.items[0].text : "nothing could be read", text);
	char *again_text = print(again, &again_len);
	if (again_len != len || memcmp(text, again_text, len) != 0)
		fuzz_fail("printed once:\n%s\nand again:\n%s", text, again_text);
	free(text);
	free(again_text);
	settings_free(again);
	problems_fini(&problems);
}

/* A file of this machine would be another one elsewhere. */
static bool has_include(struct span text)
{
	return text.len >= 7 && memmem(text.at, text.len, "include", 7) && memchr(text.at, '/', text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span text = {(const char *)data, size};
	struct problems problems = {0};
	size_t lines = 1;
	if (size > TEXT_MAX || has_include(text))
		return 0;
	surround();
	enter();
	/* YAML's line ends: also CR, NEL, LS, PS, in any coding. */
	for (size_t i = 0; i < size; i++)
		lines += strchr("\n\r\x85\xa8\xa9\x28\x29", (int)data[i]) != NULL;
	struct settings *settings = load(text, &problems);
	check_marks(&problems, lines);
	if (!settings && !problems.count)
		fuzz_fail("neither settings nor a fault");
	const bool is_whole = problems.count == 0;
	if (settings && compile(settings, &problems) && is_whole)
		check_print(settings);
	check_marks(&problems, lines > 10000 ? lines : 10000);
	settings_free(settings);
	problems_fini(&problems);
	settings_names_free();
	return 0;
}
