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

/* The room for a line: the end of the open datagram, or where make_reserve() finds some. */
INLINE char *reserve(struct translator *translator, uint16_t output)
{
	struct packer *packer = translator->packers[output];
	if (unlikely(!packer_has_room(packer) || packer_is_blocked(packer)))
		return make_reserve(translator, output);
	return packer->buffer + packer->used;
}

static enum line_fate pack(struct translator *translator, uint16_t output, const struct plan_metric *plan, const struct reading *reading,
                           struct span *line)
{
	const struct span head = {plan->heads[output].at, plan->heads[output].len};
	char *out = reserve(translator, output);
	if (!out)
		return LINE_NO_ROOM;
	return make_commit(translator, output, render_line(&translator->renderer, output, reading, head, out), line);
}

/* What becomes of a metric that an output does not filter by its name. */
static enum line_fate send(struct translator *translator, uint16_t output, const struct plan_metric *plan,
                           const struct reading *reading, bool is_out, struct span *line)
{
	struct output_accounts *account = &translator->accounts->outputs[output];
	if (reading->is_negative && span_is(render_type(&translator->renderer.wires[output], reading), "|ms")) {
		account->filtered++;
		return LINE_NEGATIVE;
	}
	if (is_out) {
		account->sampled_out++;
		return LINE_SAMPLED_OUT;
	}
	return pack(translator, output, plan, reading, line);
}

/* Any reading, and whoever follows it is told. */
static __attribute__((noinline)) void emit(struct translator *translator, const struct plan_metric *plan, const struct reading *reading)
{
	const struct trace *const trace = translator->trace;
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

/* A plain one, which nobody follows: not negative, no DogStatsD event or service check. kind: of a metric that is relayed the
 * line's own. */
INLINE void emit_plainly(struct translator *translator, const struct plan_metric *plan, bool is_relayed, uint8_t kind, struct span value,
                         struct span rate)
{
	const struct metric *const metric = plan->metric;
	const bool is_out = metric->is_sampled && is_sampled_out(translator, metric);
	const uint16_t count = translator->mapping->output_count;
	for (uint16_t i = 0; i < count; i++) {
		struct output_accounts *account = &translator->accounts->outputs[i];
		const struct span head = {plan->heads[i].at, plan->heads[i].len};
		account->made++;
		if (unlikely(plan->filtered >> i & 1)) {
			account->filtered++;
			continue;
		}
		if (unlikely(is_out)) {
			account->sampled_out++;
			continue;
		}
		char *const out = reserve(translator, i);
		if (unlikely(!out))
			continue;
		const struct wire *const wire = &translator->renderer.wires[i];
		const struct span type = is_relayed ? wire->relayed[kind] : wire->type[kind];
		const size_t len = (size_t)(line_put(&translator->renderer, i, metric, is_relayed, head, value, type, rate, out) - out);
		struct span line;
		if (unlikely(len > LINE_OUT_MAX))
			(void)make_commit(translator, i, len, &line);
		else
			packer_commit(translator->packers[i], len);
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

/* A metric in whatever way it takes, and whoever follows it is told. */
static __attribute__((noinline)) bool make_metric(struct translator *translator, struct plan_metric *plan)
{
	const struct trace *const trace = translator->trace;
	const struct metric *const metric = plan->metric;
	struct reading reading;
	enum skip skip = SKIP_NAME;
	const struct condition *const failed = subject_fails(&translator->subject, &metric->when);
	bool is_made = false;
	if (failed) {
		if (trace && trace->metric)
			trace->metric(trace->context, metric, METRIC_CONDITION, SKIP_ABSENT, failed);
		return false;
	}
	if (metric->value.is_constant)
		reading_constant(&reading, metric);
	if (metric->value.is_constant || reading_take(&reading, metric, &translator->subject, translator->value_text, &skip) == 0)
		is_made = has_name(translator, plan);
	if (trace && trace->metric)
		trace->metric(trace->context, metric, is_made ? METRIC_MADE : METRIC_SKIPPED, is_made ? SKIP_ABSENT : skip, NULL);
	if (!is_made)
		translator->accounts->skipped[skip]++;
	else if (metric->kind == METRIC_RELAY && !reading.is_negative && !trace)
		emit_plainly(translator, plan, true, reading.relayed, reading.value, reading.rate);
	else
		emit(translator, plan, &reading);
	return is_made;
}

/* What most metrics are: a constant or a short number. */
INLINE bool make_metric_plainly(struct translator *translator, struct plan_metric *plan)
{
	const struct metric *const metric = plan->metric;
	struct span value = metric->value.constant;
	if (unlikely(plan->is_special))
		return make_metric(translator, plan);
	if (!metric->value.is_constant && unlikely(!reading_take_short(metric, &translator->subject, translator->value_text, &value)))
		return make_metric(translator, plan);
	if (unlikely(!has_name(translator, plan))) {
		translator->accounts->skipped[SKIP_NAME]++;
		return false;
	}
	emit_plainly(translator, plan, false, metric->kind, value, reading_rate(metric));
	return true;
}

/* Inlined twice: where nobody follows it, and where somebody does. */
INLINE uint32_t make_all(struct translator *translator, const struct plan *plan, bool is_traced)
{
	const struct trace *const trace = is_traced ? translator->trace : NULL;
	uint32_t made = 0;
	for (const struct plan_rule *step = plan->rules, *end = step + plan->rule_count; step < end; step++) {
		translator->accounts->rule_matches[step->account]++;
		translator->subject.captures = step->captures;
		if (trace && trace->rule)
			trace->rule(trace->context, step->rule);
		for (struct plan_metric *metric = step->metrics, *last = metric + step->metric_count; metric < last; metric++)
			made += is_traced ? make_metric(translator, metric) : make_metric_plainly(translator, metric);
	}
	return made;
}

static __attribute__((noinline)) uint32_t make_all_traced(struct translator *translator, const struct plan *plan)
{
	return make_all(translator, plan, true);
}

enum outcome make_metrics(struct translator *translator, struct plan *plan)
{
	if (plan->rule_count == 0)
		return OUTCOME_UNMAPPED;
	const uint32_t made = translator->trace ? make_all_traced(translator, plan) : make_all(translator, plan, false);
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
	emit(translator, plan, &reading);
}
