#include "map/entities.h"

#include <stdlib.h>

#include "base/bounds.h"

/* 28 bytes; the fields are as wide as their words say:
 *
 *     received   35 bits of ms: who has been in a state for less than a year is told right, however long the table lives
 *     event      52 bits of us since 1970: until 2112
 *     last       19 bits of ticks, a tick being a 2^16th of linger or expire, whichever holds: told apart over eight of them
 */
struct record {
	uint64_t hash;
	uint64_t received : 35, before : 24, state : 5;
	uint64_t event : 52, last_low : 12;
	uint32_t after : 24, last_high : 7, is_reported : 1;
} __attribute__((packed, aligned(4)));

_Static_assert(sizeof(struct record) == 28, "a record and its share of the index are 32 bytes");

enum {
	TICK_BITS = 19,
	TICK_LOW_BITS = 12,
	SLOT_SIZE = 3,
	LIST_EXPIRING = 0,
	LIST_LINGERING = 1,
	LIST_COUNT = 2,
};

static const uint64_t received_mask = (UINT64_C(1) << 35) - 1;
static const uint64_t event_none = (UINT64_C(1) << 52) - 1;

struct list {
	uint32_t first; /* most recently changed */
	uint32_t last;
	int64_t timeout_ms;
	int64_t tick_ms;
};

struct entities {
	struct entities_settings settings;
	struct record *records;
	unsigned char *slots;
	char *texts;
	unsigned char *text_lens;
	uint32_t slot_count;
	uint32_t free;       /* records given back, linked by `after` */
	uint32_t used;       /* records that were ever taken */
	struct list lists[LIST_COUNT];
	int64_t begin_ms;
	uint32_t counts[ENTITY_STATES_MAX + 1];
	uint64_t evicted;
	uint64_t expired;
};

/* 4/3 an entity, less what the struct itself takes, so that the whole table is 32 bytes an entity. A few entities, whose index that
 * would leave too full, keep theirs. */
static uint32_t slots_for(uint32_t max)
{
	const uint32_t full = max + max / 3 + 2;
	const uint32_t head = sizeof(struct entities) / SLOT_SIZE + 3;
	return full > head + max + max / 4 ? full - head : full;
}

size_t entities_memory(const struct entities_settings *settings)
{
	const size_t text = settings->keeps_text ? ENTITY_TEXT_MAX + 1 : 0;
	return sizeof(struct entities) + settings->max * (sizeof(struct record) + text) +
	       (size_t)slots_for(settings->max) * SLOT_SIZE + 1;
}

struct entities *entities_new(const struct entities_settings *settings, int64_t now_ms)
{
	struct entities *entities = calloc(1, sizeof(*entities));
	if (!entities)
		return NULL;
	entities->settings = *settings;
	entities->slot_count = slots_for(settings->max);
	entities->free = ENTITY_NONE;
	entities->begin_ms = now_ms;
	for (int i = 0; i < LIST_COUNT; i++) {
		const int64_t timeout_ms = i == LIST_LINGERING ? settings->linger_ms : settings->expire_ms;
		entities->lists[i] = (struct list){ENTITY_NONE, ENTITY_NONE, timeout_ms, timeout_ms / (1 << 16) + 1};
	}
	entities->records = calloc(settings->max, sizeof(*entities->records));
	/* One byte more: slots are read and written as words of four. */
	entities->slots = malloc((size_t)entities->slot_count * SLOT_SIZE + 1);
	if (settings->keeps_text) {
		entities->texts = malloc((size_t)settings->max * ENTITY_TEXT_MAX + SCAN_PAD);
		entities->text_lens = calloc(settings->max, 1);
	}
	if (entities->records && entities->slots && (!settings->keeps_text || (entities->texts && entities->text_lens))) {
		memset(entities->slots, 0xFF, (size_t)entities->slot_count * SLOT_SIZE + 1);
		return entities;
	}
	entities_free(entities);
	return NULL;
}

void entities_free(struct entities *entities)
{
	if (!entities)
		return;
	free(entities->records);
	free(entities->slots);
	free(entities->texts);
	free(entities->text_lens);
	free(entities);
}

/* ---- index ---- */

static uint32_t slot_get(const struct entities *entities, uint32_t slot)
{
	const unsigned char *at = entities->slots + (size_t)slot * SLOT_SIZE;
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static void slot_set(struct entities *entities, uint32_t slot, uint32_t record)
{
	unsigned char *at = entities->slots + (size_t)slot * SLOT_SIZE;
	at[0] = (unsigned char)record;
	at[1] = (unsigned char)(record >> 8);
	at[2] = (unsigned char)(record >> 16);
}

static uint32_t slot_home(const struct entities *entities, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * entities->slot_count >> 32);
}

static uint32_t slot_after(const struct entities *entities, uint32_t slot)
{
	return slot + 1 == entities->slot_count ? 0 : slot + 1;
}

static uint32_t slot_of(const struct entities *entities, uint64_t hash)
{
	uint32_t slot = slot_home(entities, hash);
	for (;; slot = slot_after(entities, slot)) {
		const uint32_t record = slot_get(entities, slot);
		if (record == ENTITY_NONE || entities->records[record].hash == hash)
			return slot;
	}
}

/* Whether home lies cyclically in (from, to]: then what stands at `to` must stay. */
static bool is_between(uint32_t from, uint32_t home, uint32_t to)
{
	return from <= to ? from < home && home <= to : from < home || home <= to;
}

/* Empties a slot and moves those behind it that would no longer be found. */
static void slot_clear(struct entities *entities, uint32_t slot)
{
	uint32_t next = slot;
	for (;;) {
		next = slot_after(entities, next);
		const uint32_t record = slot_get(entities, next);
		if (record == ENTITY_NONE)
			break;
		if (is_between(slot, slot_home(entities, entities->records[record].hash), next))
			continue;
		slot_set(entities, slot, record);
		slot = next;
	}
	slot_set(entities, slot, ENTITY_NONE);
}

uint32_t entities_find(const struct entities *entities, uint64_t hash)
{
	return slot_get(entities, slot_of(entities, hash));
}

/* ---- lists ---- */

static int list_of(const struct entities *entities, uint8_t state)
{
	return entities->settings.final >> state & 1 ? LIST_LINGERING : LIST_EXPIRING;
}

static void unlink_record(struct entities *entities, uint32_t index)
{
	struct record *record = &entities->records[index];
	struct list *list = &entities->lists[list_of(entities, (uint8_t)record->state)];
	if (record->before == ENTITY_NONE)
		list->first = record->after;
	else
		entities->records[record->before].after = record->after & 0xFFFFFF;
	if (record->after == ENTITY_NONE)
		list->last = record->before;
	else
		entities->records[record->after].before = record->before & 0xFFFFFF;
}

static void link_first(struct entities *entities, uint32_t index)
{
	struct record *record = &entities->records[index];
	struct list *list = &entities->lists[list_of(entities, (uint8_t)record->state)];
	record->before = ENTITY_NONE;
	record->after = list->first & 0xFFFFFF;
	if (list->first == ENTITY_NONE)
		list->last = index;
	else
		entities->records[list->first].before = index & 0xFFFFFF;
	list->first = index;
}

static uint32_t ticks(const struct entities *entities, const struct list *list, int64_t now_ms)
{
	return (uint32_t)((now_ms - entities->begin_ms) / list->tick_ms) & ((1u << TICK_BITS) - 1);
}

/* Milliseconds since a record's last event. */
static int64_t record_age(const struct entities *entities, const struct record *record, int64_t now_ms)
{
	const struct list *list = &entities->lists[list_of(entities, (uint8_t)record->state)];
	const uint32_t last = (uint32_t)record->last_low | (uint32_t)record->last_high << TICK_LOW_BITS;
	return (int64_t)((ticks(entities, list, now_ms) - last) & ((1u << TICK_BITS) - 1)) * list->tick_ms;
}

static void write_record(struct entities *entities, uint32_t index, const struct entity *entity, int64_t now_ms)
{
	struct record *record = &entities->records[index];
	const uint32_t last = ticks(entities, &entities->lists[list_of(entities, entity->state)], now_ms);
	const bool has_event = entity->has_event_time && entity->event_us >= 0 && entity->event_us < (int64_t)event_none;
	record->received = (uint64_t)(entity->received_ms - entities->begin_ms) & received_mask;
	record->event = (has_event ? (uint64_t)entity->event_us : event_none) & event_none;
	record->is_reported = entity->is_reported;
	record->state = entity->state & 31u;
	record->last_low = last & ((1u << TICK_LOW_BITS) - 1);
	record->last_high = last >> TICK_LOW_BITS & ((1u << (TICK_BITS - TICK_LOW_BITS)) - 1);
}

/* ---- records ---- */

struct entity entities_get(const struct entities *entities, uint32_t index, int64_t now_ms)
{
	const struct record *record = &entities->records[index];
	const uint64_t age_ms = ((uint64_t)(now_ms - entities->begin_ms) - record->received) & received_mask;
	return (struct entity){
		.state = (uint8_t)record->state,
		.has_event_time = record->event != event_none,
		.is_reported = record->is_reported,
		.event_us = (int64_t)record->event,
		.received_ms = now_ms - (int64_t)age_ms,
	};
}

void entities_remove(struct entities *entities, uint32_t index)
{
	struct record *record = &entities->records[index];
	unlink_record(entities, index);
	slot_clear(entities, slot_of(entities, record->hash));
	entities->counts[record->state]--;
	record->after = entities->free & 0xFFFFFF;
	record->state = ENTITY_STATES_MAX; /* in no list */
	record->is_reported = 1;
	record->hash = 0;
	entities->free = index;
}

/* The same to the millisecond, where the last event was the one that gave the state: a year's ticks last minutes, and the two lists
 * have other ones. */
static int64_t change_age(const struct entities *entities, uint32_t index, int64_t now_ms)
{
	const struct record *record = &entities->records[index];
	const int64_t age_ms = record_age(entities, record, now_ms);
	const int64_t entered_ms = now_ms - entities_get(entities, index, now_ms).received_ms;
	return entered_ms < age_ms + entities->lists[list_of(entities, (uint8_t)record->state)].tick_ms ? entered_ms : age_ms;
}

static void evict(struct entities *entities, int64_t now_ms)
{
	const uint32_t expiring = entities->lists[LIST_EXPIRING].last;
	const uint32_t lingering = entities->lists[LIST_LINGERING].last;
	uint32_t oldest = expiring;
	if (oldest == ENTITY_NONE ||
	    (lingering != ENTITY_NONE && change_age(entities, lingering, now_ms) > change_age(entities, expiring, now_ms)))
		oldest = lingering;
	entities_remove(entities, oldest);
	entities->evicted++;
}

static uint32_t take_record(struct entities *entities, int64_t now_ms)
{
	if (entities->free == ENTITY_NONE && entities->used == entities->settings.max)
		evict(entities, now_ms);
	if (entities->free == ENTITY_NONE)
		return entities->used++;
	const uint32_t index = entities->free;
	entities->free = entities->records[index].after;
	return index;
}

uint32_t entities_add(struct entities *entities, uint64_t hash, const struct entity *entity, struct span text, int64_t now_ms)
{
	const uint32_t index = take_record(entities, now_ms);
	slot_set(entities, slot_of(entities, hash), index);
	entities->records[index].hash = hash;
	write_record(entities, index, entity, now_ms);
	link_first(entities, index);
	entities->counts[entity->state]++;
	if (entities->texts) {
		text = span_cut(text, ENTITY_TEXT_MAX);
		memcpy(entities->texts + (size_t)index * ENTITY_TEXT_MAX, text.at, text.len);
		entities->text_lens[index] = (unsigned char)text.len;
	}
	return index;
}

void entities_set(struct entities *entities, uint32_t index, const struct entity *entity, int64_t now_ms)
{
	unlink_record(entities, index);
	entities->counts[entities->records[index].state]--;
	write_record(entities, index, entity, now_ms);
	entities->counts[entity->state]++;
	link_first(entities, index);
}

void entities_mark_reported(struct entities *entities, uint32_t index)
{
	entities->records[index].is_reported = 1;
}

struct span entities_text(const struct entities *entities, uint32_t record)
{
	if (!entities->texts)
		return (struct span){"", 0};
	return (struct span){entities->texts + (size_t)record * ENTITY_TEXT_MAX, entities->text_lens[record]};
}

void entities_expire(struct entities *entities, int64_t now_ms)
{
	for (int i = 0; i < LIST_COUNT; i++) {
		struct list *list = &entities->lists[i];
		while (list->last != ENTITY_NONE &&
		       record_age(entities, &entities->records[list->last], now_ms) >= list->timeout_ms) {
			entities_remove(entities, list->last);
			entities->expired += i == LIST_EXPIRING;
		}
	}
}

int64_t entities_due(const struct entities *entities, int64_t now_ms)
{
	int64_t due = INT64_MAX;
	for (int i = 0; i < LIST_COUNT; i++) {
		const struct list *list = &entities->lists[i];
		if (list->last == ENTITY_NONE)
			continue;
		const int64_t left = list->timeout_ms - record_age(entities, &entities->records[list->last], now_ms);
		const int64_t at_least = left > list->tick_ms ? left : list->tick_ms;
		due = at_least < due ? at_least : due;
	}
	return due;
}

uint32_t entities_count(const struct entities *entities, uint8_t state)
{
	return entities->counts[state];
}

uint64_t entities_evicted(const struct entities *entities)
{
	return entities->evicted;
}

uint64_t entities_expired(const struct entities *entities)
{
	return entities->expired;
}

void entities_count_on(struct entities *entities, const struct entities *before)
{
	entities->evicted += before->evicted;
	entities->expired += before->expired;
}

uint32_t entities_next(const struct entities *entities, uint32_t *at)
{
	while (*at < entities->used) {
		const uint32_t index = (*at)++;
		if (entities->records[index].state != ENTITY_STATES_MAX)
			return index;
	}
	return ENTITY_NONE;
}
