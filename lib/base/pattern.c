#include "base/pattern.h"

/* Walks over the segments of a dotted text: a place is where a segment begins, len + 1 behind the last one.
 *
 *     step.**.re*
 *     ^0   ^5 ^8  (12: behind the last)
 */
static struct span segment_at(struct span text, size_t place)
{
	struct span rest = span_skip(text, place);
	const char *dot = rest.len > 0 ? memchr(rest.at, '.', rest.len) : NULL;
	return dot ? (struct span){rest.at, (size_t)(dot - rest.at)} : rest;
}

static bool is_behind(struct span text, size_t place)
{
	return place > text.len;
}

static bool is_double_star(struct span segment)
{
	return segment.len == 2 && segment.at[0] == '*' && segment.at[1] == '*';
}

static const char *segment_fault(struct span segment, size_t *stars)
{
	if (is_double_star(segment)) {
		++*stars;
		return NULL;
	}
	for (size_t i = 0; i < segment.len; i++) {
		if (segment.at[i] != '*')
			continue;
		if (i > 0 && segment.at[i - 1] == '*')
			return "`**` must stand alone between dots";
		++*stars;
	}
	return NULL;
}

int pattern_compile(struct pattern *pattern, struct span text, const char **why)
{
	size_t stars = 0;
	struct span before = {NULL, 1}; /* not empty */
	*why = text.len == 0 ? "a pattern must not be empty" : NULL;
	for (size_t place = 0; !*why && !is_behind(text, place);) {
		struct span segment = segment_at(text, place);
		*why = segment_fault(segment, &stars);
		if (place > 0 &&
		    ((segment.len == 0 && is_double_star(before)) || (before.len == 0 && is_double_star(segment))))
			*why = "an empty segment stands next to `**`";
		before = segment;
		place += segment.len + 1;
	}
	if (!*why && stars > PATTERN_STARS_MAX)
		*why = "a pattern may have at most 16 stars";
	if (*why)
		return -1;
	*pattern = (struct pattern){text, (uint8_t)stars};
	return 0;
}

/* Matches a glob whose stars stand for any bytes against the whole of text: the number of its stars, or -1. Of several
 * stars only the last one ever has to be widened: were an earlier one, what stands between could be found no sooner. So
 * each catches as little as it can, and the work is at most the product of both lengths. captures, where not NULL, gets
 * one span a star. */
static int glob_match(struct span glob, struct span text, struct span *captures)
{
	size_t g = 0, t = 0;
	size_t behind_star = 0, caught = 0, caught_end = 0; /* of the last star */
	int stars = 0;
	while (t < text.len || g < glob.len) {
		if (g < glob.len && glob.at[g] == '*') {
			behind_star = ++g;
			caught = caught_end = t;
			stars++;
		} else if (g < glob.len && t < text.len && glob.at[g] == text.at[t]) {
			g++;
			t++;
			continue;
		} else if (stars > 0 && t < text.len) {
			t = ++caught_end;
			g = behind_star;
		} else {
			return -1;
		}
		if (captures)
			captures[stars - 1] = (struct span){text.at + caught, caught_end - caught};
	}
	return stars;
}

bool pattern_match_text(struct span glob, struct span text)
{
	return glob_match(glob, text, NULL) >= 0;
}

/* What stands in name: a name, or a pattern whose stars are matched as symbols. As a symbol `*` is a byte that only a
 * star catches, and `**` a segment that only a `**` catches: what those can stand for is then caught with them. */
enum reading { READ_NAME, READ_PATTERN };

static int segment_match(struct span glob, struct span segment, struct span *captures, enum reading reading)
{
	if (reading == READ_PATTERN && is_double_star(segment))
		return -1;
	return glob_match(glob, segment, captures);
}

/* The segments of name from one place up to another, as text. */
static struct span segments_between(struct span name, size_t from, size_t to)
{
	return from == to ? (struct span){name.at + (from < name.len ? from : name.len), 0}
	                  : (struct span){name.at + from, to - 1 - from};
}

/* As glob_match(), one floor up: segments instead of bytes, and `**` instead of the star. */
static bool segments_match(struct span pattern, struct span name, struct span *captures, enum reading reading)
{
	size_t p = 0, n = 0;
	size_t behind_star = 0, caught = 0, caught_end = 0; /* of the last `**` */
	int stars = 0, stars_before = -1; /* all stars passed; those before the last `**`, -1 without one */
	while (!is_behind(name, n) || !is_behind(pattern, p)) {
		bool is_over = is_behind(pattern, p) || is_behind(name, n);
		struct span glob = is_behind(pattern, p) ? SPAN("") : segment_at(pattern, p);
		struct span segment = is_behind(name, n) ? SPAN("") : segment_at(name, n);
		int more = is_over || is_double_star(glob)
		                   ? -1
		                   : segment_match(glob, segment, captures ? captures + stars : NULL, reading);
		if (more >= 0) {
			p += glob.len + 1;
			n += segment.len + 1;
			stars += more;
			continue;
		}
		if (is_double_star(glob)) {
			p += glob.len + 1;
			behind_star = p;
			caught = caught_end = n;
			stars_before = stars;
		} else if (stars_before >= 0 && !is_behind(name, n)) {
			caught_end += segment_at(name, caught_end).len + 1;
			n = caught_end;
			p = behind_star;
		} else {
			return false;
		}
		stars = stars_before + 1;
		if (captures)
			captures[stars_before] = segments_between(name, caught, caught_end);
	}
	return true;
}

bool pattern_match(const struct pattern *pattern, struct span name, struct span *captures)
{
	if (pattern->stars == 0)
		return span_equal(pattern->text, name);
	return segments_match(pattern->text, name, captures, READ_NAME);
}

/* Whether every name matches: a name has at least one segment. */
static bool takes_all(struct span pattern)
{
	size_t single = 0, several = 0;
	for (size_t place = 0; !is_behind(pattern, place);) {
		const struct span segment = segment_at(pattern, place);
		single += span_equal(segment, SPAN("*"));
		several += is_double_star(segment);
		if (!span_equal(segment, SPAN("*")) && !is_double_star(segment))
			return false;
		place += segment.len + 1;
	}
	return several > 0 && single <= 1;
}

bool pattern_covers(const struct pattern *a, const struct pattern *b)
{
	return takes_all(a->text) || segments_match(a->text, b->text, NULL, READ_PATTERN);
}
