/* The way of every event: line, channel, account. */
#ifndef STATSIDECAR_PUBLISH_PUBLISHER_H
#define STATSIDECAR_PUBLISH_PUBLISHER_H

#include "publish/line.h"

/* Adds the timestamp to the standard fields, which have room for one more, where no field dates the event; sends and
 * counts it. publisher may be NULL. */
int statsidecar_publisher_send(struct statsidecar *publisher, const char *event, struct statsidecar_field *standard,
                               size_t standard_count, struct fields own);

#endif
