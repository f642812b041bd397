/* An event and its fields -> one line of JSON:
 *
 *     {"event":"step.completed","timestamp":"2024-05-01T12:30:45.123456Z","step_name":"fetch"}\n
 */
#ifndef STATSIDECAR_PUBLISH_LINE_H
#define STATSIDECAR_PUBLISH_LINE_H

#include <stdbool.h>

#include "publish/statsidecar.h"

struct fields {
	const struct statsidecar_field *items;
	size_t count;
};

struct publication {
	const char *event;
	struct fields standard; /* those whose names stand among the own ones are left out */
	struct fields own;      /* the caller's */
};

bool statsidecar_fields_have(struct fields fields, const char *name);

/* 0, or STATSIDECAR_INVALID: no identifier, or a field without a good name. */
int statsidecar_line_check(const struct publication *publication) __attribute__((warn_unused_result));

/* Writes the line, which has been checked, into out, newline included, shortened as statsidecar_publish_event() says
 * where it would take more than size bytes. 0 and *len, or STATSIDECAR_TOO_LONG. */
int statsidecar_line_write(char *out, size_t size, const struct publication *publication, size_t *len,
                           bool *is_shortened) __attribute__((warn_unused_result));

#endif
