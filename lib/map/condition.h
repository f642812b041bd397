/* `attempt_number >= {retry_limit}` -> two sides and what is asked of them.
 *
 *     FIELD OP RIGHT      == != < <= > >= ~
 *     FIELD               is present
 *     not FIELD           is absent
 *
 * RIGHT in braces is a field, in single quotes a text, else a literal: a number where it reads as one. */
#ifndef STATSIDECAR_MAP_CONDITION_H
#define STATSIDECAR_MAP_CONDITION_H

#include "base/decimal.h"
#include "map/reference.h"

enum condition_operator {
	CONDITION_PRESENT,
	CONDITION_ABSENT,
	CONDITION_EQUAL,
	CONDITION_NOT_EQUAL,
	CONDITION_LESS,
	CONDITION_LESS_EQUAL,
	CONDITION_GREATER,
	CONDITION_GREATER_EQUAL,
	CONDITION_GLOB,
};

struct condition {
	uint8_t operator;
	bool right_is_field;
	bool right_is_number;
	struct reference left;
	struct reference right_field;
	struct span right;
	struct decimal right_number;
	struct span source; /* as written, for explain */
};

/* all of `all` must hold, and where `any` has some, one of them. */
struct conditions {
	struct condition *all;
	struct condition *any;
	uint16_t all_count;
	uint16_t any_count;
};

/* Takes `text` apart without looking its fields up: the caller turns *left and (where *is_field) *right into references. 0,
 * or -1 and *why. */
struct condition_text {
	enum condition_operator operator;
	struct span left;
	struct span right;
	bool right_is_field;
	bool right_is_quoted;
};
int condition_parse(struct condition_text *condition, struct span text, const char **why) __attribute__((warn_unused_result));

#endif
