#include <check.h>
#include <stdio.h>

#include "map/catalogue.h"
#include "rig.h"

Suite *catalogue_suite(void);

static const struct {
	const char *text;
	bool is_valid;
} identifiers[] = {
	{"a", true},
	{"Z", true},
	{"step.completed", true},
	{"A::B/c-d_e.9", true},
	{"a.", true},
	{"a..b", true},
	{"", false},
	{"9", false},
	{".a", false},
	{"_a", false},
	{"-a", false},
	{":a", false},
	{"a b", false},
	{"a\t", false},
	{"a,b", false},
	{"a|b", false},
	{"a{", false},
	{"a\xc3\xa9", false},
	{"a@", false},
	{"a[", false},
	{"a`", false},
	{"a\x7f", false},
	{"/a", false},
	{"a;b", false},
};

START_TEST(identifier)
{
	ck_assert_msg(identifier_is_valid(span_of(identifiers[_i].text)) == identifiers[_i].is_valid, "%s: want %s",
	              identifiers[_i].text, identifiers[_i].is_valid ? "valid" : "not valid");
}
END_TEST

START_TEST(identifier_length)
{
	char text[201];
	memset(text, 'a', sizeof(text));
	ck_assert(identifier_is_valid((struct span){text, 200}));
	ck_assert(!identifier_is_valid((struct span){text, 201}));
	ck_assert(!identifier_is_valid(SPAN("a\0b")));
}
END_TEST

static const struct model model = {
	CATALOGUE({.name = T("step.completed"),
                   .aliases = TEXTS(T("StepEvents::COMPLETED"), T("app.odd")),
                   .legacy = TEXTS(T("step.complete"))},
                  {.name = T("app.step.started")}, {.name = T("b"), .legacy = TEXTS(T("old.b"))}),
	.identify.strip = TEXTS(T("app.metric."), T("app."), T("App::"), T("")),
};

static const struct {
	const char *name;
	const char *text;
	const char *want; /* event, spelling, what was stripped, known, legacy */
} resolutions[] = {
	{"canonical", "step.completed", "step.completed 0 [] 0 -1"},
	{"an alias", "StepEvents::COMPLETED", "step.completed 1 [] 0 -1"},
	{"a legacy name", "step.complete", "step.completed 2 [] 0 0"},
	{"another legacy name", "old.b", "b 2 [] 2 1"},
	{"stripped, canonical", "app.step.completed", "step.completed 0 [app.] 0 -1"},
	{"stripped, alias", "App::StepEvents::COMPLETED", "step.completed 1 [App::] 0 -1"},
	{"stripped, legacy", "app.metric.step.complete", "step.completed 2 [app.metric.] 0 0"},
	{"exact before strip", "app.step.started", "app.step.started 0 [] 1 -1"},
	{"an alias before strip", "app.odd", "step.completed 1 [] 0 -1"},
	{"only the first that fits", "app.metric.app.step.completed", "app.step.completed 3 [app.metric.] -1 -1"},
	{"only once", "app.app.step.completed", "app.step.completed 3 [app.] -1 -1"},
	{"stripped to a name that only the unstripped has", "app.app.odd", "step.completed 1 [app.] 0 -1"},
	{"unknown", "step.complete.d", "step.complete.d 3 [] -1 -1"},
	{"unknown, stripped", "app.unknown", "unknown 3 [app.] -1 -1"},
	{"case matters", "Step.completed", "Step.completed 3 [] -1 -1"},
	{"a prefix of a name", "step.complet", "step.complet 3 [] -1 -1"},
	{"nothing left", "app.", "app. 3 [] -1 -1"},
	{"no identifier left", "app.9", "app.9 3 [] -1 -1"},
};

START_TEST(resolve)
{
	static const struct hash_key key;
	struct problems problems = {0};
	const struct model filled = model_filled(&model);
	struct mapping *mapping = mapping_compile(&filled, &key, &problems);
	ck_assert(mapping != NULL);
	const struct identity identity = catalogue_resolve(mapping, span_of(resolutions[_i].text));
	char got[256];
	snprintf(got, sizeof(got), "%.*s %d [%.*s] %d %d", SPAN_ARG(identity.event), (int)identity.spelling,
	         (int)identity.stripped.len, identity.stripped.len ? identity.stripped.at : "", (int)identity.known,
	         (int)identity.legacy);
	ck_assert_msg(strcmp(got, resolutions[_i].want) == 0, "%s: %s: got %s, want %s", resolutions[_i].name,
	              resolutions[_i].text, got, resolutions[_i].want);
	mapping_free(mapping);
	problems_fini(&problems);
}
END_TEST

Suite *catalogue_suite(void)
{
	Suite *suite = suite_create("catalogue");
	TCase *all = tcase_create("catalogue");
	tcase_add_loop_test(all, identifier, 0, ARRAY_LEN(identifiers));
	tcase_add_test(all, identifier_length);
	tcase_add_loop_test(all, resolve, 0, ARRAY_LEN(resolutions));
	suite_add_tcase(suite, all);
	return suite;
}
