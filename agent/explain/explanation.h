/* What became of one event, step by step, and why. An explainer watches a translator (a rehearsal, or the running agent's)
 * and hands over an explanation at the end of every event; explanation_text.h and explanation_json.h print it.
 *
 * An explanation and all that it points to is valid during the call it is handed over in. */
#ifndef STATSIDECAR_EXPLAIN_EXPLANATION_H
#define STATSIDECAR_EXPLAIN_EXPLANATION_H

#include <stdio.h>

#include "translate/trace.h"
#include "translate/translate.h"

/* A text that explanation_text() gives. */
struct piece {
	size_t at;
	size_t len;
};

struct explained_field {
	struct span name;
	struct span value;
	enum standard_origin origin;
	struct span source; /* the payload field it was read from; what was classified, or was missing */
	struct span end;    /* between: source .. end */
};

struct explained_line {
	uint16_t output;
	enum line_fate fate;
	struct piece text; /* as it goes out; empty unless it was packed */
};

struct explained_metric {
	const struct metric *metric;
	enum metric_fate fate;
	enum skip skip;
	const struct condition *condition;
	struct piece why; /* in words, where it was not made */
	uint32_t line_first;
	uint32_t line_count;
};

struct explained_rule {
	const struct rule *rule; /* without a model: no rule, but a lifecycle's gauge */
	uint32_t metric_first;
	uint32_t metric_count;
};

struct explanation {
	const struct mapping *mapping;
	struct span line; /* the event's line; of a batch its element; at == NULL: a lifecycle gave the event */
	uint16_t input;
	enum outcome outcome;
	struct span why;  /* unnamed, malformed, oversize */
	uint32_t column;  /* of the line, or of the whole batch, from 1; 0: the line as a whole */
	bool is_named;
	struct identity identity;
	struct span written; /* the identifier as the line has it */
	const char *nearest; /* unknown identifiers: did you mean; or NULL */
	struct explained_field *fields;
	const struct expectation **missing;
	struct explained_rule *rules;
	struct explained_metric *metrics;
	struct explained_line *lines;
	uint32_t field_count, missing_count, rule_count, metric_count, line_count;
	uint32_t field_size, missing_size, rule_size, metric_size, line_size;
	struct subject *subject;
	char *bytes;
	size_t bytes_used;
	size_t bytes_size;
};

static inline struct span explanation_text(const struct explanation *explanation, struct piece piece)
{
	return (struct span){explanation->bytes + piece.at, piece.len};
}

struct explainer;

/* explained is called at the end of every event. */
struct explainer *explainer_new(const struct mapping *mapping, void (*explained)(void *context, const struct explanation *),
                                void *context);
void explainer_free(struct explainer *explainer);
/* What to give to a translator of that mapping; both live as long as the explainer. */
const struct trace *explainer_trace(const struct explainer *explainer);
const struct translate_observer *explainer_observer(const struct explainer *explainer);

/* In words: the event's line, then indented by four what was found out, and indented by two every metric line as it goes
 * out. */
void explanation_print_text(const struct explanation *explanation, FILE *out);
/* One JSON object on a line of its own; docs/explain.md names the keys. */
void explanation_print_json(const struct explanation *explanation, FILE *out);

/* How many metrics were made. */
uint32_t explanation_made(const struct explanation *explanation);
/* Why an output does not get a line; NULL where it does. */
const char *explanation_line_why(const struct explanation *explanation, const struct explained_metric *metric,
                                 const struct explained_line *line);

#endif
