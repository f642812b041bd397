/* Lifecycles: state machines over the events of one entity. The event is the truth: what it says is taken, what is not in the
 * transitions is reported. Compiled once with the mapping; who is in which state stands in a table (map/entities.h) that outlives
 * a reload where the lifecycle stays the same. */
#ifndef STATSIDECAR_MAP_LIFECYCLE_H
#define STATSIDECAR_MAP_LIFECYCLE_H

#include "map/entities.h"
#include "map/mapping.h"
#include "map/subject.h"

enum { STATE_NONE = 0xFF };

struct lifecycle {
	struct span name;
	const struct lifecycle_model *model;
	struct span states[ENTITY_STATES_MAX];
	uint8_t state_count;
	uint32_t legal[ENTITY_STATES_MAX]; /* by state left: one bit a state that may be entered */
	uint32_t active;
	uint32_t final;
	struct pattern *enter; /* what moves an entity, and to which state */
	uint8_t *enter_state;
	uint16_t enter_count;
	struct reference *key;
	uint16_t key_count;
	bool has_duration;
	uint16_t duration_field; /* a standard field */
	uint8_t duration_state;
	bool has_timestamp;
	struct reference timestamp;
	struct metric *in_flight; /* NULL: none */
	struct rule *in_flight_rule;
	int64_t stuck_after_ms; /* 0: off */
};

/* What an event did to one entity. */
struct lifecycle_move {
	const struct lifecycle *lifecycle;
	uint8_t from; /* STATE_NONE: seen for the first time */
	uint8_t to;
	bool is_transition;   /* not a repeat of the present state */
	bool is_illegal;
	bool changes_flight;  /* the number of active entities is another now */
	bool has_duration;
	int64_t duration_ms;  /* in the state left, rounded half up */
	char entity[ENTITY_TEXT_MAX];
	size_t entity_len;
};

/* Which state event enters, STATE_NONE where it moves nothing. For plans: worked out once an identifier. */
uint8_t lifecycle_enters(const struct lifecycle *lifecycle, struct span event);

struct entities_settings lifecycle_settings(const struct lifecycle *lifecycle);

/* Moves the subject's entity into state; false where a key is missing. */
bool lifecycle_move(const struct lifecycle *lifecycle, struct entities *entities, struct subject *subject, uint8_t state,
                    int64_t now_ms, struct lifecycle_move *move);

/* Whether two configurations mean the same lifecycle, so that its entities may go on. */
bool lifecycle_is_same(const struct lifecycle *a, const struct lifecycle *b);

/* The entities that are active. */
uint32_t lifecycle_in_flight(const struct lifecycle *lifecycle, const struct entities *entities);

/* An entity that has been active for stuck_after and was not reported in this stay: marks it, and says which. From *at on (0
 * first); false where none is left. */
bool lifecycle_next_stuck(const struct lifecycle *lifecycle, struct entities *entities, uint32_t *at, int64_t now_ms,
                          struct span *entity, uint8_t *state);
/* Milliseconds until an entity that has just entered state may have to be told of or forgotten. */
int64_t lifecycle_wait_ms(const struct lifecycle *lifecycle, uint8_t state);
/* Milliseconds until the next one may have to be reported; INT64_MAX where nobody is active. A walk over the table. */
int64_t lifecycle_stuck_due(const struct lifecycle *lifecycle, const struct entities *entities, int64_t now_ms);

#endif
