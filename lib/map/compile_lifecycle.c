/* lifecycles: of a configuration -> states with numbers, transitions as bits. */
#include "map/compiler.h"
#include "map/lifecycle.h"

static int find_state(const struct lifecycle *lifecycle, struct span name)
{
	for (uint8_t i = 0; i < lifecycle->state_count; i++)
		if (span_equal(lifecycle->states[i], name))
			return i;
	return -1;
}

/* States are what transitions have as keys, and what events enter. */
static void add_state(struct compiler *compiler, struct lifecycle *lifecycle, const struct text *name)
{
	if (find_state(lifecycle, name->span) >= 0)
		return;
	if (lifecycle->state_count == ENTITY_STATES_MAX)
		problem_add(compiler->problems, name->mark, "a lifecycle has %d states at most", ENTITY_STATES_MAX);
	else
		lifecycle->states[lifecycle->state_count++] = arena_copy(compiler->mapping->arena, name->span);
}

static uint8_t need_state(struct compiler *compiler, const struct lifecycle *lifecycle, const struct text *name)
{
	const char *names[ENTITY_STATES_MAX + 1] = {NULL};
	const int state = find_state(lifecycle, name->span);
	if (state >= 0)
		return (uint8_t)state;
	if (problem_stands_at(compiler->problems, name->mark))
		return 0;
	for (uint8_t i = 0; i < lifecycle->state_count; i++)
		names[i] = arena_copy(compiler->mapping->arena, lifecycle->states[i]).at;
	const char *nearest = problem_nearest(name->span, names);
	problem_add(compiler->problems, name->mark, "no event enters the state `%.*s`, and nothing leaves it%s%s%s",
	            SPAN_ARG(name->span), nearest ? ": did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
	return 0;
}

static uint32_t state_bits(struct compiler *compiler, const struct lifecycle *lifecycle, const struct texts *names)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < names->count; i++)
		bits |= UINT32_C(1) << need_state(compiler, lifecycle, &names->items[i]);
	return bits;
}

static void compile_states(struct compiler *compiler, struct lifecycle *lifecycle, const struct lifecycle_model *model)
{
	for (size_t i = 0; i < model->transition_count; i++)
		add_state(compiler, lifecycle, &model->transitions[i].from);
	for (size_t i = 0; i < model->enter_count; i++)
		add_state(compiler, lifecycle, &model->enter[i].state);
	for (uint8_t i = 0; model->transition_count == 0 && i < lifecycle->state_count; i++)
		lifecycle->legal[i] = UINT32_MAX; /* none given: everything is legal */
	for (size_t i = 0; i < model->transition_count; i++) {
		const int from = find_state(lifecycle, model->transitions[i].from.span);
		if (from >= 0)
			lifecycle->legal[from] = state_bits(compiler, lifecycle, &model->transitions[i].to);
	}
	lifecycle->active = state_bits(compiler, lifecycle, &model->active);
	lifecycle->final = state_bits(compiler, lifecycle, &model->final);
}

static void compile_enter(struct compiler *compiler, struct lifecycle *lifecycle, const struct lifecycle_model *model)
{
	struct arena *arena = compiler->mapping->arena;
	lifecycle->enter = arena_array(arena, model->enter_count, sizeof(*lifecycle->enter));
	lifecycle->enter_state = arena_array(arena, model->enter_count, sizeof(*lifecycle->enter_state));
	for (size_t i = 0; i < model->enter_count; i++) {
		const struct text *match = &model->enter[i].match;
		const char *why;
		if (pattern_compile(&lifecycle->enter[lifecycle->enter_count], match->span, &why)) {
			problem_add(compiler->problems, match->mark, "`%.*s` is no pattern: %s", SPAN_ARG(match->span), why);
			continue;
		}
		lifecycle->enter_state[lifecycle->enter_count++] = need_state(compiler, lifecycle, &model->enter[i].state);
	}
	if (model->enter_count == 0)
		problem_add(compiler->problems, model->mark, "the lifecycle `%.*s` has no `enter`: no event moves it",
		            SPAN_ARG(model->name.span));
}

static uint32_t file_with_prefix(const struct model *model, const char *prefix)
{
	for (size_t i = 0; prefix && i < model->file_count; i++)
		if (span_is(model->files[i].prefix.span, prefix))
			return (uint32_t)i;
	return 0;
}

/* The gauge of active entities: a metric of a rule that no event matches. */
static void compile_in_flight(struct compiler *compiler, struct lifecycle *lifecycle, const struct lifecycle_model *model)
{
	struct arena *arena = compiler->mapping->arena;
	if (!model->in_flight.span.at)
		return;
	struct rule *rule = arena_alloc(arena, sizeof(*rule));
	struct metric *metric = arena_alloc(arena, sizeof(*metric));
	*rule = (struct rule){.file = file_with_prefix(compiler->model, model->prefix), .label = model->name.span,
	                      .metrics = metric, .metric_count = 1};
	*metric = (struct metric){.kind = METRIC_GAUGE, .rule = rule, .mark = model->in_flight.mark, .shares_tail = true,
	                          .value = {.is_constant = true, .constant = arena_copy(arena, SPAN("0"))}};
	compile_template(compiler, &metric->name, &model->in_flight, TEMPLATE_NAME);
	if (!metric->name.is_constant || metric->name.count == 0)
		problem_add(compiler->problems, model->in_flight.mark, "`in_flight` takes a metric's name without fields");
	lifecycle->in_flight = metric;
	lifecycle->in_flight_rule = rule;
}

static void compile_lifecycle(struct compiler *compiler, struct lifecycle *lifecycle, const struct lifecycle_model *model)
{
	struct mapping *mapping = compiler->mapping;
	lifecycle->name = arena_copy(mapping->arena, model->name.span);
	lifecycle->model = model;
	lifecycle->stuck_after_ms = model->stuck_after_ns / 1000000;
	compile_states(compiler, lifecycle, model);
	compile_enter(compiler, lifecycle, model);
	lifecycle->key = arena_array(mapping->arena, model->key.count, sizeof(*lifecycle->key));
	for (size_t i = 0; i < model->key.count; i++)
		lifecycle->key[lifecycle->key_count++] =
			compile_reference(compiler, model->key.items[i].span, model->key.items[i].mark);
	if (model->key.count == 0)
		problem_add(compiler->problems, model->mark, "the lifecycle `%.*s` has no `key`: nothing tells its entities apart",
		            SPAN_ARG(model->name.span));
	if (model->max_entities == 0 || model->max_entities > ENTITIES_MAX)
		problem_add(compiler->problems, model->mark, "`max_entities` is 1 to %d", ENTITIES_MAX);
	lifecycle->has_timestamp = model->timestamp.span.at != NULL;
	if (lifecycle->has_timestamp)
		lifecycle->timestamp = compile_reference(compiler, model->timestamp.span, model->timestamp.mark);
	lifecycle->has_duration = model->duration_field.span.at && model->duration_state.span.at;
	if (lifecycle->has_duration) {
		lifecycle->duration_field = compile_reference(compiler, model->duration_field.span, model->duration_field.mark).index;
		lifecycle->duration_state = need_state(compiler, lifecycle, &model->duration_state);
	}
	compile_in_flight(compiler, lifecycle, model);
}

void compile_lifecycles(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const struct model *model = compiler->model;
	static const struct mark nowhere = {"", 0, 0};
	if (model->lifecycle_count > LIFECYCLES_MAX) {
		problem_add(compiler->problems, model->lifecycles[LIFECYCLES_MAX].mark, "%d lifecycles at most", LIFECYCLES_MAX);
		return;
	}
	mapping->lifecycles = arena_array(mapping->arena, model->lifecycle_count, sizeof(*mapping->lifecycles));
	mapping->lifecycle_count = (uint16_t)model->lifecycle_count;
	for (size_t i = 0; i < model->lifecycle_count; i++)
		compile_lifecycle(compiler, &mapping->lifecycles[i], &model->lifecycles[i]);
	if (model->lifecycle_count == 0)
		return;
	/* The fields of the events that lifecycles make. */
	static const struct span names[DERIVED_COUNT] = {
		[DERIVED_LIFECYCLE] = {"lifecycle", 9}, [DERIVED_ENTITY] = {"entity", 6}, [DERIVED_FROM] = {"from", 4},
		[DERIVED_TO] = {"to", 2},               [DERIVED_STATE] = {"state", 5},
	};
	for (int i = 0; i < DERIVED_COUNT; i++) {
		const uint16_t payload = compile_payload(compiler, names[i], nowhere); /* may move mapping->payload */
		mapping->derived[i] = mapping->payload[payload].literal[0];
	}
}
