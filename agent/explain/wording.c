#include "explain/wording.h"

#include "emit/sanitise.h"
#include "map/catalogue.h"
#include "map/subject.h"

static const struct metric_model *metric_model(const struct metric *metric)
{
	return &metric->rule->model->metrics[metric - metric->rule->metrics];
}

struct span wording_metric_name(const struct metric *metric)
{
	if (!metric->rule->model) /* a lifecycle's in_flight: no rule says it */
		return metric->name.parts[0].literal;
	return metric_model(metric)->name.span;
}

struct span wording_metric_value(const struct metric *metric)
{
	return metric_model(metric)->value.span;
}

const char *wording_metric_unit(const struct metric *metric)
{
	switch (metric_model(metric)->unit) {
	case UNIT_NONE: return "";
	case UNIT_S: return "s";
	case UNIT_MS: return "ms";
	case UNIT_US: return "us";
	case UNIT_NS: return "ns";
	}
	return "";
}

struct span wording_field(const struct mapping *mapping, struct reference reference, char *out)
{
	int len = 0;
	switch ((enum reference_kind)reference.kind) {
	case REFERENCE_PAYLOAD: return mapping->payload[reference.index].name;
	case REFERENCE_STANDARD: return mapping->fields[reference.index].name;
	case REFERENCE_EVENT: return SPAN("event");
	case REFERENCE_SEGMENT: len = snprintf(out, WORDING_FIELD_SIZE, "event.%u", reference.index); break;
	case REFERENCE_CAPTURE: len = snprintf(out, WORDING_FIELD_SIZE, "%u", reference.index + 1u); break;
	case REFERENCE_STATE_FROM: return SPAN("state.from");
	case REFERENCE_STATE_TO: return SPAN("state.to");
	case REFERENCE_STATE_DURATION: return SPAN("state.duration");
	}
	return (struct span){out, (size_t)len};
}

static void put_name(FILE *out, struct span text)
{
	char name[IDENTIFIER_MAX + NAME_MAX_LEN + SCAN_PAD];
	const size_t len = sanitise_name(name, span_cut(text, NAME_MAX_LEN));
	fwrite(name, 1, len, out);
}

static void put_part(FILE *out, const struct mapping *mapping, struct reference reference, struct span event,
                     const struct span *captures)
{
	char field[WORDING_FIELD_SIZE];
	struct span segment;
	if (reference.kind == REFERENCE_EVENT)
		put_name(out, event);
	else if (reference.kind == REFERENCE_SEGMENT && identifier_segment(event, reference.index, &segment))
		put_name(out, segment);
	else if (reference.kind == REFERENCE_CAPTURE)
		put_name(out, captures[reference.index]);
	else
		fprintf(out, "{%.*s}", SPAN_ARG(wording_field(mapping, reference, field)));
}

void wording_put_resolved_name(FILE *out, const struct mapping *mapping, const struct metric *metric, struct span event,
                               const struct span *captures)
{
	const struct span prefix = mapping->model->files[metric->rule->file].prefix.span;
	if (metric->kind != METRIC_EVENT && prefix.len)
		put_name(out, prefix);
	for (uint16_t i = 0; i < metric->name.count; i++) {
		const struct template_part *part = &metric->name.parts[i];
		if (part->literal.at)
			fwrite(part->literal.at, 1, part->literal.len, out);
		else
			put_part(out, mapping, part->reference, event, captures);
	}
}

static void put_list(FILE *out, const struct condition *conditions, uint16_t count, const char *between)
{
	for (uint16_t i = 0; i < count; i++)
		fprintf(out, "%s%.*s", i ? between : "", SPAN_ARG(conditions[i].source));
}

void wording_put_conditions(FILE *out, const struct conditions *conditions)
{
	const bool has_both = conditions->all_count && conditions->any_count;
	put_list(out, conditions->all, conditions->all_count, " and ");
	if (has_both)
		fputs(conditions->any_count > 1 ? " and (" : " and ", out);
	put_list(out, conditions->any, conditions->any_count, " or ");
	if (has_both && conditions->any_count > 1)
		fputc(')', out);
}

const char *const *wording_known_names(const struct mapping *mapping, struct arena *arena)
{
	const struct catalogue *catalogue = mapping->catalogue;
	size_t count = catalogue->name_count;
	for (uint32_t i = 0; i < mapping->rule_count; i++)
		count += mapping->rules[i].pattern_count;
	const char **names = arena_array(arena, count + 1, sizeof(*names));
	count = 0;
	/* Canonical names first: of equally near ones the first is meant. */
	for (uint32_t i = 0; i < catalogue->known_count; i++)
		names[count++] = arena_copy(arena, catalogue->known[i].name).at;
	for (uint32_t i = 0; i < catalogue->name_count; i++)
		if (catalogue->names[i].spelling != SPELLING_CANONICAL)
			names[count++] = arena_copy(arena, catalogue->names[i].name).at;
	for (uint32_t i = 0; i < mapping->rule_count; i++) {
		const struct rule *rule = &mapping->rules[i];
		for (uint16_t k = 0; k < rule->pattern_count; k++)
			if (rule->patterns[k].stars == 0)
				names[count++] = arena_copy(arena, rule->patterns[k].text).at;
	}
	return names;
}
