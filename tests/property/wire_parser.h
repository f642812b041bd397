/* One line as a receiver reads it: written after the protocols' descriptions, knowing nothing of lib/emit. Stricter
 * than any receiver: what is not in the grammar of the dialect is refused with a reason. */
#ifndef STATSIDECAR_TESTS_WIRE_PARSER_H
#define STATSIDECAR_TESTS_WIRE_PARSER_H

#include "base/span.h"
#include "map/model.h"

enum { WIRE_TAGS_MAX = 80 };

enum wire_kind { WIRE_METRIC, WIRE_EVENT, WIRE_SERVICE_CHECK };

/* A relayed line may have what its sender wrote: DogStatsD tags without value, keys that look alike once they are made
 * safe, gauges with a plus. */
enum wire_origin { WIRE_MADE, WIRE_RELAYED };

struct wire_tag {
	struct span key, value;
};

struct wire_line {
	enum wire_kind kind;
	enum wire_origin origin;
	struct span name;  /* of a service check too; an event's title */
	struct span value; /* an event's text, a service check's status */
	struct span type;  /* c, ms, … */
	struct span rate;  /* behind the @; at == NULL: none */
	struct wire_tag tags[WIRE_TAGS_MAX];
	size_t tag_count;
	struct span key, priority, source, alert, message; /* at == NULL: not given */
	struct span container, external, cardinality;
};

/* 0, or -1 and *why. */
int wire_parse(struct wire_line *line, enum dialect dialect, enum wire_origin origin, struct span text,
               const char **why);

#endif
