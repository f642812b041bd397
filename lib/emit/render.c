#include "emit/line.h"
#include "emit/render_inside.h"

static const char zero[SCAN_PAD] = "0";

struct span render_type(const struct wire *wire, const struct reading *reading)
{
	const uint8_t kind = reading->metric->kind;
	return kind == METRIC_RELAY ? wire->relayed[reading->relayed] : wire->type[kind];
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
				text = render_other;
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
	if (guard_admits(guard, hash_padded(&renderer->mapping->hash_key, name)))
		return true;
	++*renderer->names_limited;
	if (!guard->is_reported) {
		guard->is_reported = true;
		if (renderer->limited)
			renderer->limited(renderer->context, (struct span){0}, guard->limit);
	}
	return false;
}

char *render_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	return line_put_tags(renderer, output, metric, metric->kind == METRIC_RELAY, out);
}

static __attribute__((noinline)) char *put_line(struct renderer *renderer, uint16_t output, const struct reading *reading,
                                                struct span head, struct span value, char *out)
{
	const struct span type = render_type(&renderer->wires[output], reading);
	return line_put(renderer, output, reading->metric, reading->metric->kind == METRIC_RELAY, head, value, type, reading->rate, out);
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
		end = put_line(renderer, output, reading, head, (struct span){zero, 1}, end);
		*end++ = '\n';
	}
	return (size_t)(put_line(renderer, output, reading, head, reading->value, end) - out);
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
	renderer->tag_length = mapping->limits.tag_length;
	renderer->hash_key = mapping->hash_key;
	renderer->tails = arena_array(renderer->arena, mapping->output_count, sizeof(*renderer->tails));
	renderer->text = arena_alloc(renderer->arena, LINE_OUT_MAX + SCAN_PAD);
	renderer->options = arena_alloc(renderer->arena, RENDER_MAX + SCAN_PAD);
	if (guard_init(&renderer->name_guard, mapping->limits.names))
		return -1;
	if (mapping->has_relay && relay_init(&renderer->relay, mapping->limits.tag_values))
		return -1;
	for (uint16_t i = 0; i < mapping->output_count; i++) {
		const enum dialect dialect = mapping->outputs[i].dialect;
		renderer->tails[i].rule_tags.first = UINT32_MAX;
		renderer->tails[i].text = arena_alloc(renderer->arena, RENDER_MAX + SCAN_PAD);
		if (!renderer->tag_guards[dialect] && init_guards(renderer, dialect))
			return -1;
		renderer->wires[i].guards = renderer->tag_guards[dialect];
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
