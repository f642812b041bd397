/* One StatsD or DogStatsD line -> lifecycle events, one for each of its values:
 *
 *     page.views:1:2|c|@0.5|#env:prod,canary|c:ci-…|T1656581400
 *     ^ name     ^ ^ ^ type ^ tags           ^ what else stands there is passed over
 *                values
 *
 * NAME is the identifier; `value`, `type`, `rate` and the tags are fields (a tag without value is `true`). */
#ifndef STATSIDECAR_DECODE_STATSD_H
#define STATSIDECAR_DECODE_STATSD_H

#include "decode/event.h"

struct statsd_reader {
	struct span line;
	struct span name;
	struct span values; /* what is left of them, colons between */
	struct span type;
	struct span rate;   /* empty: none */
	struct span tags;   /* behind `|#`; empty: none */
	const char *why;    /* after a failure: a static text */
	uint32_t at;        /* and where */
};

/* What a tag without value says: `true`. */
extern const struct span statsd_bare_tag;

/* The first letter of `c`, `ms`, `g`, `h`, `d` and `s`; 0: no type. */
static inline char statsd_type(struct span type)
{
	if (type.len == 1)
		return *type.at == 'c' || *type.at == 'g' || *type.at == 'h' || *type.at == 'd' || *type.at == 's' ? *type.at : 0;
	return type.len == 2 && type.at[0] == 'm' && type.at[1] == 's' ? 'm' : 0;
}

/* Takes the line, which has SCAN_PAD bytes behind it, apart. 0, or -1 with why and at. */
int statsd_read_line(struct statsd_reader *reader, struct span line) __attribute__((warn_unused_result));

/* The next value's event, in event, which was reset; false where none is left. */
bool statsd_next_event(struct statsd_reader *reader, struct lifecycle_event *event);

/* The next of `tags`, which have SCAN_PAD bytes behind them: key and value (at == NULL: it has none); steps behind it; false where
 * none is left. */
bool statsd_next_tag(struct span *tags, struct span *key, struct span *value);

#endif
