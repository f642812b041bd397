#include "emit/wire.h"

#include "emit/sanitise.h"

static const struct {
	char separator; /* between tags */
	char assign;    /* between a key and its value */
	const char *open;
	const char *close;
} tag_syntax[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = {',', ':', "|#", ""}, [DIALECT_STATSD] = {',', ':', "", ""},
	[DIALECT_GRAPHITE] = {';', '=', ";", ""},   [DIALECT_INFLUXDB] = {',', '=', ",", ""},
	[DIALECT_LIBRATO] = {',', '=', "#", ""},    [DIALECT_SIGNALFX] = {',', '=', "[", "]"},
};

static void set_types(struct wire *wire, struct arena *arena)
{
	const bool is_dogstatsd = wire->form->dialect == DIALECT_DOGSTATSD;
	const struct span timers[] = {[TIMERS_MS] = SPAN("|ms"), [TIMERS_HISTOGRAM] = SPAN("|h"), [TIMERS_DISTRIBUTION] = SPAN("|d")};
	wire->type[METRIC_COUNTER] = SPAN("|c");
	wire->type[METRIC_TIMER] = is_dogstatsd ? timers[wire->form->timers] : SPAN("|ms");
	wire->type[METRIC_GAUGE] = SPAN("|g");
	wire->type[METRIC_HISTOGRAM] = is_dogstatsd ? SPAN("|h") : SPAN("|ms");
	wire->type[METRIC_DISTRIBUTION] = is_dogstatsd ? SPAN("|d") : SPAN("|ms");
	wire->type[METRIC_SET] = SPAN("|s");
	wire->type[METRIC_RELAY] = SPAN("|c"); /* its own, from the event, stands there instead */
	if (is_dogstatsd) {
		wire->type[METRIC_EVENT] = SPAN("_e");
		wire->type[METRIC_SERVICE_CHECK] = SPAN("_sc");
	}
	for (int kind = 0; kind < METRIC_KIND_COUNT; kind++)
		if (wire->type[kind].at)
			wire->type[kind] = arena_copy(arena, wire->type[kind]);
}

struct tag_bytes {
	struct span *heads;
	struct span *constants;
};

static void set_tag(struct tag_bytes *bytes, const struct tag *tag, const struct mapping *mapping, enum dialect dialect,
                    struct arena *arena)
{
	const struct span key = mapping->tag_keys[tag->key];
	char *out = arena_alloc(arena, key.len + tag->constant.len + 2 + 4 * SCAN_PAD);
	size_t len = 0;
	out[len++] = tag_syntax[dialect].separator;
	len += sanitise(out + len, &sanitise_tag_key[dialect], key, NAME_MAX_LEN);
	out[len++] = tag_syntax[dialect].assign;
	bytes->heads[tag->id] = (struct span){out, len};
	if (!tag->is_constant)
		return;
	len += sanitise(out + len, &sanitise_tag_value[dialect], tag->constant, mapping->limits.tag_length);
	bytes->constants[tag->id] = (struct span){out, len};
}

static void set_list(struct tag_bytes *bytes, const struct tag_list *list, const struct mapping *mapping, enum dialect dialect,
                     struct arena *arena)
{
	for (uint16_t i = 0; i < list->count; i++)
		set_tag(bytes, &list->items[i], mapping, dialect, arena);
}

static struct tag_bytes tag_bytes_new(const struct mapping *mapping, enum dialect dialect, struct arena *arena)
{
	struct tag_bytes bytes = {
		.heads = arena_array(arena, mapping->tag_count, sizeof(*bytes.heads)),
		.constants = arena_array(arena, mapping->tag_count, sizeof(*bytes.constants)),
	};
	set_list(&bytes, &mapping->tags, mapping, dialect, arena);
	for (uint16_t i = 0; i < mapping->input_count; i++)
		set_list(&bytes, &mapping->inputs[i].tags, mapping, dialect, arena);
	for (uint16_t i = 0; i < mapping->output_count; i++)
		set_list(&bytes, &mapping->outputs[i].tags, mapping, dialect, arena);
	for (uint32_t r = 0; r < mapping->rule_count; r++) {
		const struct rule *rule = &mapping->rules[r];
		set_list(&bytes, &rule->tags, mapping, dialect, arena);
		for (uint32_t m = 0; m < rule->metric_count; m++)
			set_list(&bytes, &rule->metrics[m].tags, mapping, dialect, arena);
	}
	return bytes;
}

struct wire *wires_new(const struct mapping *mapping, struct arena *arena)
{
	struct wire *wires = arena_array(arena, mapping->output_count, sizeof(*wires));
	struct tag_bytes bytes[DIALECT_COUNT] = {{0}};
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		struct wire *wire = &wires[i];
		const enum dialect dialect = mapping->outputs[i].dialect;
		wire->form = &mapping->outputs[i];
		set_types(wire, arena);
		wire->suffix = arena_copy(arena, mapping->outputs[i].suffix);
		if (!bytes[dialect].heads)
			bytes[dialect] = tag_bytes_new(mapping, dialect, arena);
		wire->tag_heads = bytes[dialect].heads;
		wire->tag_constants = bytes[dialect].constants;
		wire->separator = tag_syntax[dialect].separator;
		wire->assign = tag_syntax[dialect].assign;
		wire->open = arena_copy(arena, span_of(tag_syntax[dialect].open));
		wire->close = arena_copy(arena, span_of(tag_syntax[dialect].close));
		wire->has_tags = dialect != DIALECT_STATSD;
		wire->has_tags_before_value = dialect != DIALECT_STATSD && dialect != DIALECT_DOGSTATSD;
		wire->has_signed_gauges = dialect != DIALECT_DOGSTATSD;
	}
	return wires;
}

bool wire_takes(const struct wire *wire, struct span name)
{
	const struct output_form *form = wire->form;
	/* Who only says what is to be kept out means all the rest to go. */
	bool takes = form->filter_count == 0 || form->filter_excludes[0];
	for (uint16_t i = 0; i < form->filter_count; i++)
		if (pattern_match(&form->filter[i], name, NULL))
			takes = !form->filter_excludes[i];
	return takes;
}
