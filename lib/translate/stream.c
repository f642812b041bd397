#define _GNU_SOURCE /* memrchr */
#include <stdlib.h>

#include "translate/translator.h"

/* The longest rest that is not too long, the CR of its newline included, and then a whole read. */
static uint32_t size_for(uint32_t line_max, uint32_t read_size)
{
	return line_max + 1 + read_size;
}

int line_stream_init(struct line_stream *stream, uint16_t input, uint32_t line_max, uint32_t read_size)
{
	*stream = (struct line_stream){.input = input, .size = size_for(line_max, read_size), .read_size = read_size};
	char *data = calloc(1, line_stream_memory(line_max, read_size));
	if (data)
		stream->data = data + SCAN_PAD;
	return data ? 0 : -1;
}

size_t line_stream_memory(uint32_t line_max, uint32_t read_size)
{
	return (size_t)size_for(line_max, read_size) + 2 * SCAN_PAD;
}

int line_stream_grow(struct line_stream *stream, uint32_t line_max)
{
	const uint32_t size = size_for(line_max, stream->read_size);
	if (size <= stream->size)
		return 0;
	char *data = calloc(1, line_stream_memory(line_max, stream->read_size));
	if (!data)
		return -1;
	memcpy(data + SCAN_PAD, stream->data, stream->end);
	free(stream->data - SCAN_PAD);
	stream->data = data + SCAN_PAD;
	stream->size = size;
	return 0;
}

void line_stream_fini(struct line_stream *stream)
{
	if (stream->data)
		free(stream->data - SCAN_PAD);
	*stream = (struct line_stream){0};
}

char *line_stream_space(struct line_stream *stream, size_t *room)
{
	if (stream->start == stream->end) {
		stream->start = stream->end = stream->whole = stream->checked = 0;
	} else if (stream->size - stream->end < stream->read_size) {
		memmove(stream->data, stream->data + stream->start, stream->end - stream->start);
		stream->end -= stream->start;
		stream->checked -= stream->start;
		stream->start = stream->whole = 0;
	}
	*room = stream->size - stream->end;
	return stream->data + stream->end;
}

static void find_lines(struct line_stream *stream)
{
	const char *last = memrchr(stream->data + stream->checked, '\n', stream->end - stream->checked);
	if (last)
		stream->whole = (uint32_t)(last - stream->data) + 1;
	stream->checked = stream->end;
}

/* A rest that is too long to become a line: counted now, and skipped up to its newline. */
static void check_rest(struct translator *translator, struct line_stream *stream)
{
	const uint32_t rest = stream->end - stream->start;
	const uint32_t len = rest - (rest > 0 && stream->data[stream->end - 1] == '\r'); /* perhaps of its newline */
	if (!stream->is_skipping && len > translator->mapping->limits.line) {
		const struct span line = {stream->data + stream->start, rest};
		translate_reject(translator, OUTCOME_OVERSIZE, line, "the line is longer than limits.line", 0);
		stream->is_skipping = true;
	}
	if (stream->is_skipping)
		stream->start = stream->end;
}

/* A line that was read while limits.line was larger, or as a part of a large read: this translator has no room to look at it. */
static uint32_t skip_beyond(struct translator *translator, const struct line_stream *stream, const char *line)
{
	const char *end = rawmemchr(line, '\n');
	const struct span rest = {line, (size_t)(end - line)};
	if (!stream->is_skipping)
		translate_reject(translator, OUTCOME_OVERSIZE, rest, "the line is longer than limits.line", 0);
	return (uint32_t)rest.len + 1;
}

/* The first line of an index may be in the middle of something: of a line that was too long, of a batch. Returns how much of it
 * is done. */
static uint32_t resume_line(struct translator *translator, struct line_stream *stream, const struct line *line)
{
	uint32_t done = line->end;
	if (stream->is_in_batch)
		done = translate_batch_rest(translator, line);
	stream->is_skipping = false;
	return done;
}

/* The lines that were indexed, the first of which stands at stream->start. */
static enum translate_result translate_index(struct translator *translator, struct line_stream *stream)
{
	const uint32_t base = stream->start;
	struct line line = {.text = stream->data + base, .mark = translator->scan.marks};
	for (uint32_t i = 0; i < translator->scan.line_count; i++) {
		if (stream->is_pausable && translator_is_blocked(translator))
			return TRANSLATE_STOPPED;
		line.end = translator->scan.lines[i].end;
		if (plans_are_many(&translator->plans) && i + 1 < translator->scan.line_count)
			translate_foresee(translator, (struct span){line.text + line.end + 1, translator->scan.lines[i + 1].end - line.end});
		const uint32_t done = stream->is_skipping || stream->is_in_batch ? resume_line(translator, stream, &line)
		                                                                 : translate_line(translator, &line);
		stream->is_in_batch = done < line.end;
		if (stream->is_in_batch) {
			stream->start = base + done;
			return TRANSLATE_STOPPED;
		}
		line.start = line.end + 1;
		line.mark = translator->scan.marks + translator->scan.lines[i].mark + 1;
		stream->start = base + line.start;
	}
	return TRANSLATE_DONE;
}

enum translate_result translate_stream(struct translator *translator, struct line_stream *stream)
{
	translator_begin_input(translator, stream->input, stream->is_pausable);
	find_lines(stream);
	while (stream->start < stream->whole) {
		const char *text = stream->data + stream->start;
		const uint32_t len = scan_window(text, stream->whole - stream->start, translator->line_size);
		if (len == 0) {
			stream->start += skip_beyond(translator, stream, text);
			stream->is_skipping = stream->is_in_batch = false;
			continue;
		}
		if (stream->is_pausable && translator_is_blocked(translator))
			return TRANSLATE_STOPPED;
		scan_index(&translator->scan, text, len);
		if (translate_index(translator, stream) == TRANSLATE_STOPPED)
			return TRANSLATE_STOPPED;
	}
	check_rest(translator, stream);
	return TRANSLATE_DONE;
}

static bool is_blank(const char *text, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

enum translate_result translate_stream_end(struct translator *translator, struct line_stream *stream, enum stream_end end)
{
	const uint32_t rest = stream->end - (stream->whole > stream->start ? stream->whole : stream->start);
	translator_begin_input(translator, stream->input, stream->is_pausable);
	if (rest && !stream->is_skipping && end == STREAM_END_OF_FILE) {
		stream->data[stream->end++] = '\n'; /* the padding has room */
	} else if (rest) {
		const struct span line = {stream->data + stream->end - rest, rest};
		stream->end -= rest;
		stream->checked = stream->end;
		if (!stream->is_skipping && !is_blank(line.at, rest))
			translate_reject(translator, OUTCOME_MALFORMED, line, "the agent ended before the line did", 0);
	}
	stream->is_skipping = stream->is_skipping && stream->start < stream->whole;
	return translate_stream(translator, stream);
}

void translate_datagram(struct translator *translator, uint16_t input, char *data, uint32_t len)
{
	translator_begin_input(translator, input, false);
	data[len] = '\n';
	for (uint32_t start = 0; start < len;) {
		struct line line = {.text = data + start, .mark = translator->scan.marks};
		const uint32_t window = scan_window(line.text, len + 1 - start, translator->line_size);
		scan_index(&translator->scan, line.text, window);
		for (uint32_t i = 0; i < translator->scan.line_count; i++) {
			line.end = translator->scan.lines[i].end;
			translate_line(translator, &line);
			line.start = line.end + 1;
			line.mark = translator->scan.marks + translator->scan.lines[i].mark + 1;
		}
		start += window;
	}
}

void translate_cut_datagram(struct translator *translator, uint16_t input, struct span start)
{
	translator_begin_input(translator, input, false);
	translate_reject(translator, OUTCOME_OVERSIZE, start, "the datagram is longer than 64 KiB", 0);
}
