#include <inttypes.h>
#include <stdio.h>

#include "translate/reading.h"
#include "translate/translator.h"

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

static enum line_fate pack(struct translator *translator, uint16_t output, const struct plan_metric *plan,
                           const struct reading *reading, struct span *line)
{
	char *out = make_reserve(translator, output);
	if (!out)
		return LINE_NO_ROOM;
	const struct span head = {plan->heads[output].at, plan->heads[output].len};
	const size_t len = render_line(&translator->renderer, output, reading, head, out);
	return make_commit(translator, output, len, line);
}

static void emit(struct translator *translator, const struct plan_metric *plan, const struct reading *reading)
{
	const bool is_out = is_sampled_out(translator, plan->metric);
	for (uint16_t i = 0; i < translator->mapping->output_count; i++) {
		struct output_accounts *account = &translator->accounts->outputs[i];
		enum line_fate fate;
		struct span line = {"", 0};
		account->made++;
		if (plan->filtered >> i & 1) {
			account->filtered++;
			fate = LINE_FILTERED;
		} else if (reading->is_negative && span_is(render_type(&translator->renderer.wires[i], reading), "|ms")) {
			account->filtered++;
			fate = LINE_NEGATIVE;
		} else if (is_out) {
			account->sampled_out++;
			fate = LINE_SAMPLED_OUT;
		} else {
			fate = pack(translator, i, plan, reading, &line);
		}
		if (translator->trace && translator->trace->line)
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
	if (translator->trace && translator->trace->metric)
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
		if (translator->trace && translator->trace->metric)
			translator->trace->metric(translator->trace->context, metric, METRIC_CONDITION, SKIP_ABSENT, failed);
		return false;
	}
	if (reading_take(&reading, metric, &translator->subject, translator->value_text, &skip))
		return skip_metric(translator, metric, skip);
	if (metric->kind == METRIC_EVENT ? !render_has_title(&translator->renderer, metric) : !name_metric(translator, plan))
		return skip_metric(translator, metric, SKIP_NAME);
	if (translator->trace && translator->trace->metric)
		translator->trace->metric(translator->trace->context, metric, METRIC_MADE, SKIP_ABSENT, NULL);
	emit(translator, plan, &reading);
	return true;
}

enum outcome make_metrics(struct translator *translator, struct plan *plan)
{
	uint32_t made = 0;
	if (plan->rule_count == 0)
		return OUTCOME_UNMAPPED;
	for (uint32_t i = 0; i < plan->rule_count; i++) {
		const struct plan_rule *step = &plan->rules[i];
		translator->accounts->rule_matches[step->rule->account]++;
		translator->subject.captures = step->captures;
		if (translator->trace && translator->trace->rule)
			translator->trace->rule(translator->trace->context, step->rule);
		for (uint32_t k = 0; k < step->rule->metric_count; k++)
			made += make_metric(translator, &step->metrics[k]);
	}
	if (made)
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
