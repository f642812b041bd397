#include <stdio.h>

#include "emit/line.h"
#include "emit/render_inside.h"

/* DogStatsD shows titles of 100 characters; more is left to the text. */
enum { EVENT_TITLE_MAX = 1024 };

/* A field of an event's datagram, `|k:key`, where the template gives something. */
static char *put_option(struct renderer *renderer, const char *lead, const struct template *template, char *out)
{
	char *value = put_exactly(out, span_of(lead));
	const size_t len = render_template(renderer, template, &sanitise_tag_value[DIALECT_DOGSTATSD], value, NAME_MAX_LEN);
	return len ? value + len : out;
}

/* A text of several parts, escaped for the wire; absent fields leave nothing. */
static size_t put_text(struct renderer *renderer, const struct template *template, char *out, size_t limit,
                       size_t (*escape)(char *, struct span *, size_t))
{
	size_t len = 0;
	for (uint16_t i = 0; i < template->count; i++) {
		struct span text = template->parts[i].literal;
		if (!text.at && !subject_text(renderer->subject, template->parts[i].reference, &text))
			continue;
		len += escape(out + len, &text, limit - len);
		if (text.len) /* cut: what follows has no place */
			break;
	}
	return len;
}

static size_t put_event_options(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out)
{
	char *end = out;
	if (metric->has_aggregation_key)
		end = put_option(renderer, "|k:", &metric->aggregation_key, end);
	if (metric->priority.len)
		end = put_exactly(put_exactly(end, SPAN("|p:")), metric->priority);
	if (metric->has_source)
		end = put_option(renderer, "|s:", &metric->source, end);
	if (metric->alert.len)
		end = put_exactly(put_exactly(end, SPAN("|t:")), metric->alert);
	end = render_tags(renderer, output, metric, end);
	end = put(end, renderer->wires[output].suffix);
	return (size_t)(end - out);
}

/* _e{title bytes,text bytes}:title|text|k:key|p:priority|s:source|t:alert|#tags: the text is cut so that all of it fits. */
size_t render_event(struct renderer *renderer, uint16_t output, const struct reading *reading, char *out)
{
	const struct metric *metric = reading->metric;
	char title[EVENT_TITLE_MAX];
	char frame[sizeof("_e{65535,65535}:|")];
	const size_t title_len = put_text(renderer, &metric->name, title, sizeof(title), sanitise_text);
	const size_t options_len = put_event_options(renderer, output, metric, renderer->options);
	const size_t around = sizeof(frame) - 1 + title_len + options_len;
	if (around > LINE_OUT_MAX)
		return around;
	const size_t text_len = put_text(renderer, &metric->text, renderer->text, LINE_OUT_MAX - around, sanitise_text);
	const int frame_len = snprintf(frame, sizeof(frame), "_e{%zu,%zu}:", title_len, text_len);
	char *end = put_exactly(out, (struct span){frame, (size_t)frame_len});
	end = put_exactly(end, (struct span){title, title_len});
	*end++ = '|';
	end = put(end, (struct span){renderer->text, text_len});
	end = put(end, (struct span){renderer->options, options_len});
	return (size_t)(end - out);
}

/* _sc|name|status|#tags|c:…|m:message: the message is last, and cut to fit. */
size_t render_service_check(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head,
                                   char *out)
{
	const struct metric *metric = reading->metric;
	char *end = put_exactly(out, SPAN("_sc|"));
	end = put(end, head);
	*end++ = '|';
	*end++ = (char)('0' + metric->status);
	end = render_tags(renderer, output, metric, end);
	end = put(end, renderer->wires[output].suffix);
	const size_t len = (size_t)(end - out);
	if (!metric->has_text || len + 3 >= LINE_OUT_MAX)
		return len;
	char *message = put_exactly(end, SPAN("|m:"));
	const size_t message_len = put_text(renderer, &metric->text, message, LINE_OUT_MAX - len - 3, sanitise_message);
	return message_len ? len + 3 + message_len : len;
}

bool render_has_title(struct renderer *renderer, const struct metric *metric)
{
	char title[EVENT_TITLE_MAX];
	return put_text(renderer, &metric->name, title, sizeof(title), sanitise_text) != 0;
}

