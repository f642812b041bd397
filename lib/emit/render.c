#include "emit/render.h"

#include <stdio.h>

#include "decode/statsd.h"
#include "emit/sanitise.h"

/* DogStatsD shows titles of 100 characters; more is left to the text. */
enum { EVENT_TITLE_MAX = 1024 };

static const char zero[SCAN_PAD] = "0";
static const struct span other = {"__other__", 9};

/* The keys that a line has so far: of one key the first tag counts. */
struct seen {
	uint16_t keys[2 * TAGS_MAX]; /* of the configuration, and of a relayed line */
	unsigned count;
};

static inline bool seen_has(const struct seen *seen, uint16_t key)
{
	for (unsigned i = 0; i < seen->count; i++)
		if (seen->keys[i] == key)
			return true;
	return false;
}

/* Texts that hang in an arena, a plan or a buffer with SCAN_PAD bytes behind it are copied sixteen bytes at a time; what stands
 * behind the end is overwritten by what follows. */
static inline char *put(char *out, struct span text)
{
	for (size_t at = 0; at < text.len; at += 16)
		memcpy(out + at, text.at + at, 16);
	return out + text.len;
}

/* Any other text. */
static inline char *put_exactly(char *out, struct span text)
{
	if (text.len)
		memcpy(out, text.at, text.len);
	return out + text.len;
}

/* A template's text, sanitised, at most limit bytes; 0 where a field is absent or nothing comes of it. */
static size_t put_template(struct renderer *renderer, const struct template *template, const struct sanitiser *sanitiser,
                           char *out, size_t limit)
{
	size_t len = 0;
	bool is_cut = false;
	for (uint16_t i = 0; i < template->count; i++) {
		const struct template_part *part = &template->parts[i];
		struct span text = part->literal;
		if (!text.at && !subject_text(renderer->subject, part->reference, &text))
			return 0;
		if (is_cut) /* what follows has no place, but must be there */
			continue;
		const size_t put = sanitise(out + len, sanitiser, text, limit - len);
		is_cut = put < text.len;
		len += put;
	}
	return len;
}

/* Once a key, whatever the dialects. */
static void report_tag(struct renderer *renderer, uint16_t key, uint32_t limit)
{
	for (int dialect = 0; dialect < DIALECT_COUNT; dialect++)
		if (renderer->tag_guards[dialect])
			renderer->tag_guards[dialect][key].is_reported = true;
	if (renderer->limited)
		renderer->limited(renderer->context, renderer->mapping->tag_keys[key], limit);
}

static size_t guard_tag(struct renderer *renderer, const struct tag *tag, enum dialect dialect, char *value, size_t len)
{
	struct guard *guard = &renderer->tag_guards[dialect][tag->key];
	if (guard_admits(guard, hash_quick(&renderer->mapping->hash_key, (struct span){value, len})))
		return len;
	renderer->values_limited[tag->key]++;
	if (!guard->is_reported)
		report_tag(renderer, tag->key, guard->limit);
	memcpy(value, other.at, other.len);
	return other.len;
}

static char *put_tag(struct renderer *renderer, const struct wire *wire, const struct tag *tag, char *out, struct seen *seen)
{
	const enum dialect dialect = wire->form->dialect;
	if (tag->is_repeat && seen_has(seen, tag->key))
		return out;
	if (tag->is_constant) {
		seen->keys[seen->count++] = tag->key;
		return put(out, wire->tag_constants[tag->id]);
	}
	char *value = put(out, wire->tag_heads[tag->id]);
	size_t len = put_template(renderer, &tag->value, &sanitise_tag_value[dialect], value, renderer->mapping->limits.tag_length);
	if (len == 0)
		return out;
	len = guard_tag(renderer, tag, dialect, value, len);
	seen->keys[seen->count++] = tag->key;
	return value + len;
}

static char *put_list(struct renderer *renderer, const struct wire *wire, const struct tag_list *list, char *out,
                      struct seen *seen)
{
	for (uint16_t i = 0; i < list->count; i++)
		out = put_tag(renderer, wire, &list->items[i], out, seen);
	return out;
}

static char *put_tail(struct renderer *renderer, const struct wire *wire, const struct rule *rule, char *out, struct seen *seen)
{
	out = put_list(renderer, wire, &rule->tags, out, seen);
	out = put_list(renderer, wire, renderer->input_tags, out, seen);
	out = put_list(renderer, wire, &renderer->mapping->tags, out, seen);
	return put_list(renderer, wire, &wire->form->tags, out, seen);
}

/* Whether an earlier tag of the line has this key. */
static bool is_repeated(struct span tags, const char *before, struct span key)
{
	struct span other_key;
	struct span value;
	while (statsd_next_tag(&tags, &other_key, &value) && other_key.at < before)
		if (span_equal(other_key, key))
			return true;
	return false;
}

/* The key's number where the configuration has it too, else UINT16_MAX. */
static uint16_t known_key(const struct mapping *mapping, struct span key)
{
	for (uint16_t i = 0; i < mapping->tag_key_count; i++)
		if (span_equal(mapping->tag_keys[i], key))
			return i;
	return UINT16_MAX;
}

static struct span guard_relayed(struct renderer *renderer, struct span key, struct span value)
{
	struct guard *guard;
	if (!value.at || relay_admits(&renderer->relay, &renderer->mapping->hash_key, key, value, &guard))
		return value;
	renderer->values_limited[renderer->mapping->relay_key]++;
	if (guard && !guard->is_reported) {
		guard->is_reported = true;
		if (renderer->limited)
			renderer->limited(renderer->context, key, guard->limit);
	}
	return other;
}

/* One tag of a relayed line. A tag without value stays one in DogStatsD; the others know no such thing. */
static char *put_relayed_tag(struct renderer *renderer, const struct wire *wire, struct span key, struct span value, char *out)
{
	const enum dialect dialect = wire->form->dialect;
	value = guard_relayed(renderer, key, value);
	*out++ = wire->separator;
	out += sanitise(out, &sanitise_tag_key[dialect], key, NAME_MAX_LEN);
	if (!value.at && dialect == DIALECT_DOGSTATSD)
		return out;
	*out++ = wire->assign;
	if (!value.at || value.len == 0)
		value = SPAN("true");
	return out + sanitise(out, &sanitise_tag_value[dialect], value, renderer->mapping->limits.tag_length);
}

static char *put_relayed(struct renderer *renderer, const struct wire *wire, char *out, struct seen *seen)
{
	const struct span all = renderer->subject->event->tags;
	char *const end = out + RENDER_MAX / 4;
	const unsigned most = seen->count + TAGS_MAX;
	struct span tags = all;
	struct span key;
	struct span value;
	while (out < end && seen->count < most && statsd_next_tag(&tags, &key, &value)) {
		const uint16_t known = known_key(renderer->mapping, key);
		/* is_repeated() last: for each kept tag it looks at all before it, and of those there are few. */
		if ((known != UINT16_MAX && seen_has(seen, known)) ||
		    (wire->form->dialect == DIALECT_DOGSTATSD && tag_key_is_reserved(key)) || is_repeated(all, key.at, key))
			continue;
		out = put_relayed_tag(renderer, wire, key, value, out);
		seen->keys[seen->count++] = known;
	}
	return out;
}

/* `,key:value,key:value`: the metric's own, then the rule's, the input's, the global ones, the output's. */
static char *put_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	struct tail *tail = &renderer->tails[output];
	struct seen seen;
	seen.count = 0;
	char *end = put_list(renderer, wire, &metric->tags, out, &seen);
	if (metric->kind == METRIC_RELAY)
		end = put_relayed(renderer, wire, end, &seen);
	if (!metric->shares_tail)
		return put_tail(renderer, wire, metric->rule, end, &seen);
	if (tail->rule != metric->rule || tail->epoch != renderer->subject->epoch) {
		seen.count = 0;
		tail->len = (size_t)(put_tail(renderer, wire, metric->rule, tail->text, &seen) - tail->text);
		tail->rule = metric->rule;
		tail->epoch = renderer->subject->epoch;
	}
	return put(end, (struct span){tail->text, tail->len});
}

/* Tags with what opens and closes them; nothing where there are none. */
static char *put_framed_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	/* The first separator is written where the opening's last byte belongs. */
	char *first = out + wire->open.len - 1;
	char *end = put_tags(renderer, output, metric, first);
	if (end == first)
		return out;
	memcpy(out, wire->open.at, wire->open.len);
	return put(end, wire->close);
}

/* One tag's value as a segment of a name; 0 where nothing comes of it. */
static size_t put_segment(struct renderer *renderer, const struct tag *tag, char *out)
{
	const struct sanitiser *sanitiser = &sanitise_tag_value[DIALECT_STATSD];
	const size_t limit = renderer->mapping->limits.tag_length;
	size_t len;
	if (tag->is_constant)
		len = sanitise(out, sanitiser, tag->constant, limit);
	else
		len = put_template(renderer, &tag->value, sanitiser, out, limit);
	len = sanitise_name_value(out, (struct span){out, len});
	return len == 0 || tag->is_constant ? len : guard_tag(renderer, tag, DIALECT_STATSD, out, len);
}

/* The first that is there of those in list, from `from` on, that have this key. */
static size_t put_segment_of(struct renderer *renderer, const struct tag_list *list, uint16_t from, uint16_t key, char *out)
{
	for (uint16_t i = from; i < list->count; i++) {
		const size_t len = list->items[i].key == key ? put_segment(renderer, &list->items[i], out) : 0;
		if (len)
			return len;
	}
	return 0;
}

/* tags_in_name: `.fetch.nightly`, absent ones as none: one segment for each key, at the place of the first tag that has it. */
static char *put_name_tags(struct renderer *renderer, const struct metric *metric, char *out)
{
	const struct tag_list *const lists[] = {&metric->tags, &metric->rule->tags};
	struct seen seen;
	seen.count = 0;
	for (size_t list = 0; list < ARRAY_LEN(lists); list++) {
		for (uint16_t i = 0; i < lists[list]->count; i++) {
			const uint16_t key = lists[list]->items[i].key;
			if (seen_has(&seen, key))
				continue;
			seen.keys[seen.count++] = key;
			*out++ = '.';
			size_t len = put_segment_of(renderer, lists[list], i, key, out);
			if (len == 0 && list == 0)
				len = put_segment_of(renderer, lists[1], 0, key, out);
			out = len ? out + len : put_exactly(out, SPAN("none"));
		}
	}
	return out;
}

static char *put_head(struct renderer *renderer, uint16_t output, const struct metric *metric, struct span head, char *out)
{
	char *end = put(out, head);
	if (renderer->wires[output].form->tags_in_name) {
		end = put_name_tags(renderer, metric, end);
		if (end > out + NAME_MAX_LEN)
			end = out + NAME_MAX_LEN;
	}
	return end;
}

struct span render_type(const struct wire *wire, const struct reading *reading)
{
	if (!reading->type.at)
		return wire->type[reading->metric->kind];
	/* Relayed: plain StatsD and its kin know no histograms and distributions. */
	if (wire->form->dialect != DIALECT_DOGSTATSD && (span_is(reading->type, "|h") || span_is(reading->type, "|d")))
		return wire->type[METRIC_TIMER];
	return reading->type;
}

/* `name:value|type|@rate|#tags` or `name;tags:value|type|@rate`. */
static char *put_metric(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head,
                        struct span value, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	out = put_head(renderer, output, reading->metric, head, out);
	if (wire->has_tags_before_value)
		out = put_framed_tags(renderer, output, reading->metric, out);
	*out++ = ':';
	out = put(out, value);
	out = put(out, render_type(wire, reading));
	out = put(out, reading->rate);
	if (wire->has_tags && !wire->has_tags_before_value)
		out = put_framed_tags(renderer, output, reading->metric, out);
	return put(out, wire->suffix);
}

/* A field of an event's datagram, `|k:key`, where the template gives something. */
static char *put_option(struct renderer *renderer, const char *lead, const struct template *template, char *out)
{
	char *value = put_exactly(out, span_of(lead));
	const size_t len = put_template(renderer, template, &sanitise_tag_value[DIALECT_DOGSTATSD], value, NAME_MAX_LEN);
	return len ? value + len : out;
}

/* A text of several parts, escaped for the wire; absent fields leave nothing. */
static size_t put_text(struct renderer *renderer, const struct template *template, char *out, size_t limit,
                       size_t (*escape)(char *, struct span *, size_t))
{
	size_t len = 0;
	for (uint16_t i = 0; i < template->count; i++) {
		struct span text = template->parts[i].literal;
		if (!text.at && !subject_text(renderer->subject, template->parts[i].reference, &text))
			continue;
		len += escape(out + len, &text, limit - len);
		if (text.len) /* cut: what follows has no place */
			break;
	}
	return len;
}

static size_t put_event_options(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	char *end = out;
	if (metric->has_aggregation_key)
		end = put_option(renderer, "|k:", &metric->aggregation_key, end);
	if (metric->priority.len)
		end = put_exactly(put_exactly(end, SPAN("|p:")), metric->priority);
	if (metric->has_source)
		end = put_option(renderer, "|s:", &metric->source, end);
	if (metric->alert.len)
		end = put_exactly(put_exactly(end, SPAN("|t:")), metric->alert);
	end = put_framed_tags(renderer, output, metric, end);
	end = put(end, renderer->wires[output].suffix);
	return (size_t)(end - out);
}

/* _e{title bytes,text bytes}:title|text|k:key|p:priority|s:source|t:alert|#tags: the text is cut so that all of it fits. */
static size_t render_event(struct renderer *renderer, uint16_t output, const struct reading *reading, char *out)
{
	const struct metric *metric = reading->metric;
	char title[EVENT_TITLE_MAX];
	char frame[sizeof("_e{65535,65535}:|")];
	const size_t title_len = put_text(renderer, &metric->name, title, sizeof(title), sanitise_text);
	const size_t options_len = put_event_options(renderer, output, metric, renderer->options);
	const size_t around = sizeof(frame) - 1 + title_len + options_len;
	if (around > LINE_OUT_MAX)
		return around;
	const size_t text_len = put_text(renderer, &metric->text, renderer->text, LINE_OUT_MAX - around, sanitise_text);
	const int frame_len = snprintf(frame, sizeof(frame), "_e{%zu,%zu}:", title_len, text_len);
	char *end = put_exactly(out, (struct span){frame, (size_t)frame_len});
	end = put_exactly(end, (struct span){title, title_len});
	*end++ = '|';
	end = put(end, (struct span){renderer->text, text_len});
	end = put(end, (struct span){renderer->options, options_len});
	return (size_t)(end - out);
}

/* _sc|name|status|#tags|c:…|m:message: the message is last, and cut to fit. */
static size_t render_service_check(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head,
                                   char *out)
{
	const struct metric *metric = reading->metric;
	char *end = put_exactly(out, SPAN("_sc|"));
	end = put(end, head);
	*end++ = '|';
	*end++ = (char)('0' + metric->status);
	end = put_framed_tags(renderer, output, metric, end);
	end = put(end, renderer->wires[output].suffix);
	const size_t len = (size_t)(end - out);
	if (!metric->has_text || len + 3 >= LINE_OUT_MAX)
		return len;
	char *message = put_exactly(end, SPAN("|m:"));
	const size_t message_len = put_text(renderer, &metric->text, message, LINE_OUT_MAX - len - 3, sanitise_message);
	return message_len ? len + 3 + message_len : len;
}

bool render_has_title(struct renderer *renderer, const struct metric *metric)
{
	char title[EVENT_TITLE_MAX];
	return put_text(renderer, &metric->name, title, sizeof(title), sanitise_text) != 0;
}

size_t render_name(struct renderer *renderer, const struct metric *metric, char *out, enum name_use use)
{
	const struct template *name = &metric->name;
	const struct span prefix = renderer->mapping->model->files[metric->rule->file].prefix.span;
	char part[4 * NAME_MAX_LEN];
	size_t len = 0;
	if (prefix.len)
		len = sanitise_name(out, span_cut(prefix, NAME_MAX_LEN));
	for (uint16_t i = 0; i < name->count; i++) {
		const struct reference reference = name->parts[i].reference;
		struct span text = name->parts[i].literal;
		if (!text.at) {
			if (!subject_text(renderer->subject, reference, &text) || text.len == 0)
				return 0;
			if (use == NAME_AS_OTHER)
				text = other;
		}
		text = span_cut(text, NAME_MAX_LEN);
		const bool is_field = !name->parts[i].literal.at && reference.kind != REFERENCE_EVENT &&
		                      reference.kind != REFERENCE_SEGMENT && reference.kind != REFERENCE_CAPTURE;
		const size_t part_len = is_field ? sanitise_name_value(part, text) : sanitise_name(part, text);
		const size_t take = part_len < NAME_MAX_LEN - len ? part_len : NAME_MAX_LEN - len;
		memcpy(out + len, part, take);
		len += take;
	}
	return len;
}

bool render_admits_name(struct renderer *renderer, struct span name)
{
	struct guard *guard = &renderer->name_guard;
	if (guard_admits(guard, hash_quick(&renderer->mapping->hash_key, name)))
		return true;
	++*renderer->names_limited;
	if (!guard->is_reported) {
		guard->is_reported = true;
		if (renderer->limited)
			renderer->limited(renderer->context, (struct span){0}, guard->limit);
	}
	return false;
}

size_t render_line(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	char *end = out;
	if (reading->metric->kind == METRIC_EVENT)
		return render_event(renderer, output, reading, out);
	if (reading->metric->kind == METRIC_SERVICE_CHECK)
		return render_service_check(renderer, output, reading, head, out);
	if (reading->metric->kind == METRIC_GAUGE && reading->is_negative && wire->has_signed_gauges) {
		end = put_metric(renderer, output, reading, head, (struct span){zero, 1}, end);
		*end++ = '\n';
	}
	return (size_t)(put_metric(renderer, output, reading, head, reading->value, end) - out);
}

static int init_guards(struct renderer *renderer, enum dialect dialect)
{
	const struct mapping *mapping = renderer->mapping;
	struct guard *guards = arena_array(renderer->arena, mapping->tag_key_count, sizeof(*guards));
	renderer->tag_guards[dialect] = guards;
	for (uint16_t i = 0; i < mapping->tag_key_count; i++)
		if (guard_init(&guards[i], mapping->tag_limits[i]))
			return -1;
	return 0;
}

int renderer_init(struct renderer *renderer, const struct mapping *mapping, struct subject *subject, uint64_t *values_limited,
                  uint64_t *names_limited)
{
	static const struct tag_list none;
	*renderer = (struct renderer){.subject = subject,
	                              .mapping = mapping,
	                              .input_tags = &none,
	                              .values_limited = values_limited,
	                              .names_limited = names_limited,
	                              .arena = arena_new()};
	renderer->wires = wires_new(mapping, renderer->arena);
	renderer->tails = arena_array(renderer->arena, mapping->output_count, sizeof(*renderer->tails));
	renderer->text = arena_alloc(renderer->arena, LINE_OUT_MAX + SCAN_PAD);
	renderer->options = arena_alloc(renderer->arena, RENDER_MAX + SCAN_PAD);
	if (guard_init(&renderer->name_guard, mapping->limits.names))
		return -1;
	if (mapping->has_relay && relay_init(&renderer->relay, mapping->limits.tag_values))
		return -1;
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		const enum dialect dialect = mapping->outputs[i].dialect;
		renderer->tails[i].text = arena_alloc(renderer->arena, RENDER_MAX + SCAN_PAD);
		if (!renderer->tag_guards[dialect] && init_guards(renderer, dialect))
			return -1;
	}
	return 0;
}

void renderer_fini(struct renderer *renderer)
{
	for (int dialect = 0; dialect < DIALECT_COUNT; dialect++)
		for (uint16_t i = 0; renderer->tag_guards[dialect] && i < renderer->mapping->tag_key_count; i++)
			guard_fini(&renderer->tag_guards[dialect][i]);
	guard_fini(&renderer->name_guard);
	relay_fini(&renderer->relay);
	arena_free(renderer->arena);
	*renderer = (struct renderer){0};
}

size_t renderer_memory(const struct mapping *mapping)
{
	bool is_used[DIALECT_COUNT] = {false};
	size_t size = guard_memory(mapping->limits.names) + LINE_OUT_MAX + RENDER_MAX;
	if (mapping->has_relay)
		size += relay_memory(mapping->limits.tag_values);
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		const enum dialect dialect = mapping->outputs[i].dialect;
		size += RENDER_MAX;
		for (uint16_t k = 0; !is_used[dialect] && k < mapping->tag_key_count; k++)
			size += guard_memory(mapping->tag_limits[k]);
		is_used[dialect] = true;
	}
	return size;
}
