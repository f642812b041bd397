#include "wire_parser.h"

static int fail(const char **why, const char *reason)
{
	*why = reason;
	return -1;
}

/* What stands before the first `end`, which is taken too; everything where there is none. */
static struct span take(struct span *rest, char end, bool *is_found)
{
	const char *at = rest->len ? memchr(rest->at, end, rest->len) : NULL;
	const struct span part = {rest->at, at ? (size_t)(at - rest->at) : rest->len};
	*is_found = at != NULL;
	*rest = span_skip(*rest, part.len + (at != NULL));
	return part;
}

static bool is_made_of(struct span text, const char *bytes)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\0' || !strchr(bytes, text.at[i]))
			return false;
	return text.len > 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool is_name(struct span text)
{
	return is_made_of(text, LETTERS DIGITS "_.-") && text.len <= 200;
}

static bool has_any(struct span text, const char *bytes)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '\0' && strchr(bytes, text.at[i]))
			return true;
	return false;
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return true;
	return false;
}

/* The table of RFC 3629. */
static bool is_utf8(struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at;
	const unsigned char *end = at + text.len;
	while (at < end) {
		size_t more = at[0] < 0x80   ? 0
		              : at[0] < 0xc2 ? 9
		              : at[0] < 0xe0 ? 1
		              : at[0] < 0xf0 ? 2
		              : at[0] < 0xf5 ? 3
		                             : 9;
		if (more > (size_t)(end - at - 1))
			return false;
		for (size_t i = 1; i <= more; i++)
			if ((at[i] & 0xc0) != 0x80)
				return false;
		if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
			return false;
		at += more + 1;
	}
	return true;
}

/* What a dialect keeps for itself: in no key and no value. */
static const struct {
	char open, close; /* before the first and behind the last tag; 0: the separator, none */
	char separator, assign;
	const char *key, *value;
} syntax[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = {'#', 0, ',', ':', "|,:", "|,"},
	[DIALECT_STATSD] = {0, 0, 0, 0, "", ""},
	[DIALECT_GRAPHITE] = {';', 0, ';', '=', "|;:=~ ", "|;:=~ "},
	[DIALECT_INFLUXDB] = {',', 0, ',', '=', "|,:=\\ ", "|,:=\\ "},
	[DIALECT_LIBRATO] = {'#', 0, ',', '=', "|#,:=", "|#,:="},
	[DIALECT_SIGNALFX] = {'[', ']', ',', '=', "|[],:=", "|[],:="},
};

static int parse_tags(struct wire_line *line, enum dialect dialect, struct span text, const char **why)
{
	bool is_more = true;
	while (is_more) {
		struct span tag = take(&text, syntax[dialect].separator, &is_more);
		bool is_assigned;
		const struct span key = take(&tag, syntax[dialect].assign, &is_assigned);
		const bool may_be_bare = line->origin == WIRE_RELAYED && dialect == DIALECT_DOGSTATSD;
		if (key.len == 0 || ((!is_assigned || tag.len == 0) && !may_be_bare))
			return fail(why, "a tag without key or value");
		if (has_any(key, syntax[dialect].key) || has_any(tag, syntax[dialect].value))
			return fail(why, "a reserved byte in a tag");
		if (has_control(key) || has_control(tag) || !is_utf8(key) || !is_utf8(tag))
			return fail(why, "a control byte or broken UTF-8 in a tag");
		for (size_t i = 0; i < line->tag_count; i++)
			if (line->origin == WIRE_MADE && span_equal(line->tags[i].key, key))
				return fail(why, "a tag's key twice");
		if (line->tag_count == WIRE_TAGS_MAX)
			return fail(why, "too many tags");
		line->tags[line->tag_count++] = (struct wire_tag){key, tag};
	}
	return 0;
}

/* -?digits[.digits] */
static bool is_decimal(struct span text)
{
	bool has_point;
	if (text.len > 64)
		return false;
	if (text.len && text.at[0] == '-')
		text = span_skip(text, 1);
	const struct span whole = take(&text, '.', &has_point);
	if (!is_made_of(whole, DIGITS) || (whole.len > 1 && whole.at[0] == '0'))
		return false;
	return !has_point || (is_made_of(text, DIGITS) && text.at[text.len - 1] != '0');
}

static int check_value(struct wire_line *line, enum dialect dialect, const char **why)
{
	static const char *const types[] = {"c", "g", "ms", "s", "h", "d"};
	size_t type = 0;
	while (type < ARRAY_LEN(types) && !span_is(line->type, types[type]))
		type++;
	if (type == ARRAY_LEN(types) || (type >= 4 && dialect != DIALECT_DOGSTATSD))
		return fail(why, "no such type");
	if (span_is(line->type, "s")) {
		if (line->value.len == 0 || has_any(line->value, "|:,") || has_control(line->value) ||
		    !is_utf8(line->value))
			return fail(why, "no value of a set");
		return 0;
	}
	struct span number = line->value;
	if (line->origin == WIRE_RELAYED && span_is(line->type, "g") && span_starts(number, SPAN("+")))
		number = span_skip(number, 1);
	if (!is_decimal(number))
		return fail(why, "no number");
	if (span_is(line->type, "ms") && line->value.at[0] == '-')
		return fail(why, "a negative timer");
	return 0;
}

/* name, with its tags where the dialect has them there. */
static int parse_head(struct wire_line *line, enum dialect dialect, struct span head, const char **why)
{
	bool has_tags = false;
	line->name = head;
	if (dialect != DIALECT_DOGSTATSD && dialect != DIALECT_STATSD) {
		line->name = take(&head, syntax[dialect].open, &has_tags);
		if (has_tags && syntax[dialect].close) {
			if (head.len == 0 || head.at[head.len - 1] != syntax[dialect].close)
				return fail(why, "tags that do not end");
			head.len--;
		}
	}
	if (!is_name(line->name))
		return fail(why, "no name");
	return has_tags ? parse_tags(line, dialect, head, why) : 0;
}

/* One of the fields behind the value, each at most once. */
static int set_once(struct span *field, struct span text, const char **why)
{
	if (field->at)
		return fail(why, "a field twice");
	if (text.len == 0)
		return fail(why, "an empty field");
	*field = text;
	return 0;
}

enum { RATE, TAGS, CONTAINER, EXTERNAL, CARDINALITY };

/* |@rate |#tags |c: |e: |card:, in this order. */
static int parse_fields(struct wire_line *line, enum dialect dialect, struct span rest, int from, const char **why)
{
	bool is_more = true;
	int last = from;
	while (is_more) {
		const struct span field = take(&rest, '|', &is_more);
		int this;
		int result;
		if (span_starts(field, SPAN("@"))) {
			this = RATE;
			result = set_once(&line->rate, span_skip(field, 1), why);
		} else if (dialect != DIALECT_DOGSTATSD) {
			return fail(why, "a field that the dialect has not");
		} else if (span_starts(field, SPAN("#"))) {
			this = TAGS;
			result = parse_tags(line, dialect, span_skip(field, 1), why);
		} else if (span_starts(field, SPAN("c:"))) {
			this = CONTAINER;
			result = set_once(&line->container, span_skip(field, 2), why);
		} else if (span_starts(field, SPAN("e:"))) {
			this = EXTERNAL;
			result = set_once(&line->external, span_skip(field, 2), why);
		} else if (span_starts(field, SPAN("card:"))) {
			this = CARDINALITY;
			result = set_once(&line->cardinality, span_skip(field, 5), why);
		} else {
			return fail(why, "no such field");
		}
		if (result)
			return result;
		if (this < last)
			return fail(why, "fields out of order");
		last = this + 1;
	}
	if (line->rate.at && !is_decimal(line->rate))
		return fail(why, "no rate");
	return 0;
}

static int parse_metric(struct wire_line *line, enum dialect dialect, struct span text, const char **why)
{
	bool is_found;
	const struct span head = take(&text, ':', &is_found);
	if (!is_found)
		return fail(why, "no value");
	line->value = take(&text, '|', &is_found);
	if (!is_found)
		return fail(why, "no type");
	line->type = take(&text, '|', &is_found);
	if (parse_head(line, dialect, head, why) || check_value(line, dialect, why))
		return -1;
	return is_found ? parse_fields(line, dialect, text, RATE, why) : 0;
}

static bool take_number(struct span *rest, char end, size_t *number)
{
	bool is_found;
	const struct span digits = take(rest, end, &is_found);
	*number = 0;
	if (!is_found || !is_made_of(digits, DIGITS) || digits.len > 5)
		return false;
	for (size_t i = 0; i < digits.len; i++)
		*number = *number * 10 + (size_t)(digits.at[i] - '0');
	return true;
}

/* _e{5,4}:title|text|k:…|p:…|s:…|t:…|#tags|c:… */
static int parse_event(struct wire_line *line, struct span text, const char **why)
{
	static const char *const leads[] = {"k:", "p:", "s:", "t:"};
	struct span *const fields[] = {&line->key, &line->priority, &line->source, &line->alert};
	size_t title;
	size_t body;
	line->kind = WIRE_EVENT;
	text = span_skip(text, 3);
	if (!take_number(&text, ',', &title) || !take_number(&text, '}', &body))
		return fail(why, "no lengths");
	if (text.len < 1 + title + 1 + body || text.at[0] != ':' || text.at[1 + title] != '|')
		return fail(why, "lengths that are not the texts'");
	line->name = (struct span){text.at + 1, title};
	line->value = (struct span){text.at + 1 + title + 1, body};
	text = span_skip(text, 1 + title + 1 + body);
	if (title == 0 || has_control(line->name) || has_control(line->value) || !is_utf8(line->name) ||
	    !is_utf8(line->value))
		return fail(why, "no text");
	if (text.len == 0)
		return 0;
	if (text.at[0] != '|')
		return fail(why, "something behind the text");
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		if (!span_starts(span_skip(text, 1), span_of(leads[i])))
			continue;
		bool is_more;
		text = span_skip(text, 3);
		*fields[i] = take(&text, '|', &is_more);
		if (fields[i]->len == 0 || has_control(*fields[i]) || !is_utf8(*fields[i]))
			return fail(why, "no text in a field");
		if (!is_more)
			return 0;
		text.at--;
		text.len++;
	}
	return parse_fields(line, DIALECT_DOGSTATSD, span_skip(text, 1), TAGS, why);
}

/* _sc|name|2|#tags|c:…|m:message */
static int parse_service_check(struct wire_line *line, struct span text, const char **why)
{
	bool is_more;
	line->kind = WIRE_SERVICE_CHECK;
	text = span_skip(text, 4);
	line->name = take(&text, '|', &is_more);
	if (!is_more || !is_name(line->name))
		return fail(why, "no name");
	line->value = take(&text, '|', &is_more);
	if (line->value.len != 1 || !is_made_of(line->value, "0123"))
		return fail(why, "no status");
	/* The message is the last field. */
	struct span rest = text;
	while (is_more) {
		const struct span field = take(&rest, '|', &is_more);
		if (!span_starts(field, SPAN("m:")))
			continue;
		line->message = span_skip(field, 2);
		if (is_more)
			return fail(why, "something behind the message");
		text.len = (size_t)(field.at - text.at);
		text.len -= text.len > 0;
		for (size_t i = 0; i + 1 < line->message.len; i++)
			if (line->message.at[i] == 'm' && line->message.at[i + 1] == ':')
				return fail(why, "m: in the message");
		if (line->message.len == 0 || has_control(line->message) || !is_utf8(line->message))
			return fail(why, "no message");
	}
	return text.len ? parse_fields(line, DIALECT_DOGSTATSD, text, TAGS, why) : 0;
}

int wire_parse(struct wire_line *line, enum dialect dialect, enum wire_origin origin, struct span text,
               const char **why)
{
	*line = (struct wire_line){.kind = WIRE_METRIC, .origin = origin};
	if (dialect == DIALECT_DOGSTATSD && span_starts(text, SPAN("_e{")))
		return parse_event(line, text, why);
	if (dialect == DIALECT_DOGSTATSD && span_starts(text, SPAN("_sc|")))
		return parse_service_check(line, text, why);
	return parse_metric(line, dialect, text, why);
}
