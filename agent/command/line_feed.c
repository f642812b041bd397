#define _GNU_SOURCE /* memrchr() */
#include "command/line_feed.h"

#include <string.h>

/* Into the unfinished line; where it grows too long, the whole line is given up. */
static void partial_add(struct line_feed *feed, const char *bytes, size_t len)
{
	if (feed->is_skipping)
		return;
	if (len > sizeof feed->partial - feed->partial_len) {
		feed->is_skipping = true;
		feed->partial_len = 0;
		atomic_fetch_add(&feed->too_long, 1);
		return;
	}
	memcpy(feed->partial + feed->partial_len, bytes, len);
	feed->partial_len += len;
}

static void partial_publish(struct line_feed *feed)
{
	if (!feed->is_skipping)
		(void)statsidecar_publish_lines(feed->publisher, feed->partial, feed->partial_len);
	feed->partial_len = 0;
	feed->is_skipping = false;
}

void line_feed_take(struct line_feed *feed, const char *bytes, size_t len)
{
	const char *first = memchr(bytes, '\n', len), *last;
	size_t lines_len;

	if (first == NULL) {
		partial_add(feed, bytes, len);
		return;
	}
	if (feed->partial_len > 0 || feed->is_skipping) {
		size_t rest = (size_t)(first - bytes) + 1;

		partial_add(feed, bytes, rest);
		partial_publish(feed);
		bytes += rest;
		len -= rest;
	}
	last = memrchr(bytes, '\n', len);
	lines_len = last == NULL ? 0 : (size_t)(last - bytes) + 1;
	if (lines_len > 0)
		(void)statsidecar_publish_lines(feed->publisher, bytes, lines_len);
	partial_add(feed, bytes + lines_len, len - lines_len);
}

void line_feed_end(struct line_feed *feed)
{
	partial_publish(feed);
}

uint64_t line_feed_dropped(const struct line_feed *feed, uint64_t *sent)
{
	uint64_t dropped = atomic_load(&feed->too_long);

	*sent = statsidecar_count(feed->publisher, STATSIDECAR_OK);
	for (int result = STATSIDECAR_FULL; result >= STATSIDECAR_FAILED; result--)
		dropped += statsidecar_count(feed->publisher, result);
	return dropped;
}
