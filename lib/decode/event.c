#include "decode/event.h"

#include <stdlib.h>

#include "base/bounds.h"
#include "decode/escape.h"

int lifecycle_event_init(struct lifecycle_event *event, const struct fieldset *fields, uint32_t line_max)
{
	*event = (struct lifecycle_event){.fields = fields, .unescaped_size = line_max};
	event->present_size = (fields->count + PRESENT_BLOCK - 1) / PRESENT_BLOCK * PRESENT_BLOCK;
	event->values = calloc(fields->count, sizeof(*event->values));
	event->present = calloc(event->present_size, sizeof(*event->present));
	/* Pads before and behind: resolved texts are read by the same vector loads as the line. */
	char *text = calloc(1, (size_t)line_max + 2 * SCAN_PAD);
	if (text)
		event->unescaped = text + SCAN_PAD;
	if (event->values && event->present && text)
		return 0;
	lifecycle_event_fini(event);
	return -1;
}

void lifecycle_event_fini(struct lifecycle_event *event)
{
	free(event->values);
	free(event->present);
	if (event->unescaped)
		free(event->unescaped - SCAN_PAD);
	*event = (struct lifecycle_event){0};
}

void event_clear_below(struct lifecycle_event *event, const struct fieldset_node *node)
{
	for (uint16_t i = 0; i < node->below_count; i++)
		event_clear(event, node->below[i]);
}

struct span event_text_resolve(struct lifecycle_event *event, struct value *value)
{
	/* A text with escapes never grows, so all texts of a line fit where the line would. */
	char *out = event->unescaped + event->unescaped_len;
	const struct span text = {value->at, value->len};
	const size_t len = value->escapes == ESCAPES_JSON ? escape_resolve_json(out, text) : escape_resolve_logfmt(out, text);
	event->unescaped_len += (uint32_t)len;
	value->at = out;
	value->len = (uint32_t)len;
	value->escapes = ESCAPES_NONE;
	return (struct span){out, len};
}
