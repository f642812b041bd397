#include "settings_support.h"

#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void support_clear_environment(void)
{
	static const char *const names[] = {
		"STATSIDECAR_CONFIG", "DD_DOGSTATSD_URL", "DD_AGENT_HOST",  "DD_DOGSTATSD_PORT", "STATSD_HOST",
		"STATSD_PORT",        "DD_ENV",           "DD_SERVICE",     "DD_VERSION",        "DD_TAGS",
		"DD_ENTITY_ID",       "DD_EXTERNAL_ENV",  "DD_CARDINALITY",
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static void support_path(char *out, size_t size, const char *folder, const char *name)
{
	ck_assert_int_lt(snprintf(out, size, "%s/%s", folder, name), (int)size);
}

static void support_write(const char *folder, const struct support_file *file)
{
	char path[512];
	support_path(path, sizeof(path), folder, file->name);
	for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		(void)mkdir(path, 0700);
	}
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(file->text, out);
	ck_assert_int_eq(fclose(out), 0);
}

static void support_remove(const char *folder, const struct support_file *files)
{
	char path[512];
	for (const struct support_file *file = files; file->name; file++) {
		support_path(path, sizeof(path), folder, file->name);
		ck_assert_int_eq(unlink(path), 0);
		char *slash = strrchr(path, '/');
		*slash = 0;
		if (strcmp(path, folder) != 0)
			(void)rmdir(path); /* once it is empty */
	}
	ck_assert_int_eq(rmdir(folder), 0);
}

/* text with every `FOLDER/` taken out of it. */
static void put_without(FILE *out, const char *text, const char *folder)
{
	size_t len = strlen(folder);
	while (*text) {
		if (strncmp(text, folder, len) == 0 && text[len] == '/')
			text += len + 1;
		else
			fputc(*text++, out);
	}
}

static char *support_text(struct problems *problems, const char *folder, const char *own)
{
	char *text = NULL;
	size_t len;
	problems_sort(problems);
	FILE *out = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *problem = &problems->items[i];
		if (strcmp(problem->mark.file, own) != 0) {
			put_without(out, problem->mark.file, folder);
			fputc(':', out);
		}
		fprintf(out, "%u:%u: ", problem->mark.line, problem->mark.column);
		put_without(out, problem->text, folder);
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

void support_load(const struct support_file *files, const struct settings_request *request, struct settings **settings,
                  char **faults)
{
	char folder[] = "/tmp/statsidecar-settings-XXXXXX", own[512];
	struct problems problems = {0};
	struct settings_request whole = request ? *request : (struct settings_request){.config = NULL};
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (const struct support_file *file = files; file->name; file++)
		support_write(folder, file);
	support_path(own, sizeof(own), folder, files->name);
	whole.config = own;
	struct settings *loaded = settings_load(&whole, &problems);
	char *text = support_text(&problems, folder, own);
	support_remove(folder, files);
	problems_fini(&problems);
	if (settings)
		*settings = loaded;
	else
		settings_free(loaded);
	if (faults)
		*faults = text;
	else
		free(text);
}

struct settings *support_settings(const char *text)
{
	const struct support_file files[] = {{"c.yaml", text}, {NULL, NULL}};
	struct settings *settings;
	char *faults;
	support_load(files, NULL, &settings, &faults);
	ck_assert_msg(*faults == 0, "got faults:\n%sof:\n%s", faults, text);
	free(faults);
	return settings;
}

char *support_faults(const char *text)
{
	const struct support_file files[] = {{"c.yaml", text}, {NULL, NULL}};
	char *faults;
	support_load(files, NULL, NULL, &faults);
	return faults;
}
