#include "map/lifecycle.h"

#include "base/timestamp.h"

uint8_t lifecycle_enters(const struct lifecycle *lifecycle, struct span event)
{
	for (uint16_t i = 0; i < lifecycle->enter_count; i++)
		if (pattern_match(&lifecycle->enter[i], event, NULL))
			return lifecycle->enter_state[i];
	return STATE_NONE;
}

struct entities_settings lifecycle_settings(const struct lifecycle *lifecycle)
{
	return (struct entities_settings){
		.max = lifecycle->model->max_entities,
		.linger_ms = lifecycle->model->linger_ns / 1000000,
		.expire_ms = lifecycle->model->expire_ns / 1000000,
		.keeps_text = lifecycle->stuck_after_ms != 0,
		.state_count = lifecycle->state_count,
		.final = lifecycle->final,
	};
}

/* The key's values joined by `/` for people, and a hash in which their lengths count too: `a/b`, `c` is not `a`, `b/c`. */
static bool take_key(const struct lifecycle *lifecycle, struct subject *subject, struct lifecycle_move *move, uint64_t *hash)
{
	const struct hash_key *key = &subject->mapping->hash_key;
	*hash = 0;
	move->entity_len = 0;
	for (uint16_t i = 0; i < lifecycle->key_count; i++) {
		struct span text;
		if (!subject_text(subject, lifecycle->key[i], &text) || text.len == 0)
			return false;
		struct hash_key mixed = {key->k0 ^ *hash, key->k1 + i};
		*hash = hash_span(&mixed, text);
		if (i && move->entity_len < ENTITY_TEXT_MAX)
			move->entity[move->entity_len++] = '/';
		const struct span part = span_cut(text, ENTITY_TEXT_MAX - move->entity_len);
		memcpy(move->entity + move->entity_len, part.at, part.len);
		move->entity_len += part.len;
	}
	return true;
}

/* When the event says that it happened. */
static bool take_time(const struct lifecycle *lifecycle, struct subject *subject, int64_t *us)
{
	struct span text;
	struct timestamp time;
	if (!lifecycle->has_timestamp || !subject_text(subject, lifecycle->timestamp, &text) || timestamp_parse(&time, text))
		return false;
	*us = time.seconds * 1000000 + time.ns / 1000;
	return true;
}

/* From the events' own times where both have one, else from receive times; what is negative is no duration. */
static void take_duration(struct lifecycle_move *move, const struct entity *left, const struct entity *entered)
{
	if (left->has_event_time && entered->has_event_time) {
		move->has_duration = entered->event_us >= left->event_us;
		move->duration_ms = (entered->event_us - left->event_us + 500) / 1000;
	} else {
		move->has_duration = entered->received_ms >= left->received_ms;
		move->duration_ms = entered->received_ms - left->received_ms;
	}
}

static void first_move(struct entities *entities, uint64_t hash, const struct entity *entered, int64_t now_ms,
                       struct lifecycle_move *move)
{
	move->from = STATE_NONE;
	move->is_transition = true;
	entities_add(entities, hash, entered, (struct span){move->entity, move->entity_len}, now_ms);
}

static void next_move(const struct lifecycle *lifecycle, struct entities *entities, uint32_t record, struct entity *entered,
                      int64_t now_ms, struct lifecycle_move *move)
{
	const struct entity left = entities_get(entities, record, now_ms);
	move->from = left.state;
	if (left.state == entered->state) {
		/* A repeat keeps the entry time, and is no transition. */
		entities_set(entities, record, &left, now_ms);
		return;
	}
	move->is_transition = true;
	move->is_illegal = !(lifecycle->legal[left.state] >> entered->state & 1);
	take_duration(move, &left, entered);
	entities_set(entities, record, entered, now_ms);
}

bool lifecycle_move(const struct lifecycle *lifecycle, struct entities *entities, struct subject *subject, uint8_t state,
                    int64_t now_ms, struct lifecycle_move *move)
{
	uint64_t hash;
	struct entity entered = {.state = state, .received_ms = now_ms};
	const uint32_t flight = lifecycle->in_flight ? lifecycle_in_flight(lifecycle, entities) : 0;
	move->lifecycle = lifecycle;
	move->to = state;
	move->is_transition = move->is_illegal = move->has_duration = false;
	if (!take_key(lifecycle, subject, move, &hash))
		return false;
	entered.has_event_time = take_time(lifecycle, subject, &entered.event_us);
	entities_expire(entities, now_ms);
	const uint32_t record = entities_find(entities, hash);
	if (record == ENTITY_NONE)
		first_move(entities, hash, &entered, now_ms, move);
	else
		next_move(lifecycle, entities, record, &entered, now_ms, move);
	/* By this one, by those that expired, or by one that made room for this one. */
	move->changes_flight = lifecycle->in_flight && flight != lifecycle_in_flight(lifecycle, entities);
	return true;
}

uint32_t lifecycle_in_flight(const struct lifecycle *lifecycle, const struct entities *entities)
{
	uint32_t count = 0;
	for (uint8_t state = 0; state < lifecycle->state_count; state++)
		if (lifecycle->active >> state & 1)
			count += entities_count(entities, state);
	return count;
}

bool lifecycle_next_stuck(const struct lifecycle *lifecycle, struct entities *entities, uint32_t *at, int64_t now_ms,
                          struct span *entity, uint8_t *state)
{
	uint32_t record;
	while ((record = entities_next(entities, at)) != ENTITY_NONE) {
		const struct entity found = entities_get(entities, record, now_ms);
		if (found.is_reported || !(lifecycle->active >> found.state & 1) ||
		    now_ms - found.received_ms < lifecycle->stuck_after_ms)
			continue;
		entities_mark_reported(entities, record);
		*entity = entities_text(entities, record);
		*state = found.state;
		return true;
	}
	return false;
}

int64_t lifecycle_stuck_due(const struct lifecycle *lifecycle, const struct entities *entities, int64_t now_ms)
{
	int64_t due = INT64_MAX;
	uint32_t at = 0;
	uint32_t record;
	while ((record = entities_next(entities, &at)) != ENTITY_NONE) {
		const struct entity found = entities_get(entities, record, now_ms);
		const int64_t left = found.received_ms + lifecycle->stuck_after_ms - now_ms;
		if (!found.is_reported && (lifecycle->active >> found.state & 1) && left < due)
			due = left;
	}
	return due;
}

int64_t lifecycle_wait_ms(const struct lifecycle *lifecycle, uint8_t state)
{
	const struct entities_settings settings = lifecycle_settings(lifecycle);
	int64_t wait = settings.final >> state & 1 ? settings.linger_ms : settings.expire_ms;
	if ((lifecycle->active >> state & 1) && settings.keeps_text && lifecycle->stuck_after_ms < wait)
		wait = lifecycle->stuck_after_ms;
	return wait > 1 ? wait : 1;
}

static bool is_same_text(const struct text *a, const struct text *b)
{
	return span_equal(a->span, b->span);
}

static bool are_same_texts(const struct texts *a, const struct texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_text(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool are_same_moves(const struct lifecycle *a, const struct lifecycle *b)
{
	if (a->enter_count != b->enter_count)
		return false;
	for (uint16_t i = 0; i < a->enter_count; i++)
		if (!span_equal(a->enter[i].text, b->enter[i].text) || a->enter_state[i] != b->enter_state[i])
			return false;
	for (uint8_t i = 0; i < a->state_count; i++)
		if (!span_equal(a->states[i], b->states[i]) || a->legal[i] != b->legal[i])
			return false;
	return true;
}

bool lifecycle_is_same(const struct lifecycle *a, const struct lifecycle *b)
{
	return a->state_count == b->state_count && a->active == b->active && a->final == b->final &&
	       a->stuck_after_ms == b->stuck_after_ms && a->model->max_entities == b->model->max_entities &&
	       a->model->linger_ns == b->model->linger_ns && a->model->expire_ns == b->model->expire_ns &&
	       are_same_texts(&a->model->key, &b->model->key) && is_same_text(&a->model->timestamp, &b->model->timestamp) &&
	       is_same_text(&a->model->duration_field, &b->model->duration_field) && are_same_moves(a, b);
}
