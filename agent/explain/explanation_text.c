/* An explanation in words:
 *
 *     step.complete step_name=fetch execution_duration=1.25
 *         event      step.completed (`step.complete` is a legacy name of it)
 *         payload    step_name = fetch
 *         rule       tasker.yaml:275, a step completed
 *       tasker.step.completed:1|c|#step:fetch
 *         no metric  timer step.queue_time: queue_time is absent
 *         outcome    mapped: 1 metric
 */
#include "explain/explanation.h"
#include "explain/quote.h"
#include "explain/wording.h"

enum { LINE_SHOWN = 400, VALUE_SHOWN = 100, NEAR_SHOWN = 24 };

static void put_heading(FILE *out, const char *heading)
{
	fprintf(out, "    %-9s  ", heading);
}

static void put_quoted(FILE *out, struct span text)
{
	fputc('`', out);
	quote_put(out, text, VALUE_SHOWN);
	fputc('`', out);
}

static void put_identity(const struct explanation *explanation, FILE *out)
{
	const struct identity *identity = &explanation->identity;
	const struct span rest = span_skip(explanation->written, identity->stripped.len);
	const char *how = NULL;
	put_heading(out, "event");
	fprintf(out, "%.*s", SPAN_ARG(identity->event));
	switch (identity->spelling) {
	case SPELLING_CANONICAL: break;
	case SPELLING_ALIAS: how = "an alias"; break;
	case SPELLING_LEGACY: how = "a legacy name"; break;
	case SPELLING_UNKNOWN: break;
	}
	if (how)
		fprintf(out, ": `%.*s` is %s of it", SPAN_ARG(rest), how);
	if (identity->stripped.len)
		fprintf(out, "%s `%.*s` was taken off", how ? "," : ":", SPAN_ARG(identity->stripped));
	if (identity->spelling == SPELLING_UNKNOWN && explanation->line.at && explanation->mapping->catalogue->known_count)
		fputs(identity->stripped.len ? "; not in the catalogue" : ", not in the catalogue", out);
	fputc('\n', out);
}

static void put_origin(const struct explained_field *field, FILE *out)
{
	switch (field->origin) {
	case STANDARD_PAYLOAD:
		if (!span_equal(field->name, field->source))
			fprintf(out, " (from %.*s)", SPAN_ARG(field->source));
		break;
	case STANDARD_BETWEEN:
		fprintf(out, " (from %.*s to %.*s)", SPAN_ARG(field->source), SPAN_ARG(field->end));
		break;
	case STANDARD_LIFECYCLE: fputs(" (from the lifecycle)", out); break;
	case STANDARD_CLASSIFIED: fprintf(out, " (by %.*s)", SPAN_ARG(field->source)); break;
	case STANDARD_MISSING: fprintf(out, " (because %.*s is absent)", SPAN_ARG(field->source)); break;
	case STANDARD_DEFAULT: fputs(" (by default)", out); break;
	case STANDARD_ABSENT: break;
	}
}

static void put_payload(const struct explanation *explanation, FILE *out)
{
	for (uint32_t i = 0; i < explanation->field_count; i++) {
		const struct explained_field *field = &explanation->fields[i];
		put_heading(out, i ? "" : "payload");
		fprintf(out, "%.*s = ", SPAN_ARG(field->name));
		quote_put(out, field->value, VALUE_SHOWN);
		put_origin(field, out);
		fputc('\n', out);
	}
	for (uint32_t i = 0; i < explanation->missing_count; i++) {
		if (i == 0)
			put_heading(out, "missing");
		fprintf(out, "%s%.*s", i ? ", " : "", SPAN_ARG(explanation->missing[i]->field));
	}
	if (explanation->missing_count)
		fputs(", which the catalogue expects\n", out);
}

static void put_state(const struct subject *subject, FILE *out)
{
	if (subject->state_to.len == 0)
		return;
	put_heading(out, "lifecycle");
	if (subject->state_from.len)
		fprintf(out, "from %.*s ", (int)subject->state_from.len, subject->state_from.at);
	fprintf(out, "to %.*s", (int)subject->state_to.len, subject->state_to.at);
	if (subject->state_duration.len)
		fprintf(out, " after %.*s s", (int)subject->state_duration.len, subject->state_duration.at);
	fputc('\n', out);
}

/* Verbatim; a negative gauge is two lines. */
static void put_metric_line(struct span text, FILE *out)
{
	while (text.len) {
		const char *end = memchr(text.at, '\n', text.len);
		const size_t len = end ? (size_t)(end - text.at) : text.len;
		fprintf(out, "  %.*s\n", (int)len, text.at);
		text = span_skip(text, len + (end != NULL));
	}
}

static void put_metric_label(const struct metric *metric, FILE *out)
{
	fprintf(out, "%s ", metric_kind_names[metric->kind]);
	quote_put(out, wording_metric_name(metric), VALUE_SHOWN);
}

static void put_metric(const struct explanation *explanation, const struct explained_metric *metric, FILE *out)
{
	const struct mapping *mapping = explanation->mapping;
	if (metric->fate != METRIC_MADE) {
		put_heading(out, "no metric");
		put_metric_label(metric->metric, out);
		fprintf(out, ": %.*s\n", SPAN_ARG(explanation_text(explanation, metric->why)));
		return;
	}
	for (uint32_t i = 0; i < metric->line_count; i++) {
		const struct explained_line *line = &explanation->lines[metric->line_first + i];
		const char *why = explanation_line_why(explanation, metric, line);
		if (mapping->output_count > 1 || why) {
			put_heading(out, why ? "not to" : "to");
			quote_put(out, mapping->outputs[line->output].label, VALUE_SHOWN);
			if (why) {
				fputs(": ", out);
				put_metric_label(metric->metric, out);
				fprintf(out, ": %s", why);
			}
			fputc('\n', out);
		}
		put_metric_line(explanation_text(explanation, line->text), out);
	}
}

static void put_rule_name(const struct rule *rule, FILE *out)
{
	const struct mark mark = rule->model->mark;
	fprintf(out, "%s:%u", mark.file ? mark.file : "", mark.line);
	if (rule->model->name.span.at) {
		fputs(", ", out);
		quote_put(out, rule->label, VALUE_SHOWN);
	}
}

static void put_rule(const struct explanation *explanation, const struct explained_rule *explained, FILE *out)
{
	const struct rule *rule = explained->rule;
	put_heading(out, rule->model ? "rule" : "lifecycle");
	if (rule->model)
		put_rule_name(rule, out);
	else
		fputs("how many are active now", out);
	if (rule->is_drop)
		fputs(" (drop)", out);
	if (rule->is_fallback)
		fputs(" (fallback: no other rule takes this event)", out);
	fputc('\n', out);
	for (uint32_t i = 0; i < explained->metric_count; i++)
		put_metric(explanation, &explanation->metrics[explained->metric_first + i], out);
}

static void put_why(const struct explanation *explanation, FILE *out)
{
	if (explanation->column) {
		fprintf(out, " at column %u", explanation->column);
		if (explanation->column <= explanation->line.len) {
			fputs(", ", out);
			put_quoted(out, span_cut(span_skip(explanation->line, explanation->column - 1), NEAR_SHOWN));
		}
	}
	if (explanation->why.len)
		fprintf(out, ": %.*s", SPAN_ARG(explanation->why));
	else
		fputs(": the input says `unnamed: ignore`", out);
}

static void put_outcome(const struct explanation *explanation, FILE *out)
{
	const uint32_t made = explanation_made(explanation);
	put_heading(out, "outcome");
	fputs(outcome_names[explanation->outcome], out);
	switch (explanation->outcome) {
	case OUTCOME_MAPPED:
	case OUTCOME_FALLBACK:
		fprintf(out, ": %u %s", made, made == 1 ? "metric" : "metrics");
		break;
	case OUTCOME_DROPPED:
		fputs(": by the rule ", out);
		put_rule_name(explanation->rules[explanation->rule_count - 1].rule, out);
		break;
	case OUTCOME_EMPTY:
		fputs(explanation->metric_count ? ": a rule takes the event, but none of its metrics came about"
		                                : ": a rule takes the event, but has no metrics",
		      out);
		break;
	case OUTCOME_UNMAPPED:
		fputs(": no rule takes this event", out);
		break;
	case OUTCOME_UNNAMED:
	case OUTCOME_MALFORMED:
	case OUTCOME_OVERSIZE:
		put_why(explanation, out);
		break;
	case OUTCOME_COUNT:
		break;
	}
	if (explanation->nearest)
		fprintf(out, "; did you mean `%s`?", explanation->nearest);
	fputc('\n', out);
}

void explanation_print_text(const struct explanation *explanation, FILE *out)
{
	if (explanation->line.at)
		quote_put(out, explanation->line, LINE_SHOWN);
	else
		fprintf(out, "%.*s, an event that a lifecycle gives", SPAN_ARG(explanation->identity.event));
	fputc('\n', out);
	if (explanation->is_named) {
		put_identity(explanation, out);
		put_payload(explanation, out);
		put_state(explanation->subject, out);
	}
	for (uint32_t i = 0; i < explanation->rule_count; i++)
		put_rule(explanation, &explanation->rules[i], out);
	put_outcome(explanation, out);
}
