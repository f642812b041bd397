#include <check.h>
#include <stdio.h>

#include "map/condition.h"

Suite *condition_suite(void);

/* What conditions are made of; what they hold of stands in subject_test.c. */
static const struct {
	const char *text;
	const char *want; /* left operator right, the right side as {field}, 'quoted' or plain; `?` where it is none */
} rows[] = {
	{"a == b", "a == b"},
	{"a==b", "a == b"},
	{" a  !=\tb ", "a != b"},
	{"a < 1", "a < 1"},
	{"a <= 1", "a <= 1"},
	{"a > 1", "a > 1"},
	{"a >= 1", "a >= 1"},
	{"a ~ b*", "a ~ b*"},
	{"a == {b.c}", "a == {b.c}"},
	{"a == { b }", "a == {b}"},
	{"a == '{b}'", "a == '{b}'"},
	{"a == ''", "a == ''"},
	{"a == 'it's'", "a == 'it's'"},
	{"a == b c", "a == b c"},
	{"a == {b", "a == {b"},
	{"a == b == c", "a == b == c"},
	{"a.b.0", "a.b.0 present"},
	{"not a", "a absent"},
	{"not  a.b", "a.b absent"},
	{"not", "not present"},
	{"not == 1", "not == 1"},
	{"nota", "nota present"},
	{"", "?"},
	{"  ", "?"},
	{"a =", "?"},
	{"a = b", "?"},
	{"a b", "?"},
	{"a ==", "?"},
	{"== a", "?"},
	{"a == '", "?"},
	{"a == 'b", "?"},
	{"a == {}", "?"},
	{"a == { }", "?"},
	{"not a == b", "?"},
	{"not a b", "?"},
	{"a !b", "?"},
	{"!a", "?"},
};

START_TEST(parse)
{
	static const char *const operators[] = {
		[CONDITION_PRESENT] = "present", [CONDITION_ABSENT] = "absent",    [CONDITION_EQUAL] = "==",
		[CONDITION_NOT_EQUAL] = "!=",    [CONDITION_LESS] = "<",           [CONDITION_LESS_EQUAL] = "<=",
		[CONDITION_GREATER] = ">",       [CONDITION_GREATER_EQUAL] = ">=", [CONDITION_GLOB] = "~"};
	struct condition_text condition;
	const char *why = NULL;
	char got[128] = "?";
	if (condition_parse(&condition, span_of(rows[_i].text), &why) == 0) {
		const char *open = condition.right_is_field ? "{" : condition.right_is_quoted ? "'" : "";
		const char *close = condition.right_is_field ? "}" : open;
		const bool has_right = condition.operator > CONDITION_ABSENT;
		const struct span right = has_right ? condition.right : SPAN("");
		snprintf(got, sizeof(got), "%.*s %s%s%s%.*s%s", SPAN_ARG(condition.left), operators[condition.operator],
		         has_right ? " " : "", has_right ? open : "", SPAN_ARG(right), has_right ? close : "");
	}
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: got %s, want %s", rows[_i].text, got, rows[_i].want);
	ck_assert_msg((why != NULL) == (got[0] == '?'), "%s: got the reason %s", rows[_i].text, why ? why : "none");
}
END_TEST

Suite *condition_suite(void)
{
	Suite *suite = suite_create("condition");
	TCase *all = tcase_create("condition");
	tcase_add_loop_test(all, parse, 0, ARRAY_LEN(rows));
	suite_add_tcase(suite, all);
	return suite;
}
