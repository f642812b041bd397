#include <check.h>
#include <stdio.h>

#include "decode_fixture.h"
#include "map/reference.h"
#include "rig.h"

Suite *reference_suite(void);

static const struct {
	const char *path;
	const char *want; /* the keys, each in brackets; empty: refused */
} splits[] = {
	{"a", "[a]"},
	{"a.b.c", "[a][b][c]"},
	{"exception.0", "[exception][0]"},
	{"a..b", ""},
	{".a", ""},
	{"a.", ""},
	{"", ""},
	{".", ""},
	{"a.b.c.d", "[a][b][c][d]"},
	{"a.b.c.d.e", ""},
};

START_TEST(split)
{
	struct span keys[4];
	char got[64] = "";
	const size_t count = path_split(span_of(splits[_i].path), keys, 4);
	for (size_t i = 0; i < count; i++)
		sprintf(got + strlen(got), "[%.*s]", SPAN_ARG(keys[i]));
	ck_assert_msg(strcmp(got, splits[_i].want) == 0, "%s: got %s, want %s", splits[_i].path, got, splits[_i].want);
}
END_TEST

/* The name o.p at the top and in the objects x and y. */
static const struct {
	const char *name;
	const char *line;
	const char *want; /* the value's text; `{}` for an object; NULL: none */
} lookups[] = {
	{"a literal key", "{\"o.p\":1}", "1"},
	{"a path", "{\"o\":{\"p\":1}}", "1"},
	{"the literal key first", "{\"o\":{\"p\":1},\"o.p\":2}", "2"},
	{"a literal key in an object before a path at the top", "{\"o\":{\"p\":1},\"y\":{\"o.p\":2}}", "2"},
	{"a path in the first object", "{\"x\":{\"o\":{\"p\":1}},\"y\":{\"o\":{\"p\":2}}}", "1"},
	{"a path in the second", "{\"x\":{\"q\":1},\"y\":{\"o\":{\"p\":2}}}", "2"},
	{"what is nearer hides what is behind it", "{\"x\":{\"o\":{}},\"y\":{\"o\":{\"p\":2}}}", NULL},
	{"a scalar hides it too", "{\"o\":1,\"y\":{\"o\":{\"p\":2}}}", NULL},
	{"null hides nothing", "{\"o\":null,\"x\":{\"o\":null},\"y\":{\"o\":{\"p\":2}}}", "2"},
	{"null at the end of the path hides", "{\"o\":{\"p\":null},\"y\":{\"o\":{\"p\":2}}}", NULL},
	{"an object is a value", "{\"o\":{\"p\":{}}}", "{}"},
	{"an empty text is a value", "{\"o\":{\"p\":\"\"}}", ""},
	{"nothing", "{\"p\":1,\"o.q\":2}", NULL},
};

START_TEST(lookup)
{
	static const struct place places[] = {{.depth = 0}, {{{"x", 1}}, 1}, {{{"y", 1}}, 1}};
	struct payload_reference reference;
	struct decoding decoding = {.arena = arena_new()};
	fieldset_init(&decoding.fieldset, decoding.arena);
	ck_assert_int_eq(payload_reference_init(&reference, SPAN("o.p"), &decoding.fieldset, places, ARRAY_LEN(places)),
	                 0);
	fieldset_seal(&decoding.fieldset, decoding.arena);
	ck_assert_int_eq(lifecycle_event_init(&decoding.event, &decoding.fieldset, 1024), 0);
	ck_assert_int_eq(decoding_json(&decoding, span_of(lookups[_i].line)), 0);
	struct value *value = payload_get(&decoding.event, &reference);
	const char *want = lookups[_i].want;
	if (!want || !value)
		ck_assert_msg(!want == !value, "%s: got %s", lookups[_i].name, value ? "a value" : "none");
	else if (value_is_scalar(value))
		ck_assert_msg(span_is(event_text(&decoding.event, value), want), "%s: got %.*s, want %s",
		              lookups[_i].name, SPAN_ARG(event_text(&decoding.event, value)), want);
	else
		ck_assert_str_eq(want, "{}");
	decoding_fini(&decoding);
}
END_TEST

Suite *reference_suite(void)
{
	Suite *suite = suite_create("reference");
	TCase *all = tcase_create("reference");
	tcase_add_loop_test(all, split, 0, ARRAY_LEN(splits));
	tcase_add_loop_test(all, lookup, 0, ARRAY_LEN(lookups));
	suite_add_tcase(suite, all);
	return suite;
}
