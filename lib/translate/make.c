#include <inttypes.h>
#include <stdio.h>

#include "emit/line.h"
#include "translate/reading.h"
#include "translate/translator.h"

/* ---- metric -> datagrams ---- */

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016); the upper half. */
static bool is_sampled_out(struct translator *translator, const struct metric *metric)
{
	if (translator->random == 0)
		return false;
	translator->random ^= translator->random >> 12;
	translator->random ^= translator->random << 25;
	translator->random ^= translator->random >> 27;
	return (uint32_t)((translator->random * UINT64_C(0x2545F4914F6CDD1D)) >> 32) >= metric->sample_threshold;
}

char *make_reserve(struct translator *translator, uint16_t output)
{
	struct output_accounts *account = &translator->accounts->outputs[output];
	struct packer *packer = translator->packers[output];
	char *out = packer_is_blocked(packer) && !translator->may_overfill ? NULL : packer_reserve(packer);
	if (!out) {
		account->dropped++;
		account->errors[OUTPUT_ERROR_FULL]++;
	}
	return out;
}

enum line_fate make_commit(struct translator *translator, uint16_t output, size_t len, struct span *line)
{
	struct output_accounts *account = &translator->accounts->outputs[output];
	struct packer *packer = translator->packers[output];
	if (len > LINE_OUT_MAX) {
		account->dropped++;
		account->errors[OUTPUT_ERROR_TOO_LONG]++;
		return LINE_TOO_LONG;
	}
	packer_commit(packer, len);
	/* Where it stands now: it may have moved. */
	*line = (struct span){packer->buffer + packer->used - len - 1, len};
	return LINE_PACKED;
}

/* Events, service checks and negative gauges take longer ways. */
static inline size_t render(struct renderer *renderer, uint16_t output, const struct plan_metric *plan,
                            const struct reading *reading, char *out)
{
	const struct span head = {plan->heads[output].at, plan->heads[output].len};
	if (unlikely(reading->is_negative || plan->is_special))
		return render_line(renderer, output, reading, head, out);
	return (size_t)(line_put(renderer, output, reading, head, reading->value, out) - out);
}

static inline enum line_fate pack(struct translator *translator, uint16_t output, const struct plan_metric *plan,
                                  const struct reading *reading, struct span *line)
{
	struct packer *packer = translator->packers[output];
	if (unlikely(!packer_has_room(packer) || packer_is_blocked(packer))) {
		char *out = make_reserve(translator, output);
		if (!out)
			return LINE_NO_ROOM;
	}
	char *out = packer->buffer + packer->used;
	const size_t len = render(&translator->renderer, output, plan, reading, out);
	if (unlikely(len > LINE_OUT_MAX))
		return make_commit(translator, output, len, line);
	packer_commit(packer, len);
	*line = (struct span){packer->buffer + packer->used - len - 1, len};
	return LINE_PACKED;
}

/* What becomes of a metric that an output does not filter by its name. */
static inline enum line_fate send(struct translator *translator, uint16_t output, const struct plan_metric *plan,
                                  const struct reading *reading, bool is_out, struct span *line)
{
	struct output_accounts *account = &translator->accounts->outputs[output];
	if (unlikely(reading->is_negative) && span_is(render_type(&translator->renderer.wires[output], reading), "|ms")) {
		account->filtered++;
		return LINE_NEGATIVE;
	}
	if (unlikely(is_out)) {
		account->sampled_out++;
		return LINE_SAMPLED_OUT;
	}
	return pack(translator, output, plan, reading, line);
}

/* Inlined where trace is known to be NULL. */
static inline __attribute__((always_inline)) void emit(struct translator *translator, const struct plan_metric *plan,
                                                       const struct reading *reading, const struct trace *trace)
{
	const bool is_out = plan->metric->is_sampled && is_sampled_out(translator, plan->metric);
	const uint16_t count = translator->mapping->output_count;
	for (uint16_t i = 0; i < count; i++) {
		struct output_accounts *account = &translator->accounts->outputs[i];
		enum line_fate fate = LINE_FILTERED;
		struct span line = {"", 0};
		account->made++;
		if (plan->filtered >> i & 1)
			account->filtered++;
		else
			fate = send(translator, i, plan, reading, is_out, &line);
		if (trace && trace->line)
			trace->line(trace->context, i, fate, line);
	}
}

/* ---- rule -> metrics ---- */

/* A name that is made of the identifier, and not counted yet, or of the event: written anew each time, and counted. */
static __attribute__((noinline)) bool name_metric(struct translator *translator, struct plan_metric *plan)
{
	struct renderer *renderer = &translator->renderer;
	char name[NAME_MAX_LEN + SCAN_PAD];
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
		plan->name = PLAN_NAME_READY;
	return true;
}

static inline bool has_name(struct translator *translator, struct plan_metric *plan)
{
	if (likely(plan->name == PLAN_NAME_READY))
		return true;
	if (plan->name == PLAN_NAME_TITLE)
		return render_has_title(&translator->renderer, plan->metric);
	return plan->name != PLAN_NAME_NONE && name_metric(translator, plan);
}

static inline bool skip_metric(struct translator *translator, const struct metric *metric, enum skip skip, const struct trace *trace)
{
	translator->accounts->skipped[skip]++;
	if (trace && trace->metric)
		trace->metric(trace->context, metric, METRIC_SKIPPED, skip, NULL);
	return false;
}

static inline __attribute__((always_inline)) bool make_metric(struct translator *translator, struct plan_metric *plan,
                                                              const struct trace *trace)
{
	const struct metric *metric = plan->metric;
	struct reading reading;
	enum skip skip;
	if (metric->has_conditions) {
		const struct condition *failed = subject_fails(&translator->subject, &metric->when);
		if (failed && trace && trace->metric)
			trace->metric(trace->context, metric, METRIC_CONDITION, SKIP_ABSENT, failed);
		if (failed)
			return false;
	}
	if (metric->value.is_constant)
		reading_constant(&reading, metric);
	else if (reading_take(&reading, metric, &translator->subject, translator->value_text, &skip))
		return skip_metric(translator, metric, skip, trace);
	if (!has_name(translator, plan))
		return skip_metric(translator, metric, SKIP_NAME, trace);
	if (trace && trace->metric)
		trace->metric(trace->context, metric, METRIC_MADE, SKIP_ABSENT, NULL);
	emit(translator, plan, &reading, trace);
	return true;
}

static inline __attribute__((always_inline)) uint32_t make_all(struct translator *translator, const struct plan *plan,
                                                               const struct trace *trace)
{
	uint32_t made = 0;
	for (const struct plan_rule *step = plan->rules, *end = step + plan->rule_count; step < end; step++) {
		translator->accounts->rule_matches[step->account]++;
		translator->subject.captures = step->captures;
		if (trace && trace->rule)
			trace->rule(trace->context, step->rule);
		for (struct plan_metric *metric = step->metrics, *last = metric + step->metric_count; metric < last; metric++)
			made += make_metric(translator, metric, trace);
	}
	return made;
}

static __attribute__((noinline)) uint32_t make_all_traced(struct translator *translator, const struct plan *plan)
{
	return make_all(translator, plan, translator->trace);
}

enum outcome make_metrics(struct translator *translator, struct plan *plan)
{
	if (plan->rule_count == 0)
		return OUTCOME_UNMAPPED;
	const uint32_t made = translator->trace ? make_all_traced(translator, plan) : make_all(translator, plan, NULL);
	if (likely(made))
		return plan->is_fallback ? OUTCOME_FALLBACK : OUTCOME_MAPPED;
	return plan->is_dropped ? OUTCOME_DROPPED : OUTCOME_EMPTY;
}

void make_gauge(struct translator *translator, struct plan_metric *plan, uint64_t value)
{
	char text[24 + SCAN_PAD];
	const int len = snprintf(text, sizeof(text), "%" PRIu64, value);
	const struct reading reading = {.metric = plan->metric, .value = {text, (size_t)len}};
	if (translator->trace && translator->trace->metric)
		translator->trace->metric(translator->trace->context, plan->metric, METRIC_MADE, SKIP_ABSENT, NULL);
	emit(translator, plan, &reading, translator->trace);
}
