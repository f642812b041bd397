/* Paths by a pattern, against the C library's glob(). */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "settings/paths.h"

Suite *settings_paths_suite(void);

enum { FOUND_MAX = 64 };

static const char *const folders[] = {"conf.d", "conf.d/deep", "conf.e", ".hidden", "a[b]"};
static const char *const files[] = {
	"a.yaml",      "b.yaml",           "B.yaml",         "ab.yaml",          ".c.yaml",        "a.yml", "-.yaml",  "].yaml",
	"conf.d/1.yaml", "conf.d/10.yaml", "conf.d/2.yaml", "conf.d/deep/x.yaml", "conf.d/.y.yaml", "aaab",  "conf.e/1.yaml",
	".hidden/z.yaml", "a[b]/in.yaml", "\xc3\xa9.yaml", "*.yaml",
};

/* Relative to the folder, and the same absolute. */
static const char *const patterns[] = {
	"*.yaml",        "?.yaml",     "*",            "conf.d/*.yaml", "conf.?/*.yaml",  "*/*.yaml",     "*/*/*.yaml", "conf.d/*/x.yaml",
	".*.yaml",       ".hidden/*",  "[ab].yaml",    "[!ab].yaml",    "[^ab].yaml",     "[a-b]*.yaml",  "[]].yaml",   "[]a].yaml",
	"[!]].yaml",     "[a-].yaml",  "[-a].yaml",    "[a.yaml",       "a*",             "a*b",          "*a*a*b",     "a*b*c",
	"conf.d//*.yaml", "*.y?ml",    "*\\.yaml",     "\\*.yaml",      "[*].yaml",       "no*",          "no/*.yaml",  "*/no.yaml",
	"a.yaml",        "a.yaml/*",   "a\\[b]/*",     "conf.d/1*",     "*/",             "**.yaml",      "[\\]].yaml", "[A-Z].yaml",
};

static char root[] = "/tmp/statsidecar-paths-XXXXXX";

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static void tree_make(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chdir(root), 0);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		ck_assert_int_eq(mkdir(folders[i], 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int fd = open(files[i], O_CREAT | O_WRONLY, 0644);

		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	ck_assert_int_eq(symlink("nowhere", "dangling.yaml"), 0);
}

static void tree_remove(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

struct list {
	char *paths[FOUND_MAX];
	size_t count;
};

static void list_add(void *context, const char *path)
{
	struct list *list = context;

	ck_assert_uint_lt(list->count, FOUND_MAX);
	list->paths[list->count++] = strdup(path);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void patterns_check(const char *prefix)
{
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		char pattern[256];
		struct list got = {.count = 0};
		glob_t want = {.gl_pathc = 0};

		snprintf(pattern, sizeof pattern, "%s%s", prefix, patterns[i]);
		paths_find(pattern, list_add, &got);
		qsort(got.paths, got.count, sizeof *got.paths, compare);
		if (glob(pattern, GLOB_NOSORT, NULL, &want) == 0)
			qsort(want.gl_pathv, want.gl_pathc, sizeof *want.gl_pathv, compare);
		ck_assert_msg(got.count == want.gl_pathc, "%s: got %zu paths, want %zu", pattern, got.count, want.gl_pathc);
		for (size_t j = 0; j < got.count; j++) {
			ck_assert_msg(strcmp(got.paths[j], want.gl_pathv[j]) == 0, "%s: got %s, want %s", pattern, got.paths[j],
			              want.gl_pathv[j]);
			free(got.paths[j]);
		}
		globfree(&want);
	}
}

START_TEST(as_glob_relative)
{
	patterns_check("");
	patterns_check("./");
}
END_TEST

START_TEST(as_glob_absolute)
{
	char prefix[64];

	snprintf(prefix, sizeof prefix, "%s/", root);
	patterns_check(prefix);
}
END_TEST

START_TEST(too_long)
{
	static char pattern[3 * 4096];
	struct list got = {.count = 0};

	memset(pattern, 'a', sizeof pattern - 1);
	paths_find(pattern, list_add, &got);
	memcpy(pattern, "*/", 2);
	paths_find(pattern, list_add, &got);
	memset(pattern, '/', sizeof pattern - 2);
	paths_find(pattern, list_add, &got);
	ck_assert_uint_eq(got.count, 0);
}
END_TEST

Suite *settings_paths_suite(void)
{
	Suite *suite = suite_create("settings_paths");
	TCase *paths = tcase_create("paths");
	tcase_add_checked_fixture(paths, tree_make, tree_remove);
	tcase_add_test(paths, as_glob_relative);
	tcase_add_test(paths, as_glob_absolute);
	tcase_add_test(paths, too_long);
	suite_add_tcase(suite, paths);
	return suite;
}
