/* The line of a metric that is no DogStatsD event or service check, written inline: this is where most of an event's metrics go. What
 * is rare stands behind calls.
 *
 *     name:value|type|@rate|#tags      name;tags:value|type|@rate
 *                          ^ line_put_tags()    ^
 */
#ifndef STATSIDECAR_EMIT_LINE_H
#define STATSIDECAR_EMIT_LINE_H

#include "base/inline.h"
#include "emit/put.h"
#include "emit/render.h"

/* Whether none of the tags that the metric has of itself, or a relayed line brings, has a key of those behind them. */
static inline bool line_shares_tail(const struct renderer *renderer, const struct metric *metric, bool is_relayed)
{
	return metric->shares_tail && !(is_relayed && renderer->subject->event->tags.len);
}

/* The tags behind a metric's own: copied, once they have been written for this event, rule and output. */
static inline char *line_put_tail(struct renderer *renderer, uint16_t output, struct tag_range rule_tags, char *out)
{
	struct tail *tail = &renderer->tails[output];
	if (tail->rule_tags.first != rule_tags.first || tail->rule_tags.count != rule_tags.count ||
	    tail->epoch != renderer->subject->epoch)
		render_tail(renderer, output, rule_tags);
	/* Two tags, mostly. */
	memcpy(out, tail->text, 64);
	if (unlikely(tail->len > 64))
		memcpy(out + 64, tail->text + 64, tail->len - 64);
	return out + tail->len;
}

/* The metric's tags, then the rule's, the input's, the global ones, the output's, with what opens and closes them; nothing where
 * there are none. */
INLINE char *line_put_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, bool is_relayed, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	/* The first separator is written where the opening's last byte belongs. */
	char *first = out + wire->open_len - 1;
	char *end = first;
	const bool shares_tail = line_shares_tail(renderer, metric, is_relayed);
	if (metric->tags.count || unlikely(!shares_tail))
		end = render_own_tags(renderer, output, metric, end);
	if (shares_tail && (!is_relayed || metric->rule_tags.count || render_has_common(renderer, wire)))
		end = line_put_tail(renderer, output, metric->rule_tags, end);
	if (end == first)
		return out;
	*out = wire->open[0];
	*first = wire->open[wire->open_len - 1];
	if (wire->close)
		*end++ = wire->close;
	return end;
}

INLINE char *line_put(struct renderer *renderer, uint16_t output, const struct metric *metric, bool is_relayed, struct span head,
                      struct span value, struct span type, struct span rate, char *out)
{
	const struct wire *wire = &renderer->wires[output];
	out = put(out, head);
	if (unlikely(wire->has_tags_in_name))
		out = render_name_tags(renderer, metric, out - head.len, out);
	if (wire->has_tags_before_value)
		out = render_tags(renderer, output, metric, out);
	*out++ = ':';
	out = put(out, value);
	out = put(out, type);
	if (unlikely(rate.len))
		out = put(out, rate);
	if (wire->has_tags_after_value)
		out = line_put_tags(renderer, output, metric, is_relayed, out);
	return unlikely(wire->suffix.len) ? put(out, wire->suffix) : out;
}

#endif
