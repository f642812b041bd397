/* A stream of bytes, as it is read, -> lines that are published. Never waits: what cannot be sent at once is dropped,
 * and counted by the publisher; only what is too long for any transport is counted here. */
#ifndef STATSIDECAR_COMMAND_LINE_FEED_H
#define STATSIDECAR_COMMAND_LINE_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "publish/statsidecar.h"

/* Longer than any line that is sent. */
enum { LINE_FEED_MAX = 16384 };

struct line_feed {
	struct statsidecar *publisher; /* borrowed; may be NULL */
	char partial[LINE_FEED_MAX];   /* a line whose end has not come yet */
	size_t partial_len;
	bool is_skipping; /* until the end of a line that is too long */
	_Atomic uint64_t too_long;
};

/* Zero-initialised by its owner but for the publisher. */
void line_feed_take(struct line_feed *feed, const char *bytes, size_t len);
/* What stands behind the last newline is a line too. */
void line_feed_end(struct line_feed *feed);

/* Lines that were not sent; *sent those that were. May be asked by another thread. */
uint64_t line_feed_dropped(const struct line_feed *feed, uint64_t *sent);

#endif
