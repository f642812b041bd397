/* lifecycles: {step: {key: [task_id, step_id], enter: {step.completed: complete, …}, transitions: {…}, …}, …} */
#include "map/entities.h"
#include "settings/fault.h"
#include "settings/source.h"
#include "settings/value.h"

static void read_enter(struct reader *reader, const struct node *node, void *target)
{
	struct lifecycle_model *lifecycle = target;
	if (!value_is_map(reader, "enter", node))
		return;
	lifecycle->enter = arena_array(reader->arena, node->count + 1, sizeof(*lifecycle->enter));
	lifecycle->enter_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct lifecycle_enter_model *enter = &lifecycle->enter[lifecycle->enter_count];
		enter->match = value_key(entry->key);
		if (value_text(reader, entry->key->raw.at, entry->value, &enter->state) && !entry->key->is_faulty)
			lifecycle->enter_count++;
	}
}

static void read_transitions(struct reader *reader, const struct node *node, void *target)
{
	struct lifecycle_model *lifecycle = target;
	if (!value_is_map(reader, "transitions", node))
		return;
	lifecycle->transitions = arena_array(reader->arena, node->count + 1, sizeof(*lifecycle->transitions));
	lifecycle->transition_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct lifecycle_transition_model *transition = &lifecycle->transitions[lifecycle->transition_count];
		if (entry->key->is_faulty)
			continue;
		transition->from = value_key(entry->key);
		(void)value_texts(reader, entry->key->raw.at, entry->value, &transition->to);
		lifecycle->transition_count++;
	}
}

static const struct setting duration_settings[] = {
	{.key = "field", .type = SETTING_TEXT, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct lifecycle_model, duration_field),
	 .help = "the standard field that is filled in, in seconds"},
	{.key = "state", .type = SETTING_TEXT, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct lifecycle_model, duration_state), .help = "the state whose leaving gives it"},
};

const struct table duration_table = {"duration", "lifecycles.*.duration", duration_settings,
                                     ARRAY_LEN(duration_settings)};

static void read_duration(struct reader *reader, const struct node *node, void *target)
{
	if (value_is_map(reader, "duration", node))
		(void)table_read(reader, &duration_table, node, target);
}

#define MILLISECOND INT64_C(1000000)
#define YEAR        (MILLISECOND * 1000 * 86400 * 366)

static const struct setting lifecycle_settings[] = {
	{.key = "key", .type = SETTING_TEXTS, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct lifecycle_model, key),
	 .help = "fields that tell entities apart; where one is absent nothing moves"},
	{.key = "enter", .type = SETTING_OWN, .flags = SETTING_REQUIRED, .read = read_enter,
	 .takes = "map: identifier or glob to state",
	 .help = "the state that an event brings; all other events move nothing"},
	{.key = "transitions", .type = SETTING_OWN, .read = read_transitions, .takes = "map: state to list of states",
	 .shown = "all are legal",
	 .help = "which states may follow each; others are taken, and reported as lifecycle.invalid_transition"},
	{.key = "active", .type = SETTING_TEXTS, .offset = offsetof(struct lifecycle_model, active),
	 .help = "the states that in_flight counts and stuck_after watches"},
	{.key = "final", .type = SETTING_TEXTS, .offset = offsetof(struct lifecycle_model, final),
	 .help = "the states after which an entity is forgotten, once `linger` is over"},
	{.key = "duration", .type = SETTING_OWN, .read = read_duration, .takes = "map",
	 .help = "a field that the time spent in a state fills, where the payload has none"},
	{.key = "timestamp", .type = SETTING_TEXT, .offset = offsetof(struct lifecycle_model, timestamp),
	 .shown = "receive times only", .help = "the standard field that dates an event"},
	{.key = "max_entities", .type = SETTING_COUNT, .offset = offsetof(struct lifecycle_model, max_entities),
	 .min = 1, .max = ENTITIES_MAX, .fallback = "8192", .help = "beyond it the least recently changed is forgotten"},
	{.key = "linger", .type = SETTING_DURATION, .offset = offsetof(struct lifecycle_model, linger_ns), .min = 0,
	 .max = YEAR, .fallback = "5m", .help = "how long an entity in a final state is remembered"},
	{.key = "expire", .type = SETTING_DURATION, .offset = offsetof(struct lifecycle_model, expire_ns),
	 .min = MILLISECOND, .max = YEAR, .fallback = "1h", .help = "an entity without events for so long is forgotten"},
	{.key = "in_flight", .type = SETTING_TEXT, .flags = SETTING_NAME,
	 .offset = offsetof(struct lifecycle_model, in_flight),
	 .help = "a gauge of the entities in active states, at each change"},
	{.key = "stuck_after", .type = SETTING_DURATION, .flags = SETTING_OR_OFF,
	 .offset = offsetof(struct lifecycle_model, stuck_after_ns), .min = MILLISECOND, .max = YEAR, .fallback = "off",
	 .help = "an entity that stays active for longer gives the event lifecycle.stuck"},
};

const struct table lifecycle_table = {"a lifecycle", "lifecycles.*", lifecycle_settings, ARRAY_LEN(lifecycle_settings)};

/* A state that no event enters is misspelt. */
static void check_state(struct reader *reader, const struct lifecycle_model *lifecycle, const struct text *state)
{
	const char **names = arena_array(reader->arena, lifecycle->enter_count + 1, sizeof(*names));
	if (!state->span.at)
		return;
	for (size_t i = 0; i < lifecycle->enter_count; i++) {
		if (span_equal(lifecycle->enter[i].state.span, state->span))
			return;
		names[i] = lifecycle->enter[i].state.span.at;
	}
	const char *nearest = problem_nearest(state->span, names);
	if (nearest)
		fault(reader->problems, state->mark, "no event enters the state `%.*s`; did you mean `%s`?",
		      FAULT_ARG(state->span), nearest);
	else
		fault(reader->problems, state->mark, "no event enters the state `%.*s`: `enter` does not name it",
		      FAULT_ARG(state->span));
}

static void check_states(struct reader *reader, const struct lifecycle_model *lifecycle)
{
	for (size_t i = 0; i < lifecycle->active.count; i++)
		check_state(reader, lifecycle, &lifecycle->active.items[i]);
	for (size_t i = 0; i < lifecycle->final.count; i++)
		check_state(reader, lifecycle, &lifecycle->final.items[i]);
	for (size_t i = 0; i < lifecycle->transition_count; i++) {
		check_state(reader, lifecycle, &lifecycle->transitions[i].from);
		for (size_t k = 0; k < lifecycle->transitions[i].to.count; k++)
			check_state(reader, lifecycle, &lifecycle->transitions[i].to.items[k]);
	}
	check_state(reader, lifecycle, &lifecycle->duration_state);
}

static void check_active(struct reader *reader, const struct node *node, const struct lifecycle_model *lifecycle)
{
	const struct node_entry *in_flight = node_find(node, "in_flight"), *stuck = node_find(node, "stuck_after");
	if (node_find(node, "active"))
		return;
	if (in_flight)
		fault(reader->problems, in_flight->key->mark, "`in_flight` needs `active`: the states that it counts");
	if (stuck && lifecycle->stuck_after_ns)
		fault(reader->problems, stuck->key->mark, "`stuck_after` needs `active`: the states that it watches");
}

void read_lifecycles(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_map(reader, "lifecycles", node))
		return;
	source->lifecycles = arena_array(reader->arena, node->count + 1, sizeof(*source->lifecycles));
	source->lifecycle_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct lifecycle_model lifecycle = {.name = value_key(entry->key), .mark = entry->key->mark};
		if (entry->key->is_faulty || !value_is_map(reader, entry->key->raw.at, entry->value)) {
			if (node_is_nothing(entry->value))
				fault(reader->problems, entry->key->mark, "a lifecycle needs `key` and `enter`");
			continue;
		}
		table_defaults(reader, &lifecycle_table, &lifecycle);
		(void)table_read(reader, &lifecycle_table, entry->value, &lifecycle);
		if (lifecycle.enter_count && !entry->value->is_cut) {
			check_states(reader, &lifecycle);
			check_active(reader, entry->value, &lifecycle);
		}
		if (lifecycle.key.count && lifecycle.enter_count)
			source->lifecycles[source->lifecycle_count++] = lifecycle;
	}
}
