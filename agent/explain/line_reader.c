#include "explain/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bounds.h"

void line_reader_init(struct line_reader *reader, int fd, size_t limit)
{
	*reader = (struct line_reader){.fd = fd, .size = limit + READ_SIZE};
	reader->buffer = malloc(reader->size);
	if (!reader->buffer)
		arena_exhausted();
}

void line_reader_fini(struct line_reader *reader)
{
	free(reader->buffer);
	*reader = (struct line_reader){.fd = -1};
}

static const char *find_newline(const struct line_reader *reader)
{
	return memchr(reader->buffer + reader->start, '\n', reader->end - reader->start);
}

bool line_reader_is_drained(const struct line_reader *reader)
{
	return !reader->is_ended && !find_newline(reader);
}

static void fill(struct line_reader *reader)
{
	/* Somebody may have made it non-blocking. */
	struct pollfd readable = {.fd = reader->fd, .events = POLLIN};
	ssize_t count;
	memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
	do {
		count = read(reader->fd, reader->buffer + reader->end, reader->size - reader->end);
	} while (count < 0 && (errno == EINTR || (errno == EAGAIN && poll(&readable, 1, -1) >= 0)));
	if (count < 0)
		reader->error = errno;
	if (count <= 0)
		reader->is_ended = true;
	else
		reader->end += (size_t)count;
}

bool line_reader_next(struct line_reader *reader, struct span *line)
{
	for (;;) {
		const char *newline = find_newline(reader);
		const struct span rest = {reader->buffer + reader->start, reader->end - reader->start};
		const bool is_full = rest.len == reader->size;
		const bool was_skipping = reader->is_skipping;
		if (newline) {
			*line = (struct span){rest.at, (size_t)(newline - rest.at)};
			reader->start += line->len + 1;
			reader->is_skipping = false;
		} else if (is_full || (reader->is_ended && rest.len)) {
			*line = rest;
			reader->start = reader->end;
			reader->is_skipping = is_full;
		} else if (reader->is_ended) {
			return false;
		} else {
			fill(reader);
			continue;
		}
		if (!was_skipping)
			return true;
	}
}
