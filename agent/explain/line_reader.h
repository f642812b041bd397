/* A descriptor -> its lines, in bounded memory: of a line beyond the limit its first bytes are given and the rest is
 * skipped. */
#ifndef STATSIDECAR_EXPLAIN_LINE_READER_H
#define STATSIDECAR_EXPLAIN_LINE_READER_H

#include "base/span.h"

struct line_reader {
	int fd;
	char *buffer; /* owned */
	size_t size;
	size_t start;
	size_t end;
	bool is_skipping; /* behind the first bytes of a line that was too long */
	bool is_ended;
	int error; /* errno, where reading failed */
};

/* A line that is longer than limit may be cut behind it. */
void line_reader_init(struct line_reader *reader, int fd, size_t limit);
void line_reader_fini(struct line_reader *reader);

/* The next line without its newline, valid until the next call; false at the end. */
bool line_reader_next(struct line_reader *reader, struct span *line);

/* Whether the next call has to read: what was made of the lines so far should be seen before. */
bool line_reader_is_drained(const struct line_reader *reader);

#endif
