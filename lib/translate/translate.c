#include "translate/translate.h"

#include "decode/json.h"
#include "decode/logfmt.h"
#include "decode/statsd.h"
#include "translate/translator.h"

/* ---- identifier -> rules ---- */

static void count_identity(struct translator *translator, const struct plan *plan)
{
	struct accounts *accounts = translator->accounts;
	const struct trace *trace = translator->trace;
	if (!plan->known) {
		accounts->unknown++;
		return;
	}
	if (plan->identity.legacy != CATALOGUE_NONE)
		accounts->legacy[plan->identity.legacy]++;
	const struct expectation *expectation = translator->mapping->expectations + plan->known->expectation_first;
	for (uint32_t i = 0; i < plan->known->expectation_count; i++, expectation++) {
		if (subject_meets(&translator->subject, expectation))
			continue;
		accounts->payload_missing[expectation->index]++;
		if (trace && trace->missing)
			trace->missing(trace->context, expectation);
	}
}

static enum outcome run_plan(struct translator *translator, struct plan *plan)
{
	const struct trace *trace = translator->trace;
	if (plans_are_many(&translator->plans)) /* then the counts of their rules are in no near cache */
		for (const struct plan_rule *step = plan->rules, *end = step + plan->rule_count; step < end; step++)
			__builtin_prefetch(&translator->accounts->rule_matches[step->account], 1);
	subject_begin(&translator->subject, plan->identity.event, plan->variants);
	translator->renderer.input_tags = &translator->form->tags;
	if (trace && trace->named)
		trace->named(trace->context, &plan->identity, plan->text, &translator->subject);
	count_identity(translator, plan);
	if (plan->enters)
		moves_begin(translator, plan);
	return make_metrics(translator, plan);
}

/* ---- event -> identifier ---- */

/* The text that names the event; len 0 where nothing does. */
static inline struct span identify(struct translator *translator)
{
	const struct mapping *mapping = translator->mapping;
	struct lifecycle_event *event = &translator->event;
	if (event->bare.len && event->is_bare_first)
		return (struct span){event->bare.at, event->bare.len};
	for (uint16_t i = 0; i < mapping->identify_count; i++) {
		const uint16_t location = mapping->identify[i];
		struct value *value = &event->values[location];
		if (event_has(event, location) && value->type == VALUE_STRING && value->len)
			return event_text(event, value);
	}
	if (event->bare.len)
		return (struct span){event->bare.at, event->bare.len};
	return (struct span){NULL, 0};
}

static void finish(struct translator *translator, enum outcome outcome, struct span line)
{
	translator->accounts->inputs[translator->input].received++;
	translator->accounts->outcomes[outcome]++;
	if (translator->trace && translator->trace->done)
		translator->trace->done(translator->trace->context, outcome, translator->input, line);
}

void translate_reject(struct translator *translator, enum outcome outcome, struct span line, const char *why, uint32_t column)
{
	const struct translate_observer *observer = &translator->observer;
	if (observer->rejected)
		observer->rejected(observer->context, outcome, translator->input, line, why, column);
	finish(translator, outcome, line);
}

static inline void note_name_place(struct translator *translator, struct span line, struct span name)
{
	const uint64_t at = (uintptr_t)name.at - (uintptr_t)line.at;
	translator->name_place = (struct name_place){UINT32_MAX, '\n'};
	if (at < line.len) /* else it was written anew, without its escapes */
		translator->name_place = (struct name_place){(uint32_t)at, line.at[at + name.len]};
}

void translate_foresee(struct translator *translator, struct span line)
{
	const struct name_place *place = &translator->name_place;
	if (place->at >= line.len)
		return;
	const struct span rest = span_cut(span_skip(line, place->at), IDENTIFIER_MAX + 1);
	const char *end = memchr(rest.at, place->end, rest.len);
	if (end)
		plans_foresee(&translator->plans, (struct span){rest.at, (size_t)(end - rest.at)});
}

static void run_event(struct translator *translator, struct span line)
{
	const struct span name = identify(translator);
	if (plans_are_many(&translator->plans))
		note_name_place(translator, line, name);
	const struct span given = translator->form->event;
	struct plan *plan = name.len ? plans_find(&translator->plans, name) : NULL;
	if (!plan && given.len) /* free text where a name was looked for: the input's name stands for it */
		plan = plans_find(&translator->plans, given);
	if (plan) {
		const enum outcome outcome = run_plan(translator, plan);
		if (translator->move_count)
			moves_make_gauges(translator);
		finish(translator, outcome, line);
		if (translator->tally)
			tally_count(translator->tally, &plan->seen, plan->identity.event, plan->known != NULL, (uint8_t)outcome,
			            translator->now.monotonic_ns, line);
		if (translator->move_count)
			moves_end(translator);
		return;
	}
	if (translator->form->unnamed_ignore)
		finish(translator, OUTCOME_UNNAMED, line);
	else
		translate_reject(translator, OUTCOME_UNNAMED, line,
		       name.len ? "its name is no identifier: 1 to 200 bytes of A-Za-z0-9_.:/- beginning with a letter"
		                : "nothing in it names an event: give it one of the fields of identify.fields",
		       0);
}

/* ---- line -> event ---- */

static void run_logfmt(struct translator *translator, struct span line)
{
	const char *why;
	uint32_t at;
	event_reset(&translator->event);
	if (logfmt_read_event(&translator->event, line, &why, &at))
		translate_reject(translator, OUTCOME_MALFORMED, line, why, at + 1);
	else
		run_event(translator, line);
}

static void run_statsd(struct translator *translator, struct span line)
{
	struct statsd_reader reader;
	if (statsd_read_line(&reader, line)) {
		translate_reject(translator, OUTCOME_MALFORMED, line, reader.why, reader.at + 1);
		return;
	}
	do {
		event_reset(&translator->event);
		if (!statsd_next_event(&reader, &translator->event))
			return;
		run_event(translator, line);
	} while (reader.values.len);
}

static struct span line_span(const struct line *line)
{
	return (struct span){line->text + line->start, line->end - line->start};
}

static void reject_json(struct translator *translator, const struct line *line, const struct json_reader *reader, const char *why)
{
	translate_reject(translator, OUTCOME_MALFORMED, line_span(line), why, reader->at - line->start + 1);
}

static void run_json(struct translator *translator, struct json_reader *reader, const struct line *line)
{
	event_reset(&translator->event);
	if (json_read_event(reader, &translator->event))
		reject_json(translator, line, reader, reader->why);
	else if (!json_at_end(reader))
		reject_json(translator, line, reader, "something stands behind the object: one event a line");
	else
		run_event(translator, line_span(line));
}

/* The elements of a batch, each an event of its own; the reader stands before one. false where an output that blocks stopped
 * it: reader->at is then where it goes on. */
static bool run_elements(struct translator *translator, struct json_reader *reader, const struct line *line)
{
	reader->outer = 1;
	while (json_next_element(reader)) {
		const uint32_t start = reader->at;
		event_reset(&translator->event);
		if (json_read_event(reader, &translator->event)) { /* it was checked: cannot be */
			reject_json(translator, line, reader, reader->why);
			return true;
		}
		run_event(translator, (struct span){line->text + start, reader->at - start});
		if (translator->may_overfill && translator_is_blocked(translator))
			return false;
	}
	return true;
}

static bool run_batch(struct translator *translator, struct json_reader *reader, const struct line *line)
{
	struct json_reader check = *reader;
	const int64_t count = json_check_batch(&check);
	if (count < 0)
		reject_json(translator, line, &check, check.why);
	else if (!json_at_end(&check))
		reject_json(translator, line, &check, "something stands behind the batch: one array a line");
	else
		return run_elements(translator, reader, line);
	return true;
}

static inline uint32_t skip_blanks(const char *text, uint32_t at)
{
	while (text[at] == ' ' || text[at] == '\t' || text[at] == '\r')
		at++;
	return at;
}

static inline struct json_reader reader_of(const struct line *line, uint32_t at)
{
	return (struct json_reader){.text = line->text, .mark = line->mark, .at = at, .end = line->end};
}

uint32_t translate_line(struct translator *translator, const struct line *line)
{
	const uint8_t format = translator->form->format;
	const uint32_t at = skip_blanks(line->text, line->start);
	const char first = line->text[at];
	const uint32_t len = line->end - line->start;
	const uint32_t limit = translator->mapping->limits.line;
	/* Blank or not: it may have come in pieces, of which the first said nothing of what follows. */
	if (unlikely(len > limit) && len - (line->text[line->end - 1] == '\r') > limit) {
		translate_reject(translator, OUTCOME_OVERSIZE, line_span(line), "the line is longer than limits.line", 0);
		return line->end;
	}
	if (at >= line->end)
		return line->end; /* a blank line is no event */
	struct json_reader reader = reader_of(line, at);
	if (format == FORMAT_STATSD)
		run_statsd(translator, line_span(line));
	else if (format == FORMAT_LOGFMT || (format == FORMAT_AUTO && first != '{' && first != '['))
		run_logfmt(translator, line_span(line));
	else if (first == '{')
		run_json(translator, &reader, line);
	else if (first != '[')
		translate_reject(translator, OUTCOME_MALFORMED, line_span(line), "this input takes JSON: an object or an array of objects",
		                 at - line->start + 1);
	else if (!run_batch(translator, &reader, line))
		return reader.at;
	return line->end;
}

uint32_t translate_batch_rest(struct translator *translator, const struct line *line)
{
	struct json_reader reader = reader_of(line, line->start);
	return run_elements(translator, &reader, line) ? line->end : reader.at;
}
