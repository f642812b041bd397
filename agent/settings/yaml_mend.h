/* What YAML cannot read but everybody writes once: `match: **`, `filter: [!debug.*]`, `counter: {event}.x`, `text: a:
 * b`. Each such fault is reported with the hint to quote the text, and mended in a copy (the offending bytes become
 * `x`, so that all places stay), so that one run finds the faults behind it too. */
#ifndef STATSIDECAR_SETTINGS_YAML_MEND_H
#define STATSIDECAR_SETTINGS_YAML_MEND_H

#include "base/arena.h"
#include "base/problem.h"

#define MEND_MAX 64 /* faults of this kind in one file; after them it is given up */

struct mended {
	struct span text;
	size_t places[MEND_MAX]; /* of mended texts, in characters from the beginning of the text */
	size_t place_count;
	bool is_broken; /* there is a fault that cannot be mended: the document ends there */
};

void yaml_mend(struct mended *mended, struct span text, const char *file, struct arena *arena,
               struct problems *problems);

#endif
