/* No event can break the protocol or forge a metric: random bytes (many of them reserved, control or UTF-8 in pieces)
 * in every place that an event can fill, in every dialect. What comes out is read back by a parser that knows nothing
 * of the renderer, and compared with what the contract says of each byte. The events are the same in every run; an
 * argument gives another seed, a second one their number. */
#include <stdlib.h>

#include "../unit/rig.h"
#include "tap.h"
#include "wire_parser.h"

enum { FIELD_MAX = 1200, TEXT_MAX = 16384 };

/* ---- the configuration: every kind of metric, with the fields f and g in every place ---- */

#define KEY_OF_ALL   "k|,:;=#[]~\\ \x01\xffz"
#define VALUE_OF_ALL "v|,:;=#[]~\\ \x7f\xc3z"

static struct output_model outputs[] = {
	{.label = T("dogstatsd"), .dialect = DIALECT_DOGSTATSD},
	{.label = T("origin"),
         .dialect = DIALECT_DOGSTATSD,
         .suffix = {"|c:ci-0|e:it-false|card:low", 27},
         .tags = TAGS(TAG("service", "web")),
         .timers = TIMERS_DISTRIBUTION,
         .max_datagram = 8192},
	{.label = T("statsd"), .dialect = DIALECT_STATSD},
	{.label = T("names"), .dialect = DIALECT_STATSD, .tags_in_name = true},
	{.label = T("graphite"), .dialect = DIALECT_GRAPHITE, .max_datagram = 512},
	{.label = T("influxdb"), .dialect = DIALECT_INFLUXDB},
	{.label = T("librato"), .dialect = DIALECT_LIBRATO},
	{.label = T("signalfx"), .dialect = DIALECT_SIGNALFX},
};
enum { OUTPUT_COUNT = ARRAY_LEN(outputs), NAMES_OUTPUT = 3 };

static struct metric_model metrics[] = {
	COUNTER("n0", .tags = TAGS(TAG("t", "{f}"), TAG("u", "a{f}b{g}c"), TAG(KEY_OF_ALL, VALUE_OF_ALL))),
	COUNTER("n1.{f}.{g}"),
	TIMER("n2", "num", UNIT_MS, .sample_rate = T("0.5")),
	GAUGE("n3", "num"),
	METRIC_OF(METRIC_SET, "n4", .value = T("f")),
	METRIC_OF(METRIC_EVENT, "{f}{g}", .text = T("{g}|{f}"), .key = T("{f}"), .source = T("x{g}"),
                  .alert = T("error"), .priority = T("low")),
	METRIC_OF(METRIC_SERVICE_CHECK, "n6.{g}", .text = T("{f}{g}"), .status = T("critical")),
	METRIC_OF(METRIC_HISTOGRAM, "n7", .value = T("num")),
	METRIC_OF(METRIC_DISTRIBUTION, "n8-{event}", .value = T("num")),
};

static struct rule_model rules[] = {
	RULE(MATCH("x.**"), .metrics = metrics, .metric_count = ARRAY_LEN(metrics),
             .tags = TAGS(TAG("r", "{g}"), TAG("t", "repeated"), TAG("absent", "{nope}"), TAG("ev", "{event}"))),
};
static struct file_model files[] = {FILE_OF(.prefix = T("p."), .rules = rules, .rule_count = 1)};
static struct input_model inputs[] = {{.label = T("in"), .tags = TAGS(TAG("via", "in"))}};

/* ---- what the contract says of bytes ---- */

struct bytes {
	char bytes[TEXT_MAX];
	size_t len;
};

static size_t character(const char *text, size_t room)
{
	const unsigned char *at = (const unsigned char *)text;
	const size_t len = at[0] < 0x80   ? 1
	                   : at[0] < 0xc2 ? 0
	                   : at[0] < 0xe0 ? 2
	                   : at[0] < 0xf0 ? 3
	                   : at[0] < 0xf5 ? 4
	                                  : 0;
	if (len == 0 || len > room)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	const unsigned code = len == 3   ? (at[0] & 0xfu) << 6 | (at[1] & 0x3fu)
	                      : len == 4 ? (at[0] & 7u) << 6 | (at[1] & 0x3fu)
	                                 : 0;
	if ((len == 3 && (code < 0x20 || (code >= 0x360 && code < 0x380))) ||
	    (len == 4 && (code < 0x10 || code >= 0x110)))
		return 0;
	return len;
}

/* Appends text with one `_` for each byte of reserved, control byte and byte of invalid UTF-8; `line_ends` stands for a
 * newline where it is not NULL. */
static void add(struct bytes *out, struct span text, const char *reserved, const char *line_ends)
{
	for (size_t at = 0; at < text.len;) {
		const unsigned char c = (unsigned char)text.at[at];
		const size_t len = character(text.at + at, text.len - at);
		if (c == '\n' && line_ends) {
			memcpy(out->bytes + out->len, line_ends, strlen(line_ends));
			out->len += strlen(line_ends);
			at++;
		} else if (len == 0 || c < 0x20 || c == 0x7f || strchr(reserved, (char)c)) {
			out->bytes[out->len++] = '_';
			at++;
		} else {
			memcpy(out->bytes + out->len, text.at + at, len);
			out->len += len;
			at += len;
		}
	}
}

static void cut(struct bytes *text, size_t limit)
{
	if (text->len <= limit)
		return;
	text->len = limit;
	while (text->len > 0 && ((unsigned char)text->bytes[text->len] & 0xc0) == 0x80)
		text->len--;
}

static void name_bytes(struct bytes *text, size_t from, bool keeps_dots)
{
	for (size_t i = from; i < text->len; i++) {
		const char c = text->bytes[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '-' || (c == '.' && keeps_dots)))
			text->bytes[i] = '_';
	}
}

static void add_raw(struct bytes *text, struct span raw)
{
	memcpy(text->bytes + text->len, raw.at, raw.len);
	text->len += raw.len;
}

/* m: becomes m\: */
static void escape_message(struct bytes *text)
{
	static struct bytes copy;
	copy = *text;
	text->len = 0;
	for (size_t i = 0; i < copy.len; i++) {
		text->bytes[text->len++] = copy.bytes[i];
		if (copy.bytes[i] == 'm' && i + 1 < copy.len && copy.bytes[i + 1] == ':')
			text->bytes[text->len++] = '\\';
	}
}

static const char *const reserved_values[DIALECT_COUNT] = {"|,", "|,", "|;:=~ ", "|,:=\\ ", "|#,:=", "|[],:="};
static const char *const reserved_keys[DIALECT_COUNT] = {"|,:", "|,:", "|;:=~ ", "|,:=\\ ", "|#,:=", "|[],:="};

/* ---- events ---- */

struct sample {
	char f[FIELD_MAX], g[FIELD_MAX];
	size_t f_len, g_len;
	bool has_f;
	const char *number;      /* as the event writes it; NULL: none */
	const char *number_text; /* as it goes out; NULL: no number */
	const char *event;
	char line[16384];
	size_t line_len;
};

static size_t make_bytes(char *out, size_t size, uint64_t *seed)
{
	static const char *const pieces[] = {"|c\nforged:1|c",
	                                     "\nforged:1|c|#a:b",
	                                     "|#host:evil",
	                                     ",host:evil",
	                                     ";host=evil",
	                                     "=x,y=",
	                                     "[a=b]",
	                                     "]:1|c",
	                                     "#a=b",
	                                     "_e{1,1}:a|b",
	                                     "|m:x",
	                                     "m:",
	                                     "m",
	                                     ":",
	                                     "|",
	                                     ",",
	                                     ";",
	                                     "=",
	                                     "#",
	                                     "[",
	                                     "]",
	                                     "~",
	                                     "\\",
	                                     " ",
	                                     "\n",
	                                     "\r\n",
	                                     "\t",
	                                     "@0.1",
	                                     "|@0.1",
	                                     "|c:ci-x",
	                                     "|T123",
	                                     "\xc2\x85",
	                                     "\xe2\x80\xa8",
	                                     "\xc3\xa9",
	                                     "\xe2\x82\xac",
	                                     "\xf0\x9f\x98\x80",
	                                     "\xf0\x9f\x98",
	                                     "\xe2\x82",
	                                     "\xc3",
	                                     "\xa9",
	                                     "\xff",
	                                     "\xed\xa0\x80",
	                                     "\xc0\x80",
	                                     "\xf4\x90\x80\x80",
	                                     "x",
	                                     "fetch page",
	                                     "..",
	                                     "a.b-c_d/e",
	                                     "{f}",
	                                     "%s%n",
	                                     "\"",
	                                     "'"};
	static const unsigned lengths[] = {1, 3, 10, 40, 220, FIELD_MAX};
	const size_t most = lengths[random_below(seed, random_below(seed, 4) ? 4 : ARRAY_LEN(lengths))];
	size_t len = 0;
	while (len < most && len + 32 < size) {
		if (random_below(seed, 4) == 0) {
			out[len++] = (char)random_below(seed, 256);
			continue;
		}
		const char *piece = pieces[random_below(seed, ARRAY_LEN(pieces))];
		memcpy(out + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return len;
}

static void put(struct sample *sample, const char *text)
{
	memcpy(sample->line + sample->line_len, text, strlen(text));
	sample->line_len += strlen(text);
}

static void put_json_text(struct sample *sample, const char *text, size_t len, uint64_t *seed)
{
	put(sample, "\"");
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];
		char escaped[8] = {(char)c, '\0'};
		if (c < 0x20 || c == '"' || c == '\\' || (c < 0x80 && random_below(seed, 20) == 0))
			snprintf(escaped, sizeof(escaped), "\\u%04x", c);
		put(sample, escaped);
	}
	put(sample, "\"");
}

static void put_logfmt_text(struct sample *sample, const char *text, size_t len)
{
	put(sample, "\"");
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			put(sample, "\\");
		if (text[i] == '\n')
			put(sample, "\\n");
		else
			sample->line[sample->line_len++] = text[i];
	}
	put(sample, "\"");
}

static void make_sample(struct sample *sample, uint64_t *seed)
{
	static const char *const numbers[][2] = {{"5", "5"},     {"-5", "-5"},      {"1.50", "1.5"},
	                                         {"-0", "0"},    {"1e3", "1000"},   {"-0.25e-1", "-0.025"},
	                                         {"0", "0"},     {"\"12\"", "12"},  {"\"1 2\"", NULL},
	                                         {"true", NULL}, {"\"5|c\"", NULL}, {"\"\"", NULL}};
	static const char *const events[] = {"x.a", "x", "x.a/b:c", "x.a-b.c_d"};
	const size_t number = random_below(seed, ARRAY_LEN(numbers) + 1);
	sample->event = events[random_below(seed, ARRAY_LEN(events))];
	sample->f_len = make_bytes(sample->f, sizeof(sample->f), seed);
	sample->g_len = random_below(seed, 10) ? make_bytes(sample->g, sizeof(sample->g), seed) : 0;
	sample->has_f = random_below(seed, 20) != 0;
	sample->number = number < ARRAY_LEN(numbers) ? numbers[number][0] : NULL;
	sample->number_text = number < ARRAY_LEN(numbers) ? numbers[number][1] : NULL;
	sample->line_len = 0;
	const bool is_json = random_below(seed, 2);
	put(sample, is_json ? "{\"event\":\"" : "");
	put(sample, sample->event);
	put(sample, is_json ? "\",\"g\":" : " g=");
	if (is_json)
		put_json_text(sample, sample->g, sample->g_len, seed);
	else
		put_logfmt_text(sample, sample->g, sample->g_len);
	if (sample->has_f) {
		put(sample, is_json ? ",\"payload\":{\"f\":" : " f=");
		if (is_json)
			put_json_text(sample, sample->f, sample->f_len, seed);
		else
			put_logfmt_text(sample, sample->f, sample->f_len);
		put(sample, is_json ? "}" : "");
	}
	if (sample->number) {
		put(sample, is_json ? ",\"num\":" : " num=");
		put(sample, sample->number);
	}
	put(sample, is_json ? "}\n" : "\n");
}

/* ---- checking ---- */

struct watch {
	const struct output_model *output;
	unsigned index;
	const struct sample *sample;
	unsigned metric; /* the next of the configuration's that may come */
	bool is_second;  /* of a negative gauge's pair */
	unsigned long lines;
	unsigned faults;
	size_t tag_length;
	bool is_garbage; /* only the grammar and the names are looked at */
	enum wire_origin origin;
};

static void blame(struct watch *watch, const char *what, struct span line)
{
	if (watch->faults++ < 3)
		tap_note("%s: %s: %s, from %s", watch->output->label.span.at, what, shown(line),
		         watch->sample ? shown((struct span){watch->sample->line, watch->sample->line_len}) : "");
}

static struct span f_of(const struct sample *sample)
{
	return (struct span){sample->f, sample->has_f ? sample->f_len : 0};
}

static struct span g_of(const struct sample *sample)
{
	return (struct span){sample->g, sample->g_len};
}

static bool is_text(const struct bytes *want, struct span got)
{
	return span_equal((struct span){want->bytes, want->len}, got);
}

/* One that may be cut where the line is as long as it may be, or at `limit`. */
static bool is_text_cut(const struct bytes *want, struct span got, size_t line_len, size_t limit)
{
	if (is_text(want, got))
		return true;
	return got.len < want->len && memcmp(got.at, want->bytes, got.len) == 0 &&
	       (line_len + 4 >= LINE_OUT_MAX || got.len + 4 >= limit);
}

/* ---- tags ---- */

struct want_tags {
	struct bytes keys[10], values[10];
	size_t count;
};

static void want_tag(struct want_tags *tags, const struct watch *watch, struct span key, const struct span *parts,
                     size_t count)
{
	struct bytes *value = &tags->values[tags->count];
	const enum dialect dialect = watch->output->dialect;
	value->len = tags->keys[tags->count].len = 0;
	for (size_t i = 0; i < count; i++)
		add(value, parts[i], reserved_values[dialect], NULL);
	cut(value, watch->tag_length);
	add(&tags->keys[tags->count], key, reserved_keys[dialect], NULL);
	tags->count += value->len > 0;
}

/* t and u are the counter n0's own; the rest follows on all. */
static const struct want_tags *want_all(const struct watch *watch)
{
	static struct want_tags tags;
	const struct sample *sample = watch->sample;
	const struct span f = f_of(sample);
	const struct span g = g_of(sample);
	const struct span event = span_of(sample->event);
	tags.count = 0;
	const bool is_first = watch->metric == 0;
	if (is_first) {
		want_tag(&tags, watch, SPAN("t"), &f, 1);
		if (sample->has_f)
			want_tag(&tags, watch, SPAN("u"), (struct span[]){SPAN("a"), f, SPAN("b"), g, SPAN("c")}, 5);
		want_tag(&tags, watch, SPAN(KEY_OF_ALL), &SPAN(VALUE_OF_ALL), 1);
	}
	const bool has_t = is_first && f.len > 0;
	want_tag(&tags, watch, SPAN("r"), &g, 1);
	if (!has_t)
		want_tag(&tags, watch, SPAN("t"), &SPAN("repeated"), 1);
	want_tag(&tags, watch, SPAN("ev"), &event, 1);
	want_tag(&tags, watch, SPAN("via"), &SPAN("in"), 1);
	want_tag(&tags, watch, SPAN("env"), &SPAN("prod"), 1);
	if (watch->output->tags.count)
		want_tag(&tags, watch, SPAN("service"), &SPAN("web"), 1);
	return &tags;
}

static const char *tags_fault(const struct watch *watch, const struct wire_line *line)
{
	if (watch->output->dialect == DIALECT_STATSD)
		return line->tag_count ? "tags in plain StatsD" : NULL;
	const struct want_tags *want = want_all(watch);
	if (line->tag_count != want->count)
		return "another number of tags";
	for (size_t i = 0; i < want->count; i++)
		if (!is_text(&want->keys[i], line->tags[i].key) || !is_text(&want->values[i], line->tags[i].value))
			return "another tag";
	return NULL;
}

/* ---- names ---- */

static void add_name_tag(struct bytes *name, const struct watch *watch, const struct span *parts, size_t count)
{
	static struct bytes value;
	value.len = 0;
	for (size_t i = 0; i < count; i++)
		add(&value, parts[i], reserved_values[DIALECT_STATSD], NULL);
	cut(&value, watch->tag_length);
	name_bytes(&value, 0, false);
	add_raw(name, SPAN("."));
	add_raw(name, value.len ? (struct span){value.bytes, value.len} : SPAN("none"));
}

static const struct bytes *want_name(const struct watch *watch)
{
	static const char *const fixed[] = {"n0", "n1.", "n2", "n3", "n4", "", "n6.", "n7", "n8-"};
	static struct bytes name;
	const struct sample *sample = watch->sample;
	const struct span f = f_of(sample);
	const struct span g = g_of(sample);
	name.len = 0;
	add_raw(&name, SPAN("p."));
	add_raw(&name, span_of(fixed[watch->metric]));
	size_t from = name.len;
	if (watch->metric == 1) {
		add_raw(&name, f);
		name_bytes(&name, from, false);
		add_raw(&name, SPAN("."));
		from = name.len;
	}
	if (watch->metric == 1 || watch->metric == 6)
		add_raw(&name, g);
	name_bytes(&name, from, false);
	if (watch->metric == 8) {
		add_raw(&name, span_of(sample->event));
		name_bytes(&name, from, true);
	}
	if (name.len > 200)
		name.len = 200;
	if (watch->index != NAMES_OUTPUT)
		return &name;
	const struct span event = span_of(sample->event);
	if (watch->metric == 0) {
		add_name_tag(&name, watch, f.len ? &f : &SPAN("repeated"),
		             1); /* where the first is absent the next counts */
		add_name_tag(&name, watch, (struct span[]){SPAN("a"), f, SPAN("b"), g, SPAN("c")},
		             sample->has_f ? 5 : 0);
		add_name_tag(&name, watch, &SPAN(VALUE_OF_ALL), 1);
	}
	add_name_tag(&name, watch, &g, 1);
	if (watch->metric != 0)
		add_name_tag(&name, watch, &SPAN("repeated"), 1);
	add_name_tag(&name, watch, NULL, 0);
	add_name_tag(&name, watch, &event, 1);
	if (name.len > 200)
		name.len = 200;
	return &name;
}

/* ---- a line of each kind ---- */

static const char *event_fault(const struct watch *watch, const struct wire_line *line, size_t line_len)
{
	static struct bytes want;
	const struct span f = f_of(watch->sample);
	const struct span g = g_of(watch->sample);
	want.len = 0;
	add(&want, f, "", "\\n");
	add(&want, g, "", "\\n");
	if (!is_text_cut(&want, line->name, line_len, 1024))
		return "another title";
	want.len = 0;
	add(&want, g, "", "\\n");
	add_raw(&want, SPAN("|"));
	add(&want, f, "", "\\n");
	if (!is_text_cut(&want, line->value, line_len, LINE_OUT_MAX))
		return "another text";
	want.len = 0;
	add(&want, f, reserved_values[DIALECT_DOGSTATSD], NULL);
	cut(&want, 200);
	if ((want.len > 0) != (line->key.at != NULL) || (want.len && !is_text(&want, line->key)))
		return "another aggregation key";
	want.len = 0;
	add_raw(&want, SPAN("x"));
	add(&want, g, reserved_values[DIALECT_DOGSTATSD], NULL);
	cut(&want, 200);
	if (!is_text(&want, line->source))
		return "another source";
	if (!span_is(line->alert, "error") || !span_is(line->priority, "low"))
		return "another alert or priority";
	return NULL;
}

static const char *message_fault(const struct watch *watch, const struct wire_line *line, size_t line_len)
{
	static struct bytes want;
	want.len = 0;
	add(&want, f_of(watch->sample), "|", "\\n");
	add(&want, g_of(watch->sample), "|", "\\n");
	escape_message(&want);
	if (!span_is(line->value, "2"))
		return "another status";
	if (want.len == 0)
		return line->message.at ? "a message of nothing" : NULL;
	return is_text_cut(&want, line->message, line_len, LINE_OUT_MAX) ? NULL : "another message";
}

static const char *set_fault(const struct watch *watch, const struct wire_line *line)
{
	static struct bytes want;
	want.len = 0;
	add(&want, f_of(watch->sample), "|:,", NULL);
	cut(&want, watch->tag_length);
	return is_text(&want, line->value) ? NULL : "another value";
}

static const char *type_of(const struct watch *watch)
{
	static const char *const dogstatsd[] = {"c", "c", "ms", "g", "s", "", "", "h", "d"};
	static const char *const others[] = {"c", "c", "ms", "g", "s", "", "", "ms", "ms"};
	if (watch->metric == 2 && watch->output->timers == TIMERS_DISTRIBUTION)
		return "d";
	return watch->output->dialect == DIALECT_DOGSTATSD ? dogstatsd[watch->metric] : others[watch->metric];
}

static const char *line_fault(const struct watch *watch, const struct wire_line *line, size_t line_len)
{
	const enum metric_kind kind = metrics[watch->metric].kind;
	const enum wire_kind want = kind == METRIC_EVENT           ? WIRE_EVENT
	                            : kind == METRIC_SERVICE_CHECK ? WIRE_SERVICE_CHECK
	                                                           : WIRE_METRIC;
	const char *fault = NULL;
	if (line->kind != want)
		return "another kind";
	if (want == WIRE_EVENT)
		fault = event_fault(watch, line, line_len);
	else if (!is_text(want_name(watch), line->name))
		return "another name";
	else if (want == WIRE_SERVICE_CHECK)
		fault = message_fault(watch, line, line_len);
	else if (!span_is(line->type, type_of(watch)))
		return "another type";
	else if (kind == METRIC_SET)
		fault = set_fault(watch, line);
	else if (kind == METRIC_COUNTER)
		fault = span_is(line->value, "1") ? NULL : "another value";
	else if (!watch->is_second && !span_is(line->value, watch->sample->number_text))
		fault = "another value";
	if (fault)
		return fault;
	if ((watch->metric == 2) != (line->rate.at != NULL) || (line->rate.at && !span_is(line->rate, "0.5")))
		return "another rate";
	if ((watch->output->suffix.len != 0) != (line->container.at != NULL) ||
	    (line->container.at && (!span_is(line->container, "ci-0") || !span_is(line->external, "it-false") ||
	                            !span_is(line->cardinality, "low"))))
		return "another origin";
	return tags_fault(watch, line);
}

/* Whether metric of the configuration gives a line on this output, for this event. */
static bool is_made(const struct watch *watch, unsigned metric)
{
	const struct sample *sample = watch->sample;
	const bool is_dogstatsd = watch->output->dialect == DIALECT_DOGSTATSD;
	const bool is_negative = sample->number_text && sample->number_text[0] == '-';
	switch (metric) {
	case 1:
		return f_of(sample).len && sample->g_len;
	case 2:
		return sample->number_text && !is_negative;
	case 3:
		return sample->number_text;
	case 4:
		return f_of(sample).len;
	case 5:
		return is_dogstatsd && (f_of(sample).len || sample->g_len);
	case 6:
		return is_dogstatsd && sample->g_len;
	case 7:
	case 8:
		return sample->number_text && (is_dogstatsd || !is_negative);
	default:
		return true;
	}
}

static bool is_second_of_pair(const struct watch *watch)
{
	return watch->metric == 3 && !watch->is_second && watch->output->dialect != DIALECT_DOGSTATSD &&
	       watch->sample->number_text[0] == '-';
}

static void look_at_line(struct watch *watch, struct span text)
{
	static struct wire_line line;
	const char *why;
	watch->lines++;
	if (wire_parse(&line, watch->output->dialect, watch->origin, text, &why)) {
		blame(watch, why, text);
		return;
	}
	if (watch->is_garbage) {
		if (line.kind != WIRE_EVENT && !span_starts(line.name, SPAN("p.n")))
			blame(watch, "a forged metric", text);
		for (size_t i = 0;
		     watch->origin == WIRE_RELAYED && watch->output->dialect == DIALECT_DOGSTATSD && i < line.tag_count;
		     i++)
			if (span_is(line.tags[i].key, "host") || span_starts(line.tags[i].key, SPAN("dd.internal.")))
				blame(watch, "a tag that is the Datadog Agent's", text);
		return;
	}
	while (watch->metric < ARRAY_LEN(metrics) && !is_made(watch, watch->metric))
		watch->metric++;
	if (watch->metric == ARRAY_LEN(metrics)) {
		blame(watch, "one line too many", text);
		return;
	}
	/* A negative gauge is `0`, then itself. */
	if (is_second_of_pair(watch)) {
		if (!span_is(line.value, "0"))
			blame(watch, "no 0 before a negative gauge", text);
		watch->is_second = true;
		return;
	}
	const bool is_pair = watch->is_second;
	watch->is_second = false;
	if (is_pair && !span_is(line.value, watch->sample->number_text))
		blame(watch, "another value behind the 0", text);
	const char *fault = line_fault(watch, &line, text.len);
	if (fault)
		blame(watch, fault, text);
	watch->metric++;
}

static void look(void *context, struct span datagram)
{
	struct watch *watch = context;
	const uint32_t most = watch->output->max_datagram ? watch->output->max_datagram : 1432;
	size_t lines = 0;
	struct span rest = datagram;
	for (;;) {
		const char *end = memchr(rest.at, '\n', rest.len);
		const struct span line = {rest.at, end ? (size_t)(end - rest.at) : rest.len};
		look_at_line(watch, line);
		lines++;
		if (!end)
			break;
		rest = span_skip(rest, line.len + 1);
	}
	/* A pair is one metric: both its lines may be beyond the datagram's size. */
	if (datagram.len > most && lines > 2)
		blame(watch, "a datagram beyond its size", datagram);
	if (datagram.len > LINE_OUT_MAX)
		blame(watch, "a datagram beyond 8192 bytes", datagram);
}

static void feed(struct rig *rig, struct span line, uint64_t *seed)
{
	if (random_below(seed, 2))
		rig_datagram(rig, 0, (struct span){line.at, line.len - random_below(seed, 2)});
	else
		rig_read(rig, 0, line, 1 + random_below(seed, 5000));
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		rig_output(rig, (uint16_t)i);
}

/* Damages a line somewhere; nothing is known of it then but the grammar of what comes out. */
static void damage(struct sample *sample, uint64_t *seed)
{
	for (uint32_t i = random_below(seed, 4); i > 0; i--) {
		char bytes[FIELD_MAX];
		size_t at = random_below(seed, (uint32_t)sample->line_len);
		size_t count = make_bytes(bytes, 64, seed);
		if (at + count >= sample->line_len)
			continue;
		memcpy(sample->line + at, bytes, count);
	}
	sample->line[sample->line_len - 1] = '\n';
}

static void run(const char *name, uint32_t tag_length, bool is_garbage, uint64_t seed, unsigned long count)
{
	static struct rig rig;
	static struct sample sample;
	static struct watch watches[OUTPUT_COUNT];
	const struct model model = {.files = files,
	                            .file_count = 1,
	                            .outputs = outputs,
	                            .output_count = OUTPUT_COUNT,
	                            .inputs = inputs,
	                            .input_count = 1,
	                            .tags = TAGS(TAG("env", "prod"), TAG("via", "global"), TAG("empty", "")),
	                            .limits = {.tag_length = tag_length, .names = 100000, .tag_values = 100000}};
	unsigned faults = 0;
	unsigned long lines = 0;
	rig_init(&rig, &model);
	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		watches[i] = (struct watch){.output = &outputs[i],
		                            .index = i,
		                            .sample = &sample,
		                            .tag_length = tag_length,
		                            .is_garbage = is_garbage};
		rig.sinks[i].look = look;
		rig.sinks[i].context = &watches[i];
		free(rig.sinks[i].text);
		rig.sinks[i].text = NULL;
	}
	for (unsigned long n = 0; n < count && faults == 0; n++) {
		make_sample(&sample, &seed);
		if (is_garbage)
			damage(&sample, &seed);
		for (unsigned i = 0; i < OUTPUT_COUNT; i++)
			watches[i].metric = 0;
		feed(&rig, (struct span){sample.line, sample.line_len}, &seed);
		for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
			struct watch *watch = &watches[i];
			for (; !is_garbage && watch->metric < ARRAY_LEN(metrics); watch->metric++)
				if (is_made(watch, watch->metric))
					blame(watch, "a metric is missing",
					      span_of(metrics[watch->metric].name.span.at));
			faults += watch->faults;
		}
	}
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		lines += watches[i].lines;
	char why[256] = "";
	const bool is_balanced = rig_check_balance(&rig, why, sizeof(why)) == 0;
	if (!is_balanced)
		tap_note("%s", why);
	tap_note("%s: %lu lines of %lu events", name, lines, count);
	tap_ok(faults == 0 && is_balanced && lines > count, name);
	rig_fini(&rig);
}

/* ---- StatsD lines that are relayed ---- */

static struct metric_model relay_metrics[] = {
	{.kind = METRIC_RELAY, .name = T("n.{event}"), .mark = {"test.yaml", 1, 1}, .tags = TAGS(TAG("t", "{k}"))}};
static struct rule_model relay_rules[] = {
	RULE(MATCH("**"), .metrics = relay_metrics, .metric_count = 1, .tags = TAGS(TAG("r", "{x}")))};
static struct file_model relay_files[] = {FILE_OF(.prefix = T("p."), .rules = relay_rules, .rule_count = 1)};
static struct input_model relay_inputs[] = {
	{.label = T("in"), .format = FORMAT_STATSD, .tags = TAGS(TAG("via", "in"))}};

static void put_some(struct sample *sample, uint64_t *seed)
{
	char bytes[64];
	const size_t len = make_bytes(bytes, sizeof(bytes), seed);
	memcpy(sample->line + sample->line_len, bytes, len);
	sample->line_len += len;
}

/* Well-formed, but that anything may stand anywhere; a newline in it makes two of it, which then is what was sent. */
static void make_relayed(struct sample *sample, uint64_t *seed)
{
	static const char *const names[] = {"a", "a.b", "x/y:"};
	static const char *const values[] = {"1", "-5", "+5", "1:2:3", "x y", "1e3", "0.10"};
	static const char *const types[] = {"c", "g", "ms", "s", "h", "d"};
	static const char *const rest[] = {
		"|@0.5", "|@1", "|#k:v,l", "|#host:evil,k:v", "|#dd.internal.entity_id:x", "|T1", "|#k:1,k:2,t:3"};
	sample->line_len = 0;
	put(sample, names[random_below(seed, 3)]);
	if (random_below(seed, 4) == 0)
		put_some(sample, seed);
	put(sample, ":");
	put(sample, values[random_below(seed, ARRAY_LEN(values))]);
	if (random_below(seed, 4) == 0)
		put_some(sample, seed);
	put(sample, "|");
	put(sample, types[random_below(seed, ARRAY_LEN(types))]);
	for (uint32_t i = random_below(seed, 4); i > 0; i--) {
		put(sample, rest[random_below(seed, ARRAY_LEN(rest))]);
		if (random_below(seed, 2))
			put_some(sample, seed);
	}
	put(sample, "\n");
}

static void run_relayed(uint64_t seed, unsigned long count)
{
	static struct rig rig;
	static struct sample sample;
	static struct watch watches[OUTPUT_COUNT];
	const struct model model = {.files = relay_files,
	                            .file_count = 1,
	                            .outputs = outputs,
	                            .output_count = OUTPUT_COUNT,
	                            .inputs = relay_inputs,
	                            .input_count = 1,
	                            .limits = {.names = 100, .tag_values = 100}};
	unsigned faults = 0;
	unsigned long lines = 0;
	rig_init(&rig, &model);
	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		watches[i] = (struct watch){.output = &outputs[i],
		                            .index = i,
		                            .sample = &sample,
		                            .is_garbage = true,
		                            .origin = WIRE_RELAYED};
		rig.sinks[i].look = look;
		rig.sinks[i].context = &watches[i];
		free(rig.sinks[i].text);
		rig.sinks[i].text = NULL;
	}
	for (unsigned long n = 0; n < count && faults == 0; n++) {
		make_relayed(&sample, &seed);
		const uint64_t before = rig.accounts.outputs[0].made;
		const uint64_t received = rig.accounts.inputs[0].received;
		feed(&rig, (struct span){sample.line, sample.line_len}, &seed);
		/* One metric for each event at most, and one line for each metric. */
		const uint64_t made = rig.accounts.outputs[0].made - before;
		if (made > rig.accounts.inputs[0].received - received)
			blame(&watches[0], "more metrics than events", (struct span){sample.line, sample.line_len});
		for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
			faults += watches[i].faults;
			if (watches[i].lines != rig.accounts.outputs[i].sent)
				blame(&watches[i], "more lines than metrics",
				      (struct span){sample.line, sample.line_len});
		}
	}
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		lines += watches[i].lines;
	tap_note("relayed lines: %lu lines of %lu events", lines, count);
	tap_ok(faults == 0 && lines > count, "relayed lines");
	rig_fini(&rig);
}

int main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : 6000;
	run("tag values of up to 200 bytes", 200, false, seed, count);
	run("tag values of up to 7 bytes", 7, false, seed, count);
	run("tag values as long as they come", 2400, false, seed, count);
	run("lines that are damaged", 200, true, seed, 2 * count);
	run_relayed(seed, 2 * count);
	return tap_end();
}
