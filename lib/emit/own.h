/* A metric that no event makes: what the agent says of itself. Its tags are its own, then the global ones and the output's;
 * of one key the first counts. */
#ifndef STATSIDECAR_EMIT_OWN_H
#define STATSIDECAR_EMIT_OWN_H

#include <stdbool.h>

#include "emit/wire.h"

enum { OWN_TAGS_MAX = 2 };

struct own_metric {
	struct span name; /* without the outputs' prefixes */
	enum metric_kind kind; /* METRIC_COUNTER, METRIC_GAUGE */
	struct span value;
	struct own_tag {
		struct span key, value;
	} tags[OWN_TAGS_MAX];
	uint16_t tag_count;
};

/* Whether an output takes it: by its filter. One that knows no tags takes no gauges that only their tags tell apart. */
bool own_is_taken(const struct wire *wire, const struct own_metric *metric);

/* A whole line into out, which has room for RENDER_MAX bytes; its length. */
size_t own_render(const struct mapping *mapping, const struct wire *wire, const struct own_metric *metric, char *out);

#endif
