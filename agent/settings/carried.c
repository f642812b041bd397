#include "settings/carried.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const struct carried *carried_find(const char *name)
{
	for (const struct carried *carried = carried_texts; carried->name != NULL; carried++) {
		if (strcmp(carried->name, name) == 0)
			return carried;
	}
	return NULL;
}

char *carried_unpack(const struct carried *carried)
{
	enum { GZIP = 16 };
	char *text = malloc(carried->len + 1);
	/* zlib does not write there, but its type does not say so. */
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)carried->bytes, .avail_in = (uInt)carried->size};
	int result;

	if (text == NULL || inflateInit2(&stream, MAX_WBITS + GZIP) != Z_OK) {
		free(text);
		return NULL;
	}
	stream.next_out = (Bytef *)text;
	stream.avail_out = (uInt)carried->len;
	result = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (result != Z_STREAM_END || stream.avail_out != 0) {
		free(text);
		return NULL;
	}
	text[carried->len] = '\0';
	return text;
}
