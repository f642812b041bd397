#include "map/reference.h"

enum { PATH_KEYS_MAX = 32 };

size_t path_split(struct span path, struct span *keys, size_t max)
{
	size_t count = 0;
	for (;;) {
		const char *dot = memchr(path.at, '.', path.len);
		const size_t len = dot ? (size_t)(dot - path.at) : path.len;
		if (len == 0 || count == max)
			return 0;
		keys[count++] = (struct span){path.at, len};
		if (!dot)
			return count;
		path = span_skip(path, len + 1);
	}
}

/* The location of keys below place, or FIELDSET_NONE. */
static uint16_t add_below(struct fieldset *fields, const struct place *place, const struct span *keys, size_t count)
{
	struct span path[8 + PATH_KEYS_MAX];
	memcpy(path, place->keys, place->depth * sizeof(*path));
	memcpy(path + place->depth, keys, count * sizeof(*path));
	return fieldset_add(fields, path, place->depth + count);
}

int payload_reference_init(struct payload_reference *reference, struct span name, struct fieldset *fields,
                           const struct place *places, size_t place_count)
{
	struct span keys[PATH_KEYS_MAX];
	const size_t count = path_split(name, keys, PATH_KEYS_MAX);
	*reference = (struct payload_reference){.name = name};
	for (size_t i = 0; i < place_count; i++) {
		const uint16_t literal = add_below(fields, &places[i], &name, 1);
		if (literal == FIELDSET_NONE)
			return -1;
		reference->literal[reference->literal_count++] = literal;
		if (count < 2)
			continue;
		const uint16_t head = add_below(fields, &places[i], keys, 1);
		const uint16_t leaf = add_below(fields, &places[i], keys, count);
		if (head == FIELDSET_NONE || leaf == FIELDSET_NONE)
			return -1;
		reference->head[reference->path_count] = head;
		reference->leaf[reference->path_count++] = leaf;
	}
	return 0;
}

struct value *payload_get_slowly(struct lifecycle_event *event, const struct payload_reference *reference)
{
	for (unsigned i = 0; i < reference->literal_count; i++)
		if (event_has(event, reference->literal[i]))
			return &event->values[reference->literal[i]];
	for (unsigned i = 0; i < reference->path_count; i++)
		if (event_has(event, reference->head[i])) /* a nearer object of that name hides the others */
			return event_has(event, reference->leaf[i]) ? &event->values[reference->leaf[i]] : NULL;
	return NULL;
}
