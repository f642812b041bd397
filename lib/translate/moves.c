#include "translate/translator.h"

/* Read in whole vectors, as all identifiers are. */
static const char invalid_transition[SCAN_PAD] = "lifecycle.invalid_transition";
static const char lifecycle_stuck[SCAN_PAD] = "lifecycle.stuck";

static const struct tag_list no_tags;

static struct value text_value(struct span text)
{
	return (struct value){text.at, (uint32_t)text.len, VALUE_STRING, ESCAPES_NONE};
}

/* {state.from}, {state.to}, state.duration: what the first lifecycle that moved says. */
static void tell_subject(struct translator *translator, const struct lifecycle_move *move)
{
	struct subject *subject = &translator->subject;
	if (subject->state_to.len || !move->is_transition)
		return;
	subject->state_to = text_value(move->lifecycle->states[move->to]);
	if (move->from != STATE_NONE)
		subject->state_from = text_value(move->lifecycle->states[move->from]);
	if (!move->has_duration)
		return;
	const size_t len = timestamp_write_seconds(translator->state_duration, move->duration_ms);
	subject->state_duration = (struct value){translator->state_duration, (uint32_t)len, VALUE_NUMBER, ESCAPES_NONE};
}

/* The time in the state that was left, for the field that the lifecycle fills. */
static void fill_duration(struct subject *subject, const struct lifecycle_move *move)
{
	const struct lifecycle *lifecycle = move->lifecycle;
	if (!lifecycle->has_duration || !move->has_duration || move->from != lifecycle->duration_state)
		return;
	struct fill *fill = &subject->fills[subject->fill_count++];
	fill->field = lifecycle->duration_field;
	fill->len = (uint8_t)timestamp_write_seconds(fill->text, move->duration_ms);
}

void moves_begin(struct translator *translator, const struct plan *plan)
{
	const struct mapping *mapping = translator->mapping;
	const int64_t now_ms = translator->now.monotonic_ns / 1000000;
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		struct lifecycle_move *move = &translator->moves[translator->move_count];
		if (plan->enters[i] == STATE_NONE ||
		    !lifecycle_move(&mapping->lifecycles[i], translator->entities[i], &translator->subject, plan->enters[i], now_ms, move))
			continue;
		translator->move_count++;
		translator->accounts->lifecycles[i].invalid_transitions += move->is_illegal;
		if (move->is_transition && now_ms + lifecycle_wait_ms(move->lifecycle, move->to) < translator->timer_at_ms)
			translator->is_due_sooner = true;
	}
	/* The standard fields that the moves read (timestamp, keys) were worked out without what the moves fill. */
	for (uint16_t i = 0; i < translator->move_count; i++) {
		tell_subject(translator, &translator->moves[i]);
		fill_duration(&translator->subject, &translator->moves[i]);
	}
	if (translator->subject.fill_count)
		subject_forget(&translator->subject);
}

static void set_derived(struct translator *translator, enum derived field, struct span text)
{
	event_set(&translator->event, translator->mapping->derived[field], text_value(text));
}

static void begin_derived(struct translator *translator, const struct lifecycle *lifecycle, struct span entity)
{
	event_reset(&translator->event);
	set_derived(translator, DERIVED_LIFECYCLE, lifecycle->name);
	set_derived(translator, DERIVED_ENTITY, entity);
}

/* An event of our own: it goes through the rules, and is nobody's line. */
static void run_derived(struct translator *translator, struct span identifier)
{
	const struct trace *trace = translator->trace;
	struct plan *plan = plans_find(&translator->plans, identifier);
	subject_begin(&translator->subject, plan->identity.event, plan->variants);
	if (trace && trace->named)
		trace->named(trace->context, &plan->identity, plan->text, &translator->subject);
	const enum outcome outcome = make_metrics(translator, plan);
	if (trace && trace->done)
		trace->done(trace->context, outcome, translator->input, (struct span){NULL, 0});
}

/* It counts what came by any input, and is one series, whichever the event is of that changes it, or was before the timer. */
static void make_in_flight(struct translator *translator, size_t index)
{
	const struct tag_list *const input_tags = translator->renderer.input_tags;
	translator->owed_gauges &= (uint16_t)~(1U << index);
	translator->renderer.input_tags = &no_tags;
	subject_forget(&translator->subject); /* and the tags that were written with the input's */
	make_gauge(translator, &translator->in_flight[index],
	           lifecycle_in_flight(&translator->mapping->lifecycles[index], translator->entities[index]));
	translator->renderer.input_tags = input_tags;
}

void moves_make_gauges(struct translator *translator)
{
	for (uint16_t i = 0; i < translator->move_count; i++) {
		const struct lifecycle_move *move = &translator->moves[i];
		const struct lifecycle *lifecycle = move->lifecycle;
		const size_t index = (size_t)(lifecycle - translator->mapping->lifecycles);
		if (lifecycle->in_flight && move->changes_flight)
			make_in_flight(translator, index);
	}
}

void moves_end(struct translator *translator)
{
	const uint16_t count = translator->move_count;
	translator->move_count = 0;
	for (uint16_t i = 0; i < count; i++) {
		const struct lifecycle_move *move = &translator->moves[i];
		const struct lifecycle *lifecycle = move->lifecycle;
		if (!move->is_illegal)
			continue;
		begin_derived(translator, lifecycle, (struct span){move->entity, move->entity_len});
		set_derived(translator, DERIVED_FROM, lifecycle->states[move->from]);
		set_derived(translator, DERIVED_TO, lifecycle->states[move->to]);
		run_derived(translator, span_of(invalid_transition));
	}
}

static void report_stuck(struct translator *translator, const struct lifecycle *lifecycle, struct entities *entities)
{
	const int64_t now_ms = translator->now.monotonic_ns / 1000000;
	uint32_t at = 0;
	struct span entity;
	uint8_t state;
	while (lifecycle_next_stuck(lifecycle, entities, &at, now_ms, &entity, &state)) {
		translator->renderer.input_tags = &no_tags;
		begin_derived(translator, lifecycle, entity);
		set_derived(translator, DERIVED_STATE, lifecycle->states[state]);
		run_derived(translator, span_of(lifecycle_stuck));
	}
}

void translator_run_timers(struct translator *translator)
{
	const struct mapping *mapping = translator->mapping;
	const int64_t now_ms = translator->now.monotonic_ns / 1000000;
	translator->may_overfill = false;
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct lifecycle *lifecycle = &mapping->lifecycles[i];
		const uint32_t flight = lifecycle_in_flight(lifecycle, translator->entities[i]);
		if (lifecycle->stuck_after_ms)
			report_stuck(translator, lifecycle, translator->entities[i]);
		entities_expire(translator->entities[i], now_ms);
		if ((translator->owed_gauges >> i & 1) != 0 ||
		    (lifecycle->in_flight && flight != lifecycle_in_flight(lifecycle, translator->entities[i])))
			make_in_flight(translator, i);
	}
}

void translator_refresh(struct translator *translator)
{
	for (uint16_t i = 0; i < translator->mapping->lifecycle_count; i++) {
		const struct entities *entities = translator->entities[i];
		struct lifecycle_accounts *account = &translator->accounts->lifecycles[i];
		for (uint8_t state = 0; state < translator->mapping->lifecycles[i].state_count; state++)
			account->entities[state] = entities_count(entities, state);
		account->evicted = entities_evicted(entities);
		account->expired = entities_expired(entities);
	}
}

bool translator_is_due_sooner(const struct translator *translator)
{
	return translator->is_due_sooner;
}

int64_t translator_timer_ms(struct translator *translator)
{
	const struct mapping *mapping = translator->mapping;
	const int64_t now_ms = translator->now.monotonic_ns / 1000000;
	int64_t due = translator->owed_gauges ? 0 : INT64_MAX;
	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct lifecycle *lifecycle = &mapping->lifecycles[i];
		const int64_t expiry = entities_due(translator->entities[i], now_ms);
		due = expiry < due ? expiry : due;
		if (!lifecycle->stuck_after_ms)
			continue;
		const int64_t stuck = lifecycle_stuck_due(lifecycle, translator->entities[i], now_ms);
		due = stuck < due ? stuck : due;
	}
	translator->is_due_sooner = false;
	translator->timer_at_ms = INT64_MAX;
	if (due == INT64_MAX)
		return -1;
	due = due > 1 ? due : 1;
	translator->timer_at_ms = now_ms + due;
	return due;
}
