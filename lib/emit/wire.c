#include "emit/wire.h"

#include "emit/sanitise.h"

static const struct {
	char separator; /* between tags */
	char assign;    /* between a key and its value */
	const char open[3];
	char close;
} tag_syntax[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = {',', ':', "|#", 0}, [DIALECT_STATSD] = {',', ':', ",", 0},
	[DIALECT_GRAPHITE] = {';', '=', ";", 0},   [DIALECT_INFLUXDB] = {',', '=', ",", 0},
	[DIALECT_LIBRATO] = {',', '=', "#", 0},    [DIALECT_SIGNALFX] = {',', '=', "[", ']'},
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
	wire->type[METRIC_RELAY] = SPAN("|c"); /* its own stands there instead: relayed */
	if (is_dogstatsd) {
		wire->type[METRIC_EVENT] = SPAN("_e");
		wire->type[METRIC_SERVICE_CHECK] = SPAN("_sc");
	}
	for (int kind = 0; kind < METRIC_KIND_COUNT; kind++)
		if (wire->type[kind].at)
			wire->type[kind] = arena_copy(arena, wire->type[kind]);
	/* As they came, but for what plain StatsD and its kin do not know. */
	for (int kind = 0; kind <= METRIC_SET; kind++)
		wire->relayed[kind] = wire->type[kind];
	wire->relayed[METRIC_TIMER] = arena_copy(arena, SPAN("|ms"));
}

/* What is written while the steps of one dialect are. */
struct steps {
	const struct mapping *mapping;
	enum dialect dialect;
	struct arena *arena;
	struct tag_step *items;  /* by tag id */
	struct span *key_heads;  /* by key: `,key:`; at == NULL: not written yet */
};

static struct span head_new(const struct steps *steps, struct span key, struct span constant)
{
	char *out = arena_alloc(steps->arena, key.len + constant.len + 2 + SCAN_PAD);
	size_t len = 0;
	out[len++] = tag_syntax[steps->dialect].separator;
	len += sanitise(out + len, &sanitise_tag_key[steps->dialect], key, NAME_MAX_LEN);
	out[len++] = tag_syntax[steps->dialect].assign;
	if (constant.len)
		len += sanitise(out + len, &sanitise_tag_value[steps->dialect], constant, steps->mapping->limits.tag_length);
	return (struct span){out, len};
}

static void set_step(struct steps *steps, const struct tag *tag)
{
	const struct span key = steps->mapping->tag_keys[tag->key];
	struct tag_step *step = &steps->items[tag->id];
	struct span head;
	*step = (struct tag_step){.tag = tag, .key = tag->key, .is_repeat = tag->is_repeat, .kind = TAG_STEP_TEMPLATE};
	if (tag->is_constant) {
		step->kind = TAG_STEP_CONSTANT;
		head = head_new(steps, key, tag->constant);
	} else {
		if (!steps->key_heads[tag->key].at)
			steps->key_heads[tag->key] = head_new(steps, key, (struct span){NULL, 0});
		head = steps->key_heads[tag->key];
	}
	if (!tag->is_constant && tag->value.count == 1 && !tag->value.parts[0].literal.at) {
		step->field = tag->value.parts[0].reference;
		step->kind = TAG_STEP_FIELD;
		if (step->field.kind == REFERENCE_PAYLOAD) {
			step->kind = TAG_STEP_PAYLOAD;
			step->location = steps->mapping->payload[step->field.index].literal[0];
		}
	}
	step->head = head.at;
	step->head_len = (uint32_t)head.len;
}

static void set_list(struct steps *steps, const struct tag_list *list)
{
	for (uint16_t i = 0; i < list->count; i++)
		set_step(steps, &list->items[i]);
}

static const struct tag_step *steps_new(const struct mapping *mapping, enum dialect dialect, struct arena *arena)
{
	struct steps steps = {
		.mapping = mapping,
		.dialect = dialect,
		.arena = arena,
		.items = arena_array(arena, mapping->tag_count, sizeof(*steps.items)),
		.key_heads = arena_array(arena, mapping->tag_key_count, sizeof(*steps.key_heads)),
	};
	set_list(&steps, &mapping->tags);
	for (uint16_t i = 0; i < mapping->input_count; i++)
		set_list(&steps, &mapping->inputs[i].tags);
	for (uint16_t i = 0; i < mapping->output_count; i++)
		set_list(&steps, &mapping->outputs[i].tags);
	for (uint32_t r = 0; r < mapping->rule_count; r++) {
		const struct rule *rule = &mapping->rules[r];
		set_list(&steps, &rule->tags);
		for (uint32_t m = 0; m < rule->metric_count; m++)
			set_list(&steps, &rule->metrics[m].tags);
	}
	return steps.items;
}

static struct span prefix_new(const struct output_form *form, struct arena *arena)
{
	const struct span prefix = span_cut(form->prefix, NAME_MAX_LEN);
	char *out = arena_alloc(arena, NAME_MAX_LEN + SCAN_PAD);
	return (struct span){out, prefix.len ? sanitise_name(out, prefix) : 0};
}

struct wire *wires_new(const struct mapping *mapping, struct arena *arena)
{
	struct wire *wires = arena_array(arena, mapping->output_count, sizeof(*wires));
	const struct tag_step *steps[DIALECT_COUNT] = {NULL};
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		struct wire *wire = &wires[i];
		const enum dialect dialect = mapping->outputs[i].dialect;
		wire->form = &mapping->outputs[i];
		set_types(wire, arena);
		wire->prefix = prefix_new(wire->form, arena);
		wire->suffix = arena_copy(arena, mapping->outputs[i].suffix);
		if (!steps[dialect])
			steps[dialect] = steps_new(mapping, dialect, arena);
		wire->steps = steps[dialect];
		wire->values = &sanitise_tag_value[dialect];
		wire->separator = tag_syntax[dialect].separator;
		wire->assign = tag_syntax[dialect].assign;
		wire->open_len = (uint8_t)strlen(tag_syntax[dialect].open);
		memcpy(wire->open, tag_syntax[dialect].open, wire->open_len);
		wire->close = tag_syntax[dialect].close;
		wire->has_tags_after_value = dialect == DIALECT_DOGSTATSD;
		wire->has_tags_before_value = dialect != DIALECT_STATSD && dialect != DIALECT_DOGSTATSD;
		wire->has_tags_in_name = mapping->outputs[i].tags_in_name;
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
