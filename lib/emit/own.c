#include "emit/own.h"

#include "base/bounds.h"
#include "emit/sanitise.h"

/* The keys that a line has so far. */
struct keys {
	struct span items[OWN_TAGS_MAX + 2 * TAGS_MAX];
	unsigned count;
};

static bool keys_take(struct keys *keys, struct span key)
{
	for (unsigned i = 0; i < keys->count; i++)
		if (span_equal(keys->items[i], key))
			return false;
	if (keys->count == ARRAY_LEN(keys->items))
		return false;
	keys->items[keys->count++] = key;
	return true;
}

static char *put(char *out, struct span text)
{
	if (text.len)
		memcpy(out, text.at, text.len);
	return out + text.len;
}

bool own_is_taken(const struct wire *wire, const struct own_metric *metric)
{
	if (!wire->has_tags_before_value && !wire->has_tags_after_value && !wire->has_tags_in_name && metric->kind == METRIC_GAUGE && metric->tag_count)
		return false;
	return wire_takes(wire, metric->name);
}

static char *put_name(const struct wire *wire, const struct own_metric *metric, size_t tag_length, char *out)
{
	const struct span prefix = span_cut(wire->form->prefix, NAME_MAX_LEN);
	char *end = out;
	if (prefix.len)
		end += sanitise_name(end, prefix);
	end += sanitise_name(end, span_cut(metric->name, NAME_MAX_LEN - prefix.len));
	for (uint16_t i = 0; wire->has_tags_in_name && i < metric->tag_count; i++) {
		const struct span value = span_cut(metric->tags[i].value, tag_length);
		*end++ = '.';
		end = value.len ? end + sanitise_name_value(end, value) : put(end, SPAN("none"));
	}
	return end - out > NAME_MAX_LEN ? out + NAME_MAX_LEN : end;
}

/* Constants, written when the output was set up. */
static char *put_list(const struct mapping *mapping, const struct wire *wire, const struct tag_list *list, struct keys *keys,
                      char *out)
{
	for (uint16_t i = 0; i < list->count; i++) {
		const struct tag *tag = &list->items[i];
		const struct tag_step *step = &wire->steps[tag->id];
		if (tag->is_constant && keys_take(keys, mapping->tag_keys[tag->key]))
			out = put(out, (struct span){step->head, step->head_len});
	}
	return out;
}

static char *put_tags(const struct mapping *mapping, const struct wire *wire, const struct own_metric *metric, char *out)
{
	const enum dialect dialect = wire->form->dialect;
	/* The first separator is written where the opening's last byte belongs. */
	char *first = out + wire->open_len - 1;
	char *end = first;
	struct keys keys = {.count = 0};
	for (uint16_t i = 0; i < metric->tag_count; i++) {
		const struct own_tag *tag = &metric->tags[i];
		if (tag->value.len == 0 || !keys_take(&keys, tag->key))
			continue;
		*end++ = wire->separator;
		end += sanitise(end, &sanitise_tag_key[dialect], tag->key, NAME_MAX_LEN);
		*end++ = wire->assign;
		end += sanitise(end, &sanitise_tag_value[dialect], tag->value, mapping->limits.tag_length);
	}
	end = put_list(mapping, wire, &mapping->tags, &keys, end);
	end = put_list(mapping, wire, &wire->form->tags, &keys, end);
	if (end == first)
		return out;
	memcpy(out, wire->open, wire->open_len);
	if (wire->close)
		*end++ = wire->close;
	return end;
}

size_t own_render(const struct mapping *mapping, const struct wire *wire, const struct own_metric *metric, char *out)
{
	char *end = put_name(wire, metric, mapping->limits.tag_length, out);
	if (wire->has_tags_before_value)
		end = put_tags(mapping, wire, metric, end);
	*end++ = ':';
	end = put(end, metric->value);
	end = put(end, wire->type[metric->kind]);
	if (wire->has_tags_after_value)
		end = put_tags(mapping, wire, metric, end);
	return (size_t)(put(end, wire->suffix) - out);
}
