/* A reload: what the new translator and its accounts take over from the old ones, found by name because numbers change. */
#include "translate/translator.h"

/* Where in `count` names the one called `name` stands; searched from *hint on, since both sides mostly have the same order. */
#define NOT_FOUND UINT32_MAX

struct names {
	uint32_t count;
	uint32_t hint;
	const struct mapping *mapping;
	bool (*is)(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index);
};

static uint32_t find(struct names *names, const struct mapping *other, uint32_t index)
{
	for (uint32_t i = 0; i < names->count; i++) {
		const uint32_t at = (names->hint + i) % names->count;
		if (names->is(names->mapping, at, other, index)) {
			names->hint = at + 1;
			return at;
		}
	}
	return NOT_FOUND;
}

static bool is_rule(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index)
{
	return mapping->rules[index].account == index && other->rules[other_index].account == other_index &&
	       span_equal(mapping->rules[index].label, other->rules[other_index].label);
}

static bool is_expectation(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index)
{
	const struct expectation *a = &mapping->expectations[index];
	const struct expectation *b = &other->expectations[other_index];
	return span_equal(a->event, b->event) && span_equal(a->field, b->field);
}

static bool is_legacy(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index)
{
	return span_equal(mapping->legacy[index].alias, other->legacy[other_index].alias);
}

static bool is_tag_key(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index)
{
	return span_equal(mapping->tag_keys[index], other->tag_keys[other_index]);
}

static bool is_lifecycle(const struct mapping *mapping, uint32_t index, const struct mapping *other, uint32_t other_index)
{
	return span_equal(mapping->lifecycles[index].name, other->lifecycles[other_index].name);
}

static void take_counts(uint64_t *to, const struct mapping *mapping, uint32_t count, const uint64_t *from, struct names *names)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t old = find(names, mapping, i);
		if (old != NOT_FOUND)
			to[i] += from[old];
	}
}

void accounts_inherit(struct accounts *to, const struct mapping *mapping, const struct accounts *from, const struct mapping *old)
{
	memcpy(to->outcomes, from->outcomes, sizeof(to->outcomes));
	memcpy(to->skipped, from->skipped, sizeof(to->skipped));
	to->unknown = from->unknown;
	to->names_limited = from->names_limited;
	to->removed_received = from->removed_received;
	take_counts(to->rule_matches, mapping, mapping->rule_count, from->rule_matches,
	            &(struct names){old->rule_count, 0, old, is_rule});
	take_counts(to->payload_missing, mapping, mapping->expectation_count, from->payload_missing,
	            &(struct names){old->expectation_count, 0, old, is_expectation});
	take_counts(to->legacy, mapping, mapping->legacy_count, from->legacy,
	            &(struct names){old->legacy_count, 0, old, is_legacy});
	take_counts(to->values_limited, mapping, mapping->tag_key_count, from->values_limited,
	            &(struct names){old->tag_key_count, 0, old, is_tag_key});
	struct names lifecycles = {old->lifecycle_count, 0, old, is_lifecycle};
	for (uint32_t i = 0; i < mapping->lifecycle_count; i++) {
		const uint32_t at = find(&lifecycles, mapping, i);
		if (at != NOT_FOUND)
			to->lifecycles[i].invalid_transitions = from->lifecycles[at].invalid_transitions;
	}
}

static void swap_guards(struct guard *a, struct guard *b)
{
	const struct guard kept = *a;
	*a = *b;
	*b = kept;
}

/* A guard of the same limit is taken as it is; of another, what it holds as far as there is room. */
static void inherit_guard(struct guard *to, struct guard *from)
{
	if (to->limit == from->limit) {
		swap_guards(to, from);
		return;
	}
	for (uint32_t slot = 0; slot <= from->mask; slot++)
		if (from->slots[slot])
			(void)guard_admits(to, from->slots[slot]);
}

static void inherit_guards(struct renderer *to, struct renderer *from)
{
	inherit_guard(&to->name_guard, &from->name_guard);
	for (int dialect = 0; dialect < DIALECT_COUNT; dialect++) {
		struct names keys = {from->mapping->tag_key_count, 0, from->mapping, is_tag_key};
		for (uint32_t i = 0; to->tag_guards[dialect] && from->tag_guards[dialect] && i < to->mapping->tag_key_count; i++) {
			const uint32_t old = find(&keys, to->mapping, i);
			if (old != NOT_FOUND)
				inherit_guard(&to->tag_guards[dialect][i], &from->tag_guards[dialect][old]);
		}
	}
	if (!to->mapping->has_relay || !from->mapping->has_relay)
		return;
	to->relay.count = from->relay.count;
	memcpy(to->relay.keys, from->relay.keys, sizeof(to->relay.keys));
	for (uint32_t i = 0; i < from->relay.count; i++)
		inherit_guard(&to->relay.guards[i], &from->relay.guards[i]);
}

void translator_inherit(struct translator *to, struct translator *from)
{
	struct names lifecycles = {from->mapping->lifecycle_count, 0, from->mapping, is_lifecycle};
	to->random = from->random;
	to->now = from->now;
	inherit_guards(&to->renderer, &from->renderer);
	for (uint32_t i = 0; i < to->mapping->lifecycle_count; i++) {
		const uint32_t old = find(&lifecycles, to->mapping, i);
		if (old == NOT_FOUND)
			continue;
		bool is_owed = from->owed_gauges >> old & 1; /* by a reload a moment ago */
		if (lifecycle_is_same(&to->mapping->lifecycles[i], &from->mapping->lifecycles[old])) {
			struct entities *kept = to->entities[i];
			to->entities[i] = from->entities[old];
			from->entities[old] = kept;
		} else {
			entities_count_on(to->entities[i], from->entities[old]);
			is_owed |= lifecycle_in_flight(&from->mapping->lifecycles[old], from->entities[old]) != 0;
		}
		if (is_owed && to->mapping->lifecycles[i].in_flight)
			to->owed_gauges |= (uint16_t)(1U << i);
	}
}
