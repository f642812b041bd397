#include "map/mapping.h"

#include "map/catalogue.h"
#include "map/compiler.h"

const char *const metric_kind_names[METRIC_KIND_COUNT] = {
	[METRIC_COUNTER] = "counter",           [METRIC_TIMER] = "timer", [METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",       [METRIC_SET] = "set",     [METRIC_DISTRIBUTION] = "distribution",
	[METRIC_RELAY] = "relay",               [METRIC_EVENT] = "event", [METRIC_SERVICE_CHECK] = "service_check",
};

const char *const dialect_names[DIALECT_COUNT] = {
	[DIALECT_DOGSTATSD] = "dogstatsd", [DIALECT_STATSD] = "statsd",   [DIALECT_GRAPHITE] = "graphite",
	[DIALECT_INFLUXDB] = "influxdb",   [DIALECT_LIBRATO] = "librato", [DIALECT_SIGNALFX] = "signalfx",
};

const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_MAPPED] = "mapped",     [OUTCOME_FALLBACK] = "fallback",   [OUTCOME_DROPPED] = "dropped",
	[OUTCOME_EMPTY] = "empty",       [OUTCOME_UNMAPPED] = "unmapped",   [OUTCOME_UNNAMED] = "unnamed",
	[OUTCOME_MALFORMED] = "malformed", [OUTCOME_OVERSIZE] = "oversize",
};

/* The top of a payload, and the objects that read as if they stood there; a dotted name is a literal key and a path. */
static void compile_places(struct compiler *compiler)
{
	const struct texts *payload = &compiler->model->identify.payload;
	compiler->place_count = 1;
	if (payload->count > PAYLOAD_MAX)
		problem_add(compiler->problems, payload->items[PAYLOAD_MAX].mark, "identify.payload names %d objects at most",
		            PAYLOAD_MAX);
	for (size_t i = 0; i < payload->count && i < PAYLOAD_MAX; i++) {
		struct place *place = &compiler->places[compiler->place_count];
		const struct text *text = &payload->items[i];
		struct span keys[ARRAY_LEN(place->keys)];
		const size_t depth = path_split(text->span, keys, ARRAY_LEN(keys));
		if (depth == 0) {
			problem_add(compiler->problems, text->mark, "`%.*s` names no object", SPAN_ARG(text->span));
			continue;
		}
		place->keys[0] = text->span;
		place->depth = 1;
		compiler->place_count++;
		if (depth == 1)
			continue;
		place++;
		memcpy(place->keys, keys, depth * sizeof(*keys));
		place->depth = (uint8_t)depth;
		compiler->place_count++;
	}
}

static void compile_identify(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const struct identify_model *model = &compiler->model->identify;
	for (size_t i = 0; i < model->fields.count; i++) {
		if (i == ARRAY_LEN(mapping->identify)) {
			problem_add(compiler->problems, model->fields.items[i].mark, "identify.fields names %zu fields at most",
			            ARRAY_LEN(mapping->identify));
			break;
		}
		mapping->identify[mapping->identify_count++] = fieldset_add(&mapping->fieldset, &model->fields.items[i].span, 1);
	}
	mapping->strip = arena_array(mapping->arena, model->strip.count, sizeof(*mapping->strip));
	for (size_t i = 0; i < model->strip.count; i++)
		if (model->strip.items[i].span.len)
			mapping->strip[mapping->strip_count++] = model->strip.items[i].span;
}

static void compile_inputs(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const struct model *model = compiler->model;
	mapping->inputs = arena_array(mapping->arena, model->input_count, sizeof(*mapping->inputs));
	mapping->input_count = (uint16_t)model->input_count;
	for (size_t i = 0; i < model->input_count; i++) {
		const struct input_model *from = &model->inputs[i];
		struct input_form *to = &mapping->inputs[i];
		to->label = from->label.span;
		to->format = (uint8_t)from->format;
		if (from->event.span.at)
			to->event = arena_copy(mapping->arena, from->event.span);
		to->unnamed_ignore = from->unnamed_ignore;
		if (from->event.span.at && !identifier_is_valid(from->event.span))
			problem_add(compiler->problems, from->event.mark,
			            "`%.*s` is no identifier: 1 to %d bytes of A-Za-z0-9_.:/- beginning with a letter",
			            SPAN_ARG(from->event.span), IDENTIFIER_MAX);
		compile_tags(compiler, &to->tags, &from->tags, TAGS_CONSTANT);
	}
}

static void compile_filter(struct compiler *compiler, struct output_form *form, const struct texts *filter)
{
	struct arena *arena = compiler->mapping->arena;
	form->filter = arena_array(arena, filter->count, sizeof(*form->filter));
	form->filter_excludes = arena_array(arena, filter->count, sizeof(*form->filter_excludes));
	for (size_t i = 0; i < filter->count; i++) {
		struct span text = filter->items[i].span;
		const bool excludes = text.len && text.at[0] == '!';
		const char *why;
		if (excludes)
			text = span_skip(text, 1);
		form->filter_excludes[form->filter_count] = excludes;
		if (pattern_compile(&form->filter[form->filter_count], text, &why))
			problem_add(compiler->problems, filter->items[i].mark, "`%.*s` is no pattern: %s", SPAN_ARG(text), why);
		else
			form->filter_count++;
	}
}

static void compile_outputs(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const struct model *model = compiler->model;
	mapping->outputs = arena_array(mapping->arena, model->output_count, sizeof(*mapping->outputs));
	mapping->output_count = (uint16_t)model->output_count;
	for (size_t i = 0; i < model->output_count; i++) {
		const struct output_model *from = &model->outputs[i];
		struct output_form *to = &mapping->outputs[i];
		to->label = from->label.span;
		to->dialect = (uint8_t)from->dialect;
		to->prefix = from->prefix.span;
		to->timers = (uint8_t)from->timers;
		to->tags_in_name = from->tags_in_name;
		to->suffix = from->suffix;
		to->max_datagram = from->max_datagram;
		compile_filter(compiler, to, &from->filter);
		compile_tags(compiler, &to->tags, &from->tags, TAGS_CONSTANT);
	}
}

static void compile_limits(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const struct limits_model *limits = &compiler->model->limits;
	mapping->limits = *limits;
	mapping->tag_limits = arena_array(mapping->arena, mapping->tag_key_count, sizeof(*mapping->tag_limits));
	for (uint16_t i = 0; i < mapping->tag_key_count; i++) {
		mapping->tag_limits[i] = limits->tag_values;
		for (size_t k = 0; k < limits->tag_value_limit_count; k++)
			if (span_equal(limits->tag_value_limits[k].key.span, mapping->tag_keys[i]))
				mapping->tag_limits[i] = limits->tag_value_limits[k].limit;
	}
}

/* What a line has beside its tags: name, value, type, rate, and what the output puts behind it. */
static size_t largest_rest(const struct mapping *mapping)
{
	size_t suffix = 0;
	for (uint16_t i = 0; i < mapping->output_count; i++)
		suffix = mapping->outputs[i].suffix.len > suffix ? mapping->outputs[i].suffix.len : suffix;
	return NAME_MAX_LEN + 4 * DECIMAL_TEXT_MAX + suffix;
}

/* The longest lines that a metric with this many tags can become, whatever the dialect: a negative gauge is two of them. */
static void check_render_size(struct compiler *compiler)
{
	const struct mapping *mapping = compiler->mapping;
	const size_t rest = largest_rest(mapping);
	const size_t room = rest < RENDER_MAX / 2 ? RENDER_MAX / 2 - rest : 0;
	const size_t tag_len = mapping->limits.tag_length + NAME_MAX_LEN + sizeof(",:") - 1;
	size_t fixed = mapping->tags.count;
	size_t outer = 0;
	for (uint16_t i = 0; i < mapping->input_count; i++)
		outer = mapping->inputs[i].tags.count > outer ? mapping->inputs[i].tags.count : outer;
	fixed += outer;
	outer = 0;
	for (uint16_t i = 0; i < mapping->output_count; i++)
		outer = mapping->outputs[i].tags.count > outer ? mapping->outputs[i].tags.count : outer;
	fixed += outer;
	for (uint32_t r = 0; r < mapping->rule_count; r++) {
		const struct rule *rule = &mapping->rules[r];
		for (uint32_t m = 0; m < rule->metric_count; m++) {
			const size_t tags = fixed + rule->tags.count + rule->metrics[m].tags.count;
			if (tags > TAGS_MAX || tags * tag_len > room)
				problem_add(compiler->problems, rule->metrics[m].mark,
				            "%zu tags of up to %u bytes: a metric takes %d tags, and %zu bytes of them, at most", tags,
				            mapping->limits.tag_length, TAGS_MAX, room);
		}
	}
}

struct mapping *mapping_compile(const struct model *model, const struct hash_key *key, struct problems *problems)
{
	struct arena *arena = arena_new();
	struct mapping *mapping = arena_alloc(arena, sizeof(*mapping));
	struct compiler compiler = {.mapping = mapping, .model = model, .problems = problems};
	const size_t before = problems->count;

	*mapping = (struct mapping){.arena = arena, .model = model, .hash_key = *key};
	fieldset_init(&mapping->fieldset, arena);
	compile_places(&compiler);
	compile_identify(&compiler);
	compile_catalogue(&compiler);
	compile_fields(&compiler);
	compile_lifecycles(&compiler);
	compile_tags(&compiler, &mapping->tags, &model->tags, TAGS_CONSTANT);
	compile_inputs(&compiler);
	compile_outputs(&compiler);
	compile_rules(&compiler);
	compile_matchers(&compiler);
	compile_expectations(&compiler);
	compile_tag_repeats(&compiler);
	compile_limits(&compiler);
	check_render_size(&compiler);
	if (problems->count != before) {
		mapping_free(mapping);
		return NULL;
	}
	fieldset_seal(&mapping->fieldset, arena);
	return mapping;
}

void mapping_free(struct mapping *mapping)
{
	if (mapping)
		arena_free(mapping->arena);
}
