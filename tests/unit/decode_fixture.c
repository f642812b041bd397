#include "decode_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "rig.h"

/* `a.b\.c` -> the keys `a` and `b.c`. */
static size_t take_keys(struct arena *arena, struct span path, struct span *keys)
{
	char *text = arena_alloc(arena, path.len + 1);
	char *start = text;
	size_t count = 0;
	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && path.at[i] == '\\') {
			*text++ = path.at[++i];
		} else if (i == path.len || path.at[i] == '.') {
			keys[count++] = (struct span){start, (size_t)(text - start)};
			start = text;
		} else {
			*text++ = path.at[i];
		}
	}
	return count;
}

void decoding_init(struct decoding *decoding, const char *paths)
{
	*decoding = (struct decoding){.arena = arena_new()};
	fieldset_init(&decoding->fieldset, decoding->arena);
	while (*paths) {
		const size_t len = strcspn(paths, " ");
		struct span keys[32];
		const struct span path = arena_copy(decoding->arena, (struct span){paths, len});
		const size_t count = take_keys(decoding->arena, path, keys);
		decoding->paths[decoding->path_count] = path.at;
		decoding->locations[decoding->path_count++] = fieldset_add(&decoding->fieldset, keys, count);
		paths += len + (paths[len] == ' ');
	}
	fieldset_seal(&decoding->fieldset, decoding->arena);
	if (lifecycle_event_init(&decoding->event, &decoding->fieldset, LINE_MAX_DEFAULT))
		abort();
}

void decoding_fini(struct decoding *decoding)
{
	free(decoding->line);
	scan_fini(&decoding->scan);
	lifecycle_event_fini(&decoding->event);
	arena_free(decoding->arena);
}

static void take_line(struct decoding *decoding, struct span line)
{
	free(decoding->line);
	scan_fini(&decoding->scan);
	decoding->line = malloc(line.len + 1 + SCAN_PAD);
	if (!decoding->line || scan_init(&decoding->scan, (uint32_t)line.len + 1))
		abort();
	memcpy(decoding->line, line.at, line.len);
	decoding->line[line.len] = '\n';
	memset(decoding->line + line.len + 1, '"', SCAN_PAD);
	decoding->len = (uint32_t)line.len;
	event_reset(&decoding->event);
}

int decoding_json(struct decoding *decoding, struct span line)
{
	take_line(decoding, line);
	struct json_reader *reader = &decoding->reader;
	scan_index(&decoding->scan, decoding->line, decoding->len + 1);
	*reader = (struct json_reader){.text = decoding->line, .mark = decoding->scan.marks, .end = decoding->len};
	reader->at = (uint32_t)strspn(decoding->line, " \t\r"); /* the newline ends it */
	if (decoding->line[reader->at] != '{' || json_read_event(reader, &decoding->event))
		return -1;
	return json_at_end(reader) ? 0 : -1;
}

int decoding_logfmt(struct decoding *decoding, struct span line, const char **why, uint32_t *at)
{
	take_line(decoding, line);
	return logfmt_read_event(&decoding->event, (struct span){decoding->line, decoding->len}, why, at);
}

const char *decoding_kept(struct decoding *decoding)
{
	static char text[8192];
	static const char *const types[] = {[VALUE_STRING] = "s:", [VALUE_NUMBER] = "n:", [VALUE_TRUE] = "",
	                                    [VALUE_FALSE] = "",    [VALUE_OBJECT] = "{}", [VALUE_ARRAY] = "[]"};
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < decoding->path_count; i++) {
		if (!event_has(&decoding->event, decoding->locations[i]))
			continue;
		struct value *value = &decoding->event.values[decoding->locations[i]];
		const struct span value_text = value_is_scalar(value) ? event_text(&decoding->event, value) : SPAN("");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s%s", len ? " " : "", decoding->paths[i],
		                        types[value->type], shown(value_text));
	}
	return text;
}
