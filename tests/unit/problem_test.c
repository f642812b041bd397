#include <check.h>
#include <stdio.h>

#include "base/problem.h"

Suite *problem_suite(void);

START_TEST(texts_are_copied)
{
	struct problems problems = {0};
	char word[] = "inptus";
	for (uint32_t i = 0; i < 100; i++)
		problem_add(&problems, (struct mark){"a.yaml", i + 1, 2}, "unknown key `%s` (%u)", word, i);
	word[0] = '!';
	ck_assert_uint_eq(problems.count, 100);
	ck_assert_str_eq(problems.items[99].text, "unknown key `inptus` (99)");
	ck_assert_str_eq(problems.items[99].mark.file, "a.yaml");
	ck_assert_uint_eq(problems.items[99].mark.line, 100);
	ck_assert_uint_eq(problems.items[99].mark.column, 2);

	problems_fini(&problems);
	ck_assert_uint_eq(problems.count, 0);
	problem_add(&problems, (struct mark){NULL, 0, 0}, "again");
	ck_assert_str_eq(problems.items[0].text, "again");
	problems_fini(&problems);
	problems_fini(&problems);
}
END_TEST

START_TEST(what_stands_where)
{
	char again[] = "own.yaml";
	struct problems problems = {0};
	problem_add(&problems, (struct mark){"own.yaml", 2, 3}, "a");
	problem_add(&problems, (struct mark){NULL, 4, 1}, "b");
	ck_assert(problem_stands_at(&problems, (struct mark){again, 2, 3}));
	ck_assert(problem_stands_at(&problems, (struct mark){NULL, 4, 1}));
	ck_assert(!problem_stands_at(&problems, (struct mark){again, 2, 4}));
	ck_assert(!problem_stands_at(&problems, (struct mark){again, 3, 3}));
	ck_assert(!problem_stands_at(&problems, (struct mark){"other.yaml", 2, 3}));
	ck_assert(!problem_stands_at(&problems, (struct mark){NULL, 2, 3}));
	problems_fini(&problems);
}
END_TEST

START_TEST(sorted_by_place_within_files)
{
	/* Two spellings of one file's name are one file; what stands at one place keeps its order. */
	char again[] = "own.yaml";
	const struct mark marks[] = {
		{"own.yaml", 9, 1}, {"pack.yaml", 1, 1}, {again, 2, 7},       {NULL, 3, 1},
		{"own.yaml", 2, 3}, {"own.yaml", 2, 7},  {"pack.yaml", 0, 0}, {NULL, 0, 0},
	};
	static const char *const want[] = {"4", "2", "5", "0", "6", "1", "7", "3"};
	struct problems problems = {0};
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		problem_add(&problems, marks[i], "%zu", i);
	problems_sort(&problems);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_msg(strcmp(problems.items[i].text, want[i]) == 0, "place %zu: got %s, want %s", i,
		              problems.items[i].text, want[i]);
	problems_fini(&problems);

	problems_sort(&problems);
	ck_assert_uint_eq(problems.count, 0);
}
END_TEST

static const char *const keys[] = {"include",  "inputs",    "outputs",   "prefix", "tags",
                                   "identify", "catalogue", "telemetry", "fields", "rules",
                                   "tests",    "match",     "mode",      "node",   NULL};

static const struct {
	const char *name;
	const char *word;
	const char *nearest;
} words[] = {
	{"the word itself", "inputs", "inputs"},
	{"neighbours swapped", "inptus", "inputs"},
	{"a letter left out", "ouputs", "outputs"},
	{"a letter too many", "ttags", "tags"},
	{"a letter replaced", "prefux", "prefix"},
	{"a word cut short by one letter", "rule", "rules"},
	{"two slips in a long word", "catalog", "catalogue"},
	{"three slips in nine letters", "telemtyr", "telemetry"},
	{"another case", "Tags", "tags"},
	{"the nearest of several", "inputss", "inputs"},
	{"the first of equally near ones", "ode", "mode"},
	{"too far in a short word", "tgxs", NULL},
	{"too far in a long word", "dialect", NULL},
	{"three slips in six letters", "anqots", NULL},
	{"one letter", "x", NULL},
	{"no letter", "", NULL},
	{"longer than any key", "inputsinputsinputsinputsinputsinputsinputsinputsinputsinputsinputs", NULL},
};

START_TEST(nearest)
{
	const char *got = problem_nearest(span_of(words[_i].word), keys);
	const char *want = words[_i].nearest;
	ck_assert_msg(got && want ? strcmp(got, want) == 0 : got == want, "%s: `%s`: got %s, want %s", words[_i].name,
	              words[_i].word, got ? got : "none", want ? want : "none");
}
END_TEST

START_TEST(nearest_of_none)
{
	static const char *const none[] = {NULL};
	ck_assert_ptr_null(problem_nearest(SPAN("tags"), none));
}
END_TEST

Suite *problem_suite(void)
{
	Suite *suite = suite_create("problem");
	TCase *lists = tcase_create("lists");
	tcase_add_test(lists, texts_are_copied);
	tcase_add_test(lists, what_stands_where);
	tcase_add_test(lists, sorted_by_place_within_files);
	suite_add_tcase(suite, lists);
	TCase *spelling = tcase_create("nearest");
	tcase_add_loop_test(spelling, nearest, 0, (int)ARRAY_LEN(words));
	tcase_add_test(spelling, nearest_of_none);
	suite_add_tcase(suite, spelling);
	return suite;
}
