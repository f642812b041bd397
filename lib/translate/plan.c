#include "translate/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "emit/sanitise.h"

enum {
	MEMORY_LOW = 2 * 1024 * 1024, /* five thousand plans of an ordinary configuration */
	MEMORY_A_NAME = 256,          /* half a plan: who asks for many names has many identifiers */
	NAMES_COUNTED = 256 * 1024,   /* at most */
	SLOTS_LOW = 16384,
	PLAN_ALIGNMENT = 64, /* a line of the cache */
	FORESEEN_LINES = 6,  /* a plan of a rule with two metrics */
	ALIGNMENT = 8,
};

/* The most that one plan can take: every rule matches, and every name is as long as it may be. */
static size_t plan_size_max(const struct mapping *mapping)
{
	const size_t head = sizeof(struct plan_head) + NAME_MAX_LEN + ALIGNMENT;
	return sizeof(struct plan) + PLAN_ALIGNMENT + 2 * IDENTIFIER_MAX + mapping->field_count + LIFECYCLES_MAX + 8 * ALIGNMENT +
	       mapping->rule_count * (sizeof(struct plan_rule) + PATTERN_STARS_MAX * sizeof(struct span) + 2 * ALIGNMENT) +
	       mapping->metric_count * (sizeof(struct plan_metric) + mapping->output_count * head + 2 * ALIGNMENT);
}

static uint32_t names_expected(const struct mapping *mapping)
{
	return mapping->limits.names < NAMES_COUNTED ? mapping->limits.names : NAMES_COUNTED;
}

static size_t memory_size(const struct mapping *mapping)
{
	const size_t largest = 2 * plan_size_max(mapping);
	size_t size = MEMORY_LOW;
	if (size < largest)
		size = largest;
	if (size < (size_t)names_expected(mapping) * MEMORY_A_NAME)
		size = (size_t)names_expected(mapping) * MEMORY_A_NAME;
	return size;
}

static uint32_t slot_count(const struct mapping *mapping)
{
	uint32_t slots = SLOTS_LOW;
	while ((slots < 2 * mapping->rule_count || slots < names_expected(mapping)) && slots < UINT32_C(1) << 20)
		slots *= 2;
	return slots;
}

/* Place 0 is nobody's. */
static void plans_forget(struct plans *plans)
{
	plans->used = PLAN_ALIGNMENT;
	plans->count = 0;
	plans->variants = NULL;
	plans->last = NULL;
}

int plans_init(struct plans *plans, const struct mapping *mapping, struct renderer *renderer)
{
	*plans = (struct plans){.mapping = mapping, .renderer = renderer, .size = memory_size(mapping)};
	plans->slot_mask = slot_count(mapping) - 1;
	plans->slots = calloc((size_t)plans->slot_mask + 1, sizeof(*plans->slots));
	/* Texts in it are read in whole vectors. */
	plans->block = calloc(1, plans->size + PLAN_ALIGNMENT + SCAN_PAD);
	plans->matches = calloc((size_t)mapping->rule_count + 1, sizeof(*plans->matches));
	if (plans->slots && plans->block && plans->matches) {
		plans->memory = plans->block + (-(uintptr_t)plans->block & (PLAN_ALIGNMENT - 1));
		plans_forget(plans);
		return 0;
	}
	plans_fini(plans);
	return -1;
}

void plans_fini(struct plans *plans)
{
	free(plans->slots);
	free(plans->block);
	free(plans->matches);
	*plans = (struct plans){0};
}

size_t plans_memory(const struct mapping *mapping)
{
	return memory_size(mapping) + slot_count(mapping) * sizeof(struct plan_slot) + mapping->rule_count * sizeof(struct match);
}

static void *take(struct plans *plans, size_t size)
{
	void *block = plans->memory + plans->used;
	assert(size <= plans->size - plans->used); /* plan_size_max() said so */
	plans->used += (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	memset(block, 0, size);
	return block;
}

static struct span take_text(struct plans *plans, struct span text)
{
	char *copy = take(plans, text.len);
	memcpy(copy, text.at, text.len);
	return (struct span){copy, text.len};
}

uint32_t plan_write_heads(const struct renderer *renderer, const struct metric *metric, struct span name,
                          struct plan_head *heads)
{
	uint32_t filtered = 0;
	for (uint16_t i = 0; i < renderer->mapping->output_count; i++) {
		const struct wire *wire = &renderer->wires[i];
		const struct span rest = span_cut(name, NAME_MAX_LEN - wire->prefix.len);
		memcpy(heads[i].at, wire->prefix.at, wire->prefix.len);
		memcpy(heads[i].at + wire->prefix.len, rest.at, rest.len);
		heads[i].len = wire->prefix.len + rest.len;
		if (!wire->type[metric->kind].at || !wire_takes(wire, metric->kind == METRIC_EVENT ? SPAN("event") : name))
			filtered |= UINT32_C(1) << i;
	}
	return filtered;
}

static uint8_t name_kind(const struct metric *metric)
{
	if (metric->kind == METRIC_EVENT)
		return PLAN_NAME_TITLE;
	if (metric->name.has_fields)
		return PLAN_NAME_BY_EVENT;
	return metric->name.is_constant ? PLAN_NAME_READY : PLAN_NAME_UNCOUNTED;
}

/* The longest name that a metric can have as this plan's, without the output's prefix. */
static size_t name_room(struct renderer *renderer, const struct plan_metric *plan, size_t len)
{
	char other[NAME_MAX_LEN + SCAN_PAD];
	size_t other_len;
	if (plan->name == PLAN_NAME_BY_EVENT)
		return NAME_MAX_LEN;
	if (plan->name != PLAN_NAME_UNCOUNTED)
		return len;
	other_len = render_name(renderer, plan->metric, other, NAME_AS_OTHER);
	return len > other_len ? len : other_len;
}

/* Else it is a constant or, where an event gives its value, a number. */
static bool is_special(const struct metric *metric)
{
	return metric->kind == METRIC_EVENT || metric->kind == METRIC_SERVICE_CHECK || metric->kind == METRIC_SET ||
	       metric->kind == METRIC_RELAY || metric->is_negative || metric->has_conditions;
}

static void plan_metric(struct plans *plans, struct plan_metric *plan, const struct metric *metric)
{
	struct renderer *renderer = plans->renderer;
	char name[NAME_MAX_LEN + SCAN_PAD];
	size_t len = 0;
	plan->metric = metric;
	plan->is_special = is_special(metric);
	plan->name = name_kind(metric);
	if (plan->name == PLAN_NAME_READY || plan->name == PLAN_NAME_UNCOUNTED) {
		len = render_name(renderer, metric, name, NAME_AS_IT_IS);
		if (len == 0)
			plan->name = PLAN_NAME_NONE;
	}
	plan->heads = take(plans, plans->mapping->output_count * sizeof(*plan->heads));
	const size_t room = name_room(renderer, plan, len);
	for (uint16_t i = 0; i < plans->mapping->output_count; i++) {
		const size_t with_prefix = renderer->wires[i].prefix.len + room;
		plan->heads[i].at = take(plans, with_prefix < NAME_MAX_LEN ? with_prefix : NAME_MAX_LEN);
	}
	plan->filtered = plan_write_heads(renderer, metric, (struct span){name, len}, plan->heads);
}

static void plan_rule(struct plans *plans, struct plan *plan, struct plan_rule *step, struct match match)
{
	const struct rule *rule = &plans->mapping->rules[match.rule];
	const struct pattern *pattern = &rule->patterns[match.pattern];
	struct subject *subject = plans->renderer->subject;
	step->rule = rule;
	step->account = rule->account;
	step->metric_count = rule->metric_count;
	step->captures = take(plans, pattern->stars * sizeof(*step->captures));
	pattern_match(pattern, plan->identity.event, step->captures);
	step->metrics = take(plans, rule->metric_count * sizeof(*step->metrics));
	subject->identifier = plan->identity.event;
	subject->captures = step->captures;
	for (uint32_t i = 0; i < rule->metric_count; i++)
		plan_metric(plans, &step->metrics[i], &rule->metrics[i]);
}

void plan_metric_init(struct plan_metric *plan, const struct metric *metric, struct renderer *renderer, struct arena *arena)
{
	char name[NAME_MAX_LEN + SCAN_PAD];
	const uint16_t outputs = renderer->mapping->output_count;
	*plan = (struct plan_metric){.metric = metric, .name = PLAN_NAME_READY};
	const size_t len = render_name(renderer, metric, name, NAME_AS_IT_IS);
	plan->heads = arena_array(arena, outputs, sizeof(*plan->heads));
	for (uint16_t i = 0; i < outputs; i++)
		plan->heads[i].at = arena_alloc(arena, NAME_MAX_LEN + SCAN_PAD);
	plan->filtered = plan_write_heads(renderer, metric, (struct span){name, len}, plan->heads);
}

static uint8_t variant_of(const struct field *field, struct span event)
{
	for (uint16_t i = 0; i < field->variant_count; i++) {
		const struct field_variant *variant = &field->variants[i];
		if (variant->event_count == 0)
			return (uint8_t)(i + 1);
		for (uint16_t k = 0; k < variant->event_count; k++)
			if (pattern_match(&variant->events[k], event, NULL))
				return (uint8_t)(i + 1);
	}
	return 0;
}

static const uint8_t *plan_variants(struct plans *plans, struct span event)
{
	const struct mapping *mapping = plans->mapping;
	const size_t before = plans->used;
	uint8_t *variants = take(plans, mapping->field_count);
	for (uint16_t i = 0; i < mapping->field_count; i++)
		variants[i] = variant_of(&mapping->fields[i], event);
	if (plans->variants && memcmp(plans->variants, variants, mapping->field_count) == 0)
		plans->used = before;
	else
		plans->variants = variants;
	return plans->variants;
}

static __attribute__((noinline, cold)) struct plan *plan_new(struct plans *plans, struct span text)
{
	const struct mapping *mapping = plans->mapping;
	plans->used = (plans->used + PLAN_ALIGNMENT - 1) & ~(size_t)(PLAN_ALIGNMENT - 1);
	struct plan *plan = take(plans, sizeof(*plan));
	plan->text = take_text(plans, text);
	plan->identity = catalogue_resolve(mapping, plan->text);
	plan->identity.event = span_equal(plan->identity.event, plan->text) ? plan->text : take_text(plans, plan->identity.event);
	if (plan->identity.known != CATALOGUE_NONE)
		plan->known = &mapping->catalogue->known[plan->identity.known];
	plan->variants = plan_variants(plans, plan->identity.event);
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const uint8_t state = lifecycle_enters(&mapping->lifecycles[i], plan->identity.event);
		if (state == STATE_NONE)
			continue;
		if (!plan->enters) {
			plan->enters = take(plans, mapping->lifecycle_count);
			memset(plan->enters, STATE_NONE, mapping->lifecycle_count);
		}
		plan->enters[i] = state;
	}
	plan->rule_count =
		match_event(mapping, plan->identity.event, plans->matches, mapping->rule_count, &plan->is_dropped);
	plan->is_fallback = plan->rule_count && mapping->rules[plans->matches[0].rule].is_fallback;
	plan->rules = take(plans, plan->rule_count * sizeof(*plan->rules));
	for (uint32_t i = 0; i < plan->rule_count; i++)
		plan_rule(plans, plan, &plan->rules[i], plans->matches[i]);
	return plan;
}

static struct plan *plan_at(const struct plans *plans, uint32_t at)
{
	return (struct plan *)(plans->memory + (size_t)at * PLAN_ALIGNMENT);
}

void plans_foresee(struct plans *plans, struct span text)
{
	const uint64_t hash = hash_padded(&plans->mapping->hash_key, text);
	const struct plan_slot *slot = &plans->slots[(hash >> 32) & plans->slot_mask];
	const char *plan = plans->memory + (size_t)slot->at * PLAN_ALIGNMENT;
	for (int line = 0; line < FORESEEN_LINES; line++)
		__builtin_prefetch(plan + line * PLAN_ALIGNMENT);
	/* Two, whether there are so many or not: what is fetched in vain is read by nobody. */
	__builtin_prefetch(slot->metrics);
	__builtin_prefetch((const void *)((uintptr_t)slot->metrics + sizeof(*slot->metrics)));
}

struct plan *plans_find_by_hash(struct plans *plans, struct span text)
{
	const uint64_t hash = hash_padded(&plans->mapping->hash_key, text);
	uint32_t slot = (uint32_t)(hash >> 32) & plans->slot_mask;
	for (; plans->slots[slot].at; slot = (slot + 1) & plans->slot_mask) {
		struct plan *plan = plan_at(plans, plans->slots[slot].at);
		if (plans->slots[slot].hash == (uint32_t)hash && plan_is_of(plan, text))
			return plans->last = plan;
	}
	if (!identifier_is_valid(text))
		return NULL;
	/* At most half of the slots, and room for the largest plan: else everything is forgotten. */
	if (plans->count > plans->slot_mask / 2 || plans->used + plan_size_max(plans->mapping) > plans->size) {
		memset(plans->slots, 0, ((size_t)plans->slot_mask + 1) * sizeof(*plans->slots));
		plans_forget(plans);
		plans->resets++;
		slot = (uint32_t)(hash >> 32) & plans->slot_mask;
	}
	struct plan *plan = plan_new(plans, text);
	plans->slots[slot] = (struct plan_slot){
		(uint32_t)hash,
		(uint32_t)(((char *)plan - plans->memory) / PLAN_ALIGNMENT),
		plan->rule_count ? plan->rules->rule->metrics : NULL,
	};
	plans->count++;
	return plans->last = plan;
}
