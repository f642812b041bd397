/* A configuration without what its machine adds: one output that speaks DogStatsD, without prefix, filter, tags and origin,
 * and one input without tags. What rules make there depends on the rules alone: for tests and comparisons. */
#ifndef STATSIDECAR_EXPLAIN_PLAIN_H
#define STATSIDECAR_EXPLAIN_PLAIN_H

#include "map/mapping.h"

struct plain {
	struct model model; /* borrows all else from the configuration's model */
	struct input_model input;
	struct output_model output;
	struct mapping *mapping;
};

/* The cardinality guards as configured, or so wide that what one rule makes does not depend on what others made before. */
enum plain_guards { PLAIN_GUARDS_CONFIGURED, PLAIN_GUARDS_WIDE };

/* 0, or -1 with problems added. plain must not move, and model must outlive it. */
int plain_init(struct plain *plain, const struct model *model, enum plain_guards guards, const struct hash_key *key,
               struct problems *problems)
	__attribute__((warn_unused_result));
void plain_fini(struct plain *plain);

#endif
