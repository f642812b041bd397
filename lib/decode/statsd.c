#include "decode/statsd.h"

#include "base/bounds.h"
#include "base/decimal.h"

/* The value of a tag that has none; texts are read in whole vectors. */
static const char bare_true[SCAN_PAD] = "true";

static int fail(struct statsd_reader *reader, const char *at, const char *why)
{
	reader->at = (uint32_t)(at - reader->line.at);
	reader->why = why;
	return -1;
}

/* Up to the next separator, or all that is left; steps behind it. */
static struct span take_until(struct span *rest, char separator)
{
	const char *found = memchr(rest->at, separator, rest->len);
	const size_t len = found ? (size_t)(found - rest->at) : rest->len;
	const struct span part = {rest->at, len};
	*rest = span_skip(*rest, found ? len + 1 : len);
	return part;
}

static bool is_type(struct span type)
{
	static const char *const types[] = {"c", "ms", "g", "h", "d", "s"};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_is(type, types[i]))
			return true;
	return false;
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
	if (!is_type(reader->type))
		return fail(reader, reader->type.at, "the type is one of c, ms, g, h, d, s");
	if (span_is(reader->type, "s")) /* of a set, a colon is part of the value */
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
	const size_t value_count = span_is(reader->type, "s") ? 1 : count_parts(reader->values, ':');
	if (value_count * count_parts(reader->tags, ',') > STATSD_PRODUCT_MAX)
		return fail(reader, reader->values.at, "too many values with too many tags: write several lines");
	return 0;
}

static void set_field(struct lifecycle_event *event, struct span key, struct span value)
{
	const struct fieldset_node *root = &event->fields->nodes[0];
	const uint16_t location = root->table ? fieldset_child(event->fields, root, key.at, (uint32_t)key.len) : FIELDSET_NONE;
	if (location != FIELDSET_NONE)
		event_set(event, location, (struct value){value.at, (uint32_t)value.len, VALUE_STRING, ESCAPES_NONE});
}

bool statsd_next_tag(struct span *tags, struct span *key, struct span *value)
{
	while (tags->len) {
		const struct span tag = take_until(tags, ',');
		const char *colon = memchr(tag.at, ':', tag.len);
		*key = (struct span){tag.at, colon ? (size_t)(colon - tag.at) : tag.len};
		*value = colon ? span_skip(tag, key->len + 1) : (struct span){NULL, 0};
		if (key->len)
			return true;
	}
	return false;
}

bool statsd_next_event(struct statsd_reader *reader, struct lifecycle_event *event)
{
	/* Keys are looked up by loads of eight bytes. */
	static const char value_key[SCAN_PAD] = "value";
	static const char type_key[SCAN_PAD] = "type";
	static const char rate_key[SCAN_PAD] = "rate";
	struct span tags = reader->tags;
	struct span key;
	struct span value;
	if (reader->values.len == 0)
		return false;
	while (statsd_next_tag(&tags, &key, &value))
		set_field(event, key, value.at ? value : (struct span){bare_true, 4});
	const bool is_set = span_is(reader->type, "s");
	const struct span first = is_set ? reader->values : take_until(&reader->values, ':');
	if (is_set)
		reader->values.len = 0;
	set_field(event, (struct span){value_key, 5}, first);
	set_field(event, (struct span){type_key, 4}, reader->type);
	if (reader->rate.len)
		set_field(event, (struct span){rate_key, 4}, reader->rate);
	event->bare = (struct value){reader->name.at, (uint32_t)reader->name.len, VALUE_STRING, ESCAPES_NONE};
	event->is_bare_first = true;
	event->tags = reader->tags;
	return true;
}
