/* What a configuration's parts are called when something is told about them. */
#ifndef STATSIDECAR_EXPLAIN_WORDING_H
#define STATSIDECAR_EXPLAIN_WORDING_H

#include <stdio.h>

#include "map/mapping.h"

/* A metric's name as its rule writes it: a DogStatsD event's title, a service check's name. */
struct span wording_metric_name(const struct metric *metric);
/* The field or number that its value is; at == NULL where it has none of its own. */
struct span wording_metric_value(const struct metric *metric);
/* `s`, `ms`, `us`, `ns`, or an empty text. */
const char *wording_metric_unit(const struct metric *metric);

/* The name of a field as configurations write it. out has room for WORDING_FIELD_SIZE bytes, which the result may point into. */
#define WORDING_FIELD_SIZE 32
struct span wording_field(const struct mapping *mapping, struct reference reference, char *out);

/* A metric's name for an event, without an output's prefix: what the identifier decides is put in, fields stay `{field}`. */
void wording_put_resolved_name(FILE *out, const struct mapping *mapping, const struct metric *metric, struct span event,
                               const struct span *captures);

/* `attempt_number > 1 and (a or b)`; nothing where there are none. */
void wording_put_conditions(FILE *out, const struct conditions *conditions);

/* The identifiers that are known by the catalogue or a literal rule, for "did you mean": ends with NULL, in arena. */
const char *const *wording_known_names(const struct mapping *mapping, struct arena *arena);

#endif
