#include "decode/statsd.h"

#include "base/bounds.h"
#include "base/decimal.h"
#include "base/vector.h"

static const char bare[SCAN_PAD] = "true"; /* texts are read in whole vectors */
const struct span statsd_bare_tag = {bare, 4};

static int fail(struct statsd_reader *reader, const char *at, const char *why)
{
	reader->at = (uint32_t)(at - reader->line.at);
	reader->why = why;
	return -1;
}

/* Up to the next separator, or all that is left; steps behind it. */
static inline struct span take_until(struct span *rest, char separator)
{
	const size_t len = vector_find(rest->at, rest->len, separator);
	const struct span part = {rest->at, len};
	*rest = span_skip(*rest, len < rest->len ? len + 1 : len);
	return part;
}

static inline bool is_set(struct span type)
{
	return *type.at == 's';
}

/* Above 0 and at most 1: without it the value would count for another number than its sender meant. */
static bool is_rate(struct span text)
{
	static const struct decimal one = {.digits = "1", .stretch = 1, .count = 1, .point = 1};
	struct decimal rate;
	return decimal_parse(&rate, text) == 0 && !rate.negative && !decimal_is_zero(&rate) && decimal_compare(&rate, &one) <= 0;
}

static struct span trim_end(struct span text)
{
	while (text.len && (text.at[text.len - 1] == '\r' || text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Empty ones too: looking at them takes its time as well. */
static size_t count_parts(struct span text, char separator)
{
	size_t count = 0;
	while (text.len) {
		take_until(&text, separator);
		count++;
	}
	return count;
}

static bool is_too_much(const struct statsd_reader *reader)
{
	const size_t value_count = is_set(reader->type) ? 1 : count_parts(reader->values, ':');
	return value_count * count_parts(reader->tags, ',') > STATSD_PRODUCT_MAX;
}

int statsd_read_line(struct statsd_reader *reader, struct span line)
{
	struct span rest = trim_end(line);
	*reader = (struct statsd_reader){.line = line};
	while (rest.len && (rest.at[0] == ' ' || rest.at[0] == '\t'))
		rest = span_skip(rest, 1);
	reader->name = take_until(&rest, ':');
	if (reader->name.len == 0 || reader->name.at + reader->name.len == rest.at)
		return fail(reader, rest.at, "no StatsD line: NAME:VALUE|TYPE");
	reader->values = take_until(&rest, '|');
	if (reader->values.len == 0 || reader->values.at + reader->values.len == rest.at)
		return fail(reader, reader->values.at, "a StatsD line has a value and a type: NAME:VALUE|TYPE");
	reader->type = take_until(&rest, '|');
	if (statsd_type(reader->type) == 0)
		return fail(reader, reader->type.at, "the type is one of c, ms, g, h, d, s");
	if (is_set(reader->type)) /* of a set, a colon is part of the value */
		reader->values.len = (size_t)(reader->type.at - 1 - reader->values.at);
	while (rest.len) {
		struct span part = take_until(&rest, '|');
		if (part.len && part.at[0] == '@') {
			reader->rate = span_skip(part, 1);
			if (!is_rate(reader->rate))
				return fail(reader, part.at, "the rate is a number above 0 and at most 1");
		}
		if (part.len && part.at[0] == '#')
			reader->tags = span_skip(part, 1);
	}
	/* No part is without a byte. */
	if ((uint64_t)reader->values.len * reader->tags.len > STATSD_PRODUCT_MAX && is_too_much(reader))
		return fail(reader, reader->values.at, "too many values with too many tags: write several lines");
	return 0;
}

static inline void set_at(struct lifecycle_event *event, uint16_t location, struct span value)
{
	if (location != FIELDSET_NONE)
		event_set(event, location, (struct value){value.at, (uint32_t)value.len, VALUE_STRING, ESCAPES_NONE});
}

static void set_tags(struct lifecycle_event *event, struct span tags)
{
	const struct fieldset_node *root = &event->fields->nodes[0];
	struct span key;
	struct span value;
	while (root->table && statsd_next_tag(&tags, &key, &value))
		set_at(event, fieldset_child(event->fields, root, key.at, (uint32_t)key.len), value.at ? value : statsd_bare_tag);
}

bool statsd_next_tag(struct span *tags, struct span *key, struct span *value)
{
	while (tags->len) {
		const struct span tag = take_until(tags, ',');
		*key = (struct span){tag.at, vector_find(tag.at, tag.len, ':')};
		*value = key->len < tag.len ? span_skip(tag, key->len + 1) : (struct span){NULL, 0};
		if (key->len)
			return true;
	}
	return false;
}

bool statsd_next_event(struct statsd_reader *reader, struct lifecycle_event *event)
{
	struct span value = reader->values;
	if (reader->values.len == 0)
		return false;
	if (reader->tags.len)
		set_tags(event, reader->tags);
	if (is_set(reader->type))
		reader->values.len = 0;
	else
		value = take_until(&reader->values, ':');
	set_at(event, event->fields->statsd.value, value);
	set_at(event, event->fields->statsd.type, reader->type);
	if (reader->rate.len)
		set_at(event, event->fields->statsd.rate, reader->rate);
	event->bare = (struct value){reader->name.at, (uint32_t)reader->name.len, VALUE_STRING, ESCAPES_NONE};
	event->is_bare_first = true;
	event->tags = reader->tags;
	return true;
}
