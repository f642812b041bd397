/* The entities of one lifecycle: who is in which state since when, in memory that is set aside once and never grows.
 *
 *     record   28 bytes: 64-bit hash of the key, state, entry by the events' clock and by ours, two links, last event
 *     index     4 bytes: 4/3 slots of 3 bytes an entity, linear probing
 *
 * Two lists keep the records in the order of their last event: those that expire, and those in a final state, which linger. The
 * least recently changed of both is evicted where a new one finds no room. */
#ifndef STATSIDECAR_MAP_ENTITIES_H
#define STATSIDECAR_MAP_ENTITIES_H

#include <stdint.h>

#include "base/span.h"

enum {
	ENTITIES_MAX = (1 << 24) - 2, /* links are 24 bits wide */
	ENTITY_STATES_MAX = 31,       /* and the state 5 */
	ENTITY_TEXT_MAX = 200,        /* of a key's text, where it is kept */
};

#define ENTITY_NONE UINT32_C(0xFFFFFF)

/* What is known of one entity, unpacked. */
struct entity {
	uint8_t state;
	bool has_event_time;
	bool is_reported;   /* as stuck, in this stay */
	int64_t event_us;    /* when it entered the state, by the events' own time */
	int64_t received_ms; /* by ours */
};

struct entities;

struct entities_settings {
	uint32_t max;
	int64_t linger_ms;
	int64_t expire_ms;
	bool keeps_text;
	uint8_t state_count;
	uint32_t final; /* one bit a state */
};

/* NULL without memory. Times are milliseconds that never run backwards. */
struct entities *entities_new(const struct entities_settings *settings, int64_t now_ms);
void entities_free(struct entities *entities);
/* Bytes that a table of these settings takes. */
size_t entities_memory(const struct entities_settings *settings);

/* The record of a key, or ENTITY_NONE. */
uint32_t entities_find(const struct entities *entities, uint64_t hash);
struct entity entities_get(const struct entities *entities, uint32_t record, int64_t now_ms);
/* A new record in this state; the least recently changed is evicted where there is no room. */
uint32_t entities_add(struct entities *entities, uint64_t hash, const struct entity *entity, struct span text, int64_t now_ms);
/* Writes the entity and makes its record the most recently changed. */
void entities_set(struct entities *entities, uint32_t record, const struct entity *entity, int64_t now_ms);
/* It has been told of as stuck: until its next state. */
void entities_mark_reported(struct entities *entities, uint32_t record);
void entities_remove(struct entities *entities, uint32_t record);
/* The key's text: empty where it is not kept. */
struct span entities_text(const struct entities *entities, uint32_t record);

/* Forgets who lingered or waited long enough. */
void entities_expire(struct entities *entities, int64_t now_ms);
/* Milliseconds until that is due next; INT64_MAX where nobody is there. */
int64_t entities_due(const struct entities *entities, int64_t now_ms);

uint32_t entities_count(const struct entities *entities, uint8_t state);
uint64_t entities_evicted(const struct entities *entities);
uint64_t entities_expired(const struct entities *entities);
/* Goes on counting what was evicted and has expired where others stood, whose entities are not taken over. */
void entities_count_on(struct entities *entities, const struct entities *before);
/* All records in use, in no order: *at starts at 0; ENTITY_NONE behind the last. */
uint32_t entities_next(const struct entities *entities, uint32_t *at);

#endif
