#define _GNU_SOURCE /* memrchr */
#include "translate/translate.h"

#include <stdlib.h>

#include "decode/json.h"
#include "decode/logfmt.h"
#include "decode/scan.h"
#include "translate/plan.h"
#include "translate/reading.h"
#include "translate/trace.h"

const char *const skip_names[SKIP_COUNT] = {
	[SKIP_ABSENT] = "absent",
	[SKIP_NOT_A_NUMBER] = "not_a_number",
	[SKIP_NEGATIVE] = "negative",
	[SKIP_NAME] = "name",
};

const char *const output_error_names[OUTPUT_ERROR_COUNT] = {
	[OUTPUT_ERROR_FULL] = "full",           [OUTPUT_ERROR_NO_BUFFERS] = "no_buffers", [OUTPUT_ERROR_TOO_LONG] = "too_long",
	[OUTPUT_ERROR_REFUSED] = "refused",     [OUTPUT_ERROR_ABSENT] = "absent",         [OUTPUT_ERROR_CLOSED] = "closed",
	[OUTPUT_ERROR_UNRESOLVED] = "unresolved", [OUTPUT_ERROR_OTHER] = "other",
};

struct translator {
	const struct mapping *mapping;
	struct accounts *accounts;
	struct packer *const *packers;
	struct translate_observer observer;
	const struct trace *trace;
	struct lifecycle_event event;
	struct subject subject;
	struct renderer renderer;
	struct plans plans;
	uint32_t *marks;
	char *value_text;
	uint64_t random;
	struct moment now;
	uint16_t input;       /* that the present event comes from */
	bool may_overfill;    /* it comes from an input that stops between events: what it makes is held, never dropped */
};

/* ---- metric -> datagrams ---- */

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016); the upper half. */
static bool is_sampled_out(struct translator *translator, const struct metric *metric)
{
	if (!metric->is_sampled || translator->random == 0)
		return false;
	translator->random ^= translator->random >> 12;
	translator->random ^= translator->random << 25;
	translator->random ^= translator->random >> 27;
	return (uint32_t)((translator->random * UINT64_C(0x2545F4914F6CDD1D)) >> 32) >= metric->sample_threshold;
}

/* An output that blocks and could not send the datagram before the open one. */
static inline bool is_blocked(const struct packer *packer)
{
	return packer->keep == 1 && packer->count - packer->first > 1;
}

static enum line_fate pack(struct translator *translator, uint16_t output, const struct plan_metric *plan,
                           const struct reading *reading, struct span *line)
{
	struct output_accounts *account = &translator->accounts->outputs[output];
	struct packer *packer = translator->packers[output];
	char *out = is_blocked(packer) && !translator->may_overfill ? NULL : packer_reserve(packer);
	if (!out) {
		account->dropped++;
		account->errors[OUTPUT_ERROR_FULL]++;
		return LINE_NO_ROOM;
	}
	const struct span head = {plan->heads[output].at, plan->heads[output].len};
	const size_t len = render_line(&translator->renderer, output, reading, head, out);
	if (len > LINE_OUT_MAX) {
		account->dropped++;
		account->errors[OUTPUT_ERROR_TOO_LONG]++;
		return LINE_TOO_LONG;
	}
	*line = (struct span){out, len};
	packer_commit(packer, len);
	return LINE_PACKED;
}

static void emit(struct translator *translator, const struct plan_metric *plan, const struct reading *reading)
{
	const bool is_out = is_sampled_out(translator, plan->metric);
	const uint8_t kind = plan->metric->kind;
	for (uint16_t i = 0; i < translator->mapping->output_count; i++) {
		struct output_accounts *account = &translator->accounts->outputs[i];
		enum line_fate fate;
		struct span line = {"", 0};
		account->made++;
		/* A histogram that a dialect can only take as a timer cannot be negative there. */
		if ((plan->filtered >> i & 1) || (reading->is_negative && translator->renderer.wires[i].is_timer[kind])) {
			account->filtered++;
			fate = LINE_FILTERED;
		} else if (is_out) {
			account->sampled_out++;
			fate = LINE_SAMPLED_OUT;
		} else {
			fate = pack(translator, i, plan, reading, &line);
		}
		if (translator->trace)
			translator->trace->line(translator->trace->context, i, fate, line);
	}
}

/* ---- rule -> metrics ---- */

/* The names of an event that has it in its own: written anew each time, and counted. */
static bool name_metric(struct translator *translator, struct plan_metric *plan)
{
	struct renderer *renderer = &translator->renderer;
	char name[NAME_MAX_LEN + SCAN_PAD];
	if (plan->name == PLAN_NAME_FIXED || plan->name == PLAN_NAME_COUNTED)
		return !plan->is_nameless;
	size_t len = render_name(renderer, plan->metric, name, NAME_AS_IT_IS);
	if (len == 0)
		return false;
	if (!render_admits_name(renderer, (struct span){name, len})) {
		len = render_name(renderer, plan->metric, name, NAME_AS_OTHER);
		plan->filtered = plan_write_heads(renderer, plan->metric, (struct span){name, len}, plan->heads);
		return true;
	}
	if (plan->name == PLAN_NAME_BY_EVENT)
		plan->filtered = plan_write_heads(renderer, plan->metric, (struct span){name, len}, plan->heads);
	else
		plan->name = PLAN_NAME_COUNTED;
	return true;
}

static bool skip_metric(struct translator *translator, const struct metric *metric, enum skip skip)
{
	translator->accounts->skipped[skip]++;
	if (translator->trace)
		translator->trace->metric(translator->trace->context, metric, METRIC_SKIPPED, skip, NULL);
	return false;
}

static bool make_metric(struct translator *translator, struct plan_metric *plan)
{
	const struct metric *metric = plan->metric;
	struct reading reading;
	enum skip skip;
	const struct condition *failed = subject_fails(&translator->subject, &metric->when);
	if (failed) {
		if (translator->trace)
			translator->trace->metric(translator->trace->context, metric, METRIC_CONDITION, SKIP_ABSENT, failed);
		return false;
	}
	if (reading_take(&reading, metric, &translator->subject, translator->value_text, &skip))
		return skip_metric(translator, metric, skip);
	if (metric->kind == METRIC_EVENT ? !render_has_title(&translator->renderer, metric) : !name_metric(translator, plan))
		return skip_metric(translator, metric, SKIP_NAME);
	if (translator->trace)
		translator->trace->metric(translator->trace->context, metric, METRIC_MADE, SKIP_ABSENT, NULL);
	emit(translator, plan, &reading);
	return true;
}

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
		if (trace)
			trace->missing(trace->context, expectation);
	}
}

static enum outcome run_rules(struct translator *translator, struct plan *plan)
{
	uint32_t made = 0;
	if (plan->rule_count == 0)
		return OUTCOME_UNMAPPED;
	for (uint32_t i = 0; i < plan->rule_count; i++) {
		const struct plan_rule *step = &plan->rules[i];
		translator->accounts->rule_matches[step->rule->index]++;
		translator->subject.captures = step->captures;
		if (translator->trace)
			translator->trace->rule(translator->trace->context, step->rule);
		for (uint32_t k = 0; k < step->rule->metric_count; k++)
			made += make_metric(translator, &step->metrics[k]);
	}
	if (made)
		return plan->is_fallback ? OUTCOME_FALLBACK : OUTCOME_MAPPED;
	return plan->is_dropped ? OUTCOME_DROPPED : OUTCOME_EMPTY;
}

static enum outcome run_plan(struct translator *translator, struct plan *plan)
{
	const struct trace *trace = translator->trace;
	subject_begin(&translator->subject, plan->identity.event, plan->variants);
	translator->renderer.input_tags = &translator->mapping->inputs[translator->input].tags;
	if (trace)
		trace->named(trace->context, &plan->identity, plan->text, &translator->subject);
	count_identity(translator, plan);
	return run_rules(translator, plan);
}

/* ---- event -> identifier ---- */

/* The text that names the event; len 0 where nothing does. */
static struct span identify(struct translator *translator)
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
	return mapping->inputs[translator->input].event;
}

static void finish(struct translator *translator, enum outcome outcome, struct span line)
{
	translator->accounts->inputs[translator->input].received++;
	translator->accounts->outcomes[outcome]++;
	if (translator->trace)
		translator->trace->done(translator->trace->context, outcome, translator->input, line);
}

static void reject(struct translator *translator, enum outcome outcome, struct span line, const char *why, uint32_t column)
{
	const struct translate_observer *observer = &translator->observer;
	if (observer->rejected)
		observer->rejected(observer->context, outcome, translator->input, line, why, column);
	finish(translator, outcome, line);
}

static void run_event(struct translator *translator, struct span line)
{
	const struct span name = identify(translator);
	struct plan *plan = name.len ? plans_find(&translator->plans, name) : NULL;
	if (plan) {
		finish(translator, run_plan(translator, plan), line);
		return;
	}
	if (translator->mapping->inputs[translator->input].unnamed_ignore)
		finish(translator, OUTCOME_UNNAMED, line);
	else
		reject(translator, OUTCOME_UNNAMED, line,
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
		reject(translator, OUTCOME_MALFORMED, line, why, at + 1);
	else
		run_event(translator, line);
}

static void run_json(struct translator *translator, struct json_reader *reader)
{
	const struct span line = {reader->line, reader->len};
	event_reset(&translator->event);
	if (json_read_event(reader, &translator->event))
		reject(translator, OUTCOME_MALFORMED, line, reader->why, reader->at + 1);
	else if (!json_at_end(reader))
		reject(translator, OUTCOME_MALFORMED, line, "something stands behind the object: one event a line", reader->at + 1);
	else
		run_event(translator, line);
}

/* The elements of a batch, each an event of its own; the reader stands before one. false where an output that blocks stopped
 * it: reader->at is then where it goes on. */
static bool run_elements(struct translator *translator, struct json_reader *reader)
{
	const struct span line = {reader->line, reader->len};
	reader->outer = 1;
	while (json_next_element(reader)) {
		const uint32_t start = reader->at;
		event_reset(&translator->event);
		if (json_read_event(reader, &translator->event)) { /* it was checked: cannot be */
			reject(translator, OUTCOME_MALFORMED, line, reader->why, reader->at + 1);
			return true;
		}
		run_event(translator, (struct span){line.at + start, reader->at - start});
		if (translator->may_overfill && translator_is_blocked(translator))
			return false;
	}
	return true;
}

static bool run_batch(struct translator *translator, struct json_reader *reader)
{
	const struct span line = {reader->line, reader->len};
	struct json_reader check = *reader;
	const int64_t count = json_check_batch(&check);
	if (count < 0)
		reject(translator, OUTCOME_MALFORMED, line, check.why, check.at + 1);
	else if (!json_at_end(&check))
		reject(translator, OUTCOME_MALFORMED, line, "something stands behind the batch: one array a line", check.at + 1);
	else
		return run_elements(translator, reader);
	return true;
}

static inline uint32_t skip_blanks(const char *line)
{
	uint32_t at = 0;
	while (line[at] == ' ' || line[at] == '\t' || line[at] == '\r')
		at++;
	return at;
}

/* One line, whose newline stands at line[len]; its marks are in translator->marks. Returns how much of it is done: len,
 * or less where a batch was stopped. */
static uint32_t run_line(struct translator *translator, const char *line, uint32_t len)
{
	const struct span text = {line, len};
	const uint8_t format = translator->mapping->inputs[translator->input].format;
	const uint32_t at = skip_blanks(line);
	if (at >= len)
		return len; /* a blank line is no event */
	if (len > translator->mapping->limits.line) {
		reject(translator, OUTCOME_OVERSIZE, text, "the line is longer than limits.line", 0);
		return len;
	}
	struct json_reader reader = {.line = line, .mark = translator->marks, .at = at, .len = len};
	if (format == FORMAT_LOGFMT || (format == FORMAT_AUTO && line[at] != '{' && line[at] != '['))
		run_logfmt(translator, text);
	else if (line[at] == '{')
		run_json(translator, &reader);
	else if (line[at] != '[')
		reject(translator, OUTCOME_MALFORMED, text, "this input takes JSON: an object or an array of objects", at + 1);
	else if (!run_batch(translator, &reader))
		return reader.at;
	return len;
}

/* ---- bytes -> lines ---- */

/* What is left of a batch that was stopped: from behind an element on. */
static uint32_t resume_batch(struct translator *translator, const char *line, uint32_t len)
{
	struct json_reader reader = {.line = line, .mark = translator->marks, .len = len};
	return run_elements(translator, &reader) ? len : reader.at;
}

static void find_lines(struct line_stream *stream)
{
	const char *last = memrchr(stream->data + stream->checked, '\n', stream->end - stream->checked);
	if (last)
		stream->whole = (uint32_t)(last - stream->data) + 1;
	stream->checked = stream->end;
}

/* A rest that is too long to become a line: counted now, and skipped up to its newline. */
static void check_rest(struct translator *translator, struct line_stream *stream)
{
	const uint32_t rest = stream->end - stream->start;
	if (!stream->is_skipping && rest > translator->mapping->limits.line) {
		const struct span line = {stream->data + stream->start, rest};
		reject(translator, OUTCOME_OVERSIZE, line, "the line is longer than limits.line", 0);
		stream->is_skipping = true;
	}
	if (stream->is_skipping)
		stream->start = stream->end;
}

enum translate_result translate_stream(struct translator *translator, struct line_stream *stream)
{
	translator->input = stream->input;
	translator->may_overfill = stream->is_pausable;
	find_lines(stream);
	while (stream->start < stream->whole) {
		if (stream->is_pausable && translator_is_blocked(translator))
			return TRANSLATE_STOPPED;
		const char *line = stream->data + stream->start;
		const uint32_t len = scan_line(line, translator->marks);
		uint32_t done = len;
		if (stream->is_in_batch)
			done = resume_batch(translator, line, len);
		else if (!stream->is_skipping)
			done = run_line(translator, line, len);
		stream->is_skipping = false;
		stream->is_in_batch = done < len;
		stream->start += done < len ? done : len + 1;
	}
	check_rest(translator, stream);
	return TRANSLATE_DONE;
}

static bool is_blank(const char *text, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

enum translate_result translate_stream_end(struct translator *translator, struct line_stream *stream, enum stream_end end)
{
	const uint32_t rest = stream->end - (stream->whole > stream->start ? stream->whole : stream->start);
	translator->input = stream->input;
	if (rest && !stream->is_skipping && end == STREAM_END_OF_FILE) {
		stream->data[stream->end++] = '\n'; /* the padding has room */
	} else if (rest) {
		const struct span line = {stream->data + stream->end - rest, rest};
		stream->end -= rest;
		stream->checked = stream->end;
		if (!stream->is_skipping && !is_blank(line.at, rest))
			reject(translator, OUTCOME_MALFORMED, line, "the agent ended before the line did", 0);
	}
	stream->is_skipping = stream->is_skipping && stream->start < stream->whole;
	return translate_stream(translator, stream);
}

void translate_datagram(struct translator *translator, uint16_t input, char *data, uint32_t len)
{
	translator->input = input;
	translator->may_overfill = false;
	data[len] = '\n';
	for (uint32_t start = 0; start < len;) {
		const uint32_t line_len = scan_line(data + start, translator->marks);
		run_line(translator, data + start, line_len);
		start += line_len + 1;
	}
}

/* ---- streams and translators ---- */

int line_stream_init(struct line_stream *stream, uint16_t input, uint32_t line_max)
{
	*stream = (struct line_stream){.input = input, .size = line_max + READ_SIZE};
	char *data = calloc(1, (size_t)stream->size + 2 * SCAN_PAD);
	if (data)
		stream->data = data + SCAN_PAD;
	return data ? 0 : -1;
}

void line_stream_fini(struct line_stream *stream)
{
	if (stream->data)
		free(stream->data - SCAN_PAD);
	*stream = (struct line_stream){0};
}

char *line_stream_space(struct line_stream *stream, size_t *room)
{
	if (stream->start == stream->end) {
		stream->start = stream->end = stream->whole = stream->checked = 0;
	} else if (stream->size - stream->end < READ_SIZE) {
		memmove(stream->data, stream->data + stream->start, stream->end - stream->start);
		stream->end -= stream->start;
		stream->checked -= stream->start;
		stream->start = stream->whole = 0;
	}
	*room = stream->size - stream->end;
	return stream->data + stream->end;
}

struct translator *translator_new(const struct mapping *mapping, struct accounts *accounts, struct packer *const *packers,
                                  const struct translate_observer *observer)
{
	struct translator *translator = calloc(1, sizeof(*translator));
	if (!translator)
		return NULL;
	translator->mapping = mapping;
	translator->accounts = accounts;
	translator->packers = packers;
	if (observer)
		translator->observer = *observer;
	const uint32_t line_max = (mapping->limits.line > DATAGRAM_MAX ? mapping->limits.line : DATAGRAM_MAX) + READ_SIZE;
	translator->marks = malloc((line_max + 64 + SCAN_SENTINELS) * sizeof(*translator->marks));
	translator->value_text = calloc(1, READING_TEXT_SIZE);
	if (translator->marks && translator->value_text && event_init(&translator->event, &mapping->fieldset, line_max) == 0 &&
	    subject_init(&translator->subject, mapping, &translator->event) == 0 &&
	    renderer_init(&translator->renderer, mapping, &translator->subject, accounts->values_limited,
	                  &accounts->names_limited) == 0 &&
	    plans_init(&translator->plans, mapping, &translator->renderer) == 0) {
		translator->renderer.limited = translator->observer.limited;
		translator->renderer.context = translator->observer.context;
		return translator;
	}
	translator_free(translator);
	return NULL;
}

void translator_free(struct translator *translator)
{
	if (!translator)
		return;
	if (translator->plans.mapping)
		plans_fini(&translator->plans);
	if (translator->renderer.mapping)
		renderer_fini(&translator->renderer);
	subject_fini(&translator->subject);
	event_fini(&translator->event);
	free(translator->value_text);
	free(translator->marks);
	free(translator);
}

size_t translator_memory(const struct mapping *mapping)
{
	size_t size = sizeof(struct translator) + plans_memory(mapping) + renderer_memory(mapping);
	size += (mapping->limits.line + READ_SIZE) * (sizeof(uint32_t) + 1);
	return size + arena_size(mapping->arena);
}

void translator_set_seed(struct translator *translator, uint64_t seed)
{
	translator->random = seed;
}

void translator_set_trace(struct translator *translator, const struct trace *trace)
{
	translator->trace = trace;
}

void translator_set_time(struct translator *translator, struct moment now)
{
	translator->now = now;
}

bool translator_is_blocked(const struct translator *translator)
{
	for (uint16_t i = 0; i < translator->mapping->output_count; i++)
		if (is_blocked(translator->packers[i]))
			return true;
	return false;
}
