/* An explanation as one JSON object. docs/explain.md names the keys: what stands there stays. */
#include "explain/explanation.h"
#include "explain/wording.h"
#include "json_writer.h"

static const char *const spelling_names[] = {
	[SPELLING_CANONICAL] = "canonical",
	[SPELLING_ALIAS] = "alias",
	[SPELLING_LEGACY] = "legacy",
	[SPELLING_UNKNOWN] = "unknown",
};

static const char *const origin_names[] = {
	[STANDARD_ABSENT] = "absent",         [STANDARD_PAYLOAD] = "payload",    [STANDARD_BETWEEN] = "between",
	[STANDARD_LIFECYCLE] = "lifecycle",   [STANDARD_MISSING] = "missing",    [STANDARD_DEFAULT] = "default",
	[STANDARD_CLASSIFIED] = "classified",
};

static const char *const line_fate_names[] = {
	[LINE_PACKED] = "sent",   [LINE_SAMPLED_OUT] = "sampled_out", [LINE_TOO_LONG] = "too_long",
	[LINE_NO_ROOM] = "no_room", [LINE_NEGATIVE] = "negative",     [LINE_FILTERED] = "filtered",
};

static void put_identity(struct json_writer *writer, const struct explanation *explanation)
{
	const struct identity *identity = &explanation->identity;
	json_writer_put_text(writer, "identifier", explanation->written);
	json_writer_put_text(writer, "event", identity->event);
	json_writer_put_text(writer, "spelling", span_of(spelling_names[identity->spelling]));
	if (identity->stripped.len)
		json_writer_put_text(writer, "stripped", identity->stripped);
	if (explanation->nearest)
		json_writer_put_text(writer, "did_you_mean", span_of(explanation->nearest));
}

static void put_payload(struct json_writer *writer, const struct explanation *explanation)
{
	json_writer_open_object(writer, "payload");
	for (uint32_t i = 0; i < explanation->field_count; i++) {
		const struct explained_field *field = &explanation->fields[i];
		json_writer_put_key(writer, field->name);
		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "value", field->value);
		json_writer_put_text(writer, "origin", span_of(origin_names[field->origin]));
		if (field->source.len)
			json_writer_put_text(writer, "from", field->source);
		if (field->end.len)
			json_writer_put_text(writer, "to", field->end);
		json_writer_close_object(writer);
	}
	json_writer_close_object(writer);
	json_writer_open_array(writer, "missing");
	for (uint32_t i = 0; i < explanation->missing_count; i++)
		json_writer_put_text(writer, NULL, explanation->missing[i]->field);
	json_writer_close_array(writer);
}

static struct span value_span(const struct value *value)
{
	return (struct span){value->at, value->len};
}

static void put_state(struct json_writer *writer, const struct subject *subject)
{
	if (subject->state_to.len == 0)
		return;
	json_writer_open_object(writer, "state");
	if (subject->state_from.len)
		json_writer_put_text(writer, "from", value_span(&subject->state_from));
	json_writer_put_text(writer, "to", value_span(&subject->state_to));
	if (subject->state_duration.len)
		json_writer_put_text(writer, "duration", value_span(&subject->state_duration));
	json_writer_close_object(writer);
}

static void put_lines(struct json_writer *writer, const struct explanation *explanation, const struct explained_metric *metric)
{
	json_writer_open_array(writer, "lines");
	for (uint32_t i = 0; i < metric->line_count; i++) {
		const struct explained_line *line = &explanation->lines[metric->line_first + i];
		const char *why = explanation_line_why(explanation, metric, line);
		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "output", explanation->mapping->outputs[line->output].label);
		json_writer_put_text(writer, "fate", span_of(line_fate_names[line->fate]));
		if (why)
			json_writer_put_text(writer, "why", span_of(why));
		else
			json_writer_put_text(writer, "line", explanation_text(explanation, line->text));
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
}

static void put_metric(struct json_writer *writer, const struct explanation *explanation, const struct explained_metric *metric)
{
	json_writer_open_object(writer, NULL);
	json_writer_put_text(writer, "kind", span_of(metric_kind_names[metric->metric->kind]));
	json_writer_put_text(writer, "name", wording_metric_name(metric->metric));
	switch (metric->fate) {
	case METRIC_MADE:
		json_writer_put_text(writer, "fate", SPAN("made"));
		put_lines(writer, explanation, metric);
		break;
	case METRIC_CONDITION:
		json_writer_put_text(writer, "fate", SPAN("condition"));
		json_writer_put_text(writer, "condition", metric->condition->source);
		json_writer_put_text(writer, "why", explanation_text(explanation, metric->why));
		break;
	case METRIC_SKIPPED:
		json_writer_put_text(writer, "fate", SPAN("skipped"));
		json_writer_put_text(writer, "reason", span_of(skip_names[metric->skip]));
		json_writer_put_text(writer, "why", explanation_text(explanation, metric->why));
		break;
	}
	json_writer_close_object(writer);
}

static void put_rule(struct json_writer *writer, const struct explanation *explanation, const struct explained_rule *explained)
{
	const struct rule *rule = explained->rule;
	json_writer_open_object(writer, NULL);
	if (rule->model) {
		json_writer_put_text(writer, "file", span_of(rule->model->mark.file ? rule->model->mark.file : ""));
		json_writer_put_count(writer, "line", rule->model->mark.line);
		json_writer_put_text(writer, "label", rule->label);
	}
	json_writer_put_bool(writer, "drop", rule->is_drop);
	json_writer_put_bool(writer, "fallback", rule->is_fallback);
	json_writer_open_array(writer, "metrics");
	for (uint32_t i = 0; i < explained->metric_count; i++)
		put_metric(writer, explanation, &explanation->metrics[explained->metric_first + i]);
	json_writer_close_array(writer);
	json_writer_close_object(writer);
}

void explanation_print_json(const struct explanation *explanation, FILE *out)
{
	struct json_writer writer = {.out = out};
	json_writer_open_object(&writer, NULL);
	if (explanation->line.at)
		json_writer_put_text(&writer, "line", explanation->line);
	json_writer_put_text(&writer, "input", explanation->mapping->inputs[explanation->input].label);
	json_writer_put_text(&writer, "outcome", span_of(outcome_names[explanation->outcome]));
	if (explanation->why.len)
		json_writer_put_text(&writer, "why", explanation->why);
	if (explanation->column)
		json_writer_put_count(&writer, "column", explanation->column);
	if (explanation->is_named) {
		put_identity(&writer, explanation);
		put_payload(&writer, explanation);
		put_state(&writer, explanation->subject);
		json_writer_open_array(&writer, "rules");
		for (uint32_t i = 0; i < explanation->rule_count; i++)
			put_rule(&writer, explanation, &explanation->rules[i]);
		json_writer_close_array(&writer);
	}
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
}
