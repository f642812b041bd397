#include "decode/statsd.h"
#include "emit/line.h"
#include "emit/render_inside.h"

static const char other[SCAN_PAD] = "__other__"; /* read in whole vectors */

const struct span render_other = {other, 9};

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

size_t render_template(struct renderer *renderer, const struct template *template, const struct sanitiser *sanitiser, char *out,
                       size_t limit)
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

/* ---- limits.tag_values ---- */

/* Once a key, whatever the dialects. */
static void report_tag(struct renderer *renderer, uint16_t key, uint32_t limit)
{
	for (int dialect = 0; dialect < DIALECT_COUNT; dialect++)
		if (renderer->tag_guards[dialect])
			renderer->tag_guards[dialect][key].is_reported = true;
	if (renderer->limited)
		renderer->limited(renderer->context, renderer->mapping->tag_keys[key], limit);
}

static __attribute__((noinline)) size_t replace_value(struct renderer *renderer, const struct guard *guard, uint16_t key, char *value)
{
	renderer->values_limited[key]++;
	if (!guard->is_reported)
		report_tag(renderer, key, guard->limit);
	memcpy(value, render_other.at, render_other.len);
	return render_other.len;
}

/* The length of what is sent: the value itself, or what stands for it. text: the value once more, there or where it came from. */
static inline size_t guard_value(struct renderer *renderer, struct guard *guards, uint16_t key, struct span text, char *value)
{
	struct guard *guard = &guards[key];
	if (likely(guard_admits(guard, hash_padded(&renderer->hash_key, text))))
		return text.len;
	return replace_value(renderer, guard, key, value);
}

/* ---- tags ---- */

/* Values that are no text as it stands in the payload's first place; 0 where nothing comes of them. */
static __attribute__((noinline)) size_t put_value_slowly(struct renderer *renderer, const struct wire *wire,
                                                         const struct tag_step *step, char *out)
{
	struct span text;
	if (step->kind == TAG_STEP_TEMPLATE)
		return render_template(renderer, &step->tag->value, wire->values, out, renderer->tag_length);
	if (!subject_text(renderer->subject, step->field, &text))
		return 0;
	if (likely(sanitise_short(out, wire->values, text, renderer->tag_length)))
		return text.len;
	return sanitise(out, wire->values, text, renderer->tag_length);
}

/* Gives the same text elsewhere, where nobody has to wait for what was just written. */
INLINE struct span put_value(struct renderer *renderer, const struct wire *wire, const struct tag_step *step, char *out)
{
	const struct lifecycle_event *event = renderer->subject->event;
	const struct value *value = &event->values[step->location];
	if (likely(step->kind == TAG_STEP_PAYLOAD && event_has(event, step->location) && value->type < VALUE_OBJECT &&
	           value->escapes == ESCAPES_NONE)) {
		const struct span text = {value->at, value->len};
		if (likely(sanitise_short(out, wire->values, text, renderer->tag_length)))
			return text;
	}
	return (struct span){out, put_value_slowly(renderer, wire, step, out)};
}

INLINE char *put_list(struct renderer *renderer, const struct wire *wire, struct tag_range list, char *out, struct seen *seen)
{
	const struct tag_step *step = wire->steps + list.first;
	for (const struct tag_step *end = step + list.count; step < end; step++) {
		if (unlikely(step->is_repeat) && seen_has(seen, step->key))
			continue;
		char *value = put(out, (struct span){step->head, step->head_len});
		if (step->kind != TAG_STEP_CONSTANT) {
			const struct span text = put_value(renderer, wire, step, value);
			if (unlikely(text.len == 0))
				continue;
			value += guard_value(renderer, wire->guards, step->key, text, value);
		}
		seen->keys[seen->count++] = step->key;
		out = value;
	}
	return out;
}

/* Where it is not all that a line has. */
static __attribute__((noinline)) char *put_further(struct renderer *renderer, const struct wire *wire, struct tag_range list, char *out,
                                                   struct seen *seen)
{
	return put_list(renderer, wire, list, out, seen);
}

/* Those of the input, the configuration and the output. */
static __attribute__((noinline)) char *put_common(struct renderer *renderer, const struct wire *wire, char *out, struct seen *seen)
{
	const struct tag_list *const lists[] = {renderer->input_tags, &renderer->mapping->tags, &wire->form->tags};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		out = put_further(renderer, wire, tag_range(lists[i]), out, seen);
	return out;
}

/* The tags behind a metric's own. */
static inline char *put_tail(struct renderer *renderer, const struct wire *wire, struct tag_range rule_tags, char *out, struct seen *seen)
{
	out = put_list(renderer, wire, rule_tags, out, seen);
	if (render_has_common(renderer, wire))
		out = put_common(renderer, wire, out, seen);
	return out;
}

/* ---- the tags of a line that is relayed ---- */

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
	return render_other;
}

static inline size_t put_clean(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit)
{
	return likely(sanitise_short(out, sanitiser, text, limit)) ? text.len : sanitise(out, sanitiser, text, limit);
}

/* One tag of a relayed line. A tag without value, or with an empty one, stays that in DogStatsD; the others know no such thing. */
static char *put_relayed_tag(struct renderer *renderer, const struct wire *wire, struct span key, struct span value, char *out)
{
	const enum dialect dialect = wire->form->dialect;
	value = guard_relayed(renderer, key, value);
	*out++ = wire->separator;
	out += put_clean(out, &sanitise_tag_key[dialect], key, NAME_MAX_LEN);
	if (!value.at && dialect == DIALECT_DOGSTATSD)
		return out;
	*out++ = wire->assign;
	if (value.len == 0 && dialect == DIALECT_DOGSTATSD)
		return out;
	if (!value.at || value.len == 0)
		value = statsd_bare_tag;
	return out + put_clean(out, &sanitise_tag_value[dialect], value, renderer->tag_length);
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
	if (tags.len) /* some are left out */
		renderer->values_limited[renderer->mapping->relay_key]++;
	return out;
}

/* ---- all tags of a line ---- */

char *render_own_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	struct seen seen;
	seen.count = 0;
	out = put_further(renderer, wire, tag_range(&metric->tags), out, &seen);
	if (metric->kind == METRIC_RELAY)
		out = put_relayed(renderer, wire, out, &seen);
	return line_shares_tail(renderer, metric, metric->kind == METRIC_RELAY) ? out : put_tail(renderer, wire, metric->rule_tags, out, &seen);
}

void render_tail(struct renderer *renderer, uint16_t output, struct tag_range rule_tags)
{
	struct tail *tail = &renderer->tails[output];
	struct seen seen;
	seen.count = 0;
	tail->len = (size_t)(put_tail(renderer, &renderer->wires[output], rule_tags, tail->text, &seen) - tail->text);
	tail->rule_tags = rule_tags;
	tail->epoch = renderer->subject->epoch;
}

/* ---- tags_in_name ---- */

/* One tag's value as a segment of a name; 0 where nothing comes of it. */
static size_t put_segment(struct renderer *renderer, const struct tag *tag, char *out)
{
	const struct sanitiser *sanitiser = &sanitise_tag_value[DIALECT_STATSD];
	const size_t limit = renderer->tag_length;
	size_t len;
	if (tag->is_constant)
		len = sanitise(out, sanitiser, tag->constant, limit);
	else
		len = render_template(renderer, &tag->value, sanitiser, out, limit);
	len = sanitise_name_value(out, (struct span){out, len});
	if (len == 0 || tag->is_constant)
		return len;
	return guard_value(renderer, renderer->tag_guards[DIALECT_STATSD], tag->key, (struct span){out, len}, out);
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

char *render_name_tags(struct renderer *renderer, const struct metric *metric, char *name, char *out)
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
	return out > name + NAME_MAX_LEN ? name + NAME_MAX_LEN : out;
}

