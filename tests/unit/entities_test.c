#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "map/entities.h"
#include "rig.h"

Suite *entities_suite(void);

enum { STATES = 5, FINAL = 3 }; /* states 3 and 4 are final */

static const struct entities_settings settings = {.max = 50,
                                                  .linger_ms = 500,
                                                  .expire_ms = 2000,
                                                  .keeps_text = true,
                                                  .state_count = STATES,
                                                  .final = 1u << FINAL | 1u << 4};

/* ---- beside a table that is written down without a thought of memory ---- */

struct slow_entity {
	bool is_there;
	uint64_t hash;
	struct entity entity;
	int64_t last_ms;  /* event */
	uint64_t changed; /* the order of events */
	char text[32];
};

struct slow {
	struct slow_entity items[64];
	uint64_t clock;
	uint64_t evicted, expired;
};

static struct slow_entity *slow_find(struct slow *slow, uint64_t hash)
{
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++)
		if (slow->items[i].is_there && slow->items[i].hash == hash)
			return &slow->items[i];
	return NULL;
}

static unsigned slow_count(const struct slow *slow)
{
	unsigned count = 0;
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++)
		count += slow->items[i].is_there;
	return count;
}

static bool is_final(const struct slow_entity *item)
{
	return settings.final >> item->entity.state & 1;
}

static void slow_expire(struct slow *slow, int64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++) {
		struct slow_entity *item = &slow->items[i];
		if (!item->is_there ||
		    now_ms - item->last_ms < (is_final(item) ? settings.linger_ms : settings.expire_ms))
			continue;
		slow->expired += !is_final(item);
		item->is_there = false;
	}
}

/* The least recently changed; of the same moment one that expires before one that lingers. */
static void slow_evict(struct slow *slow)
{
	struct slow_entity *oldest = NULL;
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++) {
		struct slow_entity *item = &slow->items[i];
		if (!item->is_there)
			continue;
		if (!oldest || item->last_ms < oldest->last_ms ||
		    (item->last_ms == oldest->last_ms &&
		     (is_final(item) != is_final(oldest) ? !is_final(item) : item->changed < oldest->changed)))
			oldest = item;
	}
	ck_assert_ptr_nonnull(oldest);
	oldest->is_there = false;
	slow->evicted++;
}

static void slow_add(struct slow *slow, uint64_t hash, const struct entity *entity, const char *text, int64_t now_ms)
{
	if (slow_count(slow) == settings.max)
		slow_evict(slow);
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++) {
		if (slow->items[i].is_there)
			continue;
		slow->items[i] = (struct slow_entity){true, hash, *entity, now_ms, slow->clock++, ""};
		strcpy(slow->items[i].text, text);
		return;
	}
}

static void compare(const struct entities *entities, struct slow *slow, int64_t now_ms, int round)
{
	uint32_t at = 0;
	uint32_t record;
	unsigned count = 0;
	unsigned counts[STATES] = {0};
	while ((record = entities_next(entities, &at)) != ENTITY_NONE)
		count++;
	if (count != slow_count(slow))
		ck_abort_msg("round %d: got %u entities, want %u", round, count, slow_count(slow));
	for (size_t i = 0; i < ARRAY_LEN(slow->items); i++) {
		const struct slow_entity *item = &slow->items[i];
		if (!item->is_there)
			continue;
		counts[item->entity.state]++;
		record = entities_find(entities, item->hash);
		if (record == ENTITY_NONE)
			ck_abort_msg("round %d: %s is missing", round, item->text);
		const struct entity got = entities_get(entities, record, now_ms);
		const struct entity *want = &item->entity;
		if (got.state != want->state || got.has_event_time != want->has_event_time ||
		    got.is_reported != want->is_reported || got.received_ms != want->received_ms ||
		    (want->has_event_time && got.event_us != want->event_us) ||
		    !span_is(entities_text(entities, record), item->text))
			ck_abort_msg("round %d: %s is another", round, item->text);
	}
	for (uint8_t state = 0; state < STATES; state++)
		if (entities_count(entities, state) != counts[state])
			ck_abort_msg("round %d: state %u: got %u, want %u", round, state,
			             entities_count(entities, state), counts[state]);
	if (entities_evicted(entities) != slow->evicted || entities_expired(entities) != slow->expired)
		ck_abort_msg("round %d: evicted %llu, expired %llu", round,
		             (unsigned long long)entities_evicted(entities),
		             (unsigned long long)entities_expired(entities));
}

/* Hashes that meet in few slots, and around the table's end. */
static uint64_t make_hash(uint64_t *seed)
{
	const uint64_t number = random_below(seed, 90);
	return number < 30 ? UINT64_MAX - number : number < 60 ? number : number * UINT64_C(0x9E3779B97F4A7C15);
}

START_TEST(like_a_simple_table)
{
	struct slow slow = {.clock = 0};
	uint64_t seed = (uint64_t)_i + 1;
	int64_t now_ms = 5000;
	struct entities *entities = entities_new(&settings, now_ms);
	for (int round = 0; round < 20000; round++) {
		const uint64_t hash = make_hash(&seed);
		now_ms += random_below(&seed, 4) ? 0 : random_below(&seed, _i % 2 ? 40 : 400);
		entities_expire(entities, now_ms);
		slow_expire(&slow, now_ms);
		struct entity entity = {.state = (uint8_t)random_below(&seed, STATES),
		                        .has_event_time = random_below(&seed, 2),
		                        .received_ms = now_ms};
		entity.event_us = entity.has_event_time ? INT64_C(1700000000000000) + random_below(&seed, 1000000) : 0;
		struct slow_entity *item = slow_find(&slow, hash);
		const uint32_t record = entities_find(entities, hash);
		if ((record == ENTITY_NONE) != (item == NULL))
			ck_abort_msg("round %d: %s", round, item ? "an entity is missing" : "an entity is too many");
		char text[32];
		snprintf(text, sizeof(text), "%llx", (unsigned long long)hash);
		if (!item) {
			entities_add(entities, hash, &entity, span_of(text), now_ms);
			slow_add(&slow, hash, &entity, text, now_ms);
		} else if (random_below(&seed, 10) == 0) {
			entities_remove(entities, record);
			item->is_there = false;
		} else if (random_below(&seed, 10) == 0) {
			entities_mark_reported(entities, record);
			item->entity.is_reported = true;
		} else {
			entities_set(entities, record, &entity, now_ms);
			item->entity = entity;
			item->last_ms = now_ms;
			item->changed = slow.clock++;
		}
		compare(entities, &slow, now_ms, round);
	}
	ck_assert(_i % 2 ? slow.evicted > 0 : slow.expired > 0);
	entities_free(entities);
}
END_TEST

/* ---- bounds ---- */

START_TEST(memory)
{
	const struct entities_settings plain = {.max = 8192, .linger_ms = 1, .expire_ms = 1, .state_count = 6};
	ck_assert_uint_le(entities_memory(&plain), 8192 * 32);
}
END_TEST

START_TEST(one_entity_at_most)
{
	const struct entities_settings one = {.max = 1, .linger_ms = 10, .expire_ms = 10, .state_count = 1};
	struct entities *entities = entities_new(&one, 0);
	const struct entity entity = {.state = 0};
	for (uint64_t hash = 1; hash < 100; hash++) {
		entities_add(entities, hash, &entity, SPAN("x"), 0);
		ck_assert_uint_ne(entities_find(entities, hash), ENTITY_NONE);
		ck_assert_uint_eq(entities_find(entities, hash - 1), ENTITY_NONE);
	}
	ck_assert_uint_eq(entities_evicted(entities), 98);
	ck_assert_uint_eq(entities_text(entities, entities_find(entities, 99)).len, 0);
	entities_free(entities);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	char text[300];
	memset(text, 'x', sizeof(text));
	struct entities *entities = entities_new(&settings, 0);
	const struct entity entity = {.state = 0};
	const uint32_t record = entities_add(entities, 1, &entity, (struct span){text, sizeof(text)}, 0);
	ck_assert_uint_eq(entities_text(entities, record).len, ENTITY_TEXT_MAX);
	entities_free(entities);
}
END_TEST

/* Neither too early nor too late by more than a 65536th of the time. */
START_TEST(due)
{
	static const struct {
		int64_t linger_ms, expire_ms;
	} times[] = {
		{500, 2000}, {0, 1000}, {INT64_C(300000), INT64_C(3600000)}, {INT64_C(1000), INT64_C(31536000000)}};
	const struct entities_settings timed = {.max = 4,
	                                        .linger_ms = times[_i].linger_ms,
	                                        .expire_ms = times[_i].expire_ms,
	                                        .state_count = 2,
	                                        .final = 2};
	struct entities *entities = entities_new(&timed, 1000);
	ck_assert_int_eq(entities_due(entities, 1000), INT64_MAX);
	for (uint8_t state = 0; state < 2; state++) {
		const int64_t timeout = state ? times[_i].linger_ms : times[_i].expire_ms;
		const int64_t slack = timeout / 65536 + 2;
		const struct entity entity = {.state = state};
		int64_t now_ms = 1000;
		entities_add(entities, state, &entity, SPAN("x"), now_ms);
		while (entities_find(entities, state) != ENTITY_NONE) {
			const int64_t wait = entities_due(entities, now_ms);
			ck_assert_int_gt(wait, 0);
			now_ms += wait;
			entities_expire(entities, now_ms);
		}
		ck_assert_msg(now_ms - 1000 >= timeout - slack && now_ms - 1000 <= timeout + 2 * slack,
		              "state %u: forgotten after %lld of %lld ms", state, (long long)(now_ms - 1000),
		              (long long)timeout);
	}
	entities_free(entities);
}
END_TEST

/* Fields are as wide as they must be: what does not fit is not cut to something else. */
START_TEST(times_far_away)
{
	static const int64_t none = -1, days_ms = 86400000;
	static const struct {
		int64_t us, want_us;
	} rows[] = {{0, 0}, {1714564800123456, 1714564800123456}, {4503599627370494, 4503599627370494}, {4503599627370495, none},
	            {253402300799999999, none}, {-1, none}};
	struct entities *entities = entities_new(&settings, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* In a table that is years old. */
		const int64_t now_ms = 3000 * days_ms + (int64_t)i;
		const struct entity entity = {.has_event_time = true, .event_us = rows[i].us, .received_ms = now_ms};
		const uint32_t record = entities_add(entities, i, &entity, SPAN("x"), now_ms);
		const struct entity got = entities_get(entities, record, now_ms + 360 * days_ms);
		ck_assert_int_eq(got.has_event_time ? got.event_us : none, rows[i].want_us);
		ck_assert_int_eq(got.received_ms, now_ms);
	}
	entities_free(entities);
}
END_TEST

Suite *entities_suite(void)
{
	Suite *suite = suite_create("entities");
	TCase *all = tcase_create("entities");
	tcase_add_loop_test(all, like_a_simple_table, 0, 4);
	tcase_add_test(all, memory);
	tcase_add_test(all, one_entity_at_most);
	tcase_add_test(all, long_texts_are_cut);
	tcase_add_loop_test(all, due, 0, 4);
	tcase_add_test(all, times_far_away);
	suite_add_tcase(suite, all);
	return suite;
}
