/* Two globs and a name, a line each, beside a matcher that fills a table: whether they match, what each star caught, and
 * whether one that covers the other does. The globs over free text too. */
#include <stdlib.h>

#include "../unit/rig.h"
#include "base/pattern.h"
#include "fuzz.h"

enum { TEXT_MAX = 256 };

/* `*` stands for any bytes of which none is in `but`. */
static bool matches_text(struct span glob, struct span text, const char *but)
{
	static bool table[TEXT_MAX + 1][TEXT_MAX + 1]; /* the glob from i on and the text from j on */
	for (size_t i = glob.len + 1; i-- > 0;) {
		for (size_t j = text.len + 1; j-- > 0;) {
			bool ok;
			if (i == glob.len)
				ok = j == text.len;
			else if (glob.at[i] == '*')
				ok = table[i + 1][j] || (j < text.len && (*but == '\0' || text.at[j] != *but) && table[i][j + 1]);
			else
				ok = j < text.len && glob.at[i] == text.at[j] && table[i + 1][j + 1];
			table[i][j] = ok;
		}
	}
	return table[0][0];
}

struct segments {
	struct span items[TEXT_MAX + 1];
	size_t count;
};

static void segments_of(struct segments *segments, struct span text)
{
	segments->count = 0;
	for (size_t start = 0, i = 0; i <= text.len; i++) {
		if (i < text.len && text.at[i] != '.')
			continue;
		segments->items[segments->count++] = (struct span){text.at + start, i - start};
		start = i + 1;
	}
}

static bool is_double(struct span segment)
{
	return span_is(segment, "**");
}

/* What each star of a segment caught: the shortest that lets the rest match. */
static size_t catch_in_segment(struct span glob, struct span text, struct span *captures)
{
	size_t count = 0;
	while (glob.len) {
		if (glob.at[0] != '*') {
			glob = span_skip(glob, 1);
			text = span_skip(text, 1);
			continue;
		}
		size_t len = 0;
		glob = span_skip(glob, 1);
		while (!matches_text(glob, span_skip(text, len), "."))
			len++;
		captures[count++] = (struct span){text.at, len};
		text = span_skip(text, len);
	}
	return count;
}

/* table[i][j]: the pattern's segments from i on match the name's from j on. */
static bool table[TEXT_MAX + 2][TEXT_MAX + 2];

static bool matches(const struct segments *glob, const struct segments *name)
{
	for (size_t i = glob->count + 1; i-- > 0;) {
		for (size_t j = name->count + 1; j-- > 0;) {
			bool ok;
			if (i == glob->count)
				ok = j == name->count;
			else if (is_double(glob->items[i]))
				ok = table[i + 1][j] || (j < name->count && table[i][j + 1]);
			else
				ok = j < name->count && table[i + 1][j + 1] && matches_text(glob->items[i], name->items[j], ".");
			table[i][j] = ok;
		}
	}
	return table[0][0];
}

/* After matches(). */
static size_t catch_all(const struct segments *glob, const struct segments *name, struct span *captures)
{
	size_t count = 0;
	size_t j = 0;
	for (size_t i = 0; i < glob->count; i++) {
		if (!is_double(glob->items[i])) {
			count += catch_in_segment(glob->items[i], name->items[j++], captures + count);
			continue;
		}
		const size_t first = j;
		while (!table[i + 1][j])
			j++;
		captures[count] = (struct span){NULL, 0};
		if (j > first)
			captures[count] = (struct span){name->items[first].at,
			                                (size_t)(name->items[j - 1].at + name->items[j - 1].len -
			                                         name->items[first].at)};
		count++;
	}
	return count;
}

static bool is_pattern(struct span text)
{
	static struct segments segments;
	size_t stars = 0;
	segments_of(&segments, text);
	for (size_t i = 0; i < segments.count; i++) {
		const struct span segment = segments.items[i];
		for (size_t j = 0; j < segment.len; j++) {
			stars += segment.at[j] == '*' && !(is_double(segment) && j == 1);
			if (!is_double(segment) && j > 0 && segment.at[j] == '*' && segment.at[j - 1] == '*')
				return false;
		}
		if (i > 0 && ((is_double(segment) && segments.items[i - 1].len == 0) ||
		              (is_double(segments.items[i - 1]) && segment.len == 0)))
			return false;
	}
	return text.len > 0 && stars <= PATTERN_STARS_MAX;
}

static bool check_match(const struct pattern *pattern, struct span name)
{
	static struct segments glob;
	static struct segments segments;
	struct span got[PATTERN_STARS_MAX];
	struct span want[PATTERN_STARS_MAX];
	segments_of(&glob, pattern->text);
	segments_of(&segments, name);
	const bool is_match = pattern_match(pattern, name, got);
	if (is_match != matches(&glob, &segments) || is_match != pattern_match(pattern, name, NULL))
		fuzz_fail("%s, %s: %s", shown(pattern->text), shown(name), is_match ? "a match" : "no match");
	if (!is_match)
		return false;
	const size_t count = catch_all(&glob, &segments, want);
	if (count != pattern->stars)
		fuzz_fail("%s: %u stars instead of %zu", shown(pattern->text), pattern->stars, count);
	for (size_t i = 0; i < count; i++)
		if (!span_equal(got[i], want[i]))
			fuzz_fail("%s, %s: star %zu caught %s instead of %s", shown(pattern->text), shown(name), i + 1,
			          shown(got[i]), shown(want[i]));
	return true;
}

static bool compile(struct pattern *pattern, struct span text)
{
	const char *why = NULL;
	const bool ok = pattern_compile(pattern, text, &why) == 0;
	if (ok != is_pattern(text) || (!ok && !why))
		fuzz_fail("%s: %s", shown(text), ok ? "taken, and should not be" : why ? why : "(no reason)");
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pattern a;
	struct pattern b;
	if (size >= TEXT_MAX)
		return 0;
	char *copy = fuzz_copy((struct span){(const char *)data, size}, 0);
	struct span name = {copy, size};
	const struct span first = fuzz_until(&name, '\n');
	const struct span second = fuzz_until(&name, '\n');
	const bool is_a = compile(&a, first);
	const bool is_b = compile(&b, second);
	const bool has_a = is_a && check_match(&a, name);
	const bool has_b = is_b && check_match(&b, name);
	if (is_a && is_b && has_b && !has_a && pattern_covers(&a, &b))
		fuzz_fail("%s does not cover %s: %s", shown(first), shown(second), shown(name));
	if (pattern_match_text(first, name) != matches_text(first, name, ""))
		fuzz_fail("%s in the text %s", shown(first), shown(name));
	fuzz_free(copy, 0);
	return 0;
}
