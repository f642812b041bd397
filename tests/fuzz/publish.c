/* An event and its fields as a line, shortened to what a pipe takes at once. The first two bytes say how long it may be; behind
 * them stand the identifier and the fields, a line each: a byte for the kind, the name, `=`, the value. Either the line is
 * refused, or it is one JSON object within that length, with the event and every field in it. */
#include <jansson.h>
#include <stdlib.h>

#include "../unit/rig.h"
#include "fuzz.h"
#include "publish/line.h"

enum { TEXT_MAX = 8192, FIELDS_MAX = 24, TEXTS_MAX = 64 };

/* Texts that end with a NUL, of the input's copy. */
struct event {
	char *text;
	const char *identifier;
	struct statsidecar_field fields[FIELDS_MAX];
	size_t count;
	const char *texts[FIELDS_MAX][TEXTS_MAX];
};

static char *take_line(char **rest, size_t *len)
{
	char *line = *rest;
	char *end = strchr(line, '\n');
	*len = end ? (size_t)(end - line) : strlen(line);
	*rest = line + *len + (end != NULL);
	line[*len] = '\0';
	return line;
}

/* `a,b,c` */
static size_t split_texts(const char **texts, char *text)
{
	size_t count = 0;
	while (count < TEXTS_MAX) {
		char *comma = strchr(text, ',');
		texts[count++] = text[0] == '-' ? NULL : text;
		if (!comma)
			break;
		*comma = '\0';
		text = comma + 1;
	}
	return count;
}

static void take_field(struct event *event, char *line, size_t len)
{
	struct statsidecar_field *field = &event->fields[event->count];
	char *equals = memchr(line, '=', len);
	if (len < 2 || !equals || equals < line + 1)
		return;
	*equals = '\0';
	char *value = equals + 1;
	*field = (struct statsidecar_field){.name = line + 1, .length = len - (size_t)(value - line)};
	/* JSON is trusted to be that: it is left out. */
	field->type = (enum statsidecar_type)((unsigned char)line[0] % STATSIDECAR_JSON);
	switch (field->type) {
	case STATSIDECAR_TEXT:
		field->value.text = value;
		break;
	case STATSIDECAR_TEXTS:
		field->length = split_texts(event->texts[event->count], value);
		field->value.texts = event->texts[event->count];
		break;
	case STATSIDECAR_DOUBLE:
		memcpy(&field->value.number, value, field->length < 8 ? field->length : 8);
		break;
	default:
		memcpy(&field->value.integer, value, field->length < 8 ? field->length : 8);
		break;
	}
	event->count++;
}

static void check_line(const struct event *event, struct span line, size_t size)
{
	json_error_t error;
	if (line.len > size || line.len == 0 || line.at[line.len - 1] != '\n' ||
	    memchr(line.at, '\n', line.len - 1))
		fuzz_fail("no line within %zu bytes: %s", size, shown(line));
	json_t *object = json_loadb(line.at, line.len, JSON_ALLOW_NUL, &error);
	if (!json_is_object(object))
		fuzz_fail("%s: %s", error.text, shown(line));
	const char *identifier = json_string_value(json_object_get(object, "event"));
	if (!identifier || strcmp(identifier, event->identifier) != 0)
		fuzz_fail("another event: %s", shown(line));
	/* One that is no UTF-8 has another name there. */
	for (size_t i = 0; i < event->count; i++) {
		json_t *name = json_string(event->fields[i].name);
		if (name && !json_object_get(object, event->fields[i].name))
			fuzz_fail("%s is missing: %s", event->fields[i].name, shown(line));
		json_decref(name);
	}
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event event;
	struct span rest = {(const char *)data, size};
	size_t room = fuzz_byte(&rest);
	room = (room << 8 | fuzz_byte(&rest)) % 5000;
	size_t len;
	if (size > TEXT_MAX)
		return 0;
	char *copy = fuzz_copy(rest, 16); /* numbers are read from it, eight bytes each */
	char *at = copy;
	event.count = 0;
	event.identifier = take_line(&at, &len);
	while (*at && event.count < FIELDS_MAX) {
		char *line = take_line(&at, &len);
		take_field(&event, line, len);
	}
	/* The first half of the fields are the standard ones, left out where the others have their names. */
	const struct publication publication = {event.identifier,
	                                        {event.fields, event.count / 2},
	                                        {event.fields + event.count / 2, event.count - event.count / 2}};
	bool is_shortened = false;
	const int result = statsidecar_line_check(&publication);
	for (size_t i = 0; i < publication.standard.count; i++)
		if (!*publication.standard.items[i].name || strcmp(publication.standard.items[i].name, "event") == 0)
			room = 0; /* the library's own have names */
	if (result == STATSIDECAR_OK && room > 0) {
		char *out = malloc(room + 1);
		if (!out)
			fuzz_fail("out of memory");
		out[room] = '\x01';
		const int written = statsidecar_line_write(out, room, &publication, &len, &is_shortened);
		if (out[room] != '\x01' || (written != STATSIDECAR_OK && written != STATSIDECAR_TOO_LONG))
			fuzz_fail("beyond %zu bytes, or a result of %d", room, written);
		if (written == STATSIDECAR_OK)
			check_line(&event, (struct span){out, len}, room);
		free(out);
	}
	fuzz_free(copy, 16);
	return 0;
}
