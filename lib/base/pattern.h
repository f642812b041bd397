/* Globs over dotted names.
 *
 *     step.*.re*     `*` within a segment: any bytes but '.', none too; alone in its segment: exactly one segment
 *     step.**        `**`, only alone between dots: zero or more whole segments (`step.**` matches `step` too)
 *
 * All else is literal. What each star caught can be asked for, in order; shortest first where there is a choice. A
 * compiled pattern borrows its text and allocates nothing. */
#ifndef STATSIDECAR_BASE_PATTERN_H
#define STATSIDECAR_BASE_PATTERN_H

#include <stdint.h>

#include "base/span.h"

#define PATTERN_STARS_MAX 16

struct pattern {
	struct span text;
	uint8_t stars; /* 0: a literal */
};

/* 0, or -1 with *why (a static text for the user) where text is empty, has an empty segment next to `**`, a `**`
 * that is not alone, or more than PATTERN_STARS_MAX stars. */
int pattern_compile(struct pattern *pattern, struct span text, const char **why) __attribute__((warn_unused_result));

/* Whether name matches; captures, where not NULL, has room for pattern->stars spans into name. Linear in the product of
 * both lengths at worst, whatever the stars. */
bool pattern_match(const struct pattern *pattern, struct span name, struct span *captures);

/* Whether every name that b matches is matched by a, for certain (false where that cannot be told cheaply). */
bool pattern_covers(const struct pattern *a, const struct pattern *b);

/* A glob over free text, where `*` (and `**`) stands for any bytes, dots too: for conditions. */
bool pattern_match_text(struct span glob, struct span text);

#endif
