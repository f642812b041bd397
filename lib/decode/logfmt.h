/* One line -> a lifecycle event, where the line is logfmt:
 *
 *     step.completed step_name="fetch page" attempt=2 final
 *     ^ bare word    ^ key     ^ quoted     ^ text    ^ a bare key: `true`
 *
 * Keys are literal, values are text. */
#ifndef STATSIDECAR_DECODE_LOGFMT_H
#define STATSIDECAR_DECODE_LOGFMT_H

#include "decode/event.h"

/* Reads line into event, which was reset. 0, or -1 with *why (a static text) and *at, the offset where it stands:
 * an unterminated quote, an empty key, or bytes glued to a quoted text. line.at[line.len] is a newline. */
int logfmt_read_event(struct lifecycle_event *event, struct span line, const char **why, uint32_t *at)
	__attribute__((warn_unused_result));

#endif
