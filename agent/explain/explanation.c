#include "explain/explanation.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/arena.h"
#include "explain/quote.h"
#include "explain/wording.h"

enum { VALUE_SHOWN = 60 };

struct explainer {
	struct trace trace;
	struct translate_observer observer;
	struct explanation explanation;
	struct arena *arena;
	const char *const *known_names;
	void (*explained)(void *context, const struct explanation *explanation);
	void *context;
};

/* The next item of a list that grows. */
#define NEXT(list, count, size) ((list) = grow((list), (count), &(size), sizeof(*(list))), &(list)[(count)++])

static void *grow(void *list, uint32_t count, uint32_t *size, size_t item_size)
{
	if (count < *size)
		return list;
	const uint32_t wanted = *size ? 2 * *size : 16;
	void *larger = realloc(list, wanted * item_size);
	if (!larger)
		arena_exhausted();
	*size = wanted;
	return larger;
}

static struct piece keep(struct explanation *explanation, struct span text)
{
	const struct piece piece = {explanation->bytes_used, text.len};
	if (explanation->bytes_size - explanation->bytes_used < text.len) {
		const size_t size = 2 * (explanation->bytes_used + text.len);
		char *bytes = realloc(explanation->bytes, size);
		if (!bytes)
			arena_exhausted();
		explanation->bytes = bytes;
		explanation->bytes_size = size;
	}
	if (text.len)
		memcpy(explanation->bytes + piece.at, text.at, text.len);
	explanation->bytes_used += text.len;
	return piece;
}

/* ---- the payload ---- */

static void explain_source(const struct mapping *mapping, struct explained_field *field, const struct standard *standard,
                           const struct field_variant_model *variant)
{
	switch (field->origin) {
	case STANDARD_PAYLOAD:
		field->source = mapping->payload[standard->source].name;
		break;
	case STANDARD_BETWEEN:
		assert(variant);
		field->source = variant->between[0].span;
		field->end = variant->between[1].span;
		break;
	case STANDARD_CLASSIFIED:
	case STANDARD_MISSING:
		assert(variant);
		field->source = variant->classify.span;
		break;
	case STANDARD_LIFECYCLE:
	case STANDARD_DEFAULT:
	case STANDARD_ABSENT:
		break;
	}
}

static void explain_fields(struct explanation *explanation, struct subject *subject)
{
	const struct mapping *mapping = explanation->mapping;
	for (uint16_t i = 0; i < mapping->field_count; i++) {
		const struct reference reference = {REFERENCE_STANDARD, i};
		const uint8_t variant = subject->variants[i];
		struct span text;
		if (!subject_text(subject, reference, &text))
			continue;
		struct explained_field *field = NEXT(explanation->fields, explanation->field_count, explanation->field_size);
		*field = (struct explained_field){
			.name = mapping->fields[i].name, .value = text, .origin = subject->standards[i].origin};
		explain_source(mapping, field, &subject->standards[i],
		               variant ? &mapping->model->fields[i].variants[variant - 1] : NULL);
	}
}

/* ---- why a metric was not made ---- */

static void put_value(FILE *out, struct explanation *explanation, struct reference reference)
{
	char field[WORDING_FIELD_SIZE];
	struct span text;
	fprintf(out, "%.*s is ", SPAN_ARG(wording_field(explanation->mapping, reference, field)));
	if (!subject_text(explanation->subject, reference, &text)) {
		fputs(subject_value(explanation->subject, reference) ? "no single value" : "absent", out);
		return;
	}
	if (text.len == 0) {
		fputs("empty", out);
		return;
	}
	fputc('`', out);
	quote_put(out, text, VALUE_SHOWN);
	fputc('`', out);
}

static void put_condition(FILE *out, struct explanation *explanation, const struct metric *metric,
                          const struct condition *condition)
{
	const struct conditions *when = &metric->when;
	const bool is_any = when->any_count && condition >= when->any && condition < when->any + when->any_count;
	if (condition->operator == CONDITION_PRESENT && !is_any) {
		put_value(out, explanation, condition->left);
		return;
	}
	if (is_any && when->any_count > 1)
		fprintf(out, "none of the conditions under `any` holds; the last is `%.*s`: ", SPAN_ARG(condition->source));
	else
		fprintf(out, "`%.*s` does not hold: ", SPAN_ARG(condition->source));
	put_value(out, explanation, condition->left);
	if (condition->right_is_field) {
		fputs(", ", out);
		put_value(out, explanation, condition->right_field);
	}
}

/* The first field that the name needs and the event does not have. */
static void put_name_lack(FILE *out, struct explanation *explanation, const struct metric *metric)
{
	char field[WORDING_FIELD_SIZE];
	struct span text;
	for (uint16_t i = 0; i < metric->name.count; i++) {
		const struct template_part *part = &metric->name.parts[i];
		if (part->literal.at || (subject_text(explanation->subject, part->reference, &text) && text.len))
			continue;
		fprintf(out, "its name needs {%.*s}, which is absent or empty",
		        SPAN_ARG(wording_field(explanation->mapping, part->reference, field)));
		return;
	}
	fputs("nothing comes of its name", out);
}

static void put_skip(FILE *out, struct explanation *explanation, const struct metric *metric, enum skip skip)
{
	const struct reference value = metric->value.field;
	struct decimal number;
	struct span text;
	switch (skip) {
	case SKIP_ABSENT:
		if (metric->kind == METRIC_RELAY && subject_text(explanation->subject, value, &text))
			fputs("it relays StatsD lines, and this event has no StatsD type", out);
		else
			put_value(out, explanation, value);
		break;
	case SKIP_NOT_A_NUMBER:
		put_value(out, explanation, value);
		fputs(", not a number", out);
		if (subject_text(explanation->subject, value, &text) && decimal_parse(&number, text) == 0)
			fputs(" that a metric can carry", out);
		break;
	case SKIP_NEGATIVE:
		put_value(out, explanation, value);
		fputs(": a timer is never negative", out);
		break;
	case SKIP_NAME:
		put_name_lack(out, explanation, metric);
		break;
	case SKIP_COUNT:
		break;
	}
}

static struct piece why_not_made(struct explanation *explanation, const struct explained_metric *explained)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		arena_exhausted();
	if (explained->fate == METRIC_CONDITION)
		put_condition(out, explanation, explained->metric, explained->condition);
	else
		put_skip(out, explanation, explained->metric, explained->skip);
	struct arena_guard guard;
	const bool is_whole = !ferror(out);
	const bool is_closed = !fclose(out);
	arena_guard(&guard, free, text);
	if (!is_closed || !is_whole || !text)
		arena_exhausted();
	const struct piece piece = keep(explanation, (struct span){text, size});
	arena_unguard(&guard);
	free(text);
	return piece;
}

uint32_t explanation_made(const struct explanation *explanation)
{
	uint32_t made = 0;
	for (uint32_t i = 0; i < explanation->metric_count; i++)
		made += explanation->metrics[i].fate == METRIC_MADE;
	return made;
}

const char *explanation_line_why(const struct explanation *explanation, const struct explained_metric *metric,
                                 const struct explained_line *line)
{
	const struct output_form *output = &explanation->mapping->outputs[line->output];
	const enum metric_kind kind = metric->metric->kind;
	const bool has_kind = output->dialect == DIALECT_DOGSTATSD || (kind != METRIC_EVENT && kind != METRIC_SERVICE_CHECK);
	switch (line->fate) {
	case LINE_PACKED:
		return NULL;
	case LINE_FILTERED:
		return has_kind ? "its filter leaves it out" : "its dialect has no events and service checks";
	case LINE_NEGATIVE:
		return "negative, and its dialect takes it as a timer";
	case LINE_SAMPLED_OUT:
		return "sampled out";
	case LINE_TOO_LONG:
		return "the line is longer than 8192 bytes";
	case LINE_NO_ROOM:
		return "the output holds too much already";
	}
	return NULL;
}

/* ---- what the translator tells ---- */

static void begin(struct explanation *explanation)
{
	explanation->is_named = false;
	explanation->why.len = 0;
	explanation->column = 0;
	explanation->nearest = NULL;
	explanation->field_count = explanation->missing_count = explanation->rule_count = 0;
	explanation->metric_count = explanation->line_count = 0;
	explanation->bytes_used = 0;
}

static void on_named(void *context, const struct identity *identity, struct span text, struct subject *subject)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	begin(explanation);
	explanation->is_named = true;
	explanation->identity = *identity;
	explanation->written = text;
	explanation->subject = subject;
}

static void on_missing(void *context, const struct expectation *expectation)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	*NEXT(explanation->missing, explanation->missing_count, explanation->missing_size) = expectation;
}

static void on_rule(void *context, const struct rule *rule)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	*NEXT(explanation->rules, explanation->rule_count, explanation->rule_size) =
		(struct explained_rule){rule, explanation->metric_count, 0};
}

static void on_metric(void *context, const struct metric *metric, enum metric_fate fate, enum skip skip,
                      const struct condition *condition)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	if (!explanation->is_named)
		return; /* a timer's: of no event */
	if (explanation->rule_count == 0 || explanation->rules[explanation->rule_count - 1].rule != metric->rule)
		on_rule(context, metric->rule); /* a lifecycle's gauge: no rule was told */
	struct explained_metric *explained = NEXT(explanation->metrics, explanation->metric_count, explanation->metric_size);
	explanation->rules[explanation->rule_count - 1].metric_count++;
	*explained = (struct explained_metric){metric, fate, skip, condition, {0, 0}, explanation->line_count, 0};
	if (fate != METRIC_MADE)
		explained->why = why_not_made(explanation, explained);
}

static void on_line(void *context, uint16_t output, enum line_fate fate, struct span line)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	if (!explanation->is_named)
		return;
	explanation->metrics[explanation->metric_count - 1].line_count++;
	*NEXT(explanation->lines, explanation->line_count, explanation->line_size) =
		(struct explained_line){output, fate, keep(explanation, line)};
}

static void on_done(void *context, enum outcome outcome, uint16_t input, struct span line)
{
	struct explainer *explainer = context;
	struct explanation *explanation = &explainer->explanation;
	explanation->outcome = outcome;
	explanation->input = input;
	explanation->line = line;
	/* Only now: a lifecycle may have filled some of them. */
	if (explanation->is_named)
		explain_fields(explanation, explanation->subject);
	if (explanation->is_named && explanation->identity.known == CATALOGUE_NONE &&
	    (outcome == OUTCOME_UNMAPPED || outcome == OUTCOME_FALLBACK))
		explanation->nearest = problem_nearest(explanation->identity.event, explainer->known_names);
	explainer->explained(explainer->context, explanation);
	begin(explanation);
}

static void on_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column)
{
	struct explainer *explainer = context;
	(void)outcome;
	(void)input;
	(void)line;
	begin(&explainer->explanation);
	explainer->explanation.why = span_of(why);
	explainer->explanation.column = column;
}

static void release_explainer(void *explainer)
{
	explainer_free(explainer);
}

struct explainer *explainer_new(const struct mapping *mapping, void (*explained)(void *context, const struct explanation *),
                                void *context)
{
	struct explainer *explainer = calloc(1, sizeof(*explainer));
	struct arena_guard guard;
	if (!explainer)
		arena_exhausted();
	arena_guard(&guard, release_explainer, explainer);
	explainer->trace = (struct trace){explainer, on_named, on_missing, on_rule, on_metric, on_line, on_done};
	explainer->observer = (struct translate_observer){.context = explainer, .rejected = on_rejected};
	explainer->explanation.mapping = mapping;
	explainer->arena = arena_new();
	explainer->known_names = wording_known_names(mapping, explainer->arena);
	arena_unguard(&guard);
	explainer->explained = explained;
	explainer->context = context;
	return explainer;
}

void explainer_free(struct explainer *explainer)
{
	if (!explainer)
		return;
	free(explainer->explanation.fields);
	free(explainer->explanation.missing);
	free(explainer->explanation.rules);
	free(explainer->explanation.metrics);
	free(explainer->explanation.lines);
	free(explainer->explanation.bytes);
	arena_free(explainer->arena);
	free(explainer);
}

const struct trace *explainer_trace(const struct explainer *explainer)
{
	return &explainer->trace;
}

const struct translate_observer *explainer_observer(const struct explainer *explainer)
{
	return &explainer->observer;
}
