#include "explain/quote.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/utf8.h"

void quote_put(FILE *out, struct span text, size_t limit)
{
	const size_t end = text.len > limit ? utf8_cut(text, limit) : text.len;
	for (size_t at = 0; at < end;) {
		const unsigned char byte = (unsigned char)text.at[at];
		size_t length = utf8_length(text.at + at, end - at);
		if (byte == '\n')
			fputs("\\n", out);
		else if (byte == '\t')
			fputs("\\t", out);
		else if (length == 0 || !utf8_is_shown(text.at + at, length))
			for (size_t i = 0; i < (length ? length : 1); i++)
				fprintf(out, "\\x%02x", (unsigned char)text.at[at + i]);
		else
			fwrite(text.at + at, 1, length, out);
		at += length ? length : 1;
	}
	if (end < text.len)
		fputs("…", out);
}

char *quote_new(struct span text, size_t limit)
{
	char *quoted = NULL;
	size_t size;
	FILE *out = open_memstream(&quoted, &size);
	if (!out)
		arena_exhausted();
	quote_put(out, text, limit);
	const bool is_whole = !ferror(out);
	if (fclose(out) || !is_whole || !quoted) {
		free(quoted);
		arena_exhausted();
	}
	return quoted;
}
