/* Files of one configuration: which are read, in which order, and how they are merged. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings_support.h"

Suite *settings_include_suite(void);

/* The files in the order in which they are asked, without folders. */
static void files_write(char *out, size_t size, const struct settings *settings)
{
	size_t len = 0;
	out[0] = 0;
	for (size_t i = 0; settings && i < settings->model.file_count; i++) {
		const char *path = settings->model.files[i].path, *slash = strrchr(path, '/');
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : "", slash ? slash + 1 : path);
	}
}

static const struct {
	const char *name;
	struct support_file files[SUPPORT_FILES_MAX + 1];
	const char *order;
	const char *faults;
} rows[] = {
	{"a file beside this one", {{"c.yaml", "include: [a.yaml]\n"}, {"a.yaml", "prefix: a\n"}}, "c.yaml a.yaml", ""},
	{"one text instead of a list", {{"c.yaml", "include: a.yaml\n"}, {"a.yaml", ""}}, "c.yaml a.yaml", ""},
	{"depth first",
         {{"c.yaml", "include: [a.yaml, b.yaml]\n"}, {"a.yaml", "include: [d.yaml]\n"}, {"b.yaml", ""}, {"d.yaml", ""}},
         "c.yaml a.yaml d.yaml b.yaml",
         ""},
	{"paths are relative to the file that says them",
         {{"c.yaml", "include: [x/a.yaml]\n"},
          {"x/a.yaml", "include: [b.yaml, ../d.yaml]\n"},
          {"x/b.yaml", ""},
          {"d.yaml", ""}},
         "c.yaml a.yaml b.yaml d.yaml",
         ""},
	{"globs in byte order",
         {{"c.yaml", "include: [\"x/*.yaml\"]\n"},
          {"x/b.yaml", ""},
          {"x/A.yaml", ""},
          {"x/a.yaml", ""},
          {"x/B.yaml", ""},
          {"x/other", "no: yaml\n"}},
         "c.yaml A.yaml B.yaml a.yaml b.yaml",
         ""},
	{"a glob that fits nothing", {{"c.yaml", "include: [\"conf.d/*.yaml\"]\n"}}, "c.yaml", ""},
	{"a file that is reached twice counts once",
         {{"c.yaml", "include: [a.yaml, b.yaml, ./a.yaml]\n"}, {"a.yaml", ""}, {"b.yaml", "include: [a.yaml]\n"}},
         "c.yaml a.yaml b.yaml",
         ""},
	{"a pack", {{"c.yaml", "include: [job]\n"}}, "c.yaml job", ""},
	{"a pack twice", {{"c.yaml", "include: [tasker-lifecycles, tasker]\n"}}, "c.yaml tasker-lifecycles tasker", ""},
	{"a file with a pack's name has a path", {{"c.yaml", "include: [./job]\n"}, {"job", ""}}, "c.yaml job", ""},
	{"a file without a suffix", {{"c.yaml", "include: [mine]\n"}, {"mine", ""}}, "c.yaml mine", ""},
	{"nothing to include", {{"c.yaml", "include: []\n"}}, "c.yaml", ""},

	{"a circle of one",
         {{"c.yaml", "include: [c.yaml]\n"}},
         "c.yaml",
         "1:11: `c.yaml` includes itself, by way of this line\n"},
	{"a circle of three",
         {{"c.yaml", "include: [a.yaml]\n"}, {"a.yaml", "include:\n  - b.yaml\n"}, {"b.yaml", "include: [c.yaml]\n"}},
         "c.yaml a.yaml b.yaml",
         "b.yaml:1:11: `c.yaml` includes itself, by way of this line\n"},
	{"a missing file",
         {{"c.yaml", "include: [a.yaml]\n"}},
         "c.yaml",
         "1:11: cannot read `a.yaml`: No such file or directory\n"},
	{"a folder",
         {{"c.yaml", "include: [x/]\n"}, {"x/a", ""}},
         "c.yaml",
         "1:11: cannot read `x/`: Is a directory\n"},
	{"a misspelt pack",
         {{"c.yaml", "include: [taskr, xyzzy]\n"}},
         "c.yaml",
         "1:11: there is neither a pack `taskr` nor a file `taskr`; did you mean `tasker`?\n"
         "1:18: there is neither a pack `xyzzy` nor a file `xyzzy`\n"},
	{"what only the own file may hold",
         {{"c.yaml", "include: [a.yaml]\n"},
          {"a.yaml", "prefix: a\ninputs: [\"stdin:\"]\noutputs: []\nlimits: {}\nadmin: off\nlog: {}\ntelemetry: "
                     "off\nsandbox: on\n"
                     "shutdown_grace: 1\ninclud: b\n"}},
         "c.yaml a.yaml",
         "a.yaml:2:1: an included file must not hold `inputs`: put it into the file that includes this one\n"
         "a.yaml:3:1: an included file must not hold `outputs`: put it into the file that includes this one\n"
         "a.yaml:4:1: an included file must not hold `limits`: put it into the file that includes this one\n"
         "a.yaml:5:1: an included file must not hold `admin`: put it into the file that includes this one\n"
         "a.yaml:6:1: an included file must not hold `log`: put it into the file that includes this one\n"
         "a.yaml:7:1: an included file must not hold `telemetry`: put it into the file that includes this one\n"
         "a.yaml:8:1: an included file must not hold `sandbox`: put it into the file that includes this one\n"
         "a.yaml:9:1: an included file must not hold `shutdown_grace`: put it into the file that includes this one\n"
         "a.yaml:10:1: unknown key `includ` in the configuration; did you mean `include`?\n"},
	{"faults of all files are told",
         {{"c.yaml", "prefx: a\ninclude: [a.yaml, b.yaml]\n"}, {"a.yaml", "rules: a\n"}, {"b.yaml", "- a\n"}},
         "c.yaml a.yaml b.yaml",
         "1:1: unknown key `prefx` in the configuration; did you mean `prefix`?\n"
         "a.yaml:1:8: `rules` takes a list ([A, B], or lines that begin with -), not a text\n"
         "b.yaml:1:1: a configuration is a map: begin with `rules:` or another key\n"},
};

START_TEST(files)
{
	struct settings *settings;
	char *faults, order[256];
	support_load(rows[_i].files, NULL, &settings, &faults);
	files_write(order, sizeof(order), settings);
	ck_assert_msg(strcmp(faults, rows[_i].faults) == 0, "%s: got\n%swant\n%s", rows[_i].name, faults,
	              rows[_i].faults);
	ck_assert_msg(strcmp(order, rows[_i].order) == 0, "%s: got %s, want %s", rows[_i].name, order, rows[_i].order);
	free(faults);
	settings_free(settings);
}
END_TEST

static const struct support_file merged[] = {
	{"c.yaml",
         "include: [a.yaml, b.yaml]\nprefix: c.\ntags: {env: own, x: c}\nidentify: {strip: [c]}\n"
         "catalogue: {one: {aliases: [c1]}}\nfields: {f: {default: c}}\nlifecycles: {l: {key: c, enter: {c: c}}}\n"
         "rules: [{match: c}]\ntests: [{event: c, expect: dropped}]\n"},
	{"a.yaml",
         "prefix: a.\ntags: {env: a, y: a}\nidentify: {strip: [a], fields: [a]}\n"
         "catalogue: {one: {aliases: [a1]}, two: {aliases: [a2]}}\nfields: {f: {default: a}, g: {default: a}}\n"
         "lifecycles: {l: {key: a, enter: {a: a}}, m: {key: a, enter: {a: a}}}\n"
         "rules: [{match: a}, {match: aa}]\ntests: [{event: a, expect: dropped}]\n"},
	{"b.yaml",
         "tags: {y: b, z: b}\nidentify: {fields: [b], payload: [b]}\ncatalogue: {two: {}, three: {}}\n"
         "fields: {g: {default: b}, h: {default: b}}\nlifecycles: {n: {key: b, enter: {b: b}}}\nrules: [{match: b}]\n"
         "tests: [{event: b, expect: dropped}]\n"},
	{NULL, NULL},
};

#define assert_is(span, want) \
	ck_assert_msg(span_is(span, want), "got `%.*s`, want `%s`", (int)(span).len, (span).at ? (span).at : "", want)

START_TEST(own_entries_win)
{
	struct settings *settings;
	char *faults;
	support_load(merged, NULL, &settings, &faults);
	ck_assert_str_eq(faults, "");
	const struct model *model = &settings->model;

	static const char *const tags[][2] = {{"env", "own"}, {"x", "c"}, {"y", "a"}, {"z", "b"}};
	ck_assert_uint_eq(model->tags.count, ARRAY_LEN(tags));
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		assert_is(model->tags.items[i].key.span, tags[i][0]);
		assert_is(model->tags.items[i].value.span, tags[i][1]);
	}
	assert_is(model->identify.strip.items[0].span, "c");
	assert_is(model->identify.fields.items[0].span, "a");
	assert_is(model->identify.payload.items[0].span, "b");

	static const char *const events[] = {"one", "two", "three"};
	ck_assert_uint_eq(model->catalogue_count, ARRAY_LEN(events));
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_is(model->catalogue[i].name.span, events[i]);
	assert_is(model->catalogue[0].aliases.items[0].span, "c1");
	assert_is(model->catalogue[1].aliases.items[0].span, "a2");

	static const char *const fields[][2] = {{"f", "c"}, {"g", "a"}, {"h", "b"}};
	ck_assert_uint_eq(model->field_count, ARRAY_LEN(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		assert_is(model->fields[i].name.span, fields[i][0]);
		assert_is(model->fields[i].variants[0].default_value.span, fields[i][1]);
	}

	static const char *const lifecycles[][3] = {{"l", "c", "c."}, {"m", "a", "a."}, {"n", "b", ""}};
	ck_assert_uint_eq(model->lifecycle_count, ARRAY_LEN(lifecycles));
	for (size_t i = 0; i < ARRAY_LEN(lifecycles); i++) {
		assert_is(model->lifecycles[i].name.span, lifecycles[i][0]);
		assert_is(model->lifecycles[i].key.items[0].span, lifecycles[i][1]);
		ck_assert_str_eq(model->lifecycles[i].prefix, lifecycles[i][2]);
	}

	static const struct {
		const char *prefix;
		size_t rules;
	} ruled[] = {{"c.", 1}, {"a.", 2}, {NULL, 1}};
	ck_assert_uint_eq(model->file_count, ARRAY_LEN(ruled));
	for (size_t i = 0; i < ARRAY_LEN(ruled); i++) {
		ck_assert_uint_eq(model->files[i].rule_count, ruled[i].rules);
		if (ruled[i].prefix)
			assert_is(model->files[i].prefix.span, ruled[i].prefix);
		else
			ck_assert_ptr_null(model->files[i].prefix.span.at);
	}
	ck_assert_uint_eq(model->test_count, 3);
	assert_is(model->tests[0].events.items[0].span, "c");
	assert_is(model->tests[2].events.items[0].span, "b");
	ck_assert_uint_eq(settings->file_count, 3);
	free(faults);
	settings_free(settings);
}
END_TEST

START_TEST(where_the_configuration_comes_from)
{
	struct problems problems = {0};
	struct settings_request request = {.config = "job"};
	support_clear_environment();
	struct settings *settings = settings_load(&request, &problems);
	ck_assert_str_eq(settings->origin, "built-in job");
	ck_assert_str_eq(settings->model.files[0].path, "job");
	ck_assert_uint_eq(settings->file_count, 0);
	settings_free(settings);

	setenv("STATSIDECAR_CONFIG", "tasker-lifecycles", 1);
	request.config = NULL;
	settings = settings_load(&request, &problems);
	ck_assert_str_eq(settings->origin, "built-in tasker-lifecycles");
	ck_assert_uint_eq(settings->model.file_count, 2);
	settings_free(settings);
	ck_assert_uint_eq(problems.count, 0);

	request.config = "/nowhere/at/all.yaml";
	ck_assert_ptr_null(settings_load(&request, &problems));
	ck_assert_uint_eq(problems.count, 1);
	ck_assert_str_eq(problems.items[0].mark.file, "/nowhere/at/all.yaml");
	ck_assert_uint_eq(problems.items[0].mark.line, 0);
	ck_assert_str_eq(problems.items[0].text, "cannot read `/nowhere/at/all.yaml`: No such file or directory");
	problems_fini(&problems);

	setenv("STATSIDECAR_CONFIG", "", 1);
	if (access("/etc/statsidecar/statsidecar.yaml", F_OK) < 0) {
		request.config = NULL;
		settings = settings_load(&request, &problems);
		ck_assert_str_eq(settings->origin, "built-in tasker");
		settings_free(settings);
	}
	settings_names_free();
}
END_TEST

START_TEST(a_pack_includes_packs_only)
{
	/* Every pack must stand on its own: no folder is near it. */
	struct problems problems = {0};
	support_clear_environment();
	for (size_t i = 0; pack_at(i); i++) {
		struct settings_request request = {.config = pack_at(i)->name};
		struct settings *settings = settings_load(&request, &problems);
		ck_assert_msg(problems.count == 0, "%s: %s", pack_at(i)->name,
		              problems.count ? problems.items[0].text : "");
		ck_assert_uint_gt(settings->model.files[0].rule_count, 0);
		settings_free(settings);
	}
}
END_TEST

START_TEST(a_file_without_end)
{
	struct problems problems = {0};
	struct settings_request request = {.config = "/dev/zero"};
	ck_assert_ptr_null(settings_load(&request, &problems));
	ck_assert_str_eq(problems.items[0].text, "cannot read `/dev/zero`: File too large");
	problems_fini(&problems);
}
END_TEST

START_TEST(symbolic_links_are_one_file)
{
	char folder[] = "/tmp/statsidecar-link-XXXXXX", path[128], link[128], own[128];
	struct problems problems = {0};
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.yaml", folder);
	snprintf(link, sizeof(link), "%s/b.yaml", folder);
	snprintf(own, sizeof(own), "%s/c.yaml", folder);
	FILE *out = fopen(path, "w");
	fputs("rules: [{match: a}]\n", out);
	fclose(out);
	out = fopen(own, "w");
	fputs("include: [a.yaml, b.yaml]\n", out);
	fclose(out);
	ck_assert_int_eq(symlink("a.yaml", link), 0);
	struct settings_request request = {.config = own};
	struct settings *settings = settings_load(&request, &problems);
	ck_assert_uint_eq(problems.count, 0);
	ck_assert_uint_eq(settings->model.file_count, 2);
	settings_free(settings);
	ck_assert(unlink(path) == 0 && unlink(link) == 0 && unlink(own) == 0 && rmdir(folder) == 0);
}
END_TEST

static void clear(void)
{
	support_clear_environment();
}

Suite *settings_include_suite(void)
{
	Suite *suite = suite_create("settings_include");
	TCase *include = tcase_create("include");
	tcase_add_checked_fixture(include, clear, NULL);
	tcase_add_loop_test(include, files, 0, ARRAY_LEN(rows));
	tcase_add_test(include, own_entries_win);
	tcase_add_test(include, where_the_configuration_comes_from);
	tcase_add_test(include, a_pack_includes_packs_only);
	tcase_add_test(include, a_file_without_end);
	tcase_add_test(include, symbolic_links_are_one_file);
	suite_add_tcase(suite, include);
	return suite;
}
