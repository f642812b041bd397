#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pattern.h"

Suite *pattern_suite(void);

/* Captures as `[one][two]`; "no" where the name does not match. */
static const struct {
	const char *name;
	const char *pattern;
	const char *text;
	const char *want;
} matches[] = {
	{"a literal", "step.completed", "step.completed", ""},
	{"a literal, case matters", "step.completed", "step.Completed", "no"},
	{"a literal is no prefix", "step", "step.completed", "no"},
	{"a literal is no substring", "completed", "step.completed", "no"},
	{"a literal with an empty segment", "a..b", "a..b", ""},
	{"`*` alone is one segment", "step.*", "step.completed", "[completed]"},
	{"`*` alone is not two", "step.*", "step.completed.twice", "no"},
	{"`*` alone is not none", "step.*", "step", "no"},
	{"`*` alone may be an empty segment", "step.*", "step.", "[]"},
	{"`*` first", "*.completed", "step.completed", "[step]"},
	{"`*` in the middle", "a.*.c", "a.b.c", "[b]"},
	{"`*` within a segment", "step.re*", "step.retry", "[try]"},
	{"`*` within a segment, nothing", "step.re*", "step.re", "[]"},
	{"`*` does not go over a dot", "step.re*", "step.retry.x", "no"},
	{"`*` before the end of a segment", "step.*ed", "step.failed", "[fail]"},
	{"two in a segment", "*a*", "xay", "[x][y]"},
	{"shortest first", "*a*", "banana", "[b][nana]"},
	{"shortest that fits", "*ab", "abab", "[ab]"},
	{"widened more than once", "x*ab*c", "xaabbabc", "[a][bab]"},
	{"stars in several segments", "a*.b*.c", "ax.by.c", "[x][y]"},
	{"colons and slashes are literal", "Tasker::*/x", "Tasker::Step/x", "[Step]"},

	{"`**` is everything", "**", "a.b.c", "[a.b.c]"},
	{"`**` is one segment", "**", "a", "[a]"},
	{"`**` is an empty name", "**", "", "[]"},
	{"`**` behind a name", "debug.**", "debug.a.b", "[a.b]"},
	{"`**` behind a name, nothing", "debug.**", "debug", "[]"},
	{"`**` behind a name that goes on", "debug.**", "debugger", "no"},
	{"`**` before a name", "**.failed", "a.b.failed", "[a.b]"},
	{"`**` before a name, nothing", "**.failed", "failed", "[]"},
	{"`**` before a name, that only ends so", "**.failed", "unfailed", "no"},
	{"`**` between", "a.**.z", "a.b.c.z", "[b.c]"},
	{"`**` between, nothing", "a.**.z", "a.z", "[]"},
	{"`**` between cannot share a segment", "a.**.a", "a", "no"},
	{"`**`, shortest first", "**.x.**", "a.x.b.x.c", "[a][b.x.c]"},
	{"`**` widened to the last", "**.x", "x.x.x", "[x.x]"},
	{"`**` and `*`: at least one", "**.*", "a.b.c", "[a.b][c]"},
	{"`*` and `**`: at least one", "*.**", "a", "[a][]"},
	{"`**` twice", "**.**", "a.b", "[][a.b]"},
	{"all kinds", "*.**.x*", "a.b.xc.xd", "[a][b.xc][d]"},
	{"captures are set anew when widened", "**.a*.b", "a1.c.a2.b", "[a1.c][2]"},
	{"`**` with an empty segment", "a.**", "a..b", "[.b]"},
	{"`**` with an empty last segment", "a.**", "a.", "[]"},

	{"sixteen stars that match", "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*", "aaaaaaaaaaaaaaaab",
         "[][][][][][][][][][][][][][][][b]"},
	{"sixteen stars, no match, no explosion", "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "no"},
	{"sixteen double stars, no match, no explosion",
         "**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.b",
         "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
         "a.a"
         "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
         "no"},
};

static struct pattern compiled(const char *text)
{
	struct pattern pattern;
	const char *why;
	if (pattern_compile(&pattern, span_of(text), &why) < 0)
		ck_abort_msg("%s: %s", text, why);
	return pattern;
}

static const char *captures_text(char *out, const struct span *captures, size_t count)
{
	char *at = out;
	*at = '\0';
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "[%.*s]", SPAN_ARG(captures[i]));
	return out;
}

START_TEST(match)
{
	struct pattern pattern = compiled(matches[_i].pattern);
	struct span text = span_of(matches[_i].text);
	struct span *captures = calloc(pattern.stars + 1u, sizeof(*captures));
	char buffer[512];
	bool is_match = pattern_match(&pattern, text, captures);
	const char *got = is_match ? captures_text(buffer, captures, pattern.stars) : "no";
	ck_assert_msg(strcmp(got, matches[_i].want) == 0, "%s: %s on %s: got %s, want %s", matches[_i].name,
	              matches[_i].pattern, matches[_i].text, got, matches[_i].want);
	ck_assert_msg(pattern_match(&pattern, text, NULL) == is_match, "%s: without captures: got %d, want %d",
	              matches[_i].name, !is_match, is_match);
	free(captures);
}
END_TEST

static const struct {
	const char *name;
	const char *pattern;
	int stars; /* -1: refused */
} compiles[] = {
	{"a literal", "step.completed", 0},
	{"one star", "step.*", 1},
	{"a double star is one", "step.**", 1},
	{"all kinds", "*.a*b*.**", 4},
	{"empty segments between literals", "a..b", 0},
	{"an empty segment next to `*`", "a..*", 1},
	{"an empty segment apart from `**`", "a..b.**", 1},
	{"sixteen stars in segments", "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*", 16},
	{"seventeen stars", "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*", -1},
	{"nothing", "", -1},
	{"`**` behind a letter", "a**", -1},
	{"`**` before a letter", "x.**a", -1},
	{"three stars", "a.***", -1},
	{"an empty segment behind `**`", "**..a", -1},
	{"an empty segment before `**`", "a..**", -1},
	{"an empty last segment behind `**`", "a.**.", -1},
	{"an empty first segment before `**`", ".**", -1},
};

START_TEST(compile)
{
	struct pattern pattern = {0};
	const char *why = NULL;
	int got = pattern_compile(&pattern, span_of(compiles[_i].pattern), &why) == 0 ? pattern.stars : -1;
	ck_assert_msg(got == compiles[_i].stars, "%s: %s: got %d, want %d", compiles[_i].name, compiles[_i].pattern,
	              got, compiles[_i].stars);
	ck_assert_msg((why != NULL) == (got < 0), "%s: %s: got %s", compiles[_i].name, compiles[_i].pattern,
	              why ? why : "no reason");
}
END_TEST

static const struct {
	const char *name;
	const char *a;
	const char *b;
	bool covers;
} covers[] = {
	{"a literal itself", "a.b", "a.b", true},
	{"a literal another", "a.b", "a.c", false},
	{"a pattern itself", "a.*b.**", "a.*b.**", true},
	{"a pattern a literal", "a.*", "a.b", true},
	{"a pattern a literal that it does not match", "a.*", "b.b", false},
	{"a literal no pattern", "a.b", "a.*", false},
	{"`**` all", "**", "a.*.b*.**", true},
	{"`**` itself", "**", "**", true},
	{"`*.**` all: a name has a segment at least", "*.**", "**", true},
	{"`**.*.**` all", "**.*.**", "a.**.b*", true},
	{"`*` not all", "*", "**", false},
	{"two segments and more not all", "**.*.*", "**", false},
	{"a segment with a letter not all", "**.a*", "**", false},
	{"`a.**` what begins so", "a.**", "a.b.*", true},
	{"`a.**` `a`", "a.**", "a", true},
	{"`a.**` not what only begins with the letter", "a.**", "ab.*", false},
	{"`*` a segment with a star", "a.*", "a.b*", true},
	{"a segment with a star not `*`", "a.b*", "a.*", false},
	{"`*` not `**`", "a.*", "a.**", false},
	{"`**` `*`", "a.**", "a.*", true},
	{"a wider star", "a*", "ab*", true},
	{"a narrower star", "ab*", "a*", false},
	{"stars that share", "*a*", "b*a*c", true},
	{"two stars one", "*b*", "*bc", true},
	{"`**` within", "a.**.z", "a.*.b.**.z", true},
	{"`**` at another place", "a.**.z", "a.**", false},
	{"two segments and more", "*.*.**", "a.b.**", true},
	{"two segments and more, not one and more", "*.*.**", "a.**", false},
};

START_TEST(cover)
{
	struct pattern a = compiled(covers[_i].a), b = compiled(covers[_i].b);
	bool got = pattern_covers(&a, &b);
	ck_assert_msg(got == covers[_i].covers, "%s: %s over %s: got %d, want %d", covers[_i].name, covers[_i].a,
	              covers[_i].b, got, covers[_i].covers);
}
END_TEST

static const struct {
	const char *name;
	const char *glob;
	const char *text;
	bool is_match;
} texts[] = {
	{"a literal", "timeout", "timeout", true},
	{"a literal is no substring", "timeout", "a timeout", false},
	{"a star over dots and blanks", "*timeout*", "db.example: timeout after 3.5 s", true},
	{"a star that catches nothing", "timeout*", "timeout", true},
	{"a double star is a star", "a**c", "abc", true},
	{"a star alone", "*", "", true},
	{"nothing matches nothing", "", "", true},
	{"nothing matches only nothing", "", "a", false},
	{"the end counts", "*.csv", "a.csv.gz", false},
	{"widened to the end", "*.csv", "a.csv.csv", true},
	{"newlines too", "a*b", "a\n\nb", true},
};

START_TEST(match_text)
{
	bool got = pattern_match_text(span_of(texts[_i].glob), span_of(texts[_i].text));
	ck_assert_msg(got == texts[_i].is_match, "%s: %s on %s: got %d, want %d", texts[_i].name, texts[_i].glob,
	              texts[_i].text, got, texts[_i].is_match);
}
END_TEST

/* ---- against the definition, written down without a thought of speed ---- */

static bool slow_glob(const char *glob, const char *glob_end, struct span text, struct span *captures)
{
	if (glob == glob_end)
		return text.len == 0;
	if (*glob != '*')
		return text.len > 0 && *text.at == *glob && slow_glob(glob + 1, glob_end, span_skip(text, 1), captures);
	for (size_t len = 0; len <= text.len; len++) {
		*captures = (struct span){text.at, len};
		if (slow_glob(glob + 1, glob_end, span_skip(text, len), captures + 1))
			return true;
	}
	return false;
}

struct segments {
	struct span items[32];
	size_t count;
};

static struct segments segments_split(struct span text)
{
	struct segments segments = {.count = 0};
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.at[i] != '.')
			continue;
		segments.items[segments.count++] = (struct span){text.at + start, i - start};
		start = i + 1;
	}
	return segments;
}

static size_t stars_of(struct span glob)
{
	size_t stars = 0;
	for (size_t i = 0; i < glob.len; i++)
		stars += glob.at[i] == '*';
	return span_is(glob, "**") ? 1 : stars;
}

static bool slow_match(const struct segments *pattern, size_t p, const struct segments *name, size_t n,
                       struct span *captures)
{
	if (p == pattern->count)
		return n == name->count;
	struct span glob = pattern->items[p];
	if (!span_is(glob, "**"))
		return n < name->count && slow_glob(glob.at, glob.at + glob.len, name->items[n], captures) &&
		       slow_match(pattern, p + 1, name, n + 1, captures + stars_of(glob));
	for (size_t end = n; end <= name->count; end++) {
		const struct span *items = name->items;
		*captures = end == n ? SPAN("")
		                     : (struct span){items[n].at,
		                                     (size_t)(items[end - 1].at + items[end - 1].len - items[n].at)};
		if (slow_match(pattern, p + 1, name, end, captures + 1))
			return true;
	}
	return false;
}

/* Numbers that look random and are the same in every run. */
static uint32_t random_below(uint64_t *state, uint32_t bound)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(*state >> 33) % bound;
}

static void random_text(uint64_t *state, char *out, const char *alphabet, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		out[i] = alphabet[random_below(state, (uint32_t)strlen(alphabet))];
	out[len] = '\0';
}

static struct pattern random_pattern(uint64_t *state, char *out)
{
	struct pattern pattern;
	const char *why;
	do
		random_text(state, out, "ab..***", 1 + random_below(state, 9));
	while (pattern_compile(&pattern, span_of(out), &why) < 0);
	return pattern;
}

START_TEST(matches_as_defined)
{
	uint64_t state = 1;
	int matched = 0;
	for (int round = 0; round < 100000; round++) {
		char pattern_text[16], name_text[16], got[256], want[256];
		struct pattern pattern = random_pattern(&state, pattern_text);
		random_text(&state, name_text, "aab..", random_below(&state, 9));
		struct segments pattern_segments = segments_split(pattern.text),
				name = segments_split(span_of(name_text));
		struct span captures[PATTERN_STARS_MAX], slow_captures[PATTERN_STARS_MAX];

		bool is_match = pattern_match(&pattern, span_of(name_text), captures);
		bool is_slow_match = slow_match(&pattern_segments, 0, &name, 0, slow_captures);
		captures_text(got, captures, is_match ? pattern.stars : 0);
		captures_text(want, slow_captures, is_slow_match ? pattern.stars : 0);
		if (is_match != is_slow_match || strcmp(got, want) != 0)
			ck_abort_msg("%s on `%s`: got %d %s, want %d %s", pattern_text, name_text, is_match, got,
			             is_slow_match, want);
		matched += is_match;
	}
	ck_assert_int_gt(matched, 1000);
}
END_TEST

/* Counts through all names over the alphabet: the next one, or false behind the last of max letters. */
static bool name_next(char *name, const char *alphabet, size_t max)
{
	size_t len = strlen(name), i = len;
	while (i > 0) {
		const char *next = strchr(alphabet, name[i - 1]) + 1;
		if (*next) {
			name[i - 1] = *next;
			return true;
		}
		name[--i] = alphabet[0];
	}
	if (len == max)
		return false;
	name[len] = alphabet[0];
	name[len + 1] = '\0';
	return true;
}

START_TEST(covers_is_never_wrong)
{
	uint64_t state = 2;
	int covered = 0;
	for (int round = 0; round < 20000; round++) {
		char a_text[16], b_text[16], name[8] = "";
		struct pattern a = random_pattern(&state, a_text), b = random_pattern(&state, b_text);
		if (!pattern_covers(&a, &b))
			continue;
		covered++;
		do {
			if (pattern_match(&b, span_of(name), NULL) && !pattern_match(&a, span_of(name), NULL))
				ck_abort_msg("%s does not cover %s: `%s`", a_text, b_text, name);
		} while (name_next(name, "ab.", 6));
	}
	ck_assert_int_gt(covered, 100);
}
END_TEST

Suite *pattern_suite(void)
{
	Suite *suite = suite_create("pattern");
	TCase *rows = tcase_create("rows");
	tcase_add_loop_test(rows, match, 0, (int)ARRAY_LEN(matches));
	tcase_add_loop_test(rows, compile, 0, (int)ARRAY_LEN(compiles));
	tcase_add_loop_test(rows, cover, 0, (int)ARRAY_LEN(covers));
	tcase_add_loop_test(rows, match_text, 0, (int)ARRAY_LEN(texts));
	suite_add_tcase(suite, rows);
	TCase *definition = tcase_create("definition");
	tcase_add_test(definition, matches_as_defined);
	tcase_add_test(definition, covers_is_never_wrong);
	suite_add_tcase(suite, definition);
	return suite;
}
