#include <stdio.h>

#include "expect.h"
#include "map/match.h"

Suite *match_suite(void);

/* Rules that say their names: a counter each. */
#define SAYS(name) METRICS(COUNTER(name))
#define ONE_FILE(...)                              \
	{                                          \
		FILES(FILE_OF(RULES(__VA_ARGS__))) \
	}

static const struct row rows[] = {
	{"the first rule that matches decides",
         ONE_FILE(RULE(MATCH("a.b"), SAYS("one")), RULE(MATCH("a.*"), SAYS("two"))), "a.b\na.c\n",
         "one:1|c\ntwo:1|c\n"},
	{"a glob before a literal that it does not take",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("one")), RULE(MATCH("a.b.c"), SAYS("two"))), "a.b.c\n", "two:1|c\n"},
	{"no rule matches", ONE_FILE(RULE(MATCH("a.b"), SAYS("one"))), "a\na.b.c\nab\n", ""},
	{"continue goes on to the next that matches",
         ONE_FILE(RULE(MATCH("a.**"), SAYS("one"), .is_continue = true), RULE(MATCH("x"), SAYS("two")),
                  RULE(MATCH("a.b"), SAYS("three")), RULE(MATCH("a.*"), SAYS("four"))),
         "a.b\n", "one:1|c\nthree:1|c\n"},
	{"continue twice",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("one"), .is_continue = true),
                  RULE(MATCH("*.b"), SAYS("two"), .is_continue = true), RULE(MATCH("**"), SAYS("three"))),
         "a.b\n", "one:1|c\ntwo:1|c\nthree:1|c\n"},
	{"one of a list matches, once",
         ONE_FILE(RULE(MATCH_ANY(T("x"), T("a.*"), T("a.**")), SAYS("one"), .is_continue = true),
                  RULE(MATCH("a.b"), SAYS("two"))),
         "a.b\n", "one:1|c\ntwo:1|c\n"},
	{"rules act in the order written, whatever the kind of their globs",
         ONE_FILE(RULE(MATCH("**"), SAYS("one"), .is_continue = true),
                  RULE(MATCH("a.b"), SAYS("two"), .is_continue = true),
                  RULE(MATCH("a.*"), SAYS("three"), .is_continue = true),
                  RULE(MATCH("*.b"), SAYS("four"), .is_continue = true),
                  RULE(MATCH("a.**"), SAYS("five"), .is_continue = true), RULE(MATCH("a.b"), SAYS("six"))),
         "a.b\n", "one:1|c\ntwo:1|c\nthree:1|c\nfour:1|c\nfive:1|c\nsix:1|c\n"},
	{"`a.**` takes `a` too", ONE_FILE(RULE(MATCH("a.**"), SAYS("one"))), "a\nab\na.b.c\n", "one:1|c\none:1|c\n"},

	{"every file decides for itself, in their order",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("own1")), RULE(MATCH("a.*"), SAYS("own2")))),
                FILE_OF(RULES(RULE(MATCH("a.*"), SAYS("pack1")), RULE(MATCH("**"), SAYS("pack2")))))},
         "a.b\n",
         "own1:1|c\npack1:1|c\n"},
	{"replace keeps later files from being asked",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("own"), .is_replace = true))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack")))), FILE_OF(RULES(RULE(MATCH("**"), SAYS("other")))))},
         "a.b\na.c\n",
         "own:1|c\npack:1|c\nother:1|c\n"},
	{"replace with continue goes on in its own file",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("own1"), .is_replace = true, .is_continue = true),
                              RULE(MATCH("a.*"), SAYS("own2")))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack")))))},
         "a.b\n",
         "own1:1|c\nown2:1|c\n"},
	{"replace in a later file undoes nothing of an earlier one",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("own")))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack"), .is_replace = true))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("last")))))},
         "a.b\n",
         "own:1|c\npack:1|c\n"},
	{"drop ends it for all files",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), .is_drop = true), RULE(MATCH("**"), SAYS("own")))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack")))))},
         "a.b\na.c\n",
         "own:1|c\npack:1|c\n"},
	{"drop in a later file lets stand what an earlier one made",
         {FILES(FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("own")))),
                FILE_OF(RULES(RULE(MATCH("a.*"), .is_drop = true), RULE(MATCH("**"), SAYS("pack")))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("last")))))},
         "a.b\n",
         "own:1|c\n"},
	{"drop behind continue",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("one"), .is_continue = true), RULE(MATCH("a.b"), .is_drop = true),
                  RULE(MATCH("**"), SAYS("two"))),
         "a.b\n", "one:1|c\n"},

	{"a fallback acts only where nothing matched",
         ONE_FILE(RULE(MATCH("**"), SAYS("fallback"), .is_fallback = true), RULE(MATCH("a.b"), SAYS("one"))),
         "a.b\nx.y\n", "one:1|c\nfallback:1|c\n"},
	{"a fallback waits for every file",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), SAYS("own"), .is_fallback = true))),
                FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("pack")))))},
         "a.b\nx\n",
         "pack:1|c\nown:1|c\n"},
	{"fallbacks of several files act one each",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), SAYS("own"), .is_fallback = true))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack"), .is_fallback = true))))},
         "x\n",
         "own:1|c\npack:1|c\n"},
	{"a fallback with replace",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), SAYS("own"), .is_fallback = true, .is_replace = true))),
                FILE_OF(RULES(RULE(MATCH("**"), SAYS("pack"), .is_fallback = true))))},
         "x\n",
         "own:1|c\n"},
	{"a rule that makes nothing keeps fallbacks away",
         ONE_FILE(RULE(MATCH("a.b"), METRICS(GAUGE("one", "absent"))),
                  RULE(MATCH("**"), SAYS("fallback"), .is_fallback = true)),
         "a.b\n", ""},
	{"a dropped event has no fallback",
         ONE_FILE(RULE(MATCH("a.b"), .is_drop = true), RULE(MATCH("**"), SAYS("fallback"), .is_fallback = true)),
         "a.b\n", ""},

	{"captures of the pattern that matched",
         ONE_FILE(RULE(MATCH_ANY(T("a.*.z"), T("b.**.y*"), T("c.*")), METRICS(COUNTER("m.{1}")))),
         "a.q.z\nb.r.s.yz\nc.t\n", "m.q:1|c\nm.r.s:1|c\nm.t:1|c\n"},
	{"of two patterns that match, the first's captures",
         ONE_FILE(RULE(MATCH_ANY(T("*.b"), T("a.*")), METRICS(COUNTER("m.{1}")))), "a.b\n", "m.a:1|c\n"},
	{"whatever their kinds", ONE_FILE(RULE(MATCH_ANY(T("a.*"), T("*.b")), METRICS(COUNTER("m.{1}")))), "a.b\n",
         "m.b:1|c\n"},
	{"sixteen captures", ONE_FILE(RULE(MATCH("*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*"), METRICS(COUNTER("m.{16}.{1}")))),
         "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p\n", "m.p.a:1|c\n"},
	{"captures in tags keep their bytes",
         ONE_FILE(RULE(MATCH("a.*.**"), METRICS(COUNTER("m", .tags = TAGS(TAG("x", "{2}-{1}")))))), "a.b:c.d/e.f\n",
         "m:1|c|#x:d/e.f-b:c\n"},
	{"a capture of nothing leaves its tag out",
         ONE_FILE(RULE(MATCH("a.**"), METRICS(COUNTER("m", .tags = TAGS(TAG("x", "{1}")))))), "a\n", "m:1|c\n"},
	{"each rule has its own captures",
         ONE_FILE(RULE(MATCH("a.*.*"), METRICS(COUNTER("one.{1}")), .is_continue = true),
                  RULE(MATCH("*.b.**"), METRICS(COUNTER("two.{1}.{2}")))),
         "a.b.c\n", "one.b:1|c\ntwo.a.c:1|c\n"},
	{"also where both say the same tags",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("one"), .tags = TAGS(TAG("x", "{1}")), .is_continue = true),
                  RULE(MATCH("*.b"), SAYS("two"), .tags = TAGS(TAG("x", "{1}")))),
         "a.b\n", "one:1|c|#x:b\ntwo:1|c|#x:a\n"},
};

START_TEST(act)
{
	expect_row(&rows[_i]);
}
END_TEST

static const struct {
	const char *name;
	const char *event;
	enum outcome outcome;
} outcomes[] = {
	{"a rule made a metric", "a.made", OUTCOME_MAPPED},
	{"a rule matched and made none", "a.empty", OUTCOME_EMPTY},
	{"a rule without metrics matched", "a.bare", OUTCOME_EMPTY},
	{"a drop rule", "a.drop", OUTCOME_DROPPED},
	{"a drop rule behind one that made a metric", "a.both", OUTCOME_MAPPED},
	{"a drop rule behind one that made none", "a.neither", OUTCOME_DROPPED},
	{"a fallback made a metric", "b.made", OUTCOME_FALLBACK},
	{"a fallback matched and made none", "b.empty.x", OUTCOME_EMPTY},
	{"no rule", "c.d.e", OUTCOME_UNMAPPED},
	{"no identifier", "a=b", OUTCOME_UNNAMED},
	{"no JSON", "{a:1}", OUTCOME_MALFORMED},
};

static const struct model all_outcomes = ONE_FILE(
	RULE(MATCH("a.made"), SAYS("x")), RULE(MATCH("a.empty"), METRICS(GAUGE("x", "absent"))), RULE(MATCH("a.bare")),
	RULE(MATCH("a.drop"), .is_drop = true), RULE(MATCH("a.both"), SAYS("x"), .is_continue = true),
	RULE(MATCH("a.neither"), METRICS(COUNTER("x", WHEN(T("absent")))), .is_continue = true),
	RULE(MATCH_ANY(T("a.both"), T("a.neither")), .is_drop = true),
	RULE(MATCH("b.*"), SAYS("x"), .is_fallback = true),
	RULE(MATCH("b.*.x"), METRICS(COUNTER("{absent}")), .is_fallback = true));

START_TEST(outcome_of)
{
	static struct rig rig;
	rig_init(&rig, &all_outcomes);
	rig_run(&rig, outcomes[_i].event);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		ck_assert_msg(rig.accounts.outcomes[i] == (i == (int)outcomes[_i].outcome), "%s: %s: %llu",
		              outcomes[_i].name, outcome_names[i], (unsigned long long)rig.accounts.outcomes[i]);
	rig_fini(&rig);
}
END_TEST

static const struct refusal refusals[] = {
	{"a rule behind one that takes all it matches",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("x")), RULE(MATCH("a.b"), SAYS("y"))), "this rule is never reached"},
	{"a rule behind several that take all it matches",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("x")), RULE(MATCH("b"), SAYS("y")),
                  RULE(MATCH_ANY(T("b"), T("a.c")), SAYS("z"))),
         "this rule is never reached: the rule in line "},
	{"a rule behind several, each of which takes a part",
         ONE_FILE(RULE(MATCH("a.b"), SAYS("x")), RULE(MATCH("a.c"), SAYS("y")),
                  RULE(MATCH_ANY(T("a.c"), T("a.b")), SAYS("z"))),
         ", with others, takes every event"},
	{"a rule behind one that takes every name there is",
         ONE_FILE(RULE(MATCH("*.**"), SAYS("x")), RULE(MATCH("**"), SAYS("y"))), "this rule is never reached"},
	{"a rule behind a drop that takes all it matches",
         ONE_FILE(RULE(MATCH("**"), .is_drop = true), RULE(MATCH("a"), SAYS("y"))), "this rule is never reached"},
	{"a fallback where an ordinary rule takes all",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("x"), .is_fallback = true), RULE(MATCH("a.**"), SAYS("y"))),
         "put it before, without `fallback: true`"},
	{"a capture that a pattern of the list has not",
         ONE_FILE(RULE(MATCH_ANY(T("a.*.*"), T("b.*")), METRICS(COUNTER("m.{2}")))),
         "`b.*` has 1 star, but the rule uses {2}"},
	{"a capture in a tag", ONE_FILE(RULE(MATCH("a.b"), SAYS("x"), .tags = TAGS(TAG("k", "{1}")))),
         "`a.b` has 0 stars, but the rule uses {1}"},
	{"the capture {17}", ONE_FILE(RULE(MATCH("a.*"), METRICS(COUNTER("m.{17}")))), "{17} names no capture"},
	{"the capture {0}", ONE_FILE(RULE(MATCH("a.*"), METRICS(COUNTER("m.{0}")))), "{0} names no capture"},
	{"no pattern", ONE_FILE(RULE(MATCH("a.**b"), SAYS("x"))), "`a.**b` is no pattern"},
	{"a rule on a spelling that is an alias",
         {ONE_RULE(MATCH("old.name"), SAYS("x")), CATALOGUE({.name = T("new.name"), .aliases = TEXTS(T("old.name"))})},
         "`old.name` is one spelling of `new.name`"},
};

START_TEST(refuse)
{
	expect_refusal(&refusals[_i]);
}
END_TEST

static const struct row reached[] = {
	{"behind one that has continue",
         ONE_FILE(RULE(MATCH("a.*"), SAYS("x"), .is_continue = true), RULE(MATCH("a.b"), SAYS("y"))), "a.b\n",
         "x:1|c\ny:1|c\n"},
	{"in another file",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), SAYS("x")))), FILE_OF(RULES(RULE(MATCH("a.b"), SAYS("y")))))},
         "a.b\n",
         "x:1|c\ny:1|c\n"},
	{"one of its patterns", ONE_FILE(RULE(MATCH("a.*"), SAYS("x")), RULE(MATCH_ANY(T("a.b"), T("b.b")), SAYS("y"))),
         "b.b\n", "y:1|c\n"},
};

START_TEST(reachable)
{
	expect_row(&reached[_i]);
}
END_TEST

/* ---- against the contract's words, rule by rule ---- */

enum { RULE_COUNT = 40, FILE_COUNT = 3 };

struct random_rules {
	struct file_model files[FILE_COUNT];
	struct rule_model rules[RULE_COUNT];
	struct text patterns[RULE_COUNT][2];
	char texts[RULE_COUNT][16];
};

static void random_rules_init(struct random_rules *random, uint64_t *seed)
{
	static const char *const globs[] = {"a",     "b",     "a.b", "a.*",   "*.b", "a.**",
	                                    "*.b.*", "b*.**", "a*",  "b.a.*", "**.b"};
	memset(random, 0, sizeof(*random));
	for (unsigned i = 0; i < RULE_COUNT; i++) {
		struct rule_model *rule = &random->rules[i];
		rule->match.items = random->patterns[i];
		rule->match.count = 2;
		random->patterns[i][0].span = span_of(globs[random_below(seed, ARRAY_LEN(globs))]);
		rule->is_continue = random_below(seed, 2);
		rule->is_drop = random_below(seed, 10) == 0;
		rule->is_replace = random_below(seed, 8) == 0;
		rule->is_fallback = random_below(seed, 4) == 0;
		if (rule->is_fallback && rule->is_continue)
			random->patterns[i][0].span = SPAN("**");
		/* Never unreachable: each has a pattern of its own. */
		snprintf(random->texts[i], sizeof(random->texts[i]), "own%u", i);
		random->patterns[i][1].span = span_of(random->texts[i]);
	}
	for (unsigned i = 0; i < FILE_COUNT; i++)
		random->files[i] =
			(struct file_model){.path = "test.yaml", .rules = &random->rules[i * RULE_COUNT / FILE_COUNT]};
	for (unsigned i = 0; i < FILE_COUNT; i++)
		random->files[i].rule_count = (i + 1) * RULE_COUNT / FILE_COUNT - i * RULE_COUNT / FILE_COUNT;
}

static bool slow_matches(const struct rule_model *rule, struct span event)
{
	struct pattern pattern;
	const char *why;
	for (size_t i = 0; i < rule->match.count; i++)
		if (pattern_compile(&pattern, rule->match.items[i].span, &why) == 0 &&
		    pattern_match(&pattern, event, NULL))
			return true;
	return false;
}

/* The numbers of the rules that act, as `1 5 7`. */
static void slow_match(const struct random_rules *random, struct span event, bool fallbacks, char *out)
{
	bool is_replaced = false;
	for (unsigned f = 0; f < FILE_COUNT && !is_replaced; f++) {
		const struct file_model *file = &random->files[f];
		for (size_t i = 0; i < file->rule_count; i++) {
			const struct rule_model *rule = &file->rules[i];
			if (rule->is_fallback != fallbacks || !slow_matches(rule, event))
				continue;
			out += sprintf(out, "%d ", (int)(rule - random->rules));
			if (rule->is_drop)
				return;
			is_replaced = is_replaced || rule->is_replace;
			if (!rule->is_continue)
				break;
		}
	}
}

START_TEST(random_like_the_contract)
{
	static struct random_rules random;
	static const char *const events[] = {"a",     "b",      "c",  "a.b",   "a.b.c", "b.b",
	                                     "b.a.c", "bb.x.y", "aa", "x.b.y", "x.y.b", "own3"};
	static const struct hash_key key;
	uint64_t seed = 4711 + (uint64_t)_i;
	random_rules_init(&random, &seed);
	const struct model given = {.files = random.files, .file_count = FILE_COUNT};
	const struct model model = model_filled(&given);
	struct problems problems = {0};
	struct mapping *mapping = mapping_compile(&model, &key, &problems);
	ck_assert_msg(mapping != NULL, "seed %d: %s", _i, problems.count ? problems.items[0].text : "");
	for (size_t e = 0; e < ARRAY_LEN(events); e++) {
		char want[512] = "";
		char got[512] = "";
		struct match matches[RULE_COUNT];
		bool is_dropped;
		slow_match(&random, span_of(events[e]), false, want);
		if (!want[0])
			slow_match(&random, span_of(events[e]), true, want);
		const uint32_t count = match_event(mapping, span_of(events[e]), matches, RULE_COUNT, &is_dropped);
		char *out = got;
		for (uint32_t i = 0; i < count; i++)
			out += sprintf(out, "%u ", matches[i].rule);
		ck_assert_msg(strcmp(got, want) == 0, "seed %d: %s: got %s, want %s", _i, events[e], got, want);
		ck_assert_msg(is_dropped == (count && random.rules[matches[count - 1].rule].is_drop),
		              "seed %d: %s: is_dropped", _i, events[e]);
	}
	mapping_free(mapping);
	problems_fini(&problems);
}
END_TEST

Suite *match_suite(void)
{
	Suite *suite = suite_create("match");
	TCase *rules = tcase_create("match");
	tcase_add_loop_test(rules, act, 0, ARRAY_LEN(rows));
	tcase_add_loop_test(rules, outcome_of, 0, ARRAY_LEN(outcomes));
	tcase_add_loop_test(rules, refuse, 0, ARRAY_LEN(refusals));
	tcase_add_loop_test(rules, reachable, 0, ARRAY_LEN(reached));
	tcase_add_loop_test(rules, random_like_the_contract, 0, 50);
	suite_add_tcase(suite, rules);
	return suite;
}
