/* A StatsD line, beside a reader that takes it apart byte by byte. */
#include <stdlib.h>

#include "../unit/rig.h"
#include "base/bounds.h"
#include "base/decimal.h"
#include "decode/statsd.h"
#include "fuzz.h"

enum { LINE_MAX_LEN = 8192 };

/* What the other reader found. */
struct found {
	struct span name, values, type, rate, tags;
};

/* Part number of a text that is cut at every separator; false where it has fewer. */
static bool part_at(struct span text, char separator, size_t number, struct span *part)
{
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.at[i] != separator)
			continue;
		*part = (struct span){text.at + start, i - start};
		if (number-- == 0)
			return true;
		start = i + 1;
	}
	return false;
}

static bool is_type(struct span type)
{
	return span_is(type, "c") || span_is(type, "ms") || span_is(type, "g") || span_is(type, "h") || span_is(type, "d") ||
	       span_is(type, "s");
}

/* Above 0 and at most 1. */
static bool is_rate(struct span text)
{
	struct decimal rate;
	struct decimal one;
	struct decimal zero;
	return decimal_parse(&rate, text) == 0 && decimal_parse(&one, SPAN("1")) == 0 && decimal_parse(&zero, SPAN("0")) == 0 &&
	       decimal_compare(&rate, &zero) > 0 && decimal_compare(&rate, &one) <= 0;
}

static bool find_parts(struct span line, struct found *found)
{
	struct span part;
	*found = (struct found){.tags = {line.at, 0}};
	line = span_trim(line);
	while (line.len && strchr(" \t\r", line.at[line.len - 1]) && line.at[line.len - 1])
		line.len--;
	const char *colon = line.len ? memchr(line.at, ':', line.len) : NULL;
	if (!colon || colon == line.at)
		return false;
	found->name = (struct span){line.at, (size_t)(colon - line.at)};
	line = span_skip(line, found->name.len + 1);
	if (!part_at(line, '|', 0, &found->values) || found->values.len == 0 || !part_at(line, '|', 1, &found->type) ||
	    !is_type(found->type))
		return false;
	for (size_t i = 2; part_at(line, '|', i, &part); i++) {
		if (part.len && part.at[0] == '@')
			found->rate = span_skip(part, 1);
		if (part.len && part.at[0] == '@' && !is_rate(found->rate))
			return false;
		if (part.len && part.at[0] == '#')
			found->tags = span_skip(part, 1);
	}
	return true;
}

/* The last tag of that key with a value, as an event has it; at == NULL: there is none. */
static struct span tag_value(struct span tags, const char *key)
{
	struct span tag;
	struct span value = {NULL, 0};
	for (size_t i = 0; part_at(tags, ',', i, &tag); i++) {
		struct span name;
		if (!part_at(tag, ':', 0, &name) || !span_is(name, key))
			continue;
		value = name.len < tag.len ? span_skip(tag, name.len + 1) : SPAN("true");
	}
	return value;
}

static const char *const keys[] = {"value", "type", "rate", "env", "a", "seventeen.letters"};

struct reading_place {
	struct arena *arena;
	struct fieldset fields;
	struct lifecycle_event event;
	uint16_t locations[ARRAY_LEN(keys)];
};

static void place_init(struct reading_place *place)
{
	place->arena = arena_new();
	fieldset_init(&place->fields, place->arena);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct span key = arena_copy(place->arena, span_of(keys[i]));
		place->locations[i] = fieldset_add(&place->fields, &key, 1);
	}
	fieldset_seal(&place->fields, place->arena);
	if (lifecycle_event_init(&place->event, &place->fields, LINE_MAX_DEFAULT))
		fuzz_fail("out of memory");
}

static struct span want_field(const struct found *found, size_t key, struct span value)
{
	struct span want = tag_value(found->tags, keys[key]);
	if (key == 0)
		want = value;
	if (key == 1)
		want = found->type;
	if (key == 2 && found->rate.len)
		want = found->rate;
	return want;
}

static void compare_event(struct reading_place *place, const struct found *found, struct span value)
{
	struct lifecycle_event *event = &place->event;
	if (!span_equal((struct span){event->bare.at, event->bare.len}, found->name) || !event->is_bare_first)
		fuzz_fail("another name: %s", shown((struct span){event->bare.at, event->bare.len}));
	if (!span_equal(event->tags, found->tags))
		fuzz_fail("other tags: %s", shown(event->tags));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct span want = want_field(found, i, value);
		if (event_has(event, place->locations[i]) != (want.at != NULL))
			fuzz_fail("%s is there in one of the two alone", keys[i]);
		if (!want.at)
			continue;
		const struct span got = event_text(event, &event->values[place->locations[i]]);
		if (!span_equal(got, want))
			fuzz_fail("%s: got %s, want %s", keys[i], shown(got), shown(want));
	}
}

static void compare_events(struct reading_place *place, struct statsd_reader *reader, const struct found *found)
{
	const bool is_set = span_is(found->type, "s");
	struct span value = found->values;
	size_t count = 0;
	for (;; count++) {
		event_reset(&place->event);
		if (!statsd_next_event(reader, &place->event))
			break;
		if (is_set ? count > 0 : !part_at(found->values, ':', count, &value))
			fuzz_fail("more events than values");
		compare_event(place, found, value);
	}
	/* A value may be missing behind the last colon: that is none. */
	const bool is_all = is_set ? count == 1 : !part_at(found->values, ':', count, &value) || value.len == 0;
	if (!is_all || count == 0)
		fuzz_fail("%zu events of %s", count, shown(found->values));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading_place place;
	struct span rest = {(const char *)data, size};
	const struct span text = fuzz_until(&rest, '\n');
	struct statsd_reader reader;
	struct found found;
	if (text.len >= LINE_MAX_LEN)
		return 0;
	if (!place.arena)
		place_init(&place);
	char *copy = fuzz_copy(text, SCAN_PAD);
	const struct span line = {copy, text.len};
	const bool is_taken = statsd_read_line(&reader, line) == 0;
	if (!is_taken && (!reader.why || reader.at > line.len))
		fuzz_fail("a fault at %u of %zu bytes", reader.at, line.len);
	/* Lines of so many values and tags are refused for that. */
	if (is_taken != find_parts(line, &found) && (is_taken || found.values.len < 300 || found.tags.len < 300))
		fuzz_fail("%s: %s", shown(line), is_taken ? "taken, and should not be" : reader.why);
	if (is_taken)
		compare_events(&place, &reader, &found);
	fuzz_free(copy, SCAN_PAD);
	return 0;
}
