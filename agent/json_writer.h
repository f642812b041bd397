/* JSON, written as it comes: members stand in the order of the calls, nothing is held. key is NULL inside arrays and at the
 * top. Bytes that are no UTF-8 become U+FFFD, so that the output is JSON whatever an event brought. */
#ifndef STATSIDECAR_JSON_WRITER_H
#define STATSIDECAR_JSON_WRITER_H

#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

struct json_writer {
	FILE *out;
	bool needs_comma;
};

void json_writer_open_object(struct json_writer *writer, const char *key);
void json_writer_close_object(struct json_writer *writer);
void json_writer_open_array(struct json_writer *writer, const char *key);
void json_writer_close_array(struct json_writer *writer);
void json_writer_put_text(struct json_writer *writer, const char *key, struct span text);
void json_writer_put_count(struct json_writer *writer, const char *key, uint64_t count);
void json_writer_put_real(struct json_writer *writer, const char *key, double value); /* two decimals */
void json_writer_put_bool(struct json_writer *writer, const char *key, bool flag);
/* A member whose key is not known beforehand: what the next call with a NULL key writes is its value. */
void json_writer_put_key(struct json_writer *writer, struct span key);
/* The end of a document that stands on a line of its own. */
void json_writer_end_line(struct json_writer *writer);

#endif
